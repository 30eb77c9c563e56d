//! What probes make of a container that takes a while to load.
//!
//! Takes containers and the time they take to load; gives when they are ready or killed, in time from their start. Pure.

use jiff::SignedDuration;
use serde_json::Value;

use crate::sim::actors::object::{at, count, int, items};

/// What the probes of a pod's containers come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// All containers are ready after this.
    pub ready: SignedDuration,
    /// A probe (`Startup` or `Liveness`) has failed too often after this, before the container could answer.
    pub killed: Option<(SignedDuration, &'static str)>,
}

/// Judges all containers of a pod: ready when the last one is, killed when the first one is.
pub fn probe(pod: &Value, load: SignedDuration) -> Probed {
    let mut probed = Probed { ready: SignedDuration::ZERO, killed: None };
    for container in items(pod, &["spec", "containers"]) {
        probed.ready = probed.ready.max(ready_after(container, load));
        let killed = killed_after(container, load);
        probed.killed = [probed.killed, killed].into_iter().flatten().min();
    }
    probed
}

/// Readiness probes begin when the startup probe, if any, has succeeded.
fn ready_after(container: &Value, load: SignedDuration) -> SignedDuration {
    let started = at(container, &["startupProbe"]).map(|probe| first_success(probe, load, SignedDuration::ZERO));
    let started = started.unwrap_or(SignedDuration::ZERO);
    at(container, &["readinessProbe"]).map_or(started, |probe| {
        let more = int(probe, &["successThreshold"]).unwrap_or(1).max(1) - 1;
        first_success(probe, load, started) + seconds(more * period(probe))
    })
}

/// The first probe at or after `load`; probing begins at the initial delay or at `from`.
fn first_success(probe: &Value, load: SignedDuration, from: SignedDuration) -> SignedDuration {
    let begin = seconds(count(probe, &["initialDelaySeconds"])).max(from);
    let wait = (load - begin).max(SignedDuration::ZERO);
    let periods = (wait.as_millis_f64() / (period(probe) * 1000) as f64).ceil();
    begin + seconds(periods as i64 * period(probe))
}

/// A startup probe holds the liveness probe back; both kill a container that does not answer in time.
fn killed_after(container: &Value, load: SignedDuration) -> Option<(SignedDuration, &'static str)> {
    let startup = at(container, &["startupProbe"]).map(|probe| (probe, "Startup"));
    let (probe, which) = startup.or_else(|| at(container, &["livenessProbe"]).map(|probe| (probe, "Liveness")))?;
    let failures = int(probe, &["failureThreshold"]).unwrap_or(3).max(1);
    let last_chance = seconds(count(probe, &["initialDelaySeconds"]) + (failures - 1) * period(probe));
    (first_success(probe, load, SignedDuration::ZERO) > last_chance).then_some((last_chance, which))
}

fn period(probe: &Value) -> i64 {
    int(probe, &["periodSeconds"]).unwrap_or(10).max(1)
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(container: Value) -> Value {
        json!({ "spec": { "containers": [container] } })
    }

    #[test]
    fn without_probes_a_started_container_is_ready() {
        assert_eq!(probe(&pod(json!({})), seconds(40)), Probed { ready: SignedDuration::ZERO, killed: None });
    }

    #[test]
    fn readiness_comes_with_the_first_probe_after_loading() {
        let every_ten = json!({ "readinessProbe": { "periodSeconds": 10, "initialDelaySeconds": 5 } });
        assert_eq!(probe(&pod(every_ten.clone()), seconds(40)).ready, seconds(45));
        assert_eq!(probe(&pod(every_ten), seconds(1)).ready, seconds(5));
        let twice = json!({ "readinessProbe": { "periodSeconds": 2, "successThreshold": 2 } });
        assert_eq!(probe(&pod(twice), seconds(3)).ready, seconds(6));
    }

    #[test]
    fn a_startup_probe_that_is_too_impatient_kills() {
        let patient = json!({ "startupProbe": { "periodSeconds": 10, "failureThreshold": 6 } });
        assert_eq!(probe(&pod(patient.clone()), seconds(50)).killed, None);
        assert_eq!(probe(&pod(patient), seconds(51)).killed, Some((seconds(50), "Startup")));
    }

    #[test]
    fn a_liveness_probe_kills_a_slow_loader_unless_a_startup_probe_holds_it_back() {
        let mut container = json!({ "livenessProbe": { "periodSeconds": 10 } });
        assert_eq!(probe(&pod(container.clone()), seconds(60)).killed, Some((seconds(20), "Liveness")));
        container["startupProbe"] = json!({ "periodSeconds": 10, "failureThreshold": 30 });
        assert_eq!(probe(&pod(container), seconds(60)).killed, None);
    }
}
