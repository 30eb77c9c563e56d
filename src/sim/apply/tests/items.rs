//! Keyed lists and sets (cases 13 to 16, 21, 22, 34).

use serde_json::json;

use super::world::{World, causes};

#[test]
fn defaulted_key_is_part_of_the_path_but_not_owned() {
    let mut world = World::new();
    world.apply("m1", json!({ "ports": [{ "port": 80 }] }));
    assert_eq!(world.spec()["ports"], json!([{ "port": 80, "protocol": "TCP" }]));
    world.assert_owners(&["m1/A:{spec{ports{[80,TCP]{. port}}}}"]);
    world.apply("m2", json!({ "ports": [{ "port": 80, "protocol": "UDP" }, { "port": 80, "name": "x" }] }));
    let expected = json!([{ "port": 80, "protocol": "UDP" }, { "port": 80, "protocol": "TCP", "name": "x" }]);
    assert_eq!(world.spec()["ports"], expected);
    let m2 = "m2/A:{spec{ports{[80,TCP]{. name port} [80,UDP]{. port protocol}}}}";
    world.assert_owners(&["m1/A:{spec{ports{[80,TCP]{. port}}}}", m2]);
    world.apply("m1", json!({ "ports": [] }));
    assert_eq!(world.spec()["ports"], expected);
    world.assert_owners(&[m2]);
}

#[test]
fn duplicate_items_are_refused_by_their_full_key() {
    let mut world = World::new();
    let error = world.refused("m1", json!({ "ports": [{ "port": 80 }, { "port": 80, "protocol": "TCP" }] }));
    assert_eq!((error.code, error.reason), (500, ""));
    let text =
        "failed to create typed patch object (/w; ex.io/v1, Kind=W): .spec.ports: duplicate entries for key [port=80,protocol=\"TCP\"]";
    assert_eq!(error.message, text);
    let error = world.refused("m1", json!({ "tags": ["c", "c"] }));
    assert!(error.message.ends_with(": .spec.tags: duplicate entries for key [=\"c\"]"), "{}", error.message);
}

#[test]
fn item_with_a_part_of_its_key_is_left_to_validation() {
    let mut world = World::new();
    world.apply("m1", json!({ "ports": [{ "port": 80 }, { "protocol": "UDP" }] }));
    assert_eq!(world.spec()["ports"], json!([{ "port": 80, "protocol": "TCP" }, { "protocol": "UDP" }]));
}

#[test]
fn keyed_list_takes_the_applied_order_and_keeps_live_items_before_the_next_shared_one() {
    let mut world = World::new();
    let item = |name: &str| json!({ "name": name });
    world.post("u", &json!({ "spec": { "items": [item("a"), item("b"), item("c")] } }));
    world.apply("m1", json!({ "items": [item("c"), item("x"), item("a")] }));
    let expected = json!([item("b"), item("c"), item("x"), item("a")]);
    assert_eq!(world.spec()["items"], expected);
    world.apply("m1", json!({ "items": [item("x"), item("a")] }));
    assert_eq!(world.spec()["items"], expected);
}

#[test]
fn set_items_are_owned_one_by_one() {
    let mut world = World::new();
    world.apply("m1", json!({ "tags": ["b", "a"] }));
    world.apply("m2", json!({ "tags": ["c", "a"] }));
    assert_eq!(world.spec()["tags"], json!(["b", "c", "a"]));
    world.apply("m1", json!({ "tags": ["b"] }));
    assert_eq!(world.spec()["tags"], json!(["b", "c", "a"]));
    world.apply("m2", json!({ "tags": ["c"] }));
    assert_eq!(world.spec()["tags"], json!(["b", "c"]));
    world.assert_owners(&["m1/A:{spec{tags{=b}}}", "m2/A:{spec{tags{=c}}}"]);
}

#[test]
fn applying_an_empty_list_alone_can_erase_the_whole_spec() {
    let mut world = World::new();
    world.apply("m1", json!({ "items": [{ "name": "a" }] }));
    world.apply("m1", json!({ "items": [] }));
    let object = world.object.clone().unwrap();
    assert!(object.get("spec").is_none(), "{object}");
    world.assert_owners(&[]);

    let mut world = World::new();
    world.apply("m1", json!({ "items": [{ "name": "a" }], "st": { "a": 1 } }));
    world.apply("m1", json!({ "items": [], "st": { "a": 1 } }));
    assert_eq!(world.spec(), json!({ "replicas": 1, "st": { "a": 1 } }));
    world.assert_owners(&["m1/A:{spec{st{a}}}"]);
}

