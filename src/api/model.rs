//! The kind `Model`: what exists. A registry entry with its versions and with what a version needs before an environment takes it.

mod status;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use status::{GateResult, ModelPhase, ModelStatus, ServingDeployment, Stage, VersionStatus};

use crate::api::schema;

/// A model: its versions, where they came from, how they were judged, and what each environment asks of them.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "modelward.dev",
    version = "v1alpha1",
    kind = "Model",
    plural = "models",
    namespaced,
    status = "ModelStatus",
    derive = "PartialEq",
    doc = "A model: its versions, where they came from, how they were judged, and what each environment asks of them.",
    shortname = "mdl",
    category = "modelward",
    category = "ml",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Latest", type_ = "string", json_path = ".status.latestVersion"),
    printcolumn(name = "Production", type_ = "string", json_path = ".status.productionVersion"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Task", type_ = "string", json_path = ".spec.task", priority = 1),
    printcolumn(name = "Framework", type_ = "string", json_path = ".spec.framework", priority = 1),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1),
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("the name of a Model has at most 63 characters, because it becomes a label value: choose a shorter metadata.name")
)]
#[serde(rename_all = "camelCase")]
pub struct ModelSpec {
    /// What the model is for, in a sentence or two. A record: shown, never acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,

    /// What the model does. A record: shown, never acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,

    /// What it was built with: TensorFlow, PyTorch, scikit-learn, XGBoost, LightGBM or any other name. A record: shown, never acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub framework: Option<String>,

    /// The algorithm or architecture, such as gradient boosting or a transformer's name. A record: shown, never acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub algorithm: Option<String>,

    /// Who answers for it: a team, a person, an address. A record: shown, never acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub owner: Option<String>,

    /// The versions, at most 100, each applied by whoever trained it. The list is keyed by `version`, so that several field managers
    /// can each own their entry. What a version points at never changes: a new content is a new version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["version".into()]))]
    pub versions: Vec<ModelVersion>,

    /// What an environment asks of a version before it runs there, at most one gate per environment. An environment without a gate
    /// takes every version whose evaluation does not say `reject`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["environment".into()]))]
    pub gates: Vec<Gate>,
}

/// What the model does. A record: shown, never acted on.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Puts things into classes.
    Classification,
    /// Predicts a number.
    Regression,
    /// Groups things.
    Clustering,
    /// Reads or labels text.
    NaturalLanguageProcessing,
    /// Reads or labels images.
    ComputerVision,
    /// Writes text, images, sound or code.
    Generative,
    /// Ranks things for somebody.
    Recommendation,
    /// Acts by learned reward.
    ReinforcementLearning,
    /// Anything else.
    Other,
}

/// One version of a model.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.artifact) == has(oldSelf.artifact) && (!has(self.artifact) || self.artifact == oldSelf.artifact)")
        .message("the artifact of a version never changes: add a new version instead"),
    validation = Rule::new("has(self.image) == has(oldSelf.image) && (!has(self.image) || self.image == oldSelf.image)")
        .message("the image of a version never changes: add a new version instead"),
    validation = Rule::new("!has(oldSelf.parent) || (has(self.parent) && self.parent == oldSelf.parent)")
        .message("the parent of a version never changes once written: add a new version instead"),
    validation = Rule::new("!has(oldSelf.source) || (has(self.source) && self.source == oldSelf.source)")
        .message("the source of a version never changes once written: add a new version instead"),
    validation = Rule::new("!has(self.parent) || self.parent != self.version")
        .message("a version cannot be its own parent: name the version it was made from, or leave parent out")
)]
pub struct ModelVersion {
    /// Semantic version such as 1.4.0 or 2.0.0-rc.1, without `+build`, at most 63 characters.
    #[schemars(schema_with = "schema::version")]
    pub version: String,

    /// Where the model's files are. Never changes, and cannot be added later: what runs is found by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,

    /// Container image for this version; replaces the image of the deployment's container. Never changes, and cannot be added later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::image")]
    pub image: Option<String>,

    /// The version that this one was made from (lineage). It need not be listed any more. Never changes once written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::version")]
    pub parent: Option<String>,

    /// What is new in it. A record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,

    /// Who or what made it: a person, a pipeline. A record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub created_by: Option<String>,

    /// What it was built from. A record; never changes once written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,

    /// Hyperparameters by name, of any shape, at most 128. A record, compared between versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::free_form_map")]
    pub hyperparameters: BTreeMap<String, serde_json::Value>,

    /// What it was trained on. A record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_data: Option<TrainingData>,

    /// How it was judged before any traffic. A version whose recommendation is `reject` is not deployed anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,

    /// Withdrawn from use: no new deployment takes it. What runs goes on running.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

/// Where the files of a version are.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// URI with a scheme, such as s3://models/fraud/1.4.0. Reaches the pods as `MODEL_URI`.
    #[schemars(schema_with = "schema::uri")]
    pub uri: String,

    /// `sha256:` and 64 hexadecimal digits of the content. Reaches the pods as `MODEL_DIGEST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::digest")]
    pub digest: Option<String>,
}

/// What a version was built from.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub repository: Option<String>,

    /// Commit in that repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub commit: Option<String>,

    /// The training run, by the id or address that its tracker gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub run: Option<String>,

    /// The data that the run read, by revision or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub data: Option<String>,
}

/// What a version was trained on.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TrainingData {
    /// Name of the data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,

    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::uri")]
    pub uri: Option<String>,

    /// `sha256:` and 64 hexadecimal digits of its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::digest")]
    pub digest: Option<String>,

    /// What is in it: time range, filters, size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
}

/// How a version was judged before any traffic.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// The evaluation's own verdict. `reject` keeps the version out of every environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<Recommendation>,

    /// Measured figures by name, at most 64, such as accuracy, precision, recall, f1. Rates are fractions from 0 to 1, latencies are
    /// milliseconds. Gates read them by these names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::numbers")]
    pub metrics: BTreeMap<String, f64>,

    /// The data set it was judged on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub dataset: Option<String>,

    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub evaluated_at: Option<Time>,
}

/// The evaluation's own verdict. `reject` keeps the version out of every environment; `review` asks a person to look and holds
/// nothing back.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Recommendation {
    /// Good to run.
    Deploy,
    /// A person should look first. Does not hold a deployment back.
    Review,
    /// Not to be deployed anywhere.
    Reject,
}

/// What one environment asks of a version.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// The environment, as ModelDeployments name it.
    #[schemars(schema_with = "schema::environment")]
    pub environment: String,

    /// Bounds for figures of the evaluation, at most 32. A figure that the evaluation does not have fails the gate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub metrics: Vec<GateMetric>,

    /// The version needs an evaluation with a recommendation. (`reject` fails every environment, gate or not.)
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_recommendation: bool,

    /// The version needs `artifact.digest`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_digest: bool,
}

/// Bounds for one figure of the evaluation, both inclusive.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.min) || has(self.max)")
        .message("a gate's metric needs min, max or both"),
    validation = Rule::new("!has(self.min) || !has(self.max) || self.min <= self.max")
        .message("min must not be above max: no version could pass")
)]
pub struct GateMetric {
    /// Name in `evaluation.metrics`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// The figure must be at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,

    /// The figure must be at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl ModelSpec {
    /// The entry of a version.
    #[must_use]
    pub fn version(&self, version: &str) -> Option<&ModelVersion> {
        self.versions.iter().find(|entry| entry.version == version)
    }

    /// The gate of an environment.
    #[must_use]
    pub fn gate(&self, environment: &str) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.environment == environment)
    }
}
