//! The trip through the server's types: nulls and empty lists vanish, amounts come out in canonical form.

use serde_json::Value;

use crate::sim::builtin::group_version_kind;
use crate::sim::builtin::quantity::Quantity;
use crate::sim::schema::{Kind, Schema, builtin};

/// Normalises a whole object; resources without a schema stay as they are.
pub fn bring(resource: &str, object: &mut Value) {
    let Some((group, version, kind)) = group_version_kind(resource) else { return };
    if let Some(schema) = builtin::find(group, version, kind) {
        node(&schema, object);
    }
}

fn node(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, field| match (schema.properties.get(name), &schema.additional) {
                (Some(declared), _) => !vanishes(declared, field) || schema.limits.required.contains(name) && !field.is_null(),
                (None, _) => true,
            });
            for (name, field) in fields.iter_mut() {
                match (schema.properties.get(name), &schema.additional) {
                    (Some(declared), _) => node(declared, field),
                    (None, Some(values)) => entry(values, field),
                    (None, None) => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(declared) = &schema.items {
                items.iter_mut().for_each(|item| node(declared, item));
            }
        }
        other => amount(schema, other),
    }
}

/// A null entry of a map becomes the zero value of its type.
fn entry(schema: &Schema, value: &mut Value) {
    if value.is_null() && schema.kind == Kind::String {
        *value = Value::String(String::new());
    }
    node(schema, value);
}

/// Absent in the server's types: nulls, empty lists and empty maps. Empty structs say something (`emptyDir: {}`).
fn vanishes(schema: &Schema, value: &Value) -> bool {
    match value {
        Value::Null => schema.kind != Kind::Any,
        Value::Array(items) => items.is_empty() && schema.kind == Kind::Array,
        Value::Object(fields) => fields.is_empty() && schema.additional.is_some(),
        _ => false,
    }
}

fn amount(schema: &Schema, value: &mut Value) {
    if schema.limits.format != "quantity" {
        return;
    }
    // Malformed amounts have been refused by the decoder.
    if let Ok(quantity) = Quantity::from_json(value) {
        *value = Value::String(quantity.to_string());
    }
}
