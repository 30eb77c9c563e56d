//! What leads to the new version beside its weight, pins and mirrors, and what becomes of fields that a route or a gateway
//! lacks.

use modelward::sim::cluster::{Identity, Patch, WriteOptions};
use modelward::sim::gateway_api;
use modelward::sim::traffic;
use modelward::sim::traffic::demand::{Demand, Destination, Protocol, Request};
use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, route_weights, serving, workload};
use crate::gateway::Answer;
use crate::play;
use crate::pods::fail;
use crate::simulated::{Stage, runtime};

/// A canary of 1.1.0 that holds at 25 % until somebody promotes, with requests pinned to it and copied for it.
fn pinned(arena: &Arena) -> Value {
    let mut object = canary(arena, "1.1.0", Split::Route);
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
    object["spec"]["traffic"]["path"] = "/v1".into();
    object["spec"]["traffic"]["candidateMatches"] = json!([{"headers": [{"name": "x-canary", "value": "always"}]}, {"headers": [{"name": "x-user", "value": "^qa-", "type": "RegularExpression"}]}]);
    object["spec"]["traffic"]["mirror"] = json!({"percent": 10});
    object
}

/// The same as a blue/green release.
fn previewed(arena: &Arena) -> Value {
    let mut object = pinned(arena);
    object["spec"]["strategy"] = json!({"type": "BlueGreen"});
    object
}

fn rules(route: &Value) -> &[Value] {
    at(route, "/spec/rules").as_array().map_or(&[], Vec::as_slice)
}

/// Where pinned requests go, and where copies go and how many percent.
fn ways(route: &Value) -> (Value, Value) {
    let pins = rules(route).split_last().and_then(|(_, pins)| pins.first()).map(|rule| at(rule, "/backendRefs/0/name").clone());
    let filters = rules(route).last().and_then(|rule| rule["filters"].as_array());
    let mirror = filters.into_iter().flatten().find_map(|filter| filter.get("requestMirror"));
    let mirror = mirror.map(|mirror| json!([at(mirror, "/backendRef/name"), mirror["percent"]]));
    (pins.unwrap_or_default(), mirror.unwrap_or_default())
}

const NONE: (Value, Value) = (Value::Null, Value::Null);

async fn open(arena: &Arena) -> Value {
    let revision = at(&workload(arena, "1.1.0").await, "/metadata/name").clone();
    let leads = (revision.clone(), json!([revision, 10]));
    arena.until("pins and mirror lead to the candidate", "route", "chat", |route| ways(route) == leads).await
}

async fn closed(arena: &Arena) -> Value {
    arena.until("only weights are left", "route", "chat", |route| rules(route).len() == 1 && ways(route) == NONE).await
}

#[test]
fn pins_and_mirror_come_with_the_weight_and_go_with_the_abort() {
    play("pins_abort", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", pinned(arena)).await;
        arena.holding_at("chat", 25).await;
        let route = open(arena).await;
        let (pins, weights) = (&rules(&route)[0], &rules(&route)[1]);
        assert_eq!(at(pins, "/matches/0/headers/0"), &json!({"type": "Exact", "name": "x-canary", "value": "always"}));
        assert_eq!(at(pins, "/matches/1/headers/0/type"), "RegularExpression");
        for rule in [pins, weights] {
            assert_eq!(at(rule, "/matches/0/path"), &json!({"type": "PathPrefix", "value": "/v1"}));
        }
        assert_eq!(weights["backendRefs"].as_array().unwrap().len(), 2);
        arena.command("chat", "abort:1").await;
        arena.until("the way back", "modeldeployment", "chat", |object| at(object, "/status/candidate/weight") != 25).await;
        let route = arena.get("route", "chat").await.unwrap();
        assert_eq!((rules(&route).len(), ways(&route)), (1, NONE), "weight and pins go in one write");
        arena.phase("chat", "RolledBack").await;
        arena.eventually("the candidate is gone", async || arena.list("deployment", CHILDREN).await.len() == 1).await;
    });
}

