//! The JSON of Prometheus' query API.
//!
//! Format: Prometheus documentation, "HTTP API", "Format overview" and "Expression query result formats": numbers are texts, times
//! are seconds as floats.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::line;
use crate::domain::analysis::reading::{Answer, Sample, Value};

/// More warnings than these are not passed on.
const NOTES_MAX: usize = 5;

#[derive(Deserialize)]
struct Success<'a> {
    status: String,
    #[serde(borrow)]
    data: Data<'a>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    result_type: String,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    histogram: Option<IgnoredAny>,
}

/// Prometheus' own message about what it did not do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal {
    error_type: String,
    #[serde(rename = "error")]
    pub(super) message: String,
}

impl Refusal {
    /// The query is at fault, not the server.
    pub(super) fn is_of_the_query(&self) -> bool {
        matches!(self.error_type.as_str(), "bad_data" | "execution")
    }
}

/// The message in the body of a refusal; none if this is not Prometheus' way to refuse.
pub(super) fn refusal(body: &[u8]) -> Option<Refusal> {
    serde_json::from_slice(body).ok()
}

/// Reads the body of a success.
///
/// # Errors
/// What is not as it should be; never with text of the body.
pub(super) fn parse(body: &[u8]) -> Result<Answer, String> {
    let success: Success<'_> = serde_json::from_slice(body).map_err(|error| not_json("the body", &error))?;
    if success.status != "success" {
        return Err("its status is not success".to_owned());
    }
    let notes = |notes: Vec<String>| notes.iter().take(NOTES_MAX).map(|note| line(note)).collect();
    let value = value(&success.data)?;
    Ok(Answer { value, warnings: notes(success.warnings), infos: notes(success.infos) })
}

fn value(data: &Data<'_>) -> Result<Value, String> {
    let result = data.result.get();
    match data.result_type.as_str() {
        "vector" => {
            let series: Vec<Series> = serde_json::from_str(result).map_err(|error| not_json("the vector", &error))?;
            if series.iter().any(|series| series.histogram.is_some()) {
                return Ok(Value::Other("vector of native histograms".to_owned()));
            }
            series.into_iter().map(sample).collect::<Result<_, _>>().map(Value::Vector)
        }
        "scalar" => {
            let (at, value): (f64, String) = serde_json::from_str(result).map_err(|error| not_json("the scalar", &error))?;
            Ok(Value::Scalar(time(at)?, number(&value)?))
        }
        "matrix" => Ok(Value::Other("matrix".to_owned())),
        "string" => Ok(Value::Other("string".to_owned())),
        _ => Err("its result type is unknown".to_owned()),
    }
}

fn sample(series: Series) -> Result<Sample, String> {
    let (at, value) = series.value.ok_or_else(|| "a series has no value".to_owned())?;
    Ok(Sample { labels: series.metric, at: time(at)?, value: number(&value)? })
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be far inside of the range")]
fn time(seconds: f64) -> Result<Timestamp, String> {
    let milliseconds = (seconds * 1000.0).round();
    let sane = milliseconds.is_finite() && milliseconds.abs() < 1e15;
    let time = sane.then(|| Timestamp::from_millisecond(milliseconds as i64).ok()).flatten();
    time.ok_or_else(|| "a time is out of range".to_owned())
}

/// A number as Go writes it: also `NaN`, `+Inf` and `-Inf`.
fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "a value is no number".to_owned())
}

/// Where and of what sort the mistake is; the parser's own words could quote the body.
fn not_json(what: &str, error: &serde_json::Error) -> String {
    let sort = match error.classify() {
        serde_json::error::Category::Syntax => "is not JSON",
        serde_json::error::Category::Data => "is JSON of another shape",
        serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Io => "cannot be read",
    };
    format!("{what} {sort} (line {}, column {})", error.line(), error.column())
}
