//! Pod Security admission: the levels that the labels of a namespace ask for.
//!
//! Takes pods, templates of workloads and namespaces that are about to be written; refuses pods that violate the level to
//! `enforce`, warns of what violates the level to `warn`, and of pods that a new level would refuse. Labels to `audit` are
//! validated and have no effect: there is no audit log. Levels are the Pod Security Standards, in all their versions; a
//! version of the future is the newest. Updates are looked at where the server looks: images, and annotations of profiles.

mod baseline;
mod checks;
mod policy;
mod restricted;
mod view;

use std::collections::BTreeMap;

use serde_json::Value;

use self::checks::Violation;
use self::policy::{Level, LevelVersion, Policy};
use self::view::{PodView, quoted};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;
use crate::sim::kinds::Resource;
use crate::sim::store::ObjectKey;
use crate::sim::verbs::{errors, meta};

/// Annotations that change what a pod may do.
const PROFILE_ANNOTATIONS: [&str; 3] = [
    "seccomp.security.alpha.kubernetes.io/pod",
    "container.seccomp.security.alpha.kubernetes.io/",
    "container.apparmor.security.beta.kubernetes.io/",
];

/// Looks at an object that is about to be created (`old` absent) or replaced; gives warnings.
///
/// # Errors
/// 403 for a pod that violates the level of its namespace, 422 for labels of a namespace that say nothing.
pub(in crate::sim) fn review(
    cluster: &Cluster,
    resource: &Resource,
    namespace: &str,
    object: &Value,
    old: Option<&Value>,
) -> Result<Vec<String>, ApiError> {
    if resource.storage_key == "namespaces" {
        return review_namespace(cluster, resource, object, old);
    }
    let Some(template) = template(&resource.storage_key, object) else { return Ok(Vec::new()) };
    let is_pod = resource.storage_key == "pods";
    if !template["spec"].is_object() || is_pod && old.is_some_and(|old| !is_significant(object, old)) {
        return Ok(Vec::new());
    }
    let Some(policy) = policy_of(cluster, namespace) else { return Ok(Vec::new()) };
    if is_pod {
        let violations = violations(policy.enforce, object);
        if !violations.is_empty() {
            let message = format!("violates PodSecurity {}: {}", quoted(&policy.enforce.to_string()), with_details(&violations));
            return Err(errors::forbidden(resource, meta::text(object, "name"), &message));
        }
    }
    let violations = violations(policy.warn, template);
    if violations.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![format!("would violate PodSecurity {}: {}", quoted(&policy.warn.to_string()), with_details(&violations))])
}

/// The part of an object that is a pod, or will become pods.
fn template<'a>(storage_key: &str, object: &'a Value) -> Option<&'a Value> {
    match storage_key {
        "pods" => Some(object),
        "podtemplates" => Some(&object["template"]),
        "cronjobs.batch" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]),
        "replicationcontrollers" | "replicasets.apps" | "deployments.apps" | "statefulsets.apps" | "daemonsets.apps" | "jobs.batch" => {
            Some(&object["spec"]["template"])
        }
        _ => None,
    }
}

fn policy_of(cluster: &Cluster, namespace: &str) -> Option<Policy> {
    let namespace = cluster.object(&ObjectKey::new("namespaces", "", namespace))?;
    Some(Policy::of(&namespace["metadata"]["labels"]).0)
}

fn violations(wanted: LevelVersion, pod: &Value) -> Vec<Violation> {
    checks::violations(wanted, &PodView::of(&pod["metadata"], &pod["spec"]))
}

fn with_details(violations: &[Violation]) -> String {
    let said: Vec<String> = violations.iter().map(|violation| format!("{} ({})", violation.reason, violation.detail)).collect();
    said.join(", ")
}

/// Whether an update of a pod may change what it is allowed to do.
fn is_significant(new: &Value, old: &Value) -> bool {
    let images = |pod: &Value| -> Vec<Value> {
        let of = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
        ["initContainers", "containers", "ephemeralContainers"].iter().flat_map(|field| of(field)).map(|one| one["image"].clone()).collect()
    };
    let profiles = |pod: &Value| -> BTreeMap<String, Value> {
        let all = pod["metadata"]["annotations"].as_object().into_iter().flatten();
        let known = |name: &str| PROFILE_ANNOTATIONS.iter().any(|known| name.starts_with(known));
        all.filter(|(name, _)| known(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    images(new) != images(old) || profiles(new) != profiles(old)
}

fn review_namespace(cluster: &Cluster, resource: &Resource, new: &Value, old: Option<&Value>) -> Result<Vec<String>, ApiError> {
    let name = meta::text(new, "name");
    let (policy, mistakes) = Policy::of(&new["metadata"]["labels"]);
    if !mistakes.is_empty() {
        return Err(errors::invalid(resource, name, &mistakes));
    }
    let Some(old) = old else { return Ok(Vec::new()) };
    let (enforce, before) = (policy.enforce, Policy::of(&old["metadata"]["labels"]).0.enforce);
    let relaxed = enforce.version == before.version && enforce.level <= before.level;
    if enforce == before || enforce.level == Level::Privileged || relaxed {
        return Ok(Vec::new());
    }
    Ok(warnings_of_pods(cluster, name, enforce))
}

/// What present pods would be refused for, gathered by reason.
fn warnings_of_pods(cluster: &Cluster, namespace: &str, enforce: LevelVersion) -> Vec<String> {
    let mut found: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for pod in cluster.list("pods", Some(namespace)) {
        let violations = violations(enforce, &pod);
        if !violations.is_empty() {
            let reasons: Vec<&str> = violations.iter().map(|violation| violation.reason).collect();
            let first = || (meta::text(&pod, "name").to_owned(), 0);
            found.entry(reasons.join(", ")).or_insert_with(first).1 += 1;
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    let level = quoted(&enforce.to_string());
    let mut warnings = vec![format!("existing pods in namespace {} violate the new PodSecurity enforce level {level}", quoted(namespace))];
    let mut by_pod: Vec<(String, String)> = found.into_iter().map(|(reasons, (pod, count))| (pod, counted(count) + &reasons)).collect();
    by_pod.sort();
    warnings.extend(by_pod.into_iter().map(|(pod, rest)| pod + &rest));
    warnings
}

/// What follows the name of the first of so many pods.
fn counted(count: usize) -> String {
    match count {
        1 => ": ".to_owned(),
        2 => " (and 1 other pod): ".to_owned(),
        _ => format!(" (and {} other pods): ", count - 1),
    }
}

#[cfg(test)]
mod tests;
