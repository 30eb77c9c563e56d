use super::*;
use crate::domain::analysis::tests::support::{error_rate, errors_below_two_percent};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Stable has served since 1,000 s.
fn rest() -> Occasion {
    Occasion { revision: RevisionName::new("chat-a"), since: at(1_000), candidate: None }
}

fn release() -> Occasion {
    Occasion { candidate: Some(RevisionName::new("chat-b")), ..rest() }
}

fn answer(outcome: Outcome) -> Probed {
    let metric = &errors_below_two_percent().metrics[0];
    Probed {
        name: metric.name.clone(),
        definition: metric.definition.clone(),
        provider: None,
        revision: RevisionName::new("chat-a"),
        at: at(1_100),
        outcome,
        query: "up".to_owned(),
    }
}

fn measured(requests: u64, failed: u64) -> Outcome {
    Outcome::Measured(Counted { requests: Some(requests), failed: Some(failed), seconds: 100 })
}

fn silent() -> Outcome {
    Outcome::Missing(Trouble::NoSeries, "the query matches no series".to_owned())
}

/// The seconds at which a metric is asked for between 1,000 and 10,000, when every question is answered at once.
fn asked(occasion: &Occasion, outcome: &Outcome) -> Vec<i64> {
    let criteria = errors_below_two_percent();
    let mut tries = Tries::new();
    let (mut known, mut asked) = (Vec::new(), Vec::new());
    for second in 1_000..10_000 {
        if !due(&criteria, occasion, &tries, &known, at(second)).is_empty() {
            asked.push(second);
            tries = tried(tries, occasion, &[answer(outcome.clone())], at(second));
            known = take_in(&criteria, &known, &[answer(outcome.clone())]);
        }
    }
    asked
}

#[test]
fn metric_that_can_be_measured_is_asked_for_once() {
    assert_eq!(asked(&rest(), &measured(100, 1)), [1_070]);
}

#[test]
fn metric_that_cannot_be_measured_is_asked_for_ever_more_rarely() {
    let asked = asked(&rest(), &silent());
    assert_eq!(asked[..8], [1_070, 1_100, 1_160, 1_280, 1_520, 2_000, 2_600, 3_200]);
    assert!(asked.windows(2).skip(5).all(|pair| pair[1] - pair[0] == 600), "{asked:?}");
}

#[test]
fn release_that_begins_another_provider_and_another_definition_are_asked_for_anew() {
    let criteria = errors_below_two_percent();
    let tries = tried(Tries::new(), &rest(), &[answer(measured(100, 1))], at(2_000));
    let is_due =
        |criteria: &Criteria, occasion: &Occasion| !due(criteria, occasion, &tries, &[answer(measured(100, 1))], at(2_001)).is_empty();
    assert!(!is_due(&criteria, &rest()));
    assert!(is_due(&criteria, &release()));
    assert!(is_due(&criteria, &Occasion { revision: RevisionName::new("chat-c"), ..rest() }));
    let mut elsewhere = criteria.clone();
    elsewhere.metrics[0].provider = Some("thanos".to_owned());
    assert!(is_due(&elsewhere, &rest()));
    let mut other = criteria.clone();
    other.metrics[0] = error_rate(Some(0.03), None);
    assert!(is_due(&other, &rest()));
}

#[test]
fn probe_looks_back_ten_minutes_but_not_before_the_revision_served() {
    let criteria = errors_below_two_percent();
    let window = |second: i64| due(&criteria, &rest(), &Tries::new(), &[], at(second))[0].clone();
    assert_eq!((window(1_120).to, window(1_120).window.as_secs()), (at(1_110), 110));
    assert_eq!(window(90_000).window.as_secs(), 600);
}

#[test]
fn first_question_is_waited_for_and_the_next_ones_are_not() {
    let criteria = errors_below_two_percent();
    let tries = tried(Tries::new(), &rest(), &[answer(silent())], at(1_120));
    assert_eq!(next(&criteria, &rest(), &Tries::new(), at(1_001)), Some(at(1_070)));
    assert_eq!(again(&criteria, &rest(), &Tries::new(), &[], at(1_001)), None);
    assert_eq!(next(&criteria, &rest(), &tries, at(1_121)), None);
    assert_eq!(again(&criteria, &rest(), &tries, &[], at(1_121)), Some(at(1_150)));
    let found = tried(tries, &rest(), &[answer(measured(1, 0))], at(1_180));
    assert_eq!(
        (next(&criteria, &rest(), &found, at(1_181)), again(&criteria, &rest(), &found, &[answer(measured(1, 0))], at(1_181))),
        (None, None)
    );
}

#[test]
fn revision_serves_for_two_intervals_before_it_is_asked_about_and_two_minutes_at_most() {
    for (interval, asked) in [(10, 1_030), (30, 1_070), (60, 1_120), (3_600, 1_120)] {
        let criteria = Criteria { interval: SignedDuration::from_secs(interval), ..errors_below_two_percent() };
        assert_eq!(next(&criteria, &rest(), &Tries::new(), at(1_001)), Some(at(asked)), "{interval}");
    }
}

#[test]
fn answers_that_say_the_same_are_no_news() {
    let criteria = errors_below_two_percent();
    let known = |old: Outcome, new: Outcome| {
        let later = Probed { at: at(9_000), ..answer(new) };
        take_in(&criteria, &[answer(old)], &[later])[0].at
    };
    assert_eq!(known(silent(), Outcome::Missing(Trouble::NoSeries, "the newest sample is 9m old".to_owned())), at(1_100));
    assert_eq!(known(measured(1_000, 10), measured(1_400, 15)), at(1_100));
    assert_eq!(known(measured(1_000, 10), measured(2_000, 20)), at(9_000), "twice as many requests");
    assert_eq!(known(measured(1_000, 10), measured(1_000, 20)), at(9_000), "twice as many errors");
    assert_eq!(known(silent(), measured(0, 0)), at(9_000));
    assert_eq!(known(measured(0, 0), silent()), at(9_000));
    assert_eq!(known(measured(0, 0), measured(0, 0)), at(1_100));
}

#[test]
fn what_is_known_of_other_definitions_is_forgotten() {
    let mut criteria = errors_below_two_percent();
    criteria.metrics[0] = error_rate(Some(0.03), None);
    assert_eq!(take_in(&criteria, &[answer(silent())], &[]), []);
    assert_eq!(take_in(&criteria, &[], &[answer(silent())]), [], "an answer that comes too late");
}

#[test]
fn texts_of_others_are_bounded() {
    let long = Probed { query: "x".repeat(5_000), ..answer(Outcome::Missing(Trouble::Refused, "y".repeat(5_000))) }.bounded();
    let Outcome::Missing(_, words) = &long.outcome else { panic!("{long:?}") };
    assert_eq!((long.query.len(), words.len()), (400, 400));
}

#[test]
fn what_was_measured_and_could_not_be_written_is_asked_for_again() {
    let criteria = errors_below_two_percent();
    let tries = tried(Tries::new(), &rest(), &[answer(measured(100, 1))], at(2_000));
    for lost in [vec![], vec![answer(silent())]] {
        assert!(due(&criteria, &rest(), &tries, &lost, at(2_029)).is_empty());
        assert_eq!(again(&criteria, &rest(), &tries, &lost, at(2_001)), Some(at(2_030)));
        assert_eq!(due(&criteria, &rest(), &tries, &lost, at(2_030)).len(), 1);
    }
}
