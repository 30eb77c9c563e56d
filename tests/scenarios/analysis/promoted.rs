//! A version that has taken over is judged for a while, and the one before it comes back.

use serde_json::{Value, json};

use super::{asked, few_errors, judged_by, taken_over};
use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, route_weights};
use crate::play;

/// Version 1.1.0 at once, judged for an hour after it.
fn watched(arena: &Arena, split: Split) -> Value {
    let mut object = canary(arena, "1.1.0", split);
    object["spec"]["strategy"] = json!({"type": "Immediate"});
    object["spec"]["analysis"] = judged_by(arena, &[few_errors()]);
    object["spec"]["analysis"]["afterPromotion"] = "1h".into();
    object
}

#[test]
fn version_that_goes_bad_after_it_took_over_gives_way_to_the_one_before() {
    play("numbers_after_promotion", async |arena| {
        asked(arena, Split::Route).await;
        arena.apply("modeldeployment", watched(arena, Split::Route)).await;
        let done = taken_over(arena, "1.1.0").await;
        let bad = at(&done, "/status/stable/revision").as_str().unwrap().to_owned();
        arena.eventually("the old one is gone", async || arena.list("deployment", CHILDREN).await.len() == 1).await;
        arena.numbers.fails("1.1.0", 0.5);
        let coming = |object: &Value| at(object, "/status/candidate/version") == "1.0.0";
        arena.until("the one before is on its way", "modeldeployment", "chat", coming).await;
        let weights = all_or_nothing(arena, &bad).await;
        assert!(weights.is_none(), "it never had a part of the traffic: {weights:?}");
        let object = arena
            .until("the one before serves", "modeldeployment", "chat", |object| {
                at(object, "/status/stable/version") == "1.0.0" && at(object, "/status/phase") == "RolledBack"
            })
            .await;
        assert_eq!(condition(&object, "SpecSuperseded")["reason"], "AnalysisFailed");
        assert_eq!(at(&object, "/status/override/insteadOf"), &Value::from(bad));
        assert_eq!(at(&object, "/status/stable/ready"), 4);
        let evidence = at(&object, "/status/override/evidence");
        assert_eq!(evidence["metric"], "errorRate", "{evidence}");
    });
}

/// Looks at the route until it has left `bad`; a weight of it that is neither nothing nor everything.
async fn all_or_nothing(arena: &Arena, bad: &str) -> Option<Value> {
    for _ in 0..arena.pace.polls_max {
        let weights = route_weights(arena).await;
        match weights[bad].as_i64().unwrap_or(0) {
            0 => return None,
            100 => arena.sleep(arena.pace.poll).await,
            _ => return Some(weights),
        }
    }
    panic!("the route never left {bad}");
}

#[test]
fn version_that_stays_good_after_it_took_over_stays() {
    play("numbers_after_promotion_good", async |arena| {
        asked(arena, Split::Route).await;
        arena.apply("modeldeployment", watched(arena, Split::Route)).await;
        taken_over(arena, "1.1.0").await;
        let measured = |object: &Value| {
            let of_stable = at(object, "/status/analysis/revision") == at(object, "/status/stable/revision");
            of_stable && at(object, "/status/analysis/comparedWith").is_null() && super::metric(object)["phase"] == "Passing"
        };
        let object = arena.until("it is measured", "modeldeployment", "chat", measured).await;
        assert_eq!(at(&object, "/status/analysis/weight"), 100);
        assert_eq!(at(&object, "/status/phase"), "Active");
        assert_eq!(at(&object, "/status/stable/version"), "1.1.0");
    });
}
