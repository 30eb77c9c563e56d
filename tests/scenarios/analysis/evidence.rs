//! R43 and restarts: evidence belongs to one revision, and is counted once.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{analysed, asked, breaches, held, metric, metric_is, samples};
use crate::arena::{at, condition};
use crate::fixtures::Split;
use crate::play;
use crate::simulated::{Stage, runtime};

#[test]
fn evidence_of_a_good_version_is_not_credited_to_the_bad_one_after_it() {
    play("numbers_r43_good_then_bad", async |arena| {
        asked(arena, Split::Route).await;
        arena.numbers.fails("1.2.0", 0.5);
        arena.apply("modeldeployment", held(arena, "1.1.0", Split::Route)).await;
        let good = metric_is(arena, 25, "Passing").await;
        arena.apply("modeldeployment", analysed(arena, "1.2.0", Split::Route)).await;
        let left = at(&good, "/status/analysis/revision").clone();
        let next = |object: &Value| {
            let judged = at(object, "/status/analysis/revision");
            judged.is_string() && *judged != left && at(object, "/status/candidate/version") == "1.2.0"
        };
        let object = arena.until("the next one is judged", "modeldeployment", "chat", next).await;
        only_since_its_step(&object);
        let object = arena.phase("chat", "RolledBack").await;
        only_since_its_step(&object);
        assert_eq!(condition(&object, "SpecSuperseded")["reason"], "AnalysisFailed");
        assert_ne!(*at(&object, "/status/override/insteadOf"), left);
    });
}

#[test]
fn breaches_of_a_bad_version_are_not_held_against_the_good_one_after_it() {
    play("numbers_r43_bad_then_good", async |arena| {
        asked(arena, Split::Route).await;
        arena.numbers.fails("1.1.0", 0.5);
        let mut bad = held(arena, "1.1.0", Split::Route);
        bad["spec"]["analysis"]["failureLimit"] = 10.into();
        arena.apply("modeldeployment", bad).await;
        let object = metric_is(arena, 25, "Breached").await;
        assert!(breaches(&object) >= 1);
        let mut good = held(arena, "1.2.0", Split::Route);
        good["spec"]["analysis"]["failureLimit"] = 1.into();
        arena.apply("modeldeployment", good).await;
        let judged = |object: &Value| at(object, "/status/candidate/version") == "1.2.0" && metric(object)["phase"] == "Passing";
        let object = arena.until("the good one passes", "modeldeployment", "chat", judged).await;
        assert_eq!(breaches(&object), 0);
        only_since_its_step(&object);
        assert_eq!(at(&object, "/status/override"), &Value::Null);
    });
}

/// No value of the analysis covers time before its weight was in effect.
fn only_since_its_step(object: &Value) {
    let time = |text: &Value| text.as_str().unwrap().parse::<Timestamp>().unwrap();
    let since = time(at(object, "/status/analysis/since"));
    for value in metric(object)["values"].as_array().into_iter().flatten() {
        let seconds = value["seconds"].as_i64().unwrap();
        assert!(time(&value["at"]).duration_since(since).as_secs() >= seconds, "{value} begins before {since}");
    }
}

/// Requests that pods of a revision got by now, as the world knows.
fn truly_arrived(stage: &Stage, revision: &str) -> f64 {
    stage.server.with(|state| {
        let truth = state.world.traffic().unwrap().truth();
        let of_revision = truth.pods.iter().filter(|(pod, _)| pod.starts_with(&format!("play/{revision}-")));
        of_revision.map(|(_, tally)| tally.arrived as f64).sum()
    })
}

/// The truth at each second of virtual time, by second since 1970.
async fn followed(stage: &Stage, revision: &str, seconds: usize, truth: &mut Vec<(i64, f64)>) {
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = stage.cluster(|cluster| cluster.now()).as_second();
        truth.push((now, truly_arrived(stage, revision)));
    }
}

fn truth_at(truth: &[(i64, f64)], second: i64) -> f64 {
    truth.iter().rev().find(|(at, _)| *at <= second).map_or(0.0, |(_, arrived)| *arrived)
}

fn second(object: &Value, pointer: &str) -> i64 {
    at(object, pointer).as_str().unwrap().parse::<Timestamp>().unwrap().as_second()
}

/// The counts of status are those of the world between the start of the step and the end of the last measurement.
fn counts_are_true(object: &Value, truth: &[(i64, f64)]) {
    let (since, until) = (second(object, "/status/analysis/since"), second(object, "/status/analysis/metrics/0/measuredUntil"));
    let expected = truth_at(truth, until) - truth_at(truth, since);
    let counted = samples(object) as f64;
    // Scrapes come every 5 s and windows of the traffic too, at both ends: ten requests a second in each.
    assert!((counted - expected).abs() <= 220.0, "{counted} counted, {expected} arrived from {since} to {until}");
    assert!(expected > 1_500.0, "a window that was counted twice would not show: {expected}");
    let of_values: i64 = metric(object)["values"].as_array().unwrap().iter().map(|value| value["samples"].as_i64().unwrap()).sum();
    assert!(of_values <= samples(object), "{}", metric(object));
}

#[test]
fn operator_that_is_restarted_in_mid_analysis_goes_on_counting_and_counts_nothing_twice() {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let (mut operator, _) = stage.start_operator(None);
        let arena = stage.arena("play");
        asked(&arena, Split::Route).await;
        arena.apply("modeldeployment", held(&arena, "1.1.0", Split::Route)).await;
        let object = arena.holding_at("chat", 25).await;
        let revision = at(&object, "/status/candidate/revision").as_str().unwrap().to_owned();
        let mut truth = vec![(second(&object, "/status/analysis/since"), truly_arrived(&stage, &revision))];
        // Killed at another moment of the window each time: before it ends, while it settles, and for longer than one.
        for (runs, rests) in [(65, 1), (37, 5), (48, 95), (31, 2), (90, 3)] {
            followed(&stage, &revision, runs, &mut truth).await;
            stage.stop_operator(&operator);
            followed(&stage, &revision, rests, &mut truth).await;
            (operator, _) = stage.start_operator(None);
        }
        followed(&stage, &revision, 60, &mut truth).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        counts_are_true(&object, &truth);
        assert_eq!(metric(&object)["phase"], "Passing");
        let longest = metric(&object)["values"].as_array().unwrap().iter().map(|value| value["seconds"].as_i64().unwrap()).max();
        assert!(longest >= Some(90), "what was missed is one longer window: {}", metric(&object));
        stage.check("restarts in mid-analysis");
        stage.stop_operator(&operator);
    });
}

#[test]
fn breaches_before_a_restart_count_with_those_after_it() {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        let arena = stage.arena("play");
        asked(&arena, Split::Route).await;
        arena.numbers.fails("1.1.0", 0.5);
        arena.apply("modeldeployment", held(&arena, "1.1.0", Split::Route)).await;
        let breached = |count: i64| move |object: &Value| metric(object)["breaches"] == json!(count);
        arena.until("one breach", "modeldeployment", "chat", breached(1)).await;
        stage.stop_operator(&operator);
        let (operator, _) = stage.start_operator(None);
        arena.until("two breaches", "modeldeployment", "chat", breached(2)).await;
        stage.stop_operator(&operator);
        let (operator, _) = stage.start_operator(None);
        let object = arena.phase("chat", "RolledBack").await;
        assert_eq!(metric(&object)["values"].as_array().unwrap().len(), 3, "three windows decided");
        stage.check("restarts between breaches");
        stage.stop_operator(&operator);
    });
}
