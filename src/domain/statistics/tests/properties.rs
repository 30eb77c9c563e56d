//! Whatever the counts: no NaN, no infinity, no panic, and what must hold between figures.

use proptest::prelude::*;

use super::support::average;
use crate::domain::statistics::binomial::confidence_sequence;
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::evidence::Evidence;
use crate::domain::statistics::grid::alternatives;
use crate::domain::statistics::means::{MeanComparison, MeanEvidence, MomentPair, Moments};
use crate::domain::statistics::proportions::{Better, Comparison};
use crate::domain::statistics::quantiles::{Histogram, HistogramPair, QuantileComparison, QuantileEvidence};
use crate::domain::statistics::rates::{self, Null, Tally};
use crate::domain::statistics::verdict::{Figure, Verdict};

fn any_count() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), Just(2.5e14), 0.0..10.0, (0u32..100_000).prop_map(f64::from), 0.0..2e14]
}

fn any_counts() -> impl Strategy<Value = Counts> {
    (any_count(), any_count()).prop_map(|(one, other)| Counts::new(one.min(other), one.max(other)).unwrap())
}

fn any_pair() -> impl Strategy<Value = Pair> {
    (any_counts(), any_counts()).prop_map(|(candidate, stable)| Pair { candidate, stable })
}

fn any_moments() -> impl Strategy<Value = Moments> {
    let number = prop_oneof![Just(0.0), Just(1.0), Just(10.0), Just(2.5e14), 0.0..1000.0];
    let mean = prop_oneof![Just(0.0), Just(9e14), Just(-9e14), Just(1e-300), -1000.0..1000.0];
    let variance = prop_oneof![Just(0.0), Just(1e29), Just(1e-300), 0.0..1e6];
    (number, mean, variance).prop_map(|(number, mean, variance)| Moments::new(number, mean, variance).unwrap())
}

fn any_histogram() -> impl Strategy<Value = Histogram> {
    prop::array::uniform4(any_count()).prop_map(|mut counts| {
        counts.sort_by(f64::total_cmp);
        Histogram::new(&counts[..3], counts[3]).unwrap()
    })
}

