//! What the operator says about a Model.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::open_enum::open_enum;
use crate::api::schema;

/// What the operator says about a Model.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// Summary for people. Programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ModelPhase>,

    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The newest version that is not archived, by semantic version order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub latest_version: Option<String>,

    /// The version that takes the most traffic in the environment `production`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub production_version: Option<String>,

    /// Versions that are served or newest; others are not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["version".into()]))]
    pub versions: Vec<VersionStatus>,
}

open_enum! {
    /// Summary of a Model.
    ModelPhase {
        /// The operator has not looked yet.
        Pending = "Pending",
        /// Registered; nothing serves it.
        Registered = "Registered",
        /// At least one deployment serves a version of it.
        Serving = "Serving",
        /// Something in it cannot be used; the condition Ready says what.
        Invalid = "Invalid",
    }
}

open_enum! {
    /// How far a version has come.
    Stage {
        /// Known, serves nothing.
        Registered = "registered",
        /// Serves in an environment other than staging and production.
        Testing = "testing",
        /// Serves in `staging`.
        Staging = "staging",
        /// Serves in `production`.
        Production = "production",
        /// Served in production before, and a newer version does now.
        Deprecated = "deprecated",
        /// Withdrawn by `archived: true`.
        Archived = "archived",
    }
}

/// One version, as it is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VersionStatus {
    /// The version.
    #[schemars(length(max = 63))]
    pub version: String,

    /// How far it has come.
    pub stage: Stage,

    /// Percent of production traffic over all deployments of this model, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub traffic: Option<i32>,

    /// Deployments that serve it, at most 32 by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub deployments: Vec<ServingDeployment>,

    /// When it first served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub deployed_at: Option<Time>,

    /// How it stands before each environment's gate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["environment".into()]))]
    pub gates: Vec<GateResult>,
}

/// A deployment that serves a version.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ServingDeployment {
    /// Name of the ModelDeployment.
    #[schemars(length(max = 63))]
    pub name: String,

    /// Its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub environment: Option<String>,

    /// Percent of its traffic that this version takes, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,
}

/// How a version stands before one environment's gate.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GateResult {
    /// The environment.
    #[schemars(length(max = 63))]
    pub environment: String,

    /// Whether the environment takes it.
    pub passed: bool,

    /// What is missing, in plain words; absent when it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}
