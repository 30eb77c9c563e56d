//! Admission: what the server's own plug-ins add to, or forbid of, a request.
//!
//! Simulated: NamespaceLifecycle, ServiceAccount (only the default name; no token volumes and no check that the account
//! exists), Priority, DefaultTolerationSeconds, PodSecurity, ResourceQuota. Webhooks and policies are not served as kinds, so nobody can
//! register one in vain. LimitRange objects are stored and not acted upon.

pub(in crate::sim) mod pod_security;
pub mod quota;

use serde_json::{Value, json};

use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;
use crate::sim::kinds::Resource;
use crate::sim::store::ObjectKey;
use crate::sim::verbs::{errors, meta};

/// Namespaces that cannot be deleted.
const IMMORTAL_NAMESPACES: [&str; 3] = ["default", "kube-system", "kube-public"];
/// Seconds that pods stay on a node that is not ready or unreachable.
const TOLERATION_SECONDS: i64 = 300;

/// Mutating admission of a create.
///
/// # Errors
/// 404 no such namespace, 403 the namespace ends or the priority class is unknown.
pub(in crate::sim) fn on_create(cluster: &Cluster, resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
    check_namespace(cluster, resource, namespace, object)?;
    if resource.custom && cluster.is_terminating(&resource.storage_key) {
        let name = meta::text(object, "name");
        return Err(errors::forbidden(resource, name, "create not allowed while custom resource definition is terminating"));
    }
    if resource.storage_key == "pods" {
        default_service_account(object);
        set_priority(cluster, resource, object)?;
        tolerate_node_trouble(object);
    }
    Ok(())
}

/// Admission of a delete.
///
/// # Errors
/// 403 for the namespaces that a cluster cannot lose.
pub(in crate::sim) fn on_delete(resource: &Resource, name: &str) -> Result<(), ApiError> {
    if resource.storage_key == "namespaces" && IMMORTAL_NAMESPACES.contains(&name) {
        return Err(errors::forbidden(resource, name, "this namespace may not be deleted"));
    }
    Ok(())
}

fn check_namespace(cluster: &Cluster, resource: &Resource, namespace: &str, object: &Value) -> Result<(), ApiError> {
    if !resource.namespaced {
        return Ok(());
    }
    let Some(found) = cluster.object(&ObjectKey::new("namespaces", "", namespace)) else {
        let namespaces = cluster.resource("namespaces")?;
        return Err(errors::not_found(&namespaces, namespace));
    };
    if meta::is_deleting(found) {
        return Err(errors::namespace_terminating(resource, meta::text(object, "name"), namespace));
    }
    Ok(())
}

fn default_service_account(pod: &mut Value) {
    let named = pod["spec"]["serviceAccountName"].as_str().filter(|name| !name.is_empty()).unwrap_or("default").to_owned();
    pod["spec"]["serviceAccountName"] = json!(named);
    pod["spec"]["serviceAccount"] = json!(named);
}

fn set_priority(cluster: &Cluster, resource: &Resource, pod: &mut Value) -> Result<(), ApiError> {
    let class = pod["spec"]["priorityClassName"].as_str().unwrap_or_default().to_owned();
    let found = match class.as_str() {
        "" => default_priority_class(cluster),
        "system-cluster-critical" | "system-node-critical" => {
            let value = if class == "system-node-critical" { 2_000_001_000 } else { 2_000_000_000 };
            Some((class, json!({ "value": value })))
        }
        _ => {
            let key = ObjectKey::new("priorityclasses.scheduling.k8s.io", "", &class);
            let Some(found) = cluster.object(&key) else {
                let message = format!("no PriorityClass with name {class} was found");
                return Err(errors::forbidden(resource, meta::text(pod, "name"), &message));
            };
            Some((class, (**found).clone()))
        }
    };
    let (name, class) = found.unwrap_or_default();
    if !name.is_empty() {
        pod["spec"]["priorityClassName"] = json!(name);
    }
    pod["spec"]["priority"] = json!(class["value"].as_i64().unwrap_or(0));
    if pod["spec"]["preemptionPolicy"].is_null() {
        pod["spec"]["preemptionPolicy"] = json!(class["preemptionPolicy"].as_str().unwrap_or("PreemptLowerPriority"));
    }
    Ok(())
}

fn default_priority_class(cluster: &Cluster) -> Option<(String, Value)> {
    let classes = cluster.list("priorityclasses.scheduling.k8s.io", None);
    let class = classes.iter().filter(|class| class["globalDefault"] == true).min_by_key(|class| class["value"].as_i64())?;
    Some((meta::text(class, "name").to_owned(), (**class).clone()))
}

fn tolerate_node_trouble(pod: &mut Value) {
    if pod["spec"]["tolerations"].is_null() {
        pod["spec"]["tolerations"] = json!([]);
    }
    let Some(tolerations) = pod["spec"]["tolerations"].as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covers = |toleration: &Value| {
            let of_key = toleration["key"] == key || toleration["key"].as_str().is_none_or(str::is_empty);
            of_key && matches!(toleration["effect"].as_str(), None | Some("" | "NoExecute"))
        };
        if !tolerations.iter().any(covers) {
            tolerations.push(json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS }));
        }
    }
}
