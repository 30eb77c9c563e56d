//! Creates, updates and patches of built-in kinds.

use serde_json::json;

use super::*;
use crate::sim::cluster::tests::{cluster, config_map, create, seen, watch};
use crate::sim::cluster::{FieldValidation, WatchOptions};

#[test]
fn every_served_built_in_kind_has_a_schema() {
    for resource in cluster().kinds().all() {
        assert!(
            crate::sim::schema::builtin::find(&resource.id.group, &resource.id.version, &resource.kind).is_some(),
            "{}",
            resource.key()
        );
    }
}

#[test]
fn a_revision_on_a_new_object_is_a_500_without_reason() {
    let mut cluster = cluster();
    let mut object = config_map("a");
    object["metadata"]["resourceVersion"] = json!("5");
    let error = cluster.create(&me(), "configmaps", "t", object, &options()).unwrap_err();
    assert_eq!((error.code, error.reason), (500, ""));
    assert_eq!(error.message, "resourceVersion should not be set on objects to be created");
}

#[test]
fn a_revision_on_a_new_object_beats_its_existence_and_a_missing_namespace_beats_invalidity() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let mut again = config_map("a");
    again["metadata"]["resourceVersion"] = json!("5");
    assert_eq!(cluster.create(&me(), "configmaps", "t", again, &options()).unwrap_err().code, 500);
    let mut invalid = config_map("a");
    invalid["metadata"]["labels"] = json!({ "a": "-" });
    assert_eq!(cluster.create(&me(), "configmaps", "t", invalid.clone(), &options()).unwrap_err().code, 422);
    let error = cluster.create(&me(), "configmaps", "none", invalid, &options()).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (404, "namespaces \"none\" not found"));
}

#[test]
fn a_name_that_is_taken_answers_409() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let error = cluster.create(&me(), "configmaps", "t", config_map("a"), &options()).unwrap_err();
    assert_eq!((error.code, error.reason, error.message.as_str()), (409, "AlreadyExists", "configmaps \"a\" already exists"));
    assert_eq!(error.details.unwrap(), json!({ "name": "a", "kind": "configmaps" }));
}

#[test]
fn a_nameless_object_is_422_and_a_generated_name_has_five_more_letters() {
    let mut cluster = cluster();
    let error = cluster.create(&me(), "configmaps", "t", json!({ "metadata": {} }), &options()).unwrap_err();
    assert_eq!(error.message, "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required");
    let made = create(&mut cluster, "configmaps", json!({ "metadata": { "generateName": "web-" } }));
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("web-") && name.len() == 9, "{name}");
    assert_eq!(made["metadata"]["generateName"], "web-");
}

