//! From readings to verdicts, window by window.

pub(crate) mod support;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use self::support::{error_rate, errors_below_two_percent, failed, success};
use super::criteria::{Criteria, OnNoData};
use super::profile::{BuiltIn, Evidence, Profiles, Reading};
use super::progress::{Compared, Progress, Subject, VALUES_MAX};
use super::reading::Buckets;
use super::take_in::{Answered, Found, take_in};
use super::verdict::{Standing, Verdict, number, standing, verdict};
use super::window::{self, Alive, Question, WINDOW_MAX};
use crate::domain::revision::RevisionName;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn subject(revision: &str, weight: i32, since: i64) -> Subject {
    Subject { revision: RevisionName::new(revision), stable: Some(RevisionName::new("a")), weight, since: at(since) }
}

fn begun(criteria: &Criteria, subject: Subject, before: Option<&Progress>) -> Progress {
    Progress::of(before, subject, criteria.metrics.iter().map(|metric| (metric.name.clone(), metric.definition.clone())))
}

fn nothing_in_vain(_: &str) -> Option<Timestamp> {
    None
}

fn answered(criteria: &Criteria, question: Question, found: Result<Found, String>) -> Answered {
    let definition = criteria.metrics[question.metric].definition.clone();
    Answered { question, definition, queries: vec!["q".to_owned()], found, late: false }
}

/// Asks what is due at `second` and answers with `reading`.
fn look(criteria: &Criteria, progress: &mut Progress, second: i64, candidate: &Reading, stable: Option<&Reading>) {
    for question in window::due(criteria, progress, at(second), &nothing_in_vain) {
        let found = Found { candidate: candidate.clone(), stable: stable.cloned() };
        take_in(criteria, progress, &answered(criteria, question, Ok(found)), at(second));
    }
}

fn only(criteria: &Criteria, progress: &Progress) -> Standing {
    standing(criteria, progress, &criteria.metrics[0], &progress.metrics[0])
}

#[test]
fn windows_follow_each_other_and_a_late_look_takes_in_what_was_missed() {
    let criteria = errors_below_two_percent();
    let mut progress = begun(&criteria, subject("b", 10, 1_000), None);
    assert!(window::due(&criteria, &progress, at(1_039), &nothing_in_vain).is_empty(), "samples arrive up to ten seconds late");
    assert_eq!(window::next(&criteria, &progress, at(1_001), &nothing_in_vain), Some(at(1_040)));
    let due = window::due(&criteria, &progress, at(1_040), &nothing_in_vain);
    let first_alive = Alive { candidate: false, stable: true };
    assert_eq!(due, [Question { metric: 0, from: at(1_000), to: at(1_030), alive_at_start: first_alive }]);
    look(&criteria, &mut progress, 1_040, &failed(0, 60), None);
    let due = window::due(&criteria, &progress, at(1_229), &nothing_in_vain);
    assert_eq!(due, [Question { metric: 0, from: at(1_030), to: at(1_210), alive_at_start: Alive::default() }]);
    let asked = |_: &str| Some(at(1_210));
    assert!(
        window::due(&criteria, &progress, at(1_229), &asked).is_empty(),
        "what was asked in vain is asked again with the next interval"
    );
    assert_eq!(window::next(&criteria, &progress, at(1_229), &asked), Some(at(1_250)));
}

#[test]
fn gap_that_no_counter_can_bridge_is_left_out() {
    let criteria = errors_below_two_percent();
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    look(&criteria, &mut progress, 40, &failed(0, 60), None);
    let late = 30 + WINDOW_MAX.as_secs() + 30;
    let due = window::due(&criteria, &progress, at(late + 10), &nothing_in_vain);
    let both = Alive { candidate: true, stable: true };
    assert_eq!(due, [Question { metric: 0, from: at(late - 30), to: at(late), alive_at_start: both }]);
}

