//! The pods of an autoscaled workload: which of them count, and what they ask for.
//!
//! Takes pods as stored, samples and the time; gives groups and requests. Only for cpu does readiness matter: a pod that
//! starts uses cpu for starting, not for requests. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::calculator::Samples;
use crate::sim::actors::object::{condition, is_deleting, is_true, items, name, text, time};
use crate::sim::builtin::quantity::Quantity;

/// After its start, a pod's cpu counts only from its readiness on.
const INITIALISATION: SignedDuration = SignedDuration::from_mins(5);
/// A pod that became unready so soon after its start was never ready.
const FIRST_READINESS: SignedDuration = SignedDuration::from_secs(30);

/// The selector takes no pod.
pub const NO_PODS: &str = "no pods returned by selector while calculating replica count";

/// What one pod used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Thousandths.
    pub millis: i64,
    /// End of the window.
    pub at: Timestamp,
    /// Length of the window.
    pub window: SignedDuration,
}

/// Pods by how they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Number of those with a sample that counts.
    pub ready: usize,
    /// Pending, or (for cpu) not ready yet.
    pub unready: BTreeSet<String>,
    /// Without a sample.
    pub missing: BTreeSet<String>,
    /// Failed or on their way out.
    pub ignored: BTreeSet<String>,
}

impl Groups {
    /// Sorts pods into groups.
    pub fn of(pods: &[Arc<Value>], samples: &Samples, cpu: bool, now: Timestamp) -> Self {
        let mut groups = Self::default();
        for pod in pods {
            let called = name(pod).to_owned();
            if is_deleting(pod) || text(pod, &["status", "phase"]) == "Failed" {
                groups.ignored.insert(called);
            } else if text(pod, &["status", "phase"]) == "Pending" {
                groups.unready.insert(called);
            } else if let Some(sample) = samples.get(&called) {
                if cpu && is_starting(pod, sample, now) {
                    groups.unready.insert(called);
                } else {
                    groups.ready += 1;
                }
            } else {
                groups.missing.insert(called);
            }
        }
        groups
    }

    /// Takes away samples of pods that do not count.
    pub fn keep_counted(&self, samples: &mut Samples) {
        samples.retain(|pod, _| !self.ignored.contains(pod) && !self.unready.contains(pod));
    }
}

/// Whether a sample of the pod counts depends on the time.
pub fn is_young(pod: &Value, now: Timestamp) -> bool {
    time(pod, &["status", "startTime"]).is_some_and(|start| start + INITIALISATION > now)
}

/// The cpu that a sample tells of was used for starting.
fn is_starting(pod: &Value, sample: &Sample, now: Timestamp) -> bool {
    let (Some(ready), Some(start)) = (condition(pod, "Ready"), time(pod, &["status", "startTime"])) else { return true };
    let is_unready = text(ready, &["status"]) == "False";
    let since = time(ready, &["lastTransitionTime"]).unwrap_or(Timestamp::UNIX_EPOCH);
    if start + INITIALISATION > now {
        return is_unready || sample.at < since + sample.window;
    }
    is_unready && start + FIRST_READINESS > since
}

/// Running pods that are ready.
pub fn count_ready(pods: &[Arc<Value>]) -> usize {
    pods.iter().filter(|pod| text(pod, &["status", "phase"]) == "Running" && is_true(pod, "Ready")).count()
}

/// What each pod, or one container of it, asks for, in thousandths.
///
/// # Errors
/// A container without a request, or a pod without that container.
pub fn requests(pods: &[Arc<Value>], container: Option<&str>, resource: &str) -> Result<BTreeMap<String, i64>, String> {
    pods.iter().map(|pod| Ok((name(pod).to_owned(), request(pod, container, resource)?))).collect()
}

fn request(pod: &Value, only: Option<&str>, resource: &str) -> Result<i64, String> {
    let whole = &pod["spec"]["resources"]["requests"];
    if only.is_none() && whole.as_object().is_some_and(|requests| requests.keys().any(|name| name == "cpu" || name == "memory")) {
        return request_of_pod(pod, resource);
    }
    let sidecars = items(pod, &["spec", "initContainers"]).iter().filter(|init| text(init, &["restartPolicy"]) == "Always");
    let mut sum = 0;
    for container in items(pod, &["spec", "containers"]).iter().chain(sidecars) {
        let called = text(container, &["name"]);
        if only.is_some_and(|only| only != called) {
            continue;
        }
        let asked = Quantity::from_json(&container["resources"]["requests"][resource]);
        sum += asked.map_err(|_| format!("missing request for {resource} in container {called} of Pod {}", name(pod)))?.millis();
        if only.is_some() {
            return Ok(sum);
        }
    }
    match only {
        Some(container) => Err(format!("container {container} not found in Pod {}", name(pod))),
        None => Ok(sum),
    }
}

/// A pod that asks as a whole: its own amount, or else that of its containers.
fn request_of_pod(pod: &Value, resource: &str) -> Result<i64, String> {
    let amounts = crate::sim::actors::resources::of_pod(pod, "requests");
    match amounts.0.get(resource) {
        Some(amount) => Ok(amount.millis()),
        None => Err(format!("missing pod-level request for {resource} in Pod {}", name(pod))),
    }
}
