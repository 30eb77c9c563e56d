//! Rows of workloads and of what scales or protects them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Header, age_of, containers, integer, labels, list, name, number, or_else, plain_text, selector, since, string, text, wide};
use crate::sim::table::age;

const TEMPLATE: &str = "/spec/template/spec/containers";

pub(super) const DEPLOYMENT: &[Header] = &[
    text("Name"),
    text("Ready"),
    integer("Up-to-date"),
    integer("Available"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object, TEMPLATE);
    vec![
        name(object),
        json!(format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas"))),
        json!(number(object, "/status/updatedReplicas")),
        json!(number(object, "/status/availableReplicas")),
        age_of(object, now),
        json!(names),
        json!(images),
        json!(selector(object, "/spec/selector")),
    ]
}

pub(super) const REPLICA_SET: &[Header] = &[
    text("Name"),
    integer("Desired"),
    integer("Current"),
    integer("Ready"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn replica_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object, TEMPLATE);
    // A ReplicationController has a plain map where a ReplicaSet has a label selector.
    let plain_map =
        object.pointer("/spec/selector").is_some_and(|map| map.get("matchLabels").is_none() && map.get("matchExpressions").is_none());
    let selected = if plain_map { labels(object.pointer("/spec/selector")) } else { selector(object, "/spec/selector") };
    vec![
        name(object),
        json!(number(object, "/spec/replicas")),
        json!(number(object, "/status/replicas")),
        json!(number(object, "/status/readyReplicas")),
        age_of(object, now),
        json!(names),
        json!(images),
        json!(selected),
    ]
}

pub(super) const STATEFUL_SET: &[Header] = &[text("Name"), text("Ready"), text("Age"), wide("Containers"), wide("Images")];

pub(super) fn stateful_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object, TEMPLATE);
    let ready = format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas"));
    vec![name(object), json!(ready), age_of(object, now), json!(names), json!(images)]
}

pub(super) const DAEMON_SET: &[Header] = &[
    text("Name"),
    integer("Desired"),
    integer("Current"),
    integer("Ready"),
    integer("Up-to-date"),
    integer("Available"),
    text("Node Selector"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn daemon_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object, TEMPLATE);
    vec![
        name(object),
        json!(number(object, "/status/desiredNumberScheduled")),
        json!(number(object, "/status/currentNumberScheduled")),
        json!(number(object, "/status/numberReady")),
        json!(number(object, "/status/updatedNumberScheduled")),
        json!(number(object, "/status/numberAvailable")),
        json!(labels(object.pointer("/spec/template/spec/nodeSelector"))),
        age_of(object, now),
        json!(names),
        json!(images),
        json!(selector(object, "/spec/selector")),
    ]
}

pub(super) const JOB: &[Header] = &[
    text("Name"),
    text("Status"),
    text("Completions"),
    text("Duration"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object, TEMPLATE);
    let succeeded = number(object, "/status/succeeded");
    let completions = match (object.pointer("/spec/completions").and_then(Value::as_i64), number(object, "/spec/parallelism")) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    };
    vec![
        name(object),
        json!(job_status(object)),
        json!(completions),
        json!(job_duration(object, now)),
        age_of(object, now),
        json!(names),
        json!(images),
        json!(selector(object, "/spec/selector")),
    ]
}

