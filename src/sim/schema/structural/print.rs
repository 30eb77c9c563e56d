//! From a [`Schema`] back to OpenAPI v3, as `/openapi/v3` publishes it.

use serde_json::{Map, Value, json};

use crate::sim::schema::{Kind, Limits, ListType, Rule, Schema};

/// The OpenAPI form with descriptions and `x-kubernetes-*` extensions.
pub fn to_openapi(schema: &Schema) -> Value {
    let mut out = Map::new();
    put_text(&mut out, "description", &schema.description);
    put_kind(&mut out, schema);
    put_limits(&mut out, &schema.limits);
    if schema.nullable {
        out.insert("nullable".to_owned(), json!(true));
    }
    if let Some(default) = &schema.default {
        out.insert("default".to_owned(), default.clone());
    }
    if !schema.properties.is_empty() {
        let properties: Map<String, Value> = schema.properties.iter().map(|(name, field)| (name.clone(), to_openapi(field))).collect();
        out.insert("properties".to_owned(), Value::Object(properties));
    }
    if let Some(additional) = &schema.additional {
        out.insert("additionalProperties".to_owned(), to_openapi(additional));
    }
    if let Some(items) = &schema.items {
        out.insert("items".to_owned(), to_openapi(items));
    }
    put_extensions(&mut out, schema);
    Value::Object(out)
}

fn put_kind(out: &mut Map<String, Value>, schema: &Schema) {
    let name = match schema.kind {
        Kind::Object => "object",
        Kind::Array => "array",
        Kind::String => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::IntOrString => {
            out.insert("x-kubernetes-int-or-string".to_owned(), json!(true));
            return;
        }
        Kind::Any => return,
    };
    out.insert("type".to_owned(), json!(name));
}

fn put_limits(out: &mut Map<String, Value>, limits: &Limits) {
    put_text(out, "format", &limits.format);
    put_list(out, "enum", &limits.enumeration);
    put_bound(out, ["minimum", "exclusiveMinimum"], limits.minimum);
    put_bound(out, ["maximum", "exclusiveMaximum"], limits.maximum);
    if let Some(multiple) = limits.multiple_of {
        out.insert("multipleOf".to_owned(), number(multiple));
    }
    let counts = [
        ("minLength", limits.min_length),
        ("maxLength", limits.max_length),
        ("minItems", limits.min_items),
        ("maxItems", limits.max_items),
        ("minProperties", limits.min_properties),
        ("maxProperties", limits.max_properties),
    ];
    for (name, count) in counts {
        if let Some(count) = count {
            out.insert(name.to_owned(), json!(count));
        }
    }
    if let Some(pattern) = &limits.pattern {
        out.insert("pattern".to_owned(), json!(pattern));
    }
    if limits.unique_items {
        out.insert("uniqueItems".to_owned(), json!(true));
    }
    if !limits.required.is_empty() {
        out.insert("required".to_owned(), json!(limits.required));
    }
    for (name, branches) in [("allOf", &limits.all_of), ("anyOf", &limits.any_of), ("oneOf", &limits.one_of)] {
        put_list(out, name, &branches.iter().map(to_openapi).collect::<Vec<_>>());
    }
    if let Some(not) = &limits.not {
        out.insert("not".to_owned(), to_openapi(not));
    }
}

fn put_extensions(out: &mut Map<String, Value>, schema: &Schema) {
    match &schema.list_type {
        ListType::Set => {
            out.insert("x-kubernetes-list-type".to_owned(), json!("set"));
        }
        ListType::Map { keys } => {
            out.insert("x-kubernetes-list-type".to_owned(), json!("map"));
            out.insert("x-kubernetes-list-map-keys".to_owned(), json!(keys));
        }
        // The default goes without saying, as in the CRD itself.
        ListType::Atomic => {}
    }
    if schema.atomic_map {
        out.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
    }
    if schema.preserve_unknown {
        out.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    }
    if schema.embedded_resource {
        out.insert("x-kubernetes-embedded-resource".to_owned(), json!(true));
    }
    put_list(out, "x-kubernetes-validations", &schema.rules.iter().map(rule).collect::<Vec<_>>());
    if let Some(key) = &schema.patch_merge_key {
        out.insert("x-kubernetes-patch-merge-key".to_owned(), json!(key));
    }
    put_text(out, "x-kubernetes-patch-strategy", &schema.patch_strategy);
}

fn rule(rule: &Rule) -> Value {
    let mut out = Map::new();
    put_text(&mut out, "rule", &rule.rule);
    put_text(&mut out, "message", &rule.message);
    put_text(&mut out, "messageExpression", &rule.message_expression);
    put_text(&mut out, "reason", &rule.reason);
    put_text(&mut out, "fieldPath", &rule.field_path);
    if rule.optional_old_self {
        out.insert("optionalOldSelf".to_owned(), json!(true));
    }
    Value::Object(out)
}

fn put_text(out: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        out.insert(name.to_owned(), json!(text));
    }
}

fn put_list(out: &mut Map<String, Value>, name: &str, list: &[Value]) {
    if !list.is_empty() {
        out.insert(name.to_owned(), json!(list));
    }
}

fn put_bound(out: &mut Map<String, Value>, [name, exclusive]: [&str; 2], bound: Option<(f64, bool)>) {
    let Some((bound, is_exclusive)) = bound else { return };
    out.insert(name.to_owned(), number(bound));
    if is_exclusive {
        out.insert(exclusive.to_owned(), json!(true));
    }
}

/// Whole numbers print without a fraction.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT { json!(value as i64) } else { json!(value) }
}
