//! I17-I20, I26, I28, I31.

use std::sync::Arc;
use std::time::Duration;

use modelward::runtime::driver::{Driver, Next, Options, ReconcileError, Reconciler};
use modelward::runtime::key::ObjectKey;
use modelward::runtime::queue::Limits;
use serde_json::{Value, json};

use super::{DEPLOYMENTS, Ground, Hand, only, planted, seen};
use crate::fixtures::{Split, canary};
use crate::simulated::Stage;

fn status(hand: &mut Hand<'_>, patch: Value) {
    hand.merge(DEPLOYMENTS, "chat", Some("status"), json!({"status": patch}));
}

#[test]
fn i17_observed_generation_that_goes_back_is_seen() {
    assert_eq!(planted(Ground::Serving, |hand| status(hand, json!({"observedGeneration": 0}))), only("I17"));
}

#[test]
fn i17_ready_for_an_older_generation_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        stage.arena("play").merge("modeldeployment", "chat", json!({"spec": {"replicas": 5}})).await;
        stage.cluster(|cluster| status(&mut Hand(cluster), json!({"url": "http://elsewhere"})));
    });
    assert_eq!(broken, only("I17"));
}

#[test]
fn i18_phase_off_the_graph_is_seen() {
    assert_eq!(planted(Ground::Serving, |hand| status(hand, json!({"phase": "RolledBack"}))), only("I18"));
}

#[test]
fn i19_touched_transition_time_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        let mut conditions = hand.get(DEPLOYMENTS, "chat")["status"]["conditions"].clone();
        conditions[0]["lastTransitionTime"] = "2026-01-01T00:00:01Z".into();
        status(hand, json!({"conditions": conditions}));
    });
    assert_eq!(broken, only("I19"));
}

#[test]
fn i19_flip_with_the_old_transition_time_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        let mut conditions = hand.get(DEPLOYMENTS, "chat")["status"]["conditions"].clone();
        let other = if conditions[0]["status"] == "True" { "False" } else { "True" };
        conditions[0]["status"] = other.into();
        status(hand, json!({"conditions": conditions}));
    });
    assert_eq!(broken, only("I19"));
}

#[test]
fn i20_decision_that_counts_down_is_seen() {
    assert_eq!(planted(Ground::Quarter, |hand| status(hand, json!({"decision": {"number": 1}}))), only("I20"));
}

#[test]
fn i26_eleven_writes_within_ten_seconds_are_seen() {
    let broken = planted(Ground::Serving, |hand| {
        for turn in 0..11 {
            hand.merge("services", "chat", None, json!({"metadata": {"annotations": {"turn": turn.to_string()}}}));
        }
    });
    assert_eq!(broken, only("I26"));
}

#[test]
fn i26_eleven_writes_at_even_intervals_within_ten_seconds_are_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        for turn in 0..11 {
            stage.cluster(|cluster| {
                let patch = json!({"metadata": {"annotations": {"turn": turn.to_string()}}});
                Hand(cluster).merge("services", "chat", None, patch);
            });
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
    });
    assert_eq!(broken, only("I26"));
}

#[test]
fn i28_status_above_64_kib_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        let mut conditions = hand.get(DEPLOYMENTS, "chat")["status"]["conditions"].clone();
        for condition in conditions.as_array_mut().unwrap() {
            condition["message"] = "m".repeat(32_000).into();
        }
        status(hand, json!({"conditions": conditions}));
    });
    assert_eq!(broken, only("I28"));
}

struct Panics;

impl Reconciler for Panics {
    const KIND: &'static str = "ModelDeployment";

    async fn reconcile(&self, _: ObjectKey) -> Result<Next, ReconcileError> {
        panic!("planted")
    }
}

#[test]
fn i31_panic_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let mut driver = Driver::new(Arc::clone(&stage.clock) as _, Arc::clone(&stage.metrics), Options::default());
        let handle = driver.controller(Panics, Limits::with_concurrency(1), Vec::new());
        handle.enqueue(ObjectKey::new("play", "chat"));
        driver.run(stage.admin(), tokio::time::sleep(Duration::from_millis(100))).await.unwrap();
    });
    assert_eq!(broken, only("I31"));
}

#[test]
fn i31_object_that_waits_for_its_first_answer_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let arena = stage.arena("play");
        stage.watchdog.lock().unwrap().operator_started();
        let mut other = canary(&arena, "1.0.0", Split::Pods);
        other["metadata"]["name"] = "other".into();
        arena.apply("modeldeployment", other).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    assert_eq!(broken, only("I31"));
}

#[test]
fn i31_changed_spec_that_waits_for_its_answer_is_seen() {
    let broken = seen(Ground::Serving, async |stage: &Stage| {
        let arena = stage.arena("play");
        stage.watchdog.lock().unwrap().operator_started();
        arena.apply("modeldeployment", canary(&arena, "1.1.0", Split::Route)).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    assert_eq!(broken, only("I31"));
}
