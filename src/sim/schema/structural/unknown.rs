//! Keys of a CRD schema that mean nothing to the server: it drops them, and `fieldValidation` reports them.

use serde_json::Value;

use super::entries;
use crate::sim::schema::path::{Path, Step};

/// Keys that a schema may have at all; the server's decoder knows no others.
const KNOWN: [&str; 44] = [
    "$ref",
    "$schema",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "definitions",
    "dependencies",
    "description",
    "enum",
    "example",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "id",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "pattern",
    "patternProperties",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];

/// Keys that one entry of `x-kubernetes-validations` may have.
const RULE: [&str; 6] = ["rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf"];

/// Paths of unknown keys below `at`, such as `spec.versions[0].schema.openAPIV3Schema.properties.spec.fromat`.
pub fn unknown_keys(openapi: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    node(openapi, &Path::root(at), &mut found);
    found
}

fn node(openapi: &Value, at: &Path<'_>, found: &mut Vec<String>) {
    for (key, value) in entries(Some(openapi)) {
        let here = at.child(Step::Field(key));
        match key.as_str() {
            "properties" | "patternProperties" | "definitions" => {
                entries(Some(value)).for_each(|(name, field)| node(field, &here.child(Step::Field(name)), found));
            }
            "items" | "additionalProperties" | "additionalItems" | "not" => node(value, &here, found),
            "allOf" | "anyOf" | "oneOf" => {
                let branches = value.as_array().into_iter().flatten().enumerate();
                branches.for_each(|(index, branch)| node(branch, &here.child(Step::Index(index)), found));
            }
            "x-kubernetes-validations" => {
                for (index, rule) in value.as_array().into_iter().flatten().enumerate() {
                    let place = here.child(Step::Index(index));
                    let unknown = entries(Some(rule)).filter(|(key, _)| !RULE.contains(&key.as_str()));
                    found.extend(unknown.map(|(key, _)| place.child(Step::Field(key)).dotted()));
                }
            }
            known if KNOWN.contains(&known) => {}
            _ => found.push(here.dotted()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unknown_keys;

    #[test]
    fn misspelt_keys_are_found_wherever_schemas_are() {
        let schema = json!({"type": "object", "titel": "x", "properties": {"titel": {"type": "string", "fromat": "date",
            "anyOf": [{"patern": "x"}], "x-kubernetes-validations": [{"rule": "true", "massage": "m"}]}}, "default": {"free": 1}});
        assert_eq!(
            unknown_keys(&schema, "s"),
            [
                "s.properties.titel.anyOf[0].patern",
                "s.properties.titel.fromat",
                "s.properties.titel.x-kubernetes-validations[0].massage",
                "s.titel",
            ]
        );
    }
}
