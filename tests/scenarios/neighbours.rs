//! I26 and I31: what one object, or one process, costs the others.

use std::num::NonZeroU32;
use std::time::Duration;

use modelward::controllers::operator::Options;
use modelward::runtime::clock::Clock;
use modelward::sim::api_error::ApiError;
use modelward::sim::cluster::Identity;
use modelward::sim::routes::RequestInfo;
use modelward::sim::routes::access::{Decision, Failure, Interceptor};
use serde_json::json;

use crate::arena::Arena;
use crate::fixtures::{Split, canary, model};
use crate::invariants::OPERATOR;
use crate::simulated::{Stage, epoch, runtime};

/// Writes of the operator to what is called `bad`, or belongs to it, go wrong.
struct Bad(Decision);

impl Interceptor for Bad {
    fn before(&mut self, _: u64, who: &Identity, info: &RequestInfo) -> Decision {
        let read = ["get", "list", "watch"].contains(&info.verb.as_str());
        let bad = info.name == "bad" || info.name.starts_with("bad-") || (info.name.is_empty() && info.resource == "deployments");
        if who.user == OPERATOR && !read && bad { self.0.clone() } else { Decision::Pass }
    }
}

async fn apply(arena: &Arena, name: &str, version: &str) {
    let mut object = canary(arena, version, Split::Pods);
    object["metadata"]["name"] = name.into();
    arena.apply("modeldeployment", object).await;
}

/// One deployment whose writes go wrong, and another one that is made, released and edited beside it.
fn others_are_answered(name: &str, decision: &Decision) {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let arena = stage.arena("play");
        let (operator, _) = stage.start_operator(None);
        arena.apply("model", model()).await;
        apply(&arena, "good", "1.0.0").await;
        arena.phase("good", "Active").await;
        stage.server.with(|state| state.front.interceptor = Some(Box::new(Bad(decision.clone()))));
        for number in 0..3 {
            // Its own delays are what was planted.
            apply(&arena, "bad", if number % 2 == 0 { "1.0.0" } else { "1.1.0" }).await;
            arena.merge("modeldeployment", "good", json!({"spec": {"replicas": 5 + number}})).await;
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        let late: Vec<String> = stage.violations().into_iter().filter(|violation| !violation.contains("play/bad")).collect();
        assert!(late.is_empty(), "{name}: {late:#?}");
        let good = arena.get("modeldeployment", "good").await.unwrap();
        assert_eq!(good.pointer("/status/observedGeneration"), good.pointer("/metadata/generation"), "{name}");
        stage.stop_operator(&operator);
    });
}

#[test]
fn object_whose_writes_are_refused_delays_no_other() {
    let refusal = ApiError::new(500, "InternalError", "planted");
    others_are_answered("refused", &Decision::FailBefore(Failure::Status(Box::new(refusal))));
}

#[test]
fn object_whose_writes_are_answered_late_delays_no_other() {
    others_are_answered("late", &Decision::Late(Duration::from_secs(15)));
}

#[test]
fn limited_operator_keeps_to_its_limit_and_gets_all_done() {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let arena = stage.arena("play");
        arena.apply("model", model()).await;
        for number in 0..30 {
            apply(&arena, &format!("chat-{number}"), "1.0.0").await;
        }
        stage.watchdog.lock().unwrap().requests_per_second = Some(10);
        let options = Options { requests_per_second: NonZeroU32::new(10), ..Options::default() };
        let (operator, _) = stage.start_operator_with(&options);
        for number in 0..30 {
            arena.phase(&format!("chat-{number}"), "Active").await;
        }
        let sent = stage.log.lock().unwrap().iter().filter(|record| record.who.user == OPERATOR).count();
        let took = stage.clock.now().duration_since(epoch()).as_secs_f64();
        assert!(sent > 200 && took > 20.0, "{sent} requests in {took} s: the limit was not what bounds it");
        stage.check("limited");
        stage.stop_operator(&operator);
    });
}
