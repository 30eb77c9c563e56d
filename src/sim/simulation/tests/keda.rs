//! The double of KEDA with the real autoscaler behind it.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::play::*;
use crate::sim::cluster::Propagation;
use crate::sim::keda_api;
use crate::sim::simulation::Settings;
use crate::sim::world::play as world;

const AUTOSCALERS: &str = "horizontalpodautoscalers.autoscaling";
const SCALED: &str = "scaledobjects.keda.sh";

/// A Deployment `web` of so many, and a ScaledObject of it by `depth`, 10 for each pod.
fn play(replicas: i64, spec: &Value) -> Play {
    let mut play = Play::with(Settings { pod_profiles: vec![profile(1, 1)], keda: true, ..Settings::default() });
    for definition in keda_api::definitions() {
        play.create("customresourcedefinitions.apiextensions.k8s.io", definition);
    }
    play.rest();
    play.create(DEPLOYMENTS, deployment("web", replicas));
    play.rest();
    let trigger =
        json!({ "type": "prometheus", "metadata": { "serverAddress": "http://prometheus", "query": "sum(depth)", "threshold": "10" } });
    let mut scaled = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": "web", "namespace": "default" },
        "spec": { "scaleTargetRef": { "name": "web" }, "triggers": [trigger] },
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        scaled["spec"][field] = value.clone();
    }
    play.create(SCALED, scaled);
    play
}

fn depth(play: &mut Play, depth: i64) {
    play.simulation.set_external_metric("default", "s0-prometheus", &[], Some(depth * 1000));
}

fn replicas(play: &Play) -> i64 {
    play.get(DEPLOYMENTS, "web")["spec"]["replicas"].as_i64().unwrap()
}

fn annotate(play: &mut Play, key: &str, value: Value) {
    play.patch(SCALED, "web", json!({ "metadata": { "annotations": { key: value } } }));
}

#[test]
fn every_scaled_object_has_an_autoscaler_and_says_so() {
    let mut play = play(1, &json!({ "minReplicaCount": 1, "maxReplicaCount": 7 }));
    depth(&mut play, 10);
    play.pass(40);
    let autoscaler = play.get(AUTOSCALERS, "keda-hpa-web");
    let spec = &autoscaler["spec"];
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(1), &json!(7)));
    assert_eq!(spec["scaleTargetRef"], json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" }));
    let metric = json!({ "name": "s0-prometheus", "selector": { "matchLabels": { "scaledobject.keda.sh/name": "web" } } });
    let target = json!({ "type": "AverageValue", "averageValue": "10" });
    assert_eq!(spec["metrics"], json!([{ "type": "External", "external": { "metric": metric, "target": target } }]));
    assert_eq!(why(&autoscaler, "ScalingActive"), "ValidMetricFound");
    let scaled = play.get(SCALED, "web");
    assert_eq!(autoscaler["metadata"]["ownerReferences"][0]["uid"], scaled["metadata"]["uid"]);
    assert_eq!((is(&scaled, "Ready"), is(&scaled, "Active"), is(&scaled, "Paused")), ("True", "True", "False"));
    assert_eq!(scaled["status"]["externalMetricNames"], json!(["s0-prometheus"]));
    assert_eq!(
        (&scaled["status"]["hpaName"], &scaled["status"]["scaleTargetKind"]),
        (&json!("keda-hpa-web"), &json!("apps/v1.Deployment"))
    );
    assert_eq!(scaled["metadata"]["finalizers"], json!(["finalizer.keda.sh"]));
}

#[test]
fn work_wakes_the_target_and_its_end_puts_it_to_rest_after_the_cooldown() {
    let mut play = play(0, &json!({ "pollingInterval": 10, "cooldownPeriod": 120 }));
    depth(&mut play, 0);
    play.rest();
    assert_eq!((replicas(&play), is(&play.get(SCALED, "web"), "Active")), (0, "False"));
    assert_eq!(why(&play.get(AUTOSCALERS, "keda-hpa-web"), "ScalingActive"), "ScalingDisabled");
    depth(&mut play, 35);
    play.pass(11);
    assert_eq!(replicas(&play), 1, "KEDA goes from none to one");
    assert!(play.reasons("web").contains(&"KEDAScaleTargetActivated".to_owned()));
    play.pass(30);
    assert_eq!(replicas(&play), 4, "and the autoscaler on from there");
    depth(&mut play, 0);
    play.pass(60);
    assert_eq!((replicas(&play), why(&play.get(SCALED, "web"), "Active")), (4, "ScalerCooldown"));
    assert!(!play.simulation.is_quiet());
    play.pass(80);
    assert_eq!(replicas(&play), 0, "from four to none at once: the cooldown is KEDA's, not the autoscaler's");
    play.rest();
    assert_eq!(play.ready_pods(), 0);
}

#[test]
fn a_threshold_of_activation_is_to_be_exceeded() {
    let trigger = json!({ "type": "prometheus", "metadata": { "query": "sum(depth)", "threshold": "10", "activationThreshold": "5" } });
    let mut play = play(0, &json!({ "triggers": [trigger] }));
    depth(&mut play, 5);
    play.pass(60);
    assert_eq!(replicas(&play), 0);
    depth(&mut play, 6);
    play.pass(31);
    assert_eq!(replicas(&play), 1);
}

