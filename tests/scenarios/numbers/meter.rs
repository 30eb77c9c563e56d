//! What the pods of the real arm have counted, as an OpenTelemetry HTTP server exposes it, for all scenarios of the process.
//!
//! Which request fails and how long it takes follows from its number: shares and quantiles are those asked for, without chance.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Upper bounds of the buckets in seconds: those that OpenTelemetry advises.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// How a version serves.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Share of requests that end in status 500.
    pub fails: f64,
    /// The median in seconds.
    pub p50: f64,
    /// The 99th percentile in seconds.
    pub p99: f64,
}

impl Default for Serving {
    fn default() -> Self {
        Self { fails: 0.0, p50: 0.03, p99: 0.09 }
    }
}

/// Counters of one pod, by status.
#[derive(Default)]
struct Pod {
    requests: u64,
    by_status: BTreeMap<u16, Histogram>,
}

#[derive(Default)]
struct Histogram {
    below: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

/// By namespace and name.
type Pods = BTreeMap<String, BTreeMap<String, Pod>>;

static PODS: Mutex<Pods> = Mutex::new(BTreeMap::new());

fn pods() -> MutexGuard<'static, Pods> {
    PODS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pod has served one request.
pub fn count(namespace: &str, pod: &str, serving: &Serving) {
    let mut pods = pods();
    let pod = pods.entry(namespace.to_owned()).or_default().entry(pod.to_owned()).or_default();
    pod.requests += 1;
    // Multiples of irrational numbers fill the unit interval evenly, and these two do so independently.
    let place = |step: f64| (pod.requests as f64 * step).fract();
    let status = if place(0.618_033_988_75) < serving.fails { 500 } else { 200 };
    let seconds = duration(place(0.754_877_666_25), serving);
    let histogram = pod.by_status.entry(status).or_default();
    for (bound, below) in BOUNDS.iter().zip(&mut histogram.below) {
        *below += u64::from(seconds <= *bound);
    }
    histogram.count += 1;
    histogram.sum += seconds;
}

/// The duration at `place` of the distribution, of which two points are known: even on a logarithmic scale between and below.
fn duration(place: f64, serving: &Serving) -> f64 {
    serving.p50 * (serving.p99 / serving.p50).powf((place - 0.5) / 0.49)
}

/// Pods of a namespace that are not among these are gone.
pub fn keep(namespace: &str, names: &BTreeSet<String>) {
    if let Some(pods) = pods().get_mut(namespace) {
        pods.retain(|name, _| names.contains(name));
    }
}

/// The namespace is gone.
pub fn forget(namespace: &str) {
    pods().remove(namespace);
}

/// Everything in Prometheus' text format.
pub fn exposed() -> String {
    let name = "http_server_request_duration_seconds";
    let mut text = format!("# TYPE {name} histogram\n");
    for (namespace, pods) in pods().iter() {
        for (pod, counters) in pods {
            for (status, histogram) in &counters.by_status {
                let labels = format!("namespace=\"{namespace}\",pod=\"{pod}\",http_response_status_code=\"{status}\"");
                for (bound, below) in BOUNDS.iter().zip(&histogram.below) {
                    writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}").unwrap();
                }
                writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", histogram.count).unwrap();
                writeln!(text, "{name}_sum{{{labels}}} {}", histogram.sum).unwrap();
                writeln!(text, "{name}_count{{{labels}}} {}", histogram.count).unwrap();
            }
        }
    }
    text
}

#[test]
fn shares_and_quantiles_are_those_asked_for() {
    let serving = Serving { fails: 0.3, p50: 0.1, p99: 0.5 };
    for _ in 0..1_000 {
        count("of-this-test", "a", &serving);
    }
    let text = exposed();
    let value = |labels: &str| {
        let line = text.lines().find(|line| line.contains("of-this-test") && line.contains(labels)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!((295.0..=305.0).contains(&value("_count{namespace=\"of-this-test\",pod=\"a\",http_response_status_code=\"500\"")));
    let below: f64 = ["200", "500"].iter().map(|status| value(&format!("\"{status}\",le=\"0.1\""))).sum();
    assert!((490.0..=510.0).contains(&below), "{below}");
    forget("of-this-test");
    assert!(!exposed().contains("of-this-test"));
}
