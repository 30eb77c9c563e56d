//! Machines: starting, failing and scheduling of pods, loss of nodes.

use serde_json::{Value, json};

use super::play::*;
use crate::sim::actors::nodes::machine::NodeGroup;
use crate::sim::actors::pods::profile::{Failure, PodProfile};
use crate::sim::simulation::Settings;

fn failing(failure: Option<Failure>) -> Vec<PodProfile> {
    vec![PodProfile { failure, ..profile(1, 1) }]
}

fn with_failure(failure: Failure) -> Play {
    Play::with(Settings { pod_profiles: failing(Some(failure)), ..Settings::default() })
}

fn container(play: &Play) -> Value {
    play.list("pods")[0]["status"]["containerStatuses"][0].clone()
}

#[test]
fn a_pod_takes_its_time_to_pull_and_load() {
    let mut play = Play::with(Settings { pod_profiles: vec![profile(20, 40)], ..Settings::default() });
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.pass(10);
    assert_eq!(container(&play)["state"]["waiting"]["reason"], "ContainerCreating");
    play.pass(15);
    let pod = play.list("pods")[0].clone();
    assert_eq!((&pod["status"]["phase"], is(&pod, "Ready")), (&json!("Running"), "False"));
    assert!(pod["status"]["podIP"].is_string());
    play.pass(40);
    assert_eq!(play.ready_pods(), 1);
    // The second pod on a node finds the image there.
    play.patch(DEPLOYMENTS, "web", json!({ "spec": { "replicas": 9 } }));
    play.pass(42);
    assert!(play.ready_pods() >= 3, "{}", play.ready_pods());
    play.rest();
    assert_eq!(play.ready_pods(), 9);
}

#[test]
fn a_crash_loop_is_seen_and_ends_when_the_profile_changes() {
    let crash = Failure::Crash { after: seconds(5), exit_code: 137, reason: "OOMKilled".to_owned(), times: None };
    let mut play = with_failure(crash);
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.pass(120);
    let status = container(&play);
    assert!(status["restartCount"].as_i64().unwrap() >= 3, "{status:#}");
    assert_eq!(status["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(status["lastState"]["terminated"]["reason"], "OOMKilled");
    assert_eq!(play.list("pods")[0]["status"]["phase"], "Running");
    play.simulation.set_pod_profiles(failing(None));
    play.rest();
    assert_eq!(play.ready_pods(), 1);
}

#[test]
fn an_image_that_cannot_be_pulled_is_tried_again() {
    let mut play = with_failure(Failure::ImagePull { message: "manifest unknown".to_owned(), times: Some(3) });
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.pass(6);
    assert_eq!(container(&play)["state"]["waiting"]["reason"], "ImagePullBackOff");
    play.rest();
    assert_eq!(play.ready_pods(), 1);
    assert_eq!(container(&play)["restartCount"], 0);
}

#[test]
fn a_pod_that_never_gets_ready_runs() {
    let mut play = with_failure(Failure::NeverReady);
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.rest();
    let pod = play.list("pods")[0].clone();
    assert_eq!((&pod["status"]["phase"], why(&pod, "Ready")), (&json!("Running"), "ContainersNotReady"));
    assert_eq!(why(&play.get(DEPLOYMENTS, "web"), "Progressing"), "ProgressDeadlineExceeded");
}

#[test]
fn an_impatient_startup_probe_makes_a_crash_loop_of_a_slow_load() {
    let mut play = Play::with(Settings { pod_profiles: vec![profile(1, 60)], ..Settings::default() });
    let mut made = deployment("web", 1);
    let probe = json!({ "tcpSocket": { "port": 8080 }, "periodSeconds": 5, "failureThreshold": 3 });
    made["spec"]["template"]["spec"]["containers"][0]["startupProbe"] = probe;
    play.create(DEPLOYMENTS, made);
    play.pass(120);
    assert_eq!(play.ready_pods(), 0);
    assert!(container(&play)["restartCount"].as_i64().unwrap() >= 2);
    let pod = play.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(play.reasons(&pod).iter().any(|reason| reason == "Unhealthy"));
}

#[test]
fn a_pod_evicted_by_its_node_fails_and_is_replaced() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.rest();
    let pod = play.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    play.simulation.evict_pod_by_node("default", &pod, "memory").unwrap();
    play.rest();
    let evicted = play.get("pods", &pod);
    assert_eq!((&evicted["status"]["phase"], &evicted["status"]["reason"]), (&json!("Failed"), &json!("Evicted")));
    assert_eq!((play.list("pods").len(), play.ready_pods()), (2, 1));
}

#[test]
fn a_pod_that_fits_nowhere_says_so_and_is_placed_when_there_is_room() {
    let group = NodeGroup { count: 1, gpus: 1, ..NodeGroup::default() };
    let mut play = Play::with(Settings { nodes: vec![group.clone()], pod_profiles: vec![profile(1, 1)], ..Settings::default() });
    let mut made = deployment("web", 2);
    let resources = json!({ "requests": { "nvidia.com/gpu": "1" }, "limits": { "nvidia.com/gpu": "1" } });
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = resources;
    play.create(DEPLOYMENTS, made);
    play.rest();
    let pods = play.list("pods");
    let waiting = pods.iter().find(|pod| is(pod, "PodScheduled") == "False").unwrap();
    assert_eq!(why(waiting, "PodScheduled"), "Unschedulable");
    let message = crate::sim::actors::object::condition(waiting, "PodScheduled").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("0/1 nodes are available: 1 Insufficient nvidia.com/gpu. "), "{message}");
    assert!(play.reasons(waiting["metadata"]["name"].as_str().unwrap()).contains(&"FailedScheduling".to_owned()));
    play.simulation.add_nodes(&group).unwrap();
    play.rest();
    assert_eq!(play.ready_pods(), 2);
}

