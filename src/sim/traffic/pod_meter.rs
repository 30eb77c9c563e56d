//! What a pod's server counts, under the names that real servers use.
//!
//! Takes requests by what became of them; adds them to a registry. A subset of what the servers expose: what is here has
//! their names, labels, units and bounds. Names as of OpenTelemetry's HTTP conventions 1.23, vLLM 0.11 and Triton 2.

use super::demand::Request;
use super::facts::Facts;
use super::latency::{LogNormal, Lot, OPENTELEMETRY, Spread, VLLM_REQUEST};
use super::registry::{Histogram, Registry};
use super::sampling::Stream;
use super::serving::Flavour;

/// Bucket bounds of vLLM for the time to the first token, in seconds.
const FIRST_TOKEN: [f64; 22] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0];
/// Bucket bounds of vLLM for the time between tokens, in seconds.
const BETWEEN_TOKENS: [f64; 19] =
    [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0];
/// Names under which vLLM 0.11 exposes the time between tokens: the old one and the new one.
const TOKEN_TIMES: [&str; 2] = ["vllm:time_per_output_token_seconds", "vllm:inter_token_latency_seconds"];

/// Alike requests by what became of them.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// What they look like.
    pub request: &'a Request,
    /// Answered well.
    pub answered: Lot,
    /// Answered with 500.
    pub failed: Lot,
    /// Refused with 503.
    pub refused: Lot,
    /// Given up by their clients.
    pub given_up: Lot,
    /// How long each of them waited, in seconds.
    pub wait: f64,
}

/// The series that a server has from its start.
pub fn begin(facts: &Facts, registry: &mut Registry) {
    match facts.serving.metrics {
        Flavour::OpenTelemetry => {}
        Flavour::Vllm => {
            let labels = vllm_labels(facts);
            let none = Lot::default();
            for reason in ["stop", "length", "abort"] {
                registry.add("vllm:request_success_total", &[labels[0], labels[1], ("finished_reason", reason)], 0.0);
            }
            registry.observe(&histogram("vllm:e2e_request_latency_seconds", &VLLM_REQUEST), &labels, &none);
            registry.observe_cells(&histogram("vllm:time_to_first_token_seconds", &FIRST_TOKEN), &labels, &none, &FIRST_TOKEN);
            for name in TOKEN_TIMES {
                registry.observe_cells(&histogram(name, &BETWEEN_TOKENS), &labels, &none, &BETWEEN_TOKENS);
            }
            registry.add("vllm:generation_tokens_total", &labels, 0.0);
        }
        Flavour::Triton => {
            let labels = triton_labels(facts);
            for name in TRITON_COUNTERS {
                registry.add(name, &labels, 0.0);
            }
            for reason in ["BACKEND", "CANCELED", "OTHER", "REJECTED"] {
                registry.add("nv_inference_request_failure", &[labels[0], labels[1], ("reason", reason)], 0.0);
            }
        }
    }
    for outcome in facts.serving.outcomes.keys() {
        registry.add(&outcome_name(outcome), &[], 0.0);
    }
    load(facts, registry, 0.0, 0);
}

/// How much a server is doing at present.
pub fn load(facts: &Facts, registry: &mut Registry, running: f64, waiting: u64) {
    let running = running.round();
    match facts.serving.metrics {
        Flavour::OpenTelemetry => {
            registry.set(
                "http_server_active_requests",
                &[("http_request_method", "POST"), ("url_scheme", "http")],
                running + waiting as f64,
            );
        }
        Flavour::Vllm => {
            registry.set("vllm:num_requests_running", &vllm_labels(facts), running);
            registry.set("vllm:num_requests_waiting", &vllm_labels(facts), waiting as f64);
        }
        Flavour::Triton => registry.set("nv_inference_pending_request_count", &triton_labels(facts), waiting as f64),
    }
}

/// Counts requests.
pub fn count(facts: &Facts, registry: &mut Registry, batch: &Batch<'_>, stream: &mut Stream) {
    match facts.serving.metrics {
        Flavour::OpenTelemetry => open_telemetry(registry, batch),
        Flavour::Vllm => vllm(facts, registry, batch, stream),
        Flavour::Triton => triton(facts, registry, batch),
    }
}

/// Counts what followed from answers.
pub fn outcome(registry: &mut Registry, name: &str, count: u64) {
    registry.add(&outcome_name(name), &[], count as f64);
}