#[test]
fn generated_names_of_one_instant_differ_and_long_bases_are_cut() {
    let mut cluster = cluster();
    let object = json!({ "metadata": { "generateName": "x".repeat(70) } });
    let mut names: Vec<String> =
        (0..50).map(|_| create(&mut cluster, "configmaps", object.clone())["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 50);
    assert!(names.iter().all(|name| name.len() == 63));
}

#[test]
fn uids_differ_for_the_same_name_in_one_instant() {
    let mut cluster = cluster();
    let first = create(&mut cluster, "configmaps", config_map("a"));
    cluster.delete(&me(), "configmaps", "t", "a", &crate::sim::cluster::DeleteOptions::default()).unwrap();
    let second = create(&mut cluster, "configmaps", config_map("a"));
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
}

#[test]
fn system_metadata_of_the_client_is_dropped_but_generation_survives_where_nobody_counts() {
    let mut cluster = cluster();
    let mut object = config_map("a");
    object["metadata"]["uid"] = json!("mine");
    object["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    object["metadata"]["generation"] = json!(7);
    let made = create(&mut cluster, "configmaps", object);
    assert_ne!(made["metadata"]["uid"], "mine");
    assert_eq!(made["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(made["metadata"]["generation"], 7);
}

#[test]
fn a_write_without_a_change_leaves_no_trace() {
    let mut cluster = cluster();
    let made = create(&mut cluster, "configmaps", config_map("a"));
    let (_, events) = watch(&mut cluster, "configmaps", &WatchOptions { resource_version: "999".into(), ..WatchOptions::default() });
    cluster.take_commits();
    let later = cluster.now() + jiff::SignedDuration::from_secs(60);
    cluster.set_now(later);
    let again = cluster.patch(&me(), "configmaps", "t", "a", None, Patch::Merge(json!({})), &WriteOptions::manager("other")).unwrap();
    assert_eq!(again.object, made);
    let put = cluster.update(&me(), "configmaps", "t", "a", None, (*made).clone(), &WriteOptions::manager("other")).unwrap();
    assert_eq!(put.object, made);
    assert!(cluster.take_commits().is_empty() && seen(&events).is_empty());
}

#[test]
fn a_stale_revision_is_409_even_if_the_object_is_invalid_or_unchanged() {
    let mut cluster = cluster();
    let made = create(&mut cluster, "configmaps", config_map("a"));
    merge(&mut cluster, "configmaps", "a", json!({ "data": { "a": "2" } })).unwrap();
    let mut invalid = (*made).clone();
    invalid["metadata"]["labels"] = json!({ "a": "-" });
    let error = cluster.update(&me(), "configmaps", "t", "a", None, invalid, &options()).unwrap_err();
    assert_eq!((error.code, error.reason), (409, "Conflict"));
    let stale = json!({ "metadata": { "resourceVersion": made["metadata"]["resourceVersion"] } });
    let error = merge(&mut cluster, "configmaps", "a", stale).unwrap_err();
    assert_eq!(
        error.message,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and \
         try again"
    );
}

#[test]
fn a_put_without_revision_wins_except_where_one_is_required() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let put = cluster.update(&me(), "configmaps", "t", "a", None, config_map("a"), &options()).unwrap();
    assert_eq!(put.code, 200);
    let lease = json!({ "metadata": { "name": "l1" }, "spec": { "holderIdentity": "me" } });
    create(&mut cluster, "leases.coordination.k8s.io", lease.clone());
    let error = cluster.update(&me(), "leases.coordination.k8s.io", "t", "l1", None, lease, &options()).unwrap_err();
    assert_eq!(
        error.message,
        "leases.coordination.k8s.io \"l1\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    );
}

#[test]
fn a_put_of_a_missing_object_creates_only_some_kinds() {
    let mut cluster = cluster();
    let lease = json!({ "metadata": { "name": "l1" } });
    assert_eq!(cluster.update(&me(), "leases.coordination.k8s.io", "t", "l1", None, lease, &options()).unwrap().code, 201);
    assert_eq!(cluster.update(&me(), "configmaps", "t", "a", None, config_map("a"), &options()).unwrap_err().code, 404);
}

#[test]
fn a_foreign_uid_is_409_for_put_and_422_for_patch() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let mut object = config_map("a");
    object["metadata"]["uid"] = json!("zz");
    let error = cluster.update(&me(), "configmaps", "t", "a", None, object, &options()).unwrap_err();
    assert_eq!(error.code, 409);
    assert!(error.message.contains("Key: /registry/configmaps/t/a, ResourceVersion: 0"), "{}", error.message);
    let error = merge(&mut cluster, "configmaps", "a", json!({ "metadata": { "uid": "zz" } })).unwrap_err();
    assert_eq!(error.code, 422);
    assert_eq!(error.message, "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"zz\": field is immutable");
    assert_eq!(error.details.unwrap()["causes"].as_array().unwrap().len(), 2, "metadata errors of updates are listed twice");
}

#[test]
fn a_malformed_revision_on_put_is_a_500() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let mut object = config_map("a");
    object["metadata"]["resourceVersion"] = json!("abc");
    let error = cluster.update(&me(), "configmaps", "t", "a", None, object, &options()).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (500, "strconv.ParseUint: parsing \"abc\": invalid syntax"));
}

#[test]
fn body_and_url_must_name_the_same_object() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let error = cluster.update(&me(), "configmaps", "t", "a", None, config_map("w"), &options()).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (400, "the name of the object (w) does not match the name on the URL (a)"));
    let error = cluster.update(&me(), "configmaps", "t", "a", None, json!({}), &options()).unwrap_err();
    assert_eq!(error.message, "the name of the object (a based on URL) was undeterminable: name must be provided");
    let mut elsewhere = config_map("b");
    elsewhere["metadata"]["namespace"] = json!("default");
    let error = cluster.create(&me(), "configmaps", "t", elsewhere, &options()).unwrap_err();
    assert_eq!(error.message, "the namespace of the provided object does not match the namespace sent on the request");
}

