//! Releases that are judged by their numbers.

use jiff::SignedDuration;

use super::model::{Model, settings};
use super::{name, served_with};
use crate::domain::analysis::criteria::OnNoData;
use crate::domain::analysis::tests::support::{error_rate, errors_below_two_percent};
use crate::domain::record::Cause;
use crate::domain::rollout::State;
use crate::domain::settings::{Settings, TrafficMode};

fn judged(traffic: TrafficMode) -> Settings {
    Settings { analysis: Some(errors_below_two_percent()), ..settings(traffic) }
}

/// Version a serves, 40 requests a second arrive, and b is asked for.
fn releasing(settings: Settings, errors_of_b: u64) -> Model {
    let mut model = served_with(settings);
    model.numbers.rate = 40;
    model.fail_requests("a", 2);
    model.fail_requests("b", errors_of_b);
    model.want("b");
    model
}

#[test]
fn good_version_goes_all_the_way() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = releasing(judged(traffic), 2);
        model.run(3_000);
        assert_eq!((model.weight_of("b"), model.state()), (100, State::Serving), "{traffic:?}");
        assert!(model.numbers.asked.len() > 30, "{traffic:?}: it was asked for {} times", model.numbers.asked.len());
    }
}

#[test]
fn window_with_too_few_requests_is_asked_for_once_in_an_interval() {
    let mut model = releasing(judged(TrafficMode::Gateway), 2);
    model.numbers.rate = 10;
    model.run_until(|model| model.weight_of("b") == 10);
    model.run(600);
    let asked = model.numbers.asked.len();
    assert!((15..=20).contains(&asked), "one request a second, 30 s: it was asked for {asked} times in 600 s");
}

#[test]
fn bad_version_is_taken_back_with_its_grounds_and_not_tried_again() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = releasing(judged(traffic), 60);
        model.run_until(|model| model.weight_of("b") == 10);
        model.run(3_000);
        assert_eq!((model.weight_of("a"), model.pods("b"), model.state()), (100, 0, State::RolledBack), "{traffic:?}");
        assert!(!model.weights_seen("b").contains(&50), "{traffic:?}");
        let record = model.record();
        let overriding = record.overriding.clone().unwrap();
        assert_eq!((overriding.by.as_str(), record.decision.cause), ("analysis", Cause::Rollback), "{traffic:?}");
        assert_eq!(overriding.grounds.as_ref().unwrap().metric, "errorRate");
        assert!(model.failed("b") && overriding.reason.contains("errorRate was above 0.02 in 3 measurements"), "{}", overriding.reason);
    }
}

#[test]
fn comparison_takes_back_what_a_threshold_would_let_pass() {
    let mut criteria = errors_below_two_percent();
    criteria.metrics = vec![error_rate(Some(0.05), Some(50.0))];
    let mut model = releasing(Settings { analysis: Some(criteria), ..settings(TrafficMode::Gateway) }, 20);
    model.run(3_000);
    assert_eq!((model.weight_of("a"), model.state()), (100, State::RolledBack));
    assert!(model.record().overriding.as_ref().unwrap().grounds.as_ref().unwrap().p_value.is_some());
}

#[test]
fn step_with_too_few_requests_waits_and_says_how_many() {
    let mut criteria = errors_below_two_percent();
    criteria.minimum_samples = 10_000;
    let mut model = releasing(Settings { analysis: Some(criteria), ..settings(TrafficMode::Gateway) }, 2);
    model.run_until(|model| model.weight_of("b") == 10);
    model.run(1_500);
    assert_eq!((model.weight_of("b"), model.state()), (10, State::Holding));
    assert_eq!(model.plan().reason.code, "NotEnoughSamples");
    assert!(model.plan().reason.message.contains("of 10000 requests needed for errorRate"), "{}", model.plan().reason.message);
    model.run(1_500);
    assert_eq!(model.weight_of("b"), 50, "4 requests a second are 10,000 in 2,500 seconds");
}

#[test]
fn broken_source_holds_and_the_release_goes_on_when_it_is_back() {
    let mut model = releasing(judged(TrafficMode::Gateway), 2);
    model.run_until(|model| model.weight_of("b") == 10);
    model.numbers.down = true;
    model.run(4_000);
    assert_eq!((model.weight_of("b"), model.plan().reason.code), (10, "NoData"));
    model.numbers.down = false;
    model.run(3_000);
    assert_eq!((model.weight_of("b"), model.state()), (100, State::Serving));
}

#[test]
fn broken_source_takes_the_release_back_at_its_deadline_if_asked_to() {
    let mut criteria = errors_below_two_percent();
    criteria.data_deadline = Some(SignedDuration::from_mins(15));
    criteria.on_no_data = OnNoData::Rollback;
    let mut model = releasing(Settings { analysis: Some(criteria), ..settings(TrafficMode::Gateway) }, 2);
    model.run_until(|model| model.weight_of("b") == 10);
    model.numbers.down = true;
    model.run(600);
    assert_eq!((model.weight_of("b"), model.plan().reason.code), (10, "NoData"));
    model.run(600);
    assert_eq!((model.weight_of("b"), model.state()), (0, State::RolledBack));
}

