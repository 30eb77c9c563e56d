//! S11, S12, S13: somebody asks for an earlier version, and the operator records what it took back by itself.

use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{Split, canary, model, serving, with_startup};
use crate::play;

const BOTH: [Split; 2] = [Split::Pods, Split::Route];

/// A Rollback of `chat` with these fields of its spec.
fn rollback(name: &str, mut spec: Value) -> Value {
    spec["deployment"] = "chat".into();
    json!({"metadata": {"name": name}, "spec": spec})
}

async fn ends(arena: &Arena, name: &str, phase: &str) -> Value {
    arena.until(&format!("{name} is {phase}"), "rollback", name, |object| at(object, "/status/phase") == phase).await
}

/// Versions 1.0.0 and 1.1.0 served, the second one does.
async fn second_serves(arena: &Arena, split: Split) {
    serving(arena, split).await;
    let mut next = canary(arena, "1.1.0", split);
    next["spec"]["strategy"] = json!({"type": "Immediate"});
    arena.apply("modeldeployment", next).await;
    arena
        .until("1.1.0 serves", "modeldeployment", "chat", |object| {
            at(object, "/status/stable/version") == "1.1.0" && at(object, "/status/phase") == "Active"
        })
        .await;
}

#[test]
fn version_long_gone_comes_back_ready_first_and_the_spec_stays_as_it_is() {
    for split in BOTH {
        play(&format!("rollback_{split:?}").to_lowercase(), async |arena| {
            second_serves(arena, split).await;
            arena
                .eventually("the first version's pods are gone", async || {
                    arena.list("deployment", "modelward.dev/version=1.0.0").await.is_empty()
                })
                .await;
            arena.apply("rollback", rollback("back", json!({"reason": "ticket 4711", "requestedBy": "admin"}))).await;
            let done = ends(arena, "back", "Completed").await;
            assert_eq!((at(&done, "/status/from/version"), at(&done, "/status/to/version")), (&json!("1.1.0"), &json!("1.0.0")));
            assert_eq!(at(&done, "/status/trafficRedirected"), 100);
            assert!(at(&done, "/status/startedAt").as_str() <= at(&done, "/status/completedAt").as_str());
            let deployment = arena.phase("chat", "RolledBack").await;
            assert_eq!(at(&deployment, "/spec/version"), "1.1.0", "a spec belongs to its user");
            assert_eq!(at(&deployment, "/status/stable/version"), "1.0.0");
            assert_eq!(at(&deployment, "/status/override/by"), "rollback/back");
            assert_eq!(condition(&deployment, "SpecSuperseded")["reason"], "RolledBack");
            arena.scale("modeldeployment", "chat", 5).await;
            arena
                .until("the override outlives a change of size", "modeldeployment", "chat", |object| {
                    at(object, "/status/stable/ready") == 5 && at(object, "/status/stable/version") == "1.0.0"
                })
                .await;
            arena.apply("modeldeployment", canary(arena, "1.2.0", split)).await;
            arena.holding_at("chat", 25).await;
        });
    }
}

#[test]
fn rollback_during_a_release_takes_the_candidate_back() {
    for split in BOTH {
        play(&format!("rollback_midway_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
            arena.holding_at("chat", 25).await;
            arena.apply("rollback", rollback("back", json!({}))).await;
            let done = ends(arena, "back", "Completed").await;
            assert_eq!((at(&done, "/status/from/version"), at(&done, "/status/to/version")), (&json!("1.1.0"), &json!("1.0.0")));
            let deployment = arena.phase("chat", "RolledBack").await;
            assert_eq!(at(&deployment, "/status/stable/version"), "1.0.0");
            assert_eq!(at(&deployment, "/status/decision/cause"), "Rollback");
        });
    }
}

#[test]
fn rollback_asked_for_during_a_rollback_wins() {
    play("rollback_twice", async |arena| {
        second_serves(arena, Split::Route).await;
        let mut third = canary(arena, "1.2.0", Split::Route);
        third["spec"]["strategy"] = json!({"type": "Immediate"});
        arena.apply("modeldeployment", third).await;
        arena.until("1.2.0 serves", "modeldeployment", "chat", |object| at(object, "/status/stable/version") == "1.2.0").await;
        arena.apply("rollback", rollback("first", json!({"toVersion": "1.1.0"}))).await;
        ends(arena, "first", "InProgress").await;
        // Objects made in the same second are told apart by name.
        arena.apply("rollback", rollback("second", json!({"toVersion": "1.0.0"}))).await;
        ends(arena, "second", "Completed").await;
        let first = arena.until("the first one ends, too", "rollback", "first", |object| at(object, "/status/phase") != "InProgress").await;
        let overtaken = condition(&first, "Stalled")["reason"] == "Overtaken";
        assert!(overtaken || at(&first, "/status/phase") == "Completed", "{first}");
        let deployment = arena.phase("chat", "RolledBack").await;
        assert_eq!(at(&deployment, "/status/stable/version"), "1.0.0");
    });
}