#[test]
fn generation_counts_spec_changes_and_for_deployments_annotations_too() {
    let mut cluster = cluster();
    create(&mut cluster, "deployments.apps", deployment("web"));
    let mut generation = |changes: Value| {
        let written = merge(&mut cluster, "deployments.apps", "web", changes).unwrap();
        written.object["metadata"]["generation"].as_i64().unwrap()
    };
    assert_eq!(generation(json!({ "metadata": { "labels": { "a": "b" } } })), 1);
    assert_eq!(generation(json!({ "metadata": { "annotations": { "a": "b" } } })), 2);
    assert_eq!(generation(json!({ "spec": { "replicas": 3 } })), 3);
    assert_eq!(generation(json!({ "status": { "replicas": 3 } })), 3);
}

#[test]
fn the_main_door_does_not_write_status_and_the_status_door_nothing_else() {
    let mut cluster = cluster();
    create(&mut cluster, "deployments.apps", deployment("web"));
    let written = merge(&mut cluster, "deployments.apps", "web", json!({ "status": { "replicas": 3 } })).unwrap();
    assert_eq!(written.object["status"], json!({}));
    let changes = json!({ "status": { "replicas": 3 }, "spec": { "replicas": 9 }, "metadata": { "labels": { "q": "x" }, "annotations": { "q": "x" } } });
    let written = cluster.patch(&me(), "deployments.apps", "t", "web", Some("status"), Patch::Merge(changes), &options()).unwrap();
    assert_eq!(written.object["status"]["replicas"], 3);
    assert_eq!(written.object["spec"]["replicas"], 2);
    assert!(written.object["metadata"]["labels"].is_null());
    assert_eq!(written.object["metadata"]["annotations"]["q"], "x", "annotations pass through the status of a Deployment");
    assert_eq!(written.object["metadata"]["generation"], 1);
}

#[test]
fn unknown_fields_warn_are_dropped_or_refused() {
    let mut cluster = cluster();
    let mut object = deployment("web");
    object["spec"]["foo"] = json!(1);
    let strict = WriteOptions { field_validation: FieldValidation::Strict, ..options() };
    let error = cluster.create(&me(), "deployments.apps", "t", object.clone(), &strict).unwrap_err();
    assert_eq!(error.code, 400);
    assert_eq!(
        error.message,
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.foo\""
    );
    let written = cluster.create(&me(), "deployments.apps", "t", object, &options()).unwrap();
    assert_eq!(written.warnings, ["unknown field \"spec.foo\""]);
    assert!(written.object["spec"]["foo"].is_null());
    let changes = Patch::Merge(json!({ "spec": { "foo": 1 } }));
    let error = cluster.patch(&me(), "deployments.apps", "t", "web", None, changes, &strict).unwrap_err();
    assert_eq!(error.code, 422);
    assert!(error.message.starts_with(" \"\" is invalid: patch: Invalid value: "), "{}", error.message);
}

#[test]
fn a_wrong_type_is_the_decoders_400() {
    let mut cluster = cluster();
    let object = json!({ "metadata": { "name": "a" }, "data": { "a": 1 } });
    let error = cluster.create(&me(), "configmaps", "t", object, &options()).unwrap_err();
    assert_eq!(error.code, 400);
    assert!(error.message.starts_with("ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into"));
}

#[test]
fn another_kind_or_version_in_the_body_is_400() {
    let mut cluster = cluster();
    let mut object = config_map("a");
    object["kind"] = json!("Secret");
    let error = cluster.create(&me(), "configmaps", "t", object, &options()).unwrap_err();
    assert_eq!(
        error.message,
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion"
    );
    let mut object = deployment("web");
    object["apiVersion"] = json!("apps/v3");
    let error = cluster.create(&me(), "deployments.apps", "t", object, &options()).unwrap_err();
    assert_eq!(error.message, "the API version in the data (apps/v3) does not match the expected API version (apps/v1)");
}

