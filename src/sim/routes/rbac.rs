//! RBAC: what the stored roles and bindings allow.
//!
//! Takes who asks and what for, and reads Roles, ClusterRoles and their bindings as they are in the cluster at that moment;
//! gives a verdict, or all rules that somebody has in a namespace. Group `system:masters` may do everything, whatever is
//! stored. Writes nothing, but for [`bootstrap`], which installs the roles that every cluster begins with. Rules of
//! ClusterRoles with an `aggregationRule` are those in the object: an actor keeps them.

mod bootstrap;
mod rules;

use serde_json::Value;

pub use self::bootstrap::bootstrap;
pub(super) use self::rules::missing;
use super::access::Attributes;
use crate::sim::cluster::{Cluster, Identity};

/// API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";
/// Members may do everything.
pub const MASTERS: &str = "system:masters";

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Whether somebody may, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// It is allowed.
    pub allowed: bool,
    /// Which binding allows it, or what is wrong with the bindings; may be empty.
    pub reason: String,
}

/// Whether `who` may everything without looking at roles.
pub(super) fn is_master(who: &Identity) -> bool {
    who.groups.iter().any(|group| group == MASTERS)
}

/// What the roles and bindings say of one request.
pub fn decide(cluster: &Cluster, who: &Identity, attributes: &Attributes<'_>) -> Verdict {
    if is_master(who) {
        return Verdict { allowed: true, reason: String::new() };
    }
    let mut reason = String::new();
    let mut problems = Vec::new();
    visit(cluster, who, attributes.namespace, |granted| match granted {
        Granted::Rule(rule, binding) if rules::allows(rule, attributes) => {
            reason = format!("RBAC: allowed by {binding}");
            false
        }
        Granted::Rule(..) => true,
        Granted::NoRole(problem) => {
            problems.push(problem);
            true
        }
    });
    if !reason.is_empty() {
        return Verdict { allowed: true, reason };
    }
    Verdict { allowed: false, reason: if problems.is_empty() { String::new() } else { format!("RBAC: {}", aggregate(&problems)) } }
}

/// All rules that `who` has in `namespace` (empty: in the whole cluster), and what is wrong with bindings; empty if nothing.
pub(super) fn rules_of(cluster: &Cluster, who: &Identity, namespace: &str) -> (Vec<Value>, String) {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    visit(cluster, who, namespace, |granted| {
        match granted {
            Granted::Rule(rule, _) => rules.push(rule.clone()),
            Granted::NoRole(problem) => problems.push(problem),
        }
        true
    });
    (rules, aggregate(&problems))
}

/// The rules of the role that a binding in `namespace` names; `None` if there is no such role.
pub(super) fn rules_of_role(cluster: &Cluster, role: &Value, namespace: &str) -> Option<Vec<Value>> {
    let object = if role["kind"] == "ClusterRole" {
        cluster.get("clusterroles.rbac.authorization.k8s.io", "", text(role, "name"))
    } else {
        cluster.get("roles.rbac.authorization.k8s.io", namespace, text(role, "name"))
    };
    object.map(|object| list(&object, "rules").to_vec())
}

/// One thing that a visit finds.
enum Granted<'a> {
    /// A rule, and the sentence that names its binding.
    Rule(&'a Value, &'a str),
    /// A binding to a role that does not exist.
    NoRole(String),
}

/// Shows every rule that applies to `who`, until `look` has seen enough and says `false`.
fn visit(cluster: &Cluster, who: &Identity, namespace: &str, mut look: impl FnMut(Granted<'_>) -> bool) {
    let everywhere = cluster.list("clusterrolebindings.rbac.authorization.k8s.io", None);
    let here = if namespace.is_empty() { Vec::new() } else { cluster.list("rolebindings.rbac.authorization.k8s.io", Some(namespace)) };
    let of_cluster = everywhere.iter().map(|binding| (binding, ""));
    for (binding, namespace) in of_cluster.chain(here.iter().map(|binding| (binding, namespace))) {
        let Some(subject) = list(binding, "subjects").iter().find(|subject| is_meant(subject, who, namespace)) else { continue };
        let role = &binding["roleRef"];
        let Some(rules) = rules_of_role(cluster, role, namespace) else {
            let kind = text(role, "kind").to_lowercase();
            if !look(Granted::NoRole(format!("{kind}.{GROUP} {:?} not found", text(role, "name")))) {
                return;
            }
            continue;
        };
        let sentence = sentence(binding, subject, namespace);
        for rule in &rules {
            if !look(Granted::Rule(rule, &sentence)) {
                return;
            }
        }
    }
}

fn sentence(binding: &Value, subject: &Value, namespace: &str) -> String {
    let (name, role) = (binding["metadata"]["name"].as_str().unwrap_or_default(), &binding["roleRef"]);
    let kind = text(role, "kind");
    let binding = if namespace.is_empty() {
        format!("ClusterRoleBinding {name:?} of {kind} {:?}", text(role, "name"))
    } else {
        format!("RoleBinding {:?} of {kind} {:?}", format!("{name}/{namespace}"), text(role, "name"))
    };
    let called = match text(subject, "kind") {
        "ServiceAccount" => format!("{}/{}", text(subject, "name"), text(subject, "namespace")),
        _ => text(subject, "name").to_owned(),
    };
    format!("{binding} to {} {called:?}", text(subject, "kind"))
}

/// Whether a subject of a binding (in `namespace`; empty: of the cluster) is `who`.
fn is_meant(subject: &Value, who: &Identity, namespace: &str) -> bool {
    let name = text(subject, "name");
    match text(subject, "kind") {
        "User" => who.user == name,
        "Group" => who.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let own = text(subject, "namespace");
            let namespace = if own.is_empty() { namespace } else { own };
            !namespace.is_empty() && service_account(&who.user) == Some((namespace, name))
        }
        _ => false,
    }
}

/// Namespace and name of the service account that a user name stands for.
pub(super) fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

/// Several problems in one text, as Go joins errors.
fn aggregate(problems: &[String]) -> String {
    match problems {
        [] => String::new(),
        [only] => only.clone(),
        many => {
            let mut said: Vec<&str> = Vec::new();
            for problem in many {
                if !said.contains(&problem.as_str()) {
                    said.push(problem);
                }
            }
            if let [only] = said.as_slice() { (*only).to_owned() } else { format!("[{}]", said.join(", ")) }
        }
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
