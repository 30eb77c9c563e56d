use std::sync::LazyLock;

use serde_json::json;

use super::*;

fn causes(properties: &Value) -> Vec<(String, String)> {
    let schema = json!({"type": "object", "properties": {"spec": properties}});
    let causes = parse(&schema).unwrap_err();
    causes.into_iter().map(|cause| (cause.field, cause.message)).collect()
}

/// What is wrong, where, and how the server says it.
static REFUSED: LazyLock<Vec<(Value, &str, &str)>> = LazyLock::new(|| {
    vec![
        (json!({}), ".type", "Required value: must not be empty for specified object fields"),
        (json!({"type": "array"}), ".items", "Required value: must be specified"),
        (json!({"type": "array", "items": {}}), ".items.type", "Required value: must not be empty for specified array items"),
        (json!({"type": "array", "items": [{"type": "string"}]}), ".items", "Forbidden: items must be a schema object and not an array"),
        (json!({"type": "null"}), ".type", "Forbidden: type cannot be set to null, use nullable as an alternative"),
        (
            json!({"type": "text"}),
            ".type",
            "Unsupported value: \"text\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"",
        ),
        (
            json!({"type": "string", "x-kubernetes-int-or-string": true}),
            ".type",
            "Invalid value: \"string\": must be empty if x-kubernetes-int-or-string is true",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
            ".additionalProperties",
            "Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            json!({"type": "object", "additionalProperties": false}),
            ".additionalProperties",
            "Forbidden: additionalProperties cannot be set to false",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}),
            ".uniqueItems",
            "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (json!({"type": "object", "$ref": "#/x"}), ".$ref", "Forbidden: $ref is not supported"),
        (json!({"type": "string", "anyOf": [{"type": "string"}]}), ".anyOf[0].type", "Forbidden: must be empty to be structural"),
        (
            json!({"type": "object", "anyOf": [{"properties": {"a": {"minLength": 1}}}]}),
            ".properties[a]",
            "Required value: because it is defined in spec.validation.openAPIV3Schema.properties[spec].anyOf[0].properties[a]",
        ),
        (
            json!({"type": "string", "x-kubernetes-list-type": "set"}),
            ".type",
            "Invalid value: \"string\": must be array if x-kubernetes-list-type is specified",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "bag"}),
            ".x-kubernetes-list-type",
            "Unsupported value: \"bag\": supported values: \"atomic\", \"map\", \"set\"",
        ),
        (
            json!({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}),
            ".x-kubernetes-list-map-keys",
            "Required value: must not be empty if x-kubernetes-list-type is map",
        ),
        (
            json!({"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}),
            ".items.properties[k].default",
            "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
        (
            json!({"type": "array", "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["j"]}),
            ".x-kubernetes-list-map-keys[0]",
            "Invalid value: \"j\": entries must all be names of item properties",
        ),
        (
            json!({"type": "object", "x-kubernetes-embedded-resource": true}),
            ".properties",
            "Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        ),
        (
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": false}),
            ".x-kubernetes-preserve-unknown-fields",
            "Invalid value: false: must be true or undefined",
        ),
        (json!({"type": "integer", "default": "x"}), ".default", "Invalid value: \"string\":  in body must be of type integer: \"string\""),
        (
            json!({"type": "string", "x-kubernetes-validations": [{"message": "m"}]}),
            ".x-kubernetes-validations[0].rule",
            "Required value: rule is not specified",
        ),
        (
            json!({"type": "string", "x-kubernetes-validations": [{"rule": "true ||\n false"}]}),
            ".x-kubernetes-validations[0].message",
            "Required value: message must be specified if rule contains line breaks",
        ),
    ]
});

#[test]
fn schemas_that_are_not_structural_are_refused_with_the_words_of_the_server() {
    const AT: &str = "spec.validation.openAPIV3Schema.properties[spec]";
    for (schema, field, message) in REFUSED.iter() {
        let found = causes(schema);
        assert!(found.contains(&(format!("{AT}{field}"), (*message).to_owned())), "{schema}: {found:?}");
    }
}

#[test]
fn the_root_must_be_an_object_and_leaves_metadata_alone() {
    let root =
        |schema: Value| parse_at(&schema, "s").unwrap_err().into_iter().map(|cause| (cause.field, cause.message)).collect::<Vec<_>>();
    assert_eq!(root(json!({})), [("s.type".to_owned(), "Required value: must not be empty at the root".to_owned())]);
    assert_eq!(
        root(json!({"type": "string"})),
        [("s.type".to_owned(), "Invalid value: \"string\": must be object at the root".to_owned())]
    );
    let labels = json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}});
    assert_eq!(
        root(labels),
        [(
            "s.properties[metadata]".to_owned(),
            "Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified".to_owned()
        )]
    );
}

#[test]
fn a_schema_survives_the_way_through_the_tree() {
    let openapi = json!({"type": "object", "description": "d", "required": ["a"], "properties": {
        "a": {"type": "integer", "minimum": 1, "exclusiveMinimum": true, "maximum": 2.5, "multipleOf": 2, "format": "int32", "default": 2},
        "b": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^a", "enum": ["ab", "abc"], "nullable": true},
        "c": {"type": "array", "minItems": 1, "maxItems": 4, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}},
        "d": {"type": "object", "additionalProperties": {"type": "boolean"}, "maxProperties": 3, "x-kubernetes-map-type": "atomic"},
        "e": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "f": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "g": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "h": {"type": "string", "x-kubernetes-validations": [{"rule": "self != 'x'", "message": "m", "reason": "FieldValueForbidden", "fieldPath": ".q", "optionalOldSelf": true, "messageExpression": "'e'"}]},
        "i": {"type": "string", "not": {"pattern": "x"}, "oneOf": [{"minLength": 1}], "allOf": [{"maxLength": 9}]},
    }});
    let schema = parse(&openapi).unwrap();
    let mut printed = to_openapi(&schema);
    let properties = printed["properties"].as_object_mut().unwrap();
    for added in ["apiVersion", "kind", "metadata"] {
        assert!(properties.remove(added).is_some(), "{added}");
    }
    assert_eq!(printed, openapi);
}

#[test]
fn metadata_keeps_restrictions_on_names_and_knows_all_other_fields() {
    let schema = parse(&json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}}}})).unwrap();
    let metadata = &schema.properties["metadata"];
    assert_eq!(metadata.properties["name"].limits.max_length, Some(5));
    assert_eq!(metadata.properties["ownerReferences"].list_type, ListType::Map { keys: vec!["uid".to_owned()] });
}