/// A counter's name has its suffix.
fn outcome_name(name: &str) -> String {
    if name.ends_with("_total") { name.to_owned() } else { format!("{name}_total") }
}

fn histogram<'a>(name: &'a str, bounds: &'a [f64]) -> Histogram<'a> {
    Histogram { name, bounds, unit: 1.0 }
}

fn open_telemetry(registry: &mut Registry, batch: &Batch<'_>) {
    let family = histogram("http_server_request_duration_seconds", &OPENTELEMETRY);
    for (status, lot) in [("200", &batch.answered), ("500", &batch.failed), ("503", &batch.refused), ("499", &batch.given_up)] {
        if lot.count == 0 {
            continue;
        }
        let error = if status.starts_with('5') { status } else { "" };
        let labels = [
            ("http_request_method", batch.request.method.as_str()),
            ("http_response_status_code", status),
            ("http_route", batch.request.path.as_str()),
            ("url_scheme", "http"),
            ("error_type", error),
        ];
        registry.observe(&family, &labels, lot);
    }
}

fn vllm_labels(facts: &Facts) -> [(&str, &str); 2] {
    [("model_name", &facts.model), ("engine", "0")]
}

fn vllm(facts: &Facts, registry: &mut Registry, batch: &Batch<'_>, stream: &mut Stream) {
    let labels = vllm_labels(facts);
    // Of the HTTP server in front of the engine: the only place where vLLM shows errors.
    for (status, count) in [("2xx", batch.answered.count), ("5xx", batch.failed.count + batch.refused.count)] {
        if count > 0 {
            let handler = [("handler", batch.request.path.as_str()), ("method", &batch.request.method), ("status", status)];
            registry.add("http_requests_total", &handler, count as f64);
        }
    }
    for (reason, count) in [("stop", batch.answered.count), ("abort", batch.given_up.count)] {
        registry.add("vllm:request_success_total", &[labels[0], labels[1], ("finished_reason", reason)], count as f64);
    }
    if batch.answered.count == 0 {
        return;
    }
    registry.observe(&histogram("vllm:e2e_request_latency_seconds", &VLLM_REQUEST), &labels, &batch.answered);
    let drawn = |stream: &mut Stream, time: &LogNormal, wait: f64, count: u64, bounds: &[f64]| {
        Spread::of(time, wait, f64::INFINITY, bounds).draw(stream, count)
    };
    let first = drawn(stream, &facts.serving.first_token().distribution(), batch.wait, batch.answered.count, &FIRST_TOKEN);
    registry.observe_cells(&histogram("vllm:time_to_first_token_seconds", &FIRST_TOKEN), &labels, &first, &FIRST_TOKEN);
    let tokens = u64::from(facts.serving.output_tokens.max(2));
    let gaps = drawn(stream, &facts.serving.between_tokens(), 0.0, batch.answered.count * (tokens - 1), &BETWEEN_TOKENS);
    for name in TOKEN_TIMES {
        registry.observe_cells(&histogram(name, &BETWEEN_TOKENS), &labels, &gaps, &BETWEEN_TOKENS);
    }
    registry.add("vllm:generation_tokens_total", &labels, (batch.answered.count * tokens) as f64);
}

/// Triton's counters that begin at 0 for every model that is loaded.
const TRITON_COUNTERS: [&str; 6] = [
    "nv_inference_request_success",
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_infer_duration_us",
];

fn triton_labels(facts: &Facts) -> [(&str, &str); 2] {
    [("model", &facts.model), ("version", "1")]
}

fn triton(facts: &Facts, registry: &mut Registry, batch: &Batch<'_>) {
    let labels = triton_labels(facts);
    let count = batch.answered.count as f64;
    let queued = (batch.wait * count * 1e6).round();
    let all = (batch.answered.seconds * 1e6).round().max(queued);
    for (name, amount) in TRITON_COUNTERS.into_iter().zip([count, count, count, all, queued, all - queued]) {
        registry.add(name, &labels, amount);
    }
    for (reason, lot) in [("BACKEND", &batch.failed), ("REJECTED", &batch.refused), ("CANCELED", &batch.given_up)] {
        registry.add("nv_inference_request_failure", &[labels[0], labels[1], ("reason", reason)], lot.count as f64);
    }
}
