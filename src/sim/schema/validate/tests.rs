use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::sim::schema::structural::parse;

fn schema(spec: &Value) -> Schema {
    parse(&json!({"type": "object", "properties": {"spec": spec}})).unwrap()
}

fn causes(spec: &Value, value: &Value, old: Option<&Value>) -> Vec<(&'static str, String, String)> {
    let whole = |spec: &Value| json!({"spec": spec});
    let old = old.map(whole);
    let causes = validate(&schema(spec), &whole(value), old.as_ref(), "");
    causes.into_iter().map(|cause| (cause.reason, cause.field, cause.message)).collect()
}

/// Schema, value, and of the cause reason, field and message.
type Wrong = (Value, Value, &'static str, &'static str, &'static str);

/// What is wrong, where, and how the server says it.
static LIMITS: LazyLock<Vec<Wrong>> = LazyLock::new(|| {
    let field = |name: &str, schema: Value| json!({"type": "object", "properties": {name: schema}});
    vec![
        (
            field("int", json!({"type": "integer"})),
            json!({"int": "x"}),
            "FieldValueTypeInvalid",
            "spec.int",
            "Invalid value: \"string\": spec.int in body must be of type integer: \"string\"",
        ),
        (
            field("int", json!({"type": "integer"})),
            json!({"int": 1.5}),
            "FieldValueTypeInvalid",
            "spec.int",
            "Invalid value: \"number\": spec.int in body must be of type integer: \"number\"",
        ),
        (
            field("ios", json!({"x-kubernetes-int-or-string": true})),
            json!({"ios": true}),
            "FieldValueTypeInvalid",
            "spec.ios",
            "Invalid value: \"boolean\": spec.ios in body must be of type integer,string: \"boolean\"",
        ),
        (
            field("m", json!({"type": "object"})),
            json!({"m": null}),
            "FieldValueTypeInvalid",
            "spec.m",
            "Invalid value: \"null\": spec.m in body must be of type object: \"null\"",
        ),
        (
            field("t", json!({"type": "string", "format": "date-time"})),
            json!({"t": "x"}),
            "FieldValueTypeInvalid",
            "spec.t",
            "Invalid value: \"x\": spec.t in body must be of type date-time: \"x\"",
        ),
        (
            field("e", json!({"type": "string", "enum": ["A", "B"]})),
            json!({"e": "C"}),
            "FieldValueNotSupported",
            "spec.e",
            "Unsupported value: \"C\": supported values: \"A\", \"B\"",
        ),
        (
            field("s", json!({"type": "string", "maxLength": 4})),
            json!({"s": "abcde"}),
            "FieldValueTooLong",
            "spec.s",
            "Too long: may not be more than 4 bytes",
        ),
        (
            field("s", json!({"type": "string", "minLength": 2})),
            json!({"s": "b"}),
            "FieldValueInvalid",
            "spec.s",
            "Invalid value: \"b\": spec.s in body should be at least 2 chars long",
        ),
        (
            field("pat", json!({"type": "string", "pattern": "^a+$"})),
            json!({"pat": "b"}),
            "FieldValueInvalid",
            "spec.pat",
            "Invalid value: \"b\": spec.pat in body should match '^a+$'",
        ),
        (
            field("arr", json!({"type": "array", "items": {"type": "integer"}, "maxItems": 3})),
            json!({"arr": [1, 2, 3, 4]}),
            "FieldValueTooMany",
            "spec.arr",
            "Too many: 4: must have at most 3 items",
        ),
        (
            field("arr", json!({"type": "array", "items": {"type": "integer"}, "minItems": 1})),
            json!({"arr": []}),
            "FieldValueInvalid",
            "spec.arr",
            "Invalid value: 0: spec.arr in body should have at least 1 items",
        ),
        (
            field("map", json!({"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 1})),
            json!({"map": {"a": 1, "b": 2}}),
            "FieldValueTooMany",
            "spec.map",
            "Too many: 2: must have at most 1 item",
        ),
        (
            field("map", json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1})),
            json!({"map": {}}),
            "FieldValueInvalid",
            "spec.map",
            "Invalid value: 0: spec.map in body should have at least 1 properties",
        ),
        (
            field("map", json!({"type": "object", "additionalProperties": {"type": "integer"}})),
            json!({"map": {"a": "x"}}),
            "FieldValueTypeInvalid",
            "spec.map.a",
            "Invalid value: \"string\": spec.map.a in body must be of type integer: \"string\"",
        ),
        (
            field("n", json!({"type": "integer", "minimum": 1})),
            json!({"n": 0}),
            "FieldValueInvalid",
            "spec.n",
            "Invalid value: 0: spec.n in body should be greater than or equal to 1",
        ),
        (
            field("n", json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true})),
            json!({"n": 1}),
            "FieldValueInvalid",
            "spec.n",
            "Invalid value: 1: spec.n in body should be greater than 1",
        ),
        (
            field("n", json!({"type": "integer", "maximum": 1})),
            json!({"n": 2}),
            "FieldValueInvalid",
            "spec.n",
            "Invalid value: 2: spec.n in body should be less than or equal to 1",
        ),
        (
            field("n", json!({"type": "integer", "multipleOf": 2})),
            json!({"n": 3}),
            "FieldValueInvalid",
            "spec.n",
            "Invalid value: 3: spec.n in body should be a multiple of 2",
        ),
        (
            json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}),
            json!({}),
            "FieldValueRequired",
            "spec.a",
            "Required value",
        ),
        (
            field("uniq", json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"})),
            json!({"uniq": ["a", "b", "a", "a"]}),
            "FieldValueDuplicate",
            "spec.uniq[2]",
            "Duplicate value: \"a\"",
        ),
        (
            field(
                "lm",
                json!({"type": "array", "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}),
            ),
            json!({"lm": [{"k": "1"}, {"k": "1"}]}),
            "FieldValueDuplicate",
            "spec.lm[1]",
            "Duplicate value: {\"k\":\"1\"}",
        ),
        (
            field("x", json!({"type": "string", "not": {"pattern": "b"}})),
            json!({"x": "b"}),
            "FieldValueInvalid",
            "<nil>",
            "Invalid value: \"\": \"spec.x\" must not validate the schema (not)",
        ),
        (
            field("x", json!({"type": "string", "oneOf": [{"pattern": "a"}, {"pattern": "b"}]})),
            json!({"x": "ab"}),
            "FieldValueInvalid",
            "<nil>",
            "Invalid value: \"\": \"spec.x\" must validate one and only one schema (oneOf). Found 2 valid alternatives",
        ),
    ]
});

#[test]
fn every_limit_has_the_text_of_the_server() {
    for (schema, value, reason, place, message) in LIMITS.iter() {
        assert_eq!(causes(schema, value, None), [(*reason, (*place).to_owned(), (*message).to_owned())], "{schema} {value}");
    }
}

#[test]
fn failed_alternatives_bring_the_errors_of_the_first_one() {
    let spec = json!({"type": "object", "properties": {"x": {"type": "string", "anyOf": [{"minLength": 3}, {"pattern": "b"}]}}});
    assert_eq!(
        causes(&spec, &json!({"x": "a"}), None),
        [
            (
                "FieldValueInvalid",
                "<nil>".to_owned(),
                "Invalid value: \"\": \"spec.x\" must validate at least one schema (anyOf)".to_owned()
            ),
            ("FieldValueInvalid", "spec.x".to_owned(), "Invalid value: \"a\": spec.x in body should be at least 3 chars long".to_owned()),
        ]
    );
    assert_eq!(causes(&spec, &json!({"x": "b"}), None), []);
}

#[test]
fn int32_overflow_and_whole_floats_are_integers() {
    let spec = json!({"type": "object", "properties": {"n": {"type": "integer", "format": "int32"}}});
    assert_eq!(causes(&spec, &json!({"n": 3_000_000_000_u64}), None), []);
    assert_eq!(causes(&spec, &json!({"n": 1.0}), None), []);
}

#[test]
fn status_writes_name_the_place_without_status_in_the_text() {
    let schema =
        parse(&json!({"type": "object", "properties": {"status": {"type": "object", "properties": {"a": {"type": "integer"}}}}})).unwrap();
    let found = validate_limits(&schema.properties["status"], &json!({"a": "x"}), None, "status");
    assert_eq!(
        found,
        [Cause::new("FieldValueTypeInvalid", "status.a", "Invalid value: \"string\": a in body must be of type integer: \"string\"")]
    );
}

#[test]
fn errors_on_unchanged_values_are_dropped() {
    let spec = json!({"type": "object", "required": ["need"], "properties": {
        "need": {"type": "string"},
        "e": {"type": "string", "enum": ["A"]},
        "n": {"type": "integer"},
        "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "lm": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}, "v": {"type": "string", "pattern": "^a"}}}},
        "atoms": {"type": "array", "items": {"type": "string", "pattern": "^a"}},
    }});
    let old = json!({"need": "n", "e": "B", "lm": [{"k": "1", "v": "x"}, {"k": "2", "v": "a"}], "atoms": ["x"], "set": ["d", "d"]});
    let same_errors =
        json!({"need": "n", "e": "B", "lm": [{"k": "2", "v": "a"}, {"k": "1", "v": "x"}], "atoms": ["x"], "set": ["d", "d", "e"]});
    assert_eq!(causes(&spec, &same_errors, Some(&old)), []);
    let changed = json!({"e": "C", "lm": [{"k": "1", "v": "y"}], "atoms": ["x", "a"], "n": 1});
    let found: Vec<String> = causes(&spec, &changed, Some(&old)).into_iter().map(|(_, field, _)| field).collect();
    assert_eq!(found, ["spec.atoms[0]", "spec.e", "spec.lm[0].v", "spec.need"]);
    // Whatever is unchanged as a whole is not looked at, not even for required fields.
    assert_eq!(causes(&spec, &json!({"e": "B"}), Some(&json!({"e": "B"}))), []);
}

#[test]
fn embedded_resources_need_kind_and_version() {
    let spec = json!({"type": "object", "properties": {"pod": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}}});
    assert_eq!(causes(&spec, &json!({"pod": {"kind": "Pod", "apiVersion": "v1"}}), None), []);
    let found: Vec<String> =
        causes(&spec, &json!({"pod": {}}), None).into_iter().map(|(_, field, message)| format!("{field}: {message}")).collect();
    assert_eq!(found, ["spec.pod.apiVersion: Required value: must not be empty", "spec.pod.kind: Required value: must not be empty"]);
}

#[test]
fn duplicates_respect_defaults_of_keys() {
    let spec = json!({"type": "object", "properties": {"ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
        "items": {"type": "object", "required": ["port"], "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}}}}}});
    let found = causes(&spec, &json!({"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}]}), None);
    assert_eq!(
        found,
        [("FieldValueDuplicate", "spec.ports[1]".to_owned(), "Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}".to_owned())]
    );
}

#[test]
fn of_metadata_only_the_names_are_the_business_of_the_schema() {
    let schema = parse(&json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}}}})).unwrap();
    let object = json!({"metadata": {"name": "long", "creationTimestamp": null, "finalizers": ["a/b", "a/b"], "labels": {"a": null}}});
    assert_eq!(
        validate(&schema, &object, None, ""),
        [Cause::new("FieldValueTooLong", "metadata.name", "Too long: may not be more than 3 bytes")]
    );
}
