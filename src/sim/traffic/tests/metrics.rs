//! What is exposed agrees with what happened, under the names of real servers.

use http::Request;
use http_body_util::BodyExt;
use jiff::SignedDuration;
use kube::client::Body;
use serde_json::Value;
use tower::{Service as _, ServiceExt as _};

use super::stage::*;
use crate::sim::service::{SimServer, SimService};
use crate::sim::world::play::Play;

const SPEC: &str = "gateway: {}\ntraffic: [{host: chat.example.com, requestsPerSecond: 20, path: /v1/chat}]\n";

fn serving(words: &str) -> String {
    format!("{SPEC}pods:\n- {{selector: {{}}, serving: {words}}}\n")
}

#[test]
fn counters_and_histograms_agree_with_the_truth_and_each_other() {
    let mut play = started(1, SPEC, &split(1, 0));
    to(&mut play, 30);
    let truth = at_pods(&play, "old");
    // The last scrape was up to 15 s ago, at 20 requests per second.
    let behind = |found: f64, wanted: u64| assert!(found <= wanted as f64 && found > wanted as f64 - 500.0, "{found} of {wanted}");
    let count = value(&play, "sum(http_server_request_duration_seconds_count{http_response_status_code=\"200\"})");
    behind(count, truth.answered);
    assert_eq!(value(&play, "sum(http_server_request_duration_seconds_bucket{http_response_status_code=\"200\", le=\"+Inf\"})"), count);
    let mean = value(&play, "sum(http_server_request_duration_seconds_sum) / sum(http_server_request_duration_seconds_count)");
    assert!((mean - 0.143).abs() < 0.01, "{mean}");
    let routed = demanded(&play).arrived - demanded(&play).unrouted;
    behind(value(&play, "sum(istio_requests_total)"), routed);
    assert!(truth.arrived < routed, "before the pods were ready nobody could serve");
    let failed = value(&play, "sum(istio_requests_total{response_code=\"500\"})");
    assert!(failed <= truth.failed as f64 && failed > 0.0);
    assert_eq!(value(&play, "sum(istio_request_duration_milliseconds_bucket{le=\"+Inf\"})"), value(&play, "sum(istio_requests_total)"));
    let p99 = value(&play, "histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket[20m])))");
    assert!((0.25..0.5).contains(&p99), "{p99}");
}

#[test]
fn series_carry_the_labels_of_a_scrape() {
    let mut play = started(1, SPEC, &split(1, 1));
    to(&mut play, 5);
    let found = labels(&play, "http_server_request_duration_seconds_count{container=\"server\", http_response_status_code=\"200\"}");
    assert_eq!(found.len(), 3);
    let one = found.iter().find(|labels| labels["pod"].as_str().unwrap().starts_with("new-")).unwrap();
    assert!(one["instance"].as_str().unwrap().ends_with(":8000"), "{one}");
    assert_eq!((&one["namespace"], &one["job"], &one["http_route"]), (&"default".into(), &"kubernetes-pods".into(), &"/v1/chat".into()));
    assert_eq!(asked(&play, "up"), [1.0; 4], "three pods and the gateway");
    let by_version = "sum by (destination_workload, destination_version) (istio_requests_total{response_code=\"200\"})";
    assert_eq!(labels(&play, by_version)[0], serde_json::json!({ "destination_workload": "new", "destination_version": "new-1" }));
}

#[test]
fn a_restart_resets_the_counters_and_a_pod_that_is_gone_goes_stale() {
    let trouble = "events:
- {at: 10m, change: {selector: {matchLabels: {app: new}}, failure: {type: Crash, after: 30s, times: 1}}}
- {at: 20m, patch: {object: deployment/new, merge: {spec: {replicas: 0}}}}
";
    let mut play = started(1, &format!("{SPEC}{trouble}"), &split(1, 1));
    to(&mut play, 15);
    let resets =
        value(&play, "resets(http_server_request_duration_seconds_count{pod=~\"new-.*\", http_response_status_code=\"200\"}[14m])");
    assert_eq!(resets, 1.0);
    to(&mut play, 20);
    assert_eq!(asked(&play, "up{pod=~\"new-.*\"}"), [1.0]);
    to(&mut play, 21);
    assert_eq!(asked(&play, "{pod=~\"new-.*\"}"), Vec::<f64>::new());
}

#[test]
fn a_silent_machine_is_down_for_the_scraper_and_its_requests_time_out() {
    let mut play = started(1, &format!("nodes: [{{count: 1}}]\n{SPEC}events:\n- {{at: 5m, fault: {{nodeLoss: node-1}}}}\n"), &split(1, 0));
    to(&mut play, 6);
    assert_eq!(value(&play, "sum(up{pod=~\"old-.*\"})"), 0.0);
    assert!(at_pods(&play, "old").timed_out > 500);
    let gone = value(&play, "sum(istio_requests_total{response_flags=\"DC\"})");
    assert!(gone > 300.0, "{gone}");
}

