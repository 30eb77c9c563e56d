use std::sync::Arc;

use serde_json::{Value, json};

use super::apply;
use crate::sim::schema::{Kind, Schema};

fn list(strategy: &str, key: Option<&str>, items: Schema) -> Arc<Schema> {
    Arc::new(Schema {
        kind: Kind::Array,
        items: Some(Arc::new(items)),
        patch_strategy: strategy.to_owned(),
        patch_merge_key: key.map(str::to_owned),
        ..Schema::default()
    })
}

fn object<const N: usize>(fields: [(&str, Arc<Schema>); N]) -> Schema {
    Schema {
        kind: Kind::Object,
        properties: fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect(),
        ..Schema::default()
    }
}

fn text() -> Schema {
    Schema { kind: Kind::String, ..Schema::default() }
}

fn map_of_text() -> Arc<Schema> {
    Arc::new(Schema { kind: Kind::Object, additional: Some(Arc::new(text())), ..Schema::default() })
}

fn schema() -> Schema {
    let env = object([("name", Arc::new(text())), ("value", Arc::new(text()))]);
    let container = object([
        ("name", Arc::new(text())),
        ("image", Arc::new(text())),
        ("args", list("", None, text())),
        ("env", list("merge", Some("name"), env)),
    ]);
    let selector = Schema { patch_strategy: "replace".to_owned(), ..object([("matchLabels", map_of_text())]) };
    object([
        ("labels", map_of_text()),
        ("finalizers", list("merge", None, text())),
        ("containers", list("merge", Some("name"), container)),
        ("selector", Arc::new(selector)),
        (
            "strategy",
            Arc::new(Schema {
                patch_strategy: "retainKeys".to_owned(),
                ..object([("type", Arc::new(text())), ("rollingUpdate", map_of_text())])
            }),
        ),
    ])
}

fn patched(live: Value, patch: Value) -> Value {
    apply(&live, &patch, &schema()).unwrap()
}

fn refused(live: Value, patch: Value) -> (u16, String) {
    let error = apply(&live, &patch, &schema()).unwrap_err();
    (error.code, error.message)
}

#[test]
fn items_merge_by_key_and_plain_lists_are_replaced() {
    let live = json!({"containers": [{"name": "a", "image": "1", "args": ["x", "y"]}, {"name": "b", "image": "1"}]});
    let patch = json!({"containers": [{"name": "b", "image": "2"}, {"name": "a", "args": ["z"]}]});
    let expected = json!({"containers": [{"name": "b", "image": "2"}, {"name": "a", "image": "1", "args": ["z"]}]});
    assert_eq!(patched(live, patch), expected);
}

#[test]
fn new_items_come_before_items_only_the_server_has() {
    let live = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    assert_eq!(patched(live, json!({"containers": [{"name": "n"}]})), json!({"containers": [{"name": "n"}, {"name": "a"}, {"name": "b"}]}));
}

#[test]
fn an_item_of_the_patch_stays_behind_server_items_that_were_in_front_of_it() {
    let live = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
    let patch = json!({"containers": [{"name": "b", "image": "2"}]});
    assert_eq!(patched(live, patch), json!({"containers": [{"name": "a"}, {"name": "b", "image": "2"}, {"name": "c"}]}));
}

#[test]
fn set_element_order_orders_new_and_old_items() {
    let live = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let patch = json!({
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}, {"name": "n"}],
        "containers": [{"name": "n", "image": "1"}],
    });
    assert_eq!(patched(live, patch), json!({"containers": [{"name": "b"}, {"name": "a"}, {"name": "n", "image": "1"}]}));
}

