//! What one object counts for in quotas.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Amounts;
use crate::sim::builtin::quantity::Quantity;
use crate::sim::kinds::Resource;
use crate::sim::verbs::meta;

/// Core kinds that quotas also count by their plain plural.
const COUNTED_PLAIN: [&str; 7] =
    ["configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"];

/// Amounts that an object uses, by the names that quotas give them.
pub fn of_object(resource: &Resource, object: &Value) -> Amounts {
    let mut amounts = Amounts::new();
    let one = Quantity::from_units(1);
    amounts.insert(format!("count/{}", resource.storage_key), one);
    if COUNTED_PLAIN.contains(&resource.storage_key.as_str()) {
        amounts.insert(resource.storage_key.clone(), one);
    }
    match resource.storage_key.as_str() {
        "pods" => of_pod(object, &mut amounts),
        "services" => of_service(object, &mut amounts),
        "persistentvolumeclaims" => of_claim(object, &mut amounts),
        _ => {}
    }
    amounts
}

/// Pods that have ended, or are past their grace, count for nothing.
pub(super) fn is_over(resource: &Resource, object: &Value, now: Timestamp) -> bool {
    if resource.storage_key != "pods" {
        return false;
    }
    let ended = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let end = meta::text(object, "deletionTimestamp").parse::<Timestamp>().ok();
    ended || end.is_some_and(|end| now.duration_since(end) > SignedDuration::ZERO)
}

/// All containers of a pod.
pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"].into_iter().flat_map(|list| pod["spec"][list].as_array().into_iter().flatten())
}

fn of_pod(pod: &Value, amounts: &mut Amounts) {
    for list in ["requests", "limits"] {
        for (name, amount) in reserved(pod, list) {
            let native = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
            if list == "requests" || native {
                amounts.insert(format!("{list}.{name}"), amount);
            }
            if list == "requests" && native {
                amounts.insert(name, amount);
            }
        }
    }
}

/// The sum of containers and sidecars or the largest init step, whichever is more, plus overhead.
fn reserved(pod: &Value, list: &str) -> Amounts {
    let mut sum = Amounts::new();
    let mut sidecars = Amounts::new();
    let mut peak = Amounts::new();
    for container in pod["spec"]["initContainers"].as_array().into_iter().flatten() {
        let own = super::amounts(&container["resources"][list]);
        if container["restartPolicy"] == "Always" {
            plus(&mut sidecars, &own);
            raise(&mut peak, &sidecars);
        } else {
            let mut step = sidecars.clone();
            plus(&mut step, &own);
            raise(&mut peak, &step);
        }
    }
    for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
        plus(&mut sum, &super::amounts(&container["resources"][list]));
    }
    plus(&mut sum, &sidecars);
    raise(&mut sum, &peak);
    for (name, amount) in super::amounts(&pod["spec"]["overhead"]) {
        if list == "requests" || sum.contains_key(&name) {
            *sum.entry(name).or_default() += amount;
        }
    }
    sum
}

fn plus(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *sum.entry(name.clone()).or_default() += *amount;
    }
}

fn raise(peak: &mut Amounts, step: &Amounts) {
    for (name, amount) in step {
        let own = peak.entry(name.clone()).or_default();
        *own = (*own).max(*amount);
    }
}

fn of_service(service: &Value, amounts: &mut Amounts) {
    let kind = service["spec"]["type"].as_str().unwrap_or("ClusterIP");
    let ports = service["spec"]["ports"].as_array().map_or(0, Vec::len) as i64;
    if kind == "LoadBalancer" {
        amounts.insert("services.loadbalancers".to_owned(), Quantity::from_units(1));
    }
    if matches!(kind, "LoadBalancer" | "NodePort") {
        amounts.insert("services.nodeports".to_owned(), Quantity::from_units(ports));
    }
}

fn of_claim(claim: &Value, amounts: &mut Amounts) {
    let storage = Quantity::from_json(&claim["spec"]["resources"]["requests"]["storage"]).unwrap_or_default();
    amounts.insert("requests.storage".to_owned(), storage);
    if let Some(class) = claim["spec"]["storageClassName"].as_str() {
        let prefix = format!("{class}.storageclass.storage.k8s.io");
        amounts.insert(format!("{prefix}/requests.storage"), storage);
        amounts.insert(format!("{prefix}/persistentvolumeclaims"), Quantity::from_units(1));
    }
}
