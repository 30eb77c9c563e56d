//! The metrics backend as clients see it: the HTTP API of Prometheus over what was scraped, and its faults.
//!
//! Takes requests as path and parameters; gives replies and how much later they come, or none when the connection is refused.
//! A fault is a value: whoever plays the world sets it, nothing here ends it. Never changes what was scraped.

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::sim::promql::{Storage, respond};
use crate::sim::routes::{ApiRequest, Query, Reply};

/// The path under which the API server's doors serve the metrics backend.
pub const PREFIX: &str = "/prometheus";
/// Size of the body of [`Fault::Huge`], in bytes.
pub const HUGE_BYTES: usize = 100 * 1024 * 1024;
/// The only content type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// What is wrong with the metrics backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are refused.
    Unavailable,
    /// It has lost everything: queries succeed and find nothing.
    Empty,
    /// Every value is not a number.
    NaN,
    /// It knows nothing younger than this.
    Stale(SignedDuration),
    /// Answers come so much later.
    Slow(SignedDuration),
    /// A proxy before it answers with 503.
    Error5xx,
    /// Status 200 with JSON that breaks off.
    Garbage,
    /// Status 200 with a body of 100 MiB.
    Huge,
}

/// Answers a request of the API (path from `/api/v1/` or `/-/` on); none: the connection is refused.
pub fn answer(storage: &Storage, now: Timestamp, fault: Option<Fault>, request: &ApiRequest, path: &str) -> Option<(Reply, Duration)> {
    let reply = match fault {
        Some(Fault::Unavailable) => return None,
        Some(Fault::Error5xx) => {
            Reply::text(503, "upstream connect error or disconnect/reset before headers. reset reason: connection timeout")
        }
        Some(Fault::Garbage) => json_reply(200, r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"val"#),
        Some(Fault::Huge) => json_reply(200, huge()),
        Some(Fault::Empty) => serve(&Storage::new(), now, SignedDuration::ZERO, request, path, false),
        Some(Fault::NaN) => serve(storage, now, SignedDuration::ZERO, request, path, true),
        Some(Fault::Stale(age)) => serve(storage, now, age, request, path, false),
        Some(Fault::Slow(_)) | None => serve(storage, now, SignedDuration::ZERO, request, path, false),
    };
    let delay = match fault {
        Some(Fault::Slow(delay)) => Duration::try_from(delay).unwrap_or_default(),
        _ => Duration::ZERO,
    };
    Some((reply, delay))
}

fn json_reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply { status, headers: vec![("content-type", "application/json".to_owned())], body: body.into() }
}

