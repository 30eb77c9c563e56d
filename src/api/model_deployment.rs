//! The kind `ModelDeployment`: what runs. One version of one model in one environment, and how its successor takes over.

mod analysis;
mod analysis_status;
mod autoscaling;
mod container;
mod probe_status;
mod status;
mod strategy;
mod traffic;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use analysis::{Analysis, ComparedToStable, Metric, OnNoData};
pub use analysis_status::{
    AnalysisStatus, ComparisonStatus, Estimate, Evidence, HistogramCounts, MeasuredValue, MetricPhase, MetricStatus, StepCounts,
};
pub use autoscaling::{
    AuthenticationRef, Autoscaling, ContainerResourceMetric, ExternalMetric, Hpa, Keda, KedaMetricType, KedaTrigger, MetricIdentifier,
    MetricSelector, MetricSelectorOperator, MetricSelectorRule, ObjectMetric, ObjectReference, PodsMetric, PodsTarget, PodsTargetType,
    ResourceMetric, ResourceTarget, ResourceTargetType, ScalingBehavior, ScalingMetric, ScalingMetricType, ScalingPolicy,
    ScalingPolicyType, ScalingRules, SelectPolicy, ValueTarget, ValueTargetType,
};
pub use container::{
    Container, EnvVar, EnvVarSource, ExecAction, FieldSelector, GrpcAction, HttpGetAction, HttpHeader, KeySelector, Port, Probe, Scheme,
    TcpSocketAction, VolumeMount,
};
pub use probe_status::{ProbeProblem, ProbeStatus};
pub use status::{
    Cause, Command, CommandResult, Decision, HistoryEntry, LastCommand, ModelDeploymentPhase, ModelDeploymentStatus, NextAction,
    NextActionKind, Outcome, Override, OverrideType, PausedStatus, ReplicasOwner, RetiringRevision, RevisionStatus, RevisionWeight,
    StepStatus,
};
pub use strategy::{BlueGreen, Canary, HoldUntil, Step, Strategy, StrategyType};
pub use traffic::{
    CandidateMatch, Gateway, GatewayKind, Header, HeaderMatch, HeaderMatchType, HeaderModifier, HttpFilter, HttpFilterType, HttpTraffic,
    Mirror, PathModifier, PathModifierType, Protocol, Retry, Timeouts, Traffic, UrlRewrite,
};

use crate::api::duration::Duration;
use crate::api::schema;

/// `progressDeadline` when the spec gives none.
pub const DEFAULT_PROGRESS_DEADLINE: Duration = Duration::from_secs(600);
/// `revisionHistoryLimit` when the spec gives none.
pub const DEFAULT_REVISION_HISTORY_LIMIT: i32 = 10;
/// `rollbackHistoryLimit` when the spec gives none.
pub const DEFAULT_ROLLBACK_HISTORY_LIMIT: i32 = 10;
/// `environment` when the spec gives none: the one that asks most.
pub const DEFAULT_ENVIRONMENT: &str = "production";
/// The longest name of a ModelDeployment: `-`, a hash of at most ten characters, and what Kubernetes appends to pod names must fit.
pub const NAME_MAX: usize = 46;

/// One version of a model, running, and how the next one takes over from it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "modelward.dev",
    version = "v1alpha1",
    kind = "ModelDeployment",
    plural = "modeldeployments",
    namespaced,
    status = "ModelDeploymentStatus",
    derive = "PartialEq",
    doc = "One version of a model, running, and how the next one takes over from it.",
    shortname = "mdep",
    category = "modelward",
    category = "ml",
    selectable = ".spec.model",
    selectable = ".spec.version",
    selectable = ".spec.environment",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Step", type_ = "string", json_path = ".status.step.progress"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.stable.version"),
    printcolumn(name = "Candidate", type_ = "string", json_path = ".status.candidate.version"),
    printcolumn(name = "Weight", type_ = "integer", json_path = ".status.candidate.weight"),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model", priority = 1),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextAction.reason", priority = 1),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1),
    validation = Rule::new("self.metadata.name.size() <= 46 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("the name of a ModelDeployment becomes part of Service and pod names: choose a metadata.name of at most 46 lower-case letters, digits and -, starting with a letter and ending with a letter or digit"),
    validation = Rule::new("!self.metadata.name.endsWith('-preview')")
        .message("a name that ends with -preview is kept for the preview Service of a blue/green release: choose another metadata.name"),
    validation = Rule::new("!has(self.spec.analysis) || has(self.spec.analysis.afterPromotion) || (has(self.spec.strategy) && self.spec.strategy.type != 'Immediate')")
        .message("analysis judges steps, and Immediate has none: choose strategy.type Canary or BlueGreen, or set analysis.afterPromotion"),
    validation = Rule::new("!has(self.spec.autoscaling) || !has(oldSelf.spec.autoscaling) || self.spec.replicas == oldSelf.spec.replicas || self.spec.replicas == 1")
        .message("the number of pods is autoscaling's to decide: change spec.autoscaling.minReplicas or maxReplicas, or remove spec.autoscaling first")
)]
#[serde(rename_all = "camelCase")]
pub struct ModelDeploymentSpec {
    /// Name of the Model in this namespace.
    #[schemars(schema_with = "schema::model_name")]
    pub model: String,