#[test]
fn vllm_exposes_its_own_names() {
    let words = "{metrics: Vllm, latency: {p50: 3s, p99: 9s}, timeToFirstToken: {p50: 200ms, p99: 900ms}, outputTokens: 101, concurrency: 64, outcomes: {accepted: {rate: 0.31}}}";
    let mut play = started(1, &serving(words), &split(1, 0));
    to(&mut play, 30);
    let done = value(&play, "sum(vllm:request_success_total{finished_reason=\"stop\"})");
    assert!(done > 30_000.0);
    assert_eq!(value(&play, "sum(vllm:e2e_request_latency_seconds_count)"), done);
    assert_eq!(value(&play, "sum(vllm:time_to_first_token_seconds_count)"), done);
    assert_eq!(value(&play, "sum(vllm:time_per_output_token_seconds_count)"), 100.0 * done);
    assert_eq!(value(&play, "sum(vllm:generation_tokens_total)"), 101.0 * done);
    let first = value(&play, "histogram_quantile(0.5, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket[10m])))");
    assert!((0.1..0.25).contains(&first), "{first}");
    let between = value(&play, "sum(vllm:inter_token_latency_seconds_sum) / sum(vllm:inter_token_latency_seconds_count)");
    assert!((between - 0.028).abs() < 0.002, "{between}");
    assert!(value(&play, "sum(vllm:num_requests_running)") > 30.0 && value(&play, "sum(vllm:num_requests_waiting)") == 0.0);
    assert!((value(&play, "sum(accepted_total)") / done - 0.31).abs() < 0.02);
    assert_eq!(value(&play, "sum(http_requests_total{status=\"2xx\"})"), done);
}

#[test]
fn triton_exposes_its_own_names() {
    let mut play = started(1, &serving("{metrics: Triton, errorRate: 0.1}"), &split(1, 0));
    to(&mut play, 30);
    let (good, bad) = (value(&play, "sum(nv_inference_request_success)"), value(&play, "sum(nv_inference_request_failure)"));
    assert!((bad / (good + bad) - 0.1).abs() < 0.01, "{good} {bad}");
    let mean = value(&play, "sum(nv_inference_request_duration_us) / sum(nv_inference_request_success)");
    assert!((mean - 143_000.0).abs() < 10_000.0, "{mean}");
    assert_eq!(labels(&play, "nv_inference_pending_request_count")[0]["model"], "server");
}

#[test]
fn envoy_counts_per_rule_and_code() {
    let mut play = started(1, &SPEC.replace("gateway: {}", "gateway: {metrics: Envoy}"), &split(1, 1));
    to(&mut play, 30);
    let upstream = "envoy_cluster_name=\"httproute/default/chat/rule/0\"";
    let all = value(&play, &format!("envoy_cluster_upstream_rq_total{{{upstream}}}"));
    let good = value(&play, &format!("envoy_cluster_upstream_rq_xx{{{upstream}, envoy_response_code_class=\"2\"}}"));
    assert!(all > 30_000.0 && good > 0.99 * all, "{all} {good}");
    assert_eq!(value(&play, &format!("envoy_cluster_upstream_rq{{{upstream}, envoy_response_code=\"200\"}}")), good);
    let p50 = value(&play, "histogram_quantile(0.5, sum by (le) (rate(envoy_cluster_upstream_rq_time_bucket[10m])))");
    assert!((100.0..250.0).contains(&p50), "{p50}");
}

/// Asks the metrics backend as a client of the server; none: the connection broke.
async fn get(service: &SimService, query: &str) -> Option<(u16, Value)> {
    let uri = format!("/prometheus/api/v1/query?query={query}");
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let response = service.clone().ready().await.unwrap().call(request).await.ok()?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Some((status, serde_json::from_slice(&body).unwrap_or_default()))
}

async fn minutes(minutes: u64) {
    tokio::time::sleep(std::time::Duration::from_secs(60 * minutes)).await;
}

#[tokio::test(start_paused = true)]
async fn the_backend_is_asked_through_the_same_door_and_fails_on_demand() {
    let faults = "events:
- {at: 10m, fault: {metrics: Unavailable, for: 5m}}
- {at: 20m, fault: {metrics: Slow, delay: 40s, for: 5m}}
- {at: 24m, fault: {metrics: NaN, for: 3m}}
";
    let play: Play = started(1, &format!("{SPEC}{faults}"), &split(1, 1));
    let (_server, service) = SimServer::start(play);
    minutes(5).await;
    let (status, body) = get(&service, "sum(up)").await.unwrap();
    assert_eq!((status, &body["data"]["result"][0]["value"][1]), (200, &"4".into()));
    minutes(6).await;
    assert_eq!(get(&service, "up").await, None);
    minutes(5).await;
    assert_eq!(get(&service, "sum(up)").await.unwrap().0, 200);
    minutes(5).await;
    let before = tokio::time::Instant::now();
    assert!(get(&service, "sum(up)").await.is_some());
    assert!(before.elapsed() >= std::time::Duration::from_secs(40));
    minutes(4).await;
    assert_eq!(get(&service, "sum(up)").await.unwrap().1["data"]["result"][0]["value"][1], "NaN");
    minutes(3).await;
    assert_eq!(get(&service, "sum(up)").await.unwrap().1["data"]["result"][0]["value"][1], "4");
}

#[test]
fn a_day_of_requests_is_kept_within_bounds() {
    let spec = "gateway: {}\nmetrics: {retention: 30m}\ntraffic: [{host: chat.example.com, requestsPerSecond: 200, peakToTrough: 4}]\n";
    let mut play = started(1, spec, &split(9, 1));
    to(&mut play, 4 * 60);
    let storage = play.simulation.traffic().unwrap().storage();
    // Four targets, at most 40 minutes of samples every 15 s.
    assert!(storage.sample_count() <= storage.series_count() * 162, "{} of {}", storage.sample_count(), storage.series_count());
    assert!(storage.series_count() < 250, "{}", storage.series_count());
    let mean = demanded(&play).arrived as f64 / SignedDuration::from_hours(4).as_secs_f64();
    assert!((mean - 200.0 * 0.4).abs() < 40.0, "the night is calm: {mean}");
}
