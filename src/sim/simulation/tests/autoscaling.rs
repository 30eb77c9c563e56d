//! Autoscalers in a living cluster: load comes and goes, pods start and end, metrics fail.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::play::*;
use crate::sim::world::play as world;

const AUTOSCALERS: &str = "horizontalpodautoscalers.autoscaling";
/// In the name of the autoscaler's own service account.
const ACCOUNT: &str = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";

fn external(name: &str, share: &str) -> Value {
    json!({ "type": "External", "external": { "metric": { "name": name }, "target": { "type": "AverageValue", "averageValue": share } } })
}

fn autoscaler(name: &str, target: Value, most: i64, metrics: &[Value]) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "scaleTargetRef": target, "maxReplicas": most, "metrics": metrics },
    })
}

fn of_deployment(name: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": name })
}

/// A Deployment of one, scaled by 10 of `depth` for each pod.
fn by_depth() -> Play {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.rest();
    play.create(AUTOSCALERS, autoscaler("web", of_deployment("web"), 10, &[external("depth", "10")]));
    play
}

fn replicas(play: &Play) -> i64 {
    play.get(DEPLOYMENTS, "web")["spec"]["replicas"].as_i64().unwrap()
}

fn reason(play: &Play, kind: &str) -> String {
    why(&play.get(AUTOSCALERS, "web"), kind).to_owned()
}

#[test]
fn load_scales_up_in_steps_and_its_end_scales_down_after_the_window() {
    let mut play = by_depth();
    play.simulation.set_external_metric("default", "depth", &[], Some(95_000));
    play.pass(14);
    assert_eq!(replicas(&play), 1, "the first look is a period after it was made");
    play.pass(2);
    assert_eq!((replicas(&play), reason(&play, "ScalingLimited")), (4, "ScaleUpLimit".to_owned()));
    play.pass(15);
    assert_eq!(replicas(&play), 8);
    play.pass(15);
    assert_eq!((replicas(&play), reason(&play, "ScalingLimited")), (10, "DesiredWithinRange".to_owned()));
    play.pass(60);
    assert_eq!(play.ready_pods(), 10);
    play.simulation.set_external_metric("default", "depth", &[], Some(15_000));
    play.pass(290);
    assert_eq!((replicas(&play), reason(&play, "AbleToScale")), (10, "ScaleDownStabilized".to_owned()));
    play.pass(40);
    assert_eq!(replicas(&play), 2);
    play.rest();
    assert_eq!(play.ready_pods(), 2);
}

#[test]
fn a_settled_autoscaler_goes_on_looking_writes_nothing_and_lets_the_cluster_be_quiet() {
    let mut play = by_depth();
    play.simulation.set_external_metric("default", "depth", &[], Some(10_000));
    play.rest();
    let revision = play.simulation.cluster.revision();
    assert_eq!(reason(&play, "AbleToScale"), "ReadyForNewScale");
    assert!(!play.simulation.schedule().is_empty());
    let events = play.list("events").len() as u64;
    play.pass(3600);
    // Events go after an hour, each by itself.
    assert_eq!(play.simulation.cluster.revision() + play.list("events").len() as u64, revision + events);
    play.simulation.set_external_metric("default", "depth", &[], Some(20_000));
    play.pass(15);
    assert_eq!(replicas(&play), 2);
}

#[test]
fn a_cluster_is_not_quiet_while_a_window_holds_the_scale() {
    let mut play = by_depth();
    play.simulation.set_external_metric("default", "depth", &[], Some(40_000));
    play.rest();
    assert_eq!(replicas(&play), 4);
    play.simulation.set_external_metric("default", "depth", &[], Some(10_000));
    play.pass(20);
    assert!(!play.simulation.is_quiet());
    play.rest();
    assert_eq!(replicas(&play), 1);
}