#[test]
fn three_breaches_in_a_row_fail_and_the_grounds_say_what_was_seen() {
    let criteria = errors_below_two_percent();
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    for (second, breaches) in [(40, 1), (70, 2)] {
        look(&criteria, &mut progress, second, &failed(6, 60), None);
        assert_eq!(progress.metrics[0].breaches, breaches);
        assert!(!matches!(verdict(&criteria, &progress, at(second)), Verdict::Fail(_)));
    }
    look(&criteria, &mut progress, 100, &failed(6, 60), None);
    let Verdict::Fail(grounds) = verdict(&criteria, &progress, at(100)) else { panic!("not failed") };
    assert_eq!((grounds.value, grounds.max, grounds.samples, grounds.at), (Some(0.1), Some(0.02), 180, Some(at(90))));
    assert_eq!(grounds.message, "errorRate was above 0.02 in 3 measurements in a row: last 0.1 of 60 requests");
    assert_eq!(progress.metrics[0].values.iter().filter(|value| value.breach).count(), 3, "the verdict can be followed");
}

#[test]
fn share_counts_once_a_single_failure_could_not_break_its_bound_or_once_it_is_broken_anyhow() {
    let criteria = errors_below_two_percent();
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    look(&criteria, &mut progress, 40, &failed(1, 20), None);
    assert_eq!((progress.metrics[0].until, progress.metrics[0].breaches), (None, 0), "1 of 20 may still be 1 of 50: the window goes on");
    look(&criteria, &mut progress, 70, &failed(1, 50), None);
    assert_eq!((progress.metrics[0].until, progress.metrics[0].breaches), (Some(at(60)), 0));
    look(&criteria, &mut progress, 100, &failed(2, 6), None);
    assert_eq!(progress.metrics[0].breaches, 1, "2 of 6 are above 2 % of 50, whatever the other 44 are");
}

#[test]
fn step_passes_with_enough_samples_of_its_own() {
    let criteria = errors_below_two_percent();
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    look(&criteria, &mut progress, 40, &failed(0, 60), None);
    assert_eq!(only(&criteria, &progress), Standing::NotEnough { have: 60, need: 100 });
    look(&criteria, &mut progress, 70, &failed(0, 60), None);
    assert_eq!(verdict(&criteria, &progress, at(70)), Verdict::Pass);
    let next = begun(&criteria, subject("b", 50, 700), Some(&progress));
    assert_eq!(only(&criteria, &next), Standing::NotEnough { have: 0, need: 100 });
    assert!(next.metrics[0].continued);
    let due = window::due(&criteria, &next, at(740), &nothing_in_vain);
    assert_eq!(due[0].alive_at_start, Alive { candidate: true, stable: true }, "its counters are there from the step before");
}

#[test]
fn who_took_over_without_being_measured_may_get_its_first_series_afterwards() {
    let criteria = errors_below_two_percent();
    let promoted = Subject { stable: None, ..subject("b", 100, 0) };
    let alive = |progress: &Progress| window::due(&criteria, progress, at(40), &nothing_in_vain)[0].alive_at_start.candidate;
    assert!(!alive(&begun(&criteria, promoted.clone(), None)), "it was sent requests only a moment ago");
    let mut judged = begun(&criteria, subject("b", 50, -700), None);
    look(&criteria, &mut judged, -600, &failed(0, 200), None);
    assert!(alive(&begun(&criteria, promoted, Some(&judged))), "its counters are there from the step before");
}

#[test]
fn evidence_of_another_revision_or_definition_is_not_used() {
    let criteria = errors_below_two_percent();
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    look(&criteria, &mut progress, 40, &failed(60, 60), None);
    look(&criteria, &mut progress, 70, &failed(60, 60), None);
    assert_eq!(progress.metrics[0].breaches, 2);
    assert_eq!(begun(&criteria, subject("b", 50, 100), Some(&progress)).metrics[0].breaches, 2, "the same revision, one step further");
    assert_eq!(begun(&criteria, subject("c", 10, 100), Some(&progress)).metrics[0].breaches, 0, "another revision");
    let mut edited = criteria.clone();
    edited.metrics[0].definition = "another".to_owned();
    assert_eq!(begun(&edited, subject("b", 10, 0), Some(&progress)).metrics[0].breaches, 0, "another bound or query");
    let stale = answered(
        &criteria,
        Question { metric: 0, from: at(60), to: at(90), alive_at_start: Alive::default() },
        Ok(Found { candidate: failed(9, 60), stable: None }),
    );
    let mut fresh = begun(&edited, subject("b", 10, 0), None);
    take_in(&edited, &mut fresh, &stale, at(100));
    assert_eq!(fresh.metrics[0].until, None, "an answer to a question of the old definition");
}

