//! The status that a kubelet reports of a pod.
//!
//! Takes the pod, its life so far and the time; gives the next status. Conditions of others (`PodScheduled`,
//! `DisruptionTarget`, readiness gates) are carried over. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::run::{Past, Run, State};
use crate::sim::actors::conditions;
use crate::sim::actors::object::{self, at, items, name, seconds_text, text};
use crate::sim::draw::Draws;

/// What the report needs to know besides the pod.
pub struct Report<'a> {
    /// The pod's life.
    pub run: &'a Run,
    /// All containers are ready.
    pub ready: bool,
    /// Address of the node.
    pub host: &'a str,
    /// Source of identifiers.
    pub draws: &'a Draws,
    /// The time.
    pub now: Timestamp,
}

/// The next status.
pub fn status(pod: &Value, report: &Report<'_>) -> Value {
    let mut status = pod.get("status").cloned().unwrap_or_else(|| json!({}));
    status["phase"] = json!(phase(report.run));
    if report.host.is_empty() {
        return status;
    }
    status["hostIP"] = json!(report.host);
    status["hostIPs"] = json!([{ "ip": report.host }]);
    if status.get("startTime").is_none() {
        status["startTime"] = json!(seconds_text(report.now));
    }
    if !report.run.address.is_empty() {
        status["podIP"] = json!(report.run.address);
        status["podIPs"] = json!([{ "ip": report.run.address }]);
    }
    if object::generation(pod) > 0 {
        status["observedGeneration"] = json!(object::generation(pod));
    }
    status["containerStatuses"] = containers(pod, report);
    if !items(pod, &["spec", "initContainers"]).is_empty() {
        status["initContainerStatuses"] = init_containers(pod, report);
    }
    status["conditions"] = json!(pod_conditions(pod, report));
    status
}

fn phase(run: &Run) -> &'static str {
    match (&run.state, &run.past) {
        (State::Ended, Some(past)) if past.exit.code == 0 => "Succeeded",
        (State::Ended, Some(_)) => "Failed",
        (State::Ended, None) => "Failed",
        _ if run.has_run => "Running",
        _ => "Pending",
    }
}

/// Conditions in the kubelet's order, then those of others.
fn pod_conditions(pod: &Value, report: &Report<'_>) -> Vec<Value> {
    let known = items(pod, &["status", "conditions"]);
    let ended = report.run.state == State::Ended;
    let names = unready_names(pod);
    let started = report.run.has_run;
    let unready = if ended && phase(report.run) == "Succeeded" {
        ("PodCompleted", String::new())
    } else {
        ("ContainersNotReady", format!("containers with unready status: [{names}]"))
    };
    let gates_open = items(pod, &["spec", "readinessGates"]).iter().all(|gate| object::is_true(pod, text(gate, &["conditionType"])));
    let own = [
        ("PodReadyToStartContainers", started && !ended, ("", String::new())),
        ("Initialized", true, ("", String::new())),
        ("Ready", report.ready && gates_open, if report.ready { gates_closed(pod) } else { unready.clone() }),
        ("ContainersReady", report.ready, unready),
    ];
    let mut list: Vec<Value> = Vec::with_capacity(own.len() + known.len());
    for (kind, met, (reason, message)) in own {
        list.push(condition(pod, known, kind, met, reason, &message, report.now));
    }
    let own_kinds: Vec<String> = list.iter().map(|entry| text(entry, &["type"]).to_owned()).collect();
    list.extend(known.iter().filter(|entry| !own_kinds.iter().any(|kind| kind == text(entry, &["type"]))).cloned());
    list
}

fn unready_names(pod: &Value) -> String {
    let names: Vec<&str> = items(pod, &["spec", "containers"]).iter().map(|container| text(container, &["name"])).collect();
    names.join(" ")
}

fn gates_closed(pod: &Value) -> (&'static str, String) {
    let gates = items(pod, &["spec", "readinessGates"]).iter().map(|gate| text(gate, &["conditionType"]));
    let closed: Vec<String> = gates
        .filter(|kind| !object::is_true(pod, kind))
        .map(|kind| format!("corresponding condition of pod readiness gate \"{kind}\" does not exist."))
        .collect();
    ("ReadinessGatesNotReady", closed.join(", "))
}

