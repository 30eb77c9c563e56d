//! The roles that every cluster begins with, as far as users meet them: `cluster-admin`, `admin`, `edit`, `view` with their
//! parts, and what everybody may read. Roles of the control plane's own components are left out: here those ask no server.

use serde_json::{Value, json};

use super::{GROUP, MASTERS};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Identity, WriteOptions};

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const EVERYTHING: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const HEALTH: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/version/"];
const DISCOVERY: &[&str] =
    &["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"];
const EVERYBODY: &str = "system:authenticated";

/// Installs them; objects of these names that exist already stay as they are.
///
/// # Errors
/// What the server refuses, which is nothing in an ordinary cluster.
pub fn bootstrap(cluster: &mut Cluster) -> Result<(), ApiError> {
    let roles = [("cluster-admin", cluster_admin()), ("system:basic-user", basic_user()), ("system:discovery", paths(DISCOVERY))];
    for (name, rules) in roles.into_iter().chain([("system:public-info-viewer", paths(HEALTH))]) {
        create(cluster, "clusterroles", name, json!({ "rules": rules }))?;
    }
    let parts = [("admin", "", of_admin()), ("edit", "admin", of_edit()), ("view", "edit", of_view())];
    for (name, part_of, rules) in parts {
        let selector = json!([{ "matchLabels": { aggregated_to(name): "true" } }]);
        let role = json!({ "metadata": labelled(part_of), "rules": null, "aggregationRule": { "clusterRoleSelectors": selector } });
        create(cluster, "clusterroles", name, role)?;
        let part = json!({ "metadata": labelled(name), "rules": rules });
        create(cluster, "clusterroles", &format!("system:aggregate-to-{name}"), part)?;
    }
    if cluster.kinds().has_metrics_apis() {
        // It comes with the server of resource metrics.
        let labels: Value = ["admin", "edit", "view"].iter().map(|role| (aggregated_to(role), json!("true"))).collect();
        let rules = json!([rule(&["metrics.k8s.io"], &["nodes", "pods"], READ)]);
        create(cluster, "clusterroles", "system:aggregated-metrics-reader", json!({ "metadata": { "labels": labels }, "rules": rules }))?;
    }
    bind(cluster, "cluster-admin", &[MASTERS])?;
    bind(cluster, "system:basic-user", &[EVERYBODY])?;
    bind(cluster, "system:discovery", &[EVERYBODY])?;
    bind(cluster, "system:public-info-viewer", &[EVERYBODY, "system:unauthenticated"])
}

fn aggregated_to(role: &str) -> String {
    format!("{GROUP}/aggregate-to-{role}")
}

fn labelled(part_of: &str) -> Value {
    if part_of.is_empty() { json!({}) } else { json!({ "labels": { aggregated_to(part_of): "true" } }) }
}

fn create(cluster: &mut Cluster, plural: &str, name: &str, mut object: Value) -> Result<(), ApiError> {
    object["metadata"]["name"] = json!(name);
    object["metadata"]["labels"]["kubernetes.io/bootstrapping"] = json!("rbac-defaults");
    object["metadata"]["annotations"] = json!({ "rbac.authorization.kubernetes.io/autoupdate": "true" });
    let (server, options) = (Identity::component("apiserver"), WriteOptions::manager("kube-apiserver"));
    match cluster.create(&server, &format!("{plural}.{GROUP}"), "", object, &options) {
        Err(error) if error.code != 409 => Err(error),
        _ => Ok(()),
    }
}

fn bind(cluster: &mut Cluster, role: &str, groups: &[&str]) -> Result<(), ApiError> {
    let subjects: Vec<Value> = groups.iter().map(|group| json!({ "apiGroup": GROUP, "kind": "Group", "name": group })).collect();
    let reference = json!({ "apiGroup": GROUP, "kind": "ClusterRole", "name": role });
    create(cluster, "clusterrolebindings", role, json!({ "roleRef": reference, "subjects": subjects }))
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": groups, "resources": resources, "verbs": verbs })
}

fn paths(paths: &[&str]) -> Value {
    json!([{ "nonResourceURLs": paths, "verbs": ["get"] }])
}

fn cluster_admin() -> Value {
    json!([rule(&["*"], &["*"], &["*"]), { "nonResourceURLs": ["*"], "verbs": ["*"] }])
}

fn basic_user() -> Value {
    json!([
        rule(&["authorization.k8s.io"], &["selfsubjectaccessreviews", "selfsubjectrulesreviews"], &["create"]),
        rule(&["authentication.k8s.io"], &["selfsubjectreviews"], &["create"]),
    ])
}

fn of_admin() -> Value {
    json!([
        rule(&["authorization.k8s.io"], &["localsubjectaccessreviews"], &["create"]),
        rule(&[GROUP], &["rolebindings", "roles"], EVERYTHING),
    ])
}

fn of_edit() -> Value {
    let into_pods = ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy"];
    let core = [
        "configmaps",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "secrets",
        "serviceaccounts",
        "services",
        "services/proxy",
    ];
    let apps = [
        "daemonsets",
        "deployments",
        "deployments/rollback",
        "deployments/scale",
        "replicasets",
        "replicasets/scale",
        "statefulsets",
        "statefulsets/scale",
    ];
    json!([
        rule(&[""], &[&into_pods[..], &["secrets", "services/proxy"]].concat(), READ),
        rule(&[""], &["serviceaccounts"], &["impersonate"]),
        rule(&[""], &[&["pods"], &into_pods[..]].concat(), WRITE),
        rule(&[""], &["pods/eviction", "serviceaccounts/token"], &["create"]),
        rule(&[""], &core, WRITE),
        rule(&["", "events.k8s.io"], &["events"], WRITE),
        rule(&["apps"], &apps, WRITE),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], WRITE),
        rule(&["batch"], &["cronjobs", "jobs"], WRITE),
        rule(&["policy"], &["poddisruptionbudgets"], WRITE),
        rule(&["networking.k8s.io"], &["ingresses", "networkpolicies"], WRITE),
        rule(&["coordination.k8s.io"], &["leases"], EVERYTHING),
    ])
}

fn of_view() -> Value {
    let core = [
        "bindings",
        "configmaps",
        "endpoints",
        "limitranges",
        "namespaces",
        "namespaces/status",
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "pods",
        "pods/log",
        "pods/status",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "replicationcontrollers/status",
        "resourcequotas",
        "resourcequotas/status",
        "serviceaccounts",
        "services",
        "services/status",
    ];
    let apps = [
        "controllerrevisions",
        "daemonsets",
        "daemonsets/status",
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
        "statefulsets",
        "statefulsets/scale",
        "statefulsets/status",
    ];
    json!([
        rule(&[""], &core, READ),
        rule(&["", "events.k8s.io"], &["events"], READ),
        rule(&["discovery.k8s.io"], &["endpointslices"], READ),
        rule(&["apps"], &apps, READ),
        rule(&["autoscaling"], &["horizontalpodautoscalers", "horizontalpodautoscalers/status"], READ),
        rule(&["batch"], &["cronjobs", "cronjobs/status", "jobs", "jobs/status"], READ),
        rule(&["policy"], &["poddisruptionbudgets", "poddisruptionbudgets/status"], READ),
        rule(&["networking.k8s.io"], &["ingresses", "ingresses/status", "networkpolicies"], READ),
    ])
}
