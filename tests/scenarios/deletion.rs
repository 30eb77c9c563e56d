//! S16, S17: a deployment is deleted in any state, and made again; a Model goes while it is in use.

use kube::api::PropagationPolicy;
use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, model, name, serving, with_startup, workload};
use crate::play;

/// Every kind of which a deployment has children, directly or not.
const KINDS: [&str; 8] = ["deployment", "replicaset", "pod", "service", "slice", "budget", "record", "route"];

/// Waits until nothing is left of `chat`.
async fn gone(arena: &Arena) {
    for short in KINDS {
        arena.eventually(&format!("every {short} is gone"), async || all_of(arena, short).await.is_empty()).await;
    }
    assert_eq!(arena.get("modeldeployment", "chat").await, None);
}

/// All objects of a kind, labelled or not, but those that every namespace has.
async fn all_of(arena: &Arena, short: &str) -> Vec<Value> {
    arena.list(short, "").await.into_iter().filter(|object| name(object) != "kubernetes").collect()
}

#[test]
fn deployment_deleted_in_mid_canary_leaves_nothing_behind() {
    for split in [Split::Pods, Split::Route] {
        play(&format!("deleted_in_canary_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
            arena.holding_at("chat", 25).await;
            arena.delete("modeldeployment", "chat").await;
            gone(arena).await;
        });
    }
}

#[test]
fn deployment_deleted_before_its_pods_were_ready_leaves_nothing_behind() {
    play("deleted_in_first_release", async |arena| {
        arena.apply("model", model()).await;
        let never = with_startup(canary(arena, "1.0.0", Split::Route), "never", arena.pace.long_deadline);
        arena.apply("modeldeployment", never).await;
        workload(arena, "1.0.0").await;
        arena.delete("modeldeployment", "chat").await;
        gone(arena).await;
    });
}

#[test]
fn deployment_deleted_on_the_way_back_leaves_nothing_behind() {
    play("deleted_on_the_way_back", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
        arena.command("chat", "abort:1").await;
        arena.phase("chat", "RolledBack").await;
        arena.delete("modeldeployment", "chat").await;
        gone(arena).await;
    });
}

#[test]
fn deletion_in_the_foreground_ends_after_the_children() {
    play("deleted_in_foreground", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
        arena.delete_with("modeldeployment", "chat", PropagationPolicy::Foreground).await;
        arena.eventually("the deployment is gone", async || arena.get("modeldeployment", "chat").await.is_none()).await;
        for short in ["deployment", "route", "service"] {
            assert_eq!(arena.list(short, CHILDREN).await, Vec::<Value>::new(), "{short}");
        }
        gone(arena).await;
    });
}

#[test]
fn deployment_made_again_at_once_is_a_first_release_of_its_own() {
    for (split, version) in [(Split::Pods, "1.0.0"), (Split::Route, "1.2.0")] {
        play(&format!("made_again_{split:?}").to_lowercase(), async |arena| {
            let lingering = |version: &str| {
                let mut object = canary(arena, version, split);
                object["spec"]["podTemplate"] = json!({"metadata": {"labels": {"simulation.modelward.dev/stop-seconds": "5"}}});
                object
            };
            arena.apply("model", model()).await;
            arena.apply("modeldeployment", lingering("1.0.0")).await;
            let old = arena.phase("chat", "Active").await;
            arena.apply("modeldeployment", lingering("1.1.0")).await;
            arena.holding_at("chat", 25).await;
            let mut former = Vec::new();
            for short in KINDS {
                former.extend(all_of(arena, short).await.into_iter().map(|object| object["metadata"]["uid"].clone()));
            }
            arena.delete("modeldeployment", "chat").await;
            arena.eventually("the old one is gone", async || arena.get("modeldeployment", "chat").await.is_none()).await;
            let new = arena.apply("modeldeployment", lingering(version)).await;
            assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
            let served = arena.phase("chat", "Active").await;
            assert_eq!(at(&served, "/status/stable/version"), version);
            assert_eq!(at(&served, "/status/history").as_array().unwrap().len(), 1, "a first release");
            assert_eq!(at(&served, "/status/decision/number"), 1);
            assert_eq!(condition(&served, "SpecSuperseded")["status"], "False");
            for short in KINDS {
                for object in all_of(arena, short).await {
                    assert!(!former.contains(&object["metadata"]["uid"]), "{short} {} was taken over", name(&object));
                }
            }
        });
    }
}

#[test]
fn children_left_by_their_owner_are_named_and_never_adopted() {
    play("left_behind", async |arena| {
        serving(arena, Split::Route).await;
        arena.delete_with("modeldeployment", "chat", PropagationPolicy::Orphan).await;
        arena.eventually("the old one is gone", async || arena.get("modeldeployment", "chat").await.is_none()).await;
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Route)).await;
        let object = arena.reason("chat", "Ready", "NameTaken").await;
        assert_eq!(condition(&object, "Stalled")["status"], "True");
        for short in ["deployment", "service", "budget", "record", "route"] {
            for child in arena.list(short, CHILDREN).await {
                assert_eq!(child["metadata"].get("ownerReferences"), None, "{short} {} was adopted", name(&child));
                arena.delete(short, name(&child)).await;
            }
        }
        arena.phase("chat", "Active").await;
    });
}

#[test]
fn model_deleted_while_it_is_in_use_harms_nothing_that_runs() {
    play("model_deleted", async |arena| {
        serving(arena, Split::Route).await;
        let before = workload(arena, "1.0.0").await;
        arena.delete("model", "chat").await;
        let object = arena.reason("chat", "Ready", "ModelNotFound").await;
        assert_eq!(condition(&object, "Available")["status"], "True");
        assert_eq!(at(&object, "/status/stable/ready"), 4);
        arena.scale("modeldeployment", "chat", 5).await;
        arena.until("it still scales", "modeldeployment", "chat", |object| at(object, "/status/stable/ready") == 5).await;
        assert_eq!(workload(arena, "1.0.0").await["metadata"]["uid"], before["metadata"]["uid"]);
        arena.apply("model", model()).await;
        arena.reason("chat", "Ready", "AsSpecified").await;
    });
}

#[test]
fn model_deleted_in_mid_canary_holds_the_rollout_until_it_is_back() {
    play("model_deleted_in_canary", async |arena| {
        serving(arena, Split::Pods).await;
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Pods)).await;
        arena.holding_at("chat", 25).await;
        arena.delete("model", "chat").await;
        arena.reason("chat", "Ready", "ModelNotFound").await;
        arena.sleep(arena.pace.past_deadline).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(at(&object, "/status/phase"), "Holding");
        assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
        assert_eq!(at(&object, "/status/stable/ready"), 4);
        arena.apply("model", model()).await;
        let done = arena.phase("chat", "Active").await;
        assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
    });
}