#[test]
fn item_goes_with_what_an_updater_added_inside_it() {
    let mut world = World::new();
    world.apply("m1", json!({ "items": [{ "name": "a", "v": 1 }] }));
    world.patch("u", json!({ "items": [{ "name": "a", "v": 1, "sub": ["q"] }] }));
    world.assert_owners(&["m1/A:{spec{items{[a]{. name v}}}}", "u/U:{spec{items{[a]{sub{. =q}}}}}"]);
    world.apply("m1", json!({ "items": [] }));
    assert_eq!(world.spec()["items"], json!(null), "the server's validation refuses this null with 422");
}

#[test]
fn conditions_of_two_writers_live_side_by_side_on_status() {
    let mut world = World::new();
    world.apply("m1", json!({ "st": { "a": 1 } }));
    let condition = |kind: &str| json!({ "status": { "conditions": [{ "type": kind, "status": "True" }] } });
    world.try_apply("c1", Some("status"), &condition("One"), false).unwrap();
    world.try_apply("c2", Some("status"), &condition("Two"), false).unwrap();
    let conditions = |world: &World| world.object.as_ref().unwrap()["status"]["conditions"].clone();
    assert_eq!(conditions(&world).as_array().unwrap().len(), 2);
    world.try_apply("c1", Some("status"), &json!({ "status": { "conditions": [] } }), false).unwrap();
    assert_eq!(conditions(&world), json!([{ "type": "Two", "status": "True" }]));
    world.assert_owners(&["m1/A:{spec{st{a}}}", "c2/A/status:{status{conditions{[Two]{. status type}}}}"]);
}

#[test]
fn stored_duplicates_are_owned_as_one_and_replaced_by_the_applied_item() {
    let mut world = World::new();
    world.post("u", &json!({ "spec": { "tags": ["a", "a", "b"] } }));
    world.assert_owners(&["u/U:{spec{. replicas tags{. =a =b}}}"]);
    let error = world.refused("m1", json!({ "tags": ["a"] }));
    let cause = ("conflict with \"u\" using ex.io/v1".to_owned(), ".spec.tags[=\"a\"]".to_owned());
    assert_eq!(causes(&error), [cause]);
    world.force("m1", json!({ "tags": ["a"] }));
    assert_eq!(world.spec()["tags"], json!(["a", "b"]));
    world.assert_owners(&["m1/A:{spec{tags{=a}}}", "u/U:{spec{. replicas tags{. =b}}}"]);
}

#[test]
fn other_items_of_a_list_with_duplicates_are_left_alone() {
    let mut world = World::new();
    let items = json!([{ "name": "a", "v": 1 }, { "name": "a", "v": 2 }, { "name": "b", "v": 1 }]);
    world.post("u", &json!({ "spec": { "items": items } }));
    world.apply("m1", json!({ "items": [{ "name": "b", "sub": ["q"] }] }));
    let expected = json!([{ "name": "a", "v": 1 }, { "name": "a", "v": 2 }, { "name": "b", "v": 1, "sub": ["q"] }]);
    assert_eq!(world.spec()["items"], expected);
    world.patch("u", json!({ "items": [{ "name": "a", "v": 2 }, { "name": "b", "v": 1, "sub": ["q"] }] }));
    world.assert_owners(&["m1/A:{spec{items{[b]{. name sub{=q}}}}}", "u/U:{spec{. items{. [a]{. name v} [b]{. name v}} replicas}}"]);
}

#[test]
fn struct_applied_empty_goes_when_only_an_empty_list_is_left_in_it() {
    let mut world = World::new();
    let content = json!({ "metadata": { "labels": { "a": "1" } }, "spec": { "tags": [] } });
    world.try_apply("m1", None, &content, false).unwrap();
    world.apply("m2", json!({}));
    assert_eq!(world.spec(), json!({ "replicas": 1, "tags": [] }));
    world.apply("m2", json!({}));
    assert!(world.object.unwrap().get("spec").is_none());
}
