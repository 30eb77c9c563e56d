//! Merges a user's overlay into a pod spec, the way people know it from strategic merge patches.
//!
//! Maps merge key by key; lists of named things merge item by item; all other values and lists are replaced; `null`
//! removes. Items of the overlay that are new come last.

use serde_json::{Map, Value};

/// Lists whose items are told apart by a field.
const KEYED: [(&str, &str); 12] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ports", "containerPort"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("resourceClaims", "name"),
];

/// Merges `overlay` into `base`.
pub fn merge(base: &mut Map<String, Value>, overlay: &Map<String, Value>) {
    for (field, over) in overlay {
        match (base.get_mut(field), over) {
            (_, Value::Null) => {
                base.remove(field);
            }
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            (Some(Value::Array(under)), Value::Array(over)) if key_of(field).is_some() => {
                merge_list(under, over, key_of(field).unwrap_or_default())
            }
            (_, over) => {
                base.insert(field.clone(), without_nulls(over));
            }
        }
    }
}

fn key_of(field: &str) -> Option<&'static str> {
    KEYED.iter().find(|(list, _)| *list == field).map(|(_, key)| *key)
}

fn merge_list(base: &mut Vec<Value>, overlay: &[Value], key: &str) {
    for item in overlay {
        let same = base.iter_mut().find(|candidate| candidate.get(key).is_some() && candidate.get(key) == item.get(key));
        match (same, item) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            (_, item) => base.push(without_nulls(item)),
        }
    }
}

/// A value that is new has nothing that a `null` could remove.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), without_nulls(value))).collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(base: Value, overlay: Value) -> Value {
        let (Value::Object(mut base), Value::Object(overlay)) = (base, overlay) else { panic!("objects") };
        merge(&mut base, &overlay);
        Value::Object(base)
    }

    #[test]
    fn containers_merge_by_name_and_new_ones_come_last() {
        let base = json!({"containers": [{"name": "model", "image": "a", "env": [{"name": "X", "value": "1"}]}]});
        let overlay = json!({"containers": [{"name": "proxy", "image": "p"}, {"name": "model", "env": [{"name": "Y", "value": "2"}]}]});
        let env = json!([{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]);
        let expected = json!({"containers": [{"name": "model", "image": "a", "env": env}, {"name": "proxy", "image": "p"}]});
        assert_eq!(merged(base, overlay), expected);
    }

    #[test]
    fn null_removes_and_other_lists_are_replaced() {
        let base = json!({"a": {"b": 1, "c": 2}, "tolerations": [{"key": "x"}]});
        let overlay = json!({"a": {"b": null}, "tolerations": [{"key": "y"}], "d": {"e": null}});
        assert_eq!(merged(base, overlay), json!({"a": {"c": 2}, "tolerations": [{"key": "y"}], "d": {}}));
    }
}
