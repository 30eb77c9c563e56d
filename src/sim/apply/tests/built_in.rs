//! Built-in kinds: structs that the server's type always has belong to no one.

use serde_json::json;

use super::world::{World, keyed, list, map_of, object, scalar};
use crate::sim::apply::empty_object;
use crate::sim::schema::{Kind, Schema};

fn deployment() -> World {
    let container = object(vec![("name", scalar(Kind::String)), ("image", scalar(Kind::String))]);
    let pod = object(vec![("containers", list(keyed(&["name"]), container))]);
    let template = object(vec![("metadata", object(vec![("labels", map_of(scalar(Kind::String)))])), ("spec", pod)]);
    let selector = Schema { atomic_map: true, ..object(vec![("matchLabels", map_of(scalar(Kind::String)))]) };
    let strategy = object(vec![("type", scalar(Kind::String))]);
    let spec = object(vec![("replicas", scalar(Kind::Integer)), ("selector", selector), ("strategy", strategy), ("template", template)]);
    let status = object(vec![("replicas", scalar(Kind::Integer))]);
    let schema = object(vec![("spec", spec), ("status", status)]);
    World { schema, empty: Some(empty_object("apps", "Deployment")), ..World::new() }
}

fn content() -> serde_json::Value {
    json!({ "spec": {
        "selector": { "matchLabels": { "app": "a" } },
        "strategy": { "type": "Recreate" },
        "template": {
            "metadata": { "labels": { "app": "a" } },
            "spec": { "containers": [{ "name": "c", "image": "i" }] },
        },
    } })
}

#[test]
fn creator_owns_no_struct_that_is_always_there() {
    let mut world = deployment();
    world.post("u", &content());
    let template = "template{metadata{labels{. app}} spec{containers{[c]{. image name}}}}";
    world.assert_owners(&[&format!("u/U:{{spec{{replicas selector strategy{{type}} {template}}}}}")]);
}

#[test]
fn first_status_is_owned_field_by_field() {
    let mut world = deployment();
    world.apply("m1", json!({ "replicas": 1 }));
    world.patch_at("kcm", Some("status"), &json!({ "status": { "replicas": 1 } }));
    world.assert_owners(&["m1/A:{spec{replicas}}", "kcm/U/status:{status{replicas}}"]);
}

#[test]
fn every_empty_object_has_metadata() {
    for (group, kind) in [("", "Pod"), ("", "ConfigMap"), ("apps", "StatefulSet"), ("batch", "CronJob"), ("policy", "PodDisruptionBudget")]
    {
        assert_eq!(empty_object(group, kind)["metadata"], json!({}), "{kind}");
    }
    assert_eq!(empty_object("", "ConfigMap"), json!({ "metadata": {} }));
}