fn job_status(job: &Value) -> &'static str {
    let holds = |kind: &str| {
        list(job, "/status/conditions").iter().any(|condition| string(condition, "/type") == kind && string(condition, "/status") == "True")
    };
    match () {
        () if holds("Complete") => "Complete",
        () if holds("Failed") => "Failed",
        () if !string(job, "/metadata/deletionTimestamp").is_empty() => "Terminating",
        () if holds("Suspended") => "Suspended",
        () if holds("FailureTarget") => "FailureTarget",
        () if holds("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn job_duration(job: &Value, now: Timestamp) -> String {
    let time = |pointer: &str| string(job, pointer).parse::<Timestamp>().ok();
    match (time("/status/startTime"), time("/status/completionTime")) {
        (None, _) => String::new(),
        (Some(start), end) => age::between(start, end.unwrap_or(now)),
    }
}

pub(super) const CRON_JOB: &[Header] = &[
    text("Name"),
    text("Schedule"),
    text("Timezone"),
    Header { name: "Suspend", kind: "boolean", priority: 0 },
    integer("Active"),
    text("Last Schedule"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn cron_job(object: &Value, now: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object, "/spec/jobTemplate/spec/template/spec/containers");
    let last =
        object.pointer("/status/lastScheduleTime").map_or_else(|| "<none>".to_owned(), |_| since(object, "/status/lastScheduleTime", now));
    vec![
        name(object),
        json!(string(object, "/spec/schedule")),
        json!(or_else(string(object, "/spec/timeZone").to_owned(), "<none>")),
        json!(object.pointer("/spec/suspend").and_then(Value::as_bool).map_or("<unset>", |on| if on { "True" } else { "False" })),
        json!(list(object, "/status/active").len()),
        json!(last),
        age_of(object, now),
        json!(names),
        json!(images),
        json!(selector(object, "/spec/jobTemplate/spec/selector")),
    ]
}

pub(super) const POD_TEMPLATE: &[Header] = &[text("Name"), text("Containers"), text("Images"), text("Pod Labels")];

pub(super) fn pod_template(object: &Value, _: Timestamp) -> Vec<Value> {
    let (names, images) = containers(object, "/template/spec/containers");
    vec![name(object), json!(names), json!(images), json!(labels(object.pointer("/template/metadata/labels")))]
}

pub(super) const CONTROLLER_REVISION: &[Header] = &[text("Name"), text("Controller"), integer("Revision"), text("Age")];

pub(super) fn controller_revision(object: &Value, now: Timestamp) -> Vec<Value> {
    let owner = list(object, "/metadata/ownerReferences").iter().find(|owner| owner.get("controller") == Some(&json!(true)));
    let controller = owner.map_or_else(
        || "<none>".to_owned(),
        |owner| {
            let group = string(owner, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
            let kind = string(owner, "/kind").to_lowercase();
            if group.is_empty() {
                format!("{kind}/{}", string(owner, "/name"))
            } else {
                format!("{kind}.{group}/{}", string(owner, "/name"))
            }
        },
    );
    vec![name(object), json!(controller), json!(number(object, "/revision")), age_of(object, now)]
}

pub(super) const DISRUPTION_BUDGET: &[Header] =
    &[text("Name"), text("Min Available"), text("Max Unavailable"), integer("Allowed Disruptions"), text("Age")];

pub(super) fn disruption_budget(object: &Value, now: Timestamp) -> Vec<Value> {
    let or_absent = |pointer: &str| or_else(plain_text(object.pointer(pointer)), "N/A");
    vec![
        name(object),
        json!(or_absent("/spec/minAvailable")),
        json!(or_absent("/spec/maxUnavailable")),
        json!(number(object, "/status/disruptionsAllowed")),
        age_of(object, now),
    ]
}

pub(super) const AUTOSCALER: &[Header] =
    &[text("Name"), text("Reference"), text("Targets"), text("MinPods"), text("MaxPods"), integer("Replicas"), text("Age")];

pub(super) fn autoscaler(object: &Value, now: Timestamp) -> Vec<Value> {
    let reference = format!("{}/{}", string(object, "/spec/scaleTargetRef/kind"), string(object, "/spec/scaleTargetRef/name"));
    vec![
        name(object),
        json!(reference),
        json!(autoscaler_targets(object)),
        json!(or_else(plain_text(object.pointer("/spec/minReplicas")), "<unset>")),
        json!(plain_text(object.pointer("/spec/maxReplicas"))),
        json!(number(object, "/status/currentReplicas")),
        age_of(object, now),
    ]
}

/// `cpu: 50%/80%` for up to two metrics, then how many more there are.
fn autoscaler_targets(object: &Value) -> String {
    let specs = list(object, "/spec/metrics");
    if specs.is_empty() {
        return "<none>".to_owned();
    }
    let current = list(object, "/status/currentMetrics");
    let shown: Vec<String> = specs.iter().take(2).enumerate().map(|(position, spec)| metric_target(spec, current.get(position))).collect();
    let more = specs.len().saturating_sub(2);
    if more > 0 { format!("{} + {more} more...", shown.join(", ")) } else { shown.join(", ") }
}

fn metric_target(spec: &Value, current: Option<&Value>) -> String {
    let (field, prefix) = match string(spec, "/type") {
        "Resource" => ("resource", format!("{}: ", string(spec, "/resource/name"))),
        "ContainerResource" => ("containerResource", format!("{}: ", string(spec, "/containerResource/name"))),
        "Pods" => ("pods", String::new()),
        "Object" => ("object", String::new()),
        "External" => ("external", String::new()),
        _ => return "<unknown type>".to_owned(),
    };
    let target = |name: &str| plain_text(spec.pointer(&format!("/{field}/target/{name}")));
    let now = |name: &str| {
        or_else(current.map(|current| plain_text(current.pointer(&format!("/{field}/current/{name}")))).unwrap_or_default(), "<unknown>")
    };
    let percent = |text: String| if text.starts_with('<') || text.is_empty() { text } else { format!("{text}%") };
    if !target("averageUtilization").is_empty() {
        return format!("{prefix}{}/{}", percent(now("averageUtilization")), percent(target("averageUtilization")));
    }
    if !target("averageValue").is_empty() {
        let suffix = if matches!(field, "object" | "external") { " (avg)" } else { "" };
        return format!("{prefix}{}/{}{suffix}", now("averageValue"), target("averageValue"));
    }
    format!("{prefix}{}/{}", now("value"), target("value"))
}
