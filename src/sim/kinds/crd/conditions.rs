//! Conditions of a definition, and the steps that set them.

use serde_json::{Value, json};

use super::CLEANUP_FINALIZER;

/// Whether a condition has this status.
pub fn has_condition(definition: &Value, kind: &str, status: &str) -> bool {
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == kind && condition["status"] == status)
}

/// Sets a condition; its time moves only when its status does.
pub(super) fn set(definition: &mut Value, now: &str, kind: &str, status: &str, reason: &str, message: &str) {
    if !definition["status"]["conditions"].is_array() {
        definition["status"]["conditions"] = json!([]);
    }
    let generation = definition["metadata"]["generation"].clone();
    let Some(conditions) = definition["status"]["conditions"].as_array_mut() else { return };
    let known = conditions.iter().position(|condition| condition["type"] == kind);
    let since = known.map(|at| &conditions[at]).filter(|condition| condition["status"] == status);
    let since = since.map_or_else(|| json!(now), |condition| condition["lastTransitionTime"].clone());
    let mut condition = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
    });
    if let Some(generation) = generation.as_i64() {
        condition["observedGeneration"] = json!(generation);
    }
    match known {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
}

/// The definition once its resource is served.
pub fn with_established(definition: &Value, now: &str) -> Value {
    let mut established = definition.clone();
    set(&mut established, now, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted");
    established
}

/// The definition at the moment of its DELETE.
pub fn marked_for_deletion(definition: &Value, now: &str) -> Value {
    let mut marked = definition.clone();
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    set(&mut marked, now, "Terminating", "True", "InstanceDeletionPending", message);
    marked["metadata"]["deletionTimestamp"] = json!(now);
    marked["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    if !marked["metadata"]["finalizers"].is_array() {
        marked["metadata"]["finalizers"] = json!([]);
    }
    if let Some(finalizers) = marked["metadata"]["finalizers"].as_array_mut()
        && !finalizers.contains(&json!(CLEANUP_FINALIZER))
    {
        finalizers.push(json!(CLEANUP_FINALIZER));
    }
    marked
}

/// The definition while its instances are deleted.
pub fn with_cleanup_in_progress(definition: &Value, now: &str) -> Value {
    let mut changed = definition.clone();
    set(&mut changed, now, "Terminating", "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress");
    changed
}

/// The definition when no instance is left: the cleanup finalizer is gone.
pub fn with_cleanup_finished(definition: &Value, now: &str) -> Value {
    let mut changed = definition.clone();
    set(&mut changed, now, "Terminating", "False", "InstanceDeletionCompleted", "removed all instances");
    if let Some(finalizers) = changed["metadata"]["finalizers"].as_array_mut() {
        finalizers.retain(|name| name != CLEANUP_FINALIZER);
    }
    changed
}