#[test]
fn pins_and_mirror_go_with_the_write_that_gives_everything() {
    play("pins_promoted", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", pinned(arena)).await;
        arena.holding_at("chat", 25).await;
        open(arena).await;
        arena.command("chat", "promote:1").await;
        let all = |route: &Value| {
            rules(route).iter().any(|rule| at(rule, "/backendRefs/0/weight") == 100 && at(rule, "/matches/0/headers").is_null())
        };
        let route = arena.until("it has everything", "route", "chat", all).await;
        assert_eq!((rules(&route).len(), ways(&route)), (1, NONE));
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
    });
}

#[test]
fn preview_is_reached_by_its_header_without_any_weight() {
    play("pins_preview", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", previewed(arena)).await;
        arena.reason("chat", "Ready", "WaitingForPromotion").await;
        let route = open(arena).await;
        let weights = rules(&route)[1]["backendRefs"].as_array().unwrap().clone();
        assert_eq!((weights.len(), at(&weights[0], "/weight")), (1, &json!(100)), "all weight is with stable");
        assert_ne!(weights[0]["name"], rules(&route)[0]["backendRefs"][0]["name"]);
        arena.command("chat", "promote:1").await;
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
        closed(arena).await;
    });
}

#[test]
fn preview_that_loses_its_pods_is_not_pinned_to_until_it_has_them_again() {
    play("pins_unready", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", previewed(arena)).await;
        arena.reason("chat", "Ready", "WaitingForPromotion").await;
        open(arena).await;
        fail(arena, "1.1.0", Some("unready")).await;
        closed(arena).await;
        fail(arena, "1.1.0", None).await;
        open(arena).await;
        arena.reason("chat", "Ready", "WaitingForPromotion").await;
        arena.command("chat", "abort:1").await;
        arena.phase("chat", "RolledBack").await;
        closed(arena).await;
    });
}

#[test]
fn pins_changed_in_mid_canary_reach_the_route_and_move_no_weight() {
    play("pins_changed", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", pinned(arena)).await;
        arena.holding_at("chat", 25).await;
        let decision = |route: &Value| at(route, "/metadata/annotations/modelward.dev~1decision").clone();
        let before = decision(&open(arena).await);
        let mut object = pinned(arena);
        object["spec"]["traffic"]["candidateMatches"] = json!([{"headers": [{"name": "x-canary", "value": "yes"}]}]);
        object["spec"]["traffic"].as_object_mut().unwrap().remove("mirror");
        arena.apply("modeldeployment", object.clone()).await;
        let told = |route: &Value| at(route, "/spec/rules/0/matches/0/headers/0/value") == "yes" && ways(route).1.is_null();
        let route = arena.until("the route has the new pins", "route", "chat", told).await;
        assert_eq!((rules(&route)[0]["matches"].as_array().unwrap().len(), decision(&route)), (1, before));
        object["spec"]["traffic"].as_object_mut().unwrap().remove("candidateMatches");
        arena.apply("modeldeployment", object).await;
        closed(arena).await;
        arena.holding_at("chat", 25).await;
    });
}

#[test]
fn edited_pins_are_as_decided_again() {
    play("pins_edited", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", pinned(arena)).await;
        arena.holding_at("chat", 25).await;
        let decided = open(arena).await["spec"]["rules"].clone();
        let edits = [
            json!([{"op": "replace", "path": "/spec/rules/0/matches/0/headers/0/value", "value": "never"}]),
            json!([{"op": "remove", "path": "/spec/rules/0"}]),
            json!([{"op": "remove", "path": "/spec/rules/1/filters"}]),
            json!([{"op": "replace", "path": "/spec/rules/0/backendRefs/0/name", "value": "elsewhere"}]),
        ];
        for edit in edits {
            arena.patch("route", "chat", edit).await;
            arena.until("the rules are ours again", "route", "chat", |route| route["spec"]["rules"] == decided).await;
        }
        arena.holding_at("chat", 25).await;
    });
}

