//! How many pods there are: small surges, scaling at any time, none at all, restarts; and the strategy without steps.

use serde_json::{Value, json};

use crate::arena::{Arena, at};
use crate::fixtures::{CHILDREN, Split, canary, model, name, route_weights, serving, workload};
use crate::play;

const BOTH: [Split; 2] = [Split::Pods, Split::Route];

/// Pods that all child Deployments ask for.
async fn asked(arena: &Arena) -> i64 {
    let workloads = arena.list("deployment", CHILDREN).await;
    workloads.iter().map(|workload| workload["spec"]["replicas"].as_i64().unwrap()).sum()
}

#[test]
fn small_surge_is_never_exceeded_and_ready_pods_never_fall_below_what_is_wanted() {
    for split in BOTH {
        play(&format!("small_surge_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let mut object = canary(arena, "1.1.0", split);
            object["spec"]["strategy"]["maxSurge"] = 1.into();
            arena.apply("modeldeployment", object).await;
            let mut seen_less = false;
            let done = loop {
                assert!(asked(arena).await <= 5, "more pods than 4 and 1");
                let object = arena.get("modeldeployment", "chat").await.unwrap();
                let number = |pointer: &str| at(&object, pointer).as_i64().unwrap_or(0);
                seen_less |= number("/status/rollbackCapacity") < 100 && number("/status/candidate/weight") > 25;
                let current = at(&object, "/status/observedGeneration") == at(&object, "/metadata/generation");
                if current && at(&object, "/status/phase") == "Active" {
                    break object;
                }
                arena.sleep(arena.pace.poll).await;
            };
            assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
            assert!(seen_less, "status never said that stable could not take everything back");
        });
    }
}

#[test]
fn scaling_in_mid_canary_reaches_both_sides() {
    for split in BOTH {
        play(&format!("scaled_in_canary_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let mut object = canary(arena, "1.1.0", split);
            object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
            arena.apply("modeldeployment", object).await;
            arena.holding_at("chat", 25).await;
            let sized = async |stable: i64, candidate: i64| {
                let both = |object: &Value| {
                    at(object, "/status/stable/ready") == stable
                        && at(object, "/status/candidate/ready") == candidate
                        && at(object, "/status/phase") == "Holding"
                };
                arena.until(&format!("{stable} and {candidate} pods"), "modeldeployment", "chat", both).await;
            };
            arena.scale("modeldeployment", "chat", 8).await;
            sized(8, if split == Split::Route { 2 } else { 3 }).await;
            arena.scale("modeldeployment", "chat", 2).await;
            sized(2, 1).await;
            arena.command("chat", "promote:1").await;
            let done = arena.phase("chat", "Active").await;
            assert_eq!(at(&done, "/status/stable/version"), "1.1.0");
            assert_eq!(at(&done, "/status/stable/ready"), 2);
        });
    }
}

#[test]
fn scale_subresource_shows_and_sets_the_stable_revision() {
    play("scale", async |arena| {
        serving(arena, Split::Pods).await;
        arena.scale("modeldeployment", "chat", 2).await;
        let scaled = |object: &Value| at(object, "/status/replicas") == 2 && at(object, "/status/stable/ready") == 2;
        let object = arena.until("two pods", "modeldeployment", "chat", scaled).await;
        let selector = at(&object, "/status/selector").as_str().unwrap().to_owned();
        arena.eventually("the selector finds the pods", async || arena.list("pod", &selector).await.len() == 2).await;
        let refusal = arena.try_scale("modeldeployment", "chat", -1).await.unwrap_err();
        assert_eq!((refusal.code, refusal.reason.as_str()), (422, "Invalid"), "{refusal:?}");
        assert_eq!(arena.get("modeldeployment", "chat").await.unwrap()["spec"]["replicas"], 2);
    });
}

