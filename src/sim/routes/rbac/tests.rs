//! Verdicts over stored roles and bindings.

use serde_json::{Value, json};

use super::super::access::Attributes;
use super::{GROUP, bootstrap, decide, rules_of, service_account};
use crate::sim::cluster::{Cluster, Identity, WriteOptions};

fn cluster() -> Cluster {
    let mut cluster = Cluster::new(7, "2026-01-01T00:00:00Z".parse().unwrap());
    bootstrap(&mut cluster).unwrap();
    cluster
}

fn create(cluster: &mut Cluster, plural: &str, namespace: &str, object: Value) {
    let admin = Identity::component("test");
    cluster.create(&admin, &format!("{plural}.{GROUP}"), namespace, object, &WriteOptions::manager("test")).unwrap();
}

fn role(name: &str, verbs: &[&str], resource: &str) -> Value {
    json!({"metadata": {"name": name}, "rules": [{"apiGroups": [""], "resources": [resource], "verbs": verbs}]})
}

fn binding(name: &str, kind: &str, role: &str, subject: &Value) -> Value {
    json!({"metadata": {"name": name}, "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}, "subjects": [subject]})
}

fn user(name: &str) -> Value {
    json!({"apiGroup": GROUP, "kind": "User", "name": name})
}

fn get<'a>(namespace: &'a str, resource: &'a str) -> Attributes<'a> {
    Attributes { verb: "get", resource, namespace, name: "a", ..Attributes::default() }
}

#[test]
fn nobody_may_anything_without_a_binding_but_masters_everything() {
    let cluster = cluster();
    assert!(!decide(&cluster, &Identity::user("bob"), &get("default", "pods")).allowed);
    let mut master = Identity::user("root");
    master.groups.push("system:masters".to_owned());
    assert!(decide(&cluster, &master, &get("default", "pods")).allowed);
    let path = |path| Attributes { verb: "get", path, ..Attributes::default() };
    assert!(decide(&cluster, &Identity::user("bob"), &path("/apis/apps")).allowed);
    assert!(!decide(&cluster, &Identity::user("bob"), &path("/metrics")).allowed);
    assert!(!decide(&cluster, &Identity::default(), &path("/apis/apps")).allowed, "nobody is not everybody");
}

#[test]
fn a_role_counts_in_its_namespace_and_a_cluster_role_everywhere() {
    let mut cluster = cluster();
    create(&mut cluster, "roles", "default", role("r", &["get"], "pods"));
    create(&mut cluster, "rolebindings", "default", binding("b", "Role", "r", &user("bob")));
    create(&mut cluster, "clusterroles", "", role("c", &["get"], "secrets"));
    create(&mut cluster, "clusterrolebindings", "", binding("b", "ClusterRole", "c", &user("eve")));
    create(&mut cluster, "rolebindings", "kube-public", binding("b", "ClusterRole", "c", &user("bob")));
    let may = |name, attributes| decide(&cluster, &Identity::user(name), &attributes);
    let verdict = may("bob", get("default", "pods"));
    assert_eq!(verdict.reason, "RBAC: allowed by RoleBinding \"b/default\" of Role \"r\" to User \"bob\"");
    assert!(!may("bob", get("default", "secrets")).allowed && !may("bob", get("kube-public", "pods")).allowed);
    assert!(!may("bob", get("", "pods")).allowed, "no role of a namespace gives the cluster");
    assert!(may("bob", get("kube-public", "secrets")).allowed);
    assert!(may("eve", get("default", "secrets")).allowed && may("eve", get("", "secrets")).allowed);
    assert!(!may("alice", get("default", "pods")).allowed);
}

#[test]
fn subjects_are_users_groups_and_service_accounts() {
    let mut cluster = cluster();
    create(&mut cluster, "clusterroles", "", role("c", &["get"], "pods"));
    let group = json!({"apiGroup": GROUP, "kind": "Group", "name": "dev"});
    create(&mut cluster, "clusterrolebindings", "", binding("group", "ClusterRole", "c", &group));
    let account = json!({"kind": "ServiceAccount", "name": "robot", "namespace": "default"});
    create(&mut cluster, "clusterrolebindings", "", binding("account", "ClusterRole", "c", &account));
    let mut dev = Identity::user("dora");
    assert!(!decide(&cluster, &dev, &get("", "pods")).allowed);
    dev.groups.push("dev".to_owned());
    assert!(decide(&cluster, &dev, &get("", "pods")).allowed);
    let verdict = decide(&cluster, &Identity::user("system:serviceaccount:default:robot"), &get("", "pods"));
    let reason = "RBAC: allowed by ClusterRoleBinding \"account\" of ClusterRole \"c\" to ServiceAccount \"robot/default\"";
    assert_eq!(verdict.reason, reason);
    assert!(!decide(&cluster, &Identity::user("system:serviceaccount:kube-public:robot"), &get("", "pods")).allowed);
    assert!(!decide(&cluster, &Identity::user("robot"), &get("", "pods")).allowed);
    assert_eq!(service_account("system:serviceaccount:a:b:c"), None);
}

#[test]
fn a_binding_to_nothing_is_said() {
    let mut cluster = cluster();
    create(&mut cluster, "clusterrolebindings", "", binding("b", "ClusterRole", "nonesuch", &user("eve")));
    let verdict = decide(&cluster, &Identity::user("eve"), &get("", "pods"));
    let reason = "RBAC: clusterrole.rbac.authorization.k8s.io \"nonesuch\" not found";
    assert_eq!((verdict.allowed, verdict.reason.as_str()), (false, reason));
    assert_eq!(rules_of(&cluster, &Identity::user("eve"), "").1, "clusterrole.rbac.authorization.k8s.io \"nonesuch\" not found");
}

#[test]
fn a_second_bootstrap_changes_nothing() {
    let mut cluster = cluster();
    let before = cluster.revision();
    bootstrap(&mut cluster).unwrap();
    assert_eq!(cluster.revision(), before);
    assert_eq!(cluster.list("clusterroles.rbac.authorization.k8s.io", None).len(), 10);
}
