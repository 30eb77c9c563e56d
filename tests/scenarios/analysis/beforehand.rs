//! What is said of an analysis before a release needs it (promise 7; "the product says beforehand that such traffic cannot tell").

use serde_json::{Value, json};

use super::{PER_SECOND, analysed, asked, few_errors, judged_by};
use crate::arena::{Arena, at, condition};
use crate::fixtures::{Split, canary, model};
use crate::numbers::{Source, To};
use crate::play;

/// The condition, once it has this reason.
async fn readiness(arena: &Arena, status: &str, reason: &str) -> Value {
    let object = arena.reason("chat", "AnalysisReady", reason).await;
    let found = condition(&object, "AnalysisReady").clone();
    assert_eq!(found["status"], status, "{found}");
    found
}

fn message(condition: &Value) -> &str {
    condition["message"].as_str().unwrap()
}

/// Version 1.0.0 with an analysis of `metrics` serves; `edit` changes the analysis.
async fn serves(arena: &Arena, metrics: &[Value], edit: impl Fn(&mut Value)) {
    arena.apply("model", model()).await;
    let mut object = canary(arena, "1.0.0", Split::Route);
    object["spec"]["analysis"] = judged_by(arena, metrics);
    edit(&mut object["spec"]["analysis"]);
    arena.apply("modeldeployment", object).await;
    arena.phase("chat", "Active").await;
}

#[test]
fn selector_that_matches_no_series_is_said_before_a_release_and_no_longer_once_it_does() {
    play("beforehand_no_series", async |arena| {
        serves(arena, &[few_errors()], |_| {}).await;
        let found = readiness(arena, "False", "NoSeries").await;
        for part in ["errorRate", "the default provider", "matches no series", &arena.namespace] {
            assert!(message(&found).contains(part), "{part}: {found}");
        }
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(at(&object, "/status/phase"), "Active", "nothing waits for it");
        assert_eq!(condition(&object, "Ready")["status"], "True");
        arena.numbers.requests(&[(To::Everybody, PER_SECOND)]);
        let known = |object: &Value| at(object, "/status/probes/0/requests").as_i64().is_some_and(|requests| requests > 0);
        let object = arena.until("it is measured", "modeldeployment", "chat", known).await;
        assert_eq!(at(&object, "/status/probes/0/problem"), &Value::Null);
        assert_eq!(at(&object, "/status/probes/0/revision"), at(&object, "/status/stable/revision"));
    });
}

#[test]
fn source_that_cannot_be_asked_is_said_before_a_release() {
    for (fault, reason) in [(Source::Down, "SourceUnreachable"), (Source::NaN, "NotMeasurable")] {
        play(&format!("beforehand_{reason}").to_lowercase(), async |arena| {
            arena.numbers.source(fault);
            serves(arena, &[few_errors()], |_| {}).await;
            arena.numbers.requests(&[(To::Everybody, PER_SECOND)]);
            readiness(arena, "False", reason).await;
        });
    }
}

#[test]
fn provider_that_is_not_configured_is_said_before_a_release() {
    play("beforehand_no_provider", async |arena| {
        serves(arena, &[few_errors()], |analysis| analysis["provider"] = "nowhere".into()).await;
        let found = readiness(arena, "False", "NoProvider").await;
        assert!(message(&found).contains("nowhere"), "{found}");
        // Another definition is asked for anew.
        let mut object = canary(arena, "1.0.0", Split::Route);
        object["spec"]["analysis"] = judged_by(arena, &[few_errors()]);
        arena.apply("modeldeployment", object).await;
        readiness(arena, "False", "NoSeries").await;
        // Without an analysis there is nothing to say.
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Route)).await;
        let gone = |object: &Value| condition(object, "AnalysisReady").is_null() && at(object, "/status/probes").is_null();
        arena.until("nothing is said", "modeldeployment", "chat", gone).await;
    });
}

#[test]
fn traffic_that_cannot_tell_is_said_before_a_release() {
    play("beforehand_cannot_tell", async |arena| {
        let compared = json!({"name": "errorRate", "comparedToStable": {"maxRegression": 10}});
        serves(arena, &[compared], |analysis| analysis["minimumSamples"] = 1.into()).await;
        arena.numbers.requests(&[(To::Everybody, 2.0)]);
        let found = readiness(arena, "False", "CannotTell").await;
        assert!(message(&found).contains("errorRate of 1 % against 0 % would not be told"), "{found}");
    });
}

#[test]
fn step_that_its_samples_would_keep_is_said_before_a_release() {
    play("beforehand_too_few", async |arena| {
        serves(arena, &[few_errors()], |analysis| analysis["minimumSamples"] = 1_000_000.into()).await;
        arena.numbers.requests(&[(To::Everybody, PER_SECOND)]);
        let found = readiness(arena, "False", "TooFewRequests").await;
        assert!(message(&found).contains("to get 1000000 requests for errorRate"), "{found}");
    });
}

#[test]
fn metrics_are_asked_for_again_when_a_release_begins_and_it_goes_on() {
    play("beforehand_release_begins", async |arena| {
        asked(arena, Split::Route).await;
        arena.apply("modeldeployment", analysed(arena, "1.0.0", Split::Route)).await;
        let known = |object: &Value| at(object, "/status/probes/0/requests").as_i64().is_some_and(|requests| requests > 0);
        arena.until("it is measured", "modeldeployment", "chat", known).await;
        arena.numbers.source(Source::Empty);
        arena.apply("modeldeployment", analysed(arena, "1.1.0", Split::Route)).await;
        readiness(arena, "False", "NoSeries").await;
        arena.holding_at("chat", 25).await;
    });
}