#[test]
fn series_that_are_there_only_since_the_window_began_count_from_its_end_on() {
    let criteria = errors_below_two_percent();
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    let question = window::due(&criteria, &progress, at(40), &nothing_in_vain).remove(0);
    let late = Answered { late: true, ..answered(&criteria, question, Err("too young".to_owned())) };
    take_in(&criteria, &mut progress, &late, at(40));
    let state = &progress.metrics[0];
    assert_eq!((state.until, state.samples, &state.missing), (Some(at(30)), 0, &None));
    let next = window::due(&criteria, &progress, at(70), &nothing_in_vain);
    assert_eq!((next[0].from, next[0].alive_at_start), (at(30), Alive::default()), "what it begins with was seen alive");
}

#[test]
fn answer_that_comes_twice_or_late_counts_once() {
    let criteria = errors_below_two_percent();
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    let question = window::due(&criteria, &progress, at(40), &nothing_in_vain).remove(0);
    let answer = answered(&criteria, question, Ok(Found { candidate: failed(6, 60), stable: None }));
    take_in(&criteria, &mut progress, &answer, at(40));
    take_in(&criteria, &mut progress, &answer, at(41));
    assert_eq!((progress.metrics[0].samples, progress.metrics[0].breaches), (60, 1));
}

#[test]
fn missing_data_is_no_verdict_until_its_deadline() {
    let mut criteria = errors_below_two_percent();
    criteria.data_deadline = Some(SignedDuration::from_mins(5));
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    look(&criteria, &mut progress, 40, &failed(0, 200), None);
    assert_eq!(verdict(&criteria, &progress, at(40)), Verdict::Pass);
    let question = window::due(&criteria, &progress, at(70), &nothing_in_vain).remove(0);
    take_in(&criteria, &mut progress, &answered(&criteria, question, Err("down".to_owned())), at(70));
    let Verdict::Wait(waiting) = verdict(&criteria, &progress, at(70)) else { panic!("no data is not good data") };
    assert_eq!(waiting.code, "NoData");
    assert!(matches!(verdict(&criteria, &progress, at(10_000)), Verdict::Wait(_)), "Hold holds");
    criteria.on_no_data = OnNoData::Rollback;
    assert!(matches!(verdict(&criteria, &progress, at(369)), Verdict::Wait(_)));
    assert!(matches!(verdict(&criteria, &progress, at(370)), Verdict::Fail(_)));
    look(&criteria, &mut progress, 100, &failed(0, 60), None);
    assert_eq!(verdict(&criteria, &progress, at(10_000)), Verdict::Pass, "data is there again, and nothing of it was lost");
    assert_eq!(progress.metrics[0].values.last().map(|value| value.seconds), Some(60));
}

#[test]
fn comparison_finds_a_worse_candidate_and_needs_samples_of_both() {
    let mut criteria = errors_below_two_percent();
    criteria.metrics = vec![error_rate(None, Some(20.0))];
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    look(&criteria, &mut progress, 40, &failed(1, 120), Some(&failed(5, 50)));
    assert_eq!(only(&criteria, &progress), Standing::NotEnough { have: 50, need: 100 });
    for step in 1..10 {
        look(&criteria, &mut progress, 40 + 30 * step, &failed(12, 120), Some(&failed(5, 1_000)));
    }
    assert_eq!(only(&criteria, &progress), Standing::Worse);
    let Verdict::Fail(grounds) = verdict(&criteria, &progress, at(400)) else { panic!("not failed") };
    assert!(grounds.p_value.unwrap() <= grounds.alpha.unwrap(), "{grounds:?}");
    assert!(grounds.message.starts_with("errorRate is worse than stable's"), "{}", grounds.message);
    assert!(matches!(progress.metrics[0].compared, Some(Compared::Shares(_))));
}