#[test]
fn field_that_the_installed_route_lacks_is_left_out_and_named() {
    play("retry_unsupported", async |arena| {
        serving(arena, Split::Route).await;
        let mut object = canary(arena, "1.0.0", Split::Route);
        object["spec"]["traffic"]["http"] =
            json!({"timeouts": {"request": "10m"}, "retry": {"codes": [503], "attempts": 2, "backoff": "100ms"}});
        arena.apply("modeldeployment", object.clone()).await;
        let said = arena.reason("chat", "RouteAsSpecified", "RouteFieldUnsupported").await;
        let message = condition(&said, "RouteAsSpecified")["message"].as_str().unwrap();
        assert!(message.contains("traffic.http.retry") && message.contains("HTTPRoute"), "{message}");
        arena.phase("chat", "Active").await;
        let route = arena.get("route", "chat").await.unwrap();
        assert_eq!(at(&route, "/spec/rules/0/timeouts/request"), "10m", "what it has is passed on");
        assert_eq!(at(&route, "/spec/rules/0/retry"), &Value::Null);
        arena.sleep(arena.pace.rest).await;
        let later = arena.get("route", "chat").await.unwrap();
        assert_eq!(route["metadata"]["resourceVersion"], later["metadata"]["resourceVersion"], "it is not tried again and again");
        object["spec"]["traffic"]["http"].as_object_mut().unwrap().remove("retry");
        arena.apply("modeldeployment", object).await;
        arena.reason("chat", "RouteAsSpecified", "AsSpecified").await;
        let route = arena.get("route", "chat").await.unwrap();
        assert_eq!(at(&route, "/metadata/annotations/modelward.dev~1left-out"), &Value::Null);
    });
}

#[test]
fn pins_and_mirror_that_the_gateway_does_not_support_cost_no_traffic_and_no_rollout() {
    play("mirror_unsupported", async |arena| {
        serving(arena, Split::Route).await;
        arena.gateway(Answer::Lack("RequestMirror"));
        arena.apply("modeldeployment", pinned(arena)).await;
        let said = arena.reason("chat", "RouteAsSpecified", "RouteFieldUnsupported").await;
        let message = condition(&said, "RouteAsSpecified")["message"].as_str().unwrap();
        assert!(message.contains("traffic.mirror") && message.contains("does not support"), "{message}");
        arena.holding_at("chat", 25).await;
        let route = closed(arena).await;
        assert_eq!(rules(&route)[0]["backendRefs"].as_array().unwrap().len(), 2);
        arena.command("chat", "promote:1").await;
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
    });
}

/// The deployment with gRPC in place of HTTP.
fn grpc(mut object: Value) -> Value {
    object["spec"]["traffic"]["protocol"] = "GRPC".into();
    object["spec"]["traffic"].as_object_mut().unwrap().remove("path");
    object
}

#[test]
fn canary_of_grpc_takes_over_step_by_step_with_pins() {
    play("grpc_canary", async |arena| {
        arena.apply("model", crate::fixtures::model()).await;
        arena.apply("modeldeployment", grpc(canary(arena, "1.0.0", Split::Route))).await;
        arena.phase("chat", "Active").await;
        assert_eq!(arena.get("route", "chat").await, None);
        arena.apply("modeldeployment", grpc(pinned(arena))).await;
        arena.holding_at("chat", 25).await;
        let revision = at(&workload(arena, "1.1.0").await, "/metadata/name").clone();
        let route = arena.get("grpcroute", "chat").await.unwrap();
        assert_eq!(ways(&route), (revision.clone(), json!([revision, 10])));
        assert_eq!(at(&route, "/spec/rules/0/matches/0"), &json!({"headers": [{"type": "Exact", "name": "x-canary", "value": "always"}]}));
        for service in ["chat", revision.as_str().unwrap()] {
            let service = arena.get("service", service).await.unwrap();
            assert_eq!(at(&service, "/spec/ports/0/appProtocol"), "kubernetes.io/h2c");
        }
        arena.command("chat", "promote:1").await;
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
        let route = arena.get("grpcroute", "chat").await.unwrap();
        assert_eq!((rules(&route).len(), at(&route, "/spec/rules/0/backendRefs/0/name")), (1, &revision));
    });
}

