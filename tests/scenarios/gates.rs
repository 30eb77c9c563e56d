//! What a Model says of its versions: gates, evaluations, archived entries; and where its versions are.

use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, serving};
use crate::play;

/// A Model whose versions differ in what is known of them.
fn judged() -> Value {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let artifact = |version: &str| json!({"uri": format!("s3://models/chat/{version}"), "digest": digest});
    let evaluation = |recommendation: &str, accuracy: f64| json!({"recommendation": recommendation, "metrics": {"accuracy": accuracy}});
    json!({"metadata": {"name": "chat"}, "spec": {
        "gates": [{
            "environment": "production",
            "requireDigest": true,
            "requireRecommendation": true,
            "metrics": [{"name": "accuracy", "min": 0.9}],
        }],
        "versions": [
            {"version": "1.0.0", "artifact": artifact("1.0.0"), "evaluation": evaluation("deploy", 0.95)},
            {"version": "1.1.0", "artifact": artifact("1.1.0"), "evaluation": evaluation("review", 0.85)},
            {"version": "1.2.0", "artifact": artifact("1.2.0"), "evaluation": evaluation("reject", 0.99)},
            {"version": "1.3.0", "artifact": {"uri": "s3://models/chat/1.3.0"}},
            {"version": "1.4.0", "artifact": artifact("1.4.0"), "archived": true},
        ],
    }})
}

fn in_environment(arena: &Arena, version: &str, environment: &str) -> Value {
    let mut object = canary(arena, version, Split::Pods);
    object["spec"]["environment"] = environment.into();
    object
}

/// The deployment refuses `version` for `reason` with all of `words`, and what runs goes on.
async fn refused(arena: &Arena, version: &str, environment: &str, reason: &str, words: &[&str]) {
    arena.apply("modeldeployment", in_environment(arena, version, environment)).await;
    let says = |object: &Value| {
        let ready = condition(object, "Ready");
        let message = ready["message"].as_str().unwrap_or_default();
        ready["reason"] == reason
            && ready["observedGeneration"] == object["metadata"]["generation"]
            && words.iter().all(|word| message.contains(word))
    };
    let object = arena.until(&format!("{version} is refused for {reason}: {words:?}"), "modeldeployment", "chat", says).await;
    assert_eq!(condition(&object, "Ready")["status"], "False");
    assert_eq!(condition(&object, "Stalled")["status"], "True");
}

#[test]
fn version_that_fails_its_gate_is_not_released_and_every_shortfall_is_named() {
    play("gates", async |arena| {
        arena.apply("model", judged()).await;
        refused(arena, "1.3.0", "production", "GateFailed", &["1.3.0", "production", "digest", "no evaluation", "accuracy"]).await;
        assert_eq!(arena.list("deployment", CHILDREN).await, Vec::<Value>::new());
        arena.apply("modeldeployment", in_environment(arena, "1.0.0", "production")).await;
        arena.phase("chat", "Active").await;
        refused(arena, "1.1.0", "production", "GateFailed", &["1.1.0", "accuracy is 0.85", "at least 0.9"]).await;
        refused(arena, "1.2.0", "production", "GateFailed", &["reject"]).await;
        refused(arena, "1.2.0", "staging", "GateFailed", &["reject"]).await;
        refused(arena, "1.4.0", "staging", "VersionArchived", &["1.4.0", "archived"]).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(condition(&object, "Available")["status"], "True");
        assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
        assert_eq!(at(&object, "/status/stable/ready"), 4);
        assert_eq!(arena.list("deployment", CHILDREN).await.len(), 1);
        fn of(model: &Value, version: &str) -> Value {
            let versions = at(model, "/status/versions").as_array();
            versions.into_iter().flatten().find(|status| status["version"] == version).cloned().unwrap_or_default()
        }
        // The Model follows its deployments a moment later.
        let knows = |model: &Value| at(model, "/status/latestVersion") == "1.3.0" && of(model, "1.0.0") != Value::Null;
        let model = arena.until("the model knows", "model", "chat", knows).await;
        assert_eq!(at(&of(&model, "1.0.0"), "/gates/0/passed"), true);
        assert_eq!(at(&of(&model, "1.3.0"), "/gates/0/passed"), false);
        arena.apply("modeldeployment", in_environment(arena, "1.1.0", "staging")).await;
        arena
            .until("an environment without a gate takes it", "modeldeployment", "chat", |object| {
                at(object, "/status/stable/version") == "1.1.0"
            })
            .await;
    });
}

