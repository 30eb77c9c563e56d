//! What the invariants look at: weights, ready pods and sizes, read from the store.

use std::collections::BTreeMap;

use modelward::sim::cluster::Commit;
use serde_json::Value;

use super::sight::Sight;

/// Both kinds of routes.
pub const ROUTES: [&str; 2] = ["httproutes.gateway.networking.k8s.io", "grpcroutes.gateway.networking.k8s.io"];
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
pub fn ready(cluster: &dyn Sight, namespace: &str, deployment: &str) -> BTreeMap<String, i32> {
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

/// The rules of a route.
pub fn rules(route: &Value) -> &[Value] {
    route.pointer("/spec/rules").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The rule is for requests with certain headers: a pin, and no part of the split.
pub fn is_pin(rule: &Value) -> bool {
    let matches = rule["matches"].as_array().into_iter().flatten();
    matches.into_iter().any(|wanted| wanted["headers"].as_array().is_some_and(|headers| !headers.is_empty()))
}

/// The mirrors of a route: to whom, and how much, percent.
pub fn mirrors(route: &Value) -> Vec<(String, i64)> {
    let filters = rules(route).iter().filter_map(|rule| rule["filters"].as_array()).flatten();
    let mirrors = filters.filter_map(|filter| filter.get("requestMirror"));
    let read = |mirror: &Value| {
        let name = mirror.pointer("/backendRef/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        (name, mirror.get("percent").and_then(Value::as_i64).unwrap_or(100))
    };
    mirrors.map(read).collect()
}

/// Weights that a route gives, by revision.
pub fn route_weights(route: &Value) -> BTreeMap<String, i32> {
    let mut weights = BTreeMap::new();
    for (revision, weight) in rules(route).iter().filter(|rule| !is_pin(rule)).flat_map(rule_weights) {
        *weights.entry(revision).or_insert(0) += i32::try_from(weight).unwrap();
    }
    weights
}

/// Weights that a route gives, by revision; each way to it beside the weights, a pin or a mirror, counts as one more percent.
pub fn route_reach(route: &Value) -> BTreeMap<String, i32> {
    let mut reach = route_weights(route);
    let pins = rules(route).iter().filter(|rule| is_pin(rule)).flat_map(rule_weights);
    for (revision, _) in pins.chain(mirrors(route)) {
        *reach.entry(revision).or_insert(0) += 1;
    }
    reach
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

/// The routes of a deployment: two while one takes over from the other.
pub fn routes(cluster: &dyn Sight, namespace: &str, deployment: &str) -> Vec<std::sync::Arc<Value>> {
    ROUTES.iter().filter_map(|kind| cluster.get(kind, namespace, deployment)).collect()
}

/// Who has how much of a deployment's traffic now.
pub fn weights(cluster: &dyn Sight, namespace: &str, deployment: &str) -> BTreeMap<String, i32> {
    shares(cluster, namespace, deployment, route_weights)
}

/// As [`weights`], with pins and mirrors.
pub fn reach(cluster: &dyn Sight, namespace: &str, deployment: &str) -> BTreeMap<String, i32> {
    shares(cluster, namespace, deployment, route_reach)
}

/// Of several routes the greatest share counts: requests come by each of them.
fn shares(cluster: &dyn Sight, namespace: &str, deployment: &str, of: fn(&Value) -> BTreeMap<String, i32>) -> BTreeMap<String, i32> {
    let routes = routes(cluster, namespace, deployment);
    if !routes.is_empty() {
        let mut shares = BTreeMap::new();
        for (revision, share) in routes.iter().flat_map(|route| of(route)) {
            let greatest = shares.entry(revision).or_insert(share);
            *greatest = share.max(*greatest);
        }
        return shares;
    }
    match cluster.get("services", namespace, deployment) {
        Some(service) => service_weights(&service, &ready(cluster, namespace, deployment)),
        None => BTreeMap::new(),
    }
}

/// Pods that each revision's Deployment asks for; those being deleted ask for none.
pub fn sizes(cluster: &dyn Sight, namespace: &str, deployment: &str) -> BTreeMap<String, i32> {
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
