//! Columns of the built-in kinds: headings and the function that fills a row.

mod cluster;
mod network;
mod pod;
mod workload;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;

/// Fills the cells of one row, in the order of the headings.
pub(super) type Row = fn(&Value, Timestamp) -> Vec<Value>;

/// One heading.
pub(super) struct Header {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) priority: i64,
}

const fn text(name: &'static str) -> Header {
    Header { name, kind: "string", priority: 0 }
}

const fn integer(name: &'static str) -> Header {
    Header { name, kind: "integer", priority: 0 }
}

/// A column that only wide output shows.
const fn wide(name: &'static str) -> Header {
    Header { name, kind: "string", priority: 1 }
}

/// The columns of a resource (`plural.group`); name and creation time for those without their own.
pub(super) fn printer(key: &str) -> (&'static [Header], Row) {
    match key {
        "pods" => (pod::HEADERS, pod::row),
        "deployments.apps" => (workload::DEPLOYMENT, workload::deployment),
        "replicasets.apps" => (workload::REPLICA_SET, workload::replica_set),
        "replicationcontrollers" => (workload::REPLICA_SET, workload::replica_set),
        "statefulsets.apps" => (workload::STATEFUL_SET, workload::stateful_set),
        "daemonsets.apps" => (workload::DAEMON_SET, workload::daemon_set),
        "jobs.batch" => (workload::JOB, workload::job),
        "cronjobs.batch" => (workload::CRON_JOB, workload::cron_job),
        "podtemplates" => (workload::POD_TEMPLATE, workload::pod_template),
        "controllerrevisions.apps" => (workload::CONTROLLER_REVISION, workload::controller_revision),
        "horizontalpodautoscalers.autoscaling" => (workload::AUTOSCALER, workload::autoscaler),
        "poddisruptionbudgets.policy" => (workload::DISRUPTION_BUDGET, workload::disruption_budget),
        "services" => (network::SERVICE, network::service),
        "endpoints" => (network::ENDPOINTS, network::endpoints),
        "endpointslices.discovery.k8s.io" => (network::ENDPOINT_SLICE, network::endpoint_slice),
        "ingresses.networking.k8s.io" => (network::INGRESS, network::ingress),
        "ingressclasses.networking.k8s.io" => (network::INGRESS_CLASS, network::ingress_class),
        "networkpolicies.networking.k8s.io" => (network::NETWORK_POLICY, network::network_policy),
        other => cluster::printer(other),
    }
}

/// The columns of kinds that have none of their own.
const PLAIN: &[Header] = &[text("Name"), Header { name: "Created At", kind: "date", priority: 0 }];

fn plain(object: &Value, _: Timestamp) -> Vec<Value> {
    vec![name(object), json!(string(object, "/metadata/creationTimestamp"))]
}

fn name(object: &Value) -> Value {
    json!(string(object, "/metadata/name"))
}

fn age_of(object: &Value, now: Timestamp) -> Value {
    json!(since(object, "/metadata/creationTimestamp", now))
}

fn since(object: &Value, pointer: &str, now: Timestamp) -> String {
    age::since_text(string(object, pointer), now)
}

fn string<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The size of a map.
fn size(object: &Value, pointer: &str) -> usize {
    object.pointer(pointer).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

/// Text of a number, text or flag; empty for anything else.
fn plain_text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Number(_) | Value::Bool(_))) => other.to_string(),
        _ => String::new(),
    }
}

fn or_else(text: String, fallback: &str) -> String {
    if text.is_empty() { fallback.to_owned() } else { text }
}

fn none_if_empty(text: String) -> Value {
    json!(or_else(text, "<none>"))
}

/// `a=1,b=2`, sorted by key; `<none>` if empty.
fn labels(map: Option<&Value>) -> String {
    let mut pairs: Vec<String> = map
        .and_then(Value::as_object)
        .map(|map| map.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect())
        .unwrap_or_default();
    pairs.sort();
    or_else(pairs.join(","), "<none>")
}

/// A label selector in one line, as `kubectl` writes it.
fn selector(object: &Value, pointer: &str) -> String {
    let Some(selector) = object.pointer(pointer) else { return "<none>".to_owned() };
    let mut parts: Vec<String> = Vec::new();
    if size(selector, "/matchLabels") > 0 {
        parts.push(labels(selector.get("matchLabels")));
    }
    for expression in list(selector, "/matchExpressions") {
        let key = string(expression, "/key");
        let values: Vec<&str> = list(expression, "/values").iter().filter_map(Value::as_str).collect();
        parts.push(match string(expression, "/operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    or_else(parts.join(","), "<none>")
}

/// Names and images of the containers of a pod template.
fn containers(object: &Value, pointer: &str) -> (String, String) {
    let all = list(object, pointer);
    let join = |field: &str| all.iter().map(|container| string(container, field)).collect::<Vec<_>>().join(",");
    (join("/name"), join("/image"))
}
