//! How a new version is judged by its numbers.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;
use crate::api::schema;

/// `interval` when the spec gives none.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
/// `failureLimit` when the spec gives none.
pub const DEFAULT_FAILURE_LIMIT: i32 = 3;
/// `minimumSamples` when the spec gives none.
pub const DEFAULT_MINIMUM_SAMPLES: i32 = 100;
/// `comparedToStable.confidence` when the spec gives none, percent.
pub const DEFAULT_CONFIDENCE: f64 = 95.0;

/// How a new version is judged by its numbers, on its way and for a while after it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.onNoData) || has(self.dataDeadline)")
        .message("onNoData says what to do at dataDeadline: set dataDeadline, or remove onNoData"),
    validation = Rule::new("!has(self.standbyReplicas) || has(self.afterPromotion)")
        .message("standbyReplicas are kept for as long as afterPromotion says: set afterPromotion, or remove standbyReplicas"),
    validation = Rule::new("!has(self.afterPromotion) || self.metrics.exists(metric, has(metric.max) || has(metric.min))")
        .message("comparisons end with the promotion: give a metric max or min for afterPromotion, or remove afterPromotion")
)]
pub struct Analysis {
    /// What is measured, 1 to 10 metrics. A step ends when its hold is over and every one of them passes.
    #[schemars(length(min = 1, max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub metrics: Vec<Metric>,

    /// How often every metric is measured, 10s to 1h. Each measurement covers the time since the last one. Default 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::analysis_interval")]
    pub interval: Option<Duration>,

    /// So many measurements in a row outside of `min` and `max` fail a metric, 1 to 10. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub failure_limit: Option<i32>,

    /// Requests of the new version (for a comparison: of the stable one too) that each step needs before a metric can pass it, 1 to
    /// 1000000. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub minimum_samples: Option<i32>,

    /// How long a metric may be without data before `onNoData` is done. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("!self.matches('^(0+(h|m|s|ms))+$')").message("dataDeadline must be longer than nothing, such as 15m"))]
    pub data_deadline: Option<Duration>,

    /// What is done at `dataDeadline`. Default Hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_no_data: Option<OnNoData>,

    /// How long a version that took over is judged further by its thresholds; when one fails, the version before comes back. Default: not
    /// at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("!self.matches('^(0+(h|m|s|ms))+$')").message("afterPromotion must be longer than nothing, such as 2h"))]
    pub after_promotion: Option<Duration>,

    /// Pods that the replaced version keeps during `afterPromotion`, so that its return is quick, 0 to 10000. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub standby_replicas: Option<i32>,

    /// Name of the metric profile: which queries the built-in metrics are. Built in are generic (OpenTelemetry HTTP server), vllm, triton,
    /// istio and envoy-gateway; the operator's configuration may add others. Default: by the container's image, else generic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::metric_name")]
    pub profile: Option<String>,

    /// Name of the metric provider in the operator's configuration. Default: the one that it calls the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::metric_name")]
    pub provider: Option<String>,
}

/// What is done when a metric has no data for too long.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNoData {
    /// The release waits, and says so.
    #[default]
    Hold,
    /// The release is taken back.
    Rollback,
}

