//! The built-in queries, asked over HTTP's own types of the simulated Prometheus, whose engine is checked against the real one.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tower::service_fn;

use super::super::*;
use crate::domain::analysis::profile::{BuiltIn, Measure, Profiles, Reading};
use crate::domain::analysis::reading::{self, NoData};
use crate::domain::analysis::template::Parameters;
use crate::sim::promql::{Labels, Storage, respond};

const SCRAPE_MS: i64 = 15_000;

type Shared = Arc<Mutex<Storage>>;

fn source(storage: &Shared) -> Prometheus {
    let storage = Arc::clone(storage);
    let service = service_fn(move |request: Request_| {
        let storage = Arc::clone(&storage);
        async move {
            let path = request.uri().path().to_owned();
            let form = request.into_body().collect().await?.to_bytes();
            let parameters: Vec<(String, String)> = form_urlencoded::parse(&form).into_owned().collect();
            let (status, body) = respond(&storage.lock().unwrap(), 0, &path, &parameters);
            Ok::<_, BoxError>(Response::builder().status(status).body(Full::new(Bytes::from(body.to_string())))?)
        }
    });
    Prometheus::over(service, Settings::new(Uri::from_static("http://prometheus:9090")))
}

fn parameters(window_ms: i64) -> Parameters {
    Parameters::of_llama(Duration::from_millis(window_ms.unsigned_abs()))
}

async fn read(source: &Prometheus, measure: &Measure, end_ms: i64, window_ms: i64) -> Result<Reading, NoData> {
    let (at, parameters) = (Timestamp::from_millisecond(end_ms).unwrap(), parameters(window_ms));
    let mut answers = Vec::new();
    for query in measure.queries() {
        answers.push(source.query(&query.render(&parameters).unwrap(), at).await.unwrap());
    }
    measure.read(&answers, at, parameters.window)
}

/// One counter of one pod, one value per scrape from the first on: a number, a scrape that failed, or a scrape without it.
#[derive(Clone, Copy)]
enum Scrape {
    Value(u32),
    Failed,
    Absent,
}

use Scrape::{Absent, Failed, Value};

fn write(storage: &Shared, metric: &str, labels: &[(&str, &str)], scrapes: &[Scrape]) {
    let all = [("__name__", metric), ("namespace", "shop")].into_iter().chain(labels.iter().copied());
    let labels = Labels::new(all);
    let mut storage = storage.lock().unwrap();
    for (number, scrape) in (1..).zip(scrapes) {
        let at_ms = number * SCRAPE_MS;
        match scrape {
            Value(value) => storage.append(&labels, at_ms, f64::from(*value)).unwrap(),
            // Prometheus ends a series that a scrape does not bring.
            Failed => drop(storage.mark_stale(&labels, at_ms)),
            Absent => {}
        }
    }
}

/// What happened between the first scrape and the last, as far as scrapes show it: a value that is lower than the one before is one
/// of a new process.
fn truth(scrapes: &[Scrape]) -> u64 {
    let values: Vec<u32> = scrapes.iter().filter_map(|scrape| if let Value(value) = scrape { Some(*value) } else { None }).collect();
    let first = if matches!(scrapes[0], Value(_)) { 0 } else { values[0] };
    let steps = values.windows(2).map(|pair| if pair[1] >= pair[0] { pair[1] - pair[0] } else { pair[1] });
    u64::from(first) + steps.map(u64::from).sum::<u64>()
}

fn histories() -> Vec<(&'static str, Vec<Scrape>)> {
    let steady = (0..48).map(|number| Value(1000 + number * 7)).collect();
    let new_with_one_error = [vec![Absent; 20], vec![Value(1); 28]].concat();
    let restarted =
        [(0..20).map(|number| Value(5000 + number)).collect(), vec![Failed], (0..27).map(|number| Value(3 + number)).collect()].concat();
    let not_scraped_for_a_while = [vec![Value(90_000); 10], vec![Failed; 16], vec![Value(90_011); 22]].concat();
    let gone = [(0..24).map(|number| Value(50 + number * 2)).collect(), vec![Failed], vec![Absent; 23]].concat();
    vec![
        ("llama-6fd8-a-1", steady),
        ("llama-6fd8-a-2", new_with_one_error),
        ("llama-6fd8-a-3", restarted),
        ("llama-6fd8-a-4", not_scraped_for_a_while),
        ("llama-6fd8-a-5", gone),
    ]
}

