//! S18: what the metric source does not say is no verdict (R45-R49).

use serde_json::{Value, json};

use super::{analysed, asked, few_errors, held, judged_by, metric, metric_is, taken_over};
use crate::arena::{Arena, at, condition};
use crate::fixtures::{Split, canary, route_weights, serving};
use crate::numbers::Source;
use crate::play;

/// Holding at 25 % for lack of data, with these words.
async fn without_data(arena: &Arena, words: &str) -> Value {
    let said = |object: &Value| {
        let ready = condition(object, "Ready");
        let held = at(object, "/status/candidate/weight") == 25 && at(object, "/status/phase") == "Holding";
        held && ready["reason"] == "NoData" && metric(object)["message"].as_str().is_some_and(|message| message.contains(words))
    };
    arena.until(&format!("NoData: {words}"), "modeldeployment", "chat", said).await
}

/// What may not move while there is no data.
async fn moving_parts(arena: &Arena) -> Value {
    let object = arena.get("modeldeployment", "chat").await.unwrap();
    let route = arena.get("route", "chat").await.unwrap();
    let number = at(&object, "/status/decision/number").clone();
    json!([number, route["metadata"]["generation"], route_weights(arena).await, at(&object, "/status/override")])
}

#[test]
fn source_that_goes_down_in_mid_step_holds_the_release_until_it_is_back() {
    play("numbers_source_down", async |arena| {
        asked(arena, Split::Route).await;
        arena.apply("modeldeployment", analysed(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
        arena.numbers.source(Source::Down);
        let object = without_data(arena, "unavailable").await;
        assert_eq!(metric(&object)["phase"], "NoData");
        let before = moving_parts(arena).await;
        arena.sleep(arena.pace.rest).await;
        without_data(arena, "unavailable").await;
        assert_eq!(moving_parts(arena).await, before, "nothing moves");
        arena.numbers.source(Source::Sound);
        arena.holding_at("chat", 50).await;
    });
}

#[test]
fn release_without_data_is_taken_back_at_its_deadline_if_asked_to() {
    play("numbers_data_deadline", async |arena| {
        asked(arena, Split::Route).await;
        arena.numbers.source(Source::Down);
        let mut object = analysed(arena, "1.1.0", Split::Route);
        object["spec"]["analysis"]["dataDeadline"] = arena.pace.data_deadline.into();
        object["spec"]["analysis"]["onNoData"] = "Rollback".into();
        arena.apply("modeldeployment", object).await;
        without_data(arena, "unavailable").await;
        let object = arena.phase("chat", "RolledBack").await;
        assert_eq!(condition(&object, "SpecSuperseded")["reason"], "AnalysisFailed");
        let evidence = at(&object, "/status/override/evidence");
        assert!(evidence["message"].as_str().unwrap().contains("no data"), "{evidence}");
        assert_eq!((&evidence["value"], &evidence["samples"]), (&Value::Null, &json!(0)), "{evidence}");
    });
}

/// Each fault in turn holds the release in its own words; afterwards the release goes on.
async fn neither_pass_nor_fail(arena: &Arena, faults: &[(Source, &str)]) {
    asked(arena, Split::Route).await;
    arena.numbers.source(faults[0].0);
    arena.apply("modeldeployment", analysed(arena, "1.1.0", Split::Route)).await;
    arena.holding_at("chat", 25).await;
    let before = moving_parts(arena).await;
    for (fault, words) in faults {
        arena.numbers.source(*fault);
        let object = without_data(arena, words).await;
        assert_eq!(metric(&object)["samples"], 0, "{fault:?}: {}", metric(&object));
        assert_eq!(metric(&object)["values"], Value::Null, "{fault:?}");
    }
    assert_eq!(moving_parts(arena).await, before, "nothing moves");
    arena.numbers.source(Source::Sound);
    arena.holding_at("chat", 50).await;
}

#[test]
fn empty_answers_and_no_numbers_neither_pass_nor_fail() {
    play("numbers_empty_nan", async |arena| {
        neither_pass_nor_fail(arena, &[(Source::Empty, "no series"), (Source::NaN, "not a number")]).await;
    });
}

#[test]
fn garbage_late_and_old_answers_neither_pass_nor_fail() {
    play("numbers_garbage_slow_stale", async |arena| {
        let faults =
            [(Source::Garbage, "not that of a metric source"), (Source::Slow, "no answer within"), (Source::Stale, "asked for was")];
        neither_pass_nor_fail(arena, &faults).await;
    });
}

#[test]
fn too_few_requests_are_something_else_than_no_data() {
    play("numbers_few_samples", async |arena| {
        asked(arena, Split::Route).await;
        let mut object = analysed(arena, "1.1.0", Split::Route);
        object["spec"]["analysis"]["minimumSamples"] = 1_000_000.into();
        arena.apply("modeldeployment", object).await;
        let few = arena.reason("chat", "Ready", "NotEnoughSamples").await;
        assert_eq!(metric(&few)["phase"], "NotEnoughSamples");
        let counted = |object: &Value| metric(object)["samples"].as_i64().is_some_and(|samples| samples >= 50);
        let object = arena.until("some were counted", "modeldeployment", "chat", counted).await;
        assert_eq!(at(&object, "/status/candidate/weight"), 25);
        assert!(condition(&object, "Ready")["message"].as_str().unwrap().contains("1000000"), "{}", condition(&object, "Ready"));
        arena.command("chat", "promote-full:1").await;
        taken_over(arena, "1.1.0").await;
    });
}

#[test]
fn release_that_nobody_asks_has_no_data_and_holds() {
    play("numbers_no_requests", async |arena| {
        serving(arena, Split::Route).await;
        let mut object = canary(arena, "1.1.0", Split::Route);
        object["spec"]["analysis"] = judged_by(arena, &[few_errors()]);
        arena.apply("modeldeployment", object).await;
        without_data(arena, "no series").await;
        arena.sleep(arena.pace.rest).await;
        without_data(arena, "no series").await;
    });
}

#[test]
fn fault_that_comes_and_goes_within_a_window_costs_nothing() {
    play("numbers_flicker", async |arena| {
        asked(arena, Split::Route).await;
        arena.numbers.source(Source::Down);
        arena.apply("modeldeployment", held(arena, "1.1.0", Split::Route)).await;
        metric_is(arena, 25, "NoData").await;
        arena.numbers.source(Source::Sound);
        let object = metric_is(arena, 25, "Passing").await;
        let first = &metric(&object)["values"][0];
        // What was missed is taken in by one longer window: twice the interval or more.
        let shortest = if arena.pace.interval == "10s" { 20 } else { 60 };
        assert!(first["seconds"].as_i64().unwrap() >= shortest, "{first}");
    });
}
