//! Rules about `x-kubernetes-*` keys: lists, maps, embedded resources, CEL declarations.

use serde_json::{Value, json};

use super::super::{entries, flag, text, texts};
use crate::sim::api_error::Cause;
use crate::sim::schema::path::{Path, Step};
use crate::sim::schema::text::{duplicate, forbidden, invalid, not_supported, required};

const LIST_TYPE: &str = "x-kubernetes-list-type";
const LIST_KEYS: &str = "x-kubernetes-list-map-keys";
const MAP_TYPE: &str = "x-kubernetes-map-type";
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const EMBEDDED: &str = "x-kubernetes-embedded-resource";
const RULES: &str = "x-kubernetes-validations";

/// Checks one node.
pub fn check(openapi: &Value, at: &Path<'_>, root: bool, causes: &mut Vec<Cause>) {
    list_type(openapi, at, causes);
    map_type(openapi, at, causes);
    embedded(openapi, at, root, causes);
    if let Some(value @ Value::Bool(false)) = openapi.get(PRESERVE) {
        causes.push(invalid(at.child(Step::Field(PRESERVE)).bracketed(), value, "must be true or undefined"));
    }
    if let Some(rules) = openapi.get(RULES).and_then(Value::as_array) {
        let place = at.child(Step::Field(RULES));
        for (index, rule) in rules.iter().enumerate() {
            declaration(rule, &place.child(Step::Index(index)), causes);
        }
    }
}

/// The words for a node whose type does not fit a key: absent types are required, others invalid.
fn wrong_type(openapi: &Value, at: &Path<'_>, wanted: &str, key: &str) -> Option<Cause> {
    let declared = openapi.get("type").cloned().unwrap_or_default();
    if declared == wanted {
        return None;
    }
    let (place, detail) = (at.child(Step::Field("type")).bracketed(), format!("must be {wanted} if {key} is specified"));
    Some(if declared.is_null() { required(place, &detail) } else { invalid(place, &declared, detail) })
}

fn list_type(openapi: &Value, at: &Path<'_>, causes: &mut Vec<Cause>) {
    let declared = openapi.get(LIST_TYPE);
    let keys = texts(openapi, LIST_KEYS);
    let place = at.child(Step::Field(LIST_TYPE)).bracketed();
    match declared.and_then(Value::as_str) {
        None if !keys.is_empty() => causes.push(required(place, "must be map if x-kubernetes-list-map-keys is non-empty")),
        Some(other) if other != "map" && !keys.is_empty() => {
            causes.push(invalid(place, &json!(other), "must be map if x-kubernetes-list-map-keys is non-empty"));
        }
        Some("map") if keys.is_empty() => {
            causes.push(required(at.child(Step::Field(LIST_KEYS)).bracketed(), "must not be empty if x-kubernetes-list-type is map"));
        }
        Some("map") => map_items(openapi, &keys, at, causes),
        Some("set") => set_items(openapi, at, causes),
        Some("atomic") | None => {}
        Some(other) => causes.push(not_supported(place, &json!(other), &["atomic", "map", "set"])),
    }
    if declared.is_some() {
        causes.extend(wrong_type(openapi, at, "array", LIST_TYPE));
    }
}

fn set_items(openapi: &Value, at: &Path<'_>, causes: &mut Vec<Cause>) {
    let Some(items) = openapi.get("items") else { return };
    let place = at.child(Step::Field("items"));
    if flag(items, "nullable") {
        causes.push(forbidden(place.child(Step::Field("nullable")).bracketed(), "cannot be nullable when x-kubernetes-list-type is set"));
    }
    let (key, wanted) = match text(items, "type").as_str() {
        "object" => (MAP_TYPE, "atomic"),
        "array" => (LIST_TYPE, "atomic"),
        _ => return,
    };
    // Lists are atomic unless said otherwise, maps are not.
    let actual = text(items, key);
    if actual != wanted && !(key == LIST_TYPE && actual.is_empty()) {
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        causes.push(invalid(place.child(Step::Field(key)).bracketed(), items.get(key).unwrap_or(&Value::Null), detail));
    }
}

