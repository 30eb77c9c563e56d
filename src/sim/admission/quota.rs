//! ResourceQuota: charges creates against `status.used`, and counts what a namespace uses.
//!
//! Admission only raises `used`; lowering it after deletions is the quota controller's work, with [`used`].

mod scopes;
mod usage;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub use self::usage::of_object;
use crate::sim::api_error::ApiError;
use crate::sim::builtin::quantity::Quantity;
use crate::sim::cluster::Cluster;
use crate::sim::kinds::Resource;
use crate::sim::store::ObjectKey;
use crate::sim::verbs::{Asked, errors, meta};

/// Amounts by resource name.
pub type Amounts = BTreeMap<String, Quantity>;

/// Resources that, when limited, every container must state.
const STATED: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// Charges an object that is about to be written (`old`: what it replaces) to the quotas of its namespace.
///
/// # Errors
/// 403 if a quota would be exceeded, has no status yet, or needs amounts that the object does not state.
pub(in crate::sim) fn charge(cluster: &mut Cluster, asked: &Asked<'_>, object: &Value, old: Option<&Value>) -> Result<(), ApiError> {
    let quotas: Vec<(String, Arc<Value>)> = cluster
        .store
        .range("resourcequotas", Some(asked.namespace))
        .map(|(place, entry)| (place.1.clone(), Arc::clone(&entry.served)))
        .filter(|(_, quota)| scopes::match_object(quota, &asked.resource, object))
        .collect();
    if quotas.is_empty() {
        return Ok(());
    }
    let asked_amounts = increase(&asked.resource, object, old);
    let mut changed = Vec::new();
    for (name, quota) in &quotas {
        if let Some(used) = check(asked, name, quota, object, &asked_amounts)? {
            changed.push((name, quota, used));
        }
    }
    if asked.options.dry_run {
        return Ok(());
    }
    for (name, quota, used) in changed {
        let mut written = (**quota).clone();
        written["status"]["used"] = Value::Object(used);
        cluster.write_as_server(&ObjectKey::new("resourcequotas", asked.namespace, name), quota, written);
    }
    Ok(())
}

/// What the objects of a namespace use of everything that a quota limits: its `status.used`, as a recount finds it.
pub fn used(cluster: &Cluster, namespace: &str, quota: &Value) -> Map<String, Value> {
    let limits = amounts(&quota["spec"]["hard"]);
    let mut total: Amounts = limits.keys().map(|name| (name.clone(), Quantity::ZERO)).collect();
    for resource in cluster.kinds().preferred().filter(|resource| resource.namespaced) {
        for (_, entry) in cluster.store().range(&resource.storage_key, Some(namespace)) {
            if usage::is_over(resource, &entry.served, cluster.now()) || !scopes::match_object(quota, resource, &entry.served) {
                continue;
            }
            add(&mut total, &usage::of_object(resource, &entry.served));
        }
    }
    to_json(&total)
}

/// What a write adds.
fn increase(resource: &Resource, object: &Value, old: Option<&Value>) -> Amounts {
    let mut amounts = usage::of_object(resource, object);
    let before = old.map(|old| usage::of_object(resource, old)).unwrap_or_default();
    for (name, amount) in before {
        *amounts.entry(name).or_default() -= amount;
    }
    amounts.retain(|_, amount| !amount.is_zero() && !amount.is_negative());
    amounts
}

/// The new `used` of one quota; `None` if the object adds nothing that it limits.
fn check(
    asked: &Asked<'_>,
    name: &str,
    quota: &Value,
    object: &Value,
    asked_amounts: &Amounts,
) -> Result<Option<Map<String, Value>>, ApiError> {
    let limits = amounts(&quota["spec"]["hard"]);
    let wanted: Amounts =
        asked_amounts.iter().filter(|(name, _)| limits.contains_key(*name)).map(|(name, amount)| (name.clone(), *amount)).collect();
    let forbidden = |message: String| Err(errors::forbidden(&asked.resource, meta::text(object, "name"), &message));
    if asked.is("pods")
        && let Some(missing) = missing_statements(&limits, object)
    {
        return forbidden(format!("failed quota: {name}: {missing}"));
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let used = amounts(&quota["status"]["used"]);
    if wanted.keys().any(|name| !used.contains_key(name)) {
        let names: Vec<&str> = wanted.keys().map(String::as_str).collect();
        return forbidden(format!("status unknown for quota: {name}, resources: {}", names.join(",")));
    }
    let mut after = used.clone();
    add(&mut after, &wanted);
    let exceeded: Vec<&String> = wanted.keys().filter(|name| after.get(*name) > limits.get(*name)).collect();
    if exceeded.is_empty() {
        return Ok(Some(to_json(&after)));
    }
    let only = |amounts: &Amounts| -> String {
        let shown = exceeded.iter().map(|name| format!("{name}={}", amounts.get(*name).copied().unwrap_or_default()));
        shown.collect::<Vec<_>>().join(",")
    };
    forbidden(format!("exceeded quota: {name}, requested: {}, used: {}, limited: {}", only(&wanted), only(&used), only(&limits)))
}

/// Which containers leave out an amount that is limited: `must specify requests.cpu for: c`.
fn missing_statements(limits: &Amounts, pod: &Value) -> Option<String> {
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for limited in STATED.iter().filter(|name| limits.contains_key(**name)) {
        let (list, name) = limited.split_once('.').unwrap_or(("requests", limited));
        for container in usage::containers(pod) {
            if container["resources"][list][name].is_null() {
                missing.entry(limited).or_default().push(container["name"].as_str().unwrap_or_default());
            }
        }
    }
    if missing.is_empty() {
        return None;
    }
    let sentences: Vec<String> = missing.iter().map(|(name, containers)| format!("{name} for: {}", containers.join(","))).collect();
    Some(format!("must specify {}", sentences.join("; ")))
}

fn amounts(quantities: &Value) -> Amounts {
    let entries = quantities.as_object().into_iter().flatten();
    // Malformed amounts cannot be stored: validation refuses them.
    entries.filter_map(|(name, value)| Some((name.clone(), Quantity::from_json(value).ok()?))).collect()
}

/// Adds amounts to those that are already named.
fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        if let Some(sum) = total.get_mut(name) {
            *sum += *amount;
        }
    }
}

fn to_json(amounts: &Amounts) -> Map<String, Value> {
    amounts.iter().map(|(name, amount)| (name.clone(), json!(amount.to_string()))).collect()
}
