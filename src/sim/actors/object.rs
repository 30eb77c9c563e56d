//! Reading stored objects: small, total accessors over `serde_json::Value`.
//!
//! Takes objects as the store holds them; gives parts of them, with the API's meaning of "absent". Never writes, never
//! fails: a field of the wrong type reads as absent, because the door that stored it has validated it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The value at a path of field names.
pub fn at<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, field| value.get(field))
}

/// Text at a path; absent reads as empty, as in the API's Go types.
pub fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or("")
}

/// Whole number at a path.
pub fn int(object: &Value, path: &[&str]) -> Option<i64> {
    at(object, path).and_then(Value::as_i64)
}

/// Whole number at a path; absent reads as 0.
pub fn count(object: &Value, path: &[&str]) -> i64 {
    int(object, path).unwrap_or(0)
}

/// Boolean at a path; absent reads as false.
pub fn flag(object: &Value, path: &[&str]) -> bool {
    at(object, path).and_then(Value::as_bool).unwrap_or(false)
}

/// Items of the list at a path; absent and null read as empty.
pub fn items<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    at(object, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Entries of the map at a path.
pub fn map<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Map<String, Value>> {
    at(object, path).and_then(Value::as_object)
}

/// An RFC 3339 time at a path.
pub fn time(object: &Value, path: &[&str]) -> Option<Timestamp> {
    at(object, path).and_then(Value::as_str).and_then(|text| text.parse().ok())
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

/// `metadata.namespace`; empty for cluster-scoped objects.
pub fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

/// `metadata.uid`.
pub fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// `metadata.generation`; 0 where the kind has none.
pub fn generation(object: &Value) -> i64 {
    count(object, &["metadata", "generation"])
}

/// `metadata.labels`.
pub fn labels(object: &Value) -> Option<&Map<String, Value>> {
    map(object, &["metadata", "labels"])
}

/// One annotation.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    map(object, &["metadata", "annotations"])?.get(key)?.as_str()
}

/// One annotation that holds a number.
pub fn annotation_number(object: &Value, key: &str) -> Option<i64> {
    annotation(object, key)?.parse().ok()
}

/// `metadata.creationTimestamp`.
pub fn created(object: &Value) -> Option<Timestamp> {
    time(object, &["metadata", "creationTimestamp"])
}

/// Deletion was asked for and is being held up.
pub fn is_deleting(object: &Value) -> bool {
    at(object, &["metadata", "deletionTimestamp"]).is_some_and(|value| !value.is_null())
}

/// `metadata.finalizers` holds this one.
pub fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    items(object, &["metadata", "finalizers"]).iter().any(|item| item == finalizer)
}

/// The owner reference with `controller: true`.
pub fn controller(object: &Value) -> Option<&Value> {
    items(object, &["metadata", "ownerReferences"]).iter().find(|reference| flag(reference, &["controller"]))
}

/// The controller's uid if the controller is of this kind.
pub fn controller_uid<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    controller(object).filter(|reference| text(reference, &["kind"]) == kind).map(|reference| text(reference, &["uid"]))
}

/// The entry of `status.conditions` with this type.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(object, &["status", "conditions"]).iter().find(|condition| text(condition, &["type"]) == kind)
}

/// `status.conditions` has this type with status `True`.
pub fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| text(condition, &["status"]) == "True")
}

/// An owner reference to `owner` as controllers write it.
pub fn controller_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": text(owner, &["apiVersion"]), "kind": text(owner, &["kind"]),
        "name": name(owner), "uid": uid(owner), "controller": true, "blockOwnerDeletion": true,
    })
}

/// A time as `metav1.Time` writes it: whole seconds.
pub fn seconds_text(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// A time as `metav1.MicroTime` writes it: microseconds, always six digits.
pub fn micros_text(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// `namespace/name`, the key that actors queue objects under; cluster-scoped objects have an empty namespace.
pub fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// The parts of a [`key`].
pub fn split_key(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or(("", key))
}
