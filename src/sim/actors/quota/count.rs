//! What a ResourceQuota counts.
//!
//! Takes a quota's hard limits and objects; gives what they use. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::sim::actors::object::{at, int, items, map, text, time};
use crate::sim::actors::replica_set::order::has_ended;
use crate::sim::actors::resources::{Amounts, of_pod};
use crate::sim::builtin::quantity::Quantity;

/// Resources that older quotas name without `count/`, with the resource they count.
const NAMED: [(&str, &str); 7] = [
    ("pods", "pods"),
    ("services", "services"),
    ("configmaps", "configmaps"),
    ("secrets", "secrets"),
    ("persistentvolumeclaims", "persistentvolumeclaims"),
    ("replicationcontrollers", "replicationcontrollers"),
    ("resourcequotas", "resourcequotas"),
];

/// The resource (`plural.group`) whose objects a limit is about.
pub fn resource_of(limit: &str) -> &str {
    if let Some(counted) = limit.strip_prefix("count/") {
        return counted;
    }
    if limit.starts_with("services.") {
        return "services";
    }
    if limit == "requests.storage" || limit.contains("storageclass.storage.k8s.io/") {
        return "persistentvolumeclaims";
    }
    NAMED.iter().find(|(named, _)| *named == limit).map_or("pods", |(_, resource)| resource)
}

/// A pod counts until it has ended or its grace has passed.
pub fn pod_counts(pod: &Value, now: Timestamp) -> bool {
    // deletionTimestamp is the end of the grace period, not its beginning.
    let overdue = time(pod, &["metadata", "deletionTimestamp"]).is_some_and(|end| end < now);
    !has_ended(pod) && !overdue
}

/// What `objects` (of the limit's resource) use of one limit.
pub fn used(limit: &str, objects: &[Arc<Value>]) -> Quantity {
    let number = |count: usize| Quantity::from_units(i64::try_from(count).unwrap_or(i64::MAX));
    let service_kind = |kind: &'static str| move |service: &&Arc<Value>| text(service, &["spec", "type"]) == kind;
    match limit {
        "services.loadbalancers" => number(objects.iter().filter(service_kind("LoadBalancer")).count()),
        "services.nodeports" => number(objects.iter().map(|service| node_ports(service)).sum()),
        "requests.storage" => storage(objects.iter()),
        _ if limit.contains(".storageclass.storage.k8s.io/") => of_storage_class(limit, objects),
        _ if limit.starts_with("count/") || NAMED.iter().any(|(named, _)| *named == limit) => number(objects.len()),
        _ => objects.iter().map(|pod| pod_amount(limit, pod)).sum(),
    }
}

fn node_ports(service: &Value) -> usize {
    items(service, &["spec", "ports"]).iter().filter(|port| int(port, &["nodePort"]).is_some_and(|port| port > 0)).count()
}

fn storage<'a>(claims: impl Iterator<Item = &'a Arc<Value>>) -> Quantity {
    claims.map(|claim| Amounts::of(map(claim, &["spec", "resources", "requests"])).get("storage")).sum()
}

/// `<class>.storageclass.storage.k8s.io/<what>`.
fn of_storage_class(limit: &str, claims: &[Arc<Value>]) -> Quantity {
    let (class, what) = limit.split_once(".storageclass.storage.k8s.io/").unwrap_or((limit, ""));
    let of_class = claims.iter().filter(|claim| text(claim, &["spec", "storageClassName"]) == class);
    if what == "requests.storage" { storage(of_class) } else { Quantity::from_units(i64::try_from(of_class.count()).unwrap_or(i64::MAX)) }
}

/// `cpu`, `requests.cpu`, `limits.memory`, `requests.nvidia.com/gpu`, ...
fn pod_amount(limit: &str, pod: &Value) -> Quantity {
    match (limit.strip_prefix("requests."), limit.strip_prefix("limits.")) {
        (Some(name), _) => of_pod(pod, "requests").get(name),
        (None, Some(name)) => of_pod(pod, "limits").get(name),
        (None, None) => of_pod(pod, "requests").get(limit),
    }
}

/// The quota's scopes take this pod.
pub fn in_scope(quota: &Value, pod: &Value) -> bool {
    let plain = items(quota, &["spec", "scopes"]).iter().filter_map(Value::as_str).all(|scope| scope_takes(scope, pod));
    let expressions = items(quota, &["spec", "scopeSelector", "matchExpressions"]);
    plain && expressions.iter().all(|expression| expression_takes(expression, pod))
}

