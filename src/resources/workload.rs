//! The Deployment of a revision. Its pod template comes from the record and is never rendered anew.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::resources::revision::Recorded;
use crate::resources::{Owner, labels};

/// Annotation that makes a Deployment replace its pods, as `kubectl rollout restart` sets it.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// What can differ between two applications of one revision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Pods to start with; `None`: leave the number to whoever owns it.
    pub replicas: Option<i32>,
    /// Pods older than this are replaced.
    pub restarted_at: Option<Timestamp>,
    /// Seconds after which Kubernetes calls the rollout stuck.
    pub progress_deadline_seconds: i64,
}

/// Builds the Deployment of the revision called `name`.
pub fn build(owner: &Owner, name: &str, recorded: &Recorded, options: Options) -> Value {
    let labels = labels::of_revision(&owner.name, name, &recorded.input.model, &recorded.input.version);
    let mut template = recorded.template.clone();
    if let Some(at) = options.restarted_at {
        template["metadata"]["annotations"][RESTARTED_AT] = json!(at.to_string());
    }
    let mut spec = json!({
        "selector": { "matchLabels": labels::revision_selector(&owner.name, name) },
        "template": template,
        // A restart never takes away a ready pod before its successor is ready.
        "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": "25%" } },
        // Our records hold the history; old ReplicaSets would only be litter.
        "revisionHistoryLimit": 0,
        "progressDeadlineSeconds": options.progress_deadline_seconds,
    });
    if let Some(replicas) = options.replicas {
        spec["replicas"] = json!(replicas);
    }
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": owner.metadata(name, &labels), "spec": spec })
}
