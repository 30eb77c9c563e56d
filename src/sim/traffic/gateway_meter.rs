//! What a gateway counts of the requests that it passes on, under the names of Istio or of Envoy Gateway.
//!
//! Takes requests by their way, their pod and what became of them; adds them to a registry. A subset of what the gateways
//! expose, with their names, labels, units and bounds. Envoy Gateway counts per rule of a route, not per backend, unless a
//! backend of the rule has filters: then the metrics cannot tell two revisions apart, as in a real cluster.

use super::facts::Facts;
use super::latency::{ENVOY, Lot};
use super::registry::{Histogram, Registry};
use super::routing::Via;

/// Whose names a gateway's metrics have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatewayFlavour {
    /// Istio's standard metrics.
    #[default]
    Istio,
    /// Envoy's own, as Envoy Gateway exposes them.
    Envoy,
}

/// How a request ended for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The status for the client; `0`: the client had gone.
    pub code: &'static str,
    /// Envoy's flags, as in its access log.
    pub flags: &'static str,
}

impl Ending {
    /// Answered.
    pub const ANSWERED: Self = Self { code: "200", flags: "-" };
    /// The pod answered with 500.
    pub const FAILED: Self = Self { code: "500", flags: "-" };
    /// The pod refused.
    pub const REFUSED: Self = Self { code: "503", flags: "-" };
    /// The gateway gave up.
    pub const TIMED_OUT: Self = Self { code: "504", flags: "UT" };
    /// The client gave up.
    pub const GONE: Self = Self { code: "0", flags: "DC" };
    /// The connection to the pod broke.
    pub const BROKEN: Self = Self { code: "503", flags: "UC" };
    /// There is no ready endpoint.
    pub const UNSERVED: Self = Self { code: "503", flags: "UH" };
    /// The backend is not valid.
    pub const MISROUTED: Self = Self { code: "500", flags: "-" };
}

/// The labels that a scrape of a gateway adds; its proxies are no pods of the simulated cluster.
pub fn target(flavour: GatewayFlavour, namespace: &str, name: &str) -> Vec<(String, String)> {
    let container = if flavour == GatewayFlavour::Istio { "istio-proxy" } else { "envoy" };
    let pairs = [("job", "gateway"), ("namespace", namespace), ("gateway", name), ("container", container), ("instance", name)];
    pairs.into_iter().map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

/// Counts requests of one way, for `gateway` (`namespace/name`).
pub fn count(flavour: GatewayFlavour, registry: &mut Registry, gateway: &str, via: &Via, pod: Option<&Facts>, ending: Ending, lot: &Lot) {
    if lot.count == 0 {
        return;
    }
    match flavour {
        GatewayFlavour::Istio => istio(registry, gateway, via, pod, ending, lot),
        GatewayFlavour::Envoy => envoy(registry, via, pod.is_some(), ending, lot),
    }
}

fn istio(registry: &mut Registry, gateway: &str, via: &Via, pod: Option<&Facts>, ending: Ending, lot: &Lot) {
    let (of, name) = gateway.split_once('/').unwrap_or(("", gateway));
    let service = format!("{}.{}.svc.cluster.local", via.service, via.namespace);
    let of_pod = |part: fn(&Facts) -> &str| pod.map_or("unknown", part);
    let labels = [
        ("reporter", "source"),
        ("source_workload", name),
        ("source_workload_namespace", of),
        ("destination_service", service.as_str()),
        ("destination_service_name", via.service.as_str()),
        ("destination_service_namespace", via.namespace.as_str()),
        ("destination_workload", of_pod(|pod| &pod.workload)),
        ("destination_workload_namespace", of_pod(|pod| &pod.namespace)),
        ("destination_app", of_pod(|pod| &pod.app)),
        ("destination_version", of_pod(|pod| &pod.version)),
        ("destination_canonical_service", of_pod(|pod| &pod.app)),
        ("destination_canonical_revision", of_pod(|pod| &pod.version)),
        ("request_protocol", "http"),
        ("response_code", ending.code),
        ("response_flags", ending.flags),
        ("connection_security_policy", "unknown"),
    ];
    registry.add("istio_requests_total", &labels, lot.count as f64);
    let histogram = Histogram { name: "istio_request_duration_milliseconds", bounds: &ENVOY, unit: 1000.0 };
    registry.observe(&histogram, &labels, lot);
}

fn envoy(registry: &mut Registry, via: &Via, reached: bool, ending: Ending, lot: &Lot) {
    let upstream = ("envoy_cluster_name", via.upstream.as_str());
    let count = lot.count as f64;
    if ending == Ending::MISROUTED {
        // Answered by the proxy itself: no upstream has heard of it.
        return;
    }
    if ending == Ending::UNSERVED {
        registry.add("envoy_cluster_upstream_cx_none_healthy", &[upstream], count);
    } else {
        registry.add("envoy_cluster_upstream_rq_total", &[upstream], count);
    }
    match ending {
        Ending::TIMED_OUT => registry.add("envoy_cluster_upstream_rq_timeout", &[upstream], count),
        Ending::GONE => return registry.add("envoy_cluster_upstream_rq_cancelled", &[upstream], count),
        _ => {}
    }
    registry.add("envoy_cluster_upstream_rq", &[upstream, ("envoy_response_code", ending.code)], count);
    let class = &ending.code[..1];
    registry.add("envoy_cluster_upstream_rq_xx", &[upstream, ("envoy_response_code_class", class)], count);
    if reached && ending.flags == "-" {
        let histogram = Histogram { name: "envoy_cluster_upstream_rq_time", bounds: &ENVOY, unit: 1000.0 };
        registry.observe(&histogram, &[upstream], lot);
    }
}
