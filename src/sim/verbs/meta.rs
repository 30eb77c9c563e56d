//! Reading and shaping `metadata`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// The fields of `ObjectMeta`.
pub(in crate::sim) const FIELDS: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// A text field of `metadata`; empty if absent.
pub(in crate::sim) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Sets a field of `metadata`, or removes it if the value is `null`.
pub(in crate::sim) fn set(object: &mut Value, field: &str, value: Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if value.is_null() {
        metadata.remove(field);
    } else {
        metadata.insert(field.to_owned(), value);
    }
}

/// Copies a field of `metadata` from another object, absence included.
pub(in crate::sim) fn copy(object: &mut Value, from: &Value, field: &str) {
    set(object, field, from["metadata"][field].clone());
}

/// Whether deletion has begun.
pub(in crate::sim) fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// The finalizers.
pub(in crate::sim) fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `metadata.generation`; 0 if absent.
pub(in crate::sim) fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or(0)
}

/// Drops what Go would not have written: nulls and empty values of known fields.
pub(in crate::sim) fn normalise(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    // An empty `managedFields` is an order to reset it, not an empty value.
    metadata.retain(|field, value| field == "managedFields" || !(FIELDS.contains(&field.as_str()) && is_empty(value)));
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Number(_) | Value::Bool(_) => false,
    }
}

/// The metadata map, made if it is absent.
pub(in crate::sim) fn ensure(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let map = object.as_object_mut()?;
    let metadata = map.entry("metadata").or_insert_with(|| json!({}));
    if metadata.is_null() {
        *metadata = json!({});
    }
    metadata.as_object_mut()
}

/// RFC 3339 with seconds, as `metav1.Time` is written.
pub(in crate::sim) fn time(at: Timestamp) -> String {
    // Truncation to the second, as the server does, not rounding.
    let seconds = Timestamp::from_second(at.as_second()).unwrap_or(at);
    seconds.to_string()
}

/// `time` after some seconds.
pub(in crate::sim) fn time_after(at: Timestamp, seconds: i64) -> String {
    time(at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at))
}

/// Removes repeated owner references; `true` if there were any.
pub(in crate::sim) fn dedup_owners(object: &mut Value) -> bool {
    let Some(owners) = object["metadata"].get_mut("ownerReferences").and_then(Value::as_array_mut) else { return false };
    let before = owners.len();
    let mut kept: Vec<Value> = Vec::with_capacity(before);
    for owner in owners.drain(..) {
        if !kept.contains(&owner) {
            kept.push(owner);
        }
    }
    *owners = kept;
    owners.len() < before
}
