//! Deletion: what is answered, what is left, what watches see.

use serde_json::json;

use super::*;
use crate::sim::cluster::tests::{cluster, config_map, create, watch};
use crate::sim::cluster::{Change, DeleteOptions, EventKind, ListOptions, Propagation, WatchEvent, WatchOptions};

fn delete(cluster: &mut Cluster, resource: &str, name: &str, options: &DeleteOptions) -> crate::sim::cluster::Deleted {
    cluster.delete(&me(), resource, "t", name, options).unwrap()
}

fn held(name: &str) -> Value {
    let mut object = config_map(name);
    object["metadata"]["finalizers"] = json!(["x.io/hold"]);
    object
}

fn running_pod(cluster: &mut Cluster, name: &str) {
    create(cluster, "pods", pod(name));
    cluster.bind(&me(), "t", name, &json!({ "target": { "name": "n1" } }), &options()).unwrap();
    let running = Patch::Merge(json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } }));
    cluster.patch(&me(), "pods", "t", name, Some("status"), running, &options()).unwrap();
}

#[test]
fn a_removal_answers_success_without_a_code() {
    let mut cluster = cluster();
    let made = create(&mut cluster, "configmaps", config_map("a"));
    let deleted = delete(&mut cluster, "configmaps", "a", &DeleteOptions::default());
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": { "name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"] },
    });
    assert_eq!(*deleted.object, expected);
    assert!(deleted.removed && cluster.get("configmaps", "t", "a").is_none());
}

#[test]
fn the_deleted_event_carries_the_revision_of_the_deletion() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    let (_, events) = watch(&mut cluster, "configmaps", &WatchOptions::default());
    delete(&mut cluster, "configmaps", "a", &DeleteOptions::default());
    let last: WatchEvent = events.try_iter().last().unwrap();
    assert_eq!(last.kind, EventKind::Deleted);
    assert_eq!(revision(&last.object), cluster.revision());
}

#[test]
fn finalizers_hold_an_object_with_grace_0_and_a_second_delete_changes_nothing() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", held("a"));
    let first = delete(&mut cluster, "configmaps", "a", &DeleteOptions::default());
    assert_eq!((first.code, first.removed), (200, false));
    assert_eq!(first.object["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(first.object["metadata"]["deletionTimestamp"], "2026-01-01T00:00:00Z");
    let second = delete(&mut cluster, "configmaps", "a", &DeleteOptions::default());
    assert_eq!(second.object, first.object);
    let error = cluster.create(&me(), "configmaps", "t", config_map("a"), &options()).unwrap_err();
    assert_eq!(error.message, "object is being deleted: configmaps \"a\" already exists");
}

#[test]
fn a_write_that_empties_the_finalizers_answers_new_body_at_old_revision_and_deletes_the_old_body() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", held("a"));
    let marked = delete(&mut cluster, "configmaps", "a", &DeleteOptions::default());
    let (_, events) = watch(&mut cluster, "configmaps", &WatchOptions::default());
    let written = merge(&mut cluster, "configmaps", "a", json!({ "metadata": { "finalizers": null }, "data": { "a": "new" } })).unwrap();
    assert_eq!((written.code, &written.object["data"]["a"]), (200, &json!("new")));
    assert_eq!(revision(&written.object), revision(&marked.object));
    let last = events.try_iter().last().unwrap();
    assert_eq!((last.kind, &last.object["data"]["a"]), (EventKind::Deleted, &json!("1")));
    assert_eq!(last.object["metadata"]["finalizers"], json!(["x.io/hold"]));
    assert_eq!(revision(&last.object), cluster.revision());
}

#[test]
fn no_finalizer_can_be_added_while_deleting() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", held("a"));
    delete(&mut cluster, "configmaps", "a", &DeleteOptions::default());
    let error = merge(&mut cluster, "configmaps", "a", json!({ "metadata": { "finalizers": ["x.io/hold", "a/b"] } })).unwrap_err();
    assert_eq!(
        error.message,
        "ConfigMap \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new \
         finalizers []string{\"a/b\"}"
    );
}

