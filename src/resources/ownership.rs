//! Whether we still own what we applied: the way to see that somebody changed a child of ours.
//!
//! Values cannot tell: the API server fills in defaults and rewrites quantities. But a field that others change is no
//! longer listed among the fields of our manager (`metadata.managedFields`).

use serde_json::Value;

/// Fields that identify an object; nobody owns them. A child is only seen as ours by its ownerReferences, so they are right.
const IDENTITY: [&str; 5] = ["name", "namespace", "uid", "resourceVersion", "ownerReferences"];

/// Every field that `wanted` sets is among `fields`: the `fieldsV1` of the entries of our manager.
pub fn owns(fields: &[Value], wanted: &Value) -> bool {
    let entries: Vec<&Value> = fields.iter().collect();
    let Some(object) = wanted.as_object() else { return false };
    object.iter().filter(|(key, _)| *key != "apiVersion" && *key != "kind").all(|(key, value)| {
        let below = children(&entries, &format!("f:{key}"));
        match value.as_object().filter(|_| key == "metadata") {
            Some(metadata) => {
                let mut named = metadata.iter().filter(|(field, _)| !IDENTITY.contains(&field.as_str()));
                named.all(|(field, value)| is_owned(&children(&below, &format!("f:{field}")), value))
            }
            None => is_owned(&below, value),
        }
    })
}

fn children<'a>(entries: &[&'a Value], key: &str) -> Vec<&'a Value> {
    entries.iter().filter_map(|entry| entry.get(key)).collect()
}

fn is_owned(entries: &[&Value], value: &Value) -> bool {
    // A leaf owns all that is below it: scalars, and maps and lists with one owner.
    if entries.iter().any(|entry| entry.as_object().is_some_and(serde_json::Map::is_empty)) {
        return true;
    }
    match value {
        _ if entries.is_empty() => is_nothing(value),
        Value::Object(object) => object.iter().all(|(key, value)| is_owned(&children(entries, &format!("f:{key}")), value)),
        Value::Array(items) => items.iter().all(|item| is_owned(&of_item(entries, item), item)),
        _ => true,
    }
}

/// Empty maps and lists are not stored, so nobody owns them.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    }
}

/// What the entries say about an item of a list: by its key fields, or by its value.
fn of_item<'a>(entries: &[&'a Value], item: &Value) -> Vec<&'a Value> {
    let listed = entries.iter().filter_map(|entry| entry.as_object()).flatten();
    listed.filter(|(key, _)| names(key, item)).map(|(_, below)| below).collect()
}

fn names(key: &str, item: &Value) -> bool {
    if let Some(text) = key.strip_prefix("v:") {
        return serde_json::from_str::<Value>(text).is_ok_and(|value| value == *item);
    }
    let Some(Ok(Value::Object(keys))) = key.strip_prefix("k:").map(serde_json::from_str) else { return false };
    keys.iter().all(|(field, value)| match item.get(field) {
        Some(given) => given == value,
        // The key that the API server fills in for a port.
        None => field == "protocol" && value == "TCP",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "a", "namespace": "b", "labels": {"x": "y", "z": "w"}},
            "spec": {"selector": {"a": "b"}, "ports": [{"port": 80, "name": "http"}], "externalIPs": []},
        })
    }

    fn fields() -> Value {
        json!({
            "f:metadata": {"f:labels": {"f:x": {}, "f:z": {}}},
            "f:spec": {"f:selector": {}, "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:name": {}}}},
        })
    }

    #[test]
    fn all_that_was_applied_is_owned() {
        assert!(owns(&[fields()], &wanted()));
    }

    #[test]
    fn fields_of_several_entries_add_up() {
        let spec = json!({"f:spec": fields()["f:spec"]});
        let metadata = json!({"f:metadata": fields()["f:metadata"]});
        assert!(owns(&[spec.clone(), metadata], &wanted()));
        assert!(!owns(&[spec], &wanted()));
    }

    #[test]
    fn each_field_that_others_took_is_noticed() {
        for pointer in ["/f:spec/f:selector", "/f:metadata/f:labels/f:x", "/f:spec/f:ports"] {
            let mut fields = fields();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            fields.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            assert!(!owns(&[fields], &wanted()), "{pointer}");
        }
        let mut fields = fields();
        fields["f:spec"]["f:ports"]["k:{\"port\":80,\"protocol\":\"TCP\"}"].as_object_mut().unwrap().remove("f:name");
        assert!(!owns(&[fields], &wanted()));
    }
}
