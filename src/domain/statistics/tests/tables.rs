//! Figures against numerical integration, closed forms and known values.

use super::support::{average, counts};
use crate::domain::statistics::binomial::{Beta, confidence_sequence, log_mixture_ratio};
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::evidence::Evidence;
use crate::domain::statistics::grid::alternatives;
use crate::domain::statistics::proportions::{Better, Comparison};
use crate::domain::statistics::rates::{self, Null, Tally};
use crate::domain::statistics::verdict::Verdict;
use crate::domain::statistics::{Missing, Problem, error_share};

fn close(one: f64, other: f64, tolerance: f64) {
    assert!((one - other).abs() <= tolerance * (1.0 + other.abs()), "{one} is not {other}");
}

#[test]
fn mixture_ratios_equal_numerical_integration() {
    for (events, trials, share) in [(0u32, 10u32, 0.1), (3, 10, 0.1), (10, 10, 0.5), (7, 400, 0.03), (390, 400, 0.9), (50, 1000, 0.02)] {
        let (x, y) = (f64::from(events), f64::from(trials - events));
        let log = |p: f64| if x > 0.0 { x * p.ln() } else { 0.0 } + if y > 0.0 { y * (1.0 - p).ln() } else { 0.0 };
        // Jeffreys' prior is uniform in the angle whose squared sine is the share.
        let integral = average(|at| (log((at * std::f64::consts::FRAC_PI_2).sin().powi(2)) - log(share)).exp());
        close(log_mixture_ratio(counts(events.into(), trials.into()), Beta::JEFFREYS, share), integral.ln(), 1e-6);
    }
}

#[test]
fn a_mixture_ratio_may_be_taken_in_two_parts() {
    let (first, second) = (counts(12, 900), counts(40, 1500));
    let whole = log_mixture_ratio(first.plus(second).unwrap(), Beta::JEFFREYS, 0.02);
    let parts = log_mixture_ratio(first, Beta::JEFFREYS, 0.02) + log_mixture_ratio(second, Beta::JEFFREYS.after(first), 0.02);
    close(parts, whole, 1e-10);
}

#[test]
fn large_counts_keep_their_precision() {
    // For large n the ratio at the observed share tends to sqrt(tau / n / p / q) times the prior's density there, inverted.
    let (n, p) = (1e15_f64, 0.25_f64);
    let expected = (1.0 / std::f64::consts::PI / (p * (1.0 - p)).sqrt()).ln() + 0.5 * (std::f64::consts::TAU * p * (1.0 - p) / n).ln();
    close(log_mixture_ratio(Counts::new(n * p, n).unwrap(), Beta::JEFFREYS, p), expected, 1e-6);
}

#[test]
fn the_ends_of_a_confidence_sequence_are_where_the_ratio_meets_the_bar() {
    for (events, trials) in [(0, 50), (1, 50), (25, 50), (50, 50), (5, 100_000), (99_999, 100_000)] {
        let counts = counts(events, trials);
        let interval = confidence_sequence(counts, 0.05).unwrap();
        for end in [interval.low, interval.high] {
            if end > 0.0 && end < 1.0 {
                close(log_mixture_ratio(counts, Beta::JEFFREYS, end), 20f64.ln(), 1e-6);
            }
        }
        let narrower = confidence_sequence(counts, 0.2).unwrap();
        assert!(interval.low <= narrower.low && narrower.high <= interval.high);
    }
    let nothing = confidence_sequence(Counts::default(), 0.05).unwrap();
    assert_eq!((nothing.low, nothing.high), (0.0, 1.0));
    // No event in 50: (1 - u)^50 B(1/2, 1/2) / B(1/2, 50.5) = 1 / 20, solved by hand.
    let none = confidence_sequence(counts(0, 50), 0.05).unwrap();
    let log_beta_quotient: f64 = (0..50).map(|k| ((f64::from(k) + 0.5) / (f64::from(k) + 1.0)).ln()).sum();
    close(none.high, 1.0 - ((log_beta_quotient - 20f64.ln()) / 50.0).exp(), 1e-9);
    assert_eq!(none.low, 0.0);
}

