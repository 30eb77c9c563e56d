//! Nobody grants rights that he does not have: writes of roles and bindings.
//!
//! Takes the object as it would be written and who asks; refuses it with the list of what is missing, unless who asks may
//! `escalate` (roles) or `bind` (bindings), or holds every right himself. Only where the stored roles decide.

use serde_json::{Value, json};

use super::Call;
use super::access::Attributes;
use super::policy::Policy;
use super::rbac::{self, GROUP, MASTERS};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;
use crate::sim::verbs::errors;

/// What differs without any effect on rights.
const BOOKKEEPING: [&str; 5] = ["ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation"];

impl Call<'_> {
    /// This write may give rights to somebody, and who asks is not above that.
    pub(super) fn grants_rights(&self) -> bool {
        matches!(self.policy, Policy::Roles)
            && self.resource.id.group == GROUP
            && !self.request.identity.groups.iter().any(|group| group == MASTERS)
    }

    /// Refuses an object that gives more rights than who asks has.
    pub(super) fn check_escalation(&self, cluster: &Cluster, object: &Value) -> Result<(), ApiError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let before = cluster.get(&self.key, self.namespace(), name);
        if before.is_some_and(|before| without_bookkeeping(&before) == without_bookkeeping(object)) {
            return Ok(());
        }
        let wanted = if object["roleRef"].is_object() {
            let role = &object["roleRef"];
            if self.may_bind(cluster, role) {
                return Ok(());
            }
            let missing = || errors::not_found(&self.resource, role["name"].as_str().unwrap_or_default());
            rbac::rules_of_role(cluster, role, self.namespace()).ok_or_else(missing)?
        } else {
            if self.may(cluster, &Attributes { verb: "escalate", ..Attributes::of(self.info) }) {
                return Ok(());
            }
            if object["aggregationRule"].is_object() && rbac::missing(&self.held(cluster).0, &everything()).is_some() {
                let message = "must have cluster-admin privileges to use the aggregationRule";
                return Err(errors::forbidden(&self.resource, name, message));
            }
            object["rules"].as_array().cloned().unwrap_or_default()
        };
        self.check_held(cluster, name, &wanted)
    }

    fn may(&self, cluster: &Cluster, attributes: &Attributes<'_>) -> bool {
        self.policy.decide(cluster, &self.request.identity, attributes).allowed
    }

    fn may_bind(&self, cluster: &Cluster, role: &Value) -> bool {
        let resource = if role["kind"] == "ClusterRole" { "clusterroles" } else { "roles" };
        let name = role["name"].as_str().unwrap_or_default();
        self.may(cluster, &Attributes { verb: "bind", group: GROUP, resource, namespace: self.namespace(), name, ..Attributes::default() })
    }

    /// The rules that who asks has, and what is wrong with them.
    fn held(&self, cluster: &Cluster) -> (Vec<Value>, String) {
        rbac::rules_of(cluster, &self.request.identity, self.namespace())
    }

    fn check_held(&self, cluster: &Cluster, name: &str, wanted: &[Value]) -> Result<(), ApiError> {
        let who = &self.request.identity;
        let (held, problems) = self.held(cluster);
        let Some(missing) = rbac::missing(&held, wanted) else { return Ok(()) };
        let groups: Vec<String> = who.groups.iter().map(|group| format!("{group:?}")).collect();
        let problems = if problems.is_empty() { problems } else { format!("; resolution errors: {problems}") };
        let message = format!(
            "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{missing}{problems}",
            who.user,
            groups.join(" ")
        );
        Err(errors::forbidden(&self.resource, name, &message))
    }
}

/// All rights: a role that gathers rules of others may come to hold anything.
fn everything() -> [Value; 2] {
    [json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }), json!({ "verbs": ["*"], "nonResourceURLs": ["*"] })]
}

fn without_bookkeeping(object: &Value) -> Value {
    let mut rest = object.clone();
    if let Some(metadata) = rest["metadata"].as_object_mut() {
        metadata.retain(|field, _| !BOOKKEEPING.contains(&field.as_str()));
    }
    rest
}
