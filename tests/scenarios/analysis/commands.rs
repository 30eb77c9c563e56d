//! What people may do while a version is judged.

use serde_json::{Value, json};

use super::{analysed, asked, breaches, held, metric_is, taken_over};
use crate::arena::{at, condition};
use crate::fixtures::Split;
use crate::numbers::Source;
use crate::play;

#[test]
fn promote_ends_the_hold_and_not_the_analysis_and_promote_full_goes_past_it() {
    play("numbers_promote", async |arena| {
        asked(arena, Split::Route).await;
        arena.numbers.source(Source::Down);
        let mut object = held(arena, "1.1.0", Split::Route);
        object["spec"]["strategy"]["canary"]["steps"] =
            json!([{"weight": 25, "holdUntil": "Promoted"}, {"weight": 50, "holdUntil": "Promoted"}]);
        arena.apply("modeldeployment", object).await;
        arena.holding_at("chat", 25).await;
        arena.command("chat", "promote:1").await;
        let said = |object: &Value| at(object, "/status/lastCommand/nonce") == "1" && condition(object, "Ready")["reason"] == "NoData";
        let object = arena.until("promoted, and without data", "modeldeployment", "chat", said).await;
        assert_eq!(at(&object, "/status/lastCommand/result"), "Accepted");
        arena.sleep(arena.pace.rest).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(at(&object, "/status/candidate/weight"), 25, "the numbers are still missing");
        arena.command("chat", "promote-full:2").await;
        taken_over(arena, "1.1.0").await;
    });
}

#[test]
fn promoted_step_ends_once_its_numbers_are_there() {
    play("numbers_promote_then_data", async |arena| {
        asked(arena, Split::Route).await;
        let mut object = held(arena, "1.1.0", Split::Route);
        object["spec"]["strategy"]["canary"]["steps"] =
            json!([{"weight": 25, "holdUntil": "Promoted"}, {"weight": 50, "holdUntil": "Promoted"}]);
        arena.apply("modeldeployment", object).await;
        arena.holding_at("chat", 25).await;
        arena.command("chat", "promote:1").await;
        let object = arena.holding_at("chat", 50).await;
        assert_eq!(at(&object, "/status/lastCommand/result"), "Accepted");
        assert_eq!(condition(&object, "Ready")["reason"], "WaitingForPromotion", "one promote is one step");
    });
}

#[test]
fn pause_does_not_keep_a_bad_version() {
    play("numbers_paused", async |arena| {
        asked(arena, Split::Route).await;
        arena.apply("modeldeployment", analysed(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
        arena.command("chat", "pause:1").await;
        arena.until("paused", "modeldeployment", "chat", |object| condition(object, "Paused")["status"] == "True").await;
        arena.numbers.fails("1.1.0", 0.5);
        let object = arena.phase("chat", "RolledBack").await;
        assert_eq!(condition(&object, "SpecSuperseded")["reason"], "AnalysisFailed");
        assert_eq!(condition(&object, "Paused")["status"], "True");
    });
}

#[test]
fn version_that_goes_bad_later_in_its_step_is_still_taken_back() {
    play("numbers_bad_later", async |arena| {
        asked(arena, Split::Route).await;
        arena.apply("modeldeployment", held(arena, "1.1.0", Split::Route)).await;
        let object = metric_is(arena, 25, "Passing").await;
        assert_eq!(breaches(&object), 0);
        arena.numbers.fails("1.1.0", 0.5);
        arena.phase("chat", "RolledBack").await;
    });
}