#[test]
fn one_interval_is_the_mixture_of_conditional_bets() {
    let comparison = Comparison::new(Better::Lower, 10.0, 0.05, 1.0).unwrap();
    let mut evidence = Evidence::default();
    evidence.add(0, Pair { candidate: counts(6, 100), stable: counts(2, 300) }, &comparison).unwrap();
    let part = 110.0 / 410.0;
    let bet = |ratio: f64| ratio.powi(6) / (1.0 + part * (ratio - 1.0)).powi(8);
    let expected: f64 = alternatives().iter().map(|bet_on| bet_on.log_weight.exp() * bet(bet_on.ratio)).sum();
    close(comparison.judge(&evidence, 0).finding().log_e_value, expected.ln(), 1e-12);
    close(comparison.judge(&evidence, 0).finding().p_value, 1.0 / expected.max(1.0), 1e-12);
}

#[test]
fn weights_of_the_mixture_sum_to_one() {
    close(alternatives().iter().map(|bet| bet.log_weight.exp()).sum(), 1.0, 1e-12);
    assert!(alternatives().first().unwrap().ratio < 1.01 && alternatives().last().unwrap().ratio > 100.0);
}

#[test]
fn a_clear_regression_is_worse_and_stays_so() {
    let comparison = Comparison::new(Better::Lower, 10.0, 0.025, 100.0).unwrap();
    let mut evidence = Evidence::default();
    evidence.add(0, Pair { candidate: counts(30, 300), stable: counts(3, 2700) }, &comparison).unwrap();
    let verdict = comparison.judge(&evidence, 0);
    assert!(verdict.is_worse());
    let finding = verdict.finding();
    let effect = finding.effect.unwrap();
    assert!(effect.low.unwrap() > 0.0 && effect.low.unwrap() < effect.value && effect.value < effect.high.unwrap());
    close(finding.relative.unwrap().value, 89.0, 1e-9);
    for _ in 0..100 {
        evidence.add(1, Pair { candidate: counts(0, 3000), stable: counts(30, 3000) }, &comparison).unwrap();
    }
    let later = comparison.judge(&evidence, 1);
    assert!(later.is_worse() && later.finding().log_e_value < finding.log_e_value);
}

#[test]
fn a_candidate_is_found_worse_when_stable_has_no_errors() {
    let comparison = Comparison::new(Better::Lower, 10.0, 0.025, 100.0).unwrap();
    let mut evidence = Evidence::default();
    evidence.add(0, Pair { candidate: counts(8, 300), stable: counts(0, 2700) }, &comparison).unwrap();
    let verdict = comparison.judge(&evidence, 0);
    assert!(verdict.is_worse());
    assert_eq!(verdict.finding().relative, Err(Missing::StableHasNone));
    assert_eq!(verdict.finding().stable.unwrap().value, 0.0);
}

#[test]
fn too_few_in_this_step_is_said_with_both_numbers() {
    let comparison = Comparison::new(Better::Higher, 1.0, 0.025, 100.0).unwrap();
    let mut evidence = Evidence::default();
    let verdict = comparison.judge(&evidence, 0);
    assert!(matches!(&verdict, Verdict::NotEnough { have, need, .. } if *have == 0.0 && *need == 100.0));
    assert_eq!(verdict.finding().effect, Err(Missing::NoRequests));
    evidence.add(0, Pair { candidate: counts(99, 99), stable: counts(900, 900) }, &comparison).unwrap();
    assert!(matches!(comparison.judge(&evidence, 0), Verdict::NotEnough { have, .. } if have == 99.0));
    evidence.add(0, Pair { candidate: counts(1, 1), stable: counts(9, 9) }, &comparison).unwrap();
    assert!(matches!(comparison.judge(&evidence, 0), Verdict::NotShown(_)));
    assert!(matches!(comparison.judge(&evidence, 1), Verdict::NotEnough { have, .. } if have == 0.0));
}

