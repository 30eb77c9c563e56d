//! Validation of built-in objects as the API server does it by hand, in its words.
//!
//! Takes an object with defaults applied and, on updates, the stored one; gives causes in the order of the fields. Writes to
//! `/status`, `/scale`, `/binding` and `/ephemeralcontainers` do not come here: the server checks other things there.
//! Names and metadata in general are the caller's, with [`super::names`].

mod autoscaling;
mod check;
mod config;
mod containers;
mod jobs;
mod metadata;
mod network;
mod others;
mod pod_update;
mod pods;
mod probes;
mod resources;
mod scheduling;
mod services;
#[cfg(test)]
mod tests;
mod volumes;
mod workloads;

use serde_json::Value;

use crate::sim::api_error::Cause;
use check::Causes;

/// Everything that is wrong with an object of a built-in resource; resources without rules have no causes.
pub fn validate(resource: &str, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Causes::default();
    let c = &mut causes;
    match resource {
        "pods" => pods::pod(c, object, old),
        "podtemplates" => pods::template(c, &object["template"], "template"),
        "deployments.apps" => workloads::deployment(c, object, old),
        "replicasets.apps" => workloads::replica_set(c, object, old),
        "statefulsets.apps" => workloads::stateful_set(c, object, old),
        "daemonsets.apps" => workloads::daemon_set(c, object, old),
        "controllerrevisions.apps" => workloads::controller_revision(c, object, old),
        "jobs.batch" => jobs::job(c, object, old),
        "cronjobs.batch" => jobs::cron_job(c, object),
        "services" => services::service(c, object, old),
        "endpoints" => services::endpoints(c, object),
        "endpointslices.discovery.k8s.io" => services::endpoint_slice(c, object, old),
        "ingresses.networking.k8s.io" => network::ingress(c, object),
        "networkpolicies.networking.k8s.io" => network::policy(c, object),
        "configmaps" => config::config_map(c, object, old),
        "secrets" => config::secret(c, object, old),
        "horizontalpodautoscalers.autoscaling" => autoscaling::autoscaler(c, object, old),
        "poddisruptionbudgets.policy" => others::disruption_budget(c, object),
        "leases.coordination.k8s.io" => others::lease(c, object),
        "resourcequotas" => others::quota(c, object, old),
        "limitranges" => others::limit_range(c, object),
        "persistentvolumeclaims" => others::claim(c, object, old),
        "priorityclasses.scheduling.k8s.io" => others::priority_class(c, object, old),
        "roles.rbac.authorization.k8s.io" => others::role(c, object, true),
        "clusterroles.rbac.authorization.k8s.io" => others::role(c, object, false),
        "rolebindings.rbac.authorization.k8s.io" => others::role_binding(c, object, old, true),
        "clusterrolebindings.rbac.authorization.k8s.io" => others::role_binding(c, object, old, false),
        "validatingadmissionpolicies.admissionregistration.k8s.io" => others::admission_policy(c, object),
        "validatingadmissionpolicybindings.admissionregistration.k8s.io" => others::admission_binding(c, object),
        _ => {}
    }
    causes.into_vec()
}
