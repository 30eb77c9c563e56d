//! Who decides about requests: nobody, the stored roles, or an authorizer of the owner's.
//!
//! Takes who asks and what for; gives a verdict, a refusal as the server words it, or the rules that somebody has.

use serde_json::{Value, json};

use super::Front;
use super::access::{Attributes, Authorizer};
use super::rbac::{self, Verdict};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Identity};

/// Who decides.
#[derive(Clone, Copy)]
pub(super) enum Policy<'a> {
    /// Everybody may do everything.
    Everything,
    /// The Roles, ClusterRoles and bindings in the cluster.
    Roles,
    /// Somebody of the owner's.
    Own(&'a (dyn Authorizer + Send)),
}

impl Front {
    /// An authorizer goes before the stored roles.
    pub(super) fn policy(&self) -> Policy<'_> {
        match &self.authorizer {
            Some(authorizer) => Policy::Own(authorizer.as_ref()),
            None if self.roles => Policy::Roles,
            None => Policy::Everything,
        }
    }
}

impl Policy<'_> {
    /// Whether `who` may, and why.
    pub(super) fn decide(self, cluster: &Cluster, who: &Identity, attributes: &Attributes<'_>) -> Verdict {
        match self {
            Self::Everything => {
                Verdict { allowed: true, reason: "the simulated cluster allows everything: no authorizer is set".to_owned() }
            }
            Self::Roles => rbac::decide(cluster, who, attributes),
            Self::Own(authorizer) => Verdict { allowed: authorizer.allows(who, attributes), reason: String::new() },
        }
    }

    /// Refuses what is not allowed.
    pub(super) fn check(self, cluster: &Cluster, who: &Identity, attributes: &Attributes<'_>) -> Result<(), ApiError> {
        let verdict = self.decide(cluster, who, attributes);
        if verdict.allowed {
            return Ok(());
        }
        let mut refusal = attributes.refusal(who);
        if !verdict.reason.is_empty() {
            refusal.message = format!("{}: {}", refusal.message, verdict.reason);
        }
        Err(refusal)
    }

    /// The status of a `SelfSubjectRulesReview`.
    pub(super) fn rules(self, cluster: &Cluster, who: &Identity, namespace: &str) -> Value {
        match self {
            Self::Everything => json!({
                "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
                "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }], "incomplete": false,
            }),
            Self::Roles => {
                let (rules, problems) = rbac::rules_of(cluster, who, namespace);
                let with = |field: &str| -> Vec<&Value> { rules.iter().filter(|rule| rule[field].is_array()).collect() };
                let mut status =
                    json!({ "resourceRules": with("resources"), "nonResourceRules": with("nonResourceURLs"), "incomplete": false });
                if !problems.is_empty() {
                    status["incomplete"] = json!(true);
                    status["evaluationError"] = json!(problems);
                }
                status
            }
            Self::Own(authorizer) => match authorizer.rules(who, namespace) {
                Some(rules) => json!({ "resourceRules": rules, "nonResourceRules": [], "incomplete": false }),
                None => json!({
                    "resourceRules": [], "nonResourceRules": [], "incomplete": true,
                    "evaluationError": "the authorizer does not support rule enumeration",
                }),
            },
        }
    }
}
