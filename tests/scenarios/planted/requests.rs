//! I22 and I23: shapes of requests.

use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use modelward::sim::cluster::{Patch as Direct, WriteOptions};
use serde_json::{Value, json};

use super::{Ground, Hand, only, planted, seen};
use crate::arena::kind;
use crate::fixtures::workload;
use crate::simulated::Stage;

/// The operator's door to Services.
fn services(stage: &Stage) -> Api<DynamicObject> {
    Api::namespaced_with(stage.impostor(), "play", &kind("service"))
}

/// The operator's door to Deployments: the only kind that it may replace.
fn workloads(stage: &Stage) -> Api<DynamicObject> {
    Api::namespaced_with(stage.impostor(), "play", &kind("deployment"))
}

async fn live(stage: &Stage) -> Value {
    stage.arena("play").get("service", "chat").await.unwrap()
}

#[test]
fn i22_write_that_only_changes_who_owns_what_is_seen() {
    let broken = planted(Ground::Serving, |hand: &mut Hand<'_>| {
        let replicas = hand.get("modeldeployments.modelward.dev", "chat")["metadata"]["name"].clone();
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": replicas, "namespace": "play"},
            "spec": {"type": "ClusterIP"},
        });
        let apply = Direct::Apply { object, force: false };
        hand.0.patch(&Hand::who(), "services", "play", "chat", None, apply, &WriteOptions::manager("second")).unwrap();
    });
    assert_eq!(broken, only("I22"));
}

#[test]
fn i22_write_of_what_is_there_already_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let object: DynamicObject = serde_json::from_value(workload(&stage.arena("play"), "1.0.0").await).unwrap();
        let params = PostParams { field_manager: Some("modelward".to_owned()), ..PostParams::default() };
        workloads(stage).replace(&object.name_any(), &params, &object).await.unwrap();
    });
    assert_eq!(broken, only("I22"));
}

#[test]
fn i23_update_without_resource_version_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let mut object: DynamicObject = serde_json::from_value(workload(&stage.arena("play"), "1.0.0").await).unwrap();
        object.metadata.resource_version = None;
        object.annotations_mut().insert("changed".to_owned(), "yes".to_owned());
        workloads(stage).replace(&object.name_any(), &PostParams::default(), &object).await.unwrap();
    });
    assert_eq!(broken, only("I23"));
}

#[test]
fn i23_apply_to_what_exists_without_uid_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let version = live(stage).await["metadata"]["resourceVersion"].clone();
        let object = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "chat", "resourceVersion": version, "annotations": {"changed": "yes"}},
        });
        services(stage).patch("chat", &PatchParams::apply("second"), &Patch::Apply(&object)).await.unwrap();
    });
    assert_eq!(broken, only("I23"));
}

#[test]
fn i23_merge_patch_without_resource_version_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let patch = json!({"metadata": {"annotations": {"changed": "yes"}}});
        services(stage).patch("chat", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    });
    assert_eq!(broken, only("I23"));
}

#[test]
fn i23_json_patch_without_resource_version_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let patch: json_patch::Patch =
            serde_json::from_value(json!([{"op": "add", "path": "/metadata/annotations/changed", "value": "yes"}])).unwrap();
        services(stage).patch("chat", &PatchParams::default(), &Patch::Json::<()>(patch)).await.unwrap();
    });
    assert_eq!(broken, only("I23"));
}

#[test]
fn i23_deletion_without_preconditions_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        drop(services(stage).delete("chat", &DeleteParams::background()).await.unwrap());
    });
    assert_eq!(broken, only("I23"));
}

#[test]
fn i26_more_requests_than_the_process_may_send_are_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        stage.watchdog.lock().unwrap().requests_per_second = Some(1);
        for _ in 0..12 {
            services(stage).list(&ListParams::default()).await.unwrap();
        }
    });
    assert_eq!(broken, only("I26"));
}

#[test]
fn i26_refused_writes_without_a_pause_are_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let wrong: DynamicObject =
            serde_json::from_value(json!({"metadata": {"name": "chat-2", "namespace": "play"}, "spec": {"ports": "none"}})).unwrap();
        for _ in 0..11 {
            services(stage).create(&PostParams::default(), &wrong).await.unwrap_err();
        }
    });
    assert_eq!(broken, only("I26"));
}