#[test]
fn a_dry_run_shows_everything_and_stores_nothing() {
    let mut cluster = cluster();
    let dry = WriteOptions { dry_run: true, ..options() };
    let revision = cluster.revision();
    let written = cluster.create(&me(), "deployments.apps", "t", deployment("web"), &dry).unwrap();
    assert!(written.object["metadata"]["resourceVersion"].is_null() && written.object["metadata"]["uid"].is_string());
    assert_eq!(cluster.revision(), revision);
    let made = create(&mut cluster, "deployments.apps", deployment("web"));
    let changes = Patch::Merge(json!({ "spec": { "replicas": 7 } }));
    let written = cluster.patch(&me(), "deployments.apps", "t", "web", None, changes, &dry).unwrap();
    assert_eq!(written.object["metadata"]["generation"], 2);
    assert_eq!(written.object["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    assert_eq!(cluster.get("deployments.apps", "t", "web"), Some(made));
}

#[test]
fn repeated_owner_references_are_dropped_with_a_warning() {
    let mut cluster = cluster();
    let owner = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u" });
    let mut object = config_map("a");
    object["metadata"]["ownerReferences"] = json!([owner, owner]);
    let written = cluster.create(&me(), "configmaps", "t", object, &options()).unwrap();
    assert_eq!(written.warnings.len(), 1);
    assert_eq!(written.object["metadata"]["ownerReferences"].as_array().unwrap().len(), 1);
    assert_eq!(cluster.dependents("u").len(), 1);
}

#[test]
fn apply_tracks_owners_and_answers_409_for_foreign_fields() {
    let mut cluster = cluster();
    let applied = |replicas: i64| {
        let mut object = deployment("web");
        object["apiVersion"] = json!("apps/v1");
        object["kind"] = json!("Deployment");
        object["spec"]["replicas"] = json!(replicas);
        object
    };
    let apply = |cluster: &mut Cluster, manager: &str, replicas: i64, force: bool| {
        let patch = Patch::Apply { object: applied(replicas), force };
        cluster.patch(&me(), "deployments.apps", "t", "web", None, patch, &WriteOptions::manager(manager))
    };
    assert_eq!(apply(&mut cluster, "m1", 2, false).unwrap().code, 201);
    let error = apply(&mut cluster, "m2", 5, false).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (409, "Apply failed with 1 conflict: conflict with \"m1\": .spec.replicas"));
    let forced = apply(&mut cluster, "m2", 5, true).unwrap();
    assert_eq!(forced.object["spec"]["replicas"], 5);
    let managers: Vec<&str> =
        forced.object["metadata"]["managedFields"].as_array().unwrap().iter().map(|entry| entry["manager"].as_str().unwrap()).collect();
    assert_eq!(managers, ["m1", "m2"]);
    let error = apply(&mut cluster, "", 5, true).unwrap_err();
    assert_eq!(error.code, 422);
}

#[test]
fn scale_shows_and_writes_replicas_and_their_owner() {
    let mut cluster = cluster();
    create(&mut cluster, "deployments.apps", deployment("web"));
    let scale = cluster.read("deployments.apps", "t", "web", Some("scale"), "").unwrap();
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&json!(2), &json!("app=web")));
    let patch = Patch::Merge(json!({ "spec": { "replicas": 5 } }));
    let hpa = WriteOptions::manager("hpa");
    let written = cluster.patch(&me(), "deployments.apps", "t", "web", Some("scale"), patch, &hpa).unwrap();
    assert_eq!(written.object["spec"]["replicas"], 5);
    let live = cluster.get("deployments.apps", "t", "web").unwrap();
    assert_eq!((&live["spec"]["replicas"], &live["metadata"]["generation"]), (&json!(5), &json!(2)));
    let entries = live["metadata"]["managedFields"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["manager"] == "hpa").unwrap();
    assert_eq!((&entry["subresource"], &entry["time"]), (&json!("scale"), &Value::Null));
    let patch = Patch::Merge(json!({ "spec": { "replicas": -1 } }));
    let error = cluster.patch(&me(), "deployments.apps", "t", "web", Some("scale"), patch, &hpa).unwrap_err();
    assert_eq!((error.code, error.message.contains("must be greater than or equal to 0")), (422, true));
    let put = json!({ "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": { "name": "web" }, "spec": { "replicas": 0 } });
    let written = cluster.update(&me(), "deployments.apps", "t", "web", Some("scale"), put, &hpa).unwrap();
    assert_eq!(written.object["spec"], json!({}));
}