#[test]
fn success_rate_is_compared_the_other_way_round() {
    let mut criteria = errors_below_two_percent();
    let mut metric = error_rate(None, Some(1.0));
    metric.measure = success(&metric.measure);
    metric.better = crate::domain::analysis::profile::Better::Higher;
    criteria.metrics = vec![metric];
    for (errors, standing) in [(0, Standing::Passing), (60, Standing::Worse)] {
        let mut progress = begun(&criteria, subject("b", 10, 0), None);
        for step in 0..10 {
            look(&criteria, &mut progress, 40 + 30 * step, &failed(errors, 600), Some(&failed(3, 600)));
        }
        assert_eq!(only(&criteria, &progress), standing, "{errors} errors of 600");
    }
}

#[test]
fn quantile_is_compared_by_buckets_and_counts_from_its_own_number_of_events_on() {
    let mut criteria = errors_below_two_percent();
    let mut metric = error_rate(Some(400.0), Some(10.0));
    metric.measure = Profiles::built_in().measure("generic", BuiltIn::LatencyP95).unwrap().clone();
    criteria.metrics = vec![metric];
    let latencies = |fast: u64, slow: u64| {
        let total = (fast + slow).to_string();
        let buckets =
            Buckets::new([("0.1", fast), ("0.25", fast), ("0.5", fast + slow), ("1", fast + slow), ("+Inf", fast + slow)]).unwrap();
        let value = buckets.quantile(0.95).ok().map(|seconds| seconds * 1000.0);
        Reading { value, samples: total.parse().ok(), evidence: Evidence::Buckets(buckets) }
    };
    let mut progress = begun(&criteria, subject("b", 10, 0), None);
    look(&criteria, &mut progress, 40, &latencies(10, 9), Some(&latencies(100, 0)));
    assert_eq!(progress.metrics[0].until, None, "of 19 requests the 95th percentile is the greatest");
    for step in 1..20 {
        look(&criteria, &mut progress, 40 + 30 * step, &latencies(100, 60), Some(&latencies(500, 1)));
    }
    assert_eq!(only(&criteria, &progress), Standing::OutOfBounds);
    progress.metrics[0].breaches = 0;
    assert_eq!(only(&criteria, &progress), Standing::Worse);
    look(&criteria, &mut progress, 1_000, &failed(0, 500), Some(&latencies(500, 1)));
    assert!(progress.metrics[0].missing.is_some(), "a histogram and a share cannot be compared");
}

#[test]
fn numbers_are_written_as_people_read_them() {
    for (value, text) in [
        (0.0, "0"),
        (0.02, "0.02"),
        (0.012_346, "0.01235"),
        (412.7, "412.7"),
        (1_234.6, "1235"),
        (-3.5, "-3.5"),
        (0.000_001, "0.000001"),
        (f64::NAN, "0"),
    ] {
        assert_eq!(number(value), text);
    }
}

proptest! {
    /// However looks fall, each request is counted exactly once, and no more values are kept than there is room for.
    #[test]
    fn every_second_is_counted_once_whenever_one_looks(pauses in proptest::collection::vec(1..200_i64, 1..60), broken in proptest::collection::vec(any::<bool>(), 60)) {
        let criteria = errors_below_two_percent();
        let mut progress = begun(&criteria, subject("b", 10, 0), None);
        let mut now = 0;
        for (pause, broken) in pauses.iter().zip(&broken) {
            now += pause;
            for question in window::due(&criteria, &progress, at(now), &nothing_in_vain) {
                prop_assert!(question.to <= at(now - 10) && question.from < question.to);
                // Four requests a second, so each window has enough.
                let requests = 4 * u64::try_from(question.to.duration_since(question.from).as_secs()).unwrap();
                let found = if *broken { Err("down".to_owned()) } else { Ok(Found { candidate: failed(0, requests), stable: None }) };
                take_in(&criteria, &mut progress, &answered(&criteria, question, found), at(now));
            }
            let state = &progress.metrics[0];
            let until = state.until.map_or(0, |until| until.as_second());
            prop_assert_eq!(state.samples, 4 * u64::try_from(until).unwrap());
            prop_assert!(state.values.len() <= VALUES_MAX);
            let next = window::next(&criteria, &progress, at(now), &nothing_in_vain).unwrap();
            prop_assert!(next > at(now) && next <= at(now + 40));
        }
    }
}
