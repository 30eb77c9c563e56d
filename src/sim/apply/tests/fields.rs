//! Structs, scalars, atomic and granular maps and lists (cases 1 to 12, 17 to 20, 23).

use serde_json::json;

use super::world::{World, causes};

#[test]
fn creating_apply_owns_its_leaves_and_not_the_defaults() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    assert_eq!(world.spec(), json!({ "replicas": 1, "st": { "a": 1 } }));
    world.assert_owners(&["m1/A:{spec{st{a}}}"]);
}

#[test]
fn equal_values_are_shared_without_a_time_at_a_new_revision() {
    let mut world = World::new();
    let created = world.apply("m1", json!({ "st": { "a": 1 } }));
    let shared = world.apply("m2", json!({ "st": { "a": 1 } }));
    assert_eq!(shared, created + 1);
    world.assert_owners(&["m1/A:{spec{st{a}}}", "~m2/A:{spec{st{a}}}"]);
    assert_eq!(world.apply("m1", json!({ "st": { "a": 1 } })), shared, "applying the same again changes nothing");
}

#[test]
fn change_of_a_shared_field_conflicts_with_every_owner_and_force_takes_it() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    world.apply("m2", json!({ "st": { "a": 1 } }));
    let error = world.refused("m3", json!({ "st": { "a": 9 } }));
    assert_eq!((error.code, error.reason), (409, "Conflict"));
    let message = "Apply failed with 2 conflicts: conflicts with \"m1\":\n- .spec.st.a\nconflicts with \"m2\":\n- .spec.st.a";
    assert_eq!(error.message, message);
    let at = |manager: &str| (format!("conflict with \"{manager}\""), ".spec.st.a".to_owned());
    assert_eq!(causes(&error), [at("m1"), at("m2")]);
    world.force("m3", json!({ "st": { "a": 9 } }));
    world.assert_owners(&["m3/A:{spec{st{a}}}"]);
    assert_eq!(world.spec()["st"]["a"], 9);
}

#[test]
fn apply_of_an_empty_struct_owns_the_struct_only() {
    let mut world = World::new();
    world.apply("m3", json!({ "st": { "a": 9 } }));
    let before = world.spec();
    world.apply("m1", json!({}));
    assert_eq!(world.spec(), before);
    world.assert_owners(&["m3/A:{spec{st{a}}}", "~m1/A:{spec}"]);
    world.apply("m3", json!({}));
    assert_eq!(world.spec(), json!({ "replicas": 1 }));
    world.assert_owners(&["~m1/A:{spec}", "m3/A:{spec}"]);
}

#[test]
fn field_goes_when_its_last_applier_drops_it() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1, "b": 2 } }));
    world.apply("m2", json!({ "st": { "b": 2 } }));
    world.apply("m1", json!({ "st": { "a": 1 } }));
    assert_eq!(world.spec()["st"], json!({ "a": 1, "b": 2 }));
    world.apply("m2", json!({}));
    assert_eq!(world.spec()["st"], json!({ "a": 1 }));
    // The third apply changed ownership only: the time of the first one stands.
    world.assert_owners(&["m1/A:{spec{st{a}}}", "m2/A:{spec}"]);
}

#[test]
fn update_takes_what_it_changes_and_conflicts_name_its_version() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1, "b": 2 } }));
    world.patch("u", json!({ "st": { "a": 7 } }));
    world.assert_owners(&["m1/A:{spec{st{b}}}", "u/U:{spec{st{a}}}"]);
    let error = world.refused("m1", json!({ "st": { "a": 1, "b": 2 } }));
    assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"u\" using ex.io/v1: .spec.st.a");
    world.apply("m1", json!({ "st": { "a": 7, "b": 2 } }));
    world.assert_owners(&["m1/A:{spec{st{a b}}}", "u/U:{spec{st{a}}}"]);
    world.apply("m1", json!({ "st": { "b": 2 } }));
    assert_eq!(world.spec()["st"], json!({ "a": 7, "b": 2 }));
    world.assert_owners(&["m1/A:{spec{st{b}}}", "u/U:{spec{st{a}}}"]);
}

#[test]
fn object_without_managers_belongs_to_before_first_apply() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    world.patch("u", json!({ "st": null }));
    world.assert_owners(&[]);
    assert!(world.object.as_ref().unwrap()["metadata"].get("managedFields").is_none());
    world.apply("m1", json!({ "st": { "a": 1 } }));
    world.assert_owners(&["before-first-apply/U:{spec{. replicas}}", "m1/A:{spec{st{a}}}"]);
}

