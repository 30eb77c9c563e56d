//! S03, S04, S07, S18: releases that are judged by their numbers, and what is said of that beforehand.
//!
//! Requests come at a steady rate; what a version makes of them decides. On the real arm windows have the least length that the
//! contract allows, so a body there measures two or three times.

mod bad_input;
mod beforehand;
mod commands;
mod evidence;
mod preview;
mod promoted;
mod source;
mod verdicts;

use serde_json::{Value, json};

use crate::arena::{Arena, at};
use crate::fixtures::{Split, canary, serving};
use crate::numbers::To;

const BOTH: [Split; 2] = [Split::Pods, Split::Route];

/// Requests in a second, of everybody. A quarter of them is more than any bound here needs in one window.
const PER_SECOND: f64 = 40.0;

/// At most one request in twenty may fail.
fn few_errors() -> Value {
    json!({"name": "errorRate", "max": 0.05})
}

/// An analysis of `metrics` at the arm's pace.
fn judged_by(arena: &Arena, metrics: &[Value]) -> Value {
    json!({
        "profile": "generic",
        "interval": arena.pace.interval,
        "failureLimit": arena.pace.failure_limit,
        "minimumSamples": 50,
        "metrics": metrics,
    })
}

/// A canary of `version` at 25 % and 50 %, judged by its error rate.
fn analysed(arena: &Arena, version: &str, split: Split) -> Value {
    let mut object = canary(arena, version, split);
    object["spec"]["analysis"] = judged_by(arena, &[few_errors()]);
    object
}

/// As [`analysed`], with one step of 25 % that lasts until somebody promotes it.
fn held(arena: &Arena, version: &str, split: Split) -> Value {
    let mut object = analysed(arena, version, split);
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
    object
}

/// Version 1.0.0 serves, and requests come since a while.
async fn asked(arena: &Arena, split: Split) {
    serving(arena, split).await;
    arena.numbers.requests(&[(To::Everybody, PER_SECOND)]);
    arena.sleep(arena.pace.scraped).await;
}

/// The first metric of the analysis in status.
fn metric(object: &Value) -> &Value {
    at(object, "/status/analysis/metrics/0")
}

fn samples(object: &Value) -> i64 {
    metric(object)["samples"].as_i64().unwrap_or(0)
}

/// Breaches in a row; none are not written.
fn breaches(object: &Value) -> i64 {
    metric(object)["breaches"].as_i64().unwrap_or(0)
}

/// The deployment, once its analysis at `weight` stands like this.
async fn metric_is(arena: &Arena, weight: i64, phase: &str) -> Value {
    let stands = |object: &Value| *at(object, "/status/analysis/weight") == weight && metric(object)["phase"] == phase;
    arena.until(&format!("{phase} at {weight} %"), "modeldeployment", "chat", stands).await
}

/// The deployment, once `version` is the one that serves and nothing is under way.
async fn taken_over(arena: &Arena, version: &str) -> Value {
    arena
        .until(&format!("{version} has taken over"), "modeldeployment", "chat", |object| {
            at(object, "/status/stable/version") == version && at(object, "/status/phase") == "Active"
        })
        .await
}