#[test]
fn protocol_that_changes_in_mid_canary_leaves_the_old_route_until_the_new_one_is_taken() {
    play("protocol_changes", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", pinned(arena)).await;
        arena.holding_at("chat", 25).await;
        arena.gateway(Answer::Silence);
        arena.apply("modeldeployment", grpc(pinned(arena))).await;
        let route = arena.until("there is a GRPCRoute", "grpcroute", "chat", |route| !route.is_null()).await;
        assert_eq!(rules(&route).last().unwrap()["backendRefs"].as_array().unwrap().len(), 2, "the weights are the same");
        arena.reason("chat", "Ready", "WaitingForRoute").await;
        arena.sleep(arena.pace.rest).await;
        assert_eq!(route_weights(arena).await.as_object().unwrap().len(), 2, "requests still come by the old route");
        arena.command("chat", "abort:1").await;
        closed(arena).await;
        let back = |route: &Value| rules(route).len() == 1 && rules(route)[0]["backendRefs"].as_array().unwrap().len() == 1;
        arena.until("the new one goes back", "grpcroute", "chat", back).await;
        arena.until("and so does the old one", "route", "chat", back).await;
        arena.gateway(Answer::Accept);
        arena.until("the old route is gone", "route", "chat", Value::is_null).await;
        let done = arena.phase("chat", "RolledBack").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.0.0");
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Route)).await;
        arena.until("the HTTPRoute is back", "route", "chat", |route| !route.is_null()).await;
        arena.until("and alone", "grpcroute", "chat", Value::is_null).await;
        arena.phase("chat", "Active").await;
    });
}

/// Puts another schema in place of the installed HTTPRoute's.
fn install(stage: &Stage, definition: &Value) {
    let patch = Patch::Merge(json!({"spec": {"versions": definition["spec"]["versions"]}}));
    stage.cluster(|cluster| {
        let (kind, name) = ("customresourcedefinitions.apiextensions.k8s.io", "httproutes.gateway.networking.k8s.io");
        cluster.patch(&Identity::user("admin"), kind, "", name, None, patch, &WriteOptions::manager("kubectl")).unwrap();
    });
}

/// Plays in a simulated cluster whose HTTPRoute is another one.
fn play_with(definition: &Value, name: &str, body: impl AsyncFnOnce(&Stage, &Arena)) {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        install(&stage, definition);
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        body(&stage, &stage.arena("play")).await;
        stage.check(name);
        stage.stop_operator(&operator);
    });
}

/// The HTTPRoute of Gateway API 1.2, which copies everything or nothing.
fn without_percent() -> Value {
    let all = gateway_api::definitions();
    let mut definition = all.into_iter().find(|definition| definition["spec"]["names"]["kind"] == "HTTPRoute").unwrap();
    let filter = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/rules/items/properties/filters/items";
    let mirror = definition.pointer_mut(&format!("{filter}/properties/requestMirror")).unwrap();
    mirror["properties"].as_object_mut().unwrap().remove("percent").unwrap();
    mirror.as_object_mut().unwrap().remove("x-kubernetes-validations").unwrap();
    definition
}

#[test]
fn mirror_whose_percentage_is_not_known_is_left_out_as_a_whole_and_pins_stay() {
    play_with(&without_percent(), "no_percent", async |_, arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", pinned(arena)).await;
        let said = arena.reason("chat", "RouteAsSpecified", "RouteFieldUnsupported").await;
        let message = condition(&said, "RouteAsSpecified")["message"].as_str().unwrap();
        assert!(message.contains("traffic.mirror") && !message.contains("candidateMatches"), "{message}");
        arena.holding_at("chat", 25).await;
        let revision = at(&workload(arena, "1.1.0").await, "/metadata/name").clone();
        assert_eq!(ways(&arena.get("route", "chat").await.unwrap()), (revision, Value::Null));
        arena.command("chat", "promote:1").await;
        arena.phase("chat", "Active").await;
    });
}