#[test]
fn rollback_that_cannot_be_done_says_why_and_moves_nothing() {
    play("rollback_impossible", async |arena| {
        serving(arena, Split::Route).await;
        let before = arena.get("modeldeployment", "chat").await.unwrap();
        let cases = [
            ("first-release", json!({}), "Failed", "Impossible"),
            ("no-version", json!({"toVersion": "9.9.9"}), "Failed", "Impossible"),
            ("never-served", json!({"toVersion": "1.1.0"}), "Failed", "Impossible"),
            ("no-revision", json!({"toRevision": "chat-nothing"}), "Failed", "Impossible"),
            ("not-there", json!({"from": "chat-other"}), "NotNeeded", "NotNeeded"),
            ("other-uid", json!({"deploymentUid": "00000000-0000-4000-8000-000000000000"}), "NotNeeded", "NotNeeded"),
            ("there", json!({"toVersion": "1.0.0"}), "NotNeeded", "NotNeeded"),
        ];
        for (name, spec, phase, reason) in cases {
            arena.apply("rollback", rollback(name, spec)).await;
            let ended = ends(arena, name, phase).await;
            let said = condition(&ended, if phase == "Failed" { "Stalled" } else { "Ready" });
            assert_eq!((&said["status"], &said["reason"]), (&json!("True"), &json!(reason)), "{name}");
            assert!(at(&ended, "/status/message").as_str().is_some_and(|words| words.len() > 20), "{name}");
        }
        let mut foreign = rollback("foreign", json!({}));
        foreign["spec"]["deployment"] = "nobody".into();
        arena.apply("rollback", foreign).await;
        ends(arena, "foreign", "Failed").await;
        let after = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(before["status"], after["status"], "nothing moved");
    });
}

#[test]
fn rollback_to_a_version_that_its_gate_no_longer_takes_is_refused() {
    play("rollback_gate", async |arena| {
        second_serves(arena, Split::Route).await;
        let mut closed = model();
        closed["spec"]["gates"] = json!([{"environment": "production", "requireDigest": true}]);
        arena.apply("model", closed).await;
        arena.apply("rollback", rollback("back", json!({"toVersion": "1.0.0"}))).await;
        let ended = ends(arena, "back", "Failed").await;
        assert_eq!(condition(&ended, "Stalled")["reason"], "GateFailed");
    });
}

#[test]
fn what_the_operator_takes_back_itself_is_recorded_once() {
    play("rollback_recorded", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", with_startup(canary(arena, "1.1.0", Split::Route), "never", arena.pace.deadline)).await;
        arena.phase("chat", "RolledBack").await;
        arena.eventually("there is a record", async || !arena.list("rollback", "modelward.dev/deployment=chat").await.is_empty()).await;
        let made = arena.list("rollback", "modelward.dev/deployment=chat").await.remove(0);
        let name = made["metadata"]["name"].as_str().unwrap().to_owned();
        let done = ends(arena, &name, "Completed").await;
        assert_eq!(at(&done, "/spec/trigger"), "Automatic");
        assert_eq!((at(&done, "/status/from/version"), at(&done, "/status/to/version")), (&json!("1.1.0"), &json!("1.0.0")));
        assert!(at(&done, "/spec/reason").as_str().is_some_and(|words| words.contains("0 of 1 pods were ready")), "{done}");
        assert_eq!(arena.list("rollback", "modelward.dev/deployment=chat").await.len(), 1);
        let mut forged = rollback("forged", json!({"trigger": "Automatic", "toVersion": "1.0.0"}));
        forged["metadata"]["labels"] = json!({"modelward.dev/deployment": "chat"});
        arena.apply("rollback", forged).await;
        arena.sleep(arena.pace.rest).await;
        let forged = arena.get("rollback", "forged").await.unwrap();
        assert!(["Pending", "NotNeeded"].map(Value::from).contains(at(&forged, "/status/phase")), "{forged}");
    });
}