fn scope_takes(scope: &str, pod: &Value) -> bool {
    let terminating = int(pod, &["spec", "activeDeadlineSeconds"]).is_some();
    let best_effort = of_pod(pod, "requests").0.is_empty() && of_pod(pod, "limits").0.is_empty();
    match scope {
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "PriorityClass" => !text(pod, &["spec", "priorityClassName"]).is_empty(),
        "CrossNamespacePodAffinity" => crosses_namespaces(pod),
        _ => false,
    }
}

fn crosses_namespaces(pod: &Value) -> bool {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let terms = ["podAffinity", "podAntiAffinity"].into_iter().flat_map(|kind| items(pod, &["spec", "affinity", kind, required]));
    terms.into_iter().any(|term| !items(term, &["namespaces"]).is_empty() || at(term, &["namespaceSelector"]).is_some())
}

fn expression_takes(expression: &Value, pod: &Value) -> bool {
    let scope = text(expression, &["scopeName"]);
    if scope != "PriorityClass" {
        return scope_takes(scope, pod);
    }
    let class = text(pod, &["spec", "priorityClassName"]);
    let listed = items(expression, &["values"]).iter().any(|value| value == class);
    match text(expression, &["operator"]) {
        "In" => listed,
        "NotIn" => !listed,
        "DoesNotExist" => class.is_empty(),
        _ => !class.is_empty(),
    }
}

/// What is used of every hard limit; `objects` gives those of a resource.
pub fn usage(quota: &Value, now: Timestamp, objects: impl Fn(&str) -> Vec<Arc<Value>>) -> BTreeMap<String, Quantity> {
    let limits = map(quota, &["spec", "hard"]).into_iter().flatten();
    let count = |limit: &String| {
        let resource = resource_of(limit);
        let mut counted = objects(resource);
        if resource == "pods" && limit != "count/pods" {
            counted.retain(|pod| pod_counts(pod, now) && in_scope(quota, pod));
        }
        used(limit, &counted)
    };
    limits.map(|(limit, _)| (limit.clone(), count(limit))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(cpu: &str) -> Arc<Value> {
        Arc::new(json!({ "spec": { "containers": [{ "resources": { "requests": { "cpu": cpu, "nvidia.com/gpu": 2 } } }] } }))
    }

    fn usage_of(hard: Value, pods: &[Arc<Value>]) -> BTreeMap<String, String> {
        let quota = json!({ "spec": { "hard": hard } });
        let objects = |resource: &str| if resource == "pods" { pods.to_vec() } else { vec![Arc::new(json!({}))] };
        usage(&quota, Timestamp::UNIX_EPOCH, objects).into_iter().map(|(limit, used)| (limit, used.to_string())).collect()
    }

    #[test]
    fn objects_requests_and_extended_resources_are_counted() {
        let hard = json!({ "pods": 9, "requests.cpu": 9, "cpu": 9, "requests.nvidia.com/gpu": 9, "count/deployments.apps": 9, "limits.memory": 9 });
        let used = usage_of(hard, &[pod("500m"), pod("1")]);
        let expected = [
            ("count/deployments.apps", "1"),
            ("cpu", "1500m"),
            ("limits.memory", "0"),
            ("pods", "2"),
            ("requests.cpu", "1500m"),
            ("requests.nvidia.com/gpu", "4"),
        ];
        assert_eq!(used, expected.map(|(limit, amount)| (limit.to_owned(), amount.to_owned())).into());
    }

    #[test]
    fn pods_that_have_ended_do_not_count() {
        let mut ended = Value::clone(&pod("1"));
        ended["status"] = json!({ "phase": "Failed" });
        assert_eq!(usage_of(json!({ "pods": 9 }), &[Arc::new(ended), pod("1")])["pods"], "1");
    }

    #[test]
    fn scopes_choose_pods() {
        let quota = json!({ "spec": { "scopes": ["BestEffort"] } });
        assert!(!in_scope(&quota, &pod("1")));
        assert!(in_scope(&quota, &json!({ "spec": { "containers": [{}] } })));
        let expression = json!({ "scopeName": "PriorityClass", "operator": "In", "values": ["high"] });
        let quota = json!({ "spec": { "scopeSelector": { "matchExpressions": [expression] } } });
        assert!(in_scope(&quota, &json!({ "spec": { "priorityClassName": "high" } })));
        assert!(!in_scope(&quota, &json!({ "spec": { "priorityClassName": "low" } })));
    }
}