#[tokio::test]
async fn windows_of_any_length_add_up_to_what_happened() {
    let (storage, profiles) = (Shared::default(), Profiles::built_in());
    for (pod, scrapes) in histories() {
        write(&storage, "http_requests_total", &[("pod", pod), ("method", "POST"), ("status", "2xx")], &scrapes);
    }
    // Neither another revision, nor another namespace, nor another method counts.
    write(&storage, "http_requests_total", &[("pod", "llama-77aa-a-1"), ("method", "POST")], &[Value(0), Value(99)]);
    write(&storage, "http_requests_total", &[("pod", "llama-6fd8-a-1"), ("method", "GET")], &[Value(0), Value(99)]);
    let expected: u64 = histories().iter().map(|(_, scrapes)| truth(scrapes)).sum();
    let (source, measure) = (source(&storage), profiles.measure("vllm", BuiltIn::Throughput).unwrap());
    let (first_ms, last_ms) = (SCRAPE_MS, 48 * SCRAPE_MS);
    for window_ms in [5_000, 15_000, 17_000, 30_000, 47_500, 60_000] {
        let (mut start_ms, mut sum) = (first_ms, 0);
        while start_ms < last_ms {
            let end_ms = (start_ms + window_ms).min(last_ms);
            sum += read(&source, measure, end_ms, end_ms - start_ms).await.unwrap().samples.unwrap();
            start_ms = end_ms;
        }
        assert_eq!(sum, expected, "windows of {window_ms} ms");
    }
}

#[tokio::test]
async fn a_first_error_is_seen_and_none_is_zero() {
    let (storage, profiles) = (Shared::default(), Profiles::built_in());
    let requests: Vec<Scrape> = (0..8).map(|number| Value(number * 10)).collect();
    write(
        &storage,
        "http_server_request_duration_seconds_count",
        &[("pod", "llama-6fd8-a-1"), ("http_response_status_code", "200")],
        &requests,
    );
    let (source, measure) = (source(&storage), profiles.measure("generic", BuiltIn::ErrorRate).unwrap());
    let none = read(&source, measure, 8 * SCRAPE_MS, 4 * SCRAPE_MS).await.unwrap();
    assert_eq!((none.value, none.samples), (Some(0.0), Some(40)));
    let one_error = [vec![Absent; 7], vec![Value(1)]].concat();
    write(
        &storage,
        "http_server_request_duration_seconds_count",
        &[("pod", "llama-6fd8-a-1"), ("http_response_status_code", "503")],
        &one_error,
    );
    let broken = [("pod", "llama-6fd8-a-1"), ("error_type", "broken_pipe")];
    write(&storage, "http_server_request_duration_seconds_count", &broken, &one_error);
    let one = read(&source, measure, 8 * SCRAPE_MS, 4 * SCRAPE_MS).await.unwrap();
    assert_eq!((one.value, one.samples), (Some(2.0 / 42.0), Some(42)), "an error with a response, and one without");
}

#[tokio::test]
async fn counters_with_equal_labels_are_both_counted() {
    let (storage, profiles) = (Shared::default(), Profiles::built_in());
    let labels = [("pod", "llama-6fd8-a-1"), ("model", "llama"), ("version", "1")];
    write(&storage, "nv_inference_request_success", &labels, &[Value(0), Value(30), Value(97)]);
    write(&storage, "nv_inference_request_failure", &labels, &[Value(0), Value(1), Value(3)]);
    let cancelled = [labels.as_slice(), &[("reason", "CANCELED")]].concat();
    write(&storage, "nv_inference_request_failure", &cancelled, &[Value(0), Value(50), Value(50)]);
    let (source, measure) = (source(&storage), profiles.measure("triton", BuiltIn::ErrorRate).unwrap());
    let found = read(&source, measure, 3 * SCRAPE_MS, 2 * SCRAPE_MS).await.unwrap();
    assert_eq!((found.value, found.samples), (Some(0.03), Some(100)));
}

