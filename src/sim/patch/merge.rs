//! JSON merge patch as the API server does it: RFC 7396, except that nulls vanish from every *new* sub-object, also inside
//! replaced lists.
//!
//! Takes the live object and the patch, gives the merged object. Knows no schema.

use serde_json::{Map, Value};

use super::go_kind;
use crate::sim::api_error::ApiError;

/// The merged object.
///
/// # Errors
/// 400 if the patch is not an object.
pub fn apply(live: &Value, patch: &Value) -> Result<Value, ApiError> {
    match patch {
        Value::Object(fields) => {
            let mut merged = live.clone();
            merge(&mut merged, fields);
            Ok(merged)
        }
        Value::Null => Err(ApiError::bad_request("Invalid JSON Patch")),
        other => Err(not_an_object(other)),
    }
}

/// The refusal of a patch body that must be an object.
pub(super) fn not_an_object(patch: &Value) -> ApiError {
    ApiError::bad_request(format!(
        "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
        go_kind(patch)
    ))
}

fn merge(target: &mut Value, patch: &Map<String, Value>) {
    let Value::Object(fields) = target else {
        *target = without_nulls(Value::Object(patch.clone()));
        return;
    };
    for (key, change) in patch {
        match (fields.get_mut(key), change) {
            (_, Value::Null) => drop(fields.remove(key)),
            (Some(current @ Value::Object(_)), Value::Object(inner)) => merge(current, inner),
            // The one place where nulls survive: a list that takes the place of an object.
            (Some(current @ Value::Object(_)), other) => *current = other.clone(),
            (_, other) => drop(fields.insert(key.clone(), without_nulls(other.clone()))),
        }
    }
}

/// Drops null fields of objects at any depth; null items of lists stay.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields.into_iter().filter(|(_, field)| !field.is_null()).map(|(key, field)| (key, without_nulls(field))).collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::apply;

    #[test]
    fn null_removes_objects_merge_and_lists_replace() {
        let live = json!({"a": 1, "b": {"c": 1, "d": 2}, "l": [1, 2]});
        let patch = json!({"a": null, "b": {"c": 5, "e": 6}, "l": [3], "gone": null});
        assert_eq!(apply(&live, &patch).unwrap(), json!({"b": {"c": 5, "d": 2, "e": 6}, "l": [3]}));
    }

    #[test]
    fn nulls_in_new_objects_vanish_also_inside_lists() {
        let patch = json!({"n": {"x": null, "y": {"z": null}}, "l": [null, {"q": null, "r": 1}], "s": {"t": null}});
        let merged = apply(&json!({"l": [0], "s": "text"}), &patch).unwrap();
        assert_eq!(merged, json!({"n": {"y": {}}, "l": [null, {"r": 1}], "s": {}}));
    }

    #[test]
    fn bodies_that_are_no_objects_are_bad_requests() {
        assert_eq!(apply(&json!({}), &json!(null)).unwrap_err().message, "Invalid JSON Patch");
        let error = apply(&json!({}), &json!([1])).unwrap_err();
        assert_eq!(error.code, 400);
        assert_eq!(error.message, "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}");
    }
}
