//! The gateway, or its whole API, is taken away in the middle of a release, and brought back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{Split, canary, route_weights, serving, workload};
use crate::gateway::Answer;
use crate::invariants::OPERATOR;
use crate::simulated::{Stage, runtime};
use crate::{play, real, simulated};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const HTTP_ROUTES: &str = "httproutes.gateway.networking.k8s.io";
/// The longest time between two looks for a kind that is missing, and some more.
const FOUND_AGAIN: Duration = Duration::from_secs(330);

/// A canary of 1.1.0 that waits at 25 % and at 50 % for a person.
async fn halfway(arena: &Arena) {
    serving(arena, Split::Route).await;
    let mut object = canary(arena, "1.1.0", Split::Route);
    object["spec"]["strategy"]["canary"]["steps"] =
        json!([{"weight": 25, "holdUntil": "Promoted"}, {"weight": 50, "holdUntil": "Promoted"}]);
    arena.apply("modeldeployment", object).await;
    arena.holding_at("chat", 25).await;
}

async fn sizes(arena: &Arena) -> (Value, Value) {
    let replicas = async |version: &str| workload(arena, version).await["spec"]["replicas"].clone();
    (replicas("1.0.0").await, replicas("1.1.0").await)
}

/// Takes a kind out of the cluster, with all of its objects; returns what brings it back.
async fn uninstall(arena: &Arena, kind: &str) -> String {
    let path = format!("{DEFINITIONS}/{kind}");
    let (code, found) = arena.raw("GET", &path, "application/json", "").await;
    assert_eq!(code, 200, "{found}");
    let (code, answer) = arena.raw("DELETE", &path, "application/json", "").await;
    assert_eq!(code, 200, "{answer}");
    arena.eventually("the kind is gone", async || arena.raw("GET", &path, "application/json", "").await.0 == 404).await;
    let metadata = json!({"name": kind, "annotations": found["metadata"]["annotations"]});
    json!({"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata, "spec": found["spec"]}).to_string()
}

async fn install(arena: &Arena, definition: &str) {
    let (code, answer) = arena.raw("POST", DEFINITIONS, "application/json", definition).await;
    assert_eq!(code, 201, "{answer}");
}

/// Plays a body that changes what all of a cluster share: on a real control plane only when nothing else plays there.
fn play_alone(name: &str, body: impl AsyncFn(&Arena)) {
    simulated::play(&[], name, &body);
    if let Some(path) = real::kubeconfig().filter(|_| std::env::var_os("MODELWARD_TEST_ALONE").is_some()) {
        real::play_within(&path, name, Duration::from_secs(600), body);
    }
}

#[test]
fn gateway_that_falls_silent_in_mid_canary_holds_the_step_until_it_speaks_again() {
    play("gateway_falls_silent", async |arena| {
        halfway(arena).await;
        let before = sizes(arena).await;
        arena.gateway(Answer::Silence);
        arena.command("chat", "promote:1").await;
        let object = arena.reason("chat", "Ready", "WaitingForRoute").await;
        assert_eq!(at(&object, "/status/candidate/weight"), 25, "what was not taken is not in effect: {object}");
        arena.sleep(arena.pace.past_deadline).await;
        arena.reason("chat", "Ready", "WaitingForRoute").await;
        let (stable, candidate) = sizes(arena).await;
        assert_eq!(stable, before.0);
        assert!(candidate.as_i64() >= before.1.as_i64());
        arena.gateway(Answer::Accept);
        arena.holding_at("chat", 50).await;
        arena.command("chat", "promote:2").await;
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
    });
}

#[test]
fn route_that_loses_its_gateway_in_mid_canary_holds_with_the_reason_and_goes_on() {
    play("gateway_goes", async |arena| {
        halfway(arena).await;
        let before = sizes(arena).await;
        arena.gateway(Answer::Reject("NoMatchingParent", "there is no such Gateway"));
        arena.command("chat", "promote:1").await;
        let object = arena.reason("chat", "Ready", "RouteNotAccepted").await;
        let message = condition(&object, "Ready")["message"].as_str().unwrap();
        assert!(message.contains("there is no such Gateway"), "{message}");
        arena.sleep(arena.pace.past_deadline).await;
        arena.reason("chat", "Ready", "RouteNotAccepted").await;
        assert_eq!(sizes(arena).await.0, before.0);
        arena.gateway(Answer::Accept);
        arena.holding_at("chat", 50).await;
        arena.command("chat", "abort:1").await;
        arena.phase("chat", "RolledBack").await;
    });
}

#[test]
fn kind_of_route_that_is_removed_in_mid_canary_is_waited_for_and_the_canary_goes_on() {
    play_alone("route_kind_goes", async |arena| {
        halfway(arena).await;
        let (before, weights) = (sizes(arena).await, route_weights(arena).await);
        let definition = uninstall(arena, HTTP_ROUTES).await;
        arena.sleep(Duration::from_secs(60)).await;
        let object = arena.reason("chat", "Ready", "GatewayApiMissing").await;
        let message = condition(&object, "Ready")["message"].as_str().unwrap();
        assert!(message.contains("HTTPRoute"), "{message}");
        assert_eq!(condition(&object, "Available")["status"], "False", "no request comes through: {object}");
        assert_eq!(sizes(arena).await, before);
        arena.command("chat", "promote:1").await;
        arena.sleep(arena.pace.past_deadline).await;
        arena.reason("chat", "Ready", "GatewayApiMissing").await;
        assert_eq!(sizes(arena).await.0, before.0, "nothing that served is scaled down");
        install(arena, &definition).await;
        arena.sleep(FOUND_AGAIN).await;
        arena.until("the route is back", "route", "chat", |route| !route.is_null()).await;
        assert_eq!(at(&weights, "/chat"), &Value::Null);
        arena.holding_at("chat", 50).await;
        arena.command("chat", "promote:2").await;
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
        assert_eq!(at(&done, "/status/stable/ready"), 4);
    });
}

#[test]
fn release_that_is_aborted_while_its_kind_of_route_is_missing_ends_once_it_is_back() {
    play_alone("aborted_without_route_kind", async |arena| {
        halfway(arena).await;
        let before = sizes(arena).await;
        let definition = uninstall(arena, HTTP_ROUTES).await;
        arena.command("chat", "abort:1").await;
        arena.phase("chat", "RollingBack").await;
        arena.sleep(Duration::from_secs(60)).await;
        let says = |object: &Value| condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains("HTTPRoute"));
        arena.until("it says what is missing", "modeldeployment", "chat", says).await;
        assert_eq!(sizes(arena).await, before, "the last that is known of the gateway is that it sends requests there");
        install(arena, &definition).await;
        arena.sleep(FOUND_AGAIN).await;
        let done = arena.phase("chat", "RolledBack").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.0.0");
    });
}

#[test]
fn missing_kind_of_route_is_asked_for_now_and_then_and_nothing_else_is() {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        let arena = stage.arena("play");
        halfway(&arena).await;
        uninstall(&arena, HTTP_ROUTES).await;
        arena.sleep(Duration::from_secs(600)).await;
        let heard = stage.log.lock().unwrap().len();
        arena.sleep(Duration::from_secs(3600)).await;
        let log = stage.log.lock().unwrap()[heard..].to_vec();
        let ours: Vec<_> = log.iter().filter(|record| record.who.user == OPERATOR).collect();
        let probes = ours.iter().filter(|record| record.info.resource == "httproutes").count();
        assert!((10..=20).contains(&probes), "{probes}");
        let others = ours.iter().filter(|record| record.info.verb != "watch");
        let noise: Vec<String> = others.map(|record| format!("{} {} {}", record.at, record.info.verb, record.info.path)).collect();
        assert_eq!(noise, Vec::<String>::new());
        stage.check("route_kind_missing");
        stage.stop_operator(&operator);
    });
}

