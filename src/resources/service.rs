//! Services: one per revision for gateways and for looking at it, one stable one per deployment for everybody else.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::model_deployment::Protocol;
use crate::resources::{Owner, labels, pod};

/// Port that Services listen on.
pub const PORT: i32 = 80;

/// What a Service leads to.
#[derive(Clone, Copy, Debug)]
pub struct Backend<'a> {
    /// The pod template, which says at which port it listens.
    pub template: &'a Value,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// The Service of one revision. Headless: allocating addresses is the slowest thing an API server does, and gateways
/// follow the endpoints anyway.
pub fn of_revision(owner: &Owner, name: &str, model: &str, version: &str, backend: Backend<'_>) -> Value {
    let labels = labels::of_revision(&owner.name, name, model, version);
    let mut service = build(owner, name, &labels, &labels::revision_selector(&owner.name, name), backend);
    service["spec"]["clusterIP"] = json!("None");
    service
}

/// The stable Service. `selector` is one revision's (a pin) or the deployment's (shares by ready pods).
pub fn stable(owner: &Owner, selector: &BTreeMap<String, String>, backend: Backend<'_>) -> Value {
    build(owner, &owner.name, &labels::of_deployment(&owner.name), selector, backend)
}

/// Name of the Service that leads to the new version of a blue/green release.
pub fn preview_name(deployment: &str) -> String {
    format!("{deployment}-preview")
}

/// The preview Service: for whoever wants to look at `revision` before it has traffic.
pub fn preview(owner: &Owner, revision: &str, backend: Backend<'_>) -> Value {
    let selector = labels::revision_selector(&owner.name, revision);
    build(owner, &preview_name(&owner.name), &labels::of_deployment(&owner.name), &selector, backend)
}

fn build(owner: &Owner, name: &str, labels: &BTreeMap<String, String>, selector: &BTreeMap<String, String>, backend: Backend<'_>) -> Value {
    let mut port = json!({ "name": "http", "port": PORT, "protocol": "TCP", "targetPort": pod::port(backend.template) });
    if backend.protocol == Protocol::Grpc {
        // Gateways speak HTTP/1.1 to a port that does not say otherwise.
        port["appProtocol"] = json!("kubernetes.io/h2c");
    }
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": owner.metadata(name, labels),
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [port],
        },
    })
}
