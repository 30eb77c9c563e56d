//! The kind `Rollback`: a request to go back to an earlier revision, and the record of what came of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::model_deployment::Evidence;
use crate::api::open_enum::open_enum;
use crate::api::schema;

/// A request to go back to an earlier revision of a ModelDeployment, and the record of what came of it. The operator makes one itself
/// whenever it takes a version back. It is no child: it outlives its deployment.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "modelward.dev",
    version = "v1alpha1",
    kind = "Rollback",
    plural = "rollbacks",
    namespaced,
    status = "RollbackStatus",
    derive = "PartialEq",
    doc = "A request to go back to an earlier revision of a ModelDeployment, and the record of what came of it.",
    shortname = "rbk",
    category = "modelward",
    category = "ml",
    selectable = ".spec.deployment",
    printcolumn(name = "Deployment", type_ = "string", json_path = ".spec.deployment"),
    printcolumn(name = "Trigger", type_ = "string", json_path = ".spec.trigger"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "From", type_ = "string", json_path = ".status.from.version"),
    printcolumn(name = "To", type_ = "string", json_path = ".status.to.version"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.requestedBy", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    validation = Rule::new("self.spec == oldSelf.spec")
        .message("a Rollback is a record and never changes: create another one"),
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("the name of a Rollback has at most 63 characters: choose a shorter metadata.name")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.toVersion) || !has(self.toRevision)")
        .message("name toVersion or toRevision, not both; without them it goes to the last good revision")
)]
pub struct RollbackSpec {
    /// Name of the ModelDeployment in this namespace.
    #[schemars(schema_with = "schema::object_name")]
    pub deployment: String,

    /// Uid of the ModelDeployment that is meant: one that was deleted and made again is not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub deployment_uid: Option<String>,

    /// The version to go back to: its newest revision that served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::version")]
    pub to_version: Option<String>,

    /// The revision to go back to, as status of the deployment names it. Default: the last good one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub to_revision: Option<String>,

    /// The revision that has to go: if it no longer serves when this is looked at, nothing is done. Default: the candidate while
    /// there is one, else the stable revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub from: Option<String>,

    /// Why, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,

    /// Who asks for it, as whoever created this says. Not verified by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub requested_by: Option<String>,

    /// Manual, or Automatic for those that the operator makes. An Automatic one is a record: it is never carried out.
    #[serde(default)]
    pub trigger: Trigger,
}

/// Who decided.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody asked for it.
    #[default]
    Manual,
    /// The operator, by a failed analysis or a missed deadline.
    Automatic,
}

open_enum! {
    /// How far a Rollback has come.
    RollbackPhase {
        /// The operator has not looked yet.
        Pending = "Pending",
        /// Traffic goes back.
        InProgress = "InProgress",
        /// The earlier revision has all of the traffic.
        Completed = "Completed",
        /// It cannot be done, or was not done in time.
        Failed = "Failed",
        /// There is nothing to do: what should go does not serve.
        NotNeeded = "NotNeeded",
    }
}

/// What the operator says about a Rollback.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RollbackStatus {
    /// How far it has come. Completed, Failed and NotNeeded are for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<RollbackPhase>,

    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What is left. Written before anything moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RevisionReference>,

    /// What serves instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<RevisionReference>,

    /// Percent of the traffic that the left revision had, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub traffic_redirected: Option<i32>,

    /// What an automatic rollback rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,

    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub started_at: Option<Time>,

    /// When it ended, however it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub completed_at: Option<Time>,

    /// What it came to, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// A revision and the version that it serves.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RevisionReference {
    /// Its name.
    #[schemars(length(max = 63))]
    pub revision: String,

    /// The model's version.
    #[schemars(length(max = 63))]
    pub version: String,
}

impl Rollback {
    /// Orders Rollbacks by when they were asked for; those of one second by name.
    #[must_use]
    pub fn asked(&self) -> (Option<&Time>, Option<&str>) {
        (self.metadata.creation_timestamp.as_ref(), self.metadata.name.as_deref())
    }

    /// Somebody asked for it, and traffic goes back.
    #[must_use]
    pub fn is_going(&self) -> bool {
        let phase = self.status.as_ref().and_then(|status| status.phase.as_ref());
        self.spec.trigger == Trigger::Manual && phase == Some(&RollbackPhase::InProgress)
    }

    /// It has come to an end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        use RollbackPhase::{Completed, Failed, NotNeeded};
        let phase = self.status.as_ref().and_then(|status| status.phase.as_ref());
        matches!(phase, Some(Completed | Failed | NotNeeded))
    }
}
