use serde_json::{Value, json};

use super::apply;

fn patched(live: Value, patch: Value) -> Value {
    apply(&live, &patch).unwrap()
}

fn refused(live: Value, patch: Value) -> (u16, String) {
    let error = apply(&live, &patch).unwrap_err();
    (error.code, error.message)
}

#[test]
fn replace_of_a_missing_key_adds_it() {
    assert_eq!(patched(json!({"a": 1}), json!([{"op": "replace", "path": "/b", "value": 2}])), json!({"a": 1, "b": 2}));
}

#[test]
fn test_against_null_passes_on_a_missing_key_and_fails_on_a_present_one() {
    let patch = json!([{"op": "test", "path": "/m/f", "value": null}, {"op": "add", "path": "/m/f", "value": ["x"]}]);
    assert_eq!(patched(json!({"m": {}}), patch.clone()), json!({"m": {"f": ["x"]}}));
    assert_eq!(refused(json!({"m": {"f": 1}}), patch).0, 422);
}

#[test]
fn test_below_a_missing_parent_fails_even_against_null() {
    assert_eq!(refused(json!({}), json!([{"op": "test", "path": "/m/f", "value": null}])).0, 422);
}

#[test]
fn every_failed_operation_has_the_same_answer() {
    let text = "the server rejected our request due to an error in our request";
    for operation in [
        json!({"op": "test", "path": "/a", "value": 2}),
        json!({"op": "remove", "path": "/x"}),
        json!({"op": "move", "from": "/x", "path": "/y"}),
        json!({"op": "add", "path": "/l/5", "value": 1}),
        json!({"op": "add", "path": "", "value": {}}),
        json!({"op": "add", "path": "/x/y", "value": 1}),
        json!({"op": "replace", "path": "/l/-", "value": 1}),
        json!({"op": "burn", "path": "/a"}),
        json!({"op": "remove"}),
        json!({}),
    ] {
        let error = apply(&json!({"a": 1, "l": [1, 2]}), &json!([operation])).unwrap_err();
        assert_eq!((error.code, error.reason, error.message.as_str()), (422, "Invalid", text), "{operation}");
        assert_eq!(error.details, Some(json!({})));
    }
}

#[test]
fn negative_indices_count_from_the_end() {
    let live = json!({"l": [1, 2, 3]});
    assert_eq!(patched(live.clone(), json!([{"op": "remove", "path": "/l/-1"}])), json!({"l": [1, 2]}));
    assert_eq!(patched(live.clone(), json!([{"op": "replace", "path": "/l/-3", "value": 9}])), json!({"l": [9, 2, 3]}));
    assert_eq!(patched(live.clone(), json!([{"op": "add", "path": "/l/-1", "value": 4}])), json!({"l": [1, 2, 3, 4]}));
    assert_eq!(refused(live, json!([{"op": "remove", "path": "/l/-4"}])).0, 422);
}

#[test]
fn a_path_without_slash_loses_its_first_segment() {
    assert_eq!(patched(json!({}), json!([{"op": "add", "path": "a/b", "value": 1}])), json!({"b": 1}));
    assert_eq!(refused(json!({}), json!([{"op": "add", "path": "a", "value": 1}])).0, 422);
}

#[test]
fn escapes_dashes_and_indices_reach_into_lists_and_keys() {
    let live = json!({"m": {"a/b": 1, "c~d": 2}, "l": [{"x": 1}]});
    let patch = json!([
        {"op": "replace", "path": "/m/a~1b", "value": 3},
        {"op": "remove", "path": "/m/c~0d"},
        {"op": "add", "path": "/l/-", "value": {"x": 2}},
        {"op": "add", "path": "/l/0", "value": {"x": 0}},
        {"op": "replace", "path": "/l/1/x", "value": 9},
    ]);
    assert_eq!(patched(live, patch), json!({"m": {"a/b": 3}, "l": [{"x": 0}, {"x": 9}, {"x": 2}]}));
}

#[test]
fn copy_of_a_missing_key_adds_null_but_move_of_one_fails() {
    assert_eq!(patched(json!({}), json!([{"op": "copy", "from": "/a", "path": "/b"}])), json!({"b": null}));
    assert_eq!(refused(json!({}), json!([{"op": "move", "from": "/a", "path": "/b"}])).0, 422);
}

#[test]
fn root_can_be_replaced_by_an_object_only_and_tested() {
    let live = json!({"a": 1});
    assert_eq!(patched(live.clone(), json!([{"op": "replace", "path": "", "value": {"b": 2}}])), json!({"b": 2}));
    assert_eq!(refused(live.clone(), json!([{"op": "replace", "path": "", "value": 7}])).0, 422);
    assert_eq!(patched(live.clone(), json!([{"op": "test", "path": "", "value": {"a": 1}}])), live);
}

#[test]
fn what_is_not_a_list_of_operations_is_a_bad_request() {
    let (code, message) = refused(json!({}), json!({"op": "add"}));
    assert_eq!(code, 400);
    assert_eq!(message, "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch");
    assert_eq!(refused(json!({}), json!(["x"])).0, 400);
}

#[test]
fn more_than_ten_thousand_operations_are_too_large() {
    let patch = vec![json!({"op": "add", "path": "/a", "value": 1}); 10_001];
    assert_eq!(refused(json!({}), Value::Array(patch)).0, 413);
}
