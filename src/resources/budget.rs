//! The PodDisruptionBudget of a revision: drains take one ready pod at a time, and broken pods never block a drain.

use serde_json::{Value, json};

use crate::resources::{Owner, labels};

/// From so many pods on a revision has a budget: below it, a budget would block every drain for ever.
pub const REPLICAS_MIN: i32 = 2;

/// Builds the budget of the revision called `name`.
pub fn build(owner: &Owner, name: &str, model: &str, version: &str) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": owner.metadata(name, &labels::of_revision(&owner.name, name, model, version)),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": { "matchLabels": labels::revision_selector(&owner.name, name) },
        },
    })
}
