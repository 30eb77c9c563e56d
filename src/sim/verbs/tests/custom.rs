//! Custom resources: the life of a definition, and its objects.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::sim::cluster::tests::{cluster, config_map, create, watch};
use crate::sim::cluster::{DeleteOptions, ListOptions, WatchOptions};

const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

fn definition() -> Value {
    json!({
        "metadata": { "name": "ws.ex.io" },
        "spec": {
            "group": "ex.io", "scope": "Namespaced", "names": { "plural": "ws", "kind": "W", "shortNames": ["ww"] },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": {
                    "spec": { "type": "object", "required": ["req"], "properties": {
                        "replicas": { "type": "integer", "default": 1 }, "req": { "type": "string" },
                        "port": { "type": "integer", "maximum": 10 },
                    }, "x-kubernetes-validations": [{ "rule": "self.req == oldSelf.req", "message": "req is immutable" }] },
                    "status": { "type": "object", "properties": { "replicas": { "type": "integer" }, "note": { "type": "string" } } },
                } } },
                "subresources": { "status": {}, "scale": { "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas" } },
                "selectableFields": [{ "jsonPath": ".spec.req" }],
                "additionalPrinterColumns": [{ "name": "Req", "type": "string", "jsonPath": ".spec.req" }],
            }],
        },
    })
}

fn advance(cluster: &mut Cluster, milliseconds: i64) {
    for _ in 0..milliseconds / 50 {
        let later = cluster.now() + SignedDuration::from_millis(50);
        cluster.set_now(later);
        cluster.tick();
    }
}

fn condition<'a>(definition: &'a Value, kind: &str) -> &'a Value {
    let conditions = definition["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap()
}

fn with_definition() -> Cluster {
    let mut cluster = cluster();
    cluster.create(&me(), DEFINITIONS, "", definition(), &options()).unwrap();
    advance(&mut cluster, 600);
    cluster
}

fn w(name: &str) -> Value {
    json!({ "apiVersion": "ex.io/v1", "kind": "W", "metadata": { "name": name }, "spec": { "req": "r" } })
}

#[test]
fn a_definition_is_established_after_a_while_and_only_then_served() {
    let mut cluster = cluster();
    let made = cluster.create(&me(), DEFINITIONS, "", definition(), &options()).unwrap().object;
    assert_eq!(made["status"], json!({ "conditions": null, "acceptedNames": { "plural": "", "kind": "" }, "storedVersions": ["v1"] }));
    assert_eq!((&made["spec"]["names"]["singular"], &made["spec"]["names"]["listKind"]), (&json!("w"), &json!("WList")));
    assert!(cluster.create(&me(), "ws.ex.io", "t", w("a"), &options()).unwrap_err().plain_text);
    assert!(cluster.next_deadline().is_some());
    advance(&mut cluster, 600);
    let live = cluster.get(DEFINITIONS, "", "ws.ex.io").unwrap();
    assert_eq!(condition(&live, "NamesAccepted")["reason"], "NoConflicts");
    assert_eq!(condition(&live, "Established")["reason"], "InitialNamesAccepted");
    assert_eq!(live["status"]["acceptedNames"]["shortNames"], json!(["ww"]));
    assert_eq!(cluster.next_deadline(), None);
    create(&mut cluster, "ws.ex.io", w("a"));
}

#[test]
fn custom_objects_are_pruned_defaulted_and_validated() {
    let mut cluster = with_definition();
    let mut object = w("a");
    object["spec"]["foo"] = json!(1);
    let written = cluster.create(&me(), "ws.ex.io", "t", object, &options()).unwrap();
    assert_eq!(written.object["spec"], json!({ "req": "r", "replicas": 1 }));
    assert_eq!(written.warnings, ["unknown field \"spec.foo\""]);
    let mut invalid = w("b");
    invalid["spec"] = json!({ "port": 11 });
    let error = cluster.create(&me(), "ws.ex.io", "t", invalid, &options()).unwrap_err();
    assert_eq!(error.code, 422);
    assert!(error.message.contains("spec.req: Required value") && error.message.contains("less than or equal to 10"), "{}", error.message);
    assert!(error.message.contains("some validation rules were not checked"), "{}", error.message);
    let error = merge(&mut cluster, "ws.ex.io", "a", json!({ "spec": { "req": "other" } })).unwrap_err();
    assert!(error.message.contains("req is immutable"), "{}", error.message);
}

