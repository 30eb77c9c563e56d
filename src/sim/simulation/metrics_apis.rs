//! The metrics APIs of a simulation: what its pods use, and custom and external metrics.
//!
//! Takes the profiles of pods, their traffic, rules and values that were set; answers autoscalers and HTTP clients alike. The
//! usage of a pod is the mean of the last whole [`WINDOW`]; a pod that has not run for so long has none, nor has one on a
//! silent machine.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::Simulation;
use crate::sim::actors::Actors;
use crate::sim::actors::object::{items, key, name, namespace, text, time};
use crate::sim::actors::pods::Pods;
use crate::sim::actors::pods::profile::PodProfile;
use crate::sim::api_error::ApiError;
use crate::sim::metrics_api::rules::Rules;
use crate::sim::metrics_api::servers::{MetricsServers, Source};
use crate::sim::metrics_api::{CustomQuery, MetricsApis, PodUsage, Point, WINDOW};
use crate::sim::promql::Storage;
use crate::sim::selector::Labels;
use crate::sim::traffic::Traffic;

/// The APIs at one instant.
struct View<'a> {
    pods: &'a Pods,
    traffic: Option<&'a Traffic>,
    servers: &'a MetricsServers,
    source: Source<'a>,
}

impl MetricsApis for View<'_> {
    fn pod_usage(&self, pod: &Value) -> Result<Option<PodUsage>, ApiError> {
        Ok(self.usage(pod))
    }

    fn custom(&self, asked: &CustomQuery<'_>) -> Result<BTreeMap<String, Point>, ApiError> {
        self.servers.custom(asked, &self.source)
    }

    fn external(&self, namespace: &str, metric: &str, selector: &Labels) -> Result<Vec<Point>, ApiError> {
        self.servers.external(namespace, metric, selector, &self.source)
    }
}

impl View<'_> {
    fn usage(&self, pod: &Value) -> Option<PodUsage> {
        if !self.pods.is_up(text(pod, &["spec", "nodeName"])) || text(pod, &["status", "phase"]) != "Running" {
            return None;
        }
        let usual = PodProfile::default();
        let profile = self.pods.known_profile(pod).unwrap_or(&usual);
        if let Some(set) = self.servers.usage_of(namespace(pod), name(pod)) {
            return Some(PodUsage { at: self.source.now, window: WINDOW, containers: set.clone() });
        }
        let status = items(pod, &["status", "containerStatuses"]).first()?;
        let started = time(status, &["state", "running", "startedAt"])?;
        let at = self.traffic.map_or_else(|| end_of_window(self.source.now), Traffic::counted_until);
        if started + WINDOW > at {
            return None;
        }
        let busy = self.traffic.map_or(0.0, |traffic| traffic.busy(&key(namespace(pod), name(pod))));
        Some(PodUsage { at, window: WINDOW, containers: profile.usage.containers(pod, busy, profile.serving.concurrency) })
    }
}

/// Without traffic, windows end at whole multiples of their length.
fn end_of_window(now: Timestamp) -> Timestamp {
    let window = WINDOW.as_secs();
    Timestamp::from_second(now.as_second().div_euclid(window) * window).unwrap_or(now)
}

impl Simulation {
    /// Lets the autoscalers look at one of them, with the metrics APIs at hand.
    pub(super) fn look_at_autoscaler(&mut self, key: &str) {
        let Some(Actors { autoscalers, pods, .. }) = &mut self.actors else { return };
        let nothing = Storage::new();
        let view = View {
            pods,
            traffic: self.traffic.as_ref(),
            servers: &self.metrics_servers,
            source: Source {
                storage: self.traffic.as_ref().map_or(&nothing, Traffic::storage),
                fault: self.metrics_fault,
                now: self.cluster.now(),
            },
        };
        autoscalers.look(key, &view, &mut self.cluster, &mut self.schedule);
    }

    /// Asks the metrics APIs; none without actors, for there is nobody who could measure.
    pub(super) fn with_metrics_apis<T>(&self, ask: impl FnOnce(&dyn MetricsApis) -> T) -> Option<T> {
        let actors = self.actors.as_ref()?;
        let nothing = Storage::new();
        let storage = self.traffic.as_ref().map_or(&nothing, Traffic::storage);
        let source = Source { storage, fault: self.metrics_fault, now: self.cluster.now() };
        Some(ask(&View { pods: &actors.pods, traffic: self.traffic.as_ref(), servers: &self.metrics_servers, source }))
    }

    /// Replaces the rules by which custom and external metrics follow from what was scraped.
    pub fn set_metric_rules(&mut self, rules: Rules) {
        self.metrics_servers.set_rules(rules);
    }

    /// Sets a series of an external metric to a value in thousandths, or takes away what was set: then the metric is known,
    /// and has no such series.
    pub fn set_external_metric(&mut self, namespace: &str, metric: &str, labels: &[(&str, &str)], millis: Option<i64>) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.metrics_servers.set_external(namespace, metric, labels, millis);
    }

    /// Sets a custom metric of a pod to a value in thousandths, or takes away what was set.
    pub fn set_pod_metric(&mut self, namespace: &str, pod: &str, metric: &str, millis: Option<i64>) {
        self.set_object_metric("pods", namespace, pod, metric, millis);
    }

    /// Sets a custom metric of an object (`resource` is the plural name with the group, such as `deployments.apps`) to a
    /// value in thousandths, or takes away what was set.
    pub fn set_object_metric(&mut self, resource: &str, namespace: &str, name: &str, metric: &str, millis: Option<i64>) {
        self.metrics_servers.set_custom(resource, namespace, name, metric, millis);
    }

    /// Sets what the containers of a pod use from now on (by resource, in thousandths), or takes away what was set: then the
    /// model counts again. A container without a resource has no sample of it.
    pub fn set_pod_usage(&mut self, namespace: &str, pod: &str, containers: Option<Vec<crate::sim::metrics_api::ContainerUsage>>) {
        self.metrics_servers.set_usage(namespace, pod, containers);
    }
}
