//! Every query of `tests/promql/corpus.json` against the answers of the real engine in `tests/promql/answers.json`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::functions::{AGGREGATIONS, DATE_FUNCTIONS, MAP_FUNCTIONS, WINDOW_FUNCTIONS};
use super::*;

const CORPUS: &str = include_str!("../../../tests/promql/corpus.json");
const ANSWERS: &str = include_str!("../../../tests/promql/answers.json");
/// How far a value may be from the real engine's, as a part of it.
const TOLERANCE: f64 = 1e-9;

fn storages(corpus: &Value) -> BTreeMap<String, Storage> {
    let data = corpus["data"].as_object().unwrap();
    data.iter().map(|(name, series)| (name.clone(), load(series.as_array().unwrap()))).collect()
}

fn load(series: &[Value]) -> Storage {
    let mut storage = Storage::new();
    for series in series {
        let labels = labels(&series["labels"]);
        let (from, every) = (series["from"].as_i64().unwrap(), series["every"].as_i64().unwrap());
        for (place, written) in series["values"].as_array().unwrap().iter().enumerate() {
            let at_ms = from + place as i64 * every;
            match written {
                Value::Null => {}
                Value::String(text) if text == "stale" => storage.mark_stale(&labels, at_ms).unwrap(),
                Value::String(text) => storage.append(&labels, at_ms, text.parse().unwrap()).unwrap(),
                number => storage.append(&labels, at_ms, number.as_f64().unwrap()).unwrap(),
            }
        }
    }
    storage
}

