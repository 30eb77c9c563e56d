//! How many pods a version has when a scaler decides: bounds, and what is measured.
//!
//! The shapes below `hpa` and `keda` are those of the objects that they become, so that what users know holds; the operator adds the
//! target, and the bounds of the moment.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// How many pods a version has when a scaler decides. Each revision that serves has a scaler of its own, so no metric is averaged over two
/// versions. While a release runs, the stable revision keeps enough pods to take all traffic back, and the least of the candidate follows
/// its weight.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.hpa) != has(self.keda)")
        .message("autoscaling has hpa or keda, exactly one of them"),
    validation = Rule::new("self.minReplicas <= self.maxReplicas")
        .message("minReplicas must not be more than maxReplicas"),
    validation = Rule::new("self.minReplicas > 0 || !has(self.hpa)")
        .message("a HorizontalPodAutoscaler cannot scale to zero: set minReplicas to at least 1, or use keda")
)]
pub struct Autoscaling {
    /// Fewest pods, 0 to 10000; 0 with `keda` alone. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10000))]
    pub min_replicas: i32,

    /// Most pods, 1 to 10000.
    #[schemars(range(min = 1, max = 10000))]
    pub max_replicas: i32,

    /// A HorizontalPodAutoscaler (autoscaling/v2) for each revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hpa: Option<Hpa>,

    /// A ScaledObject of KEDA for each revision. KEDA must be installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keda: Option<Keda>,
}

fn one() -> i32 {
    1
}

/// What a HorizontalPodAutoscaler measures, and how fast it follows.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Hpa {
    /// What is measured, 1 to 16; the one that asks for most pods counts.
    #[schemars(length(min = 1, max = 16))]
    pub metrics: Vec<ScalingMetric>,

    /// How fast it follows. Default: the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<ScalingBehavior>,
}

/// One metric of a HorizontalPodAutoscaler.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.resource) == (self.type == 'Resource') && has(self.containerResource) == (self.type == 'ContainerResource') && has(self.pods) == (self.type == 'Pods') && has(self.object) == (self.type == 'Object') && has(self.external) == (self.type == 'External')")
        .message("a metric has exactly the field of its type: resource, containerResource, pods, object or external")
)]
pub struct ScalingMetric {
    /// Where it comes from.
    pub r#type: ScalingMetricType,

    /// CPU or memory of the pods, for type Resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceMetric>,

    /// CPU or memory of one container of each pod, for type ContainerResource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_resource: Option<ContainerResourceMetric>,

    /// A metric of each pod, for type Pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodsMetric>,

    /// A metric of one other object, for type Object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectMetric>,

    /// A metric from outside of the cluster, for type External.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalMetric>,
}

/// Where a metric comes from.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalingMetricType {
    /// CPU or memory of the pods.
    Resource,
    /// CPU or memory of one container.
    ContainerResource,
    /// A metric of each pod.
    Pods,
    /// A metric of one other object.
    Object,
    /// A metric from outside of the cluster.
    External,
}

/// CPU or memory of the pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ResourceMetric {
    /// Name of the resource, such as cpu.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// What it should be.
    pub target: ResourceTarget,
}

/// CPU or memory of one container of each pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ContainerResourceMetric {
    /// Name of the resource, such as cpu.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Name of the container; the one that serves the model is called model.
    #[schemars(length(min = 1, max = 63))]
    pub container: String,

    /// What it should be.
    pub target: ResourceTarget,
}

/// A metric of each pod; only pods of the one revision are counted.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodsMetric {
    /// Which.
    pub metric: MetricIdentifier,

    /// What its average over the pods should be.
    pub target: PodsTarget,
}

/// A metric of one other object. It must name the revision: `{{revision}}` in the object's name, the metric's name or its selector.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMetric {
    /// The object, in the same namespace.
    pub described_object: ObjectReference,

    /// Which metric of it.
    pub metric: MetricIdentifier,

    /// What it should be.
    pub target: ValueTarget,
}

/// A metric from outside of the cluster. It must name the revision: `{{revision}}` in its name or its selector.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalMetric {
    /// Which.
    pub metric: MetricIdentifier,

    /// What it should be.
    pub target: ValueTarget,
}

/// An object of the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// Its API version, such as v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub api_version: Option<String>,

    /// Its kind.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,

    /// Its name; may contain `{{revision}}`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A metric by name and labels. Both may contain `{{namespace}}`, `{{deployment}}` and `{{revision}}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MetricIdentifier {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Which of its series count. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<MetricSelector>,
}

/// Labels that series must have.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MetricSelector {
    /// Labels and the value of each, at most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::text_map::<16, 253>")]
    pub match_labels: BTreeMap<String, String>,

    /// Rules over labels, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_expressions: Vec<MetricSelectorRule>,
}

/// A rule over one label.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)")
        .message("In and NotIn need values, Exists and DoesNotExist have none")
)]
pub struct MetricSelectorRule {
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,

