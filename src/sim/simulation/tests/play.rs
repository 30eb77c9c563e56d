//! A simulation at play: short words for what tests do and look at.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::sim::actors::nodes::machine::NodeGroup;
use crate::sim::actors::object::{condition, text};
use crate::sim::actors::pods::profile::{PodProfile, Startup};
use crate::sim::cluster::{DeleteOptions, Identity, Patch, Propagation, WriteOptions};
use crate::sim::simulation::{Settings, Simulation};

pub const DEPLOYMENTS: &str = "deployments.apps";
pub const SETS: &str = "replicasets.apps";
pub const SLICES: &str = "endpointslices.discovery.k8s.io";
pub const BUDGETS: &str = "poddisruptionbudgets.policy";

pub fn epoch() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

pub fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Pods start within `pull` + `load` seconds, without jitter.
pub fn profile(pull: i64, load: i64) -> PodProfile {
    PodProfile { startup: Startup { pull: seconds(pull), load: seconds(load), jitter: 0.0 }, ..PodProfile::default() }
}

pub struct Play {
    pub simulation: Simulation,
}

impl Play {
    /// Pods start in 1 + 1 seconds.
    pub fn quick() -> Self {
        Self::with(Settings { pod_profiles: vec![profile(1, 1)], ..Settings::default() })
    }

    /// Many small pods fit.
    pub fn large(nodes: u32, pods: u32) -> Self {
        let group = NodeGroup { count: nodes, pods, ..NodeGroup::default() };
        Self::with(Settings { nodes: vec![group], pod_profiles: vec![profile(1, 1)], ..Settings::default() })
    }

    pub fn with(settings: Settings) -> Self {
        let mut play = Self { simulation: Simulation::with(7, epoch(), settings) };
        play.rest();
        play
    }

    fn user() -> Identity {
        Identity::user("tester")
    }

    pub fn create(&mut self, resource: &str, object: Value) -> Arc<Value> {
        let namespace = text(&object, &["metadata", "namespace"]).to_owned();
        let options = WriteOptions::manager("test");
        let created = self.simulation.cluster.create(&Self::user(), resource, &namespace, object, &options).unwrap();
        self.simulation.settle();
        created.object
    }

    pub fn patch(&mut self, resource: &str, name: &str, patch: Value) {
        self.patch_in(resource, "default", name, patch);
    }

    pub fn patch_in(&mut self, resource: &str, namespace: &str, name: &str, patch: Value) {
        let options = WriteOptions::manager("test");
        let cluster = &mut self.simulation.cluster;
        cluster.patch(&Self::user(), resource, namespace, name, None, Patch::Merge(patch), &options).unwrap();
        self.simulation.settle();
    }

    pub fn delete(&mut self, resource: &str, name: &str, propagation: Propagation) {
        let options = DeleteOptions::propagation(propagation);
        self.simulation.cluster.delete(&Self::user(), resource, "default", name, &options).unwrap();
        self.simulation.settle();
    }

    pub fn pass(&mut self, duration: i64) {
        let to = self.simulation.cluster.now() + seconds(duration);
        self.simulation.advance(to);
    }

    /// Until nothing is left to do, for at most an hour.
    pub fn rest(&mut self) {
        let limit = self.simulation.cluster.now() + seconds(3600);
        self.simulation.run_until_quiet(limit);
        assert!(self.simulation.is_quiet(), "still busy: {:?}", self.simulation.schedule());
    }

    pub fn now(&self) -> Timestamp {
        self.simulation.cluster.now()
    }

    pub fn get(&self, resource: &str, name: &str) -> Arc<Value> {
        self.find(resource, name).unwrap_or_else(|| panic!("no {resource}/{name}"))
    }

    pub fn find(&self, resource: &str, name: &str) -> Option<Arc<Value>> {
        self.simulation.cluster.get(resource, "default", name).or_else(|| self.simulation.cluster.get(resource, "", name))
    }

    pub fn list(&self, resource: &str) -> Vec<Arc<Value>> {
        self.simulation.cluster.list(resource, Some("default"))
    }

    /// `spec.replicas` of the ReplicaSets, by revision.
    pub fn sizes(&self) -> Vec<i64> {
        let mut sets = self.list(SETS);
        sets.sort_by_key(|set| revision(set));
        sets.iter().map(|set| set["spec"]["replicas"].as_i64().unwrap()).collect()
    }

    pub fn ready_pods(&self) -> usize {
        self.list("pods").iter().filter(|pod| is(pod, "Ready") == "True").count()
    }

    pub fn reasons(&self, object: &str) -> Vec<String> {
        let events = self.list("events");
        let about = events.iter().filter(|event| text(event, &["involvedObject", "name"]) == object);
        about.map(|event| text(event, &["reason"]).to_owned()).collect()
    }
}

pub fn revision(set: &Value) -> i64 {
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str().unwrap().parse().unwrap()
}

/// Status of a condition; empty if there is none.
pub fn is<'a>(object: &'a Value, kind: &str) -> &'a str {
    condition(object, kind).map_or("", |condition| text(condition, &["status"]))
}

/// Reason of a condition.
pub fn why<'a>(object: &'a Value, kind: &str) -> &'a str {
    condition(object, kind).map_or("", |condition| text(condition, &["reason"]))
}

/// A Deployment of `app: <name>` with every field that matters here.
pub fn deployment(name: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "replicas": replicas, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
            "selector": { "matchLabels": { "app": name } },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } },
            "template": template(name, "web:1"),
        },
    })
}

pub fn template(app: &str, image: &str) -> Value {
    let probe = json!({ "tcpSocket": { "port": 8080 }, "periodSeconds": 1 });
    let container = json!({
        "name": "web", "image": image, "imagePullPolicy": "IfNotPresent", "ports": [{ "name": "http", "containerPort": 8080 }],
        "readinessProbe": probe, "resources": { "requests": { "cpu": "100m" } },
    });
    json!({
        "metadata": { "labels": { "app": app } },
        "spec": { "containers": [container], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30 },
    })
}

pub fn image(image: &str) -> Value {
    json!({ "spec": { "template": template("web", image)} })
}

pub fn service(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "default" },
        "spec": { "selector": { "app": app }, "ports": [{ "port": 80, "targetPort": "http", "protocol": "TCP" }] },
    })
}