#[tokio::test]
async fn latencies_come_from_what_the_histogram_gained() {
    let (storage, profiles) = (Shared::default(), Profiles::built_in());
    for (bound, before, after) in [("100", 1000, 1050), ("200", 1000, 1090), ("+Inf", 1000, 1100)] {
        let labels =
            [("reporter", "source"), ("destination_service_namespace", "shop"), ("destination_service_name", "llama-6fd8"), ("le", bound)];
        write(&storage, "istio_request_duration_milliseconds_bucket", &labels, &[Value(before), Value(after)]);
    }
    let source = source(&storage);
    let of = |metric| profiles.measure("istio", metric).unwrap();
    let median = read(&source, of(BuiltIn::LatencyP50), 2 * SCRAPE_MS, SCRAPE_MS).await.unwrap();
    assert_eq!((median.value, median.samples), (Some(100.0), Some(100)));
    assert_eq!(read(&source, of(BuiltIn::LatencyP95), 2 * SCRAPE_MS, SCRAPE_MS).await.unwrap().value, Some(200.0));
}

#[tokio::test]
async fn merged_clusters_of_envoy_gateway_are_found_by_their_service() {
    let (storage, profiles) = (Shared::default(), Profiles::built_in());
    for (cluster, class, value) in [
        ("service/shop/llama-6fd8/80", "2", 90),
        ("service/shop/llama-6fd8/80/http", "5", 10),
        ("service/shop/llama-77aa/80", "5", 70),
        ("service/other/llama-6fd8/80", "5", 70),
        ("httproute/shop/llama/rule/0", "5", 70),
    ] {
        let labels = [("envoy_cluster_name", cluster), ("envoy_response_code_class", class)];
        write(&storage, "envoy_cluster_upstream_rq_xx", &labels, &[Value(0), Value(value)]);
    }
    let (source, measure) = (source(&storage), profiles.measure("envoy-gateway", BuiltIn::SuccessRate).unwrap());
    let found = read(&source, measure, 2 * SCRAPE_MS, SCRAPE_MS).await.unwrap();
    assert_eq!((found.value, found.samples), (Some(0.9), Some(100)));
}

#[tokio::test]
async fn every_built_in_query_is_understood_and_gives_no_data_without_series() {
    let source = source(&Shared::default());
    for profile in Profiles::built_in().iter() {
        for (metric, measure) in &profile.measures {
            let found = read(&source, measure, 1_700_000_000_000, 30_000).await;
            assert_eq!(found, Err(NoData::Empty), "{} {metric}", profile.name);
        }
    }
}

#[tokio::test]
async fn a_source_that_is_no_longer_scraped_grows_stale_and_then_falls_silent() {
    let (storage, profiles) = (Shared::default(), Profiles::built_in());
    write(&storage, "vllm:num_requests_waiting", &[("pod", "llama-6fd8-a-1")], &[Value(2), Value(4)]);
    let (source, measure) = (source(&storage), profiles.measure("vllm", BuiltIn::QueueDepth).unwrap());
    let query = measure.freshness.as_ref().unwrap().render(&parameters(30_000)).unwrap();
    let fresh = async |after_ms: i64| {
        let at = Timestamp::from_millisecond(2 * SCRAPE_MS + after_ms).unwrap();
        reading::fresh(&source.query(&query, at).await.unwrap(), at, reading::STALE_AFTER)
    };
    assert_eq!(fresh(100_000).await, Ok(()));
    let stale = NoData::Stale { age: SignedDuration::from_secs(200), limit: reading::STALE_AFTER };
    assert_eq!(fresh(200_000).await, Err(stale));
    assert_eq!(fresh(400_000).await, Err(NoData::Empty));
}

#[tokio::test]
async fn a_query_that_the_engine_refuses_is_refused_with_its_message() {
    let error = source(&Shared::default()).query("sum(", Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(error.reason(), "Refused");
    assert!(error.to_string().contains("parenthesis"), "{error}");
}