#[test]
fn an_interval_without_requests_of_one_version_waits_for_the_next() {
    let comparison = Comparison::new(Better::Lower, 0.0, 0.05, 1.0).unwrap();
    let (mut apart, mut together) = (Evidence::default(), Evidence::default());
    apart.add(0, Pair { candidate: Counts::default(), stable: counts(2, 40) }, &comparison).unwrap();
    assert_eq!((apart.steps().len(), apart.pending().stable), (0, counts(2, 40)));
    apart.add(0, Pair { candidate: counts(1, 3), stable: counts(0, 50) }, &comparison).unwrap();
    together.add(0, Pair { candidate: counts(1, 3), stable: counts(2, 90) }, &comparison).unwrap();
    assert_eq!(apart, together);
}

#[test]
fn what_is_no_evidence_is_refused_and_changes_nothing() {
    assert_eq!(Counts::new(3.0, 2.0), Err(Problem::MoreThanAll { events: 3.0, trials: 2.0 }));
    assert_eq!(Counts::new(-1.0, 2.0), Err(Problem::Count(-1.0)));
    assert!(Counts::new(f64::NAN, 2.0).is_err() && Counts::new(0.0, f64::INFINITY).is_err());
    let comparison = Comparison::new(Better::Lower, 0.0, 0.05, 1.0).unwrap();
    let mut evidence = Evidence::default();
    let pair = Pair { candidate: counts(1, 3), stable: counts(0, 50) };
    evidence.add(4, pair, &comparison).unwrap();
    let before = evidence.clone();
    assert_eq!(evidence.add(3, pair, &comparison), Err(Problem::StepIsOver { step: 3, last: 4 }));
    let all = Counts::new(0.0, 1e15).unwrap();
    assert!(evidence.add(4, Pair { candidate: all, stable: all }, &comparison).is_err());
    assert_eq!(evidence, before);
    let restored = Evidence::restored(before.steps().to_vec(), before.pending(), before.log_e_peak()).unwrap();
    assert_eq!(restored, before);
    assert!(Evidence::restored(before.steps().to_vec(), before.pending(), f64::NAN).is_err());
    let mut steps = before.steps().to_vec();
    steps[0].tally.candidate = 99.0;
    assert_eq!(Evidence::restored(steps, before.pending(), 0.0), Err(Problem::Contradiction));
}

#[test]
fn the_error_probability_is_shared_out() {
    close(error_share(95.0, 2).unwrap(), 0.025, 1e-12);
    assert_eq!(error_share(95.0, 0), Err(Problem::NoTests));
    for confidence in [0.0, 100.0, -1.0, f64::NAN] {
        assert!(error_share(confidence, 1).is_err());
    }
    assert!(Comparison::new(Better::Higher, 100.0, 0.05, 1.0).is_err());
    assert!(Comparison::new(Better::Lower, f64::NAN, 0.05, 1.0).is_err());
}

#[test]
fn sums_of_intervals_without_failures_count_fully_against_a_regression() {
    let null = Null { offset: 0.1, factor: 0.9 };
    let pair = |of_candidate, of_stable| Pair { candidate: counts(0, of_candidate), stable: counts(0, of_stable) };
    let tallies = [(1, 30), (20, 11), (3, 28)].map(|(candidate, stable)| Tally::of(pair(candidate, stable), null));
    let sum = tallies.iter().fold(Tally::default(), |sum, tally| sum.plus(*tally));
    for bet in alternatives() {
        let alone = [bet];
        let (summed, apart) = (rates::log_e_value(&[sum], null, &alone), rates::log_e_value(&tallies, null, &alone));
        assert!(summed <= apart + 1e-12 && summed < bet.log_weight, "{summed} {apart}");
    }
}