/// A valid answer but for its size.
fn huge() -> Vec<u8> {
    let (head, tail) = (r#"{"status":"success","data":{"resultType":"vector","result":[]},"infos":[""#, r#""]}"#);
    let mut body = Vec::with_capacity(HUGE_BYTES);
    body.extend_from_slice(head.as_bytes());
    body.resize(HUGE_BYTES - tail.len(), b'x');
    body.extend_from_slice(tail.as_bytes());
    body
}

fn serve(storage: &Storage, now: Timestamp, age: SignedDuration, request: &ApiRequest, path: &str, spoilt: bool) -> Reply {
    if ["/-/ready", "/-/healthy"].contains(&path) {
        let word = if path == "/-/ready" { "Ready" } else { "Healthy" };
        return Reply::text(200, format!("Prometheus Server is {word}.\n"));
    }
    let mut parameters = Query::parse(&request.query).pairs();
    match request.method.as_str() {
        "GET" => {}
        "POST" if request.content_type.split(';').next() == Some(FORM) => {
            let Ok(form) = std::str::from_utf8(&request.body) else { return Reply::text(400, "the form is not UTF-8\n") };
            parameters.splice(0..0, Query::parse(form).pairs());
        }
        "POST" => return Reply::text(415, format!("send the form as {FORM}\n")),
        _ => return Reply::text(405, "only GET and POST are answered\n"),
    }
    let known = now - age;
    if !age.is_zero() {
        parameters.iter_mut().filter(|(name, _)| ["time", "start", "end"].contains(&name.as_str())).for_each(|(_, at)| limit(at, known));
    }
    let (status, mut body) = respond(storage, known.as_millisecond(), path, &parameters);
    if spoilt {
        spoil(&mut body["data"]["result"]);
    }
    json_reply(status, body.to_string())
}

/// A time that is not later than what is known; what is no time stays for the error message.
fn limit(at: &mut String, known: Timestamp) {
    let second = at.parse::<f64>().ok().or_else(|| Some(at.parse::<Timestamp>().ok()?.as_millisecond() as f64 / 1000.0));
    let latest = known.as_millisecond() as f64 / 1000.0;
    if second.is_some_and(|second| second > latest) {
        *at = latest.to_string();
    }
}

/// Every sample, a pair of time and text, loses its value.
fn spoil(result: &mut Value) {
    match result {
        Value::Array(pair) if matches!(pair.as_slice(), [Value::Number(_), Value::String(_)]) => pair[1] = Value::from("NaN"),
        Value::Array(items) => items.iter_mut().for_each(spoil),
        Value::Object(fields) => {
            fields.iter_mut().filter(|(name, _)| ["value", "values"].contains(&name.as_str())).for_each(|(_, value)| spoil(value));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::promql::Labels;

    fn storage() -> Storage {
        let mut storage = Storage::new();
        for minute in 0..60 {
            storage.append(&Labels::new([("__name__", "m")]), minute * 60_000, minute as f64).unwrap();
        }
        storage
    }

    fn asked(fault: Option<Fault>, method: &str, query: &str, body: &str) -> Option<(u16, String, Duration)> {
        let request = ApiRequest {
            method: method.to_owned(),
            query: query.to_owned(),
            content_type: FORM.to_owned(),
            body: Bytes::from(body.to_owned()),
            ..ApiRequest::default()
        };
        let now = Timestamp::from_second(59 * 60).unwrap();
        let (reply, delay) = answer(&storage(), now, fault, &request, "/api/v1/query")?;
        Some((reply.status, String::from_utf8(reply.body.to_vec()).unwrap(), delay))
    }

    fn value(fault: Option<Fault>) -> Value {
        let (status, body, _) = asked(fault, "GET", "query=m", "").unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["data"]["result"].clone()
    }

    #[test]
    fn queries_are_answered_by_get_and_by_form() {
        assert_eq!(value(None)[0]["value"], serde_json::json!([3540, "59"]));
        let (_, posted, _) = asked(None, "POST", "", "query=m%20%2B%201").unwrap();
        assert!(posted.contains("\"60\""), "{posted}");
        assert_eq!(asked(None, "DELETE", "query=m", "").unwrap().0, 405);
    }

    #[test]
    fn every_fault_shows_as_what_it_is() {
        assert_eq!(asked(Some(Fault::Unavailable), "GET", "query=m", ""), None);
        assert_eq!(value(Some(Fault::Empty)), serde_json::json!([]));
        assert_eq!(value(Some(Fault::NaN))[0]["value"][1], "NaN");
        assert_eq!(asked(Some(Fault::Error5xx), "GET", "query=m", "").unwrap().0, 503);
        let slow = Fault::Slow(SignedDuration::from_secs(40));
        assert_eq!(asked(Some(slow), "GET", "query=m", "").unwrap().2, Duration::from_secs(40));
        let (status, garbage, _) = asked(Some(Fault::Garbage), "GET", "query=m", "").unwrap();
        assert!(status == 200 && serde_json::from_str::<Value>(&garbage).is_err());
        let (status, huge, _) = asked(Some(Fault::Huge), "GET", "query=m", "").unwrap();
        assert_eq!((status, huge.len()), (200, HUGE_BYTES));
    }

    #[test]
    fn a_stale_backend_knows_nothing_young_whatever_time_is_asked_for() {
        let stale = Some(Fault::Stale(SignedDuration::from_mins(10)));
        assert_eq!(value(stale)[0]["value"], serde_json::json!([2940, "49"]));
        for time in ["3540", "1970-01-01T00:59:00Z"] {
            let (_, body, _) = asked(stale, "GET", &format!("query=m&time={time}"), "").unwrap();
            assert!(body.contains("\"49\""), "{body}");
        }
        let (_, old, _) = asked(stale, "GET", "query=m&time=60", "").unwrap();
        assert!(old.contains("\"1\""), "{old}");
    }
}