fn map_items(openapi: &Value, keys: &[String], at: &Path<'_>, causes: &mut Vec<Cause>) {
    let Some(items) = openapi.get("items") else { return };
    let place = at.child(Step::Field("items"));
    if text(items, "type") != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        causes.push(invalid(place.child(Step::Field("type")).bracketed(), &items["type"], detail));
        return;
    }
    let required_fields = texts(items, "required");
    let (properties, keys_place) = (place.child(Step::Field("properties")), at.child(Step::Field(LIST_KEYS)));
    for (index, key) in keys.iter().enumerate() {
        if keys[..index].contains(key) {
            causes.push(duplicate(keys_place.child(Step::Index(index)).bracketed(), &json!(key)));
        }
        let Some(field) = entries(items.get("properties")).find(|(name, _)| *name == key).map(|(_, field)| field) else {
            causes.push(invalid(
                keys_place.child(Step::Index(index)).bracketed(),
                &json!(key),
                "entries must all be names of item properties",
            ));
            continue;
        };
        let here = properties.child(Step::Key(key));
        if matches!(text(field, "type").as_str(), "object" | "array") {
            let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            causes.push(invalid(here.child(Step::Field("type")).bracketed(), &field["type"], detail));
        }
        if flag(field, "nullable") {
            let detail = "cannot be nullable if it is a key of x-kubernetes-list-type map";
            causes.push(forbidden(here.child(Step::Field("nullable")).bracketed(), detail));
        }
        if field.get("default").is_none() && !required_fields.contains(key) {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            causes.push(required(here.child(Step::Field("default")).bracketed(), detail));
        }
    }
}

fn map_type(openapi: &Value, at: &Path<'_>, causes: &mut Vec<Cause>) {
    let Some(declared) = openapi.get(MAP_TYPE) else { return };
    causes.extend(wrong_type(openapi, at, "object", MAP_TYPE));
    if declared != "atomic" && declared != "granular" {
        causes.push(not_supported(at.child(Step::Field(MAP_TYPE)).bracketed(), declared, &["atomic", "granular"]));
    }
}

fn embedded(openapi: &Value, at: &Path<'_>, root: bool, causes: &mut Vec<Cause>) {
    let is_embedded = flag(openapi, EMBEDDED);
    if is_embedded {
        let declared = openapi.get("type").cloned().unwrap_or_default();
        let (place, detail) = (at.child(Step::Field("type")).bracketed(), "must be object if x-kubernetes-embedded-resource is true");
        if declared.is_null() {
            causes.push(required(place, detail));
        } else if declared != "object" {
            causes.push(invalid(place, &declared, detail));
        }
        if entries(openapi.get("properties")).next().is_none() && !flag(openapi, PRESERVE) {
            let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
            causes.push(required(at.child(Step::Field("properties")).bracketed(), detail));
        }
    }
    let metadata = openapi.get("properties").and_then(|properties| properties.get("metadata"));
    if let Some(metadata) = metadata.filter(|_| root || is_embedded)
        && !only_names(metadata)
    {
        let properties = at.child(Step::Field("properties"));
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        causes.push(forbidden(properties.child(Step::Key("metadata")).bracketed(), detail));
    }
}

fn only_names(metadata: &Value) -> bool {
    entries(metadata.get("properties")).all(|(name, _)| name == "name" || name == "generateName")
        && entries(Some(metadata)).all(|(key, _)| ["type", "properties", "description"].contains(&key.as_str()))
}

/// One entry of `x-kubernetes-validations`, as far as it can be checked without compiling.
fn declaration(rule: &Value, at: &Path<'_>, causes: &mut Vec<Cause>) {
    let place = |name: &str| at.child(Step::Field(name)).bracketed();
    let source = text(rule, "rule");
    if source.trim().is_empty() {
        causes.push(required(place("rule"), "rule is not specified"));
    }
    match rule.get("message").and_then(Value::as_str) {
        Some(message) if message.trim().is_empty() && !message.is_empty() => {
            causes.push(invalid(place("message"), &json!(message), "message must be non-empty if specified"));
        }
        Some(message) if message.trim().contains('\n') => {
            causes.push(invalid(place("message"), &json!(message), "message must not contain line breaks"));
        }
        Some(message) if !message.is_empty() => {}
        _ if source.trim().contains('\n') && text(rule, "messageExpression").is_empty() => {
            causes.push(required(place("message"), "message must be specified if rule contains line breaks"));
        }
        _ => {}
    }
    let reasons = ["FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid", "FieldValueDuplicate"];
    if let Some(reason) = rule.get("reason").filter(|reason| !reasons.iter().any(|known| *reason == known)) {
        let known = ["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"];
        causes.push(not_supported(place("reason"), reason, &known));
    }
}
