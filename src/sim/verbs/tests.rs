mod autoscalers;
mod custom;
mod deletion;
mod lists;
mod writes;

use serde_json::{Value, json};

use crate::sim::api_error::ApiError;
use crate::sim::cluster::tests::me;
use crate::sim::cluster::{Cluster, Patch, WriteOptions, Written};

pub(crate) fn options() -> WriteOptions {
    WriteOptions::manager("test")
}

pub(crate) fn patch(cluster: &mut Cluster, resource: &str, name: &str, patch: Patch) -> Result<Written, ApiError> {
    cluster.patch(&me(), resource, "t", name, None, patch, &options())
}

pub(crate) fn merge(cluster: &mut Cluster, resource: &str, name: &str, changes: Value) -> Result<Written, ApiError> {
    patch(cluster, resource, name, Patch::Merge(changes))
}

pub(crate) fn deployment(name: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } },
        },
    })
}

pub(crate) fn pod(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "containers": [{ "name": "c", "image": "i" }] } })
}

pub(crate) fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}
