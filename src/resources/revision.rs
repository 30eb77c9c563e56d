//! The record of a revision: what went into its pods, and the pods that came out.
//!
//! Kept in an `apps/v1` ControllerRevision. Two inputs are the same revision when their content is the same; the hash only
//! names it. What became of a revision is noted in annotations, since `data` never changes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::resources::{Owner, labels, pod};

/// Annotation: the revision had all of the traffic once.
pub const SERVED: &str = "modelward.dev/served";
/// Annotation: the revision was given up; JSON with reason and generation.
pub const FAILED: &str = "modelward.dev/failed";

/// Characters of a name's hash; no vowels, so that it spells nothing.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Length of a name's hash.
const HASH_LENGTH: usize = 8;

/// Everything that decides what a pod of the revision is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Name of the Model.
    pub model: String,
    /// Version of the Model.
    pub version: String,
    /// Where the artifact is; empty: none.
    #[serde(default)]
    pub uri: String,
    /// The artifact's digest; empty: none.
    #[serde(default)]
    pub digest: String,
    /// Image of the serving container.
    pub image: String,
    /// The serving container as the user wrote it, without image.
    #[serde(default)]
    pub container: Map<String, Value>,
    /// Its requests and limits.
    #[serde(default)]
    pub resources: Map<String, Value>,
    /// The overlay as the user wrote it.
    #[serde(default)]
    pub pod_template: Value,
}

/// A revision as recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// What went in.
    pub input: Input,
    /// The pod template that came out.
    pub template: Value,
}

/// Name of the revision of `input`; `collisions` counts other contents that already had the name.
pub fn name(deployment: &str, input: &Input, collisions: i32) -> String {
    let mut hasher = Sha256::new();
    // Maps are ordered, so equal content gives equal text.
    hasher.update(json!(input).to_string().as_bytes());
    if collisions > 0 {
        hasher.update(collisions.to_le_bytes());
    }
    let digest = hasher.finalize();
    let hash: String = digest.iter().take(HASH_LENGTH).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect();
    format!("{deployment}-{hash}")
}

/// The record of a new revision.
pub fn record(owner: &Owner, name: &str, number: i64, recorded: &Recorded) -> Value {
    let labels = labels::of_revision(&owner.name, name, &recorded.input.model, &recorded.input.version);
    json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": owner.metadata(name, &labels), "revision": number, "data": recorded,
    })
}

/// What is recorded for a new `input`.
pub fn recorded(deployment: &str, name: &str, input: Input) -> Recorded {
    let template = pod::template(deployment, name, &input);
    Recorded { input, template }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_has_one_name_and_different_content_another() {
        let input = Input { model: "chat".to_owned(), version: "1.0.0".to_owned(), image: "i".to_owned(), ..Input::default() };
        let other = Input { image: "j".to_owned(), ..input.clone() };
        assert_eq!(name("chat", &input, 0), name("chat", &input.clone(), 0));
        assert_ne!(name("chat", &input, 0), name("chat", &other, 0));
        assert_ne!(name("chat", &input, 0), name("chat", &input, 1));
    }

    #[test]
    fn pod_names_fit_for_the_longest_deployment() {
        let deployment = "d".repeat(46);
        let name = name(&deployment, &Input::default(), 0);
        // A pod adds the ReplicaSet's hash (10) and its own suffix (5), each with a hyphen; Kubernetes cuts a base at 58.
        assert!(name.len() + 1 < 58, "{}", name.len());
    }
}
