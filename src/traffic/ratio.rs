//! Without a gateway: the stable Service is pinned to one revision, or widened so that shares follow ready pods.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::record::Decision;
use crate::domain::split::Split;
use crate::resources::service::{self, Backend};
use crate::resources::{Owner, labels};
use crate::traffic::{DECISION, to_annotation};

/// Selector of the stable Service for a split: all to one is a pin, anything between is the deployment.
pub fn selector(deployment: &str, split: &Split) -> BTreeMap<String, String> {
    match (split.candidate_weight(), &split.candidate) {
        (100, Some(share)) => labels::revision_selector(deployment, share.revision.as_str()),
        (0, _) | (_, None) => labels::revision_selector(deployment, split.stable.as_str()),
        _ => labels::deployment_selector(deployment),
    }
}

/// The stable Service that carries `decision`.
pub fn build(owner: &Owner, decision: &Decision, backend: Backend<'_>) -> Value {
    let mut object = service::stable(owner, &selector(&owner.name, &decision.split), backend);
    object["metadata"]["annotations"] = json!({ DECISION: to_annotation(decision) });
    object
}

/// The live Service selects what `split` says, and nothing more.
pub fn is_intact(deployment: &str, live: &Value, split: &Split) -> bool {
    live.pointer("/spec/selector") == Some(&json!(selector(deployment, split)))
}