fn labels(written: &Value) -> Labels {
    Labels::new(written.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

fn ask(storages: &BTreeMap<String, Storage>, asked: &Value) -> Result<Response, QueryError> {
    let storage = &storages[asked["data"].as_str().unwrap()];
    let text = asked["query"].as_str().unwrap();
    let options = Options::default();
    match asked["at"].as_i64() {
        Some(at_ms) => query(storage, text, at_ms, &options),
        None => {
            let [start, end, step] = ["start", "end", "step"].map(|name| asked[name].as_i64().unwrap());
            query_range(storage, text, start, end, step, &options)
        }
    }
}

/// Labels and points of each element, in a fixed order unless the query gives one.
fn elements(answer: &Answer, is_ordered: bool) -> Vec<Range> {
    let mut elements = match answer {
        Answer::Text(..) => Vec::new(),
        Answer::Scalar(at_ms, value) => vec![Range { labels: Labels::empty(), points: vec![(*at_ms, *value)] }],
        Answer::Vector(at_ms, elements) => {
            let range = |element: &Instant| Range { labels: element.labels.clone(), points: vec![(*at_ms, element.value)] };
            elements.iter().map(range).collect()
        }
        Answer::Matrix(ranges) => ranges.clone(),
    };
    if !is_ordered {
        elements.sort_by(|left, right| left.labels.cmp(&right.labels));
    }
    elements
}

fn is_close(left: f64, right: f64) -> bool {
    (left.is_nan() && right.is_nan()) || left == right || (left - right).abs() <= TOLERANCE * left.abs().max(right.abs())
}

/// What differs between an answer and the wanted one.
fn difference(got: &Result<Response, QueryError>, wanted: &Value, is_ordered: bool) -> Option<String> {
    let response = match (got, wanted["error"].as_str()) {
        (Err(error), Some(kind)) if error.kind.name() == kind => return None,
        (Err(error), _) => return Some(format!("{}: {error}; wanted {wanted}", error.kind.name())),
        (Ok(response), Some(_)) => return Some(format!("{:?}; wanted {wanted}", response.answer)),
        (Ok(response), None) => response,
    };
    let kind = match &response.answer {
        Answer::Scalar(..) => "scalar",
        Answer::Text(_, text) if text.as_str() != wanted["text"].as_str().unwrap_or_default() => return Some(format!("text {text:?}")),
        Answer::Text(..) => "string",
        Answer::Vector(..) => "vector",
        Answer::Matrix(..) => "matrix",
    };
    if kind != wanted["type"] {
        return Some(format!("a {kind}; wanted {wanted}"));
    }
    for (name, notes) in [("warnings", &response.warnings), ("infos", &response.infos)] {
        if notes.is_empty() == wanted[name].as_bool().unwrap_or(false) {
            return Some(format!("{name} {notes:?}"));
        }
    }
    let got = elements(&response.answer, is_ordered);
    let wanted: &[Value] = wanted["result"].as_array().map_or(&[], Vec::as_slice);
    if got.len() != wanted.len() {
        return Some(format!("{} elements, wanted {}: {got:?}; wanted {wanted:?}", got.len(), wanted.len()));
    }
    got.iter().zip(wanted).find_map(|(got, wanted)| different_element(got, wanted))
}

fn different_element(got: &Range, wanted: &Value) -> Option<String> {
    let wanted_labels = labels(&wanted["labels"]);
    let wanted_points = wanted["points"].as_array().unwrap();
    let wanted_point = |point: &Value| (point[0].as_i64().unwrap(), point[1].as_str().unwrap().parse::<f64>().unwrap());
    let wanted_points: Vec<(i64, f64)> = wanted_points.iter().map(wanted_point).collect();
    let same = |((at, value), (wanted_at, wanted)): (&(i64, f64), &(i64, f64))| at == wanted_at && is_close(*value, *wanted);
    let equal = got.labels == wanted_labels && got.points.len() == wanted_points.len() && got.points.iter().zip(&wanted_points).all(same);
    (!equal).then(|| format!("{} {:?}; wanted {wanted_labels} {wanted_points:?}", got.labels, got.points))
}

/// What differs, query by query.
fn differences(corpus: &Value, answers: &Value) -> Vec<String> {
    let storages = storages(corpus);
    let queries = corpus["queries"].as_array().unwrap();
    let answers = answers["answers"].as_array().unwrap();
    assert_eq!(queries.len(), answers.len(), "run tests/promql/answer");
    let different = queries.iter().zip(answers).filter_map(|(asked, wanted)| {
        let is = |name: &str| asked[name].as_bool().unwrap_or(false);
        let difference = match ask(&storages, asked) {
            // Prometheus answers, this engine must say that it cannot.
            got if is("lacking") => (wanted["error"].is_string() || got.is_ok()).then(|| format!("{got:?}; wanted {wanted}")),
            got => difference(&got, wanted, is("ordered")),
        };
        difference.map(|difference| format!("{asked}\n    {difference}"))
    });
    different.collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_answer_is_that_of_the_real_engine() {
    let found = differences(&parsed(CORPUS), &parsed(ANSWERS));
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_changed_answer_is_caught() {
    let corpus = parsed(CORPUS);
    let mut answers = parsed(ANSWERS);
    let list = answers["answers"].as_array_mut().unwrap();
    // One of each kind: a value, a label, an element, an error, a warning.
    let vector = list.iter().position(|answer| answer["type"] == "vector" && answer["result"][0]["points"][0][1] == "20").unwrap();
    list[vector]["result"][0]["points"][0][1] = "20.0000001".into();
    let labelled = list.iter().position(|answer| answer["result"][1]["labels"]["pod"].is_string()).unwrap();
    list[labelled]["result"][1]["labels"]["pod"] = "other".into();
    let matrix = list.iter().position(|answer| answer["type"] == "matrix" && answer["result"][0].is_object()).unwrap();
    list[matrix]["result"].as_array_mut().unwrap().pop();
    let error = list.iter().position(|answer| answer["error"] == "execution").unwrap();
    list[error]["error"] = "bad_data".into();
    let warning = list.iter().position(|answer| answer["warnings"] == true).unwrap();
    list[warning]["warnings"] = false.into();
    assert_eq!(differences(&corpus, &answers).len(), 5);
}

#[test]
fn everything_that_is_answered_occurs_in_the_corpus() {
    let corpus = parsed(CORPUS);
    let answers = parsed(ANSWERS);
    let pairs = corpus["queries"].as_array().unwrap().iter().zip(answers["answers"].as_array().unwrap());
    // Only what the real engine answered with something counts.
    let answered = pairs.filter(|(_, answer)| answer["result"].is_array() || answer["text"].is_string());
    let queries: Vec<&str> = answered.map(|(asked, _)| asked["query"].as_str().unwrap()).collect();
    let special = "absent absent_over_time clamp clamp_max clamp_min histogram_fraction histogram_quantile label_join label_replace pi \
                   round scalar sort sort_desc time timestamp vector quantile topk bottomk count_values";
    let maps = MAP_FUNCTIONS.iter().map(|(name, _)| *name);
    let dates = DATE_FUNCTIONS.iter().map(|(name, _)| *name);
    let windows = WINDOW_FUNCTIONS.iter().map(|function| function.name);
    let aggregations = AGGREGATIONS.iter().map(|(name, _)| *name);
    let functions = maps.chain(dates).chain(windows).chain(aggregations).chain(special.split_whitespace());
    let missing: Vec<&str> = functions.filter(|name| !queries.iter().any(|query| starts_word(query, &format!("{name}(")))).collect();
    assert_eq!(missing, Vec::<&str>::new());
    let words = "+ - * / % ^ atan2 == != > < >= <= and or unless bool on ignoring group_left group_right by without offset @";
    let missing: Vec<&str> =
        words.split_whitespace().filter(|word| !queries.iter().any(|query| query.contains(&format!(" {word} ")))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// Whether a call stands in a query as a word of its own.
fn starts_word(query: &str, call: &str) -> bool {
    query.match_indices(call).any(|(at, _)| !query[..at].ends_with(|sign: char| sign.is_alphanumeric() || sign == '_'))
}

#[test]
fn a_query_that_holds_too_much_is_refused() {
    let storages = storages(&parsed(CORPUS));
    let options = Options { samples_max: 1_000, ..Options::default() };
    let ask = |text: &str| query(&storages["web"], text, 1_200_000, &options).map_err(|error| error.kind);
    assert!(ask("sum(rate(http_requests_total[1m]))").is_ok());
    assert_eq!(ask("http_requests_total[1h]").map(|_| ()), Ok(()), "eight series of at most 81 samples");
    assert_eq!(ask("latency_seconds_bucket[1h]"), Err(ErrorType::Execution));
    assert_eq!(ask("count_over_time(vector(1)[30d:1ms])"), Err(ErrorType::Execution));
    assert_eq!(ask("count_over_time(nothing[100y:1ms])"), Err(ErrorType::Execution));
}

#[test]
fn times_that_do_not_fit_are_refused() {
    let storage = Storage::new();
    let options = Options::default();
    assert_eq!(query(&storage, "1", i64::MAX, &options).unwrap_err().kind, ErrorType::BadData);
    assert_eq!(query_range(&storage, "1", 0, i64::MAX, 1, &options).unwrap_err().kind, ErrorType::BadData);
    let text = "rate(a[290y:1s] offset 290y @ 1000000000000)";
    assert_eq!(query(&storage, text, 0, &options).unwrap_err().kind, ErrorType::Execution);
}

#[test]
fn what_prometheus_has_and_this_engine_lacks_is_named() {
    let refused = |text: &str| query(&Storage::new(), text, 0, &Options::default()).unwrap_err().message;
    assert!(refused("histogram_count(a)").contains("native histograms"));
    assert!(refused("limitk(1, a)").contains("limitk"));
    assert!(refused("mad_over_time(a[5m])").contains("mad_over_time"));
    assert!(refused("a + fill (0) b").contains("fill"));
    assert!(refused("a{b=\"1\" or c=\"2\"}").contains("`or`"));
}