#[test]
fn set_element_order_that_lacks_an_item_of_the_patch_is_refused() {
    let patch = json!({"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "n"}]});
    let (code, message) = refused(json!({"containers": [{"name": "b"}]}), patch);
    assert_eq!(code, 500);
    assert_eq!(message, "The order in patch list:\n[map[name:n]]\n doesn't match $setElementOrder list:\n[map[name:b]]\n");
}

#[test]
fn delete_directive_removes_an_item_and_is_harmless_without_a_list() {
    let patch = json!({"containers": [{"name": "a", "$patch": "delete"}]});
    assert_eq!(patched(json!({"containers": [{"name": "a"}, {"name": "b"}]}), patch.clone()), json!({"containers": [{"name": "b"}]}));
    assert_eq!(patched(json!({}), patch), json!({"containers": []}));
}

#[test]
fn replace_directive_in_a_list_keeps_only_the_items_of_the_patch() {
    let patch = json!({"containers": [{"$patch": "replace"}, {"name": "n"}]});
    assert_eq!(patched(json!({"containers": [{"name": "a"}]}), patch), json!({"containers": [{"name": "n"}]}));
}

#[test]
fn map_directives_replace_empty_or_fail() {
    let live = json!({"labels": {"a": "1"}});
    assert_eq!(patched(live.clone(), json!({"labels": {"$patch": "replace", "b": "2"}})), json!({"labels": {"b": "2"}}));
    assert_eq!(patched(live.clone(), json!({"labels": {"$patch": "delete"}})), json!({"labels": {}}));
    let (code, message) = refused(live, json!({"labels": {"$patch": "foo", "b": "2"}}));
    assert_eq!((code, message.as_str()), (500, "unknown patch type: foo in map: map[$patch:foo b:2]"));
    assert_eq!(patched(json!({}), json!({"labels": {"$patch": "foo"}})), json!({}));
}

#[test]
fn merge_directive_on_an_item_is_refused() {
    let (code, message) = refused(json!({"containers": [{"name": "a"}]}), json!({"containers": [{"name": "a", "$patch": "merge"}]}));
    assert_eq!((code, message.as_str()), (500, "merging lists cannot yet be specified in the patch"));
}

#[test]
fn an_item_without_its_merge_key_is_refused() {
    let (code, message) = refused(json!({"containers": [{"name": "a"}]}), json!({"containers": [{"image": "x"}]}));
    assert_eq!((code, message.as_str()), (500, "map: map[image:x] does not contain declared merge key: name"));
}

#[test]
fn scalar_lists_unite_and_lose_what_the_deletion_list_names() {
    let live = json!({"finalizers": ["a", "b"]});
    assert_eq!(patched(live.clone(), json!({"finalizers": ["c", "a"]})), json!({"finalizers": ["c", "a", "b"]}));
    assert_eq!(patched(live.clone(), json!({"$deleteFromPrimitiveList/finalizers": ["a"]})), json!({"finalizers": ["b"]}));
    let ordered = json!({"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["c", "b"], "finalizers": ["c"]});
    assert_eq!(patched(live, ordered), json!({"finalizers": ["c", "b"]}));
}

#[test]
fn retain_keys_clears_the_other_fields() {
    let live = json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "1"}}});
    let patch = json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}});
    assert_eq!(patched(live.clone(), patch), json!({"strategy": {"type": "Recreate"}}));
    let (code, message) = refused(live, json!({"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}}));
    assert_eq!((code, message.as_str()), (400, "invalid patch format of retainKeys"));
}

#[test]
fn null_deletes_and_nulls_in_new_maps_vanish() {
    let live = json!({"labels": {"a": "1", "b": "2"}});
    assert_eq!(patched(live, json!({"labels": {"a": null, "z": null}})), json!({"labels": {"b": "2"}}));
    assert_eq!(patched(json!({}), json!({"labels": {"a": null, "b": "2"}})), json!({"labels": {"b": "2"}}));
}

#[test]
fn a_map_with_replace_strategy_is_taken_as_it_is() {
    let live = json!({"selector": {"matchLabels": {"a": "1"}}});
    assert_eq!(patched(live, json!({"selector": {"matchLabels": {"b": "2"}}})), json!({"selector": {"matchLabels": {"b": "2"}}}));
}

#[test]
fn nested_lists_merge_by_their_own_key() {
    let live = json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]});
    let patch = json!({"containers": [{"name": "a", "env": [{"name": "Y", "value": "3"}]}]});
    let expected = json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "3"}]}]});
    assert_eq!(patched(live, patch), expected);
}

#[test]
fn a_null_body_changes_nothing_and_a_list_is_a_bad_request() {
    assert_eq!(patched(json!({"labels": {"a": "1"}}), json!(null)), json!({"labels": {"a": "1"}}));
    assert_eq!(refused(json!({}), json!([])).0, 400);
}
