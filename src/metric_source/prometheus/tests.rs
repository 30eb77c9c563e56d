mod loopback;
mod simulated;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::StreamBody;
use hyper::body::Frame;
use tower::service_fn;

use super::*;
use crate::domain::analysis::reading::{self, NoData, Value};

fn at() -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_250).unwrap()
}

fn settings() -> Settings {
    Settings::new(Uri::from_static("http://prometheus:9090"))
}

/// A Prometheus that answers everything with this.
fn answering(status: u16, body: impl Into<Bytes>) -> Prometheus {
    let body = body.into();
    let service = service_fn(move |_: Request_| {
        let response = Response::builder().status(status).body(Full::new(body.clone()));
        async move { response }
    });
    Prometheus::over(service, settings())
}

async fn ask(source: &Prometheus) -> Result<Answer, SourceError> {
    source.query("sum(up)", at()).await
}

async fn error(status: u16, body: &'static str) -> SourceError {
    ask(&answering(status, body)).await.unwrap_err()
}

fn refusal(kind: &str) -> String {
    format!(r#"{{"status":"error","errorType":"{kind}","error":"1:5: parse error\nunexpected )"}}"#)
}

fn vector(values: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{values}]}}}}"#)
}

/// Requests with their bodies, as a Prometheus sees them.
type Seen = Arc<Mutex<Vec<(http::request::Parts, BTreeMap<String, String>)>>>;

fn recording(settings: Settings) -> (Prometheus, Seen) {
    let seen = Seen::default();
    let record = Arc::clone(&seen);
    let service = service_fn(move |request: Request_| {
        let record = Arc::clone(&record);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let form = form_urlencoded::parse(&body).into_owned().collect();
            record.lock().unwrap().push((parts, form));
            Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(vector("")))))
        }
    });
    (Prometheus::over(service, settings), seen)
}

#[tokio::test]
async fn a_query_is_a_form_with_its_time_and_timeout() {
    let url = Uri::from_static("https://metrics.example:8443/tenant/a/");
    let (source, seen) = recording(Settings { url, timeout: Duration::from_millis(2500), ..settings() });
    let query = "sum(x{a=\"b&c=d+e %\"}) + 1 # ä";
    source.query(query, at()).await.unwrap();
    let seen = seen.lock().unwrap();
    let (parts, form) = &seen[0];
    assert_eq!((parts.method.as_str(), parts.uri.to_string().as_str()), ("POST", "https://metrics.example:8443/tenant/a/api/v1/query"));
    assert_eq!(parts.headers[header::CONTENT_TYPE], "application/x-www-form-urlencoded");
    let fields = [("query", query), ("time", "1700000000.250"), ("timeout", "2500ms")];
    assert_eq!(*form, fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert!(!parts.headers.contains_key(header::AUTHORIZATION));
}

#[test]
fn times_are_written_in_seconds_with_milliseconds() {
    let text = |milliseconds| seconds(Timestamp::from_millisecond(milliseconds).unwrap());
    assert_eq!([text(0), text(5), text(-5), text(-1001)], ["0.000", "0.005", "-0.005", "-1.001"]);
}

#[tokio::test]
async fn series_scalars_warnings_and_infos_are_read() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"le":"0.5"},"value":[1700000000.25,"12"]},{"metric":{},"value":[1700000000,"1e+06"]}]},
        "warnings":["partial\nresponse"],"infos":["metric might not be a counter"]}"#;
    let answer = ask(&answering(200, body)).await.unwrap();
    let Value::Vector(samples) = &answer.value else { panic!("{answer:?}") };
    assert_eq!((samples[0].labels["le"].as_str(), samples[0].value, samples[0].at), ("0.5", 12.0, at()));
    assert_eq!((samples[1].labels.len(), samples[1].value), (0, 1e6));
    assert_eq!((answer.warnings, answer.infos.len()), (vec!["partial response".to_owned()], 1));
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1700000000.25,"2.5"]}}"#;
    assert_eq!(reading::number(&ask(&answering(200, scalar)).await.unwrap(), at()), Ok(2.5));
}

