//! The metrics APIs as HTTP clients see them.

use serde_json::{Value, json};

use super::play::*;
use crate::sim::cluster::Identity;
use crate::sim::routes::{Answer, ApiRequest, Front, measured, rbac};

fn ask_as(play: &mut Play, front: &mut Front, who: Identity, path: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = ApiRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        accept: "application/json".to_owned(),
        identity: who,
        ..ApiRequest::default()
    };
    let answer = measured(&request).and_then(|asked| play.simulation.ask_metrics_apis(&asked));
    let served = front.handle_measured(&mut play.simulation.cluster, &request, answer, &mut || panic!("a watch"));
    let Answer::Whole(reply) = served.answer else { panic!("{served:?}") };
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
}

fn ask(play: &mut Play, path: &str) -> (u16, Value) {
    ask_as(play, &mut Front::default(), Identity::user("tester"), path)
}

fn web() -> Play {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 2));
    play.rest();
    play.pass(30);
    play
}

fn pods(play: &mut Play, path: &str) -> Vec<(String, Value)> {
    let (status, list) = ask(play, &format!("/apis/metrics.k8s.io/v1beta1{path}"));
    assert_eq!((status, &list["kind"]), (200, &json!("PodMetricsList")), "{list}");
    let item = |item: &Value| (item["metadata"]["name"].as_str().unwrap().to_owned(), item["containers"][0].clone());
    list["items"].as_array().unwrap().iter().map(item).collect()
}

#[test]
fn pods_have_metrics_once_they_have_run_for_a_window() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 1));
    play.pass(10);
    assert_eq!(play.ready_pods(), 1);
    assert_eq!(pods(&mut play, "/namespaces/default/pods"), []);
    play.pass(35);
    let found = pods(&mut play, "/namespaces/default/pods");
    assert_eq!(found[0].1, json!({ "name": "web", "usage": { "cpu": "5m", "memory": "64Mi" } }));
    let name = found[0].0.clone();
    let (status, one) = ask(&mut play, &format!("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/{name}"));
    assert_eq!((status, &one["kind"], &one["window"]), (200, &json!("PodMetrics"), &json!("15s")));
    assert_eq!(pods(&mut play, "/pods?labelSelector=app%3Dweb").len(), 1);
    assert_eq!(pods(&mut play, "/pods?labelSelector=app%3Dother").len(), 0);
    let (status, none) = ask(&mut play, "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/gone");
    assert_eq!((status, &none["message"]), (404, &json!("podmetrics.metrics.k8s.io \"default/gone\" not found")));
}

#[test]
fn a_node_uses_what_its_pods_use_and_a_silent_one_says_nothing() {
    let mut play = web();
    let node = play.list("pods")[0]["spec"]["nodeName"].as_str().unwrap().to_owned();
    let count = play.list("pods").iter().filter(|pod| pod["spec"]["nodeName"] == node.as_str()).count();
    let (status, found) = ask(&mut play, &format!("/apis/metrics.k8s.io/v1beta1/nodes/{node}"));
    assert_eq!((status, &found["kind"]), (200, &json!("NodeMetrics")));
    assert_eq!(found["usage"], json!({ "cpu": format!("{}m", 5 * count), "memory": format!("{}Mi", 64 * count) }));
    play.simulation.kill_node(&node).unwrap();
    assert_eq!(ask(&mut play, &format!("/apis/metrics.k8s.io/v1beta1/nodes/{node}")).0, 404);
    let (_, all) = ask(&mut play, "/apis/metrics.k8s.io/v1beta1/nodes");
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    assert_eq!(pods(&mut play, "/pods").len(), 2 - count);
}