/// One metric and what it has to keep to.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.query) || self.name in ['errorRate','successRate','latencyP50','latencyP95','latencyP99','throughput','timeToFirstToken','timePerOutputToken','queueDepth']")
        .message("is no built-in metric (errorRate, successRate, latencyP50, latencyP95, latencyP99, throughput, timeToFirstToken, timePerOutputToken, queueDepth): choose one of these, or add a query"),
    validation = Rule::new("has(self.max) || has(self.min) || has(self.comparedToStable)")
        .message("a metric needs max, min or comparedToStable: without one of them it could never fail"),
    validation = Rule::new("!has(self.max) || !has(self.min) || self.min <= self.max")
        .message("min must not be above max: no value would be good"),
    validation = Rule::new("!has(self.query) || !has(self.comparedToStable)")
        .message("a query of your own gives one number and no counts, so it cannot be compared with confidence: use max or min, or a built-in metric"),
    validation = Rule::new("!has(self.comparedToStable) || !(self.name in ['throughput','queueDepth'])")
        .message("throughput and queueDepth depend on the weight, so they cannot be compared with the stable version: use max or min"),
    validation = Rule::new("self.name != 'successRate' || !has(self.comparedToStable) || self.comparedToStable.maxRegression < 100.0")
        .message("a success rate cannot get worse by 100 percent or more: choose a smaller maxRegression"),
    validation = Rule::new("!has(self.quantile) || (!has(self.query) && self.name in ['timeToFirstToken','timePerOutputToken'])")
        .message("quantile is for timeToFirstToken and timePerOutputToken: latencies have it in their names (latencyP95)"),
    validation = Rule::new("!has(self.profile) || !has(self.query)")
        .message("profile says which queries a built-in metric is: remove profile, or remove query"),
    validation = Rule::new("has(self.query) || !(self.name in ['errorRate','successRate']) || ((!has(self.max) || self.max <= 1.0) && (!has(self.min) || self.min <= 1.0))")
        .message("errorRate and successRate are fractions from 0 to 1: 2 percent is 0.02")
)]
pub struct Metric {
    /// A built-in metric: errorRate and successRate (fractions), latencyP50, latencyP95 and latencyP99 (milliseconds), throughput (requests
    /// per second), timeToFirstToken and timePerOutputToken (milliseconds, 95th percentile), queueDepth (requests that wait, per pod). Or a
    /// name of your own for `query`.
    #[schemars(schema_with = "schema::metric_name")]
    pub name: String,

    /// A PromQL query of your own that gives one number. Placeholders: {{namespace}}, {{deployment}}, {{revision}}, {{service}}, {{model}},
    /// {{version}}, {{pods}} (behind =~) and {{window}} (the time that is measured, such as 30s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub query: Option<String>,

    /// Greatest value that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,

    /// Least value that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,

    /// Which percentile of timeToFirstToken and timePerOutputToken, 1 to 99.9. Default 95.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1.0, max = 99.9))]
    pub quantile: Option<f64>,

    /// Fails when it is shown with confidence that the new version is worse than the stable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_to_stable: Option<ComparedToStable>,

    /// Name of the metric profile of this metric. Default: that of the analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::metric_name")]
    pub profile: Option<String>,

    /// Name of the metric provider of this metric. Default: that of the analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::metric_name")]
    pub provider: Option<String>,
}

/// A comparison with the stable version, by a sequential test that may be looked at as often as one likes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ComparedToStable {
    /// By how much the new version may be worse, in percent of the stable one's value, 0 to 1000.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub max_regression: f64,

    /// How sure it has to be, percent, 50 to 99.99. It is a promise for the whole rollout and all compared metrics together: a version
    /// that is not worse is taken back with a probability of at most 100 minus this. Default 95.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50.0, max = 99.99))]
    pub confidence: Option<f64>,
}

impl Analysis {
    /// With the default filled in.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(DEFAULT_INTERVAL)
    }

    /// With the default filled in; at least 1.
    #[must_use]
    pub fn failure_limit(&self) -> u32 {
        u32::try_from(self.failure_limit.unwrap_or(DEFAULT_FAILURE_LIMIT)).unwrap_or(1).max(1)
    }

    /// With the default filled in; at least 1.
    #[must_use]
    pub fn minimum_samples(&self) -> u64 {
        u64::try_from(self.minimum_samples.unwrap_or(DEFAULT_MINIMUM_SAMPLES)).unwrap_or(1).max(1)
    }
}

impl ComparedToStable {
    /// With the default filled in, percent.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.confidence.unwrap_or(DEFAULT_CONFIDENCE)
    }
}