#[tokio::test]
async fn what_is_no_number_reaches_the_reader_as_it_is() {
    for (text, expected) in [("NaN", NoData::NotANumber), ("+Inf", NoData::Infinite), ("-Inf", NoData::Infinite)] {
        let body = vector(&format!(r#"{{"metric":{{}},"value":[1700000000.25,"{text}"]}}"#));
        assert_eq!(reading::number(&ask(&answering(200, body)).await.unwrap(), at()), Err(expected));
    }
    assert_eq!(reading::number(&ask(&answering(200, vector(""))).await.unwrap(), at()), Err(NoData::Empty));
    let native = vector(r#"{"metric":{},"histogram":[1700000000.25,{"count":"1","sum":"1","buckets":[]}]}"#);
    assert!(matches!(reading::number(&ask(&answering(200, native)).await.unwrap(), at()), Err(NoData::WrongType(_))));
    let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    assert!(matches!(reading::number(&ask(&answering(200, matrix)).await.unwrap(), at()), Err(NoData::WrongType(_))));
}

#[tokio::test]
async fn a_query_that_prometheus_refuses_is_told_in_its_words_on_one_line() {
    for (status, kind) in [(400, "bad_data"), (422, "execution")] {
        let error = ask(&answering(status, refusal(kind))).await.unwrap_err();
        assert_eq!(error, SourceError::Refused("1:5: parse error unexpected )".to_owned()), "{status}");
    }
    let long = refusal("bad_data").replace("parse error", &"x".repeat(5000));
    assert!(ask(&answering(400, long)).await.unwrap_err().to_string().len() < 400);
    assert_eq!(ask(&answering(422, refusal("timeout"))).await.unwrap_err().reason(), "Unavailable");
}

#[tokio::test]
async fn failures_differ_by_who_can_do_something_about_them() {
    for status in [408, 429, 500, 502, 503, 504] {
        assert_eq!(error(status, "<html>busy</html>").await.reason(), "Unavailable", "{status}");
    }
    for status in [301, 302, 307, 400, 401, 403, 404, 405, 422] {
        assert_eq!(error(status, "<html>login</html>").await.reason(), "Misconfigured", "{status}");
    }
}

#[tokio::test]
async fn garbage_is_told_as_such_and_never_quoted() {
    let shapes = [
        "",
        "<html>secret</html>",
        "[]",
        "{}",
        "null",
        r#"{"status":"success"}"#,
        r#"{"status":"error","data":{"resultType":"vector","result":[]}}"#,
        r#"{"status":"success","data":{"resultType":"secret","result":[]}}"#,
        r#"{"status":"success","data":{"resultType":"vector","result":"secret"}}"#,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}"#,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"secret"]}]}}"#,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}}"#,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1e300,"2"]}]}}"#,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000.25,"1"]}]}"#,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1]}}"#,
    ];
    for body in shapes {
        let error = error(200, body).await;
        assert_eq!(error.reason(), "Garbage", "{body}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(ask(&answering(200, deep)).await.unwrap_err().reason(), "Garbage");
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_not_taken() {
    let body = Bytes::from(vec![b' '; BODY_BYTES_MAX + 1]);
    assert_eq!(ask(&answering(200, body)).await, Err(SourceError::TooLarge { limit: BODY_BYTES_MAX }));
    let just = format!("{}{}", vector(""), " ".repeat(BODY_BYTES_MAX - vector("").len()));
    assert!(ask(&answering(200, just)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_answer_in_time_is_unavailable() {
    let began = tokio::time::Instant::now();
    let silent = service_fn(|_: Request_| std::future::pending::<Result<Response<Full<Bytes>>, BoxError>>());
    let error = ask(&Prometheus::over(silent, settings())).await.unwrap_err();
    assert_eq!(error, SourceError::Unavailable("no answer within 10000 ms".to_owned()));
    assert_eq!(began.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_midway_or_trickles_is_unavailable() {
    let stalls = service_fn(|_: Request_| async {
        let beginning = Frame::data(Bytes::from_static(b"{\"status\":"));
        let frames = futures::stream::iter([Ok::<_, BoxError>(beginning)]);
        Ok::<_, BoxError>(Response::new(StreamBody::new(futures::StreamExt::chain(frames, futures::stream::pending()))))
    });
    assert_eq!(ask(&Prometheus::over(stalls, settings())).await.unwrap_err().reason(), "Unavailable");
    let trickles = service_fn(|_: Request_| async {
        let frames = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, BoxError>(Frame::data(Bytes::from_static(b" "))), ()))
        });
        Ok::<_, BoxError>(Response::new(StreamBody::new(frames)))
    });
    let began = tokio::time::Instant::now();
    assert_eq!(ask(&Prometheus::over(trickles, settings())).await.unwrap_err().reason(), "Unavailable");
    assert_eq!(began.elapsed(), TIMEOUT);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_unavailable_with_its_cause() {
    let breaks = service_fn(|_: Request_| async {
        let frames = [Ok(Frame::data(Bytes::from_static(b"{"))), Err(BoxError::from("connection reset\r\nby peer"))];
        Ok::<_, BoxError>(Response::new(StreamBody::new(futures::stream::iter(frames))))
    });
    let error = ask(&Prometheus::over(breaks, settings())).await.unwrap_err();
    assert_eq!(error, SourceError::Unavailable("connection reset  by peer".to_owned()));
    let refuses = service_fn(|_: Request_| async { Err::<Response<Full<Bytes>>, _>(BoxError::from("connection refused")) });
    assert_eq!(ask(&Prometheus::over(refuses, settings())).await.unwrap_err().reason(), "Unavailable");
}

/// A file of its own for a test; removed at the end.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("modelward-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn the_token_is_read_for_each_query_and_never_shown() {
    let file = TestFile::new("token", "first\n");
    let (source, seen) = recording(Settings { bearer_token_file: Some(file.0.clone()), ..settings() });
    ask(&source).await.unwrap();
    std::fs::write(&file.0, "second").unwrap();
    ask(&source).await.unwrap();
    let sent: Vec<HeaderValue> = seen.lock().unwrap().iter().map(|(parts, _)| parts.headers[header::AUTHORIZATION].clone()).collect();
    assert_eq!(sent, ["Bearer first", "Bearer second"]);
    assert!(sent.iter().all(|token| token.is_sensitive() && !format!("{token:?}").contains("first")));
    for content in ["", " \n", "to\nken", "to\0ken"] {
        std::fs::write(&file.0, content).unwrap();
        let error = ask(&source).await.unwrap_err();
        assert_eq!(error.reason(), "Misconfigured", "{content:?}");
        assert!(!error.to_string().contains("ken\0") && !error.to_string().contains("to\n"), "{error}");
    }
    let path = file.0.clone();
    drop(file);
    let error = ask(&source).await.unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 2, "nothing was sent without a token");
}
