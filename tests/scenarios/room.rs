//! S22: the cluster has no room for the new pods, or cannot run them. Stable keeps everything, and the reason is visible.

use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, model, name, serving, with_startup, workload};
use crate::play;

const BOTH: [Split; 2] = [Split::Pods, Split::Route];

/// The candidate waits for room beyond its deadline, and stable has everything meanwhile.
async fn blocked(arena: &Arena, words: &str) -> Value {
    let is_blocked = |object: &Value| {
        let ready = condition(object, "Ready");
        ready["reason"] == "SurgeBlocked" && ready["message"].as_str().is_some_and(|message| message.contains(words))
    };
    arena.until("it says that there is no room", "modeldeployment", "chat", is_blocked).await;
    arena.sleep(arena.pace.past_deadline).await;
    let object = arena.get("modeldeployment", "chat").await.unwrap();
    assert!(is_blocked(&object), "{object:#}");
    assert_eq!(condition(&object, "Available")["status"], "True");
    assert_eq!(condition(&object, "SpecSuperseded")["status"], "False");
    assert_eq!(at(&object, "/status/stable/ready"), 4);
    assert_eq!(at(&object, "/status/stable/weight"), 100);
    assert_eq!(workload(arena, "1.0.0").await["spec"]["replicas"], 4);
    object
}

/// A canary to 1.1.0 whose pods have little time.
fn hurried(arena: &Arena, split: Split) -> Value {
    let mut object = canary(arena, "1.1.0", split);
    object["spec"]["progressDeadline"] = arena.pace.deadline.into();
    object
}

#[test]
fn quota_that_leaves_no_room_holds_the_rollout_until_it_is_raised() {
    for split in BOTH {
        play(&format!("quota_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.create("quota", json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "4"}}})).await;
            arena.until("the quota counts", "quota", "few", |quota| at(quota, "/status/used/pods") == "4").await;
            arena.apply("modeldeployment", hurried(arena, split)).await;
            blocked(arena, "exceeded quota").await;
            arena.merge("quota", "few", json!({"spec": {"hard": {"pods": "20"}}})).await;
            let done = arena.phase("chat", "Active").await;
            assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
        });
    }
}

#[test]
fn pods_that_no_node_takes_hold_the_rollout_until_one_does() {
    for split in BOTH {
        play(&format!("no_node_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let mut object = hurried(arena, split);
            object["spec"]["podTemplate"] = json!({"spec": {"nodeSelector": {"scenario": arena.namespace}}});
            arena.apply("modeldeployment", object).await;
            blocked(arena, "node").await;
            let nodes = arena.list("node", "").await;
            arena.label("node", name(&nodes[0]), "scenario", Some(&arena.namespace)).await;
            let done = arena.phase("chat", "Active").await;
            assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
        });
    }
}

#[test]
fn pods_that_ask_for_more_gpus_than_any_node_has_hold_until_the_spec_asks_for_less() {
    play("gpus", async |arena| {
        serving(arena, Split::Route).await;
        let mut object = hurried(arena, Split::Route);
        object["spec"]["resources"] = json!({"limits": {"nvidia.com/gpu": "9"}});
        arena.apply("modeldeployment", object.clone()).await;
        blocked(arena, "nvidia.com/gpu").await;
        object["spec"]["resources"] = json!({"limits": {"example.com/none": "0"}});
        arena.apply("modeldeployment", object).await;
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
        arena.eventually("only one Deployment is left", async || arena.list("deployment", CHILDREN).await.len() == 1).await;
    });
}

#[test]
fn first_release_without_room_says_so_and_serves_as_soon_as_there_is_some() {
    play("first_without_room", async |arena| {
        arena.create("quota", json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}})).await;
        arena.until("the quota counts", "quota", "few", |quota| at(quota, "/status/used/pods") == "0").await;
        arena.apply("model", model()).await;
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Pods)).await;
        let says = |object: &Value| condition(object, "Ready")["message"].as_str().is_some_and(|words| words.contains("exceeded quota"));
        arena.until("it says that there is no room", "modeldeployment", "chat", says).await;
        arena.delete("quota", "few").await;
        arena.phase("chat", "Active").await;
    });
}

#[test]
fn version_that_cannot_start_is_taken_back_with_the_words_of_its_container_and_a_good_one_goes_on() {
    for (split, startup, words) in [(Split::Pods, "no-image", "ImagePullBackOff"), (Split::Route, "crash", "CrashLoopBackOff")] {
        play(&format!("cannot_start_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.apply("modeldeployment", with_startup(canary(arena, "1.1.0", split), startup, arena.pace.deadline)).await;
            let object = arena.phase("chat", "RolledBack").await;
            let superseded = condition(&object, "SpecSuperseded");
            assert_eq!(superseded["reason"], "ProgressDeadlineExceeded");
            let message = superseded["message"].as_str().unwrap();
            assert!(message.contains(words), "{message}");
            assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
            assert_eq!(at(&object, "/status/stable/ready"), 4);
            arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
            let done = arena.phase("chat", "Active").await;
            assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
            assert_eq!(condition(&done, "SpecSuperseded")["status"], "False");
        });
    }
}
