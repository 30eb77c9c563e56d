//! Prometheus' HTTP API, without HTTP.
//!
//! Takes a path and decoded parameters (of the URL and of a form alike); gives a status and the JSON body that Prometheus would
//! send. Numbers are texts, times are seconds. Never opens a socket, never reads a clock.

mod json;
mod parameters;

use serde_json::{Value, json};

use self::parameters::Parameters;
use super::query::{self, ErrorType, Options, QueryError};
use super::storage::Storage;

/// The Prometheus whose answers these are.
const VERSION: &str = "3.16.0";

/// Answers one request. `now_ms` is the virtual time, for requests that name none.
///
/// | path | parameters |
/// | --- | --- |
/// | `/api/v1/query` | `query`, `time`, `lookback_delta`, `limit` |
/// | `/api/v1/query_range` | `query`, `start`, `end`, `step`, `lookback_delta`, `limit` |
/// | `/api/v1/labels`, `/api/v1/label/<name>/values` | `match[]`, `start`, `end`, `limit` |
/// | `/api/v1/series` | `match[]`, `start`, `end`, `limit` |
/// | `/api/v1/status/buildinfo` | |
///
/// `timeout` is checked and never expires, since answers take no virtual time. Other parameters and paths are refused.
pub fn respond(storage: &Storage, now_ms: i64, path: &str, parameters: &[(String, String)]) -> (u16, Value) {
    match answer(storage, now_ms, path, &Parameters::new(parameters)) {
        Ok(body) => (200, body),
        Err(error) => {
            let status = match error.kind {
                ErrorType::BadData => 400,
                ErrorType::NotFound => 404,
                ErrorType::Execution => 422,
            };
            (status, json!({"status": "error", "errorType": error.kind.name(), "error": error.message}))
        }
    }
}

fn answer(storage: &Storage, now_ms: i64, path: &str, parameters: &Parameters<'_>) -> Result<Value, QueryError> {
    let path = path.strip_prefix("/api/v1/").ok_or_else(|| not_found(path))?;
    match path {
        "query" => instant(storage, now_ms, parameters),
        "query_range" => range(storage, parameters),
        "labels" | "series" => metadata(storage, path, parameters),
        "status/buildinfo" => {
            parameters.only(&[])?;
            let built =
                json!({"version": VERSION, "revision": "simulated", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""});
            Ok(success(built, &[], &[]))
        }
        other => match other.strip_prefix("label/").and_then(|rest| rest.strip_suffix("/values")) {
            Some(name) if !name.is_empty() && !name.contains('/') => metadata(storage, path, parameters),
            _ => Err(not_found(path)),
        },
    }
}

fn not_found(path: &str) -> QueryError {
    QueryError { kind: ErrorType::NotFound, message: format!("the simulated Prometheus does not serve {path:?}") }
}

fn success(data: Value, warnings: &[String], infos: &[String]) -> Value {
    let mut body = json!({"status": "success", "data": data});
    if !warnings.is_empty() {
        body["warnings"] = json!(warnings);
    }
    if !infos.is_empty() {
        body["infos"] = json!(infos);
    }
    body
}

fn options(parameters: &Parameters<'_>) -> Result<Options, QueryError> {
    parameters.duration("timeout")?;
    let mut options = Options::default();
    if let Some(lookback_ms) = parameters.duration("lookback_delta")? {
        options.lookback_ms = lookback_ms;
    }
    Ok(options)
}

fn evaluated(response: super::answer::Response, parameters: &Parameters<'_>) -> Result<Value, QueryError> {
    let mut warnings = response.warnings;
    let answer = json::limited(response.answer, parameters.limit()?, &mut warnings);
    Ok(success(json::answer(&answer), &warnings, &response.infos))
}

fn instant(storage: &Storage, now_ms: i64, parameters: &Parameters<'_>) -> Result<Value, QueryError> {
    parameters.only(&["query", "time", "timeout", "lookback_delta", "limit"])?;
    let at_ms = parameters.time("time")?.unwrap_or(now_ms);
    let response = query::query(storage, parameters.needed("query")?, at_ms, &options(parameters)?)?;
    evaluated(response, parameters)
}

fn range(storage: &Storage, parameters: &Parameters<'_>) -> Result<Value, QueryError> {
    parameters.only(&["query", "start", "end", "step", "timeout", "lookback_delta", "limit"])?;
    let missing = |name: &str| QueryError::bad_data(format!("invalid parameter {name:?}: cannot parse \"\""));
    let start_ms = parameters.time("start")?.ok_or_else(|| missing("start"))?;
    let end_ms = parameters.time("end")?.ok_or_else(|| missing("end"))?;
    let step_ms = parameters.step("step")?.ok_or_else(|| missing("step"))?;
    let response = query::query_range(storage, parameters.needed("query")?, start_ms, end_ms, step_ms, &options(parameters)?)?;
    evaluated(response, parameters)
}

fn metadata(storage: &Storage, path: &str, parameters: &Parameters<'_>) -> Result<Value, QueryError> {
    parameters.only(&["match[]", "start", "end", "limit"])?;
    let (start_ms, end_ms) = (parameters.time("start")?.unwrap_or(i64::MIN), parameters.time("end")?.unwrap_or(i64::MAX));
    if end_ms < start_ms {
        return Err(QueryError::bad_data("end timestamp must not be before start timestamp"));
    }
    let mut selectors = parameters.selectors()?;
    if path == "series" && selectors.is_empty() {
        return Err(QueryError::bad_data("no match[] parameter provided"));
    }
    if selectors.is_empty() {
        // No condition selects everything.
        selectors.push(Vec::new());
    }
    let mut found: Vec<Value> = match path {
        "series" => query::series(storage, &selectors, start_ms, end_ms).iter().map(json::labels).collect(),
        "labels" => query::label_names(storage, &selectors, start_ms, end_ms).into_iter().map(Value::String).collect(),
        _ => {
            let name = path.trim_start_matches("label/").trim_end_matches("/values");
            query::label_values(storage, name, &selectors, start_ms, end_ms).into_iter().map(Value::String).collect()
        }
    };
    let mut warnings = Vec::new();
    if parameters.limit()?.is_some_and(|limit| found.len() > limit) {
        found.truncate(parameters.limit()?.unwrap_or(usize::MAX));
        warnings.push(json::TRUNCATED.to_owned());
    }
    Ok(success(Value::Array(found), &warnings, &[]))
}

#[cfg(test)]
mod tests;
