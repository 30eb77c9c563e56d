//! Metadata, subresources, resets and typed errors (cases 24, 25, 30, 32, 33, 34).

use serde_json::{Value, json};

use super::world::{World, causes};

fn metadata() -> Value {
    let owner = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u1" });
    json!({ "metadata": {
        "annotations": { "b": "2" }, "labels": { "a": "1" }, "finalizers": ["x/y"], "ownerReferences": [owner],
    } })
}

#[test]
fn metadata_is_owned_entry_by_entry() {
    let mut world = World::new();
    world.try_apply("m1", None, &metadata(), false).unwrap();
    world.assert_owners(&["m1/A:{metadata{annotations{b} finalizers{=x/y} labels{a} ownerReferences{[u1]}}}"]);
    world.try_apply("m1", None, &json!({}), false).unwrap();
    let left = world.object.clone().unwrap();
    let names: Vec<_> = left["metadata"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["name", "uid"]);
    world.assert_owners(&[]);
}

#[test]
fn update_owns_the_maps_of_metadata_but_nothing_of_the_server() {
    let mut world = World::new();
    world.post("u", &metadata());
    let metadata = "annotations{. b} finalizers{. =x/y} labels{. a} ownerReferences{. [u1]}";
    world.assert_owners(&[&format!("u/U:{{metadata{{{metadata}}}}}")]);
}

#[test]
fn status_on_the_main_path_is_not_owned() {
    let mut world = World::new();
    world.try_apply("m1", None, &json!({ "spec": { "st": { "a": 1 } }, "status": { "note": "n" } }), false).unwrap();
    assert!(world.object.as_ref().unwrap().get("status").is_none());
    world.assert_owners(&["m1/A:{spec{st{a}}}"]);
    world.try_apply("m1", Some("status"), &json!({ "status": { "note": "n" } }), false).unwrap();
    world.assert_owners(&["m1/A:{spec{st{a}}}", "m1/A/status:{status{note}}"]);
}

#[test]
fn labels_on_the_status_path_are_owned_though_not_stored() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    let content = json!({ "metadata": { "labels": { "q": "1" } }, "spec": { "st": { "a": 9 } }, "status": { "note": "n" } });
    world.try_apply("m2", Some("status"), &content, false).unwrap();
    let object = world.object.as_ref().unwrap();
    assert!(object["metadata"].get("labels").is_none());
    assert_eq!(object["spec"]["st"]["a"], 1);
    world.assert_owners(&["m1/A:{spec{st{a}}}", "m2/A/status:{metadata{labels{q}} status{note}}"]);
}

#[test]
fn applier_keeps_one_entry_over_versions_and_updaters_have_one_per_version() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    world.version = "ex.io/v2";
    world.object.as_mut().unwrap()["apiVersion"] = json!("ex.io/v2");
    world.apply("m1", json!({ "st": { "a": 1 } }));
    let managed = world.object.as_ref().unwrap()["metadata"]["managedFields"].clone();
    assert_eq!(managed.as_array().unwrap().len(), 1);
    assert_eq!(managed[0]["apiVersion"], "ex.io/v2");

    world.patch("m2", json!({ "st": { "b": 1 } }));
    world.version = "ex.io/v1";
    world.object.as_mut().unwrap()["apiVersion"] = json!("ex.io/v1");
    world.patch("m2", json!({ "st": { "b": 2 } }));
    world.assert_owners(&["m1/A:{spec{st{a}}}", "m2/U:{spec{st{b}}}"]);
    let managed = world.object.as_ref().unwrap()["metadata"]["managedFields"].clone();
    assert_eq!(managed[1]["apiVersion"], "ex.io/v1");
}

#[test]
fn apply_leaves_the_stored_object_as_it_is() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    let stored = world.object.clone().unwrap();
    let mut dry = World { object: Some(stored.clone()), ..World::new() };
    dry.apply("m2", json!({ "st": { "b": 1 } }));
    dry.assert_owners(&["m1/A:{spec{st{a}}}", "m2/A:{spec{st{b}}}"]);
    assert_eq!(world.object.unwrap(), stored);
}

#[test]
fn last_finalizer_goes_with_its_applier() {
    let mut world = World::new();
    world.try_apply("m1", None, &json!({ "metadata": { "finalizers": ["x/y"] }, "spec": { "st": { "a": 1 } } }), false).unwrap();
    world.object.as_mut().unwrap()["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z");
    world.apply("m1", json!({ "st": { "a": 1 } }));
    assert!(world.object.as_ref().unwrap()["metadata"].get("finalizers").is_none());
}

