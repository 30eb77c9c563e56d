//! A cluster without actors, a workload, and metrics that a test dictates.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::{AUTOSCALERS, Autoscalers};
use crate::sim::api_error::ApiError;
use crate::sim::builtin::quantity::Quantity;
use crate::sim::cluster::{Cluster, Commit, DeleteOptions, Identity, WriteOptions};
use crate::sim::draw::Draws;
use crate::sim::metrics_api::{ContainerUsage, CustomQuery, Measured, MetricsApis, PodUsage, Point, WINDOW, not_found};
use crate::sim::selector::Labels;
use crate::sim::simulation::{Reaction, Schedule};

use crate::sim::actors::Actor;

pub fn epoch() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

pub fn ago(seconds: i64) -> Timestamp {
    epoch() - SignedDuration::from_secs(seconds)
}

pub fn millis(text: &str) -> i64 {
    Quantity::parse(text).unwrap().millis()
}

/// Answers by name; what is not there is not declared.
#[derive(Default)]
pub struct Dictated {
    /// Cpu in thousandths by pod; memory is the same number of bytes.
    pub usage: BTreeMap<String, i64>,
    pub custom: Option<BTreeMap<String, i64>>,
    pub external: Option<Vec<i64>>,
    /// What names all of it.
    pub measured: Option<Measured>,
    /// How many samples of pods were asked for.
    pub asked: Cell<u64>,
}

fn point(millis: i64) -> Point {
    Point { labels: BTreeMap::new(), millis, at: epoch() }
}

impl MetricsApis for Dictated {
    fn measured(&self) -> Option<Measured> {
        self.measured
    }

    fn pod_usage(&self, pod: &Value) -> Result<Option<PodUsage>, ApiError> {
        self.asked.set(self.asked.get() + 1);
        let used = self.usage.get(pod["metadata"]["name"].as_str().unwrap());
        let usage = |used: &i64| BTreeMap::from([("cpu".to_owned(), *used), ("memory".to_owned(), *used)]);
        let containers = |used: &i64| vec![ContainerUsage { name: "server".to_owned(), usage: usage(used) }];
        Ok(used.map(|used| PodUsage { at: epoch(), window: WINDOW, containers: containers(used) }))
    }

    fn measured_until(&self, _: &str) -> Option<Timestamp> {
        Some(epoch())
    }

    fn custom(&self, asked: &CustomQuery<'_>) -> Result<BTreeMap<String, Point>, ApiError> {
        let declared = self.custom.as_ref().ok_or_else(|| not_found(asked.metric, asked.resource))?;
        let found = declared.iter().filter(|(name, _)| asked.name.is_none_or(|asked| asked == *name));
        let found: BTreeMap<String, Point> = found.map(|(name, millis)| (name.clone(), point(*millis))).collect();
        match asked.name {
            Some(name) if found.is_empty() => Err(not_found(asked.metric, &format!("{} {name}", asked.resource))),
            _ => Ok(found),
        }
    }

    fn external(&self, _: &str, metric: &str, _: &Labels) -> Result<Vec<Point>, ApiError> {
        let declared = self.external.as_ref().ok_or_else(|| not_found(metric, "external metrics"))?;
        Ok(declared.iter().map(|millis| point(*millis)).collect())
    }
}

pub struct Stage {
    pub cluster: Cluster,
    pub autoscalers: Autoscalers,
    pub schedule: Schedule,
    pub metrics: Dictated,
}

impl Stage {
    pub fn new() -> Self {
        let schedule = Schedule::new(Draws::new(1), epoch(), Reaction::INSTANT);
        Self { cluster: Cluster::new(1, epoch()), autoscalers: Autoscalers::default(), schedule, metrics: Dictated::default() }
    }

    pub fn create(&mut self, resource: &str, object: Value) -> Arc<Value> {
        let options = WriteOptions::manager("test");
        self.cluster.create(&Identity::user("tester"), resource, "default", object, &options).unwrap().object
    }

    /// A Deployment `web` of so many replicas, of which so many exist.
    pub fn deployment(&mut self, replicas: i64, running: i64) {
        let template =
            json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "server", "image": "x" }] } });
        let spec = json!({ "replicas": replicas, "selector": { "matchLabels": { "app": "web" } }, "template": template });
        let mut made = (*self.create("deployments.apps", json!({ "metadata": { "name": "web" }, "spec": spec }))).clone();
        made["status"] = json!({ "replicas": running });
        self.put_status("deployments.apps", made);
    }

    pub fn put_status(&mut self, resource: &str, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let who = Identity::user("tester");
        self.cluster.update(&who, resource, "default", &name, Some("status"), object, &WriteOptions::manager("test")).unwrap();
    }

    pub fn delete(&mut self, resource: &str, name: &str) {
        self.cluster.delete(&Identity::user("tester"), resource, "default", name, &DeleteOptions::default()).unwrap();
    }

    /// An autoscaler `web` of that Deployment.
    pub fn autoscaler(&mut self, least: i64, most: i64, metrics: Value, behavior: Option<Value>) {
        let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
        let mut spec = json!({ "scaleTargetRef": target, "minReplicas": least, "maxReplicas": most, "metrics": metrics });
        if let Some(behavior) = behavior {
            spec["behavior"] = behavior;
        }
        self.create(AUTOSCALERS, json!({ "metadata": { "name": "web" }, "spec": spec }));
    }

    /// Shows the autoscalers what was written; gives the commits.
    pub fn settle(&mut self) -> Vec<Commit> {
        let commits = self.cluster.take_commits();
        for commit in &commits {
            self.autoscalers.notice(commit, &self.cluster, &mut self.schedule);
        }
        commits
    }

    /// One look; gives what it wrote as `resource/subresource`.
    pub fn look(&mut self) -> Vec<String> {
        self.settle();
        self.schedule.cancel("default/web");
        self.autoscalers.look("default/web", &self.metrics, &mut self.cluster, &mut self.schedule);
        let written = |commit: Commit| format!("{}/{}", commit.resource, commit.subresource.unwrap_or_default());
        self.settle().into_iter().map(written).collect()
    }

    pub fn replicas(&self) -> i64 {
        self.cluster.get("deployments.apps", "default", "web").unwrap()["spec"]["replicas"].as_i64().unwrap()
    }

    pub fn status(&self) -> Value {
        self.cluster.get(AUTOSCALERS, "default", "web").unwrap()["status"].clone()
    }

    /// Status and reason of a condition.
    pub fn condition(&self, kind: &str) -> Option<(String, String)> {
        let status = self.status();
        let found = status["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)?.clone();
        Some((found["status"].as_str()?.to_owned(), found["reason"].as_str()?.to_owned()))
    }

    /// Reasons and messages of all Events, in the order of their writing.
    pub fn events(&self) -> Vec<String> {
        let mut events = self.cluster.list("events", Some("default"));
        events.sort_by_key(|event| event["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap());
        let told = |event: &Arc<Value>| format!("{} {}", event["reason"].as_str().unwrap(), event["message"].as_str().unwrap());
        events.iter().map(told).collect()
    }
}
