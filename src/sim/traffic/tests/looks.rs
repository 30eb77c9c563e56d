//! Looking at what changed gives what looking at everything gives.

use serde_json::{Value, json};

use super::stage::*;
use crate::sim::actors::client::administrator;
use crate::sim::cluster::{DeleteOptions, Patch, WriteOptions};
use crate::sim::world::play::Play;

const SPEC: &str = "gateway: {}
traffic:
- {host: chat.example.com, requestsPerSecond: 10}
- {host: other.example.com, requestsPerSecond: 10}
- {service: default/old, requestsPerSecond: 10}
- {service: default/new, requestsPerSecond: 10}
";

fn known(play: &Play) -> String {
    let traffic = play.simulation.traffic().unwrap();
    let facts: Vec<_> = traffic.pods.values().map(|pod| &pod.facts).collect();
    format!("{:#?} {facts:#?}", traffic.plans.as_ref().map(|plans| &plans.plans))
}

fn patch(play: &mut Play, resource: &str, name: &str, change: Value) {
    let options = WriteOptions::manager("test");
    play.simulation.cluster.patch(&administrator(), resource, "default", name, None, Patch::Merge(change), &options).unwrap();
    play.simulation.settle();
}

fn delete(play: &mut Play, resource: &str, name: &str) {
    play.simulation.cluster.delete(&administrator(), resource, "default", name, &DeleteOptions::default()).unwrap();
    play.simulation.settle();
}

/// One thing after the other, a minute each.
fn happens(play: &mut Play, minute: i64) {
    const ROUTES: &str = "httproutes.gateway.networking.k8s.io";
    match minute {
        2 => patch(play, "deployments.apps", "old", json!({"spec": {"replicas": 4}})),
        4 => patch(play, ROUTES, "chat", json!({"spec": {"hostnames": ["other.example.com"]}})),
        6 => patch(play, ROUTES, "chat", json!({"spec": {"hostnames": null}})),
        8 => patch(play, "services", "new", json!({"spec": {"ports": [{"port": 81, "targetPort": 8000}]}})),
        10 => patch(play, "services", "new", json!({"spec": {"ports": [{"port": 80, "targetPort": 8000}]}})),
        12 => patch(play, ROUTES, "chat", json!({"spec": {"parentRefs": [{"group": "", "kind": "Service", "name": "old", "port": 80}]}})),
        14 => patch(play, ROUTES, "chat", json!({"spec": {"parentRefs": [{"name": "public"}]}})),
        16 => {
            let listeners = json!([{"name": "http", "port": 80, "protocol": "HTTP", "hostname": "other.example.com"}]);
            patch(play, "gateways.gateway.networking.k8s.io", "public", json!({"spec": {"listeners": listeners}}));
        }
        18 => patch(play, "deployments.apps", "new", json!({"spec": {"replicas": 0}})),
        20 => delete(play, "services", "new"),
        22 => delete(play, "gateways.gateway.networking.k8s.io", "public"),
        24 => delete(play, ROUTES, "chat"),
        26 => drop(play.simulation.kill_node("node-1")),
        _ => {}
    }
}

#[test]
fn a_look_at_what_changed_finds_what_a_look_at_everything_finds() {
    let mut play = started(1, SPEC, &split(80, 20));
    let mut all = std::collections::BTreeSet::new();
    for minute in 1..40 {
        to(&mut play, minute);
        happens(&mut play, minute);
        play.simulation.refresh_traffic();
        let changed = known(&play);
        play.simulation.forget_traffic_plans();
        play.simulation.refresh_traffic();
        assert_eq!(changed, known(&play), "in minute {minute}");
        all.insert(changed);
    }
    assert!(all.len() >= 10, "{} different plans: something happened", all.len());
}