#[test]
fn pods_of_a_silent_node_are_replaced_and_vanish_when_it_is_back() {
    let mut play = Play::quick();
    play.create("services", service("web", "web"));
    let mut made = deployment("web", 3);
    let tolerations = ["not-ready", "unreachable"].map(
        |key| json!({ "key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }),
    );
    made["spec"]["template"]["spec"]["tolerations"] = json!(tolerations);
    play.create(DEPLOYMENTS, made);
    play.rest();
    let lost = play.list("pods")[0].clone();
    let node = lost["spec"]["nodeName"].as_str().unwrap().to_owned();
    play.simulation.kill_node(&node).unwrap();
    play.pass(45);
    assert_eq!(play.ready_pods(), 3);
    play.pass(15);
    assert_eq!((is(&play.get("nodes", &node), "Ready"), play.ready_pods()), ("Unknown", 2));
    play.pass(280);
    assert_eq!(play.list("pods").len(), 3);
    play.pass(60);
    assert_eq!((play.list("pods").len(), play.ready_pods()), (4, 3));
    let name = lost["metadata"]["name"].as_str().unwrap();
    assert!(play.get("pods", name)["metadata"].get("deletionTimestamp").is_some());
    play.simulation.restore_node(&node).unwrap();
    play.rest();
    assert_eq!((play.list("pods").len(), is(&play.get("nodes", &node), "Ready")), (3, "True"));
    let taints = play.get("nodes", &node)["spec"].get("taints").cloned();
    assert!(taints.is_none_or(|taints| taints.as_array().unwrap().is_empty()));
}

#[test]
fn a_short_silence_changes_nothing() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.rest();
    let revision = play.simulation.cluster.revision();
    play.simulation.kill_node("node-1").unwrap();
    play.pass(30);
    play.simulation.restore_node("node-1").unwrap();
    play.rest();
    assert_eq!(play.simulation.cluster.revision(), revision);
}

#[test]
fn pods_of_a_removed_node_are_collected() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.rest();
    let pod = play.list("pods")[0].clone();
    play.simulation.remove_node(pod["spec"]["nodeName"].as_str().unwrap()).unwrap();
    play.rest();
    assert!(play.find("pods", pod["metadata"]["name"].as_str().unwrap()).is_none());
    assert_eq!(play.ready_pods(), 3);
}

#[test]
fn anti_affinity_spreads_pods_over_nodes_and_leaves_the_rest_waiting() {
    let mut play = Play::quick();
    let mut made = deployment("web", 4);
    let term = json!({ "labelSelector": { "matchLabels": { "app": "web" } }, "topologyKey": "kubernetes.io/hostname" });
    made["spec"]["template"]["spec"]["affinity"] =
        json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } });
    play.create(DEPLOYMENTS, made);
    play.rest();
    assert_eq!(play.ready_pods(), 3);
    let nodes: std::collections::BTreeSet<String> =
        play.list("pods").iter().filter_map(|pod| pod["spec"]["nodeName"].as_str().map(str::to_owned)).collect();
    assert_eq!(nodes.len(), 3);
}

#[test]
fn a_hard_spread_constraint_keeps_zones_level() {
    let wide = NodeGroup { count: 1, zones: vec!["a".to_owned()], ..NodeGroup::default() };
    let tight = NodeGroup { name: "tight".to_owned(), pods: 2, zones: vec!["b".to_owned()], ..wide.clone() };
    let mut play = Play::with(Settings { nodes: vec![wide, tight], pod_profiles: vec![profile(1, 1)], ..Settings::default() });
    let mut made = deployment("web", 6);
    made["spec"]["template"]["spec"]["topologySpreadConstraints"] = json!([{
        "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": { "matchLabels": { "app": "web" } },
    }]);
    play.create(DEPLOYMENTS, made);
    play.rest();
    let on = |node: &str| play.list("pods").iter().filter(|pod| pod["spec"]["nodeName"] == node).count();
    assert_eq!((on("tight-1"), on("node-1")), (2, 3));
    let waiting = play.list("pods").into_iter().find(|pod| is(pod, "PodScheduled") == "False").unwrap();
    let condition = crate::sim::actors::object::condition(&waiting, "PodScheduled").unwrap();
    assert!(condition["message"].as_str().unwrap().contains("1 node(s) didn't match pod topology spread constraints"), "{condition}");
}