#[test]
fn retry_is_passed_on_where_the_route_has_it_and_tried_again_when_asked() {
    play_with(&gateway_api::definitions().remove(2), "retry_later", async |stage, arena| {
        serving(arena, Split::Route).await;
        let mut object = canary(arena, "1.0.0", Split::Route);
        object["spec"]["traffic"]["http"] = json!({"retry": {"codes": [503], "attempts": 2, "backoff": "100ms"}});
        arena.apply("modeldeployment", object).await;
        arena.reason("chat", "RouteAsSpecified", "RouteFieldUnsupported").await;
        install(stage, &gateway_api::with_retry());
        arena.sleep(arena.pace.rest).await;
        arena.merge("route", "chat", json!({"metadata": {"annotations": {"modelward.dev/left-out": null}}})).await;
        arena.reason("chat", "RouteAsSpecified", "AsSpecified").await;
        let route = arena.get("route", "chat").await.unwrap();
        assert_eq!(at(&route, "/spec/rules/0/retry"), &json!({"codes": [503], "attempts": 2, "backoff": "100ms"}));
    });
}

/// Requests for `chat.example.com`, so many per second, with these headers.
fn asked(protocol: Protocol, per_second: f64, headers: &[(&str, &str)]) -> Demand {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = Request { protocol, path: "/v1/Complete".to_owned(), headers, ..Request::default() };
    Demand { request, ..Demand::steady(Destination::Host("chat.example.com".to_owned()), per_second) }
}

/// Requests of each demand so far, and those that pods of the new version got.
fn counted(stage: &Stage, version: &str) -> (Vec<u64>, u64) {
    stage.cluster(|_| ());
    stage.server.with(|state| {
        let truth = state.world.traffic().unwrap().truth().clone();
        let pods = truth.pods.iter().filter(|(pod, _)| pod.contains(version)).map(|(_, tally)| tally.arrived).sum();
        (truth.demands.iter().map(|tally| tally.arrived).collect(), pods)
    })
}

#[test]
fn requests_follow_pins_weights_and_mirror_and_none_is_lost() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        runtime().block_on(async {
            let stage = Stage::set(1).await;
            stage.make_namespace("play");
            let (operator, _) = stage.start_operator(None);
            let arena = stage.arena("play");
            let shaped = |mut object: Value| {
                object["spec"]["traffic"]["hostnames"] = json!(["chat.example.com"]);
                if protocol == Protocol::Grpc { grpc(object) } else { object }
            };
            arena.apply("model", crate::fixtures::model()).await;
            arena.apply("modeldeployment", shaped(canary(&arena, "1.0.0", Split::Route))).await;
            arena.phase("chat", "Active").await;
            let demands = vec![asked(protocol, 20.0, &[]), asked(protocol, 2.0, &[("x-canary", "always")])];
            stage.server.with(|state| state.world.set_traffic(traffic::Settings::of(demands)));
            arena.apply("modeldeployment", shaped(pinned(&arena))).await;
            arena.holding_at("chat", 25).await;
            arena.sleep(std::time::Duration::from_secs(60)).await;
            let revision = at(&workload(&arena, "1.1.0").await, "/metadata/name").as_str().unwrap().to_owned();
            let (before, got_before) = counted(&stage, &revision);
            arena.sleep(std::time::Duration::from_secs(3_600)).await;
            let (after, got_after) = counted(&stage, &revision);
            let (all, pinned) = ((after[0] - before[0]) as f64, after[1] - before[1]);
            let share = (got_after - got_before - pinned) as f64 / all;
            // By weight 25 %, and a copy of 10 %; some 70,000 requests.
            assert!((share - 0.35).abs() < 0.01, "{protocol:?}: {share}");
            assert!(pinned > 6_000);
            arena.command("chat", "abort:1").await;
            arena.phase("chat", "RolledBack").await;
            let (_, left) = counted(&stage, &revision);
            arena.sleep(std::time::Duration::from_secs(600)).await;
            assert_eq!(counted(&stage, &revision).1, left, "nothing reaches what was given up");
            let lost = stage.server.with(|state| {
                let demands = &state.world.traffic().unwrap().truth().demands;
                demands.iter().map(|tally| tally.unrouted + tally.unserved + tally.misrouted + tally.broken).sum::<u64>()
            });
            assert_eq!(lost, 0, "{protocol:?}");
            stage.check("requests");
            stage.stop_operator(&operator);
        });
    }
}