#[test]
fn gateway_object_that_is_deleted_in_mid_canary_and_made_again_costs_no_weight_and_no_pod() {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        let arena = stage.arena("play");
        halfway(&arena).await;
        let (before, weights) = (sizes(&arena).await, route_weights(&arena).await);
        let path = "/apis/gateway.networking.k8s.io/v1/namespaces/play/gateways";
        let (_, found) = arena.raw("GET", &format!("{path}/public"), "application/json", "").await;
        let (code, answer) = arena.raw("DELETE", &format!("{path}/public"), "application/json", "").await;
        assert_eq!(code, 200, "{answer}");
        arena.command("chat", "promote:1").await;
        let object = arena.reason("chat", "Ready", "WaitingForRoute").await;
        assert_eq!(at(&object, "/status/candidate/weight"), 25);
        arena.sleep(arena.pace.past_deadline).await;
        assert_eq!(sizes(&arena).await.0, before.0);
        let again = json!({"apiVersion": found["apiVersion"], "kind": found["kind"],
            "metadata": {"name": "public", "namespace": "play"}, "spec": found["spec"]});
        let (code, answer) = arena.raw("POST", path, "application/json", &again.to_string()).await;
        assert_eq!(code, 201, "{answer}");
        arena.holding_at("chat", 50).await;
        assert_ne!(route_weights(&arena).await, weights);
        stage.check("gateway_deleted");
        stage.stop_operator(&operator);
    });
}