#[test]
fn applier_conflicts_with_its_own_update() {
    let mut world = World::new();
    world.post("m1", &json!({ "spec": { "st": { "a": 1 } } }));
    world.assert_owners(&["m1/U:{spec{. replicas st{. a}}}"]);
    let error = world.refused("m1", json!({ "st": { "a": 2 } }));
    assert_eq!(causes(&error), [("conflict with \"m1\" using ex.io/v1".to_owned(), ".spec.st.a".to_owned())]);
    world.force("m1", json!({ "st": { "a": 2 } }));
    world.assert_owners(&["m1/A:{spec{st{a}}}", "m1/U:{spec{. replicas st}}"]);
}

#[test]
fn dropping_a_field_that_an_updater_owns_too_leaves_it() {
    let mut world = World::new();
    world.post("u", &json!({ "spec": { "st": { "a": 1, "b": 2 } } }));
    world.apply("m1", json!({ "st": { "a": 1 } }));
    world.apply("m1", json!({}));
    assert_eq!(world.spec()["st"], json!({ "a": 1, "b": 2 }));
    world.assert_owners(&["u/U:{spec{. replicas st{. a b}}}", "~m1/A:{spec}"]);
}

#[test]
fn atomic_list_has_owners_as_a_whole() {
    let mut world = World::new();
    world.apply("m1", json!({ "atoms": ["x"] }));
    world.apply("m2", json!({ "atoms": ["x"] }));
    world.assert_owners(&["m1/A:{spec{atoms}}", "~m2/A:{spec{atoms}}"]);
    let error = world.refused("m2", json!({ "atoms": ["x", "y"] }));
    assert_eq!(causes(&error)[0].1, ".spec.atoms");
    world.patch("u", json!({ "atoms": ["z"] }));
    world.assert_owners(&["u/U:{spec{atoms}}"]);
}

#[test]
fn atomic_map_is_replaced_as_a_whole() {
    let mut world = World::new();
    world.apply("m1", json!({ "am": { "x": "1" } }));
    let error = world.refused("m2", json!({ "am": { "y": "1" } }));
    assert_eq!(causes(&error)[0].1, ".spec.am");
    world.force("m2", json!({ "am": { "y": "1" } }));
    assert_eq!(world.spec()["am"], json!({ "y": "1" }));
    world.assert_owners(&["m2/A:{spec{am}}"]);
}

#[test]
fn granular_map_keeps_the_entries_of_others() {
    let mut world = World::new();
    world.apply("m1", json!({ "gm": { "x": "1" } }));
    world.apply("m2", json!({ "gm": { "y": "1" } }));
    world.apply("m1", json!({ "gm": {} }));
    assert_eq!(world.spec()["gm"], json!({ "y": "1" }));
    world.assert_owners(&["m1/A:{spec{gm}}", "m2/A:{spec{gm{y}}}"]);
}

#[test]
fn container_that_loses_everything_becomes_null() {
    let mut world = World::new();
    world.apply("m1", json!({ "gm": { "x": "1" } }));
    world.apply("m1", json!({ "gm": {} }));
    assert_eq!(world.spec()["gm"], json!(null), "the server's validation refuses this null with 422");

    let mut world = World::new();
    world.apply("m1", json!({ "replicas": 3 }));
    world.apply("m1", json!({}));
    assert_eq!(world.object.unwrap()["spec"], json!(null));
}

#[test]
fn undeclared_maps_are_granular_and_undeclared_lists_atomic() {
    let mut world = World::new();
    world.apply("m1", json!({ "any": { "a": { "b": 1 }, "l": [1] } }));
    world.assert_owners(&["m1/A:{spec{any{a{. b} l}}}"]);
    world.apply("m2", json!({ "any": { "a": { "c": 2 } } }));
    assert_eq!(world.spec()["any"], json!({ "a": { "b": 1, "c": 2 }, "l": [1] }));
    let error = world.refused("m2", json!({ "any": { "a": { "c": 2 }, "l": [3] } }));
    assert_eq!(causes(&error), [("conflict with \"m1\"".to_owned(), ".spec.any.l".to_owned())]);
}
