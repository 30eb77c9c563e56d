//! What the API server fills into built-in objects when it reads them, as Kubernetes 1.35 does.
//!
//! [`apply`] is for every write, before validation; [`prepare_for_create`] comes after the uid is known. Addresses, names and
//! anything else that needs the cluster is not filled in here.

mod apps;
mod batch;
mod normal;
mod others;
mod pods;
mod services;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::json::{fill, object_made, text};

const AUTOSCALERS: &str = "horizontalpodautoscalers.autoscaling";

/// Fills defaults and brings the object into the form that the server's types have: canonical amounts, no empty lists.
pub fn apply(resource: &str, object: &mut Value) {
    // For the server an empty list of policies is something else than none.
    let without_policies = if resource == AUTOSCALERS { others::directions_without_policies(object) } else { Vec::new() };
    normal::bring(resource, object);
    match resource {
        "pods" => pods::pod(object),
        "podtemplates" => pods::template(object.get_mut("template")),
        "deployments.apps" => apps::deployment(object),
        "replicasets.apps" | "replicationcontrollers" => apps::replica_set(object),
        "statefulsets.apps" => apps::stateful_set(object),
        "daemonsets.apps" => apps::daemon_set(object),
        "jobs.batch" => batch::job(object),
        "cronjobs.batch" => batch::cron_job(object),
        "services" => services::service(object),
        "endpoints" => services::endpoints(object),
        "endpointslices.discovery.k8s.io" => services::endpoint_slice(object),
        "networkpolicies.networking.k8s.io" => services::network_policy(object),
        "secrets" => others::secret(object),
        "namespaces" => others::namespace(object),
        "limitranges" => others::limit_range(object),
        "persistentvolumeclaims" => others::claim(object),
        "persistentvolumes" => others::volume(object),
        AUTOSCALERS => others::autoscaler(object),
        "priorityclasses.scheduling.k8s.io" => others::priority_class(object),
        "storageclasses.storage.k8s.io" => others::storage_class(object),
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => others::role_binding(object),
        "validatingadmissionpolicies.admissionregistration.k8s.io" => others::admission_policy(object),
        "validatingadmissionpolicybindings.admissionregistration.k8s.io" => others::admission_binding(object),
        "customresourcedefinitions.apiextensions.k8s.io" => others::custom_resource_definition(object),
        // Config maps, nodes, leases, budgets, quotas and the like have no defaults.
        _ => {}
    }
    for direction in without_policies {
        object["spec"]["behavior"][direction]["policies"] = json!([]);
    }
}

/// What the server adds on create once the uid is known: initial phases, the finalizer of namespaces, selectors of jobs.
pub fn prepare_for_create(resource: &str, object: &mut Value) {
    match resource {
        "namespaces" => {
            if let Some(spec) = object_made(object, &["spec"]) {
                let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
                if let Some(list) = finalizers.as_array_mut().filter(|list| !list.contains(&json!("kubernetes"))) {
                    list.push(json!("kubernetes"));
                }
            }
            object["status"] = json!({"phase": "Active"});
        }
        "pods" => object["status"] = json!({"phase": "Pending", "qosClass": pods::quality_of_service(object)}),
        "jobs.batch" => batch::generate_selector(object),
        "persistentvolumeclaims" => object["status"] = json!({"phase": "Pending"}),
        "persistentvolumes" => object["status"] = json!({"phase": "Pending"}),
        _ => {}
    }
}

/// The quality-of-service class of a pod: `Guaranteed`, `Burstable` or `BestEffort`.
pub fn quality_of_service(pod: &Value) -> &'static str {
    pods::quality_of_service(pod)
}

/// `metadata.name`, empty when absent.
fn name_of(object: &Value) -> String {
    object.get("metadata").map(|metadata| text(metadata, "name")).unwrap_or_default().to_owned()
}

/// Fills `spec.<name>`.
fn fill_spec(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(spec) = object_made(object, &["spec"]) {
        fill(spec, name, value);
    }
}
