//! What the invariants look at: weights, ready pods and sizes, read from the store.

use std::collections::BTreeMap;

use modelward::sim::cluster::{Cluster, Commit};
use serde_json::Value;

pub const ROUTES: &str = "httproutes.gateway.networking.k8s.io";
pub const DEPLOYMENTS: &str = "modeldeployments.modelward.dev";

/// A label of an object.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// An annotation of an object.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// The ModelDeployment that an object belongs to, by label.
pub fn deployment_of(object: &Value) -> Option<&str> {
    label(object, "modelward.dev/deployment")
}

/// The object after a commit, or before it when it is gone.
pub fn object(commit: &Commit) -> Option<&Value> {
    commit.after.as_deref().or(commit.before.as_deref())
}

/// Ready pods of every revision of a deployment, those with none included if they have a pod.
pub fn ready(cluster: &Cluster, namespace: &str, deployment: &str) -> BTreeMap<String, i32> {
    let mut ready = BTreeMap::new();
    for pod in cluster.list("pods", Some(namespace)) {
        let (Some(owner), Some(revision)) = (deployment_of(&pod), label(&pod, "modelward.dev/revision")) else { continue };
        if owner != deployment {
            continue;
        }
        let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
        let is_ready = conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        let leaving = pod.pointer("/metadata/deletionTimestamp").is_some();
        *ready.entry(revision.to_owned()).or_insert(0) += i32::from(is_ready && !leaving);
    }
    ready
}

/// Backends of a rule with their weights.
pub fn rule_weights(rule: &Value) -> Vec<(String, i64)> {
    let backends = rule["backendRefs"].as_array().into_iter().flatten();
    let weight = |backend: &Value| backend.get("weight").and_then(Value::as_i64).unwrap_or(1);
    backends.map(|backend| (backend["name"].as_str().unwrap_or_default().to_owned(), weight(backend))).collect()
}

/// Weights that a route gives, by revision.
pub fn route_weights(route: &Value) -> BTreeMap<String, i32> {
    let rules = route.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    let mut weights = BTreeMap::new();
    for (revision, weight) in rules.flat_map(rule_weights) {
        *weights.entry(revision).or_insert(0) += i32::try_from(weight).unwrap();
    }
    weights
}

/// Weights that the stable Service gives: all to its pin, or shares by ready pods.
pub fn service_weights(service: &Value, ready: &BTreeMap<String, i32>) -> BTreeMap<String, i32> {
    let selector = service.pointer("/spec/selector");
    if let Some(pinned) = selector.and_then(|selector| selector.get("modelward.dev/revision")).and_then(Value::as_str) {
        return BTreeMap::from([(pinned.to_owned(), 100)]);
    }
    let all: i32 = ready.values().sum();
    ready.iter().map(|(revision, ready)| (revision.clone(), if all == 0 { 0 } else { ready * 100 / all })).collect()
}

/// Who has how much of a deployment's traffic now.
pub fn weights(cluster: &Cluster, namespace: &str, deployment: &str) -> BTreeMap<String, i32> {
    if let Some(route) = cluster.get(ROUTES, namespace, deployment) {
        return route_weights(&route);
    }
    match cluster.get("services", namespace, deployment) {
        Some(service) => service_weights(&service, &ready(cluster, namespace, deployment)),
        None => BTreeMap::new(),
    }
}

/// Pods that each revision's Deployment asks for; those being deleted ask for none.
pub fn sizes(cluster: &Cluster, namespace: &str, deployment: &str) -> BTreeMap<String, i32> {
    let workloads = cluster.list("deployments.apps", Some(namespace));
    let ours = workloads.iter().filter(|workload| deployment_of(workload) == Some(deployment));
    let living = ours.filter(|workload| workload.pointer("/metadata/deletionTimestamp").is_none());
    let size = |workload: &Value| i32::try_from(workload.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)).unwrap();
    living.filter_map(|workload| Some((label(workload, "modelward.dev/revision")?.to_owned(), size(workload)))).collect()
}

/// A number of seconds out of a Go-style duration such as `1h30m` or `500ms`.
pub fn seconds(text: &str) -> f64 {
    let mut total = 0.0;
    let mut number = String::new();
    let mut unit = String::new();
    for letter in text.chars().chain(std::iter::once('0')) {
        if letter.is_ascii_digit() {
            if !unit.is_empty() {
                let factor = match unit.as_str() {
                    "h" => 3_600.0,
                    "m" => 60.0,
                    "s" => 1.0,
                    _ => 0.001,
                };
                total += number.parse::<f64>().unwrap() * factor;
                number.clear();
                unit.clear();
            }
            number.push(letter);
        } else {
            unit.push(letter);
        }
    }
    total
}