#[test]
fn custom_metrics_are_asked_for_by_object() {
    let mut play = web();
    let name = play.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    play.simulation.set_pod_metric("default", &name, "jobs", Some(1500));
    let at = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/default";
    let (status, list) = ask(&mut play, &format!("{at}/pods/*/jobs"));
    assert_eq!((status, &list["kind"]), (200, &json!("MetricValueList")), "{list}");
    let item = &list["items"][0];
    assert_eq!(item["describedObject"], json!({ "kind": "Pod", "namespace": "default", "name": name, "apiVersion": "/v1" }));
    assert_eq!((&item["metricName"], &item["value"]), (&json!("jobs"), &json!("1500m")));
    assert_eq!(ask(&mut play, &format!("{at}/pods/*/jobs?labelSelector=app%3Dother")).1["items"], json!([]));
    assert_eq!(ask(&mut play, &format!("{at}/pods/{name}/jobs")).0, 200);
    let (status, none) = ask(&mut play, &format!("{at}/pods/*/tasks"));
    assert_eq!((status, &none["message"]), (404, &json!("the server could not find the metric tasks for pods")));
    play.simulation.set_object_metric("deployments.apps", "default", "web", "jobs", Some(7000));
    let (_, of_deployment) = ask(&mut play, &format!("{at}/deployments.apps/web/jobs"));
    assert_eq!(of_deployment["items"][0]["describedObject"]["apiVersion"], "apps/v1");
    play.simulation.set_object_metric("namespaces", "", "default", "jobs", Some(9000));
    let (status, of_namespace) = ask(&mut play, &format!("{at}/metrics/jobs"));
    assert_eq!((status, &of_namespace["items"][0]["value"]), (200, &json!("9")), "{of_namespace}");
}

#[test]
fn external_metrics_are_lists_that_may_be_empty() {
    let mut play = web();
    let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/depth";
    assert_eq!(ask(&mut play, path).0, 404);
    play.simulation.set_external_metric("default", "depth", &[("queue", "jobs")], Some(3000));
    let (status, list) = ask(&mut play, path);
    assert_eq!((status, &list["kind"]), (200, &json!("ExternalMetricValueList")));
    assert_eq!((&list["items"][0]["metricLabels"], &list["items"][0]["value"]), (&json!({ "queue": "jobs" }), &json!("3")));
    assert_eq!(ask(&mut play, &format!("{path}?labelSelector=queue%3Dmails")).1["items"], json!([]));
    assert_eq!(ask(&mut play, &format!("{path}?labelSelector=%3D%3D")).0, 400);
}

#[test]
fn discovery_names_the_apis_where_somebody_measures_and_only_there() {
    let mut play = web();
    let (status, list) = ask(&mut play, "/apis/metrics.k8s.io/v1beta1");
    assert_eq!(status, 200);
    let names: Vec<&Value> = list["resources"].as_array().unwrap().iter().map(|resource| &resource["name"]).collect();
    assert_eq!(names, ["nodes", "pods"]);
    for group in ["custom.metrics.k8s.io", "external.metrics.k8s.io"] {
        let (status, found) = ask(&mut play, &format!("/apis/{group}"));
        assert_eq!((status, &found["preferredVersion"]["version"]), (200, &json!("v1beta1")));
    }
    let mut bare = Play { simulation: crate::sim::simulation::Simulation::without_actors(1, epoch()) };
    assert_eq!(ask(&mut bare, "/apis/metrics.k8s.io/v1beta1").0, 404);
    assert_eq!(ask(&mut bare, "/apis/metrics.k8s.io/v1beta1/pods").0, 404);
}

#[test]
fn who_may_not_read_metrics_does_not() {
    let mut play = web();
    rbac::bootstrap(&mut play.simulation.cluster).unwrap();
    let mut front = Front::default();
    front.roles = true;
    let path = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
    let (status, refused) = ask_as(&mut play, &mut front, Identity::user("eve"), path);
    assert_eq!(status, 403);
    assert!(refused["message"].as_str().unwrap().contains("cannot list resource \"pods\" in API group \"metrics.k8s.io\""), "{refused}");
    let mut root = Identity::user("root");
    root.groups.push("system:masters".to_owned());
    assert_eq!(ask_as(&mut play, &mut front, root, path).0, 200);
    play.rest();
    let group = "rbac.authorization.k8s.io";
    let subject = json!({ "apiGroup": group, "kind": "User", "name": "eve" });
    let role = json!({ "apiGroup": group, "kind": "ClusterRole", "name": "view" });
    let binding = json!({ "metadata": { "name": "eve", "namespace": "default" }, "roleRef": role, "subjects": [subject] });
    play.create("rolebindings.rbac.authorization.k8s.io", binding);
    assert_eq!(ask_as(&mut play, &mut front, Identity::user("eve"), path).0, 200, "who may view may see metrics");
}
