//! I09-I11.

use serde_json::{Value, json};

use super::{DEPLOYMENTS, Ground, Hand, only, planted};

fn status(hand: &mut Hand<'_>, patch: Value) {
    hand.merge(DEPLOYMENTS, "chat", Some("status"), json!({"status": patch}));
}

fn read(hand: &Hand<'_>, pointer: &str) -> Value {
    hand.get(DEPLOYMENTS, "chat").pointer(&format!("/status{pointer}")).unwrap().clone()
}

/// The next step, as the operator would ask for it.
fn next_step(hand: &Hand<'_>) -> Value {
    let mut intent = read(hand, "/decision");
    intent["number"] = (intent["number"].as_i64().unwrap() + 1).into();
    intent["stepWeight"] = 100.into();
    intent["candidate"]["weight"] = 100.into();
    intent
}

/// The metrics in status, of which `change` changes the one of this name.
fn metrics(hand: &Hand<'_>, name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut metrics = read(hand, "/analysis/metrics");
    change(metrics.as_array_mut().unwrap().iter_mut().find(|metric| metric["name"] == name).unwrap());
    metrics
}

#[test]
fn step_that_ends_with_good_numbers_breaks_nothing() {
    let broken = planted(Ground::Judged, |hand| status(hand, json!({"intent": next_step(hand)})));
    assert_eq!(broken, std::collections::BTreeSet::new());
}

#[test]
fn i09_step_that_ends_on_evidence_of_another_revision_is_seen() {
    let broken = planted(Ground::Judged, |hand| {
        let mut metrics = read(hand, "/analysis/metrics");
        for metric in metrics.as_array_mut().unwrap() {
            metric["values"] = json!([]);
        }
        let analysis = json!({"revision": "chat-another", "metrics": metrics});
        status(hand, json!({"intent": next_step(hand), "analysis": analysis}));
    });
    assert_eq!(broken, only("I09"));
}

#[test]
fn i09_step_that_ends_on_evidence_of_an_earlier_weight_is_seen() {
    let broken = planted(Ground::Judged, |hand| status(hand, json!({"intent": next_step(hand), "analysis": {"weight": 10}})));
    assert_eq!(broken, only("I09"));
}

#[test]
fn i10_values_that_outlive_their_definition_are_seen() {
    let broken = planted(Ground::Judged, |hand| {
        let metrics = metrics(hand, "errorRate", |metric| metric["definition"] = "0123456789abcdef".into());
        status(hand, json!({"analysis": {"metrics": metrics}}));
    });
    assert_eq!(broken, only("I10"));
}

#[test]
fn i10_values_that_go_over_to_another_revision_are_seen() {
    let broken = planted(Ground::Judged, |hand| status(hand, json!({"analysis": {"revision": "chat-another"}})));
    assert_eq!(broken, only("I10"));
}

#[test]
fn i11_step_that_ends_with_too_few_samples_is_seen() {
    let broken = planted(Ground::Judged, |hand| {
        let metrics = metrics(hand, "errorRate", |metric| metric["samples"] = 99.into());
        status(hand, json!({"intent": next_step(hand), "analysis": {"metrics": metrics}}));
    });
    assert_eq!(broken, only("I11"));
}

#[test]
fn i11_step_that_ends_without_data_is_seen() {
    let broken = planted(Ground::Judged, |hand| {
        let metrics = metrics(hand, "latencyP95", |metric| {
            metric["phase"] = "NoData".into();
            metric["noDataSince"] = "2026-01-01T00:02:00Z".into();
        });
        status(hand, json!({"intent": next_step(hand), "analysis": {"metrics": metrics}}));
    });
    assert_eq!(broken, only("I11"));
}

/// An override by the analysis, with this evidence.
fn given_up(hand: &mut Hand<'_>, evidence: &Value) {
    let (stable, candidate) = (read(hand, "/stable/revision"), read(hand, "/candidate/revision"));
    let given_up = json!({
        "type": "Revision", "revision": stable, "insteadOf": candidate, "by": "analysis", "since": "2026-01-01T00:03:00Z",
        "decision": 3, "left": candidate, "reason": "its numbers", "evidence": evidence,
    });
    status(hand, json!({"override": given_up}));
}

#[test]
fn i11_version_that_is_given_up_by_good_numbers_is_seen() {
    let evidence = json!({"metric": "errorRate", "message": "too many", "value": 0.01, "max": 0.05, "samples": 400});
    assert_eq!(planted(Ground::Judged, |hand| given_up(hand, &evidence)), only("I11"));
}

#[test]
fn i11_version_that_is_given_up_by_what_nobody_measured_is_seen() {
    let broken = planted(Ground::Judged, |hand| {
        let last = read(hand, "/analysis/metrics/0/measuredUntil");
        let evidence = json!({"metric": "errorRate", "message": "too many", "value": 0.5, "max": 0.05, "samples": 400, "at": last});
        given_up(hand, &evidence);
    });
    assert_eq!(broken, only("I11"));
}

#[test]
fn i11_value_whose_bounds_say_otherwise_is_seen() {
    let broken = planted(Ground::Judged, |hand| {
        let metrics = metrics(hand, "errorRate", |metric| metric["values"][0]["value"] = 0.5.into());
        status(hand, json!({"analysis": {"metrics": metrics}}));
    });
    assert_eq!(broken, only("I11"));
}

#[test]
fn i11_p_value_that_does_not_follow_from_its_counts_is_seen() {
    let broken = planted(Ground::Judged, |hand| {
        let metrics = metrics(hand, "latencyP95", |metric| metric["comparison"]["pValue"] = 0.25.into());
        status(hand, json!({"analysis": {"metrics": metrics}}));
    });
    assert_eq!(broken, only("I11"));
}
