//! Custom resource schemas: from a CRD's `openAPIV3Schema` into a [`Schema`], and back into OpenAPI.
//!
//! A schema that a real server would not register is refused with the same causes. The root and embedded resources get
//! `apiVersion`, `kind` and the full `metadata`, as the server adds them on its own. CEL rules are taken over here and
//! compiled by [`super::cel`].

mod invariants;
mod print;
#[cfg(test)]
mod tests;
mod unknown;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Kind, Limits, ListType, Rule, Schema, builtin};
use crate::sim::api_error::Cause;

pub use print::to_openapi;
pub use unknown::unknown_keys;

/// Where the server reports errors when the CRD has one version.
pub const ONE_VERSION: &str = "spec.validation.openAPIV3Schema";

/// Reads a schema; errors are placed below [`ONE_VERSION`].
///
/// # Errors
/// The causes that the server gives for a schema that is not structural or otherwise not allowed in a CRD.
pub fn parse(openapi: &Value) -> Result<Schema, Vec<Cause>> {
    parse_at(openapi, ONE_VERSION)
}

/// Reads a schema; errors are placed below `at`, for CRDs with several versions `spec.versions[i].schema.openAPIV3Schema`.
///
/// # Errors
/// As [`parse`].
pub fn parse_at(openapi: &Value, at: &str) -> Result<Schema, Vec<Cause>> {
    let mut causes = invariants::check(openapi, at);
    let mut schema = node(openapi);
    add_resource_fields(&mut schema);
    if causes.is_empty() {
        causes = invariants::check_defaults(&schema, at);
    }
    if causes.is_empty() { Ok(schema) } else { Err(causes) }
}

/// Reads one node and all below it. Anything malformed has been reported by [`invariants`].
fn node(openapi: &Value) -> Schema {
    let mut schema = Schema {
        kind: kind_of(openapi),
        type_name: String::new(),
        description: text(openapi, "description"),
        nullable: flag(openapi, "nullable"),
        properties: properties_of(openapi),
        additional: additional_of(openapi),
        items: openapi.get("items").filter(|items| items.is_object()).map(|items| Arc::new(node(items))),
        list_type: list_type_of(openapi),
        atomic_map: text(openapi, "x-kubernetes-map-type") == "atomic",
        preserve_unknown: flag(openapi, "x-kubernetes-preserve-unknown-fields"),
        embedded_resource: flag(openapi, "x-kubernetes-embedded-resource"),
        default: openapi.get("default").filter(|value| !value.is_null()).cloned(),
        limits: limits_of(openapi),
        rules: rules_of(openapi),
        patch_merge_key: None,
        patch_strategy: String::new(),
    };
    if schema.embedded_resource {
        add_resource_fields(&mut schema);
    }
    schema
}

/// Adds what every resource has. Restrictions on `metadata.name` and `metadata.generateName` are kept.
fn add_resource_fields(schema: &mut Schema) {
    let plain = || Arc::new(Schema { kind: Kind::String, ..Schema::default() });
    schema.properties.entry("apiVersion".to_owned()).or_insert_with(plain);
    schema.properties.entry("kind".to_owned()).or_insert_with(plain);
    let full = builtin::object_meta();
    let metadata = match schema.properties.get("metadata") {
        Some(given) if !given.properties.is_empty() => {
            let mut merged = (*full).clone();
            merged.limits = given.limits.clone();
            merged.properties.extend(given.properties.iter().map(|(name, field)| (name.clone(), Arc::clone(field))));
            Arc::new(merged)
        }
        _ => full,
    };
    schema.properties.insert("metadata".to_owned(), metadata);
}

fn kind_of(openapi: &Value) -> Kind {
    if flag(openapi, "x-kubernetes-int-or-string") {
        return Kind::IntOrString;
    }
    match openapi.get("type").and_then(Value::as_str) {
        Some("object") => Kind::Object,
        Some("array") => Kind::Array,
        Some("string") => Kind::String,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        _ => Kind::Any,
    }
}

fn properties_of(openapi: &Value) -> BTreeMap<String, Arc<Schema>> {
    let declared = openapi.get("properties").and_then(Value::as_object);
    declared.into_iter().flatten().map(|(name, field)| (name.clone(), Arc::new(node(field)))).collect()
}

/// `additionalProperties`: a schema, or `true` for anything (of which objects keep no fields, as on the server).
fn additional_of(openapi: &Value) -> Option<Arc<Schema>> {
    match openapi.get("additionalProperties") {
        Some(schema @ Value::Object(_)) => Some(Arc::new(node(schema))),
        Some(Value::Bool(true)) => Some(Arc::new(Schema::default())),
        _ => None,
    }
}

fn list_type_of(openapi: &Value) -> ListType {
    match openapi.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => ListType::Set,
        Some("map") => ListType::Map { keys: texts(openapi, "x-kubernetes-list-map-keys") },
        _ => ListType::Atomic,
    }
}

fn limits_of(openapi: &Value) -> Limits {
    let bound = |name: &str, exclusive: &str| openapi.get(name).and_then(Value::as_f64).map(|bound| (bound, flag(openapi, exclusive)));
    let count = |name: &str| openapi.get(name).and_then(Value::as_u64);
    let branches = |name: &str| openapi.get(name).and_then(Value::as_array).into_iter().flatten().map(node).collect();
    Limits {
        enumeration: openapi.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        minimum: bound("minimum", "exclusiveMinimum"),
        maximum: bound("maximum", "exclusiveMaximum"),
        multiple_of: openapi.get("multipleOf").and_then(Value::as_f64),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        pattern: openapi.get("pattern").and_then(Value::as_str).map(str::to_owned),
        format: text(openapi, "format"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        unique_items: flag(openapi, "uniqueItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        required: texts(openapi, "required"),
        all_of: branches("allOf"),
        any_of: branches("anyOf"),
        one_of: branches("oneOf"),
        not: openapi.get("not").map(|schema| Box::new(node(schema))),
    }
}

fn rules_of(openapi: &Value) -> Vec<Rule> {
    let declared = openapi.get("x-kubernetes-validations").and_then(Value::as_array);
    declared.into_iter().flatten().map(rule).collect()
}

fn rule(declared: &Value) -> Rule {
    Rule {
        rule: text(declared, "rule"),
        message: text(declared, "message"),
        message_expression: text(declared, "messageExpression"),
        reason: text(declared, "reason"),
        field_path: text(declared, "fieldPath"),
        optional_old_self: flag(declared, "optionalOldSelf"),
    }
}

fn text(object: &Value, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(object: &Value, name: &str) -> Vec<String> {
    let list = object.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn flag(object: &Value, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// The fields of an object, none for anything else.
fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).map(Map::iter).into_iter().flatten()
}