#[test]
fn only_the_scale_is_written_and_in_the_name_of_the_autoscaler() {
    let mut play = by_depth();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = std::sync::Arc::clone(&seen);
    play.simulation.observe(Box::new(move |commit, _| {
        if commit.who.user == ACCOUNT {
            notes.lock().unwrap().push(format!("{}/{}", commit.resource, commit.subresource.clone().unwrap_or_default()));
        }
    }));
    play.simulation.set_external_metric("default", "depth", &[], Some(30_000));
    play.pass(120);
    let written = seen.lock().unwrap().clone();
    assert_eq!(written[..3], ["deployments.apps/scale", "events/", "horizontalpodautoscalers.autoscaling/status"]);
    assert!(written.iter().all(|one| !one.starts_with("deployments.apps/") || one.ends_with("/scale")), "{written:?}");
}

#[test]
fn a_custom_resource_is_scaled_through_its_own_scale() {
    let mut play = Play::quick();
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let scale = json!({ "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size", "labelSelectorPath": ".status.selector" });
    let version = json!({ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema }, "subresources": { "status": {}, "scale": scale } });
    let names = json!({ "kind": "Fleet", "plural": "fleets", "singular": "fleet" });
    let spec = json!({ "group": "ex.io", "names": names, "scope": "Namespaced", "versions": [version] });
    play.create("customresourcedefinitions.apiextensions.k8s.io", json!({ "metadata": { "name": "fleets.ex.io" }, "spec": spec }));
    play.rest();
    let object = json!({
        "apiVersion": "ex.io/v1", "kind": "Fleet", "metadata": { "name": "web", "namespace": "default" }, "spec": { "size": 2 },
    });
    play.create("fleets.ex.io", object);
    let target = json!({ "apiVersion": "ex.io/v1", "kind": "Fleet", "name": "web" });
    play.create(AUTOSCALERS, autoscaler("web", target, 10, &[external("depth", "10")]));
    play.simulation.set_external_metric("default", "depth", &[], Some(40_000));
    play.pass(16);
    assert_eq!(reason(&play, "ScalingActive"), "InvalidSelector", "a target without a selector in its status");
    assert!(play.reasons("web").contains(&"SelectorRequired".to_owned()));
    let who = crate::sim::cluster::Identity::user("tester");
    let options = crate::sim::cluster::WriteOptions::manager("test");
    let mut fleet = (*play.get("fleets.ex.io", "web")).clone();
    fleet["status"] = json!({ "size": 2, "selector": "app=web" });
    play.simulation.cluster.update(&who, "fleets.ex.io", "default", "web", Some("status"), fleet, &options).unwrap();
    play.pass(15);
    assert_eq!(play.get("fleets.ex.io", "web")["spec"]["size"], 4);
    assert_eq!(play.get("fleets.ex.io", "web")["status"]["size"], 2, "nobody but its controller writes its status");
}

#[test]
fn cpu_of_pods_that_start_does_not_scale_and_cpu_of_ready_ones_does() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 2));
    play.rest();
    let metric =
        json!({ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } });
    play.create(AUTOSCALERS, autoscaler("web", of_deployment("web"), 10, &[metric]));
    play.pass(60);
    let status = play.get(AUTOSCALERS, "web")["status"].clone();
    assert_eq!(status["currentMetrics"][0]["resource"]["current"], json!({ "averageUtilization": 5, "averageValue": "5m" }), "idle");
    let pods = play.list("pods");
    for pod in &pods {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let usage = [("cpu".to_owned(), 100)].into();
        let container = crate::sim::metrics_api::ContainerUsage { name: "web".to_owned(), usage };
        play.simulation.set_pod_usage("default", name, Some(vec![container]));
    }
    play.pass(16);
    assert_eq!(replicas(&play), 4, "two at 100 % of a target of 50 %");
    play.pass(60);
    // Two at 100 %, two idle at 5 %: 52 % is on target.
    assert_eq!((replicas(&play), reason(&play, "AbleToScale")), (4, "ReadyForNewScale".to_owned()));
}

