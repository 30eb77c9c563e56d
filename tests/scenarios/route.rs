//! What a gateway is told, and what it answers: settings of traffic that change, refusals, silence.

use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, route_weights, serving, workload};
use crate::gateway::Answer;
use crate::play;

/// A canary that holds at 25 % until somebody promotes.
fn held(arena: &Arena, split: Split) -> Value {
    let mut object = canary(arena, "1.1.0", split);
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
    object
}

#[test]
fn path_and_hostnames_changed_in_mid_canary_reach_the_route_and_move_no_weight() {
    play("route_settings", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", held(arena, Split::Route)).await;
        arena.holding_at("chat", 25).await;
        let weights = route_weights(arena).await;
        let mut object = held(arena, Split::Route);
        object["spec"]["traffic"]["path"] = "/v1".into();
        object["spec"]["traffic"]["hostnames"] = json!(["chat.example.com"]);
        object["spec"]["traffic"]["http"] = json!({"timeouts": {"request": "30s"}});
        arena.apply("modeldeployment", object).await;
        let told = |route: &Value| {
            at(route, "/spec/hostnames/0") == "chat.example.com"
                && at(route, "/spec/rules/0/matches/0/path/value") == "/v1"
                && at(route, "/spec/rules/0/timeouts/request") == "30s"
        };
        arena.until("the route has the new settings", "route", "chat", told).await;
        assert_eq!(route_weights(arena).await, weights);
        let url = |object: &Value| at(object, "/status/url") == "http://chat.example.com/v1";
        arena.until("the address is shown", "modeldeployment", "chat", url).await;
        arena.apply("modeldeployment", held(arena, Split::Route)).await;
        let taken_back = |route: &Value| {
            at(route, "/spec/hostnames").is_null()
                && at(route, "/spec/rules/0/timeouts").is_null()
                && at(route, "/spec/rules/0/matches/0/path/value") == "/"
        };
        arena.until("what the spec no longer says is gone", "route", "chat", taken_back).await;
        assert_eq!(route_weights(arena).await, weights);
        arena.command("chat", "promote:1").await;
        arena.phase("chat", "Active").await;
    });
}

#[test]
fn gateway_added_later_takes_over_the_split_and_removed_gives_it_back() {
    play("gateway_comes_and_goes", async |arena| {
        serving(arena, Split::Pods).await;
        assert_eq!(arena.get("route", "chat").await, None);
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Route)).await;
        arena.until("there is a route", "route", "chat", |route| !route.is_null()).await;
        arena.apply("modeldeployment", held(arena, Split::Route)).await;
        arena.holding_at("chat", 25).await;
        arena.command("chat", "promote:1").await;
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Pods)).await;
        arena.until("the route is gone", "route", "chat", Value::is_null).await;
        let pinned = arena.get("service", "chat").await.unwrap();
        assert_eq!(pinned["spec"]["selector"]["modelward.dev/revision"], done["status"]["stable"]["revision"]);
        arena.phase("chat", "Active").await;
    });
}

#[test]
fn gateway_added_or_removed_in_mid_canary_ends_with_the_new_version_serving() {
    for (from, to) in [(Split::Pods, Split::Route), (Split::Route, Split::Pods)] {
        play(&format!("mode_changed_{from:?}").to_lowercase(), async |arena| {
            serving(arena, from).await;
            arena.apply("modeldeployment", held(arena, from)).await;
            arena.holding_at("chat", 25).await;
            arena.apply("modeldeployment", held(arena, to)).await;
            let route = arena.until("the route follows", "route", "chat", |route| route.is_null() == (to == Split::Pods)).await;
            let current = |object: &Value| at(object, "/status/observedGeneration") == at(object, "/metadata/generation");
            arena.until("it is seen", "modeldeployment", "chat", current).await;
            arena.holding_at("chat", 25).await;
            assert_eq!(route.is_null(), to == Split::Pods);
            arena.command("chat", "promote:1").await;
            let done = arena.phase("chat", "Active").await;
            assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
            assert_eq!(at(&done, "/status/stable/ready"), 4);
        });
    }
}

#[test]
fn route_that_the_gateway_refuses_holds_the_rollout_with_the_gateways_words() {
    play("route_refused", async |arena| {
        serving(arena, Split::Route).await;
        arena.gateway(Answer::Reject("NotAllowedByListeners", "no listener takes routes of this namespace"));
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
        let object = arena.reason("chat", "Ready", "RouteNotAccepted").await;
        let message = condition(&object, "Ready")["message"].as_str().unwrap();
        assert!(message.contains("no listener takes routes"), "{message}");
        arena.sleep(arena.pace.past_deadline).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(condition(&object, "Ready")["reason"], "RouteNotAccepted");
        assert_eq!(condition(&object, "Available")["status"], "True");
        assert_eq!(at(&object, "/status/stable/ready"), 4);
        assert_eq!(workload(arena, "1.0.0").await["spec"]["replicas"], 4);
        arena.gateway(Answer::Accept);
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
    });
}

#[test]
fn gateway_that_says_nothing_is_waited_for_and_nothing_is_scaled_down() {
    play("gateway_silent", async |arena| {
        serving(arena, Split::Route).await;
        arena.gateway(Answer::Silence);
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
        arena.reason("chat", "Ready", "WaitingForRoute").await;
        arena.sleep(arena.pace.past_deadline).await;
        let object = arena.reason("chat", "Ready", "WaitingForRoute").await;
        assert_eq!(at(&object, "/status/step/weight"), 25);
        assert_eq!(at(&object, "/status/stable/ready"), 4);
        arena.command("chat", "abort:1").await;
        arena.phase("chat", "RollingBack").await;
        arena.sleep(arena.pace.past_deadline).await;
        let candidate = workload(arena, "1.1.0").await;
        assert_eq!(candidate["spec"]["replicas"], 1, "the gateway may still send requests there");
        arena.gateway(Answer::Accept);
        arena.phase("chat", "RolledBack").await;
        arena.eventually("the candidate is gone", async || arena.list("deployment", CHILDREN).await.len() == 1).await;
    });
}
