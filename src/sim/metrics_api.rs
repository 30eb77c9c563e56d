//! What the metrics APIs of a cluster answer: `metrics.k8s.io`, `custom.metrics.k8s.io` and `external.metrics.k8s.io`.
//!
//! Takes questions by namespace, object, metric and selector; gives samples, or the error that the real API gives.
//! Autoscalers and HTTP clients ask the same [`MetricsApis`]. Nothing here is stored in the cluster, and asking changes nothing.

pub mod http;
pub mod rules;
pub mod servers;
pub mod usage;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::sim::api_error::ApiError;
use crate::sim::selector::Labels;

/// Group of resource metrics.
pub const RESOURCE_GROUP: &str = "metrics.k8s.io";
/// Group of custom metrics.
pub const CUSTOM_GROUP: &str = "custom.metrics.k8s.io";
/// Group of external metrics.
pub const EXTERNAL_GROUP: &str = "external.metrics.k8s.io";
/// The one version of all of them that is served.
pub const VERSION: &str = "v1beta1";
/// Time over which resource metrics are means: a pod has none before it has run for so long.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(15);

/// What a container uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerUsage {
    /// Its name.
    pub name: String,
    /// Amounts by resource (`cpu` in cores, `memory` in bytes), in thousandths.
    pub usage: BTreeMap<String, i64>,
}

/// What a pod used in a window of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodUsage {
    /// End of the window.
    pub at: Timestamp,
    /// Length of the window.
    pub window: SignedDuration,
    /// Container by container.
    pub containers: Vec<ContainerUsage>,
}

/// A value that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Whose value it is, and of what.
    pub labels: BTreeMap<String, String>,
    /// In thousandths.
    pub millis: i64,
    /// When it was measured.
    pub at: Timestamp,
}

/// A question for custom metrics.
#[derive(Clone, Debug)]
pub struct CustomQuery<'a> {
    /// Plural name of the objects, with the group where there is one: `pods`, `deployments.apps`.
    pub resource: &'a str,
    /// Where they are; empty for cluster-scoped ones.
    pub namespace: &'a str,
    /// One of them; none: all.
    pub name: Option<&'a str>,
    /// The metric.
    pub metric: &'a str,
    /// Which of its series.
    pub selector: &'a Labels,
}

/// Names what was measured of resources: as long as it is the same, every pod's sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// End of the last window.
    pub until: Timestamp,
    /// How often something else changed that samples follow from.
    pub changes: u64,
}

/// Whoever answers for the metrics APIs.
pub trait MetricsApis {
    /// Names all samples of resources as they are now; none: they may differ from one question to the next.
    fn measured(&self) -> Option<Measured> {
        None
    }

    /// What a pod uses; none: it has no sample.
    ///
    /// # Errors
    /// The API does not answer.
    fn pod_usage(&self, pod: &Value) -> Result<Option<PodUsage>, ApiError>;

    /// End of the window that was last measured on a node; none: the node does not answer.
    fn measured_until(&self, node: &str) -> Option<Timestamp>;

    /// Values by the name of their object, in the order of names.
    ///
    /// # Errors
    /// 404 for a metric that nobody declared, 500 if its source fails.
    fn custom(&self, asked: &CustomQuery<'_>) -> Result<BTreeMap<String, Point>, ApiError>;

    /// All series of an external metric.
    ///
    /// # Errors
    /// 404 for a metric that nobody declared, 500 if its source fails.
    fn external(&self, namespace: &str, metric: &str, selector: &Labels) -> Result<Vec<Point>, ApiError>;
}

/// A cluster in which no metrics API is installed.
#[derive(Clone, Copy, Debug)]
pub struct NotInstalled;

impl MetricsApis for NotInstalled {
    fn pod_usage(&self, _: &Value) -> Result<Option<PodUsage>, ApiError> {
        Err(not_installed("get pods.metrics.k8s.io"))
    }

    fn measured_until(&self, _: &str) -> Option<Timestamp> {
        None
    }

    fn custom(&self, _: &CustomQuery<'_>) -> Result<BTreeMap<String, Point>, ApiError> {
        Err(ApiError::new(500, "InternalError", "no custom metrics API (custom.metrics.k8s.io) registered"))
    }

    fn external(&self, _: &str, metric: &str, _: &Labels) -> Result<Vec<Point>, ApiError> {
        Err(not_installed(&format!("get {metric}.external.metrics.k8s.io")))
    }
}

fn not_installed(asked: &str) -> ApiError {
    ApiError::new(404, "NotFound", format!("the server could not find the requested resource ({asked})"))
}

/// 404 as the adapters of custom and external metrics give it.
pub fn not_found(metric: &str, of: &str) -> ApiError {
    ApiError::new(404, "NotFound", format!("the server could not find the metric {metric} for {of}"))
}
