//! What lies around the merge: resets and edits of the list, its cap, the last-applied annotation (cases 27 to 29, 31).

use serde_json::{Value, json};

use super::world::{World, causes};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn set_managed_fields(world: &mut World, entries: Value) {
    world.patch_at("editor", None, &json!({ "metadata": { "managedFields": entries } }));
}

#[test]
fn one_blank_entry_ends_the_tracking_until_the_next_apply() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    set_managed_fields(&mut world, json!([{}]));
    world.assert_owners(&[]);
    world.patch("u", json!({ "st": { "b": 1 } }));
    world.assert_owners(&[]);
    world.apply("m2", json!({ "gm": { "x": "1" } }));
    world.assert_owners(&["before-first-apply/U:{spec{. replicas st{. a b}}}", "m2/A:{spec{gm{x}}}"]);
}

#[test]
fn empty_list_resets_built_in_kinds_only() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    set_managed_fields(&mut world, json!([]));
    world.assert_owners(&["m1/A:{spec{st{a}}}"]);
    world.empty = Some(json!({ "metadata": {}, "spec": {} }));
    set_managed_fields(&mut world, json!([]));
    world.assert_owners(&[]);
}

#[test]
fn invalid_list_leaves_the_stored_one() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    set_managed_fields(&mut world, json!([{ "manager": "m9" }]));
    world.assert_owners(&["m1/A:{spec{st{a}}}"]);
    let entry =
        json!({ "manager": "m9", "operation": "Apply", "apiVersion": "ex.io/v1", "fieldsType": "FieldsV1", "fieldsV1": { "x": {} } });
    set_managed_fields(&mut world, json!([entry]));
    world.assert_owners(&["m1/A:{spec{st{a}}}"]);
}

#[test]
fn edited_list_is_taken_with_paths_that_the_schema_does_not_know() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    let entry = |version: &str, manager: &str| {
        json!({
            "manager": manager, "operation": "Apply", "apiVersion": version, "fieldsType": "FieldsV1",
            "fieldsV1": { "f:spec": { "f:nowhere": { "f:x": {} }, "f:st": { "f:a": {} } } },
        })
    };
    set_managed_fields(&mut world, json!([entry("ex.io/v1", "m2"), entry("ex.io/v9", "m3")]));
    world.patch("u", json!({ "st": { "b": 1 } }));
    world.assert_owners(&["~m2/A:{spec{nowhere{x} st{a}}}", "u/U:{spec{st{b}}}"]);
}

#[test]
fn list_of_the_request_is_ignored_on_subresources() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    world.patch_at("u", Some("status"), &json!({ "metadata": { "managedFields": [{}] }, "status": { "note": "n" } }));
    world.assert_owners(&["m1/A:{spec{st{a}}}", "u/U/status:{status{. note}}"]);
}

#[test]
fn eleventh_updater_merges_the_two_oldest() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    for number in 1..=11 {
        world.patch(&format!("u{number}"), json!({ "gm": { format!("k{number}"): "1" } }));
    }
    let owners = world.owners_in_order();
    assert_eq!(owners.len(), 11, "{owners:?}");
    assert_eq!(owners[0], "m1/A:{spec{st{a}}}");
    assert_eq!(owners[1], "ancient-changes/U:{spec{gm{. k1 k2}}}");
    assert_eq!(owners[2], "u3/U:{spec{gm{k3}}}");
    world.patch("u12", json!({ "gm": { "k12": "1" } }));
    let owners = world.owners_in_order();
    assert_eq!(owners.len(), 11, "{owners:?}");
    assert_eq!(owners[1], "ancient-changes/U:{spec{gm{. k1 k2 k3}}}");
}

#[test]
fn appliers_are_never_merged() {
    let mut world = World::new();
    for number in 1..=15 {
        world.apply(&format!("m{number}"), json!({ "gm": { format!("k{number}"): "1" } }));
    }
    assert_eq!(world.owners().len(), 15);
}

fn posted_by_client_side_apply(value: u64) -> World {
    let mut world = World::new();
    let last = world.body(&json!({ "spec": { "st": { "a": value } } })).to_string();
    let content = json!({ "metadata": { "annotations": { LAST_APPLIED: format!("{last}\n") } }, "spec": { "st": { "a": value } } });
    world.post("kubectl-client-side-apply", &content);
    world
}

#[test]
fn kubectl_takes_over_what_its_annotation_shows() {
    let mut world = posted_by_client_side_apply(1);
    let error = world.refused("other", json!({ "st": { "a": 2 } }));
    assert_eq!(causes(&error)[0].0, "conflict with \"kubectl-client-side-apply\" using ex.io/v1");
    world.apply("kubectl", json!({ "st": { "a": 2 } }));
    assert_eq!(world.spec()["st"]["a"], 2);
    let annotation = world.object.as_ref().unwrap()["metadata"]["annotations"][LAST_APPLIED].clone();
    let expected = "{\"apiVersion\":\"ex.io/v1\",\"kind\":\"W\",\"metadata\":{\"name\":\"w\"},\"spec\":{\"st\":{\"a\":2}}}\n";
    assert_eq!(annotation, expected);
}

#[test]
fn kubectl_conflicts_over_what_a_third_party_changed() {
    let mut world = posted_by_client_side_apply(1);
    world.patch("third", json!({ "st": { "a": 5, "b": 5 } }));
    let error = world.refused("kubectl", json!({ "st": { "a": 2, "b": 6 } }));
    let fields: Vec<_> = causes(&error).into_iter().map(|cause| cause.1).collect();
    assert_eq!(fields, [".spec.st.a", ".spec.st.b"]);
    let error = world.refused("kubectl", json!({ "st": { "a": 5, "b": 6 } }));
    assert_eq!(causes(&error), [("conflict with \"third\" using ex.io/v1".to_owned(), ".spec.st.b".to_owned())]);
}

#[test]
fn annotation_that_would_be_too_long_is_dropped() {
    let mut world = posted_by_client_side_apply(1);
    world.apply("kubectl", json!({ "gm": { "x": "y".repeat(262_144) } }));
    assert!(world.object.unwrap()["metadata"]["annotations"].get(LAST_APPLIED).is_none());
}

#[test]
fn annotation_escapes_markup_as_the_server_does() {
    let mut world = posted_by_client_side_apply(1);
    world.apply("kubectl", json!({ "gm": { "x": "<&>" } }));
    let object = world.object.unwrap();
    assert!(object["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap().contains("\"x\":\"\\u003c\\u0026\\u003e\""));
}

#[test]
fn set_that_reaches_into_an_atomic_list_owns_the_list() {
    let mut world = World::new();
    world.apply("m1", json!({ "tags": ["a"] }));
    let mut schema = world.schema.clone();
    let spec = std::sync::Arc::make_mut(schema.properties.get_mut("spec").unwrap());
    let tags = std::sync::Arc::make_mut(spec.properties.get_mut("tags").unwrap());
    tags.list_type = crate::sim::schema::ListType::Atomic;
    world.schema = schema;
    world.patch("u", json!({ "st": { "a": 1 } }));
    world.assert_owners(&["m1/A:{spec{tags}}", "u/U:{spec{st{. a}}}"]);
}