#[test]
fn version_that_gets_its_evaluation_later_is_released_then() {
    play("evaluated_later", async |arena| {
        arena.apply("model", judged()).await;
        refused(arena, "1.1.0", "production", "GateFailed", &["accuracy"]).await;
        let mut better = judged();
        better["spec"]["versions"][1]["evaluation"] = json!({"recommendation": "deploy", "metrics": {"accuracy": 0.93}});
        arena.apply("model", better).await;
        let object = arena.phase("chat", "Active").await;
        assert_eq!(at(&object, "/status/stable/version"), "1.1.0");
    });
}

#[test]
fn version_rejected_in_mid_canary_gets_no_further_and_what_it_replaced_serves() {
    play("rejected_in_canary", async |arena| {
        arena.apply("model", judged()).await;
        arena.apply("modeldeployment", in_environment(arena, "1.0.0", "staging")).await;
        arena.phase("chat", "Active").await;
        let mut object = in_environment(arena, "1.1.0", "staging");
        object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
        arena.apply("modeldeployment", object).await;
        arena.holding_at("chat", 25).await;
        let mut worse = judged();
        worse["spec"]["versions"][1]["evaluation"] = json!({"recommendation": "reject"});
        arena.apply("model", worse).await;
        arena.sleep(arena.pace.rest).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
        let weight = at(&object, "/status/candidate/weight").as_i64().unwrap_or(0);
        assert!(weight <= 25, "{weight}");
        let said = condition(&object, "Ready")["message"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains("reject"), "{said}");
    });
}

#[test]
fn model_shows_the_stage_of_each_version_as_it_moves_through_environments() {
    play("stages", async |arena| {
        arena.apply("model", crate::fixtures::model()).await;
        let stage = async |version: &str, stage: &str| {
            let at_stage = |model: &Value| {
                let versions = at(model, "/status/versions").as_array().cloned().unwrap_or_default();
                versions.iter().any(|status| status["version"] == version && status["stage"] == stage)
            };
            arena.until(&format!("{version} is {stage}"), "model", "chat", at_stage).await
        };
        stage("1.2.0", "registered").await;
        let mut staging = in_environment(arena, "1.1.0", "staging");
        staging["metadata"]["name"] = "rehearsal".into();
        arena.apply("modeldeployment", staging).await;
        stage("1.1.0", "staging").await;
        arena.apply("modeldeployment", in_environment(arena, "1.0.0", "production")).await;
        stage("1.0.0", "production").await;
        arena.phase("chat", "Active").await;
        arena.apply("modeldeployment", in_environment(arena, "1.1.0", "production")).await;
        arena.holding_at("chat", 25).await;
        stage("1.0.0", "production").await;
        arena.phase("chat", "Active").await;
        stage("1.1.0", "production").await;
        let model = stage("1.0.0", "deprecated").await;
        assert_eq!(at(&model, "/status/phase"), "Serving");
        arena.until("production is 1.1.0", "model", "chat", |model| at(model, "/status/productionVersion") == "1.1.0").await;
    });
}

#[test]
fn entry_removed_and_added_with_other_content_never_changes_what_runs() {
    play("other_content", async |arena| {
        serving(arena, Split::Pods).await;
        let before = arena.list("deployment", CHILDREN).await;
        let mut without = crate::fixtures::model();
        without["spec"]["versions"].as_array_mut().unwrap().remove(0);
        arena.apply("model", without.clone()).await;
        arena.reason("chat", "Ready", "VersionNotFound").await;
        let other = json!({"version": "1.0.0", "artifact": {"uri": "s3://elsewhere/1.0.0"}});
        let mut changed = without.clone();
        changed["spec"]["versions"].as_array_mut().unwrap().push(other);
        arena.apply("model", changed).await;
        let object = arena.reason("chat", "Ready", "VersionChanged").await;
        assert_eq!(condition(&object, "Available")["status"], "True");
        arena.sleep(arena.pace.rest).await;
        let after = arena.list("deployment", CHILDREN).await;
        assert_eq!(after.len(), 1);
        assert_eq!(after[0]["spec"]["template"], before[0]["spec"]["template"]);
        arena.apply("model", without).await;
        arena.apply("model", crate::fixtures::model()).await;
        arena.reason("chat", "Ready", "AsSpecified").await;
    });
}
