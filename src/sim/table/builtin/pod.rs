//! The row of a pod, with the status text that people know: `Running`, `CrashLoopBackOff`, `Init:0/1`, `Terminating`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Header, age_of, list, name, none_if_empty, number, string, text, wide};
use crate::sim::table::age;

pub(super) const HEADERS: &[Header] = &[
    text("Name"),
    text("Ready"),
    text("Status"),
    text("Restarts"),
    text("Age"),
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
];

pub(super) fn row(pod: &Value, now: Timestamp) -> Vec<Value> {
    let statuses = list(pod, "/status/containerStatuses");
    let ready = statuses.iter().filter(|status| is_ready(status) && status.pointer("/state/running").is_some()).count();
    let total = list(pod, "/spec/containers").len();
    vec![
        name(pod),
        json!(format!("{ready}/{total}")),
        json!(status(pod)),
        json!(restarts(pod, now)),
        age_of(pod, now),
        none_if_empty(string(pod, "/status/podIP").to_owned()),
        none_if_empty(string(pod, "/spec/nodeName").to_owned()),
        none_if_empty(string(pod, "/status/nominatedNodeName").to_owned()),
        json!(readiness_gates(pod)),
    ]
}

fn is_ready(status: &Value) -> bool {
    status.get("ready").and_then(Value::as_bool).unwrap_or(false)
}

fn has_condition(pod: &Value, kind: &str) -> bool {
    list(pod, "/status/conditions").iter().any(|condition| string(condition, "/type") == kind && string(condition, "/status") == "True")
}

fn status(pod: &Value) -> String {
    if !string(pod, "/metadata/deletionTimestamp").is_empty() {
        return if string(pod, "/status/reason") == "NodeLost" { "Unknown" } else { "Terminating" }.to_owned();
    }
    if let Some(text) = init_status(pod) {
        return text;
    }
    let gated = list(pod, "/status/conditions")
        .iter()
        .any(|condition| string(condition, "/type") == "PodScheduled" && string(condition, "/reason") == "SchedulingGated");
    if gated {
        return "SchedulingGated".to_owned();
    }
    let phase = match string(pod, "/status/reason") {
        "" => string(pod, "/status/phase"),
        reason => reason,
    };
    let mut text = phase.to_owned();
    let mut running = false;
    for status in list(pod, "/status/containerStatuses").iter().rev() {
        if let Some(reason) = abnormal(status) {
            text = reason;
        } else if is_ready(status) && status.pointer("/state/running").is_some() {
            running = true;
        }
    }
    if text == "Completed" && running {
        return if has_condition(pod, "Ready") { "Running" } else { "NotReady" }.to_owned();
    }
    text
}

/// Why a container waits or ended.
fn abnormal(status: &Value) -> Option<String> {
    let waiting = string(status, "/state/waiting/reason");
    if !waiting.is_empty() {
        return Some(waiting.to_owned());
    }
    let ended = status.pointer("/state/terminated")?;
    Some(match (string(ended, "/reason"), number(ended, "/signal")) {
        ("", 0) => format!("ExitCode:{}", number(ended, "/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    })
}

/// `Init:...` while init containers are at work, those that keep running as sidecars aside.
fn init_status(pod: &Value) -> Option<String> {
    let specs = list(pod, "/spec/initContainers");
    for (position, status) in list(pod, "/status/initContainerStatuses").iter().enumerate() {
        let sidecar =
            specs.iter().any(|spec| string(spec, "/name") == string(status, "/name") && string(spec, "/restartPolicy") == "Always");
        let started = status.get("started").and_then(Value::as_bool).unwrap_or(false);
        let ended = status.pointer("/state/terminated");
        if ended.is_some_and(|ended| number(ended, "/exitCode") == 0) || (sidecar && started) {
            continue;
        }
        return Some(match abnormal(status) {
            Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
            _ => format!("Init:{position}/{}", specs.len()),
        });
    }
    None
}

/// `3 (5m ago)`; the time only if there was a restart.
fn restarts(pod: &Value, now: Timestamp) -> String {
    let statuses = list(pod, "/status/containerStatuses");
    let count: i64 = statuses.iter().map(|status| number(status, "/restartCount")).sum();
    let last = statuses.iter().map(|status| string(status, "/lastState/terminated/finishedAt")).max().unwrap_or("");
    if count == 0 || last.is_empty() { count.to_string() } else { format!("{count} ({} ago)", age::since_text(last, now)) }
}

fn readiness_gates(pod: &Value) -> String {
    let gates = list(pod, "/spec/readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let true_ones = gates.iter().filter(|gate| has_condition(pod, string(gate, "/conditionType"))).count();
    format!("{true_ones}/{}", gates.len())
}
