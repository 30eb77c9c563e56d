//! The metrics APIs of a simulation: what its pods use, and custom and external metrics.
//!
//! Takes the profiles of pods, their traffic, rules and values that were set; answers autoscalers and HTTP clients alike. The
//! usage of a pod is the mean of the last whole [`WINDOW`]; a pod that has not run for so long has none, nor has one on a
//! silent machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Simulation, class};
use crate::sim::actors::keda::{OWNER_LABEL, Queries};
use crate::sim::actors::object::{items, key, name, namespace, text, time};
use crate::sim::actors::pods::Pods;
use crate::sim::actors::pods::profile::PodProfile;
use crate::sim::actors::{Actors, KEDA};
use crate::sim::api_error::ApiError;
use crate::sim::metrics_api::rules::Rules;
use crate::sim::metrics_api::servers::{MetricsServers, Source};
use crate::sim::metrics_api::{ContainerUsage, CustomQuery, Measured, MetricsApis, PodUsage, Point, WINDOW, http};
use crate::sim::promql::Storage;
use crate::sim::selector::Labels;
use crate::sim::traffic::Traffic;

/// The APIs at one instant.
struct View<'a> {
    pods: &'a Pods,
    traffic: Option<&'a Traffic>,
    servers: &'a MetricsServers,
    source: Source<'a>,
    /// For which external metrics KEDA answers.
    scaled: Arc<Queries>,
    /// How often machines, profiles, traffic or what was set have changed.
    changes: u64,
}

impl MetricsApis for View<'_> {
    fn measured(&self) -> Option<Measured> {
        Some(Measured { until: self.end_of_window(), changes: self.changes })
    }

    fn pod_usage(&self, pod: &Value) -> Result<Option<PodUsage>, ApiError> {
        Ok(self.usage(pod))
    }

    fn measured_until(&self, node: &str) -> Option<Timestamp> {
        self.pods.is_up(node).then(|| self.end_of_window())
    }

    fn custom(&self, asked: &CustomQuery<'_>) -> Result<BTreeMap<String, Point>, ApiError> {
        self.servers.custom(asked, &self.source)
    }

    fn external(&self, namespace: &str, metric: &str, selector: &Labels) -> Result<Vec<Point>, ApiError> {
        match self.query_of_scaled(namespace, metric, selector) {
            Some(query) => self.servers.scaled(namespace, metric, selector, query, &self.source),
            None => self.servers.external(namespace, metric, selector, &self.source),
        }
    }
}

impl View<'_> {
    /// The query behind a metric of a ScaledObject, which the selector names.
    fn query_of_scaled(&self, namespace: &str, metric: &str, selector: &Labels) -> Option<&str> {
        let owner = selector.requirements.iter().find(|requirement| requirement.key == OWNER_LABEL)?.values.first()?;
        Some(self.scaled.get(&(namespace.to_owned(), owner.clone()))?.get(metric)?.as_str())
    }

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
        let at = self.end_of_window();
        if started + WINDOW > at {
            return None;
        }
        let busy = self.traffic.map_or(0.0, |traffic| traffic.busy(&key(namespace(pod), name(pod))));
        Some(PodUsage { at, window: WINDOW, containers: profile.usage.containers(pod, busy, profile.serving.concurrency) })
    }

    /// With traffic, a window ends with the last one of requests; else at a whole multiple of its length.
    fn end_of_window(&self) -> Timestamp {
        let (now, window) = (self.source.now, WINDOW.as_secs());
        let usual = || Timestamp::from_second(now.as_second().div_euclid(window) * window).unwrap_or(now);
        self.traffic.map_or_else(usual, Traffic::counted_until)
    }
}

impl Simulation {
    /// Lets those who read metrics look at one of their objects, with the metrics APIs at hand.
    pub(super) fn look_with_metrics(&mut self, number: u8, key: &str) {
        let Some(Actors { autoscalers, keda, pods, .. }) = &mut self.actors else { return };
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
            scaled: keda.queries(),
            changes: self.usage_changes,
        };
        if number == class(KEDA) {
            keda.look(key, &view, &mut self.cluster, &mut self.schedule);
        } else {
            autoscalers.look(key, &view, &mut self.cluster, &mut self.schedule);
        }
    }

    /// Answers a read of the metrics APIs; none without actors, for there is nobody who could measure.
    pub fn ask_metrics_apis(&self, asked: &http::Asked) -> Option<Result<Value, ApiError>> {
        let actors = self.actors.as_ref()?;
        let nothing = Storage::new();
        let storage = self.traffic.as_ref().map_or(&nothing, Traffic::storage);
        let source = Source { storage, fault: self.metrics_fault, now: self.cluster.now() };
        let scaled = actors.keda.queries();
        let view = View {
            pods: &actors.pods,
            traffic: self.traffic.as_ref(),
            servers: &self.metrics_servers,
            source,
            scaled,
            changes: self.usage_changes,
        };
        Some(http::answer(&view, &self.cluster, asked))
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
    pub fn set_pod_usage(&mut self, namespace: &str, pod: &str, containers: Option<Vec<ContainerUsage>>) {
        self.usage_changes += 1;
        self.metrics_servers.set_usage(namespace, pod, containers);
    }
}