fn condition(pod: &Value, known: &[Value], kind: &str, met: bool, reason: &str, message: &str, now: Timestamp) -> Value {
    let status = if met { "True" } else { "False" };
    let kept = conditions::find(known, kind).filter(|known| text(known, &["status"]) == status);
    let since = kept.map_or_else(|| seconds_text(now), |kept| text(kept, &["lastTransitionTime"]).to_owned());
    let mut entry = json!({ "type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since });
    if !met && !reason.is_empty() {
        entry["reason"] = json!(reason);
        if !message.is_empty() {
            entry["message"] = json!(message);
        }
    }
    if object::generation(pod) > 0 {
        entry["observedGeneration"] = json!(object::generation(pod));
    }
    entry
}

fn containers(pod: &Value, report: &Report<'_>) -> Value {
    let all = items(pod, &["spec", "containers"]).iter();
    all.map(|container| container_status(pod, container, report)).collect()
}

fn container_status(pod: &Value, container: &Value, report: &Report<'_>) -> Value {
    let run = report.run;
    let running = matches!(run.state, State::Running { .. } | State::Stopping { since: Some(_), .. });
    let mut status = json!({
        "name": text(container, &["name"]), "image": text(container, &["image"]), "imageID": "",
        "ready": report.ready, "started": running, "restartCount": run.restarts, "state": state(pod, container, report),
    });
    status["lastState"] = match (&run.past, &run.state) {
        (Some(past), State::Running { .. } | State::Stopping { .. } | State::Restarting { backoff: Some(_), .. }) => {
            json!({ "terminated": terminated(pod, container, past, report) })
        }
        _ => json!({}),
    };
    if run.has_run {
        status["imageID"] = json!(image_id(container, report.draws));
        let restarts =
            if matches!(run.state, State::Restarting { backoff: Some(_), .. }) { run.restarts.saturating_sub(1) } else { run.restarts };
        status["containerID"] = json!(container_id(pod, container, restarts, report.draws));
    }
    status
}

fn state(pod: &Value, container: &Value, report: &Report<'_>) -> Value {
    let run = report.run;
    let waiting = |reason: &str, message: String| {
        let mut waiting = json!({ "reason": reason });
        if !message.is_empty() {
            waiting["message"] = json!(message);
        }
        json!({ "waiting": waiting })
    };
    let image = text(container, &["image"]);
    match (&run.state, &run.past) {
        (State::Running { since } | State::Stopping { since: Some(since), .. }, _) => {
            json!({ "running": { "startedAt": seconds_text(*since) } })
        }
        (State::PullFailed { waiting: false, .. }, _) => waiting("ErrImagePull", format!("failed to pull image \"{image}\"")),
        (State::PullFailed { waiting: true, .. }, _) => waiting("ImagePullBackOff", format!("Back-off pulling image \"{image}\"")),
        (State::Restarting { backoff: Some(delay), .. }, _) => waiting("CrashLoopBackOff", crash_loop(pod, container, delay.as_secs())),
        (State::Restarting { backoff: None, .. } | State::Ended, Some(past)) => {
            json!({ "terminated": terminated(pod, container, past, report) })
        }
        _ => waiting("ContainerCreating", String::new()),
    }
}

/// What a kubelet says of a container that waits for its restart.
fn crash_loop(pod: &Value, container: &Value, seconds: i64) -> String {
    let delay = if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) };
    format!("back-off {delay} restarting failed container={} pod={}", text(container, &["name"]), full_name(pod))
}

/// `name_namespace(uid)`, as kubelets name pods.
pub fn full_name(pod: &Value) -> String {
    format!("{}_{}({})", name(pod), object::namespace(pod), object::uid(pod))
}

fn terminated(pod: &Value, container: &Value, past: &Past, report: &Report<'_>) -> Value {
    let started_over = matches!(report.run.state, State::Running { .. } | State::Stopping { .. });
    let number = if started_over { report.run.restarts.saturating_sub(1) } else { report.run.restarts };
    json!({
        "exitCode": past.exit.code, "reason": past.exit.reason, "startedAt": seconds_text(past.started),
        "finishedAt": seconds_text(past.finished), "containerID": container_id(pod, container, number, report.draws),
    })
}

fn init_containers(pod: &Value, report: &Report<'_>) -> Value {
    let status = |container: &Value| {
        let sidecar = at(container, &["restartPolicy"]).is_some_and(|policy| policy == "Always");
        let mut status = json!({
            "name": text(container, &["name"]), "image": text(container, &["image"]), "imageID": "",
            "ready": report.run.has_run, "restartCount": 0, "lastState": {},
            "state": { "waiting": { "reason": "PodInitializing" } },
        });
        status["started"] = json!(sidecar && report.run.has_run);
        if report.run.has_run {
            status["imageID"] = json!(image_id(container, report.draws));
            let id = container_id(pod, container, 0, report.draws);
            let at = text(pod, &["status", "startTime"]);
            let at = if at.is_empty() { seconds_text(report.now) } else { at.to_owned() };
            let done =
                json!({ "terminated": { "exitCode": 0, "reason": "Completed", "startedAt": at, "finishedAt": at, "containerID": id } });
            status["containerID"] = json!(id);
            status["state"] = if sidecar && report.run.state != State::Ended { json!({ "running": { "startedAt": at } }) } else { done };
        }
        status
    };
    items(pod, &["spec", "initContainers"]).iter().map(status).collect()
}

/// 64 hexadecimal digits that depend on pod, container and restart.
fn container_id(pod: &Value, container: &Value, number: u32, draws: &Draws) -> String {
    let identity = format!("{}/{}", object::uid(pod), text(container, &["name"]));
    format!("containerd://{}", digest(draws, "container", &identity, u64::from(number)))
}

fn image_id(container: &Value, draws: &Draws) -> String {
    let image = text(container, &["image"]);
    let repository = image.split('@').next().unwrap_or(image);
    let repository = repository.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(repository, |(repository, _)| repository);
    match image.split_once('@') {
        Some((_, digest)) => format!("{repository}@{digest}"),
        None => format!("{repository}@sha256:{}", digest(draws, "image", image, 0)),
    }
}

fn digest(draws: &Draws, domain: &str, identity: &str, number: u64) -> String {
    (0..4).map(|part| format!("{:016x}", draws.u64(domain, identity, number * 4 + part))).collect()
}
