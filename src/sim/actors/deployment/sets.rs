//! What a Deployment's decisions need to know of its ReplicaSets.
//!
//! Takes stored ReplicaSets; gives plain numbers. Pure.

use jiff::Timestamp;
use serde_json::Value;

use crate::sim::actors::object::{self, annotation_number, count};

/// Annotation with the number of the rollout that last used a ReplicaSet.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Annotation with former revision numbers of a ReplicaSet, comma-separated.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// Annotation with the Deployment's replicas when the ReplicaSet was last sized.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// Annotation with the Deployment's replicas plus surge when the ReplicaSet was last sized.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// Label that tells the pods of one ReplicaSet from those of another.
pub const TEMPLATE_HASH: &str = "pod-template-hash";

/// One ReplicaSet of a Deployment, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetView {
    /// `metadata.name`.
    pub name: String,
    /// Creation time; the epoch if unset.
    pub created: Timestamp,
    /// `spec.replicas`.
    pub replicas: i64,
    /// `status.replicas`: pods that exist.
    pub existing: i64,
    /// `status.readyReplicas`.
    pub ready: i64,
    /// `status.availableReplicas`.
    pub available: i64,
    /// `status.terminatingReplicas`.
    pub terminating: i64,
    /// [`DESIRED_REPLICAS`].
    pub desired: Option<i64>,
    /// [`MAX_REPLICAS`].
    pub maximum: Option<i64>,
    /// [`REVISION`], 0 if absent.
    pub revision: i64,
    /// Its controller has seen its newest spec.
    pub observed: bool,
    /// It is being deleted.
    pub deleting: bool,
}

impl SetView {
    /// Reads a stored ReplicaSet.
    pub fn of(set: &Value) -> Self {
        Self {
            name: object::name(set).to_owned(),
            created: object::created(set).unwrap_or_default(),
            replicas: object::int(set, &["spec", "replicas"]).unwrap_or(1),
            existing: count(set, &["status", "replicas"]),
            ready: count(set, &["status", "readyReplicas"]),
            available: count(set, &["status", "availableReplicas"]),
            terminating: count(set, &["status", "terminatingReplicas"]),
            desired: annotation_number(set, DESIRED_REPLICAS),
            maximum: annotation_number(set, MAX_REPLICAS),
            revision: annotation_number(set, REVISION).unwrap_or(0),
            observed: object::generation(set) <= count(set, &["status", "observedGeneration"]),
            deleting: object::is_deleting(set),
        }
    }
}

/// The ReplicaSets of a Deployment: the one with its current template, and the others by age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Has the Deployment's template.
    pub new: Option<SetView>,
    /// All others, oldest first, ties by name.
    pub old: Vec<SetView>,
}

impl Sets {
    /// Puts `old` in order.
    pub fn new(new: Option<SetView>, mut old: Vec<SetView>) -> Self {
        old.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        Self { new, old }
    }

    /// Old ones first, then the new one.
    pub fn all(&self) -> impl Iterator<Item = &SetView> {
        self.old.iter().chain(&self.new)
    }

    /// Those that want pods.
    pub fn active(&self) -> impl Iterator<Item = &SetView> {
        self.all().filter(|set| set.replicas > 0)
    }

    /// Sum of `spec.replicas`.
    pub fn total(&self) -> i64 {
        self.all().map(|set| set.replicas).sum()
    }

    /// Sum of available pods.
    pub fn available(&self) -> i64 {
        self.all().map(|set| set.available).sum()
    }

    /// The number of the rollout that the new ReplicaSet stands for: one more than any old one's.
    pub fn next_revision(&self) -> i64 {
        self.old.iter().map(|set| set.revision).max().unwrap_or(0) + 1
    }
}

/// A new size for a ReplicaSet; its size annotations are renewed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Name of the ReplicaSet.
    pub name: String,
    /// Its new `spec.replicas`.
    pub to: i64,
}

impl Resize {
    /// A resize of this set.
    pub fn new(set: &SetView, to: i64) -> Self {
        Self { name: set.name.clone(), to }
    }
}
