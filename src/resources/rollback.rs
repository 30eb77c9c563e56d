//! The Rollback that records what the operator decided by itself. It has no owner: the trail outlives the deployment.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::resources::{Owner, labels};

/// Annotation: the evidence, as JSON, from which status is made.
pub const EVIDENCE: &str = "modelward.dev/evidence";

/// Characters of a name's hash.
const HASH_LENGTH: usize = 10;

/// What is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Automatic<'a> {
    /// The revision that is left.
    pub from: &'a str,
    /// The revision that serves instead.
    pub to: &'a str,
    /// Number of the decision.
    pub decision: i64,
    /// Why, in words.
    pub reason: &'a str,
    /// What it rests on.
    pub evidence: Option<Value>,
}

/// The name of the Rollback of one decision: the same however often it is made, another for a deployment that was made again.
pub fn name(owner: &Owner, from: &str, decision: i64) -> String {
    let digest = Sha256::digest(format!("{}/{from}/{decision}", owner.uid).as_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}", owner.name, &hash[..HASH_LENGTH])
}

/// Builds it.
pub fn build(owner: &Owner, automatic: &Automatic<'_>) -> Value {
    let Automatic { from, to, decision, reason, evidence } = automatic;
    let mut object = json!({
        "apiVersion": "modelward.dev/v1alpha1",
        "kind": "Rollback",
        "metadata": {
            "name": name(owner, from, *decision),
            "namespace": owner.namespace,
            "labels": labels::deployment_selector(&owner.name),
        },
        "spec": {
            "deployment": owner.name,
            "deploymentUid": owner.uid,
            "from": from,
            "toRevision": to,
            "reason": reason,
            "requestedBy": labels::MANAGER,
            "trigger": "Automatic",
        },
    });
    if let Some(evidence) = evidence {
        object["metadata"]["annotations"] = json!({EVIDENCE: evidence.to_string()});
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_of_one_decision_of_one_deployment() {
        let owner = |uid: &str| Owner { namespace: "n".to_owned(), name: "a".repeat(46), uid: uid.to_owned() };
        let first = name(&owner("u"), "chat-a", 3);
        assert_eq!(first, name(&owner("u"), "chat-a", 3));
        assert!(first.len() <= 63, "{first}");
        for other in [name(&owner("v"), "chat-a", 3), name(&owner("u"), "chat-b", 3), name(&owner("u"), "chat-a", 4)] {
            assert_ne!(first, other);
        }
    }
}
