//! What a strategy changes before validation: generation, status, fields that clients cannot write.

use serde_json::{Value, json};

use super::{Asked, engines, meta};
use crate::sim::kinds::{GenerationPolicy, Resource};

/// The status of a new object: what the server's type holds by value.
fn first_status(resource: &Resource, object: &Value) -> Value {
    if resource.storage_key == "customresourcedefinitions.apiextensions.k8s.io" {
        return crate::sim::kinds::crd::first_status(object);
    }
    resource.empty().and_then(|empty| empty.get("status")).cloned().unwrap_or_else(|| json!({}))
}

/// Prepares a new object.
pub(in crate::sim) fn on_create(resource: &Resource, object: &mut Value) {
    if resource.strategy.generation != GenerationPolicy::None {
        meta::set(object, "generation", json!(1));
    }
    if resource.custom {
        if resource.status {
            remove(object, "status");
        }
        return;
    }
    if resource.storage_key == "nodes" {
        // Kubelets may register with a status.
        ensure_field(object, "status", json!({}));
    } else if resource.strategy.status_reset {
        object["status"] = first_status(resource, object);
    }
    engines::prepare_for_create(resource, object);
    if resource.storage_key == "pods" {
        adopt_app_armor(object);
    }
}

/// AppArmor profiles in annotations become fields of their containers, unless those or the pod say the same already.
fn adopt_app_armor(pod: &mut Value) {
    let annotations = pod["metadata"]["annotations"].clone();
    let of_pod = pod["spec"]["securityContext"]["appArmorProfile"].clone();
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in pod.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let name = format!("container.apparmor.security.beta.kubernetes.io/{}", container["name"].as_str().unwrap_or_default());
            let profile = match annotations[&name].as_str() {
                Some("runtime/default") => json!({ "type": "RuntimeDefault" }),
                Some("unconfined") => json!({ "type": "Unconfined" }),
                Some(text) if text.starts_with("localhost/") => {
                    json!({ "type": "Localhost", "localhostProfile": text.trim_start_matches("localhost/") })
                }
                _ => continue,
            };
            if container["securityContext"]["appArmorProfile"].is_null() && of_pod != profile {
                container["securityContext"]["appArmorProfile"] = profile;
            }
        }
    }
}

/// Prepares a changed object: `new` keeps only what may be written through this door, the rest is as in `old`.
pub(in crate::sim) fn on_update(asked: &Asked<'_>, new: &mut Value, old: &Value) {
    let resource = &asked.resource;
    restore_system_fields(new, old);
    match asked.subresource {
        Some("status") => keep_all_but_status(resource, new, old),
        Some("finalize") => keep_all_but_finalizers(new, old),
        _ => {
            keep_status(resource, new, old);
            count_generation(resource, new, old);
        }
    }
}

/// Fields of metadata that the server keeps silently, whatever the client sends.
fn restore_system_fields(new: &mut Value, old: &Value) {
    for field in ["creationTimestamp", "generation", "selfLink"] {
        meta::copy(new, old, field);
    }
    if meta::text(new, "uid").is_empty() {
        meta::copy(new, old, "uid");
    }
    if meta::is_deleting(old) {
        meta::copy(new, old, "deletionTimestamp");
        if new["metadata"]["deletionGracePeriodSeconds"].is_null() {
            meta::copy(new, old, "deletionGracePeriodSeconds");
        }
    }
}

fn keep_status(resource: &Resource, new: &mut Value, old: &Value) {
    if resource.custom {
        if resource.status {
            copy_field(new, old, "status");
        }
    } else if resource.strategy.status_reset {
        copy_field(new, old, "status");
    }
    if resource.storage_key == "namespaces" {
        // Only `/finalize` writes the finalizers of the spec.
        copy_field(new, old, "spec");
    }
    if resource.storage_key == "customresourcedefinitions.apiextensions.k8s.io" {
        crate::sim::kinds::crd::note_stored_version(new);
    }
}

fn keep_all_but_status(resource: &Resource, new: &mut Value, old: &Value) {
    if resource.custom {
        let managed = new["metadata"]["managedFields"].clone();
        let revision = new["metadata"]["resourceVersion"].clone();
        let status = new["status"].take();
        *new = old.clone();
        meta::set(new, "managedFields", managed);
        meta::set(new, "resourceVersion", revision);
        remove(new, "status");
        if !status.is_null() {
            new["status"] = status;
        }
        return;
    }
    let kept: Vec<String> = old
        .as_object()
        .into_iter()
        .flatten()
        .map(|(field, _)| field)
        .filter(|field| !matches!(field.as_str(), "metadata" | "status"))
        .cloned()
        .collect();
    if let Some(fields) = new.as_object_mut() {
        fields.retain(|field, _| matches!(field.as_str(), "metadata" | "status"));
    }
    for field in kept {
        copy_field(new, old, &field);
    }
    ensure_field(new, "status", json!({}));
    match resource.storage_key.as_str() {
        "deployments.apps" => meta::copy(new, old, "labels"),
        "pods" => {
            meta::copy(new, old, "ownerReferences");
            if new["status"]["qosClass"].is_null() && old["status"]["qosClass"].is_string() {
                new["status"]["qosClass"] = old["status"]["qosClass"].clone();
            }
        }
        _ => {}
    }
}

fn keep_all_but_finalizers(new: &mut Value, old: &Value) {
    let finalizers = new["spec"]["finalizers"].clone();
    copy_field(new, old, "status");
    copy_field(new, old, "spec");
    let none = finalizers.as_array().is_none_or(Vec::is_empty);
    match new["spec"].as_object_mut() {
        Some(spec) if none => _ = spec.remove("finalizers"),
        Some(spec) => _ = spec.insert("finalizers".to_owned(), finalizers),
        None => {}
    }
}

fn count_generation(resource: &Resource, new: &mut Value, old: &Value) {
    let changed = match resource.strategy.generation {
        GenerationPolicy::None => return,
        GenerationPolicy::Spec => differs(new, old, false),
        GenerationPolicy::SpecOrAnnotations => differs(new, old, false) || new["metadata"]["annotations"] != old["metadata"]["annotations"],
        GenerationPolicy::Custom => differs(new, old, !resource.status),
    };
    if changed {
        meta::set(new, "generation", json!(meta::generation(old) + 1));
    }
}

/// Whether anything outside type and metadata differs; `status`: compare that too.
fn differs(new: &Value, old: &Value, status: bool) -> bool {
    let fields = |object: &'_ Value| -> Vec<(String, Value)> {
        let entries = object.as_object().into_iter().flatten();
        entries
            .filter(|(field, _)| !matches!(field.as_str(), "metadata" | "kind" | "apiVersion") && (status || *field != "status"))
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect()
    };
    fields(new) != fields(old)
}

fn copy_field(new: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(value) => new[field] = value.clone(),
        None => remove(new, field),
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

fn ensure_field(object: &mut Value, field: &str, value: Value) {
    if object[field].is_null() {
        object[field] = value;
    }
}