#[test]
fn the_status_door_of_a_custom_resource_takes_only_status() {
    let mut cluster = with_definition();
    let mut object = w("a");
    object["status"] = json!({ "note": "x" });
    let made = create(&mut cluster, "ws.ex.io", object);
    assert!(made["status"].is_null());
    let mut put = (*made).clone();
    put["status"] = json!({ "note": "y" });
    put["spec"]["replicas"] = json!(9);
    put["metadata"]["labels"] = json!({ "a": "b" });
    let written = cluster.update(&me(), "ws.ex.io", "t", "a", Some("status"), put.clone(), &options()).unwrap().object;
    assert_eq!((&written["status"]["note"], &written["spec"]["replicas"]), (&json!("y"), &json!(1)));
    assert!(written["metadata"]["labels"].is_null());
    assert_eq!(written["metadata"]["generation"], 1);
    put["metadata"]["resourceVersion"] = Value::Null;
    let error = cluster.update(&me(), "ws.ex.io", "t", "a", Some("status"), put, &options()).unwrap_err();
    assert_eq!((error.code, error.message.contains("must be specified for an update")), (422, true));
}

#[test]
fn strategic_patches_and_missing_type_meta_are_refused() {
    let mut cluster = with_definition();
    create(&mut cluster, "ws.ex.io", w("a"));
    let error = patch(&mut cluster, "ws.ex.io", "a", Patch::Strategic(json!({}))).unwrap_err();
    assert_eq!(error.code, 415);
    let error = patch(&mut cluster, "ws.ex.io", "missing", Patch::Strategic(json!({}))).unwrap_err();
    assert_eq!(error.code, 415, "the format is looked at before the object");
    let error = cluster.create(&me(), "ws.ex.io", "t", json!({ "metadata": { "name": "b" } }), &options()).unwrap_err();
    assert_eq!(error.code, 400);
    let mut other = w("b");
    other["apiVersion"] = json!("ex.io/v3");
    let error = cluster.create(&me(), "ws.ex.io", "t", other, &options()).unwrap_err();
    assert_eq!(error.message, "the API version in the data (ex.io/v3) does not match the expected API version (ex.io/v1)");
}

#[test]
fn scale_of_a_custom_resource_reads_and_writes_its_paths() {
    let mut cluster = with_definition();
    create(&mut cluster, "ws.ex.io", w("a"));
    let scale = cluster.read("ws.ex.io", "t", "a", Some("scale"), "").unwrap();
    assert_eq!((&scale["spec"], &scale["status"]), (&json!({ "replicas": 1 }), &json!({ "replicas": 0 })));
    let patch = Patch::Merge(json!({ "spec": { "replicas": 4 } }));
    cluster.patch(&me(), "ws.ex.io", "t", "a", Some("scale"), patch, &options()).unwrap();
    assert_eq!(cluster.get("ws.ex.io", "t", "a").unwrap()["spec"]["replicas"], 4);
    let patch = Patch::Merge(json!({ "spec": { "replicas": -1 } }));
    let error = cluster.patch(&me(), "ws.ex.io", "t", "a", Some("scale"), patch, &options()).unwrap_err();
    assert_eq!(error.message, "W.ex.io \"a\" is invalid: .spec.replicas: Invalid value: -1: should be a non-negative integer");
}

#[test]
fn selectable_fields_select_and_others_are_400() {
    let mut cluster = with_definition();
    create(&mut cluster, "ws.ex.io", w("a"));
    let mut other = w("b");
    other["spec"]["req"] = json!("s");
    create(&mut cluster, "ws.ex.io", other);
    let of = |selector: &str| ListOptions { field_selector: selector.to_owned(), ..ListOptions::default() };
    let page = cluster.list_page("ws.ex.io", Some("t"), &of("spec.req=s")).unwrap();
    assert_eq!(page.items.len(), 1);
    let error = cluster.list_page("ws.ex.io", Some("t"), &of("spec.port=1")).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (400, "field label not supported: spec.port"));
}

