//! Answers as Prometheus writes them.

use serde_json::{Map, Value, json};

use crate::sim::promql::answer::Answer;
use crate::sim::promql::labels::Labels;

/// What an answer says that was cut to the limit.
pub const TRUNCATED: &str = "results truncated due to limit";

/// Below and from these on Prometheus writes numbers with an exponent.
const PLAIN: std::ops::Range<f64> = 1e-6..1e21;

/// `resultType` and `result`.
pub fn answer(answer: &Answer) -> Value {
    let (kind, result) = match answer {
        Answer::Scalar(at_ms, value) => ("scalar", point(*at_ms, *value)),
        Answer::Text(at_ms, text) => ("string", json!([time(*at_ms), text])),
        Answer::Vector(at_ms, elements) => {
            let element = |element: &crate::sim::promql::answer::Instant| json!({"metric": labels(&element.labels), "value": point(*at_ms, element.value)});
            ("vector", elements.iter().map(element).collect())
        }
        Answer::Matrix(ranges) => {
            let range = |range: &crate::sim::promql::answer::Range| {
                let values: Vec<Value> = range.points.iter().map(|(at_ms, value)| point(*at_ms, *value)).collect();
                json!({"metric": labels(&range.labels), "values": values})
            };
            ("matrix", ranges.iter().map(range).collect())
        }
    };
    json!({"resultType": kind, "result": result})
}

/// At most so many elements, with a warning if there were more.
pub fn limited(mut answer: Answer, limit: Option<usize>, warnings: &mut Vec<String>) -> Answer {
    let Some(limit) = limit else { return answer };
    let count = match &mut answer {
        Answer::Vector(_, elements) => {
            let count = elements.len();
            elements.truncate(limit);
            count
        }
        Answer::Matrix(ranges) => {
            let count = ranges.len();
            ranges.truncate(limit);
            count
        }
        Answer::Scalar(..) | Answer::Text(..) => 0,
    };
    if count > limit {
        warnings.push(TRUNCATED.to_owned());
    }
    answer
}

/// Labels as an object.
pub fn labels(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>())
}

fn point(at_ms: i64, value: f64) -> Value {
    json!([time(at_ms), number(value)])
}

/// Seconds, whole ones without a fraction.
fn time(at_ms: i64) -> Value {
    if at_ms % 1000 == 0 { json!(at_ms / 1000) } else { json!(at_ms as f64 / 1000.0) }
}

/// A value as a text, as short as it can be read back.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else if size == 0.0 || PLAIN.contains(&size) {
        format!("{value}")
    } else {
        // Rust writes 1e-7 where Go writes 1e-07.
        let text = format!("{value:e}");
        match text.split_once('e') {
            Some((digits, exponent)) => {
                let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
                format!("{digits}e{sign}{exponent:0>2}")
            }
            None => text,
        }
    }
}
