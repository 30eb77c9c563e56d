//! S01, S02, S03, S05, S06: a version takes over, or is taken back.

use serde_json::json;

use crate::arena::{at, condition};
use crate::fixtures::{Split, canary, model, serving, with_startup};
use crate::play;

const BOTH: [Split; 2] = [Split::Pods, Split::Route];

#[test]
fn first_release_serves_and_says_so_in_every_condition() {
    play("first_release", async |arena| {
        serving(arena, Split::Pods).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        for (kind, status) in [("Ready", "True"), ("Available", "True"), ("Reconciling", "False"), ("Stalled", "False")] {
            assert_eq!(condition(&object, kind)["status"], status, "{kind}");
        }
        assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
        assert_eq!(at(&object, "/status/stable/ready"), 4);
        assert_eq!(at(&object, "/status/replicas"), 4);
        let model = arena
            .until("the model says where its version serves", "model", "chat", |model| at(model, "/status/productionVersion") == "1.0.0");
        assert_eq!(at(&model.await, "/status/latestVersion"), "1.2.0");
    });
}

#[test]
fn canary_by_pods_takes_over_step_by_step_and_leaves_nothing_of_the_old() {
    play("canary_by_pods", async |arena| takes_over(arena, Split::Pods).await);
}

#[test]
fn canary_by_route_takes_over_step_by_step_and_leaves_nothing_of_the_old() {
    play("canary_by_route", async |arena| takes_over(arena, Split::Route).await);
}

async fn takes_over(arena: &crate::Arena, split: Split) {
    serving(arena, split).await;
    arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
    arena.holding_at("chat", 25).await;
    arena.holding_at("chat", 50).await;
    let done = arena.phase("chat", "Active").await;
    assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
    assert_eq!(at(&done, "/status/candidate"), &json!(null));
    arena
        .eventually("only the new revision has a Deployment", async || {
            let workloads = arena.list("deployment", "modelward.dev/deployment=chat").await;
            workloads.len() == 1 && workloads[0]["metadata"]["labels"]["modelward.dev/version"] == "1.1.0"
        })
        .await;
    let history = at(&done, "/status/history").as_array().unwrap();
    assert_eq!(history.len(), 2, "{history:?}");
}

#[test]
fn candidate_that_never_gets_ready_is_given_up_with_the_reason() {
    for split in BOTH {
        play(&format!("never_ready_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let broken = with_startup(canary(arena, "1.1.0", split), "never", arena.pace.deadline);
            arena.apply("modeldeployment", broken).await;
            let object = arena.phase("chat", "RolledBack").await;
            assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
            assert_eq!(at(&object, "/status/stable/weight"), 100);
            assert_eq!(condition(&object, "SpecSuperseded")["reason"], "ProgressDeadlineExceeded");
            for (kind, status) in [("Ready", "False"), ("Available", "True"), ("Stalled", "True")] {
                assert_eq!(condition(&object, kind)["status"], status, "{kind}");
            }
        });
    }
}

#[test]
fn abort_in_mid_step_returns_all_traffic_to_stable() {
    for split in BOTH {
        play(&format!("abort_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
            arena.holding_at("chat", 25).await;
            arena.command("chat", "abort:1").await;
            let object = arena.phase("chat", "RolledBack").await;
            assert_eq!(at(&object, "/status/lastCommand/result"), "Accepted");
            assert_eq!(at(&object, "/status/stable/weight"), 100);
            assert_eq!(condition(&object, "SpecSuperseded")["reason"], "Aborted");
            arena
                .eventually("the candidate is gone", async || arena.list("deployment", "modelward.dev/version=1.1.0").await.is_empty())
                .await;
        });
    }
}

#[test]
fn new_spec_in_mid_canary_starts_a_new_candidate_and_leaves_nothing_of_the_old() {
    for split in BOTH {
        play(&format!("superseded_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
            arena.holding_at("chat", 25).await;
            arena.apply("modeldeployment", canary(arena, "1.2.0", split)).await;
            arena
                .until("the third version serves", "modeldeployment", "chat", |object| {
                    at(object, "/status/stable/version") == "1.2.0" && at(object, "/status/phase") == "Active"
                })
                .await;
            assert!(arena.list("deployment", "modelward.dev/version=1.1.0").await.is_empty());
        });
    }
}

#[test]
fn promote_pause_resume_and_retry_are_acknowledged_and_do_what_they_say() {
    play("commands", async |arena| {
        serving(arena, Split::Route).await;
        let mut object = canary(arena, "1.1.0", Split::Route);
        object["spec"]["strategy"]["canary"]["steps"] =
            json!([{"weight": 25, "holdUntil": "Promoted"}, {"weight": 50, "holdUntil": "Promoted"}]);
        arena.apply("modeldeployment", object).await;
        arena.holding_at("chat", 25).await;
        arena.command("chat", "pause:1").await;
        arena.until("paused", "modeldeployment", "chat", |object| condition(object, "Paused")["status"] == "True").await;
        arena.command("chat", "resume:2").await;
        arena.until("resumed", "modeldeployment", "chat", |object| condition(object, "Paused")["status"] == "False").await;
        arena.command("chat", "promote:3").await;
        arena.holding_at("chat", 50).await;
        arena.command("chat", "retry:4").await;
        let refused = arena.until("refused", "modeldeployment", "chat", |object| at(object, "/status/lastCommand/nonce") == "4").await;
        assert_eq!(at(&refused, "/status/lastCommand/result"), "Refused");
        arena.command("chat", "promote-full:5").await;
        let object = arena.phase("chat", "Active").await;
        assert_eq!(at(&object, "/status/stable/version"), "1.1.0");
    });
}

#[test]
fn status_wiped_in_mid_canary_is_rebuilt_and_the_rollout_goes_on() {
    for split in BOTH {
        play(&format!("wiped_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
            arena.holding_at("chat", 25).await;
            arena.wipe_status("modeldeployment", "chat").await;
            arena
                .until("the new version serves", "modeldeployment", "chat", |object| {
                    at(object, "/status/stable/version") == "1.1.0" && at(object, "/status/phase") == "Active"
                })
                .await;
        });
    }
}

#[test]
fn deployment_without_its_model_waits_and_goes_on_when_the_model_comes() {
    play("no_model", async |arena| {
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Pods)).await;
        let object = arena.phase("chat", "Pending").await;
        assert_eq!(condition(&object, "Ready")["reason"], "ModelNotFound");
        assert!(arena.list("deployment", "modelward.dev/deployment=chat").await.is_empty());
        arena.apply("model", model()).await;
        arena.phase("chat", "Active").await;
    });
}
