//! The profiles that are built in. Each function cites where its metrics are documented.

use std::collections::BTreeMap;

use super::{BuiltIn, Definition, Profile};

const MICROSECONDS_PER_SECOND: u32 = 1_000_000;
const MICROSECONDS_PER_MILLISECOND: u32 = 1_000;

const LATENCIES: [BuiltIn; 3] = [BuiltIn::LatencyP50, BuiltIn::LatencyP95, BuiltIn::LatencyP99];

/// All of them.
pub(super) fn profiles() -> [Profile; 5] {
    [generic(), vllm(), triton(), istio(), envoy_gateway()]
}

/// A server that is instrumented with OpenTelemetry and scraped by Prometheus, so that series carry the labels `namespace` and
/// `pod`.
///
/// Source: OpenTelemetry semantic conventions, "HTTP metrics": histogram `http.server.request.duration` in seconds, with
/// `http.response.status_code`, and `error.type` if the request ended in error; written for Prometheus by "Prometheus and
/// OpenMetrics compatibility" (dots become underscores, the unit becomes a suffix). Failed are responses of class 5, and
/// requests that ended in an error without any response. The conventions have no queue: `http.server.active_requests` counts
/// those that are worked on.
fn generic() -> Profile {
    let duration = "http_server_request_duration_seconds";
    let total = of_pods(&format!("{duration}_count"), "");
    let failed = vec![
        of_pods(&format!("{duration}_count"), r#",http_response_status_code=~"5..""#),
        of_pods(&format!("{duration}_count"), r#",http_response_status_code="",error_type!="""#),
    ];
    let latency =
        Definition::Histogram { buckets: of_pods(&format!("{duration}_bucket"), ""), microseconds_per_unit: MICROSECONDS_PER_SECOND };
    profile("generic", &[(&RATES, proportion(failed, &total)), (&LATENCIES, latency), (&[BuiltIn::Throughput], counter(total))])
}

/// vLLM's OpenAI-compatible server.
///
/// Source: vLLM documentation, "Production Metrics" and "Metrics" (design): histograms `vllm:e2e_request_latency_seconds`,
/// `vllm:time_to_first_token_seconds` and `vllm:request_time_per_output_token_seconds` (one observation per request, where
/// `vllm:inter_token_latency_seconds` has one per token, which are not independent), gauge `vllm:num_requests_waiting`;
/// `http_requests_total` with the class of the status comes from prometheus-fastapi-instrumentator. Requests are those with
/// POST: the rest asks for models and health.
fn vllm() -> Profile {
    let requests = |more: &str| of_pods("http_requests_total", &format!(r#",method="POST"{more}"#));
    let histogram = |name: &str| Definition::Histogram {
        buckets: of_pods(&format!("vllm:{name}_seconds_bucket"), ""),
        microseconds_per_unit: MICROSECONDS_PER_SECOND,
    };
    let failed = vec![requests(r#",status=~"5..""#)];
    profile(
        "vllm",
        &[
            (&RATES, proportion(failed, &requests(""))),
            (&LATENCIES, histogram("e2e_request_latency")),
            (&[BuiltIn::Throughput], counter(requests(""))),
            (&[BuiltIn::TimeToFirstToken], histogram("time_to_first_token")),
            (&[BuiltIn::TimePerOutputToken], histogram("request_time_per_output_token")),
            (&[BuiltIn::QueueDepth], Definition::Gauge { gauge: of_pods("vllm:num_requests_waiting", "") }),
        ],
    )
}

/// NVIDIA Triton Inference Server.
///
/// Source: Triton user guide, "Metrics": counters `nv_inference_request_success` and `nv_inference_request_failure` (by `reason`;
/// `CANCELED` is the client's doing), gauge `nv_inference_pending_request_count`, histogram
/// `nv_inference_first_response_histogram_ms`, which only decoupled models have and only with `--metrics-config
/// histogram_latencies=true`: its first response is the first chunk that is sent. Durations of whole requests are counters
/// and summaries, of which no quantile over several pods can be computed. In an ensemble each of its models counts.
fn triton() -> Profile {
    let success = of_pods("nv_inference_request_success", "");
    let failure = of_pods("nv_inference_request_failure", r#",reason!="CANCELED""#);
    let first = Definition::Histogram {
        buckets: of_pods("nv_inference_first_response_histogram_ms_bucket", ""),
        microseconds_per_unit: MICROSECONDS_PER_MILLISECOND,
    };
    let requests = vec![success, failure.clone()];
    profile(
        "triton",
        &[
            (&RATES, Definition::Proportion { failed: vec![failure], total: requests.clone() }),
            (&[BuiltIn::Throughput], Definition::Counter { count: requests }),
            (&[BuiltIn::TimeToFirstToken], first),
            (&[BuiltIn::QueueDepth], Definition::Gauge { gauge: of_pods("nv_inference_pending_request_count", "") }),
        ],
    )
}

/// Istio: a gateway, or sidecars at the clients. (A waypoint reports as `waypoint`, and would count requests of a gateway twice.)
///
/// Source: Istio documentation, "Istio Standard Metrics": `istio_requests_total` with `response_code`, and for gRPC
/// `grpc_response_status`; `istio_request_duration_milliseconds`; `destination_service_name` and
/// `destination_service_namespace` name the Service that the route chose, which is the revision's. Which gRPC codes are the
/// server's fault: OpenTelemetry semantic conventions, "gRPC" (UNKNOWN 2, `DEADLINE_EXCEEDED` 4, UNIMPLEMENTED 12, INTERNAL 13,
/// UNAVAILABLE 14, `DATA_LOSS` 15).
fn istio() -> Profile {
    let of_service = |metric: &str, more: &str| {
        let labels = r#"reporter="source",destination_service_namespace="{{namespace}}",destination_service_name="{{service}}""#;
        format!("{metric}{{{labels}{more}}}")
    };
    let total = of_service("istio_requests_total", "");
    let failed = vec![
        of_service("istio_requests_total", r#",response_code=~"5..""#),
        of_service("istio_requests_total", r#",response_code!~"5..",grpc_response_status=~"2|4|12|13|14|15""#),
    ];
    let latency = Definition::Histogram {
        buckets: of_service("istio_request_duration_milliseconds_bucket", ""),
        microseconds_per_unit: MICROSECONDS_PER_MILLISECOND,
    };
    profile("istio", &[(&RATES, proportion(failed, &total)), (&LATENCIES, latency), (&[BuiltIn::Throughput], counter(total))])
}

/// Envoy Gateway 1.9 or newer, with `EnvoyProxy.spec.mergeBackends`: only then each Service has a cluster of its own, named
/// `service/<namespace>/<name>/<port>`. (Otherwise all backends of a route's rule share one, `httproute/.../rule/<n>`, whose
/// statistics cannot tell revisions apart: the queries find no series, and the metric has no data.)
///
/// Source: Envoy documentation, "Cluster manager: Statistics": counter `upstream_rq_<class>xx`, histogram `upstream_rq_time` in
/// milliseconds; the labels `envoy_cluster_name` and `envoy_response_code_class` are those of Envoy's Prometheus output. Names
/// of merged clusters: Envoy Gateway 1.9, release notes and `irBackendClusterName`. Responses only: gRPC's status is in trailers.
fn envoy_gateway() -> Profile {
    let of_cluster = |metric: &str, more: &str| {
        format!(r#"{metric}{{envoy_cluster_name=~"service/{{{{namespace}}}}/{{{{service}}}}/[0-9]+(/[a-z0-9]+)?"{more}}}"#)
    };
    let total = of_cluster("envoy_cluster_upstream_rq_xx", "");
    let failed = vec![of_cluster("envoy_cluster_upstream_rq_xx", r#",envoy_response_code_class="5""#)];
    let latency = Definition::Histogram {
        buckets: of_cluster("envoy_cluster_upstream_rq_time_bucket", ""),
        microseconds_per_unit: MICROSECONDS_PER_MILLISECOND,
    };
    profile("envoy-gateway", &[(&RATES, proportion(failed, &total)), (&LATENCIES, latency), (&[BuiltIn::Throughput], counter(total))])
}

const RATES: [BuiltIn; 2] = [BuiltIn::ErrorRate, BuiltIn::SuccessRate];

fn of_pods(metric: &str, more: &str) -> String {
    format!(r#"{metric}{{namespace="{{{{namespace}}}}",pod=~"{{{{pods}}}}"{more}}}"#)
}

fn proportion(failed: Vec<String>, total: &str) -> Definition {
    Definition::Proportion { failed, total: vec![total.to_owned()] }
}

fn counter(total: String) -> Definition {
    Definition::Counter { count: vec![total] }
}

fn profile(name: &str, definitions: &[(&[BuiltIn], Definition)]) -> Profile {
    let pairs = definitions.iter().flat_map(|(metrics, definition)| metrics.iter().map(move |metric| (*metric, definition)));
    let measures: BTreeMap<_, _> =
        pairs.map(|(metric, definition)| (metric, definition.measure(metric).expect("a test reads every built-in definition"))).collect();
    Profile { name: name.to_owned(), measures }
}