#[test]
fn foreground_and_orphan_leave_their_finalizer_and_orphan_swaps_it() {
    let mut cluster = cluster();
    create(&mut cluster, "deployments.apps", deployment("web"));
    let marked = delete(&mut cluster, "deployments.apps", "web", &DeleteOptions::propagation(Propagation::Foreground));
    assert_eq!(marked.object["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    assert_eq!(marked.object["metadata"]["generation"], 2);
    let swapped = delete(&mut cluster, "deployments.apps", "web", &DeleteOptions::propagation(Propagation::Orphan));
    assert_eq!(swapped.object["metadata"]["finalizers"], json!(["orphan"]));
}

#[test]
fn jobs_orphan_by_default_and_warn() {
    let mut cluster = cluster();
    let template = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i" }] } });
    create(&mut cluster, "jobs.batch", json!({ "metadata": { "name": "j" }, "spec": { "template": template } }));
    let deleted = delete(&mut cluster, "jobs.batch", "j", &DeleteOptions::default());
    assert_eq!(deleted.object["metadata"]["finalizers"], json!(["orphan"]));
    assert_eq!(deleted.warnings.len(), 1);
}

#[test]
fn a_pod_without_node_goes_in_two_revisions_and_is_answered() {
    let mut cluster = cluster();
    create(&mut cluster, "pods", pod("p"));
    cluster.take_commits();
    let deleted = delete(&mut cluster, "pods", "p", &DeleteOptions::default());
    assert_eq!(deleted.object["kind"], "Pod");
    let commits = cluster.take_commits();
    assert_eq!(commits.iter().map(|commit| commit.change).collect::<Vec<_>>(), [Change::Modified, Change::Deleted]);
    assert_eq!(commits[0].after.as_ref().unwrap()["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(revision(&deleted.object), cluster.revision());
}

#[test]
fn a_pod_on_a_node_waits_its_grace_which_can_only_shrink() {
    let mut cluster = cluster();
    running_pod(&mut cluster, "p");
    let marked = delete(&mut cluster, "pods", "p", &DeleteOptions { grace_period_seconds: Some(20), ..DeleteOptions::default() });
    assert_eq!(marked.object["metadata"]["deletionTimestamp"], "2026-01-01T00:00:20Z");
    let longer = delete(&mut cluster, "pods", "p", &DeleteOptions { grace_period_seconds: Some(60), ..DeleteOptions::default() });
    assert_eq!(longer.object, marked.object);
    let shorter = delete(&mut cluster, "pods", "p", &DeleteOptions { grace_period_seconds: Some(5), ..DeleteOptions::default() });
    assert_eq!(shorter.object["metadata"]["deletionTimestamp"], "2026-01-01T00:00:05Z");
    let gone = delete(&mut cluster, "pods", "p", &DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() });
    assert!(gone.removed);
}

#[test]
fn preconditions_name_the_kind() {
    let mut cluster = cluster();
    let made = create(&mut cluster, "configmaps", config_map("a"));
    let wrong = DeleteOptions { uid: Some("x".into()), ..DeleteOptions::default() };
    let error = cluster.delete(&me(), "configmaps", "t", "a", &wrong).unwrap_err();
    let uid = made["metadata"]["uid"].as_str().unwrap();
    assert_eq!(error.code, 409);
    assert_eq!(
        error.message,
        format!(
            "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (x) does not match the UID in record ({uid}). The \
             object might have been deleted and then recreated"
        )
    );
    let stale = DeleteOptions { resource_version: Some("1".into()), ..DeleteOptions::default() };
    assert_eq!(cluster.delete(&me(), "configmaps", "t", "a", &stale).unwrap_err().code, 409);
}

#[test]
fn a_collection_answers_with_its_items_as_they_were() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    create(&mut cluster, "configmaps", held("b"));
    let page = cluster.delete_collection(&me(), "configmaps", "t", &DeleteOptions::default(), &ListOptions::default()).unwrap();
    assert_eq!(page.items.len(), 2);
    assert!(page.items.iter().all(|item| item["metadata"]["deletionTimestamp"].is_null()));
    assert_eq!(cluster.list("configmaps", Some("t")).len(), 1);
    let error = cluster.delete_collection(&me(), "namespaces", "", &DeleteOptions::default(), &ListOptions::default()).unwrap_err();
    assert_eq!(error.code, 405);
}

#[test]
fn a_namespace_ends_by_finalize_and_refuses_creates_meanwhile() {
    let mut cluster = cluster();
    let marked = cluster.delete(&me(), "namespaces", "", "t", &DeleteOptions::default()).unwrap();
    assert_eq!(marked.object["status"]["phase"], "Terminating");
    assert!(marked.object["metadata"]["deletionGracePeriodSeconds"].is_null());
    let error = cluster.create(&me(), "configmaps", "t", config_map("x"), &options()).unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (403, "configmaps \"x\" is forbidden: unable to create new content in namespace t because it is being terminated")
    );
    assert_eq!(error.details.unwrap()["causes"][0]["reason"], "NamespaceTerminating");
    let mut body = (*marked.object).clone();
    body["spec"]["finalizers"] = json!([]);
    cluster.update(&me(), "namespaces", "", "t", Some("finalize"), body, &options()).unwrap();
    assert!(cluster.get("namespaces", "", "t").is_none());
    let error = cluster.delete(&me(), "namespaces", "", "default", &DeleteOptions::default()).unwrap_err();
    assert_eq!(error.message, "namespaces \"default\" is forbidden: this namespace may not be deleted");
}

fn budget(cluster: &mut Cluster, name: &str, allowed: i64) {
    let spec = json!({ "minAvailable": 1, "selector": { "matchLabels": { "app": "a" } } });
    create(cluster, "poddisruptionbudgets.policy", json!({ "metadata": { "name": name }, "spec": spec }));
    let status = json!({
        "observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1,
    });
    let patch = Patch::Merge(json!({ "status": status }));
    cluster.patch(&me(), "poddisruptionbudgets.policy", "t", name, Some("status"), patch, &options()).unwrap();
}

fn labelled_running_pod(cluster: &mut Cluster, name: &str) {
    running_pod(cluster, name);
    merge(cluster, "pods", name, json!({ "metadata": { "labels": { "app": "a" } } })).unwrap();
}

#[test]
fn an_eviction_charges_its_budget_and_then_is_429() {
    let mut cluster = cluster();
    labelled_running_pod(&mut cluster, "p1");
    labelled_running_pod(&mut cluster, "p2");
    budget(&mut cluster, "b", 1);
    assert_eq!(cluster.evict(&me(), "t", "p1", &DeleteOptions::default()).unwrap().code, 201);
    let status = cluster.get("poddisruptionbudgets.policy", "t", "b").unwrap()["status"].clone();
    assert_eq!((&status["disruptionsAllowed"], status["disruptedPods"]["p1"].is_string()), (&json!(0), true));
    let evicted = cluster.get("pods", "t", "p1").unwrap();
    assert!(evicted["metadata"]["deletionTimestamp"].is_string());
    let conditions = evicted["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|condition| condition["reason"] == "EvictionByEvictionAPI"));
    let error = cluster.evict(&me(), "t", "p2", &DeleteOptions::default()).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (429, "Cannot evict pod as it would violate the pod's disruption budget."));
    assert_eq!(error.details.unwrap()["causes"][0]["message"], "The disruption budget b needs 1 healthy pods and has 1 currently");
    assert_eq!(error.retry_after, None);
}

#[test]
fn two_budgets_for_one_pod_are_a_500_and_pending_pods_are_not_protected() {
    let mut cluster = cluster();
    labelled_running_pod(&mut cluster, "p1");
    budget(&mut cluster, "b", 1);
    budget(&mut cluster, "c", 1);
    assert_eq!(cluster.evict(&me(), "t", "p1", &DeleteOptions::default()).unwrap_err().code, 500);
    let mut pending = pod("p2");
    pending["metadata"]["labels"] = json!({ "app": "a" });
    create(&mut cluster, "pods", pending);
    assert_eq!(cluster.evict(&me(), "t", "p2", &DeleteOptions::default()).unwrap().code, 201);
    assert!(cluster.get("pods", "t", "p2").is_none());
}