#[test]
fn services_get_addresses_that_stay_and_are_freed() {
    let mut cluster = cluster();
    let service = |name: &str, spec: Value| json!({ "metadata": { "name": name }, "spec": spec });
    let ports = json!([{ "port": 80 }]);
    let made = create(&mut cluster, "services", service("a", json!({ "ports": ports })));
    let address = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert!(address.starts_with("10."), "{address}");
    assert_eq!(made["spec"]["clusterIPs"], json!([address]));
    let headless = create(&mut cluster, "services", service("b", json!({ "ports": ports, "clusterIP": "None" })));
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
    let error =
        cluster.create(&me(), "services", "t", service("c", json!({ "ports": ports, "clusterIP": address })), &options()).unwrap_err();
    assert_eq!((error.code, error.message.contains("provided IP is already allocated")), (422, true));
    let put = cluster.update(&me(), "services", "t", "a", None, service("a", json!({ "ports": [{ "port": 81 }] })), &options()).unwrap();
    assert_eq!(put.object["spec"]["clusterIP"], json!(address));
    assert_eq!(cluster.cluster_ips().len(), 1);
    let gone = cluster.delete(&me(), "services", "t", "a", &crate::sim::cluster::DeleteOptions::default()).unwrap();
    assert_eq!(gone.object["kind"], "Service");
    assert!(cluster.cluster_ips().is_empty());
}

#[test]
fn node_ports_are_allocated_and_kept() {
    let mut cluster = cluster();
    let service = |port: u16| json!({ "metadata": { "name": "a" }, "spec": { "type": "NodePort", "ports": [{ "port": port, "name": "x", "protocol": "TCP" }] } });
    let made = create(&mut cluster, "services", service(80));
    let port = made["spec"]["ports"][0]["nodePort"].as_u64().unwrap();
    assert!((30_000..32_768).contains(&port));
    let put = cluster.update(&me(), "services", "t", "a", None, service(80), &options()).unwrap();
    assert_eq!(put.object["spec"]["ports"][0]["nodePort"], port);
}

#[test]
fn events_are_one_store_with_two_views() {
    let mut cluster = cluster();
    let event = json!({
        "metadata": { "name": "e" }, "regarding": { "kind": "Pod", "name": "p", "namespace": "t" }, "reason": "Started", "note": "hi",
        "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "x", "reportingInstance": "y", "action": "a",
    });
    create(&mut cluster, "events.events.k8s.io", event);
    let core = cluster.get("events", "t", "e").unwrap();
    assert_eq!((&core["apiVersion"], &core["message"], &core["involvedObject"]["name"]), (&json!("v1"), &json!("hi"), &json!("p")));
    let view = cluster.get("events.events.k8s.io", "t", "e").unwrap();
    assert_eq!((&view["apiVersion"], &view["note"], &view["message"]), (&json!("events.k8s.io/v1"), &json!("hi"), &Value::Null));
    assert_eq!(cluster.list("events", Some("t")).len(), 1);
}

#[test]
fn a_pod_gets_what_admission_adds() {
    let mut cluster = cluster();
    let made = create(&mut cluster, "pods", pod("p"));
    assert_eq!(made["spec"]["serviceAccountName"], "default");
    assert_eq!(made["spec"]["priority"], 0);
    assert_eq!(made["spec"]["tolerations"].as_array().unwrap().len(), 2);
    assert_eq!((&made["status"]["phase"], &made["status"]["qosClass"]), (&json!("Pending"), &json!("BestEffort")));
    let mut classy = pod("q");
    classy["spec"]["priorityClassName"] = json!("none");
    let error = cluster.create(&me(), "pods", "t", classy, &options()).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (403, "pods \"q\" is forbidden: no PriorityClass with name none was found"));
}