#[test]
fn apply_of_nothing_creates_an_object_without_managers() {
    let mut world = World::new();
    world.try_apply("m1", None, &json!({}), false).unwrap();
    world.assert_owners(&[]);
    assert_eq!(world.object.unwrap()["metadata"]["name"], "w");
}

#[test]
fn what_does_not_fit_the_schema_is_a_500_with_every_path() {
    let mut world = World::new();
    let prefix = "failed to create typed patch object (/w; ex.io/v1, Kind=W): ";
    let mut refuse = |spec: Value| {
        let error = world.refused("m1", spec);
        assert_eq!((error.code, error.reason, &error.details), (500, "", &None));
        error.message.strip_prefix(prefix).unwrap().to_owned()
    };
    assert_eq!(refuse(json!({ "foo": 1 })), ".spec.foo: field not declared in schema");
    assert_eq!(refuse(json!({ "st": [1] })), ".spec.st: expected map, got &{[1]}");
    assert_eq!(refuse(json!({ "tags": { "a": 1 } })), ".spec.tags: expected list, got &{map[a:1]}");
    assert_eq!(refuse(json!({ "replicas": "3" })), ".spec.replicas: expected numeric (int or float), got string");
    let text = ".spec.items[name=\"a\"].sub[=1]: expected string, got &value.valueUnstructured{Value:1}";
    assert_eq!(refuse(json!({ "items": [{ "name": "a", "sub": [1] }] })), text);
    let text = ".spec.items: element 0: associative list with keys has an element that omits all key fields [\"name\"] \
                (and doesn't have default values for any key fields)";
    assert_eq!(refuse(json!({ "items": [{ "v": 1 }] })), text);
    let text =
        "errors:\n  .spec.atoms[0]: expected string, got &value.valueUnstructured{Value:1}\n  .spec.st.c: field not declared in schema";
    assert_eq!(refuse(json!({ "atoms": [1], "st": { "a": 1, "c": 2 } })), text);
}

#[test]
fn wrong_kind_version_and_managed_fields_are_bad_requests() {
    let mut world = World::new();
    let mut refuse = |content: Value| {
        let error = world.try_apply("m1", None, &content, true).unwrap_err();
        assert_eq!((error.code, error.reason), (400, "BadRequest"));
        error.message
    };
    assert_eq!(refuse(json!({ "apiVersion": "v2" })), "invalid object type: /v2, Kind=W");
    assert_eq!(refuse(json!({ "kind": "X" })), "invalid object type: ex.io/v1, Kind=X");
    assert_eq!(refuse(json!({ "metadata": { "managedFields": [] } })), "metadata.managedFields must be nil");
}

#[test]
fn conflict_paths_name_list_items_by_their_keys() {
    let mut world = World::new();
    world.apply("m1", json!({ "ports": [{ "port": 80, "name": "x" }], "tags": ["t"] }));
    world.patch("upd", json!({ "ports": [{ "port": 80, "name": "y" }] }));
    let error = world.refused("m1", json!({ "ports": [{ "port": 80, "name": "z" }], "tags": ["t"] }));
    let cause = ("conflict with \"upd\" using ex.io/v1".to_owned(), ".spec.ports[port=80,protocol=\"TCP\"].name".to_owned());
    assert_eq!(causes(&error), [cause]);
}

#[test]
fn entries_are_sorted_by_operation_then_time_then_manager() {
    let mut world = World::new();
    world.apply("z", json!({ "st": { "a": 1 } }));
    world.apply("y", json!({ "st": { "b": 1 } }));
    world.patch("b", json!({ "gm": { "b": "1" } }));
    world.patch("a", json!({ "gm": { "a": "1" } }));
    world.apply("x", json!({ "st": { "a": 1 } }));
    let order: Vec<_> = world.owners_in_order().iter().map(|entry| entry.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(order, ["~x/A", "z/A", "y/A", "b/U", "a/U"]);
}

#[test]
fn entry_has_the_fields_of_the_wire_form() {
    let mut world = World::new();
    world.apply("m1", json!({ "ports": [{ "port": 80 }] }));
    let entry = json!({
        "apiVersion": "ex.io/v1", "fieldsType": "FieldsV1", "manager": "m1", "operation": "Apply", "time": "2026-01-01T00:00:10Z",
        "fieldsV1": { "f:spec": { "f:ports": { "k:{\"port\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:port": {} } } } },
    });
    assert_eq!(world.object.unwrap()["metadata"]["managedFields"], json!([entry]));
}
