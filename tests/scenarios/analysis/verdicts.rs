//! S03 and S04: good versions take over, bad ones are taken back with the evidence.

use serde_json::{Value, json};

use super::{BOTH, PER_SECOND, analysed, asked, breaches, held, judged_by, metric, metric_is, samples, taken_over};
use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, name, route_weights};
use crate::play;

#[test]
fn good_version_takes_over_and_every_step_had_its_samples() {
    for split in BOTH {
        play(&format!("numbers_good_{split:?}").to_lowercase(), async |arena| {
            asked(arena, split).await;
            arena.apply("modeldeployment", analysed(arena, "1.1.0", split)).await;
            for weight in [25, 50] {
                let object = metric_is(arena, weight, "Passing").await;
                assert_eq!(at(&object, "/status/analysis/revision"), at(&object, "/status/candidate/revision"));
                assert!(samples(&object) >= 50, "{}", metric(&object));
                for value in metric(&object)["values"].as_array().unwrap() {
                    assert_eq!((value["value"].as_f64(), &value["breach"]), (Some(0.0), &Value::Null), "{value}");
                }
            }
            let done = taken_over(arena, "1.1.0").await;
            assert_eq!(at(&done, "/status/override"), &Value::Null);
            assert_eq!(condition(&done, "Ready")["reason"], "AsSpecified");
        });
    }
}

/// The version fails every other request and is taken back.
async fn goes_back(arena: &Arena) -> Value {
    let object = arena.phase("chat", "RolledBack").await;
    assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
    assert_eq!(at(&object, "/status/stable/weight"), 100);
    for (kind, status) in [("Ready", "False"), ("Available", "True"), ("Stalled", "True")] {
        assert_eq!(condition(&object, kind)["status"], status, "{kind}");
    }
    assert_eq!(condition(&object, "SpecSuperseded")["reason"], "AnalysisFailed");
    object
}

/// The evidence says what was found, and by what it was judged.
fn evidence_is_complete(arena: &Arena, object: &Value) {
    let evidence = at(object, "/status/override/evidence");
    assert_eq!((&evidence["metric"], &evidence["max"]), (&json!("errorRate"), &json!(0.05)), "{evidence}");
    assert!((0.3..0.7).contains(&evidence["value"].as_f64().unwrap()), "{evidence}");
    assert!(evidence["samples"].as_i64().unwrap() >= 50, "{evidence}");
    let queries = evidence["queries"].as_array().unwrap();
    let revision = at(object, "/status/override/insteadOf").as_str().unwrap();
    assert!(!queries.is_empty(), "{evidence}");
    for query in queries {
        let query = query.as_str().unwrap();
        assert!(query.contains(&arena.namespace) && query.contains(revision), "{query}");
    }
    let breaches = metric(object)["values"].as_array().unwrap().iter().rev().take_while(|value| value["breach"] == true).count();
    assert_eq!(i64::try_from(breaches).unwrap(), arena.pace.failure_limit, "{}", metric(object));
    assert_eq!(at(object, "/status/override/by"), "analysis");
}

/// The record of `version` is marked as failed.
async fn marked_as_failed(arena: &Arena, version: &str) -> bool {
    let records = arena.list("record", CHILDREN).await;
    let failed = |record: &Value| !record["metadata"]["annotations"]["modelward.dev/failed"].is_null();
    let records = records.iter().filter(|record| record["metadata"]["labels"]["modelward.dev/version"] == version);
    let found: Vec<bool> = records.map(failed).collect();
    assert_eq!(found.len(), 1, "{version}");
    found[0]
}

