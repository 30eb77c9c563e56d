use super::*;
use crate::sim::service::World as _;

fn started(spec: &str, documents: &str) -> Play {
    let mut play = Play::of_text(1, spec, documents);
    play.begin().unwrap();
    play
}

fn to(play: &mut Play, minutes: i64) {
    let at = play.start() + SignedDuration::from_mins(minutes);
    play.advance(at);
}

fn ready(play: &Play) -> i64 {
    let deployment = play.simulation.cluster.get("deployments.apps", "default", "web").unwrap();
    deployment.pointer("/status/readyReplicas").and_then(serde_json::Value::as_i64).unwrap_or(0)
}

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: registry.example.com/web:1, readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}}
";

fn problems(result: Result<Vec<Verdict>, Problems>) -> Vec<String> {
    result.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn pods_behave_as_their_rule_says() {
    let mut play = started("pods:\n- {selector: {matchLabels: {app: web}}, startup: {pull: 1m, load: 3m, jitter: 0}}", WEB);
    to(&mut play, 3);
    assert_eq!(ready(&play), 0);
    to(&mut play, 5);
    assert_eq!(ready(&play), 2);
    assert_eq!(problems(play.finish(false)), Vec::<String>::new());
}

#[test]
fn a_change_makes_running_pods_fail_and_heal() {
    let spec = "events:\n- {at: 5m, change: {selector: {matchLabels: {app: web}}, failure: {type: NeverReady}}}\n- {at: 10m, change: {selector: {matchLabels: {app: web}}, failure: {type: None}}}";
    let mut play = started(spec, WEB);
    to(&mut play, 4);
    assert_eq!(ready(&play), 2);
    to(&mut play, 6);
    assert_eq!(ready(&play), 0);
    to(&mut play, 11);
    assert_eq!(ready(&play), 2);
    let told: Vec<String> = play.take_happenings().into_iter().map(|told| format!("{}: {}", told.what, told.why)).collect();
    assert_eq!(told, ["pods app=web: they are not ready", "pods app=web: they fail no more"]);
}

#[test]
fn expectations_are_judged_at_their_time_and_at_the_end() {
    let spec = "expect:
- {at: 5m, object: deployment/web, that: self.status.readyReplicas == 2}
- {object: deploy/web, that: self.spec.replicas == 3}
- {object: deployments.apps/web, that: has(self.status)}
events:
- {at: 10m, patch: {object: deployment/web, merge: {spec: {replicas: 5}}}}";
    let mut play = started(spec, WEB);
    to(&mut play, 20);
    assert_eq!(play.unjudged(), 2);
    let verdicts = play.finish(false).unwrap();
    let seen: Vec<(i64, bool)> = verdicts.iter().map(|verdict| (verdict.at.as_mins(), verdict.outcome == Outcome::Met)).collect();
    assert_eq!(seen, [(5, true), (20, false), (20, true)]);
    assert_eq!(verdicts[1].outcome, Outcome::Unmet("self.spec.replicas is 5".to_owned()));
}

#[test]
fn what_a_world_names_and_never_was_is_a_mistake() {
    let spec = "pods:
- {selector: {matchLabels: {app: wbe}}}
events:
- {at: 1m, fault: {kill: {selector: {matchLabels: {app: other}}}}}
- {at: 1m, fault: {nodeLoss: node-9}}
- {at: 1m, delete: {object: deployment/nothing}}
expect:
- {object: deployment/wbe, that: 'true'}
- {object: deploymnet/web, that: 'true'}";
    let mut play = started(spec, WEB);
    to(&mut play, 2);
    let found = problems(play.finish(false));
    let expected = [
        "world.yaml:5:16: this selector took no pod until the end: correct its labels or its namespace",
        "world.yaml:7:39: this selector took no pod until the end: correct its labels or its namespace",
        "world.yaml:8:32: there is no node \"node-9\", there are node-1, node-2, node-3",
        "world.yaml:9:31: deployment/nothing is refused: deployments.apps \"nothing\" not found",
        "world.yaml:11:14: deployment/wbe has never existed in namespace default: correct its name, or expect something of another object",
        "world.yaml:12:14: there is no kind \"deploymnet\" in this cluster, did you mean deployment?",
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_object_that_is_gone_existed() {
    let spec = "events:\n- {at: 1m, delete: {object: deployment/web}}\nexpect:\n- {object: deployment/web, that: self == null}";
    let mut play = started(spec, WEB);
    to(&mut play, 2);
    assert_eq!(play.finish(false).unwrap()[0].outcome, Outcome::Met);
}

#[test]
fn refused_objects_are_reported_with_the_place_of_the_field() {
    let wrong = WEB.replace("replicas: 2", "replicas: -2").replace("image: registry.example.com/web:1", "imgae: x");
    let mut play = Play::of_text(1, "nodes: [{count: 1}]", &wrong);
    let found: Vec<String> = play.begin().unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(found, ["objects.yaml:11:21: deployment/web is refused: spec.template.spec.containers[name=\"web\"].imgae: unknown field"]);
    let mut unknown =
        self::Play::of_text(1, "nodes: [{count: 1}]", "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\n");
    assert!(unknown.begin().unwrap_err()[0].message.contains("give the world a field gateway"));
}

#[test]
fn a_refusal_may_be_expected() {
    let spec = "events:
- {at: 1m, patch: {object: deployment/web, merge: {spec: {replicas: -1}}}, refused: must be greater than or equal to 0}
- {at: 2m, patch: {object: deployment/web, merge: {spec: {replicas: 1}}}, refused: no}";
    let mut play = started(spec, WEB);
    to(&mut play, 3);
    assert_eq!(play.take_happenings().len(), 1);
    assert_eq!(problems(play.finish(false)), ["world.yaml:6:5: the API server was expected to refuse this with \"no\", and took it"]);
}

#[test]
fn nodes_are_lost_drained_and_come_back() {
    let spec = "nodes: [{count: 2}]
events:
- {at: 5m, fault: {drain: node-1, for: 5m}}
- {at: 15m, fault: {nodeLoss: node-2, for: 10m}}";
    let mut play = started(spec, WEB);
    let on = |play: &Play, node: &str| {
        let pods = play.simulation.cluster.list("pods", None);
        pods.iter().filter(|pod| pod.pointer("/spec/nodeName").and_then(serde_json::Value::as_str) == Some(node)).count()
    };
    to(&mut play, 8);
    assert_eq!((on(&play, "node-1"), ready(&play)), (0, 2));
    to(&mut play, 18);
    assert_eq!(ready(&play), 0, "the node is silent");
    to(&mut play, 40);
    assert_eq!(ready(&play), 2);
    assert_eq!(play.take_happenings().len(), 4);
    assert!(play.next_planned().is_none());
}

#[test]
fn the_gateway_api_is_there_when_the_world_says_so() {
    let gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: public}\nspec: {gatewayClassName: a, listeners: [{name: http, port: 80, protocol: HTTP}]}\n";
    let mut play = started("gateway: {lag: 2s}", gateway);
    to(&mut play, 1);
    assert!(play.simulation.cluster.get("gateways.gateway.networking.k8s.io", "default", "public").is_some());
}