/// A server whose cpu follows its requests, and an autoscaler by cpu.
fn served(spec: &str, metrics: &str) -> world::Play {
    let documents = format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: server
        image: registry.example.com/web:1
        ports: [{{containerPort: 8000}}]
        readinessProbe: {{tcpSocket: {{port: 8000}}, periodSeconds: 1}}
        resources: {{requests: {{cpu: \"1\", memory: 1Gi}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8000}}]}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: web}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  maxReplicas: 10
  metrics: [{metrics}]
"
    );
    let mut play = world::Play::of_text(5, spec, &documents);
    play.begin().unwrap();
    play
}

fn to(play: &mut world::Play, minutes: i64) {
    let at = play.start() + SignedDuration::from_mins(minutes);
    crate::sim::service::World::advance(play, at);
}

fn scaled(play: &world::Play) -> i64 {
    play.simulation.cluster.get(DEPLOYMENTS, "default", "web").unwrap()["spec"]["replicas"].as_i64().unwrap()
}

fn active(play: &world::Play) -> String {
    why(&play.simulation.cluster.get(AUTOSCALERS, "default", "web").unwrap(), "ScalingActive").to_owned()
}

const CPU: &str = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}";
const TRAFFIC: &str = "traffic: [{service: default/web, requestsPerSecond: 60}]\n";

#[test]
fn requests_use_cpu_and_cpu_scales() {
    // 60 requests of 0.143 s keep 8.6 slots busy, of 8 that a pod has: 5 + 95 x 8.6 / (8 n) percent of n pods is near 50 for
    // three.
    let mut play = served(TRAFFIC, CPU);
    to(&mut play, 15);
    assert_eq!((scaled(&play), active(&play)), (3, "ValidMetricFound".to_owned()));
    let idle = served("pods: [{selector: {}, usage: {cpu: {idle: 500m}}}]\n", CPU);
    let mut idle = idle;
    to(&mut idle, 15);
    assert_eq!(scaled(&idle), 1, "what they use when idle is on target, and nobody asks them");
}

#[test]
fn rules_over_the_scraped_metrics_scale_by_pods_and_by_external_metrics() {
    let rules = "metrics:\n  custom:\n  - {name: requests, query: 'sum by (namespace, pod) (rate(http_server_request_duration_seconds_count[1m]))'}\n  external:\n  - {name: all, query: 'sum(rate(http_server_request_duration_seconds_count[1m]))'}\n";
    let spec = format!("{TRAFFIC}{rules}");
    for metric in [
        "{type: Pods, pods: {metric: {name: requests}, target: {type: AverageValue, averageValue: \"25\"}}}",
        "{type: External, external: {metric: {name: all}, target: {type: AverageValue, averageValue: \"25\"}}}",
    ] {
        let mut play = served(&spec, metric);
        to(&mut play, 15);
        assert_eq!((scaled(&play), active(&play)), (3, "ValidMetricFound".to_owned()), "{metric}");
    }
}

#[test]
fn a_metrics_backend_that_fails_holds_the_scale_and_says_so() {
    let rules = "metrics: {external: [{name: all, query: 'sum(rate(http_server_request_duration_seconds_count[1m]))'}]}\n";
    let faults = "events:\n- {at: 15m, fault: {metrics: Unavailable, for: 5m}}\n- {at: 25m, fault: {metrics: Empty, for: 5m}}\n";
    let metric = "{type: External, external: {metric: {name: all}, target: {type: AverageValue, averageValue: \"25\"}}}";
    let mut play = served(&format!("{TRAFFIC}{rules}{faults}"), metric);
    for (minute, wanted) in
        [(14, "ValidMetricFound"), (18, "FailedGetExternalMetric"), (23, "ValidMetricFound"), (28, "FailedGetExternalMetric")]
    {
        to(&mut play, minute);
        assert_eq!((scaled(&play), active(&play).as_str()), (3, wanted), "at {minute} min");
    }
}

#[test]
fn the_same_seed_scales_the_same_way() {
    let trace = || {
        let mut play = served(TRAFFIC, CPU);
        to(&mut play, 10);
        let of = |resource: &str| play.simulation.cluster.list(resource, Some("default"));
        [AUTOSCALERS, DEPLOYMENTS, "pods", "events"]
            .iter()
            .flat_map(|resource| of(resource))
            .map(|object| object.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(trace(), trace());
}
