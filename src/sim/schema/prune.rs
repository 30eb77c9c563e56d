//! Fields that the schema does not know: finding and removing them; nulls that mean "absent".
//!
//! Takes a schema whose root has `apiVersion`, `kind` and `metadata` declared. Never looks at values otherwise.

use serde_json::{Map, Value};

use super::path::{Path, Step};
use super::{Kind, Schema};

/// Removes undeclared fields, also inside lists, maps and embedded resources.
pub fn prune(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if keeps_all(schema) {
                // Declared fields below are pruned again, as the server switches back on `properties`.
                fields.iter_mut().for_each(|(name, field)| child(schema, name).into_iter().for_each(|schema| prune(schema, field)));
                return;
            }
            fields.retain(|name, _| child(schema, name).is_some());
            fields.iter_mut().for_each(|(name, field)| child(schema, name).into_iter().for_each(|schema| prune(schema, field)));
        }
        Value::Array(items) => match &schema.items {
            Some(schema) => items.iter_mut().for_each(|item| prune(schema, item)),
            None if keeps_all(schema) => {}
            None => items.iter_mut().for_each(|item| prune(&Schema::default(), item)),
        },
        _ => {}
    }
}

/// Paths of undeclared fields as `fieldValidation` names them, such as `spec.items[0].foo`, in document order.
pub fn unknown_fields(schema: &Schema, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(schema, value, &Path::root(""), &mut found);
    found
}

fn collect(schema: &Schema, value: &Value, path: &Path<'_>, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let here = path.child(Step::Field(name));
                match child(schema, name) {
                    Some(schema) => collect(schema, field, &here, found),
                    None if keeps_all(schema) => {}
                    None => found.push(here.dotted()),
                }
            }
        }
        Value::Array(items) => {
            let anything = Schema::default();
            let item_schema = match &schema.items {
                Some(items) => items.as_ref(),
                None if keeps_all(schema) => return,
                None => &anything,
            };
            for (index, item) in items.iter().enumerate() {
                collect(item_schema, item, &path.child(Step::Index(index)), found);
            }
        }
        _ => {}
    }
}

/// Drops nulls of fields that are neither nullable nor have a default, as the server does after pruning.
pub fn drop_nulls(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            drop_null_fields(schema, fields);
            fields.iter_mut().for_each(|(name, field)| child(schema, name).into_iter().for_each(|schema| drop_nulls(schema, field)));
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                items.iter_mut().for_each(|item| drop_nulls(schema, item));
            }
        }
        _ => {}
    }
}

fn drop_null_fields(schema: &Schema, fields: &mut Map<String, Value>) {
    fields.retain(|name, field| {
        let declared = child(schema, name);
        !field.is_null() || declared.is_none_or(|schema| schema.nullable || schema.default.is_some() || schema.kind == Kind::Any)
    });
}

/// The schema of a field or map entry.
fn child<'a>(schema: &'a Schema, name: &str) -> Option<&'a Schema> {
    schema.properties.get(name).or(schema.additional.as_ref()).map(AsRef::as_ref)
}

fn keeps_all(schema: &Schema) -> bool {
    schema.preserve_unknown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sim::schema::structural::parse;

    fn schema() -> Schema {
        parse(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "a": {"type": "integer"},
            "null": {"type": "string", "nullable": true},
            "defaulted": {"type": "string", "default": "d"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"y": {"type": "string"}}}},
            "anything": {"type": "object", "additionalProperties": true},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"shut": {"type": "object", "properties": {"z": {"type": "string"}}}}},
            "pod": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}}},
        }}}})).unwrap()
    }

    #[test]
    fn undeclared_fields_go_and_open_parts_stay() {
        let mut value = json!({"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n", "bogus": 1}, "extra": 1, "spec": {
            "a": 1, "b": 2, "list": [{"x": "1", "w": 2}], "map": {"k": {"y": "1", "w": 2}}, "anything": {"s": 1, "o": {"gone": 1}},
            "open": {"free": {"deep": 1}, "shut": {"z": "1", "w": 2}},
            "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "bogus": 1}, "spec": {"n": 1, "m": 2}, "status": {}},
        }});
        let unknown = [
            "extra",
            "metadata.bogus",
            "spec.anything.o.gone",
            "spec.b",
            "spec.list[0].w",
            "spec.map.k.w",
            "spec.open.shut.w",
            "spec.pod.metadata.bogus",
            "spec.pod.spec.m",
            "spec.pod.status",
        ];
        let mut found = unknown_fields(&schema(), &value);
        found.sort();
        assert_eq!(found, unknown);
        prune(&schema(), &mut value);
        assert_eq!(
            value,
            json!({"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n"}, "spec": {
                "a": 1, "list": [{"x": "1"}], "map": {"k": {"y": "1"}}, "anything": {"s": 1, "o": {}},
                "open": {"free": {"deep": 1}, "shut": {"z": "1"}},
                "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"n": 1}},
            }})
        );
        assert_eq!(unknown_fields(&schema(), &value), Vec::<String>::new());
    }

    #[test]
    fn nulls_stay_only_where_they_mean_something() {
        let mut value = json!({"spec": {"a": null, "null": null, "defaulted": null, "list": [{"x": null}]}});
        drop_nulls(&schema(), &mut value);
        assert_eq!(value, json!({"spec": {"null": null, "defaulted": null, "list": [{}]}}));
    }
}
