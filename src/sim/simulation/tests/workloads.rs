//! From a Deployment to endpoints.

use serde_json::json;

use super::play::*;
use crate::sim::actors::nodes::machine::NodeGroup;
use crate::sim::simulation::Settings;

#[test]
fn a_deployment_becomes_ready_pods_behind_a_service() {
    let mut play = Play::quick();
    play.create("services", service("web", "web"));
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.rest();
    let deployment = play.get(DEPLOYMENTS, "web");
    let status = &deployment["status"];
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"].map(|field| status[field].as_i64());
    assert_eq!(counts, [Some(3); 4], "{status:#}");
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!((why(&deployment, "Available"), why(&deployment, "Progressing")), ("MinimumReplicasAvailable", "NewReplicaSetAvailable"));
    assert_eq!(deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let slices = play.list(SLICES);
    assert_eq!(slices.len(), 1);
    let endpoints = slices[0]["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 3);
    assert!(endpoints.iter().all(|endpoint| endpoint["conditions"]["ready"] == true));
    assert_eq!(slices[0]["ports"], json!([{ "name": "", "port": 8080, "protocol": "TCP" }]));
    assert_eq!(play.get("endpoints", "web")["subsets"][0]["addresses"].as_array().unwrap().len(), 3);
    let pod = &play.list("pods")[0];
    assert_eq!(pod["status"]["phase"], "Running");
    assert!(pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"].is_string(), "{pod:#}");
}

#[test]
fn row_26_a_matching_orphan_is_adopted_and_then_deleted_by_a_set_of_none() {
    let mut play = Play::quick();
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": "bare", "namespace": "default" },
        "spec": { "replicas": 0, "selector": { "matchLabels": { "app": "web" } }, "template": template("web", "web:1") },
    });
    play.create(SETS, set);
    play.rest();
    let mut pod = template("web", "web:1");
    (pod["apiVersion"], pod["kind"]) = (json!("v1"), json!("Pod"));
    (pod["metadata"]["name"], pod["metadata"]["namespace"]) = (json!("lonely"), json!("default"));
    play.create("pods", pod);
    play.rest();
    assert!(play.find("pods", "lonely").is_none());
    assert_eq!(play.reasons("bare"), ["SuccessfulDelete"]);
}

#[test]
fn a_pod_that_no_longer_matches_is_released_and_replaced() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 2));
    play.rest();
    let name = play.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    play.patch("pods", &name, json!({ "metadata": { "labels": { "app": "quarantined" } } }));
    play.rest();
    let released = play.get("pods", &name);
    assert!(released["metadata"].get("ownerReferences").is_none(), "{released:#}");
    assert_eq!(play.list("pods").len(), 3);
    play.patch("pods", &name, json!({ "metadata": { "labels": { "app": "web" } } }));
    play.rest();
    assert_eq!(play.list("pods").len(), 2);
}

#[test]
fn row_25_scaling_down_takes_from_the_crowded_node() {
    let small = NodeGroup { count: 1, pods: 4, ..NodeGroup::default() };
    let other = NodeGroup { name: "other".to_owned(), count: 1, pods: 2, ..NodeGroup::default() };
    let mut play = Play::with(Settings { nodes: vec![small, other], pod_profiles: vec![profile(1, 1)], ..Settings::default() });
    play.create(DEPLOYMENTS, deployment("web", 6));
    play.rest();
    play.patch(DEPLOYMENTS, "web", json!({ "spec": { "replicas": 4 } }));
    play.rest();
    let on = |node: &str| play.list("pods").iter().filter(|pod| pod["spec"]["nodeName"] == node).count();
    assert_eq!((on("node-1"), on("other-1")), (2, 2));
}

#[test]
fn row_55_a_quota_stops_a_replica_set_until_there_is_room() {
    let mut play = Play::quick();
    let mut single = template("solo", "web:1");
    (single["apiVersion"], single["kind"]) = (json!("v1"), json!("Pod"));
    (single["metadata"]["name"], single["metadata"]["namespace"]) = (json!("solo"), json!("default"));
    play.create("pods", single);
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q", "namespace": "default" },
        "spec": { "hard": { "pods": "3" } },
    });
    play.create("resourcequotas", quota);
    play.rest();
    assert_eq!(play.get("resourcequotas", "q")["status"]["used"]["pods"], "1");
    play.create(DEPLOYMENTS, deployment("web", 5));
    play.pass(30);
    let set = play.list(SETS)[0].clone();
    assert_eq!(set["status"]["replicas"], 2);
    assert_eq!(why(&set, "ReplicaFailure"), "FailedCreate");
    let deployment = play.get(DEPLOYMENTS, "web");
    assert_eq!(why(&deployment, "ReplicaFailure"), "FailedCreate");
    play.patch("resourcequotas", "q", json!({ "spec": { "hard": { "pods": "6" } } }));
    play.rest();
    assert_eq!(play.ready_pods(), 6);
    assert_eq!(is(&play.get(DEPLOYMENTS, "web"), "ReplicaFailure"), "");
}

#[test]
fn min_ready_seconds_delay_availability() {
    let mut play = Play::quick();
    let mut made = deployment("web", 2);
    made["spec"]["minReadySeconds"] = json!(30);
    play.create(DEPLOYMENTS, made);
    play.pass(20);
    let status = play.get(DEPLOYMENTS, "web")["status"].clone();
    assert_eq!((&status["readyReplicas"], status.get("availableReplicas")), (&json!(2), None));
    play.rest();
    assert_eq!(play.get(DEPLOYMENTS, "web")["status"]["availableReplicas"], 2);
}
