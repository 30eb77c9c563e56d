//! From a Deployment to endpoints.

use serde_json::json;

use super::play::*;

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
