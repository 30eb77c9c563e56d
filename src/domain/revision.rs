//! Revisions: what can serve, and what is seen of each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::settings::ScalerKind;

/// Name of a revision and of its children: `<deployment>-<hash>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionName(String);

impl RevisionName {
    /// Wraps a name that was built or read elsewhere.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RevisionName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What is seen of one revision: its record and its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevisionView {
    /// Order of creation; the newest is the highest.
    pub number: i64,
    /// Version of the model that it serves, for people.
    pub version: String,
    /// It reached all of the traffic once.
    pub served: bool,
    /// It was given up: why, and for which generation of the spec.
    pub failed: Option<Failed>,
    /// Its workload, if there is one.
    pub workload: Option<Workload>,
    /// Its scaler, if there is one, be it on its way out.
    pub scaler: Option<ScalerView>,
    /// Its pods.
    pub pods: Pods,
}

/// What scales a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalerView {
    /// What it is.
    pub kind: ScalerKind,
    /// Why it cannot do its work, in its own words.
    pub trouble: Option<String>,
}

/// Why a revision was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// In words.
    pub reason: String,
    /// Generation of the spec that asked for it then.
    pub generation: i64,
}

/// The workload object of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Pods asked for.
    pub replicas: i32,
    /// It is being deleted.
    pub terminating: bool,
    /// When its pods were last asked to restart by us, as far as the workload itself tells.
    pub restarted_at: Option<Timestamp>,
    /// The cluster refuses to create its pods (quota, admission): its words.
    pub refused: Option<String>,
}

/// Pods of a revision, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// All that exist and have not ended, those being deleted included.
    pub total: i32,
    /// Ready and not being deleted: what takes traffic.
    pub ready: i32,
    /// No node has room: the scheduler's words.
    pub unschedulable: Option<String>,
    /// A container does not come up (image, crash loop): in words.
    pub trouble: Option<String>,
}

/// All revisions of a deployment by name.
pub type Revisions = BTreeMap<RevisionName, RevisionView>;
