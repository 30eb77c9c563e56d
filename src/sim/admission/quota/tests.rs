use serde_json::{Value, json};

use crate::sim::admission::quota;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::tests::{cluster, config_map, create, me};
use crate::sim::cluster::{Cluster, Patch, WriteOptions, Written};

fn with_quota(hard: Value, used: Option<Value>) -> Cluster {
    let mut cluster = cluster();
    create(&mut cluster, "resourcequotas", json!({ "metadata": { "name": "q" }, "spec": { "hard": hard } }));
    if let Some(used) = used {
        let patch = Patch::Merge(json!({ "status": { "hard": hard, "used": used } }));
        cluster.patch(&me(), "resourcequotas", "t", "q", Some("status"), patch, &WriteOptions::manager("test")).unwrap();
    }
    cluster
}

fn pod(name: &str, requests: Value) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "containers": [{ "name": "c", "image": "i", "resources": { "requests": requests } }] } })
}

fn try_create(cluster: &mut Cluster, resource: &str, object: Value) -> Result<Written, ApiError> {
    cluster.create(&me(), resource, "t", object, &WriteOptions::manager("test"))
}

#[test]
fn a_pod_is_charged_at_once_and_refused_when_the_quota_is_exceeded() {
    let mut cluster = with_quota(json!({ "requests.cpu": "1" }), Some(json!({ "requests.cpu": "0" })));
    try_create(&mut cluster, "pods", pod("a", json!({ "cpu": "600m" }))).unwrap();
    let used = cluster.get("resourcequotas", "t", "q").unwrap()["status"]["used"].clone();
    assert_eq!(used, json!({ "requests.cpu": "600m" }));
    let error = try_create(&mut cluster, "pods", pod("b", json!({ "cpu": "600m" }))).unwrap_err();
    assert_eq!(error.code, 403);
    assert_eq!(
        error.message,
        "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
    );
    assert_eq!(cluster.list("pods", Some("t")).len(), 1);
}

#[test]
fn limited_cpu_must_be_stated_but_limited_gpus_need_not() {
    let mut cluster = with_quota(json!({ "requests.cpu": "1" }), Some(json!({ "requests.cpu": "0" })));
    let error = try_create(&mut cluster, "pods", pod("a", json!({}))).unwrap_err();
    assert_eq!(error.message, "pods \"a\" is forbidden: failed quota: q: must specify requests.cpu for: c");
    let mut cluster = with_quota(json!({ "requests.nvidia.com/gpu": "1" }), Some(json!({ "requests.nvidia.com/gpu": "0" })));
    try_create(&mut cluster, "pods", pod("a", json!({}))).unwrap();
    let gpus = |name: &str, count: &str| {
        let mut object = pod(name, json!({ "nvidia.com/gpu": count }));
        object["spec"]["containers"][0]["resources"]["limits"] = json!({ "nvidia.com/gpu": count });
        object
    };
    try_create(&mut cluster, "pods", gpus("b", "1")).unwrap();
    let error = try_create(&mut cluster, "pods", gpus("c", "1")).unwrap_err();
    assert!(error.message.ends_with("limited: requests.nvidia.com/gpu=1"), "{}", error.message);
}

#[test]
fn a_quota_without_status_refuses_what_it_limits_and_nothing_else() {
    let mut cluster = with_quota(json!({ "count/configmaps": "1" }), None);
    let error = try_create(&mut cluster, "configmaps", config_map("a")).unwrap_err();
    assert_eq!(error.message, "configmaps \"a\" is forbidden: status unknown for quota: q, resources: count/configmaps");
    try_create(&mut cluster, "pods", pod("a", json!({}))).unwrap();
}

#[test]
fn objects_are_counted_and_a_dry_run_is_not() {
    let hard = json!({ "count/configmaps": "1", "count/deployments.apps": "5" });
    let mut cluster = with_quota(hard, Some(json!({ "count/configmaps": "0", "count/deployments.apps": "0" })));
    let dry = WriteOptions { dry_run: true, ..WriteOptions::manager("test") };
    cluster.create(&me(), "configmaps", "t", config_map("a"), &dry).unwrap();
    try_create(&mut cluster, "configmaps", config_map("a")).unwrap();
    assert_eq!(try_create(&mut cluster, "configmaps", config_map("b")).unwrap_err().code, 403);
    let quota = cluster.get("resourcequotas", "t", "q").unwrap();
    assert_eq!(quota["status"]["used"]["count/configmaps"], "1");
    assert_eq!(json!(quota::used(&cluster, "t", &quota)), quota["status"]["used"]);
}

#[test]
fn a_recount_leaves_finished_pods_out_and_takes_the_largest_init_step() {
    let hard = json!({ "pods": "5", "requests.memory": "8Gi" });
    let mut cluster = with_quota(hard, Some(json!({ "pods": "0", "requests.memory": "0" })));
    let mut object = pod("a", json!({ "memory": "1Gi" }));
    let init = json!([{ "name": "i", "image": "i", "resources": { "requests": { "memory": "3Gi" } } }]);
    object["spec"]["initContainers"] = init;
    try_create(&mut cluster, "pods", object).unwrap();
    let quota = cluster.get("resourcequotas", "t", "q").unwrap();
    assert_eq!(quota["status"]["used"], json!({ "pods": "1", "requests.memory": "3Gi" }));
    let done = Patch::Merge(json!({ "status": { "phase": "Succeeded" } }));
    cluster.patch(&me(), "pods", "t", "a", Some("status"), done, &WriteOptions::manager("test")).unwrap();
    assert_eq!(json!(quota::used(&cluster, "t", &quota)), json!({ "pods": "0", "requests.memory": "0" }));
}

#[test]
fn a_scoped_quota_looks_only_at_its_pods() {
    let mut cluster = cluster();
    let spec = json!({ "hard": { "pods": "0" }, "scopes": ["BestEffort"] });
    create(&mut cluster, "resourcequotas", json!({ "metadata": { "name": "q" }, "spec": spec }));
    let patch = Patch::Merge(json!({ "status": { "hard": { "pods": "0" }, "used": { "pods": "0" } } }));
    cluster.patch(&me(), "resourcequotas", "t", "q", Some("status"), patch, &WriteOptions::manager("test")).unwrap();
    try_create(&mut cluster, "pods", pod("a", json!({ "cpu": "1" }))).unwrap();
    assert_eq!(try_create(&mut cluster, "pods", pod("b", json!({}))).unwrap_err().code, 403);
}
