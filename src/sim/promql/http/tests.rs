//! Requests and answers of the HTTP API.

use super::*;
use crate::sim::promql::Labels;

const NOW_MS: i64 = 60_500;

fn storage() -> Storage {
    let mut storage = Storage::new();
    for (pod, values) in [("a", [1.0, 2.0, 3.0]), ("b", [10.0, f64::NAN, f64::INFINITY])] {
        let labels = Labels::new([("__name__", "m_total"), ("pod", pod)]);
        for (place, value) in values.into_iter().enumerate() {
            storage.append(&labels, place as i64 * 30_000, value).unwrap();
        }
    }
    storage.append(&Labels::new([("__name__", "early"), ("zone", "x")]), 0, 1.0).unwrap();
    storage
}

fn get(path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let owned: Vec<(String, String)> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    respond(&storage(), NOW_MS, path, &owned)
}

fn data(path: &str, parameters: &[(&str, &str)]) -> Value {
    let (status, body) = get(path, parameters);
    assert_eq!((status, &body["status"]), (200, &json!("success")), "{body}");
    body["data"].clone()
}

#[test]
fn an_instant_query_without_a_time_is_asked_for_now() {
    let expected = json!({"resultType": "vector", "result": [
        {"metric": {"__name__": "m_total", "pod": "a"}, "value": [60.5, "3"]},
        {"metric": {"__name__": "m_total", "pod": "b"}, "value": [60.5, "+Inf"]},
    ]});
    assert_eq!(data("/api/v1/query", &[("query", "m_total")]), expected);
    assert_eq!(data("/api/v1/query", &[("query", "1 + 1"), ("time", "30")]), json!({"resultType": "scalar", "result": [30, "2"]}));
    assert_eq!(
        data("/api/v1/query", &[("query", "'x'"), ("time", "1970-01-01T00:00:30.25Z")]),
        json!({"resultType": "string", "result": [30.25, "x"]})
    );
    let range = data("/api/v1/query", &[("query", "m_total{pod=\"b\"}[1m]"), ("time", "60")]);
    assert_eq!(range["result"][0]["values"], json!([[30, "NaN"], [60, "+Inf"]]));
}

#[test]
fn a_range_query_gives_a_value_for_each_step() {
    let asked = [("query", "m_total{pod='a'}"), ("start", "0"), ("end", "1970-01-01T00:01:00Z"), ("step", "30s")];
    assert_eq!(
        data("/api/v1/query_range", &asked),
        json!({"resultType": "matrix", "result": [{"metric": {"__name__": "m_total", "pod": "a"}, "values": [[0, "1"], [30, "2"], [60, "3"]]}]})
    );
}

#[test]
fn labels_values_and_series_are_those_with_samples_in_the_span() {
    assert_eq!(data("/api/v1/labels", &[]), json!(["__name__", "pod", "zone"]));
    assert_eq!(data("/api/v1/labels", &[("start", "10")]), json!(["__name__", "pod"]));
    assert_eq!(data("/api/v1/label/pod/values", &[]), json!(["a", "b"]));
    assert_eq!(data("/api/v1/label/pod/values", &[("match[]", "early")]), json!([]));
    assert_eq!(data("/api/v1/label/__name__/values", &[("match[]", "early"), ("match[]", "{pod='a'}")]), json!(["early", "m_total"]));
    assert_eq!(data("/api/v1/series", &[("match[]", "m_total{pod!='a'}")]), json!([{"__name__": "m_total", "pod": "b"}]));
}

#[test]
fn errors_have_the_status_and_the_type_of_prometheus() {
    let series = [("start", "0"), ("end", "60"), ("query", "1")];
    let with = |extra: (&'static str, &'static str)| [series.to_vec(), vec![extra]].concat();
    type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, u16, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("/api/v1/query", vec![("query", "m_total{")], 400, "bad_data"),
        ("/api/v1/query", vec![], 400, "bad_data"),
        ("/api/v1/query", vec![("query", "1"), ("time", "soon")], 400, "bad_data"),
        ("/api/v1/query", vec![("query", "1"), ("stats", "all")], 400, "bad_data"),
        ("/api/v1/query", vec![("query", "1"), ("timeout", "-1s")], 400, "bad_data"),
        ("/api/v1/query", vec![("query", "m_total + on () m_total")], 422, "execution"),
        ("/api/v1/query_range", series.to_vec(), 400, "bad_data"),
        ("/api/v1/query_range", with(("step", "0")), 400, "bad_data"),
        ("/api/v1/query_range", with(("step", "-5s")), 400, "bad_data"),
        ("/api/v1/query_range", with(("step", "1m1h")), 400, "bad_data"),
        ("/api/v1/query_range", with(("step", "0.001")), 400, "bad_data"),
        ("/api/v1/query_range", vec![("query", "1"), ("start", "60"), ("end", "0"), ("step", "1")], 400, "bad_data"),
        ("/api/v1/series", vec![], 400, "bad_data"),
        ("/api/v1/series", vec![("match[]", "rate(m_total[5m])")], 400, "bad_data"),
        ("/api/v1/series", vec![("match[]", "m_total offset 5m")], 400, "bad_data"),
        ("/api/v1/targets", vec![], 404, "not_found"),
        ("/api/v1/label//values", vec![], 404, "not_found"),
        ("/metrics", vec![], 404, "not_found"),
    ];
    for (path, parameters, status, kind) in cases {
        let (got, body) = get(path, &parameters);
        assert_eq!((got, &body["status"], &body["errorType"]), (status, &json!("error"), &json!(kind)), "{path} {parameters:?} {body}");
        assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()));
    }
}

#[test]
fn eleven_thousand_points_are_answered_and_one_more_is_not() {
    let asked = |end: &'static str| get("/api/v1/query_range", &[("query", "1"), ("start", "0"), ("end", end), ("step", "1")]).0;
    assert_eq!((asked("11000"), asked("11001")), (200, 400));
}

#[test]
fn warnings_and_infos_come_with_the_answer() {
    let (_, body) = get("/api/v1/query", &[("query", "quantile(2, m_total)")]);
    assert!(body["warnings"][0].as_str().unwrap().starts_with("PromQL warning: "), "{body}");
    let (_, body) = get("/api/v1/query", &[("query", "m_total"), ("limit", "1")]);
    assert_eq!((body["data"]["result"].as_array().unwrap().len(), &body["warnings"]), (1, &json!([json::TRUNCATED])));
    let (_, body) = get("/api/v1/query", &[("query", "rate({pod='a'}[2m])"), ("limit", "0")]);
    assert_eq!((&body["warnings"], &body["infos"]), (&Value::Null, &Value::Null), "{body}");
}

#[test]
fn the_lookback_may_be_given() {
    let asked = |lookback: &'static str| {
        data("/api/v1/query", &[("query", "early"), ("time", "60"), ("lookback_delta", lookback)])["result"].clone()
    };
    assert_eq!(asked("1m"), json!([]), "open on the left");
    assert_eq!(asked("60.001").as_array().unwrap().len(), 1);
}

#[test]
fn numbers_are_written_as_prometheus_writes_them() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.5, "1.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1.25e22, "-1.25e+22"),
        (1e-6, "0.000001"),
        (9.5e-7, "9.5e-07"),
        (1e300, "1e+300"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Inf"),
    ];
    for (value, written) in cases {
        assert_eq!(json::number(value), written);
    }
}

#[test]
fn the_version_is_told() {
    assert_eq!(data("/api/v1/status/buildinfo", &[])["version"], VERSION);
}