#[test]
fn deployment_without_pods_takes_a_new_version_and_comes_back_with_it() {
    for split in BOTH {
        play(&format!("no_pods_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            arena.scale("modeldeployment", "chat", 0).await;
            arena.eventually("no pod is left", async || arena.list("pod", CHILDREN).await.is_empty()).await;
            let object = arena.phase("chat", "Active").await;
            assert_eq!(at(&object, "/status/replicas"), 0);
            let mut next = canary(arena, "1.1.0", split);
            next["spec"]["replicas"] = 0.into();
            arena.apply("modeldeployment", next).await;
            let served = |object: &Value| at(object, "/status/stable/version") == "1.1.0" && at(object, "/status/phase") == "Active";
            arena.until("the new version is in place", "modeldeployment", "chat", served).await;
            assert!(arena.list("pod", CHILDREN).await.is_empty());
            arena.scale("modeldeployment", "chat", 3).await;
            arena.until("three pods", "modeldeployment", "chat", |object| served(object) && at(object, "/status/stable/ready") == 3).await;
        });
    }
}

#[test]
fn deployment_scaled_to_nothing_in_mid_canary_goes_on_where_it_was() {
    for split in BOTH {
        play(&format!("to_nothing_in_canary_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let mut object = canary(arena, "1.1.0", split);
            object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
            arena.apply("modeldeployment", object).await;
            arena.holding_at("chat", 25).await;
            arena.scale("modeldeployment", "chat", 0).await;
            arena.eventually("no pod is left", async || arena.list("pod", CHILDREN).await.is_empty()).await;
            arena.scale("modeldeployment", "chat", 4).await;
            let back = |object: &Value| {
                at(object, "/status/stable/ready") == 4
                    && at(object, "/status/phase") == "Holding"
                    && at(object, "/status/candidate/weight") == 25
            };
            let object = arena.until("it holds again", "modeldeployment", "chat", back).await;
            assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
            arena.command("chat", "promote:1").await;
            arena.phase("chat", "Active").await;
        });
    }
}

#[test]
fn restart_replaces_every_pod_once_and_changes_nothing_else() {
    play("restart", async |arena| {
        serving(arena, Split::Route).await;
        let uids = async || {
            let pods = arena.list("pod", CHILDREN).await;
            pods.iter().map(|pod| pod["metadata"]["uid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let before = uids().await;
        let weights = route_weights(arena).await;
        let child = workload(arena, "1.0.0").await;
        arena.command("chat", "restart:1").await;
        let replaced = async || {
            let now = uids().await;
            now.len() == 4 && now.iter().all(|uid| !before.contains(uid))
        };
        arena.eventually("every pod is a new one", replaced).await;
        let object = arena.phase("chat", "Active").await;
        assert_eq!(at(&object, "/status/lastCommand/result"), "Accepted");
        assert_eq!(at(&object, "/status/history").as_array().unwrap().len(), 1);
        assert_eq!(route_weights(arena).await, weights);
        let restarted = arena.get("deployment", name(&child)).await.unwrap();
        let annotation = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
        let at_first = at(&restarted, annotation).clone();
        assert!(at_first.is_string());
        let now = uids().await;
        arena.sleep(arena.pace.rest).await;
        let later = arena.get("deployment", name(&child)).await.unwrap();
        assert_eq!(*at(&later, annotation), at_first, "restarted twice");
        assert_eq!(uids().await, now);
    });
}

#[test]
fn immediate_strategy_moves_all_traffic_at_once_when_all_pods_are_ready() {
    for split in BOTH {
        play(&format!("immediate_{split:?}").to_lowercase(), async |arena| {
            let of = |version: &str| {
                let mut object = canary(arena, version, split);
                object["spec"]["strategy"] = json!({"type": "Immediate"});
                object
            };
            arena.apply("model", model()).await;
            arena.apply("modeldeployment", of("1.0.0")).await;
            arena.phase("chat", "Active").await;
            arena.apply("modeldeployment", of("1.1.0")).await;
            let done = loop {
                let object = arena.get("modeldeployment", "chat").await.unwrap();
                let weight = at(&object, "/status/candidate/weight").as_i64().unwrap_or(0);
                assert!(weight == 0 || weight == 100, "{weight} % without steps");
                let served = at(&object, "/status/stable/version") == "1.1.0" && at(&object, "/status/phase") == "Active";
                if served {
                    break object;
                }
                arena.sleep(arena.pace.poll).await;
            };
            assert_eq!(at(&done, "/status/stable/ready"), 4);
            arena.eventually("the old one is gone", async || arena.list("deployment", CHILDREN).await.len() == 1).await;
        });
    }
}
