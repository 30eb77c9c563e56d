//! S07: a version is fully up without traffic, and gets everything at once.

use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, route_weights, serving, with_startup, workload};
use crate::play;

const BOTH: [Split; 2] = [Split::Pods, Split::Route];

/// Version `version` by blue/green.
fn blue_green(arena: &Arena, version: &str, split: Split) -> Value {
    let mut object = canary(arena, version, split);
    object["spec"]["strategy"] = json!({"type": "BlueGreen"});
    object
}

/// The preview of 1.1.0 has all its pods and waits for a person.
async fn previewing(arena: &Arena) -> Value {
    let waits = |object: &Value| {
        let ready = condition(object, "Ready")["reason"] == "WaitingForPromotion";
        ready && at(object, "/status/candidate/version") == "1.1.0" && at(object, "/status/candidate/ready") == 4
    };
    arena.until("the preview is up", "modeldeployment", "chat", waits).await
}

async fn gone(arena: &Arena, short: &str, name: &str) {
    arena.eventually(&format!("{short} {name} is gone"), async || arena.get(short, name).await.is_none()).await;
}

#[test]
fn preview_has_all_pods_and_no_traffic_and_a_person_switches_everything_at_once() {
    for split in BOTH {
        play(&format!("preview_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.apply("modeldeployment", blue_green(arena, "1.1.0", split)).await;
            let object = previewing(arena).await;
            assert_eq!(at(&object, "/status/candidate/weight"), 0);
            assert_eq!((at(&object, "/status/step/weight"), at(&object, "/status/stable/ready")), (&json!(0), &json!(4)));
            assert_eq!(at(&object, "/status/rollbackCapacity"), 100);
            let revision = at(&object, "/status/candidate/revision");
            let preview = arena.get("service", "chat-preview").await.unwrap();
            assert_eq!(&preview["spec"]["selector"]["modelward.dev/revision"], revision);
            let everybody = arena.get("service", "chat").await.unwrap();
            assert_eq!(everybody["spec"]["selector"]["modelward.dev/revision"], *at(&object, "/status/stable/revision"));
            if split == Split::Route {
                let weight = route_weights(arena).await[revision.as_str().unwrap()].as_i64().unwrap_or(0);
                assert_eq!(weight, 0, "the route sends nothing to the preview");
            }
            arena.command("chat", "promote:1").await;
            let done = arena.phase("chat", "Active").await;
            assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
            gone(arena, "service", "chat-preview").await;
            arena.eventually("the old version is gone", async || arena.list("deployment", CHILDREN).await.len() == 1).await;
        });
    }
}

#[test]
fn aborted_preview_leaves_and_stable_never_noticed() {
    for split in BOTH {
        play(&format!("preview_aborted_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let before = workload(arena, "1.0.0").await;
            arena.apply("modeldeployment", blue_green(arena, "1.1.0", split)).await;
            previewing(arena).await;
            arena.command("chat", "abort:1").await;
            let object = arena.phase("chat", "RolledBack").await;
            assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
            gone(arena, "service", "chat-preview").await;
            arena.eventually("the candidate is gone", async || arena.list("deployment", CHILDREN).await.len() == 1).await;
            let after = workload(arena, "1.0.0").await;
            assert_eq!(before["metadata"]["generation"], after["metadata"]["generation"]);
        });
    }
}

#[test]
fn preview_that_never_gets_ready_is_given_up() {
    play("preview_never_ready", async |arena| {
        serving(arena, Split::Route).await;
        let broken = with_startup(blue_green(arena, "1.1.0", Split::Route), "never", arena.pace.deadline);
        arena.apply("modeldeployment", broken).await;
        let object = arena.phase("chat", "RolledBack").await;
        assert_eq!(condition(&object, "SpecSuperseded")["reason"], "ProgressDeadlineExceeded");
        gone(arena, "service", "chat-preview").await;
    });
}

#[test]
fn preview_promotes_itself_after_its_hold_if_asked_to() {
    for split in BOTH {
        play(&format!("preview_promotes_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let mut object = blue_green(arena, "1.1.0", split);
            object["spec"]["strategy"]["blueGreen"] = json!({"autoPromote": true, "holdFor": arena.pace.hold});
            arena.apply("modeldeployment", object).await;
            let done = arena.phase("chat", "Active").await;
            assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
        });
    }
}

#[test]
fn version_that_comes_back_within_the_scale_down_delay_finds_its_pods() {
    for split in BOTH {
        play(&format!("preview_back_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let before = workload(arena, "1.0.0").await;
            let mut object = blue_green(arena, "1.1.0", split);
            object["spec"]["strategy"]["scaleDownDelay"] = "1h".into();
            arena.apply("modeldeployment", object.clone()).await;
            previewing(arena).await;
            arena.command("chat", "promote:1").await;
            arena.until("the new one serves", "modeldeployment", "chat", |object| at(object, "/status/stable/version") == "1.1.0").await;
            object["spec"]["version"] = "1.0.0".into();
            object["spec"]["strategy"] = json!({"type": "Immediate"});
            arena.apply("modeldeployment", object).await;
            arena
                .until("the old one serves again", "modeldeployment", "chat", |object| at(object, "/status/stable/version") == "1.0.0")
                .await;
            let after = workload(arena, "1.0.0").await;
            assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"], "its Deployment was never taken away");
        });
    }
}
