//! What a schema must obey to be registered: the rules for structural schemas and for CRD schemas in general.
//!
//! Takes OpenAPI as the user wrote it, gives causes in the server's words. Never changes anything.

mod extensions;
mod junctors;

use serde_json::Value;

use super::{entries, flag, text};
use crate::sim::api_error::Cause;
use crate::sim::schema::path::{Path, Step};
use crate::sim::schema::text::{forbidden, invalid, not_supported, required};
use crate::sim::schema::{Schema, prune, validate};

/// Where in the tree a node stands, which decides the words about a missing type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Keys that OpenAPI knows but CRDs may not use.
const UNSUPPORTED: [&str; 9] =
    ["definitions", "dependencies", "patternProperties", "additionalItems", "id", "$ref", "$schema", "deprecated", "discriminator"];

/// All errors of a CRD schema placed below `at`.
pub fn check(openapi: &Value, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let root = Path::root(at);
    node(openapi, &root, Level::Root, &mut causes);
    causes
}

/// Defaults must be valid and name only declared fields.
pub fn check_defaults(schema: &Schema, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    defaults(schema, &Path::root(at), &mut causes);
    causes
}

fn node(openapi: &Value, at: &Path<'_>, level: Level, causes: &mut Vec<Cause>) {
    let Some(object) = openapi.as_object() else {
        causes.push(invalid(at.bracketed(), openapi, "must be a schema object"));
        return;
    };
    for key in object.keys() {
        if UNSUPPORTED.contains(&key.as_str()) {
            causes.push(forbidden(at.child(Step::Field(key)).bracketed(), format!("{key} is not supported")));
        }
    }
    types(openapi, at, level, causes);
    shape(openapi, at, causes);
    numbers(openapi, at, causes);
    extensions::check(openapi, at, level == Level::Root, causes);
    junctors::check(openapi, at, causes);
    children(openapi, at, causes);
}

fn children(openapi: &Value, at: &Path<'_>, causes: &mut Vec<Cause>) {
    let properties = at.child(Step::Field("properties"));
    for (name, field) in entries(openapi.get("properties")) {
        node(field, &properties.child(Step::Key(name)), Level::Field, causes);
    }
    if let Some(additional @ Value::Object(_)) = openapi.get("additionalProperties") {
        node(additional, &at.child(Step::Field("additionalProperties")), Level::Field, causes);
    }
    if let Some(items @ Value::Object(_)) = openapi.get("items") {
        node(items, &at.child(Step::Field("items")), Level::Item, causes);
    }
}

fn types(openapi: &Value, at: &Path<'_>, level: Level, causes: &mut Vec<Cause>) {
    let field = at.child(Step::Field("type"));
    let declared = openapi.get("type").cloned().unwrap_or_default();
    let int_or_string = flag(openapi, "x-kubernetes-int-or-string");
    match declared.as_str().unwrap_or_default() {
        "" if int_or_string || flag(openapi, "x-kubernetes-preserve-unknown-fields") && level != Level::Root => {}
        "" => {
            let place = match level {
                Level::Root => "at the root",
                Level::Item => "for specified array items",
                Level::Field => "for specified object fields",
            };
            causes.push(required(field.bracketed(), &format!("must not be empty {place}")));
        }
        _ if int_or_string => causes.push(invalid(field.bracketed(), &declared, "must be empty if x-kubernetes-int-or-string is true")),
        "object" | "array" | "string" | "integer" | "number" | "boolean" => {
            if level == Level::Root && declared != "object" {
                causes.push(invalid(field.bracketed(), &declared, "must be object at the root"));
            }
        }
        "null" => causes.push(forbidden(field.bracketed(), "type cannot be set to null, use nullable as an alternative")),
        _ => {
            let known = ["array", "boolean", "integer", "number", "object", "string"];
            causes.push(not_supported(field.bracketed(), &declared, &known));
        }
    }
}

fn shape(openapi: &Value, at: &Path<'_>, causes: &mut Vec<Cause>) {
    let place = |name: &str| at.child(Step::Field(name)).bracketed();
    let has_properties = entries(openapi.get("properties")).next().is_some();
    match openapi.get("additionalProperties") {
        Some(Value::Bool(false)) => causes.push(forbidden(place("additionalProperties"), "additionalProperties cannot be set to false")),
        Some(_) if has_properties => {
            causes.push(forbidden(place("additionalProperties"), "additionalProperties and properties are mutual exclusive"));
        }
        _ => {}
    }
    match openapi.get("items") {
        Some(Value::Array(_)) => causes.push(forbidden(place("items"), "items must be a schema object and not an array")),
        None if text(openapi, "type") == "array" => causes.push(required(place("items"), "must be specified")),
        _ => {}
    }
    if flag(openapi, "uniqueItems") {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        causes.push(forbidden(place("uniqueItems"), why));
    }
    if let Some(pattern) = openapi.get("pattern").and_then(Value::as_str)
        && let Err(why) = crate::sim::schema::pattern::matches(pattern, "")
    {
        let why = format!("must be a valid regular expression, but isn't: {why}");
        causes.push(invalid(place("pattern"), &openapi["pattern"], why));
    }
}

/// Counts and bounds of the wrong JSON type would silently not limit anything.
fn numbers(openapi: &Value, at: &Path<'_>, causes: &mut Vec<Cause>) {
    for name in ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"] {
        if let Some(value) = openapi.get(name)
            && value.as_u64().is_none()
        {
            causes.push(invalid(at.child(Step::Field(name)).bracketed(), value, "must be a whole number greater than or equal to 0"));
        }
    }
    for name in ["minimum", "maximum", "multipleOf"] {
        if let Some(value) = openapi.get(name)
            && !value.is_number()
        {
            causes.push(invalid(at.child(Step::Field(name)).bracketed(), value, "must be a number"));
        }
    }
}

fn defaults(schema: &Schema, at: &Path<'_>, causes: &mut Vec<Cause>) {
    if let Some(default) = &schema.default {
        let place = at.child(Step::Field("default")).bracketed();
        let mut pruned = default.clone();
        prune::prune(schema, &mut pruned);
        if pruned != *default {
            causes.push(invalid(place.clone(), default, "must not have unknown fields"));
        }
        causes.extend(validate::validate(schema, default, None, &place));
    }
    let properties = at.child(Step::Field("properties"));
    for (name, field) in &schema.properties {
        defaults(field, &properties.child(Step::Key(name)), causes);
    }
    if let Some(additional) = &schema.additional {
        defaults(additional, &at.child(Step::Field("additionalProperties")), causes);
    }
    if let Some(items) = &schema.items {
        defaults(items, &at.child(Step::Field("items")), causes);
    }
}
