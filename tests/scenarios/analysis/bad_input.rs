//! An analysis that could never be judged is refused by whoever sees it first, and nothing moves.

use serde_json::{Value, json};

use super::{few_errors, judged_by};
use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, route_weights, serving};
use crate::play;

/// A canary of 1.1.0 with this analysis.
fn with(arena: &Arena, analysis: Value) -> Value {
    let mut object = canary(arena, "1.1.0", Split::Route);
    object["spec"]["analysis"] = analysis;
    object
}

/// What runs: names and sizes of the children, and the split.
async fn running(arena: &Arena) -> Value {
    let workloads = arena.list("deployment", CHILDREN).await;
    let sizes: Vec<Value> = workloads.iter().map(|object| json!([object["metadata"]["name"], object["spec"]])).collect();
    json!([sizes, route_weights(arena).await, arena.list("record", CHILDREN).await.len()])
}

#[test]
fn analysis_that_breaks_a_rule_of_the_schema_is_refused_with_what_to_do() {
    play("numbers_bad_fields", async |arena| {
        serving(arena, Split::Route).await;
        let before = running(arena).await;
        let one = |metric: Value| json!({"metrics": [metric]});
        let table: [(Value, &[&str]); 12] = [
            (json!({"metrics": []}), &["spec.analysis.metrics", "at least 1"]),
            (one(json!({"name": "accuracy", "max": 1})), &["is no built-in metric", "add a query"]),
            (one(json!({"name": "errorRate"})), &["max, min or comparedToStable"]),
            (one(json!({"name": "latencyP95", "min": 500, "max": 100})), &["min must not be above max"]),
            (one(json!({"name": "errorRate", "max": 2})), &["2 percent is 0.02"]),
            (one(json!({"name": "mine", "query": "sum(up)", "comparedToStable": {"maxRegression": 5}})), &["cannot be compared"]),
            (one(json!({"name": "throughput", "comparedToStable": {"maxRegression": 5}})), &["depend on the weight"]),
            (json!({"metrics": [few_errors()], "interval": "5s"}), &["spec.analysis.interval"]),
            (json!({"metrics": [few_errors()], "failureLimit": 0}), &["spec.analysis.failureLimit"]),
            (json!({"metrics": [few_errors()], "minimumSamples": 0}), &["spec.analysis.minimumSamples"]),
            (json!({"metrics": [few_errors()], "onNoData": "Rollback"}), &["dataDeadline"]),
            (json!({"metrics": [few_errors()], "standbyReplicas": 2}), &["afterPromotion"]),
        ];
        for (analysis, words) in table {
            let refusal = arena.try_apply("modeldeployment", with(arena, analysis.clone())).await.expect_err(&analysis.to_string());
            assert_eq!((refusal.code, refusal.reason.as_str()), (422, "Invalid"), "{analysis}: {refusal:?}");
            for word in words {
                assert!(refusal.message.contains(word), "{analysis}: {word} is not in {}", refusal.message);
            }
        }
        assert_eq!(running(arena).await, before);
    });
}

#[test]
fn analysis_that_judges_nothing_or_one_metric_twice_is_refused() {
    play("numbers_bad_whole", async |arena| {
        serving(arena, Split::Route).await;
        let before = running(arena).await;
        let mut immediate = with(arena, judged_by(arena, &[few_errors()]));
        immediate["spec"]["strategy"] = json!({"type": "Immediate"});
        let refusal = arena.try_apply("modeldeployment", immediate).await.unwrap_err();
        assert!(refusal.message.contains("Immediate has none"), "{refusal:?}");
        let path = format!("/apis/modelward.dev/v1alpha1/namespaces/{}/modeldeployments/chat", arena.namespace);
        let twice = json!({"metrics": [few_errors(), {"name": "errorRate", "max": 0.5}]});
        let patch = json!({"spec": {"version": "1.1.0", "analysis": twice}}).to_string();
        let (code, status) = arena.raw("PATCH", &path, "application/merge-patch+json", &patch).await;
        assert_eq!((code, &status["reason"]), (422, &json!("Invalid")), "{status}");
        let message = status["message"].as_str().unwrap();
        assert!(message.contains("spec.analysis.metrics[1]") && message.contains("Duplicate value"), "{message}");
        assert_eq!(running(arena).await, before);
    });
}

#[test]
fn query_or_profile_that_cannot_be_measured_stalls_the_release_before_anything_moves() {
    play("numbers_bad_query", async |arena| {
        serving(arena, Split::Route).await;
        let before = running(arena).await;
        let query = |text: &str| json!({"metrics": [{"name": "mine", "query": text, "max": 1}]});
        let table = [
            (query("sum(rate(x[{{window}}])"), "mine"),
            (query("sum(x{revision=\"{{revison}}\"})"), "revison"),
            (query("x{pod=\"{{pods}}\"}"), "pods"),
            (json!({"profile": "nothing", "metrics": [few_errors()]}), "nothing"),
            (json!({"profile": "generic", "metrics": [{"name": "queueDepth", "max": 3}]}), "queueDepth"),
        ];
        for (analysis, word) in table {
            arena.apply("modeldeployment", with(arena, analysis.clone())).await;
            let told = |object: &Value| {
                let ready = condition(object, "Ready");
                let current = ready["observedGeneration"] == object["metadata"]["generation"];
                current && ready["reason"] == "InvalidAnalysis" && ready["message"].as_str().unwrap_or_default().contains(word)
            };
            let object = arena.until(&format!("{analysis}: InvalidAnalysis about {word}"), "modeldeployment", "chat", told).await;
            assert_eq!(condition(&object, "Stalled")["status"], "True");
            assert_eq!(at(&object, "/status/candidate"), &Value::Null);
        }
        arena.sleep(arena.pace.rest).await;
        assert_eq!(running(arena).await, before);
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
    });
}