#[test]
fn evidence_against_one_version_is_not_held_against_the_next() {
    let mut model = releasing(judged(TrafficMode::Gateway), 60);
    model.fail_requests("c", 2);
    model.run_until(|model| model.record().analysis.as_ref().is_some_and(|analysis| analysis.metrics[0].breaches == 2));
    model.want("c");
    model.run(4_000);
    assert_eq!((model.weight_of("c"), model.state()), (100, State::Serving));
    assert!(!model.failed("b"), "it was superseded before it failed");
}

#[test]
fn failed_version_that_is_tried_again_starts_without_its_old_evidence() {
    let mut model = releasing(judged(TrafficMode::Gateway), 60);
    model.run(3_000);
    assert_eq!(model.state(), State::RolledBack);
    model.fail_requests("b", 0);
    model.command("retry:1");
    model.run(3_000);
    assert_eq!((model.weight_of("b"), model.state()), (100, State::Serving));
}

#[test]
fn promote_ends_the_time_and_promote_full_the_analysis_too() {
    let mut criteria = errors_below_two_percent();
    criteria.minimum_samples = 1_000_000;
    let mut model = releasing(Settings { analysis: Some(criteria), ..settings(TrafficMode::Gateway) }, 2);
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    model.command("promote:1");
    model.run(600);
    assert_eq!((model.weight_of("b"), model.plan().reason.code), (10, "NotEnoughSamples"));
    model.command("promote-full:2");
    model.run(600);
    assert_eq!((model.weight_of("b"), model.state()), (100, State::Serving));
}

#[test]
fn pause_does_not_keep_a_bad_version_out() {
    let mut model = releasing(judged(TrafficMode::Gateway), 60);
    model.run_until(|model| model.weight_of("b") == 10);
    model.command("pause:1");
    model.run(600);
    assert_eq!((model.weight_of("b"), model.pods("b")), (0, 0));
}

fn watched(errors_later: u64, paused: bool) -> Model {
    let mut criteria = errors_below_two_percent();
    criteria.after_promotion = Some(SignedDuration::from_hours(2));
    let mut model = releasing(Settings { analysis: Some(criteria), ..settings(TrafficMode::Gateway) }, 2);
    model.run_until(|model| model.record().stable == name("b"));
    model.run(1_800);
    assert_eq!((model.weight_of("b"), model.state(), model.pods("a")), (100, State::Serving, 0));
    if paused {
        model.command("pause:1");
    }
    model.fail_requests("b", errors_later);
    model.run(1_800);
    model
}

#[test]
fn version_that_goes_bad_after_its_promotion_gives_way_to_the_one_before() {
    for paused in [false, true] {
        let model = watched(60, paused);
        assert_eq!((model.weight_of("a"), model.pods("b"), model.state()), (100, 0, State::RolledBack), "paused: {paused}");
        assert_eq!(model.record().overriding.as_ref().unwrap().by, "analysis");
        assert!(model.failed("b"));
        assert_eq!(model.weights_seen("a"), [100], "it comes back at once");
    }
}

#[test]
fn analysis_after_a_promotion_ends_in_time() {
    let mut model = watched(2, false);
    let asked = model.numbers.asked.len();
    model.run(2 * 3_600);
    let last = model.numbers.asked.len();
    model.fail_requests("b", 500);
    model.run(3_600);
    assert!(asked < last, "it went on for two hours");
    assert_eq!(model.numbers.asked.len(), last, "and then it ended");
    assert_eq!(model.weight_of("b"), 100);
}

#[test]
fn dying_at_any_write_of_a_failing_release_ends_with_the_old_version_and_its_grounds() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        for index in 0..60 {
            let mut model = releasing(judged(traffic), 60);
            model.die_after(index);
            model.run(2_000);
            assert_eq!((model.weight_of("a"), model.pods("b"), model.state()), (100, 0, State::RolledBack), "{traffic:?} {index}");
            let overriding = model.record().overriding.clone().unwrap();
            assert!(overriding.grounds.is_some(), "{traffic:?} {index}: {overriding:?}");
        }
    }
}

#[test]
fn pods_on_standby_stay_as_long_as_the_watch_and_serve_first_when_it_fails() {
    for fails in [false, true] {
        let mut criteria = errors_below_two_percent();
        criteria.after_promotion = Some(SignedDuration::from_hours(1));
        criteria.standby_replicas = 2;
        let mut model = releasing(Settings { analysis: Some(criteria), ..settings(TrafficMode::Gateway) }, 2);
        model.run_until(|model| model.record().stable == name("b"));
        model.run(600);
        assert_eq!((model.pods("a"), model.pods("b")), (2, 4));
        model.fail_requests("b", if fails { 60 } else { 2 });
        model.run(4_000);
        let (serves, gone) = if fails { ("a", "b") } else { ("b", "a") };
        assert_eq!((model.weight_of(serves), model.pods(serves), model.pods(gone)), (100, 4, 0), "fails: {fails}");
    }
}

#[test]
fn next_release_ends_the_standby_of_the_one_before() {
    let mut criteria = errors_below_two_percent();
    criteria.after_promotion = Some(SignedDuration::from_hours(20));
    criteria.standby_replicas = 2;
    let mut model = releasing(Settings { analysis: Some(criteria), ..settings(TrafficMode::Gateway) }, 2);
    model.run_until(|model| model.record().stable == name("b"));
    model.run(600);
    assert_eq!(model.pods("a"), 2);
    model.want("c");
    model.run_until(|model| model.weight_of("c") == 10);
    assert_eq!(model.pods("a"), 0);
}
