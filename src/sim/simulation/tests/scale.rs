//! Quiet, order and size: what must hold of the simulation as a whole.

use serde_json::{Value, json};

use super::play::*;
use crate::sim::actors::nodes::machine::NodeGroup;
use crate::sim::simulation::Settings;

/// What a run leaves behind, and all that happened on the way.
fn trace(seed: u64) -> Vec<String> {
    let settings = Settings { pod_profiles: vec![profile(3, 5)], ..Settings::default() };
    let mut simulation = crate::sim::simulation::Simulation::with(seed, epoch(), settings);
    let limit = epoch() + seconds(900);
    simulation.run_until_quiet(limit);
    let mut play = Play { simulation };
    play.create("services", service("web", "web"));
    play.create(DEPLOYMENTS, deployment("web", 5));
    play.pass(20);
    play.patch(DEPLOYMENTS, "web", image("web:2"));
    play.rest();
    let resources = [DEPLOYMENTS, SETS, "pods", SLICES, "events"];
    resources.iter().flat_map(|resource| play.list(resource)).map(|object| object.to_string()).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

#[test]
fn a_cluster_at_rest_writes_nothing_for_a_day() {
    let mut play = Play::quick();
    play.create("services", service("web", "web"));
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.rest();
    let (revision, events) = (play.simulation.cluster.revision(), play.list("events").len() as u64);
    assert!(play.simulation.schedule().is_empty());
    play.pass(86_400);
    // Events go after an hour, each by itself.
    assert_eq!(play.simulation.cluster.revision(), revision + events);
    assert!(play.list("events").is_empty());
}

#[test]
fn events_can_be_switched_off() {
    let mut play = Play::with(Settings { events: false, ..Settings::default() });
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.rest();
    assert!(play.list("events").is_empty());
}

#[test]
fn many_equal_events_are_few_objects() {
    let mut play = Play::large(2, 110);
    play.create(DEPLOYMENTS, deployment("web", 150));
    play.rest();
    let events = play.list("events");
    let about: Vec<&Value> = events.iter().map(|event| event.as_ref()).filter(|event| event["reason"] == "SuccessfulCreate").collect();
    let sum: i64 = about.iter().map(|event| event["count"].as_i64().unwrap()).sum();
    assert_eq!((about.len(), sum), (10, 25));
}

#[test]
fn a_cluster_without_actors_does_nothing() {
    let mut simulation = crate::sim::simulation::Simulation::without_actors(1, epoch());
    simulation.advance(epoch() + seconds(60));
    let mut play = Play { simulation };
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.pass(60);
    assert!(play.list(SETS).is_empty());
}

#[test]
fn two_hundred_deployments_come_to_rest() {
    let wanted = std::env::var("DEPLOYMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let group = NodeGroup { count: 10, cpu: "1000".to_owned(), pods: 1000, ..NodeGroup::default() };
    let settings = Settings { nodes: vec![group], pod_profiles: vec![profile(1, 1)], events: false, ..Settings::default() };
    let mut play = Play::with(settings);
    for number in 0..wanted {
        play.create(DEPLOYMENTS, deployment(&format!("d{number:05}"), 2));
    }
    play.rest();
    assert_eq!(play.ready_pods(), wanted * 2);
    let done = play.list(DEPLOYMENTS).iter().filter(|deployment| why(deployment, "Progressing") == "NewReplicaSetAvailable").count();
    assert_eq!(done, wanted);
    assert_eq!(play.list(DEPLOYMENTS)[0]["status"]["terminatingReplicas"], json!(0));
}
