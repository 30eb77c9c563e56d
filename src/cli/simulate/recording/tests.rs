use super::*;
use crate::cli::simulate::report_page::data::Changes;
use crate::sim::service::World as _;
use crate::sim::world::play::Play;
use std::sync::{Arc, Mutex};

pub(in crate::cli::simulate) const LABELS: Labels =
    Labels { deployment: "app", version: "version", revision: "revision", deployments: "releases.example.com" };

const SPEC: &str = "gateway: {}
traffic: [{host: chat.example.com, requestsPerSecond: 20}]
events:
- {at: 10m, patch: {object: deployment/new, merge: {spec: {replicas: 0}}}}
";

fn server(name: &str, version: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app: chat, version: '{version}', revision: {name}-1}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{server: {name}}}}}
  template:
    metadata: {{labels: {{server: {name}, app: chat, version: '{version}'}}}}
    spec: {{containers: [{{name: server, image: i, ports: [{{containerPort: 8000}}]}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{server: {name}}}, ports: [{{port: 80, targetPort: 8000}}]}}
---
"
    )
}

fn documents() -> String {
    format!(
        "{}{}apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: c}}
spec: {{controllerName: example.com/gateway}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: g}}
spec: {{gatewayClassName: c, listeners: [{{name: http, port: 80, protocol: HTTP}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r}}
spec:
  parentRefs: [{{name: g}}]
  hostnames: [chat.example.com]
  rules: [{{backendRefs: [{{name: old, port: 80, weight: 3}}, {{name: new, port: 80, weight: 1}}]}}]
",
        server("old", "1"),
        server("new", "2")
    )
}

/// Plays so many minutes and looks every so many seconds.
fn recorded(minutes: i64, every: i64) -> (Recording, Play) {
    let mut play = Play::of_text(1, SPEC, &documents());
    let recorder = Arc::new(Mutex::new(Recorder::new("w", 1, play.start(), LABELS)));
    let following = Arc::clone(&recorder);
    play.simulation.observe(Box::new(move |commit, _| following.lock().unwrap().notice(commit)));
    play.begin().unwrap();
    let mut seconds = 0;
    while seconds < minutes * 60 {
        seconds += every;
        let to = play.start() + SignedDuration::from_secs(seconds);
        play.advance(to);
        recorder.lock().unwrap().look(play.simulation.traffic());
    }
    recorder.lock().unwrap().look_last(play.simulation.traffic());
    let recording = recorder.lock().unwrap().recording().clone();
    (recording, play)
}

fn of<'a>(recording: &'a Recording, version: &'a str) -> impl Iterator<Item = &'a Counts> {
    let bins = recording.requests.as_ref().unwrap().all();
    bins.iter().flat_map(move |bin| bin.groups.iter().filter(move |(group, _)| group.version == version)).map(|(_, counts)| counts)
}

#[test]
fn every_request_is_recorded_once_with_the_version_of_its_pod() {
    for every in [1, 7, 60] {
        let (recording, play) = recorded(15, every);
        let truth = play.simulation.traffic().unwrap().truth();
        let bins = recording.requests.as_ref().unwrap().all();
        assert_eq!(bins.iter().map(|bin| bin.sent).sum::<u64>(), truth.demands[0].arrived, "looked every {every} s");
        let at_pods = |name: &str| -> u64 {
            truth.pods.iter().filter(|(pod, _)| pod.starts_with(&format!("default/{name}-"))).map(|(_, tally)| tally.arrived).sum()
        };
        for (version, name) in [("1", "old"), ("2", "new")] {
            assert_eq!(of(&recording, version).map(|counts| counts.arrived).sum::<u64>(), at_pods(name), "{name}");
            assert!(at_pods(name) > 1000);
        }
        assert!(of(&recording, "1").all(|counts| counts.arrived > 0 || counts.ended() > 0), "intervals without a request have no entry");
        assert!(bins.iter().map(|bin| bin.unserved).sum::<u64>() > 0, "nobody was ready at the start");
        assert!(bins.last().unwrap().groups.keys().all(|group| group.version == "1"), "the new pods are gone");
    }
}

#[test]
fn an_interval_is_what_happened_in_it_however_often_one_looks() {
    let bins = |every| recorded(6, every).0.requests.unwrap().all().to_vec();
    assert_eq!(bins(1), bins(5));
    assert!(bins(5).iter().all(|bin| (bin.seconds() - 5.0).abs() < 1e-9));
}

#[test]
fn pods_of_workloads_are_recorded_when_they_change() {
    let (recording, _) = recorded(15, 5);
    let (workload, replicas) = recording.replicas.iter().find(|(workload, _)| workload.version == "2").unwrap();
    assert_eq!((workload.revision.as_str(), workload.subject.deployment.as_str()), ("new-1", "chat"));
    let values = |changes: &Changes| changes.all().iter().map(|(_, value)| value.unwrap()).collect::<Vec<f64>>();
    assert_eq!(values(&replicas.asked), [2.0, 0.0]);
    assert_eq!(replicas.asked.all()[1].0, SignedDuration::from_mins(10));
    assert_eq!(values(&replicas.ready).first().zip(values(&replicas.ready).last()), Some((&0.0, &0.0)));
    assert!(values(&replicas.ready).contains(&2.0));
}

#[test]
fn weights_of_a_version_end_when_it_is_no_longer_named() {
    let mut recorder = Recorder::new("w", 1, Timestamp::UNIX_EPOCH, LABELS);
    let object = |status: Value| serde_json::json!({ "metadata": { "name": "chat", "namespace": "ml" }, "status": status });
    let stable = |version: &str, weight: i64| serde_json::json!({ "version": version, "weight": weight });
    recorder.weights(SignedDuration::ZERO, &object(Value::Null), true);
    recorder.weights(SignedDuration::from_secs(1), &object(serde_json::json!({ "stable": stable("1", 100) })), true);
    let both = serde_json::json!({ "stable": stable("1", 90), "candidate": stable("2", 10) });
    recorder.weights(SignedDuration::from_secs(2), &object(both), true);
    recorder.weights(SignedDuration::from_secs(3), &object(serde_json::json!({ "stable": stable("2", 100) })), true);
    recorder.weights(SignedDuration::from_secs(4), &object(Value::Null), false);
    let weights = |version: &str| {
        let found = recorder.recording.weights.iter().find(|(group, _)| group.version == version).unwrap().1;
        found.all().iter().map(|(at, value)| (at.as_secs(), *value)).collect::<Vec<_>>()
    };
    assert_eq!(weights("1"), [(1, Some(100.0)), (2, Some(90.0)), (3, None)]);
    assert_eq!(weights("2"), [(2, Some(10.0)), (3, Some(100.0)), (4, None)]);
}