    /// How it is compared.
    pub operator: MetricSelectorOperator,

    /// The values that it is compared with, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::text_list::<16, 253>")]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricSelectorOperator {
    /// It has one of the values.
    In,
    /// It has none of the values.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// What CPU or memory should be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.averageValue) == (self.type == 'AverageValue') && has(self.averageUtilization) == (self.type == 'Utilization')")
        .message("a target has exactly the field of its type: averageValue or averageUtilization")
)]
pub struct ResourceTarget {
    /// How it is given.
    pub r#type: ResourceTargetType,

    /// Its average over the pods, for type AverageValue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub average_value: Option<Quantity>,

    /// Percent of what the pods request, for type Utilization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub average_utilization: Option<i32>,
}

/// How a target of CPU or memory is given.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceTargetType {
    /// Percent of what the pods request.
    Utilization,
    /// An average over the pods.
    AverageValue,
}

/// What the average of a metric over the pods should be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodsTarget {
    /// How it is given.
    pub r#type: PodsTargetType,

    /// The average over the pods.
    #[schemars(schema_with = "schema::quantity")]
    pub average_value: Quantity,
}

/// How a target of pods is given.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodsTargetType {
    /// An average over the pods.
    AverageValue,
}

/// What a metric should be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.value) == (self.type == 'Value') && has(self.averageValue) == (self.type == 'AverageValue')")
        .message("a target has exactly the field of its type: value or averageValue")
)]
pub struct ValueTarget {
    /// How it is given.
    pub r#type: ValueTargetType,

    /// The value of the metric, for type Value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub value: Option<Quantity>,

    /// The value divided by the number of pods, for type AverageValue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub average_value: Option<Quantity>,
}

/// How a target is given.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueTargetType {
    /// A value.
    Value,
    /// A value divided by the number of pods.
    AverageValue,
}

/// How fast a HorizontalPodAutoscaler follows what it measures.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScalingBehavior {
    /// On the way up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<ScalingRules>,

    /// On the way down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScalingRules>,
}

/// How fast it follows in one direction.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScalingRules {
    /// Seconds for which the safest of the recommendations counts, 0 to 3600. Default 0 up, 300 down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_window_seconds: Option<i32>,

    /// Which policy counts of several. Default Max.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<SelectPolicy>,

    /// How much may change in how long, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub policies: Vec<ScalingPolicy>,
}

/// Which of several policies counts.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that allows the greatest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: this direction is switched off.
    Disabled,
}

/// How much may change in how long.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicy {
    /// What `value` counts.
    pub r#type: ScalingPolicyType,

    /// So many pods, or percent, at least 1.
    #[schemars(range(min = 1))]
    pub value: i32,

    /// In so many seconds, 1 to 1800.
    #[schemars(range(min = 1, max = 1800))]
    pub period_seconds: i32,
}

/// What the value of a policy counts.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalingPolicyType {
    /// Pods.
    Pods,
    /// Percent of the pods that there are.
    Percent,
}

/// What KEDA measures, and how it puts a version to rest.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Keda {
    /// What is measured, 1 to 16; the one that asks for most pods counts.
    #[schemars(length(min = 1, max = 16))]
    pub triggers: Vec<KedaTrigger>,

    /// Seconds between two looks at the triggers, 1 to 3600. Default: KEDA's 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub polling_interval: Option<i32>,

    /// Seconds without activity after which it is put to rest, 0 to 86400. Default: KEDA's 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub cooldown_period: Option<i32>,

    /// How fast it follows. Default: the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<ScalingBehavior>,
}

/// One trigger of KEDA. All but cpu, memory and cron must name the revision: `{{revision}}` or `{{pods}}` in their metadata.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KedaTrigger {
    /// Name of the scaler, such as prometheus.
    #[schemars(length(min = 1, max = 63))]
    pub r#type: String,

    /// Name of the trigger, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub name: Option<String>,

    /// How the value is compared. Default AverageValue; Utilization is for cpu and memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_type: Option<KedaMetricType>,

    /// What the scaler needs to know, at most 32 entries; `{{namespace}}`, `{{deployment}}`, `{{revision}}` and `{{pods}}` (a regular
    /// expression for the names of the revision's pods) are filled in.
    #[schemars(schema_with = "schema::text_map::<32, 4096>")]
    pub metadata: BTreeMap<String, String>,

    /// Name of a TriggerAuthentication in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_ref: Option<AuthenticationRef>,
}

/// How the value of a trigger is compared.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum KedaMetricType {
    /// Divided by the number of pods.
    AverageValue,
    /// As it is.
    Value,
    /// Percent of what the pods request.
    Utilization,
}

/// A TriggerAuthentication of the same namespace. One of the whole cluster is not for tenants to choose.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationRef {
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}
