//! S07: a preview is judged by the requests to its own Service.

use serde_json::{Value, json};

use super::{few_errors, judged_by, metric, taken_over};
use crate::arena::{Arena, at, condition};
use crate::fixtures::{Split, canary, serving};
use crate::numbers::To;
use crate::play;

/// Version 1.1.0 by blue/green, judged in its preview, which promotes itself.
async fn previewed(arena: &Arena) {
    let mut object = canary(arena, "1.1.0", Split::Route);
    object["spec"]["strategy"] = json!({"type": "BlueGreen", "blueGreen": {"autoPromote": true, "holdFor": arena.pace.hold}});
    object["spec"]["analysis"] = judged_by(arena, &[few_errors()]);
    arena.apply("modeldeployment", object).await;
}

#[test]
fn good_preview_promotes_itself_once_it_has_its_samples() {
    play("numbers_preview_good", async |arena| {
        serving(arena, Split::Route).await;
        arena.numbers.requests(&[(To::Everybody, 20.0), (To::Preview, 20.0)]);
        previewed(arena).await;
        let passes = |object: &Value| at(object, "/status/analysis/weight") == 0 && metric(object)["phase"] == "Passing";
        let object = arena.until("the preview passes", "modeldeployment", "chat", passes).await;
        assert!(metric(&object)["samples"].as_i64().unwrap() >= 50, "{}", metric(&object));
        taken_over(arena, "1.1.0").await;
    });
}

#[test]
fn bad_preview_leaves_before_anybody_else_has_seen_it() {
    play("numbers_preview_bad", async |arena| {
        serving(arena, Split::Route).await;
        arena.numbers.requests(&[(To::Everybody, 20.0), (To::Preview, 20.0)]);
        arena.numbers.fails("1.1.0", 0.5);
        previewed(arena).await;
        let object = arena.phase("chat", "RolledBack").await;
        assert_eq!(condition(&object, "SpecSuperseded")["reason"], "AnalysisFailed");
        assert_eq!(at(&object, "/status/analysis/weight"), 0);
        arena.eventually("the preview is gone", async || arena.get("service", "chat-preview").await.is_none()).await;
    });
}

#[test]
fn preview_that_nobody_asks_holds() {
    play("numbers_preview_unasked", async |arena| {
        serving(arena, Split::Route).await;
        arena.numbers.requests(&[(To::Everybody, 20.0)]);
        previewed(arena).await;
        let object = arena.reason("chat", "Ready", "NoData").await;
        assert_eq!(at(&object, "/status/candidate/weight"), 0);
        arena.sleep(arena.pace.rest).await;
        let object = arena.reason("chat", "Ready", "NoData").await;
        assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
    });
}
