//! Worlds for the tests: two versions of a server behind Services and a gateway.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::sim::promql::respond;
use crate::sim::service::World as _;
use crate::sim::traffic::truth::Tally;
use crate::sim::world::play::Play;

/// A Deployment of so many replicas with its Service, ready about a second after it started.
pub fn server(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}, version: {name}-1}}}}
    spec:
      containers:
      - {{name: server, image: registry.example.com/{name}:1, ports: [{{containerPort: 8000}}], readinessProbe: {{tcpSocket: {{port: 8000}}, periodSeconds: 1}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: 8000}}]}}
---
"
    )
}

/// A gateway and an HTTPRoute for `chat.example.com` with these rules, in the flow style of YAML.
pub fn route(rules: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: public}}
spec: {{gatewayClassName: any, listeners: [{{name: http, port: 80, protocol: HTTP, hostname: '*.example.com'}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: chat}}
spec: {{parentRefs: [{{name: public}}], hostnames: [chat.example.com], rules: {rules}}}
---
"
    )
}

/// Both servers and a route that splits between them.
pub fn split(old: u32, new: u32) -> String {
    let rules = format!("[{{backendRefs: [{{name: old, port: 80, weight: {old}}}, {{name: new, port: 80, weight: {new}}}]}}]");
    format!("{}{}{}", server("old", 2), server("new", 1), route(&rules))
}

/// A world that has begun, of a spec and documents.
pub fn started(seed: u64, spec: &str, documents: &str) -> Play {
    let mut play = Play::of_text(seed, spec, documents);
    play.begin().unwrap();
    play
}

/// Lets time pass up to so many minutes after the start.
pub fn to(play: &mut Play, minutes: i64) {
    let at = play.start() + SignedDuration::from_mins(minutes);
    play.advance(at);
}

/// Everything that happened to requests at the pods of a server.
pub fn at_pods(play: &Play, server: &str) -> Tally {
    let pods = &play.simulation.traffic().unwrap().truth().pods;
    let own = pods.iter().filter(|(pod, _)| pod.starts_with(&format!("default/{server}-")));
    own.fold(Tally::default(), |sum, (_, tally)| add(sum, *tally))
}

fn add(one: Tally, other: Tally) -> Tally {
    Tally {
        arrived: one.arrived + other.arrived,
        answered: one.answered + other.answered,
        failed: one.failed + other.failed,
        refused: one.refused + other.refused,
        timed_out: one.timed_out + other.timed_out,
        broken: one.broken + other.broken,
        unrouted: one.unrouted + other.unrouted,
        unserved: one.unserved + other.unserved,
        misrouted: one.misrouted + other.misrouted,
        waiting: one.waiting + other.waiting,
    }
}

/// What happened to the requests of the first demand.
pub fn demanded(play: &Play) -> Tally {
    play.simulation.traffic().unwrap().truth().demands[0]
}

/// Values of an instant query now.
pub fn asked(play: &Play, query: &str) -> Vec<f64> {
    let traffic = play.simulation.traffic().unwrap();
    let now: Timestamp = play.start() + play.elapsed();
    let parameters = [("query".to_owned(), query.to_owned())];
    let (status, body) = respond(traffic.storage(), now.as_millisecond(), "/api/v1/query", &parameters);
    assert_eq!(status, 200, "{body}");
    let items = body["data"]["result"].as_array().unwrap().iter();
    items.filter_map(|item| item["value"][1].as_str().and_then(|text| text.parse().ok())).collect()
}

/// The one value of an instant query now.
pub fn value(play: &Play, query: &str) -> f64 {
    match asked(play, query).as_slice() {
        [value] => *value,
        other => panic!("{query} gives {other:?}"),
    }
}

/// Labels of the series that a query selects.
pub fn labels(play: &Play, query: &str) -> Vec<Value> {
    let traffic = play.simulation.traffic().unwrap();
    let now: Timestamp = play.start() + play.elapsed();
    let parameters = [("query".to_owned(), query.to_owned())];
    let (_, body) = respond(traffic.storage(), now.as_millisecond(), "/api/v1/query", &parameters);
    body["data"]["result"].as_array().unwrap().iter().map(|item| item["metric"].clone()).collect()
}
