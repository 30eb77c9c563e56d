//! Ownership across `/scale` (case 26).

use serde_json::{Value, json};

use super::world::{World, causes, object, owners_of, scalar};
use crate::sim::apply::scale::{to_parent, to_scale};
use crate::sim::apply::{FieldPath, Writer, apply, update};
use crate::sim::schema::Kind;

fn paths() -> [(&'static str, Option<FieldPath>); 1] {
    [("ex.io/v1", Some(FieldPath::of_fields(&["spec", "replicas"])))]
}

fn managed(object: &Value) -> Vec<Value> {
    object["metadata"].get("managedFields").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn scale_of(world: &World) -> Value {
    let parent = world.object.as_ref().unwrap();
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": { "name": "w", "uid": "u", "managedFields": to_scale(&managed(parent), &paths()).unwrap() },
        "spec": { "replicas": parent["spec"]["replicas"] },
    })
}

fn bring_back(world: &mut World, scale: &Value) {
    let parent = world.object.as_mut().unwrap();
    parent["metadata"]["managedFields"] = json!(to_parent(&managed(parent), &managed(scale), &paths(), "ex.io/v1").unwrap());
    parent["spec"]["replicas"] = scale["spec"]["replicas"].clone();
}

fn schema() -> crate::sim::schema::Schema {
    object(vec![("spec", object(vec![("replicas", scalar(Kind::Integer))]))])
}

fn writer<'a>(world: &World, manager: &'a str) -> Writer<'a> {
    Writer { subresource: Some("scale"), ..Writer::new(manager, "autoscaling/v1", world.now) }
}

fn scale_to(world: &mut World, manager: &str, replicas: u64) {
    let live = scale_of(world);
    let mut new = live.clone();
    new["spec"]["replicas"] = json!(replicas);
    let written = update(Some(&live), new, &schema(), &[], &writer(world, manager));
    bring_back(world, &written);
}

#[test]
fn scaling_takes_the_replicas_without_a_time() {
    let mut world = World::new();
    world.apply("m1", json!({ "replicas": 2 }));
    scale_to(&mut world, "hpa", 5);
    world.assert_owners(&["~hpa/U/scale:{spec{replicas}}"]);
    let error = world.refused("m1", json!({ "replicas": 2 }));
    assert_eq!(
        causes(&error),
        [("conflict with \"hpa\" with subresource \"scale\" using ex.io/v1".to_owned(), ".spec.replicas".to_owned())]
    );
    scale_to(&mut world, "hpa", 6);
    world.assert_owners(&["~hpa/U/scale:{spec{replicas}}"]);
}

#[test]
fn scaling_leaves_the_other_fields_to_their_owners() {
    let mut world = World::new();
    world.apply("m1", json!({ "replicas": 2, "st": { "a": 1 } }));
    world.apply("m2", json!({ "st": { "b": 1 } }));
    scale_to(&mut world, "hpa", 5);
    world.assert_owners(&["m1/A:{spec{st{a}}}", "m2/A:{spec{st{b}}}", "~hpa/U/scale:{spec{replicas}}"]);
}

#[test]
fn scaling_to_the_same_number_leaves_the_owner() {
    let mut world = World::new();
    world.apply("m1", json!({ "replicas": 2, "st": { "a": 1 } }));
    scale_to(&mut world, "hpa", 2);
    world.assert_owners(&["m1/A:{spec{replicas st{a}}}"]);
}

#[test]
fn forced_apply_on_scale_takes_the_replicas() {
    let mut world = World::new();
    world.apply("m1", json!({ "replicas": 2 }));
    let live = scale_of(&world);
    let body = json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": { "name": "w" }, "spec": { "replicas": 4 } });
    let error = apply(Some(&live), &body, &schema(), &[], &writer(&world, "m3"), false).unwrap_err();
    assert_eq!(causes(&error), [("conflict with \"m1\"".to_owned(), ".spec.replicas".to_owned())]);
    let written = apply(Some(&live), &body, &schema(), &[], &writer(&world, "m3"), true).unwrap();
    bring_back(&mut world, &written);
    assert_eq!(owners_of(world.object.as_ref().unwrap()), ["~m3/A/scale:{spec{replicas}}"]);
}

#[test]
fn entries_of_unknown_versions_do_not_pass() {
    let entry = json!({
        "manager": "m", "operation": "Update", "apiVersion": "ex.io/v9", "fieldsType": "FieldsV1",
        "fieldsV1": { "f:spec": { "f:replicas": {} } },
    });
    let parent = [entry];
    assert!(to_scale(&parent, &paths()).unwrap().is_empty());
    assert!(to_parent(&parent, &[], &paths(), "ex.io/v1").unwrap().is_empty());
}
