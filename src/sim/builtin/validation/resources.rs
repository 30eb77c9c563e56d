//! Amounts of resources: requests and limits of containers, quotas, devices.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::check::{Causes, NOT_NEGATIVE, join, key};
use crate::sim::builtin::json::entries;
use crate::sim::builtin::names::qualified;
use crate::sim::builtin::quantity::Quantity;

/// `resources` of a container.
pub fn container(c: &mut Causes, resources: &Value, at: &str) {
    let limits = amounts(c, resources, at, "limits");
    let requests = amounts(c, resources, at, "requests");
    let requests_at = join(at, "requests");
    for (name, request) in &requests {
        match limits.get(name) {
            Some(limit) if exclusive(name) && request != limit => {
                c.invalid(requests_at.clone(), &json!(request.to_string()), format!("must be equal to {name} limit of {limit}"));
            }
            Some(limit) if request > limit => {
                c.invalid(
                    requests_at.clone(),
                    &json!(request.to_string()),
                    format!("must be less than or equal to {name} limit of {limit}"),
                );
            }
            None if exclusive(name) => c.required(join(at, "limits"), "Limit must be set for non overcommitable resources"),
            _ => {}
        }
    }
}

fn amounts<'a>(c: &mut Causes, resources: &'a Value, at: &str, kind: &str) -> BTreeMap<&'a str, Quantity> {
    let at = join(at, kind);
    let mut parsed = BTreeMap::new();
    for (name, amount) in entries(resources, kind) {
        let place = key(&at, name);
        container_resource_name(c, name, &place);
        if let Some(quantity) = checked_amount(c, name, amount, &place) {
            parsed.insert(name.as_str(), quantity);
        }
    }
    parsed
}

/// A non-negative amount, whole for resources that cannot be divided.
pub fn checked_amount(c: &mut Causes, name: &str, amount: &Value, at: &str) -> Option<Quantity> {
    let quantity = match Quantity::from_json(amount) {
        Ok(quantity) => quantity,
        Err(why) => {
            c.invalid(at, amount, why);
            return None;
        }
    };
    if quantity.is_negative() {
        c.invalid(at, &json!(quantity.to_string()), NOT_NEGATIVE);
    }
    if indivisible(name) && !quantity.is_integer() {
        c.invalid(at, &json!(quantity.to_string()), "must be an integer");
    }
    Some(quantity)
}

const STANDARD_CONTAINER: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Names without a domain; those that end in `-` or `/` stand for all names that start so.
const STANDARD: [&str; 26] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
    "services.clusterips",
    "attachable-volumes-",
    "hugepages-",
    "requests.hugepages-",
    "limits.hugepages-",
    "count/",
];

/// A resource that a container can ask for.
pub fn container_resource_name(c: &mut Causes, name: &str, at: &str) {
    let problems = qualified(name);
    if !problems.is_empty() {
        c.problems(at, &json!(name), problems);
        return;
    }
    if name.contains('/') || STANDARD_CONTAINER.contains(&name) || name.starts_with("hugepages-") {
        return;
    }
    if STANDARD.contains(&name) {
        c.invalid(at, &json!(name), "must be a standard resource for containers");
    } else {
        c.invalid(at, &json!(name), "must be a standard resource type or fully qualified");
        c.invalid(at, &json!(name), "must be a standard resource for containers");
    }
}

/// Resource names in quotas: standard ones, or fully qualified.
pub fn quota_resource_name(c: &mut Causes, name: &str, at: &str) {
    let problems = qualified(name);
    let bare_count = name.starts_with("count/");
    if !problems.is_empty() && !bare_count {
        c.problems(at, &json!(name), problems);
    } else if !name.contains('/') && !is_standard(name) {
        c.invalid(at, &json!(name), "must be a standard resource type or fully qualified");
        c.invalid(at, &json!(name), "must be a standard resource for quota");
    }
}

fn is_standard(name: &str) -> bool {
    STANDARD.iter().any(|known| *known == name || known.ends_with(['-', '/']) && name.starts_with(known))
}

/// Whether a resource cannot be shared out: devices and huge pages, whose requests equal their limits.
pub fn exclusive(name: &str) -> bool {
    name.starts_with("hugepages-") || is_extended(name)
}

/// Devices and other resources with a domain of their own, such as `nvidia.com/gpu`.
pub fn is_extended(name: &str) -> bool {
    let native = name.split_once('/').is_none_or(|(domain, _)| domain == "kubernetes.io" || domain.ends_with(".kubernetes.io"));
    !native && !name.starts_with("requests.")
}

fn indivisible(name: &str) -> bool {
    const COUNTED: [&str; 10] = [
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
        "services.clusterips",
    ];
    is_extended(name)
        || COUNTED.contains(&name)
        || name.starts_with("count/")
        || name.strip_prefix("requests.").is_some_and(|device| device.contains('/'))
}
