//! Endpoints and disruption budgets.

use serde_json::{Value, json};

use super::play::*;

fn sizes(play: &Play) -> Vec<usize> {
    let mut sizes: Vec<usize> = play.list(SLICES).iter().map(|slice| slice["endpoints"].as_array().map_or(0, Vec::len)).collect();
    sizes.sort_unstable();
    sizes
}

fn set(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": "bare", "namespace": "default" },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "web" } }, "template": template("web", "web:1") },
    })
}

#[test]
fn rows_27_and_28_slices_fill_and_are_not_rebalanced() {
    let mut play = Play::large(2, 110);
    play.create(SETS, set(105));
    play.rest();
    assert_eq!(play.ready_pods(), 105);
    play.create("services", service("web", "web"));
    play.rest();
    assert_eq!(sizes(&play), [5, 100]);
    let big = play.list(SLICES).into_iter().find(|slice| slice["endpoints"].as_array().unwrap().len() == 100).unwrap();
    for index in 0..2 {
        let pod = big["endpoints"][index]["targetRef"]["name"].as_str().unwrap().to_owned();
        play.patch("pods", &pod, json!({ "metadata": { "labels": { "app": "away" } } }));
        play.patch(SETS, "bare", json!({ "spec": { "replicas": 104 - index } }));
    }
    play.rest();
    assert_eq!(sizes(&play), [5, 98]);
    play.patch(SETS, "bare", json!({ "spec": { "replicas": 104 } }));
    play.rest();
    assert_eq!(sizes(&play), [5, 99]);
}

#[test]
fn a_selector_change_to_other_pods_is_one_write_of_the_same_slice() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 2));
    play.create(DEPLOYMENTS, deployment("next", 2));
    play.create("services", service("web", "web"));
    play.rest();
    let before = play.list(SLICES);
    play.patch("services", "web", json!({ "spec": { "selector": { "app": "next" } } }));
    play.rest();
    let after = play.list(SLICES);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_eq!(before[0]["metadata"]["uid"], after[0]["metadata"]["uid"]);
    assert!(after[0]["endpoints"][0]["targetRef"]["name"].as_str().unwrap().starts_with("next-"));
    assert_eq!(after[0]["metadata"]["generation"].as_i64(), before[0]["metadata"]["generation"].as_i64().map(|number| number + 1));
}

#[test]
fn a_terminating_pod_serves_but_is_not_ready() {
    let mut slow = profile(1, 1);
    slow.shutdown = seconds(20);
    let settings = crate::sim::simulation::Settings { pod_profiles: vec![slow], ..Default::default() };
    let mut play = Play::with(settings);
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.create("services", service("web", "web"));
    play.rest();
    let pod = play.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    play.simulation.delete_pod("default", &pod, None).unwrap();
    play.pass(10);
    let slice = play.list(SLICES)[0].clone();
    let going = slice["endpoints"].as_array().unwrap().iter().find(|endpoint| endpoint["targetRef"]["name"] == *pod).unwrap().clone();
    assert_eq!(going["conditions"], json!({ "ready": false, "serving": true, "terminating": true }));
    play.rest();
    assert_eq!(sizes(&play), [1]);
}

#[test]
fn a_service_without_pods_has_an_empty_slice_and_a_deleted_one_none() {
    let mut play = Play::quick();
    play.create("services", service("web", "web"));
    play.rest();
    assert_eq!(sizes(&play), [0]);
    assert!(play.find("endpoints", "web").is_some());
    play.delete("services", "web", crate::sim::cluster::Propagation::Background);
    play.rest();
    assert!(play.list(SLICES).is_empty());
    assert!(play.find("endpoints", "web").is_none());
}

#[test]
fn a_foreign_edit_of_a_slice_is_undone() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.create("services", service("web", "web"));
    play.rest();
    let name = play.list(SLICES)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    play.patch(SLICES, &name, json!({ "endpoints": [] }));
    assert_eq!(sizes(&play), [0]);
    play.rest();
    assert_eq!(sizes(&play), [1]);
}

fn budget(spec: Value) -> Value {
    let mut spec = spec;
    spec["selector"] = json!({ "matchLabels": { "app": "web" } });
    json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "web", "namespace": "default" }, "spec": spec })
}

#[test]
fn rows_50_and_53_two_of_seven_may_go_and_then_no_more() {
    let mut slow = profile(1, 1);
    slow.shutdown = seconds(25);
    let settings = crate::sim::simulation::Settings { pod_profiles: vec![slow], ..Default::default() };
    let mut play = Play::with(settings);
    play.create(DEPLOYMENTS, deployment("web", 7));
    play.create(BUDGETS, budget(json!({ "minAvailable": "50%" })));
    play.rest();
    let status = play.get(BUDGETS, "web")["status"].clone();
    let field = |status: &Value, name: &str| status[name].as_i64().unwrap();
    assert_eq!((field(&status, "expectedPods"), field(&status, "desiredHealthy"), field(&status, "disruptionsAllowed")), (7, 4, 3));
    let pods: Vec<String> = play.list("pods").iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    let answers: Vec<Option<u16>> =
        pods.iter().take(4).map(|pod| play.simulation.evict_pod("default", pod).err().map(|error| error.code)).collect();
    assert_eq!(answers, [None, None, None, Some(429)]);
    play.rest();
    let status = play.get(BUDGETS, "web")["status"].clone();
    assert_eq!((field(&status, "currentHealthy"), field(&status, "disruptionsAllowed")), (7, 3));
    assert!(status.get("disruptedPods").is_none(), "{status:#}");
}

#[test]
fn a_drain_waits_for_the_budget() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.create(BUDGETS, budget(json!({ "maxUnavailable": 1 })));
    play.rest();
    let node = play.list("pods")[0]["spec"]["nodeName"].as_str().unwrap().to_owned();
    play.simulation.drain(&node).unwrap();
    for _ in 0..120 {
        play.pass(1);
        assert!(play.ready_pods() >= 2);
    }
    assert!(play.list("pods").iter().all(|pod| pod["spec"]["nodeName"] != *node));
    assert_eq!(play.ready_pods(), 3);
    assert_eq!(play.get("nodes", &node)["spec"]["taints"][0]["key"], "node.kubernetes.io/unschedulable");
    play.simulation.cordon(&node, false).unwrap();
    play.rest();
    let taints = play.get("nodes", &node)["spec"].get("taints").cloned();
    assert!(taints.is_none_or(|taints| taints.as_array().unwrap().is_empty()));
}
