//! Values without a declared type, embedded objects, nulls and changes of form.

use serde_json::{Value, json};

use super::world::{World, causes, keyed, list, object, owners_of, scalar};
use crate::sim::apply::{Writer, apply, manager_of};
use crate::sim::schema::{Kind, Schema};

#[test]
fn map_that_becomes_a_list_takes_its_parts_from_their_owners() {
    let mut world = World::new();
    world.apply("m1", json!({ "any": { "a": { "b": 1 }, "c": 1 } }));
    world.patch("u", json!({ "any": { "a": [1] } }));
    world.assert_owners(&["m1/A:{spec{any{c}}}", "u/U:{spec{any{a}}}"]);
    world.force("m1", json!({ "any": { "a": { "b": 2 }, "c": 1 } }));
    assert_eq!(world.spec()["any"], json!({ "a": { "b": 2 }, "c": 1 }));
    world.assert_owners(&["m1/A:{spec{any{a{. b} c}}}"]);
}

#[test]
fn scalar_that_becomes_a_map_is_a_conflict_over_the_scalar() {
    let mut world = World::new();
    world.apply("m1", json!({ "any": { "a": 1 } }));
    let error = world.refused("m2", json!({ "any": { "a": { "b": 1 } } }));
    assert_eq!(causes(&error)[0].1, ".spec.any.a");
}

#[test]
fn applied_null_is_owned_and_loses_against_a_filled_map() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    world.apply("m2", json!({ "st": null }));
    assert_eq!(world.spec()["st"], json!({ "a": 1 }));
    world.assert_owners(&["m1/A:{spec{st{a}}}", "~m2/A:{spec{st}}"]);
}

#[test]
fn whole_and_broken_numbers_of_one_size_are_equal() {
    let mut world = World::new();
    world.apply("m1", json!({ "any": { "a": 1 } }));
    world.apply("m2", json!({ "any": { "a": 1.0 } }));
    world.assert_owners(&["m1/A:{spec{any{a}}}", "~m2/A:{spec{any{a}}}"]);
}

fn in_schema(spec: Schema, body: &Value) -> Result<Value, String> {
    let schema = object(vec![("spec", spec)]);
    let mut applied = json!({ "apiVersion": "ex.io/v1", "kind": "W", "metadata": { "name": "w" } });
    applied["spec"] = body.clone();
    let writer = Writer::new("m", "ex.io/v1", "2026-01-01T00:00:00Z".parse().unwrap());
    apply(None, &applied, &schema, &[], &writer, false).map_err(|error| error.message)
}

#[test]
fn preserving_unknown_fields_reaches_down_to_declared_structs() {
    let inner = object(vec![("x", scalar(Kind::Integer))]);
    let open = Schema { preserve_unknown: true, ..object(vec![("inner", inner.clone())]) };
    let written = in_schema(open, &json!({ "inner": { "x": 1, "y": { "z": 1 } }, "other": [1] })).unwrap();
    assert_eq!(owners_of(&written), ["m/A:{spec{inner{x y{. z}} other}}"]);
    let closed = object(vec![("inner", inner)]);
    let error = in_schema(closed, &json!({ "inner": { "y": 1 } })).unwrap_err();
    assert!(error.ends_with(": .spec.inner.y: field not declared in schema"), "{error}");
}

#[test]
fn embedded_objects_have_the_metadata_of_all_objects() {
    let embedded = Schema { embedded_resource: true, preserve_unknown: true, ..scalar(Kind::Object) };
    let body = json!({ "apiVersion": "v1", "kind": "P", "metadata": { "finalizers": ["a/b"], "labels": { "l": "1" } }, "data": 1 });
    let written = in_schema(embedded.clone(), &body).unwrap();
    assert_eq!(owners_of(&written), ["m/A:{spec{apiVersion data kind metadata{finalizers{=a/b} labels{l}}}}"]);
    let error = in_schema(embedded, &json!({ "metadata": { "foo": 1 } })).unwrap_err();
    assert!(error.ends_with(": .spec.metadata.foo: field not declared in schema"), "{error}");
}

#[test]
fn int_or_string_takes_both_and_times_take_any_scalar() {
    let mut time = scalar(Kind::String);
    time.limits.format = "date-time".to_owned();
    let spec = || object(vec![("p", scalar(Kind::IntOrString)), ("t", time.clone())]);
    assert!(in_schema(spec(), &json!({ "p": 1, "t": 1 })).is_ok());
    assert!(in_schema(spec(), &json!({ "p": "25%", "t": "x" })).is_ok());
    let error = in_schema(spec(), &json!({ "t": [1] })).unwrap_err();
    assert!(error.ends_with(": .spec.t: expected any scalar, got &{[1]}"), "{error}");
}

#[test]
fn items_of_keyed_lists_in_keyed_lists_are_owned_one_by_one() {
    let env = object(vec![("name", scalar(Kind::String)), ("value", scalar(Kind::String))]);
    let container = object(vec![("name", scalar(Kind::String)), ("env", list(keyed(&["name"]), env))]);
    let spec = object(vec![("containers", list(keyed(&["name"]), container))]);
    let body = json!({ "containers": [{ "name": "c", "env": [{ "name": "B", "value": "2" }, { "name": "A", "value": "1" }] }] });
    let written = in_schema(spec, &body).unwrap();
    assert_eq!(owners_of(&written), ["m/A:{spec{containers{[c]{. env{[A]{. name value} [B]{. name value}} name}}}}"]);
}

#[test]
fn manager_comes_from_the_request_or_the_user_agent() {
    assert_eq!(manager_of("m", "kubectl/v1.35 (linux)"), "m");
    assert_eq!(manager_of("", "kubectl/v1.35 (linux)"), "kubectl");
    assert_eq!(manager_of("", "a\u{7}b"), "ab");
    assert_eq!(manager_of("", "/x"), "unknown");
    assert_eq!(manager_of("", &"x".repeat(200)).len(), 128);
}