#[test]
fn bad_version_goes_back_in_one_write_with_its_evidence_and_is_not_tried_again() {
    play("numbers_bad", async |arena| {
        asked(arena, Split::Route).await;
        let stable = arena.get("modeldeployment", "chat").await.unwrap();
        let stable = at(&stable, "/status/stable/revision").as_str().unwrap().to_owned();
        arena.numbers.fails("1.1.0", 0.5);
        arena.apply("modeldeployment", analysed(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
        let before = arena.get("route", "chat").await.unwrap();
        arena.eventually("stable has everything", async || route_weights(arena).await[&stable] == 100).await;
        let after = arena.get("route", "chat").await.unwrap();
        let generation = |route: &Value| route["metadata"]["generation"].as_i64().unwrap();
        assert_eq!(generation(&after), generation(&before) + 1, "in one write");
        let object = goes_back(arena).await;
        evidence_is_complete(arena, &object);
        arena.eventually("it is marked as failed", async || marked_as_failed(arena, "1.1.0").await).await;
        assert!(!marked_as_failed(arena, "1.0.0").await);
        arena.eventually("its pods are gone", async || arena.list("deployment", CHILDREN).await.len() == 1).await;
        let decision = at(&object, "/status/decision/number").clone();
        arena.sleep(arena.pace.rest).await;
        let object = goes_back(arena).await;
        assert_eq!(at(&object, "/status/decision/number"), &decision, "nothing was tried again");
        goes_through_steps(arena).await;
    });
}

/// The version after the one that failed is tried out as any other.
async fn goes_through_steps(arena: &Arena) {
    arena.apply("modeldeployment", held(arena, "1.2.0", Split::Route)).await;
    let object = arena.holding_at("chat", 25).await;
    assert_eq!(at(&object, "/status/candidate/version"), "1.2.0");
    assert_eq!(at(&object, "/status/override"), &Value::Null, "what was asked for is on its way");
    let weights = route_weights(arena).await;
    assert_eq!(weights[at(&object, "/status/candidate/revision").as_str().unwrap()], 25, "{weights}");
    assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
}

#[test]
fn bad_version_behind_a_service_loses_its_share_of_the_pods() {
    play("numbers_bad_by_pods", async |arena| {
        asked(arena, Split::Pods).await;
        arena.numbers.fails("1.1.0", 0.5);
        arena.apply("modeldeployment", analysed(arena, "1.1.0", Split::Pods)).await;
        let object = goes_back(arena).await;
        evidence_is_complete(arena, &object);
        let service = arena.get("service", "chat").await.unwrap();
        let left = at(&object, "/status/override/insteadOf");
        assert_ne!(&service["spec"]["selector"]["modelward.dev/revision"], left);
        arena
            .eventually("no pod of it answers", async || {
                arena.list("pod", &format!("modelward.dev/revision={}", left.as_str().unwrap())).await.is_empty()
            })
            .await;
    });
}

#[test]
fn slower_version_within_its_bounds_is_found_by_the_comparison_with_stable() {
    play("numbers_slower", async |arena| {
        asked(arena, Split::Route).await;
        // Far beyond the next bucket: a hundred requests have to show it.
        arena.numbers.latency("1.1.0", 300, 900);
        let mut object = canary(arena, "1.1.0", Split::Route);
        let slower = json!({"name": "latencyP95", "max": 2000, "comparedToStable": {"maxRegression": 20}});
        object["spec"]["analysis"] = judged_by(arena, &[slower]);
        arena.apply("modeldeployment", object).await;
        let object = goes_back(arena).await;
        let evidence = at(&object, "/status/override/evidence");
        let number = |field: &str| evidence[field].as_f64().unwrap();
        assert!(number("pValue") <= number("alpha"), "{evidence}");
        assert!(number("value") > number("stableValue"), "{evidence}");
        assert_eq!(breaches(&object), 0, "no bound was broken");
        assert!(metric(&object)["stableSamples"].as_i64().unwrap() >= 50, "{}", metric(&object));
    });
}

#[test]
fn version_that_is_as_slow_as_stable_passes_the_comparison() {
    play("numbers_as_slow", async |arena| {
        asked(arena, Split::Route).await;
        let mut object = held(arena, "1.1.0", Split::Route);
        let compared = json!({"name": "latencyP95", "comparedToStable": {"maxRegression": 20}});
        object["spec"]["analysis"] = judged_by(arena, &[compared]);
        arena.apply("modeldeployment", object).await;
        arena.holding_at("chat", 25).await;
        arena.sleep(arena.pace.past_measurement).await;
        let object = metric_is(arena, 25, "Passing").await;
        assert!(samples(&object) as f64 >= PER_SECOND / 4.0, "{}", metric(&object));
        assert_eq!(name(&object), "chat");
        assert_eq!(at(&object, "/status/phase"), "Holding");
    });
}