#[test]
fn a_binding_puts_a_pod_on_a_node_once() {
    let mut cluster = cluster();
    create(&mut cluster, "pods", pod("p"));
    let target = |node: &str| json!({ "target": { "kind": "Node", "name": node } });
    assert_eq!(cluster.bind(&me(), "t", "p", &target("n1"), &options()).unwrap().code, 201);
    let live = cluster.get("pods", "t", "p").unwrap();
    assert_eq!((&live["spec"]["nodeName"], &live["status"]["conditions"][0]["type"]), (&json!("n1"), &json!("PodScheduled")));
    create(&mut cluster, "pods", pod("q"));
    let mut foreign = target("n1");
    foreign["metadata"] = json!({ "uid": "zz", "annotations": { "a": "b" } });
    assert_eq!(cluster.bind(&me(), "t", "q", &foreign, &options()).unwrap_err().code, 409);
    foreign["metadata"]["uid"] = cluster.get("pods", "t", "q").unwrap()["metadata"]["uid"].clone();
    cluster.bind(&me(), "t", "q", &foreign, &options()).unwrap();
    assert_eq!(cluster.get("pods", "t", "q").unwrap()["metadata"]["annotations"]["a"], "b");
    let error = cluster.bind(&me(), "t", "p", &target("n2"), &options()).unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (409, "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\"")
    );
}

#[test]
fn unknown_resources_and_subresources_are_404() {
    let mut cluster = cluster();
    let text = cluster.create(&me(), "ws.ex.io", "t", json!({}), &options()).unwrap_err();
    assert!(text.plain_text && text.message == "404 page not found\n");
    let status = cluster.create(&me(), "foos.apps", "t", json!({}), &options()).unwrap_err();
    assert_eq!((status.code, status.reason, status.details), (404, "NotFound", Some(json!({}))));
    create(&mut cluster, "configmaps", config_map("a"));
    let error = cluster.update(&me(), "configmaps", "t", "a", Some("status"), config_map("a"), &options()).unwrap_err();
    assert_eq!(error.message, "the server could not find the requested resource");
}

#[test]
fn a_live_object_cannot_be_marked_deleted_by_a_write() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let changes = json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } });
    let error = merge(&mut cluster, "configmaps", "a", changes).unwrap_err();
    assert_eq!(
        error.message,
        "ConfigMap \"a\" is invalid: metadata.deletionTimestamp: Invalid value: \"2026-01-01T00:00:00Z\": field is immutable"
    );
}

#[test]
fn created_workloads_have_the_defaults_and_the_empty_status_of_the_server() {
    let mut cluster = cluster();
    let made = create(&mut cluster, "deployments.apps", deployment("web"));
    assert_eq!((&made["spec"]["progressDeadlineSeconds"], &made["status"]), (&json!(600), &json!({})));
    assert_eq!(made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 30);
    let mut bad = deployment("bad");
    bad["spec"]["selector"]["matchLabels"]["app"] = json!("other");
    let error = cluster.create(&me(), "deployments.apps", "t", bad, &options()).unwrap_err();
    assert_eq!(error.code, 422);
    assert!(error.message.contains("`selector` does not match template `labels`"), "{}", error.message);
    let owners = made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].clone();
    assert!(owners["f:progressDeadlineSeconds"].is_object(), "defaults belong to the creator: {owners}");
}

#[test]
fn a_name_is_not_made_up_when_a_patch_takes_it_away() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let operations = json!([{ "op": "remove", "path": "/metadata/name" }]);
    let error = patch(&mut cluster, "configmaps", "a", Patch::Json(operations)).unwrap_err();
    assert_eq!(error.message, "the name of the object (a based on URL) was undeterminable: name must be provided");
    let nameless = Patch::Apply { object: json!({ "apiVersion": "v1", "kind": "ConfigMap" }), force: false };
    assert_eq!(patch(&mut cluster, "configmaps", "new", nameless).unwrap_err().code, 400);
}

#[test]
fn a_patch_that_makes_an_unreadable_object_is_422() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let error = merge(&mut cluster, "configmaps", "a", json!({ "data": { "a": 1 } })).unwrap_err();
    assert_eq!((error.code, error.reason), (422, "Invalid"));
    assert!(error.message.starts_with(" \"\" is invalid: patch: Invalid value: "), "{}", error.message);
    let causes = error.details.unwrap();
    assert_eq!(causes["causes"][0]["field"], "patch");
    assert!(causes["kind"].is_null());
}