fn assert_finite(verdict: &Verdict) {
    let finding = verdict.finding();
    assert!(finding.log_e_value.is_finite() && (0.0..=1.0).contains(&finding.p_value), "{finding:?}");
    for figure in [finding.candidate, finding.stable, finding.effect, finding.relative].into_iter().flatten() {
        let Figure { value, low, high } = figure;
        assert!(value.is_finite() && low.is_none_or(f64::is_finite) && high.is_none_or(f64::is_finite), "{figure:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn comparisons_of_shares_are_finite(pairs in prop::collection::vec((0u32..3, any_pair()), 1..4), margin in 0.0..90.0, lower: bool) {
        let better = if lower { Better::Lower } else { Better::Higher };
        let comparison = Comparison::new(better, margin, 0.01, 100.0).unwrap();
        let mut evidence = Evidence::default();
        let mut step = 0;
        let mut p_value = 1.0;
        for (further, pair) in pairs {
            step += further;
            evidence.add(step, pair, &comparison).unwrap();
            let verdict = comparison.judge(&evidence, step);
            assert_finite(&verdict);
            prop_assert!(verdict.finding().p_value <= p_value, "p values only fall");
            p_value = verdict.finding().p_value;
            let stored = Evidence::restored(evidence.steps().to_vec(), evidence.pending(), evidence.log_e_peak());
            prop_assert_eq!(comparison.judge(&stored.unwrap(), step), verdict);
        }
    }

    #[test]
    fn confidence_sequences_hold_the_estimate(counts in any_counts(), alpha in 1e-9..0.999) {
        let interval = confidence_sequence(counts, alpha).unwrap();
        prop_assert!(0.0 <= interval.low && interval.high <= 1.0);
        if let Some(share) = counts.share() {
            prop_assert!(interval.low <= share && share <= interval.high);
        }
    }

    #[test]
    fn sums_of_a_step_never_show_more_than_its_intervals(
        intervals in prop::collection::vec((1u32..50, 1u32..400, 0u32..10, 0u32..20), 1..8),
        margin in 0.0..0.9,
        lower: bool,
    ) {
        let null = if lower { Null { offset: 0.0, factor: 1.0 + margin } } else { Null { offset: margin, factor: 1.0 - margin } };
        let tallies: Vec<Tally> = intervals.into_iter().map(|(n, m, x, y)| {
            let of = |events: u32, trials: u32| Counts::new(events.min(trials).into(), trials.into()).unwrap();
            Tally::of(Pair { candidate: of(x, n), stable: of(y, m) }, null)
        }).collect();
        let sum = tallies.iter().fold(Tally::default(), |sum, tally| sum.plus(*tally));
        prop_assert!(sum.is_possible());
        let bets = alternatives();
        let (summed, apart) = (rates::log_e_value(&[sum], null, &bets), rates::log_e_value(&tallies, null, &bets));
        prop_assert!(summed <= apart + 1e-9 * (1.0 + apart.abs()), "{} > {}", summed, apart);
    }

    #[test]
    fn comparisons_of_means_are_finite(pairs in prop::collection::vec((0u32..3, any_moments(), any_moments()), 1..4), margin in 0.0..200.0) {
        let comparison = MeanComparison::new(Better::Lower, margin, 0.01, 100.0).unwrap();
        let mut evidence = MeanEvidence::default();
        let mut step = 0;
        for (further, candidate, stable) in pairs {
            step += further;
            // Sums of extremes may leave the range; they are refused, and nothing is counted.
            let before = evidence.clone();
            if evidence.add(step, MomentPair { candidate, stable }, &comparison).is_err() {
                prop_assert_eq!(&evidence, &before);
            }
            assert_finite(&comparison.judge(&evidence, step));
        }
    }

    #[test]
    fn comparisons_of_quantiles_are_finite(pairs in prop::collection::vec((any_histogram(), any_histogram()), 1..4), quantile in 0.01..0.99) {
        let comparison = QuantileComparison::new(vec![10.0, 25.0, 100.0], quantile, 10.0, 0.01, 100.0).unwrap();
        let mut evidence = QuantileEvidence::default();
        for (candidate, stable) in pairs {
            evidence.add(0, &HistogramPair { candidate, stable }, &comparison).unwrap();
            let verdict = comparison.judge(&evidence, 0);
            assert_finite(&verdict);
            for figure in [verdict.finding().candidate, verdict.finding().stable].into_iter().flatten() {
                prop_assert!(figure.low.is_none_or(|low| figure.high.is_none_or(|high| low < high)));
            }
        }
    }

    #[test]
    fn a_worse_candidate_never_looks_better(x in 0u32..50, y in 0u32..50, n in 50u32..500, m in 50u32..500, lower: bool) {
        let better = if lower { Better::Lower } else { Better::Higher };
        let comparison = Comparison::new(better, 5.0, 0.05, 1.0).unwrap();
        let log_e = |x: u32, y: u32| {
            let of = |errors: u32, trials: u32| Counts::new(if lower { errors } else { trials - errors }.into(), trials.into()).unwrap();
            let mut evidence = Evidence::default();
            evidence.add(0, Pair { candidate: of(x, n), stable: of(y, m) }, &comparison).unwrap();
            comparison.judge(&evidence, 0).finding().log_e_value
        };
        if x < n { prop_assert!(log_e(x + 1, y) >= log_e(x, y) - 1e-9); }
        if y < m { prop_assert!(log_e(x, y + 1) <= log_e(x, y) + 1e-9); }
    }
}

#[test]
fn rounding_down_overstates_neither_events_nor_others() {
    let rounded = Counts::new(3.7, 10.2).unwrap().rounded_down();
    assert_eq!((rounded.events(), rounded.trials()), (3.0, 9.0));
    assert!((average(|at| at) - 0.5).abs() < 1e-9);
}
