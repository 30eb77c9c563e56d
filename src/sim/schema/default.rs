//! Defaults of a schema, filled into a value.
//!
//! Takes a value that has been pruned; fills absent fields, and nulls of fields that are not nullable. Never creates a
//! parent for the sake of a default below it.

use serde_json::Value;

use super::Schema;

/// Fills absent fields, going down into what is there, including what was just filled in.
pub fn apply_defaults(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field_schema) in &schema.properties {
                let Some(default) = &field_schema.default else { continue };
                let replace = fields.get(name).is_none_or(|field| field.is_null() && !field_schema.nullable);
                if replace {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, field) in fields.iter_mut() {
                match (schema.properties.get(name), &schema.additional) {
                    (Some(field_schema), _) => apply_defaults(field_schema, field),
                    (None, Some(additional)) => entry(additional, field),
                    (None, None) => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(item_schema) = &schema.items {
                items.iter_mut().for_each(|item| entry(item_schema, item));
            }
        }
        _ => {}
    }
}

/// Items and map entries: a null that is not allowed becomes the default of the entry.
fn entry(schema: &Schema, value: &mut Value) {
    if let Some(default) = schema.default.as_ref().filter(|_| value.is_null() && !schema.nullable) {
        *value = default.clone();
    }
    apply_defaults(schema, value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sim::schema::structural::parse;

    #[test]
    fn defaults_fill_what_is_absent_and_never_create_parents() {
        let schema = parse(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "n": {"type": "integer", "default": 1},
            "nullable": {"type": "string", "nullable": true, "default": "x"},
            "filled": {"type": "object", "default": {}, "properties": {"deep": {"type": "string", "default": "d"}}},
            "parent": {"type": "object", "properties": {"deep": {"type": "string", "default": "d"}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "integer", "default": 7}},
        }}}}))
        .unwrap();
        let table = [
            (json!({}), json!({})),
            (json!({"spec": {}}), json!({"spec": {"n": 1, "nullable": "x", "filled": {"deep": "d"}}})),
            (
                json!({"spec": {"n": null, "nullable": null, "filled": {"deep": "e"}, "parent": {}, "list": [{}, {"p": "UDP"}], "map": {"a": null, "b": 1}}}),
                json!({"spec": {"n": 1, "nullable": null, "filled": {"deep": "e"}, "parent": {"deep": "d"}, "list": [{"p": "TCP"}, {"p": "UDP"}], "map": {"a": 7, "b": 1}}}),
            ),
        ];
        for (mut value, expected) in table {
            apply_defaults(&schema, &mut value);
            assert_eq!(value, expected);
        }
    }
}