#[test]
fn a_schema_change_shows_new_defaults_at_the_old_revision_and_ends_watches() {
    let mut cluster = with_definition();
    let made = create(&mut cluster, "ws.ex.io", w("a"));
    let (id, _events) = watch(&mut cluster, "ws.ex.io", &WatchOptions::default());
    let properties = json!({ "note": { "type": "string", "default": "n" } });
    let mut changed = (*cluster.get(DEFINITIONS, "", "ws.ex.io").unwrap()).clone();
    let spec = &mut changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    spec["properties"]["note"] = properties["note"].clone();
    cluster.update(&me(), DEFINITIONS, "", "ws.ex.io", None, changed, &options()).unwrap();
    advance(&mut cluster, 200);
    let read = cluster.get("ws.ex.io", "t", "a").unwrap();
    assert_eq!(read["spec"]["note"], "n");
    assert_eq!(read["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    assert!(cluster.is_watching(id));
    advance(&mut cluster, 1_000);
    assert!(!cluster.is_watching(id));
    let written = merge(&mut cluster, "ws.ex.io", "a", json!({})).unwrap();
    assert!(revision(&written.object) > revision(&made), "the first write after the change is no no-op");
    let again = merge(&mut cluster, "ws.ex.io", "a", json!({})).unwrap();
    assert_eq!(again.object, written.object);
}

#[test]
fn a_status_write_of_a_definition_does_not_end_watches() {
    let mut cluster = with_definition();
    let (id, _events) = watch(&mut cluster, "ws.ex.io", &WatchOptions::default());
    let label = Patch::Merge(json!({ "metadata": { "labels": { "a": "b" } } }));
    cluster.patch(&me(), DEFINITIONS, "", "ws.ex.io", None, label, &options()).unwrap();
    advance(&mut cluster, 2_000);
    assert!(cluster.is_watching(id));
}

#[test]
fn deleting_a_definition_deletes_its_instances_first() {
    let mut cluster = with_definition();
    let mut object = w("a");
    object["metadata"]["finalizers"] = json!(["x.io/hold"]);
    create(&mut cluster, "ws.ex.io", object);
    create(&mut cluster, "ws.ex.io", w("b"));
    let marked = cluster.delete(&me(), DEFINITIONS, "", "ws.ex.io", &DeleteOptions::default()).unwrap();
    assert_eq!(marked.object["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    assert_eq!(marked.object["metadata"]["generation"], 1, "the deletion of a definition does not count");
    advance(&mut cluster, 3_000);
    assert!(cluster.get("ws.ex.io", "t", "b").is_none());
    let live = cluster.get(DEFINITIONS, "", "ws.ex.io").unwrap();
    assert_eq!(condition(&live, "Terminating")["reason"], "InstanceDeletionInProgress");
    let error = cluster.create(&me(), "ws.ex.io", "t", w("c"), &options()).unwrap_err();
    assert_eq!(error.code, 403);
    assert!(error.message.ends_with("create not allowed while custom resource definition is terminating"), "{}", error.message);
    merge(&mut cluster, "ws.ex.io", "a", json!({ "metadata": { "finalizers": null } })).unwrap();
    assert!(cluster.get(DEFINITIONS, "", "ws.ex.io").is_some());
    advance(&mut cluster, 1_100);
    assert!(cluster.get(DEFINITIONS, "", "ws.ex.io").is_none());
    assert!(cluster.list_page("ws.ex.io", None, &ListOptions::default()).unwrap_err().plain_text);
    assert_eq!(cluster.next_deadline(), None);
}

#[test]
fn clashing_names_are_refused_until_they_are_free() {
    let mut cluster = with_definition();
    let mut second = definition();
    second["metadata"]["name"] = json!("vs.ex.io");
    second["spec"]["names"] = json!({ "plural": "vs", "kind": "V", "listKind": "WList" });
    cluster.create(&me(), DEFINITIONS, "", second, &options()).unwrap();
    advance(&mut cluster, 600);
    let live = cluster.get(DEFINITIONS, "", "vs.ex.io").unwrap();
    assert_eq!(condition(&live, "NamesAccepted")["reason"], "ListKindConflict");
    assert_eq!(condition(&live, "Established")["reason"], "NotAccepted");
    cluster.delete(&me(), DEFINITIONS, "", "ws.ex.io", &DeleteOptions::default()).unwrap();
    advance(&mut cluster, 1_000);
    let live = cluster.get(DEFINITIONS, "", "vs.ex.io").unwrap();
    assert_eq!(condition(&live, "Established")["status"], "True");
}

#[test]
fn versions_convert_by_name_only_and_stored_versions_stay() {
    let mut cluster = cluster();
    let mut two = definition();
    let mut v2 = two["spec"]["versions"][0].clone();
    v2["name"] = json!("v2");
    v2["storage"] = json!(false);
    v2["deprecated"] = json!(true);
    two["spec"]["versions"].as_array_mut().unwrap().push(v2);
    cluster.create(&me(), DEFINITIONS, "", two, &options()).unwrap();
    advance(&mut cluster, 600);
    create(&mut cluster, "ws.ex.io", w("a"));
    assert_eq!(cluster.get("ws.ex.io/v2", "t", "a").unwrap()["apiVersion"], "ex.io/v2");
    let patch = Patch::Merge(json!({ "spec": { "port": 3 } }));
    let written = cluster.patch(&me(), "ws.ex.io/v2", "t", "a", None, patch, &options()).unwrap();
    assert_eq!(written.warnings, ["ex.io/v2 W is deprecated"]);
    assert_eq!(cluster.get("ws.ex.io", "t", "a").unwrap()["apiVersion"], "ex.io/v1");
    let mut switched = (*cluster.get(DEFINITIONS, "", "ws.ex.io").unwrap()).clone();
    switched["spec"]["versions"][0]["storage"] = json!(false);
    switched["spec"]["versions"][1]["storage"] = json!(true);
    let written = cluster.update(&me(), DEFINITIONS, "", "ws.ex.io", None, switched, &options()).unwrap().object;
    assert_eq!(written["status"]["storedVersions"], json!(["v1", "v2"]));
    let mut dropped = (*written).clone();
    dropped["spec"]["versions"].as_array_mut().unwrap().remove(0);
    let error = cluster.update(&me(), DEFINITIONS, "", "ws.ex.io", None, dropped, &options()).unwrap_err();
    assert_eq!((error.code, error.message.contains("status.storedVersions[0]")), (422, true));
    advance(&mut cluster, 2_000);
    assert_eq!(cluster.get("ws.ex.io/v1", "t", "a").unwrap()["spec"]["port"], 3);
    assert_eq!(cluster.get("ws.ex.io", "t", "a").unwrap()["apiVersion"], "ex.io/v2");
}

#[test]
fn bad_definitions_are_422() {
    let mut cluster = cluster();
    let mut refused = |change: fn(&mut Value), text: &str| {
        let mut bad = definition();
        change(&mut bad);
        let error = cluster.create(&me(), DEFINITIONS, "", bad, &options()).unwrap_err();
        assert_eq!(error.code, 422);
        assert!(error.message.contains(text), "{} misses {text}", error.message);
    };
    refused(|bad| bad["metadata"]["name"] = json!("x.ex.io"), "must be spec.names.plural+\".\"+spec.group");
    refused(|bad| bad["spec"]["versions"][0]["storage"] = json!(false), "exactly one version marked as storage version");
    refused(|bad| bad["spec"]["versions"][0]["schema"] = Value::Null, "schemas are required");
    refused(|bad| bad["spec"]["conversion"] = json!({ "strategy": "Webhook" }), "Unsupported value: \"Webhook\"");
    let break_type = |bad: &mut Value| bad["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["type"] = json!("");
    refused(break_type, "spec.validation.openAPIV3Schema.properties[spec].type");
    let break_rule = |bad: &mut Value| {
        bad["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] =
            json!([{ "rule": "self +" }]);
    };
    refused(break_rule, "compilation failed");
}

#[test]
fn finalizers_of_custom_objects_may_be_unqualified_with_a_warning() {
    let mut cluster = with_definition();
    let mut object = w("a");
    object["metadata"]["finalizers"] = json!(["hold"]);
    assert_eq!(cluster.create(&me(), "ws.ex.io", "t", object, &options()).unwrap().warnings.len(), 1);
    let mut builtin = config_map("a");
    builtin["metadata"]["finalizers"] = json!(["hold"]);
    assert_eq!(cluster.create(&me(), "configmaps", "t", builtin, &options()).unwrap_err().code, 422);
}

fn apply(cluster: &mut Cluster, manager: &str, spec: Value) -> Result<Written, ApiError> {
    let mut object = w("a");
    object["spec"] = spec;
    cluster.patch(&me(), "ws.ex.io", "t", "a", None, Patch::Apply { object, force: false }, &WriteOptions::manager(manager))
}

#[test]
fn apply_owns_what_it_says_and_not_what_the_schema_defaults() {
    let mut cluster = with_definition();
    let made = apply(&mut cluster, "m1", json!({ "req": "r" })).unwrap().object;
    assert_eq!(made["spec"]["replicas"], 1);
    assert_eq!(made["metadata"]["managedFields"][0]["fieldsV1"], json!({ "f:spec": { "f:req": {} } }));
    let again = apply(&mut cluster, "m1", json!({ "req": "r" })).unwrap().object;
    assert_eq!(again, made, "the same apply leaves no trace");
    let shared = apply(&mut cluster, "m2", json!({ "req": "r" })).unwrap().object;
    let entries = shared["metadata"]["managedFields"].as_array().unwrap();
    let second = entries.iter().find(|entry| entry["manager"] == "m2").unwrap();
    assert!(second["time"].is_null(), "ownership alone has no time");
    assert!(revision(&shared) > revision(&made), "but a new revision");
    assert_eq!(shared["metadata"]["generation"], 1);
}

#[test]
fn apply_that_empties_an_object_leaves_a_null_and_is_422() {
    let mut cluster = with_definition();
    let mut rest = definition();
    let spec = json!({ "type": "object", "properties": { "gm": { "type": "object", "additionalProperties": { "type": "string" } } } });
    rest["spec"]["names"] = json!({ "plural": "gs", "kind": "G" });
    rest["metadata"]["name"] = json!("gs.ex.io");
    rest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec;
    rest["spec"]["versions"][0]["subresources"] = Value::Null;
    rest["spec"]["versions"][0]["selectableFields"] = Value::Null;
    cluster.create(&me(), DEFINITIONS, "", rest, &options()).unwrap();
    advance(&mut cluster, 600);
    let mut apply = |spec: Value| {
        let object = json!({ "apiVersion": "ex.io/v1", "kind": "G", "metadata": { "name": "g" }, "spec": spec });
        cluster.patch(&me(), "gs.ex.io", "t", "g", None, Patch::Apply { object, force: false }, &options())
    };
    apply(json!({ "gm": { "x": "1" } })).unwrap();
    let error = apply(json!({ "gm": {} })).unwrap_err();
    assert_eq!(error.code, 422);
    assert!(error.message.contains("spec.gm in body must be of type object: \"null\""), "{}", error.message);
}

#[test]
fn apply_of_an_unknown_field_is_a_500_without_reason() {
    let mut cluster = with_definition();
    let error = apply(&mut cluster, "m1", json!({ "req": "r", "foo": 1 })).unwrap_err();
    assert_eq!((error.code, error.reason), (500, ""));
    assert!(error.message.ends_with(".spec.foo: field not declared in schema"), "{}", error.message);
}

#[test]
fn apply_through_status_keeps_spec_and_labels_out() {
    let mut cluster = with_definition();
    apply(&mut cluster, "m1", json!({ "req": "r" })).unwrap();
    let mut object = w("a");
    object["metadata"]["labels"] = json!({ "q": "x" });
    object["spec"]["replicas"] = json!(9);
    object["status"] = json!({ "note": "n" });
    let patch = Patch::Apply { object, force: true };
    let written = cluster.patch(&me(), "ws.ex.io", "t", "a", Some("status"), patch, &WriteOptions::manager("m1")).unwrap().object;
    assert_eq!((&written["status"]["note"], &written["spec"]["replicas"]), (&json!("n"), &json!(1)));
    assert!(written["metadata"]["labels"].is_null());
    let entries = written["metadata"]["managedFields"].as_array().unwrap();
    let status = entries.iter().find(|entry| entry["subresource"] == "status").unwrap();
    assert_eq!(status["fieldsV1"], json!({ "f:metadata": { "f:labels": { "f:q": {} } }, "f:status": { "f:note": {} } }));
}

#[test]
fn the_first_deletion_with_finalizers_counts_as_a_generation() {
    let mut cluster = with_definition();
    let mut object = w("a");
    object["metadata"]["finalizers"] = json!(["x.io/hold"]);
    create(&mut cluster, "ws.ex.io", object);
    let marked = cluster.delete(&me(), "ws.ex.io", "t", "a", &DeleteOptions::default()).unwrap();
    assert_eq!(marked.object["metadata"]["generation"], 2);
    let written = apply(&mut cluster, "m1", json!({ "req": "r", "port": 3 })).unwrap();
    assert_eq!(written.object["metadata"]["generation"], 3);
}