    /// The version to run: exactly one of the Model's.
    #[schemars(schema_with = "schema::version")]
    pub version: String,

    /// The environment this is, such as development, staging or production. Selects the Model's gate.
    #[serde(default = "default_environment")]
    #[schemars(schema_with = "schema::environment")]
    pub environment: String,

    /// The container that serves the model. Its image may come from the version instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,

    /// What the container asks for and may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Laid over the pod template as a strategic merge: volumes, node selectors, tolerations, sidecars, init containers. The container
    /// that serves the model is called `model`. The merged pod is checked by the API server before anything moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,

    /// Wanted pods of the version that serves, 0 to 10000. `kubectl scale` writes it. With `autoscaling` it is what the first release
    /// starts with, within its bounds.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 10000))]
    pub replicas: i32,

    /// Lets a scaler decide how many pods there are. Without it, `replicas` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// How a new version takes over.
    #[serde(default)]
    pub strategy: Strategy,

    /// How a new version is judged by its numbers. Without it, time and readiness decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,

    /// How requests reach the pods. Without gateways the split between two versions is made by their numbers of ready pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,

    /// Takes no step forward while true. Repair, scaling and going back go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,

    /// How long a new version may take to get its pods ready; stands still during holds. Default 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("!self.matches('^(0+(h|m|s|ms))+$')").message("progressDeadline must be longer than nothing, such as 10m"))]
    pub progress_deadline: Option<Duration>,

    /// How many revisions that serve nothing are kept to go back to, 1 to 100. Default 10. One that serves or may have to is never dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub revision_history_limit: Option<i32>,

    /// How many Rollbacks that the operator made itself are kept once they are over, 1 to 100. Default 10. Those of others are never
    /// removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub rollback_history_limit: Option<i32>,
}

/// What the container asks for and may use.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Reserved on the node, by resource name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub requests: BTreeMap<String, Quantity>,

    /// The most it may use, by resource name. Devices such as nvidia.com/gpu go here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub limits: BTreeMap<String, Quantity>,
}

/// An overlay for the pod template.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels and annotations for the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<PodMetadata>,

    /// Any fields of a pod's spec.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schemars(schema_with = "schema::free_form")]
    pub spec: serde_json::Map<String, serde_json::Value>,
}

/// Labels and annotations for the pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PodMetadata {
    /// Labels, at most 64. Those that the operator selects by cannot be set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,

    /// Annotations, at most 64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::text_map::<64, 16384>")]
    pub annotations: BTreeMap<String, String>,
}

impl ModelDeploymentSpec {
    /// How long a new version may take to get ready, with the default filled in.
    #[must_use]
    pub fn progress_deadline(&self) -> Duration {
        self.progress_deadline.unwrap_or(DEFAULT_PROGRESS_DEADLINE)
    }

    /// How many idle revisions are kept, with the default filled in.
    #[must_use]
    pub fn revision_history_limit(&self) -> i32 {
        self.revision_history_limit.unwrap_or(DEFAULT_REVISION_HISTORY_LIMIT)
    }

    /// The gateways that carry the traffic; none means that pods are the split.
    #[must_use]
    pub fn gateways(&self) -> &[Gateway] {
        self.traffic.as_ref().map_or(&[], |traffic| &traffic.gateways)
    }
}

impl Default for ModelDeploymentSpec {
    fn default() -> Self {
        Self {
            model: String::new(),
            version: String::new(),
            environment: default_environment(),
            container: None,
            resources: None,
            pod_template: None,
            replicas: default_replicas(),
            autoscaling: None,
            strategy: Strategy::default(),
            analysis: None,
            traffic: None,
            paused: false,
            progress_deadline: None,
            revision_history_limit: None,
            rollback_history_limit: None,
        }
    }
}

fn default_environment() -> String {
    DEFAULT_ENVIRONMENT.to_owned()
}

const fn default_replicas() -> i32 {
    1
}