#[test]
fn a_pause_takes_the_autoscaler_away_and_holds_the_number_that_it_names() {
    let mut play = play(1, &json!({ "minReplicaCount": 1 }));
    depth(&mut play, 30);
    play.pass(40);
    assert_eq!(replicas(&play), 3);
    annotate(&mut play, "autoscaling.keda.sh/paused-replicas", json!("5"));
    play.pass(60);
    assert_eq!((replicas(&play), play.find(AUTOSCALERS, "keda-hpa-web")), (5, None));
    let scaled = play.get(SCALED, "web");
    assert_eq!((is(&scaled, "Paused"), &scaled["status"]["pausedReplicaCount"]), ("True", &json!(5)));
    annotate(&mut play, "autoscaling.keda.sh/paused-replicas", Value::Null);
    annotate(&mut play, "autoscaling.keda.sh/paused", json!("true"));
    depth(&mut play, 90);
    play.pass(60);
    assert_eq!((replicas(&play), play.find(AUTOSCALERS, "keda-hpa-web")), (5, None), "paused as it stands");
    annotate(&mut play, "autoscaling.keda.sh/paused", json!("false"));
    play.pass(60);
    assert_eq!((replicas(&play), is(&play.get(SCALED, "web"), "Paused")), (9, "False"));
    assert!(play.reasons("web").contains(&"ScaledObjectUnpaused".to_owned()));
}

#[test]
fn one_direction_may_be_paused() {
    let mut play = play(2, &json!({ "minReplicaCount": 1 }));
    annotate(&mut play, "autoscaling.keda.sh/paused-scale-out", json!("true"));
    depth(&mut play, 90);
    play.pass(60);
    assert_eq!(replicas(&play), 2);
    assert_eq!(play.get(AUTOSCALERS, "keda-hpa-web")["spec"]["behavior"]["scaleUp"]["selectPolicy"], "Disabled");
    annotate(&mut play, "autoscaling.keda.sh/paused-scale-out", Value::Null);
    play.pass(60);
    assert_eq!((replicas(&play), &play.get(AUTOSCALERS, "keda-hpa-web")["spec"]["behavior"]), (9, &Value::Null));
}

#[test]
fn what_it_does_not_understand_it_refuses_in_its_condition() {
    let message = |spec: Value| {
        let mut play = play(1, &spec);
        play.pass(5);
        let scaled = play.get(SCALED, "web");
        assert_eq!(
            (is(&scaled, "Ready"), why(&scaled, "Ready"), play.find(AUTOSCALERS, "keda-hpa-web")),
            ("False", "ScaledObjectCheckFailed", None)
        );
        scaled["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Ready").unwrap()["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(message(json!({ "triggers": [{ "type": "kafka", "metadata": {} }] })).ends_with("no scaler found for type: kafka"));
    assert!(
        message(json!({ "minReplicaCount": 5, "maxReplicaCount": 2 })).ends_with("MinReplicaCount=5 must be less than MaxReplicaCount=2")
    );
    assert!(message(json!({ "scaleTargetRef": { "name": "gone" } })).ends_with("deployments.apps \"gone\" not found"));
    let broken = json!({ "type": "prometheus", "metadata": { "query": "sum(", "threshold": "1" } });
    assert!(message(json!({ "triggers": [broken] })).contains("error parsing prometheus metadata: query"));
}

#[test]
fn an_autoscaler_that_is_edited_or_deleted_comes_back_as_it_was() {
    let mut play = play(1, &json!({ "minReplicaCount": 1, "maxReplicaCount": 7 }));
    depth(&mut play, 10);
    play.pass(20);
    play.patch(AUTOSCALERS, "keda-hpa-web", json!({ "spec": { "maxReplicas": 50 } }));
    play.pass(2);
    assert_eq!(play.get(AUTOSCALERS, "keda-hpa-web")["spec"]["maxReplicas"], 7);
    play.delete(AUTOSCALERS, "keda-hpa-web", Propagation::Background);
    play.pass(2);
    assert_eq!(play.get(AUTOSCALERS, "keda-hpa-web")["spec"]["maxReplicas"], 7);
    play.rest();
    let revision = play.simulation.cluster.revision();
    play.pass(300);
    // Of a settled one only the time of its last activity changes.
    assert!(play.simulation.cluster.revision() - revision <= 10, "{}", play.simulation.cluster.revision() - revision);
}

#[test]
fn a_deleted_scaled_object_leaves_no_autoscaler() {
    let mut play = play(1, &json!({ "minReplicaCount": 1 }));
    depth(&mut play, 10);
    play.pass(20);
    play.delete(SCALED, "web", Propagation::Background);
    play.rest();
    assert_eq!((play.find(SCALED, "web"), play.find(AUTOSCALERS, "keda-hpa-web")), (None, None));
    assert_eq!(replicas(&play), 1);
}

#[test]
fn in_a_world_its_queries_are_those_of_the_scraped_metrics() {
    let documents = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: server, image: 'registry.example.com/web:1', ports: [{containerPort: 8000}], readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: web}
spec:
  scaleTargetRef: {name: web}
  minReplicaCount: 1
  triggers: [{type: prometheus, metadata: {query: 'sum(rate(http_server_request_duration_seconds_count[1m]))', threshold: '25'}}]
";
    let mut play = world::Play::of_text(5, "keda: true\ntraffic: [{service: default/web, requestsPerSecond: 60}]\n", documents);
    play.begin().unwrap();
    let at = play.start() + SignedDuration::from_mins(15);
    crate::sim::service::World::advance(&mut play, at);
    assert_eq!(play.simulation.cluster.get(DEPLOYMENTS, "default", "web").unwrap()["spec"]["replicas"], 3);
    assert_eq!(is(&play.simulation.cluster.get(SCALED, "default", "web").unwrap(), "Active"), "True");
}
