//! Pods that lose their readiness, and what users lay over them.

use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, model, name, route_weights, serving};
use crate::play;

const FAULT: &str = "simulation.modelward.dev/fault";

/// Makes every pod of a version unready, or ready again.
pub async fn fail(arena: &Arena, version: &str, fault: Option<&str>) {
    for pod in arena.list("pod", &format!("{CHILDREN},modelward.dev/version={version}")).await {
        arena.label("pod", name(&pod), FAULT, fault).await;
    }
}

fn held(arena: &Arena, split: Split) -> Value {
    let mut object = canary(arena, "1.1.0", split);
    object["spec"]["progressDeadline"] = arena.pace.deadline.into();
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
    object
}

#[test]
fn candidate_that_loses_its_pods_in_mid_step_loses_its_weight_and_gets_it_again() {
    for split in [Split::Pods, Split::Route] {
        play(&format!("candidate_fails_{split:?}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            let mut object = held(arena, split);
            object["spec"]["progressDeadline"] = arena.pace.long_deadline.into();
            arena.apply("modeldeployment", object).await;
            arena.holding_at("chat", 25).await;
            fail(arena, "1.1.0", Some("unready")).await;
            let bare = |object: &Value| at(object, "/status/candidate/ready") == 0 && at(object, "/status/phase") != "Holding";
            arena.until("status shows it", "modeldeployment", "chat", bare).await;
            if split == Split::Route {
                let alone = async || route_weights(arena).await.as_object().is_some_and(|weights| weights.len() == 1);
                arena.eventually("the route sends nothing there", alone).await;
            }
            let object = arena.get("modeldeployment", "chat").await.unwrap();
            assert_eq!(condition(&object, "Available")["status"], "True");
            fail(arena, "1.1.0", None).await;
            arena.holding_at("chat", 25).await;
            arena.command("chat", "promote:1").await;
            arena.phase("chat", "Active").await;
        });
    }
}

#[test]
fn candidate_that_stays_without_pods_is_given_up() {
    play("candidate_stays_down", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", held(arena, Split::Route)).await;
        arena.holding_at("chat", 25).await;
        fail(arena, "1.1.0", Some("unready")).await;
        let object = arena.phase("chat", "RolledBack").await;
        assert_eq!(condition(&object, "SpecSuperseded")["reason"], "ProgressDeadlineExceeded");
        assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
        assert_eq!(at(&object, "/status/stable/weight"), 100);
    });
}

#[test]
fn stable_that_loses_its_pods_in_mid_canary_leaves_the_traffic_to_the_candidate_until_it_is_back() {
    play("stable_fails", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", held(arena, Split::Route)).await;
        arena.holding_at("chat", 25).await;
        let shared = route_weights(arena).await;
        fail(arena, "1.0.0", Some("unready")).await;
        let helps = |object: &Value| at(object, "/status/candidate/weight") == 100;
        arena.until("the candidate has everything", "modeldeployment", "chat", helps).await;
        fail(arena, "1.0.0", None).await;
        arena.holding_at("chat", 25).await;
        assert_eq!(route_weights(arena).await, shared);
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
    });
}

#[test]
fn served_version_that_loses_all_its_pods_is_degraded_and_recovers() {
    play("only_version_fails", async |arena| {
        serving(arena, Split::Route).await;
        let weights = route_weights(arena).await;
        fail(arena, "1.0.0", Some("unready")).await;
        let object = arena.phase("chat", "Degraded").await;
        assert_eq!(condition(&object, "Available")["status"], "False");
        assert_eq!(route_weights(arena).await, weights);
        fail(arena, "1.0.0", None).await;
        let object = arena.phase("chat", "Active").await;
        assert_eq!(condition(&object, "Available")["status"], "True");
    });
}

#[test]
fn overlay_of_the_pod_template_reaches_the_pods_and_a_change_of_it_is_a_new_revision() {
    play("overlay", async |arena| {
        let with = |tier: &str| {
            let mut object = canary(arena, "1.0.0", Split::Pods);
            object["spec"]["podTemplate"] = json!({
                "metadata": {"labels": {"tier": tier}, "annotations": {"example.com/note": "kept"}},
                "spec": {
                    "terminationGracePeriodSeconds": 45,
                    "volumes": [{"name": "cache", "emptyDir": {}}],
                    "containers": [
                        {"name": "model", "volumeMounts": [{"name": "cache", "mountPath": "/cache"}]},
                        {"name": "proxy", "image": "example.com/proxy:1"},
                    ],
                },
            });
            object
        };
        arena.apply("model", model()).await;
        arena.apply("modeldeployment", with("first")).await;
        let first = arena.phase("chat", "Active").await;
        let pods = arena.list("pod", &format!("{CHILDREN},tier=first")).await;
        assert_eq!(pods.len(), 4);
        for pod in &pods {
            assert_eq!(at(pod, "/spec/terminationGracePeriodSeconds"), 45);
            assert_eq!(at(pod, "/metadata/annotations/example.com~1note"), "kept");
            let containers = at(pod, "/spec/containers").as_array().unwrap();
            assert_eq!(containers.len(), 2);
            for container in containers {
                let told = |env: &Value| env["name"] == "MODEL_URI" && env["value"] == "s3://models/chat/1.0.0";
                assert!(container["env"].as_array().unwrap().iter().any(told), "{container}");
            }
            assert_eq!(at(&containers[0], "/volumeMounts/0/mountPath"), "/cache");
        }
        arena.apply("modeldeployment", with("second")).await;
        arena.holding_at("chat", 25).await;
        let second = arena.phase("chat", "Active").await;
        assert_ne!(at(&second, "/status/stable/revision"), at(&first, "/status/stable/revision"));
        arena
            .eventually("the pods are the new ones", async || {
                arena.list("pod", CHILDREN).await.len() == 4 && arena.list("pod", &format!("{CHILDREN},tier=second")).await.len() == 4
            })
            .await;
        arena.apply("modeldeployment", with("first")).await;
        arena.holding_at("chat", 25).await;
        let third = arena.phase("chat", "Active").await;
        assert_eq!(at(&third, "/status/stable/revision"), at(&first, "/status/stable/revision"), "the same content is the same revision");
    });
}
