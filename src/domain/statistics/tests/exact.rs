//! Means of e-values by complete enumeration: at most 1 under every point of the null, to the last digit.

use super::support::{binomial, counts};
use super::universal;
use crate::domain::statistics::counts::Pair;
use crate::domain::statistics::evidence::Evidence;
use crate::domain::statistics::proportions::{Better, Comparison};
use crate::domain::statistics::quantiles::{Histogram, HistogramPair, QuantileComparison, QuantileEvidence};
use crate::domain::statistics::rates::Null;

/// Every outcome of an interval with its probability.
fn outcomes(requests: (u32, u32), shares: (f64, f64)) -> Vec<(f64, Pair)> {
    let mut all = Vec::new();
    for x in 0..=requests.0 {
        for y in 0..=requests.1 {
            let chance = binomial(x, requests.0, shares.0) * binomial(y, requests.1, shares.1);
            all.push((chance, Pair { candidate: counts(x.into(), requests.0.into()), stable: counts(y.into(), requests.1.into()) }));
        }
    }
    all
}

/// Mean of the e-value after two intervals of one step, the second chosen by the first: it moves to more weight after an error, and the rates
/// of both versions move as well.
fn mean(comparison: &Comparison, first: (f64, f64), second: (f64, f64)) -> f64 {
    let mut mean = 0.0;
    for (chance, interval) in outcomes((3, 4), first) {
        let mut evidence = Evidence::default();
        evidence.add(0, interval, comparison).unwrap();
        let requests = if interval.candidate.events() > 0.0 { (4, 1) } else { (1, 5) };
        for (next, interval) in outcomes(requests, second) {
            let mut evidence = evidence.clone();
            evidence.add(0, interval, comparison).unwrap();
            mean += chance * next * comparison.judge(&evidence, 0).finding().log_e_value.exp();
        }
    }
    mean
}

#[test]
fn the_mean_wealth_of_bets_on_error_rates_is_at_most_one() {
    for margin in [0.0, 10.0, 100.0] {
        let comparison = Comparison::new(Better::Lower, margin, 0.05, 1.0).unwrap();
        let edge = |stable: f64| ((stable * (1.0 + margin / 100.0)).min(1.0), stable);
        for (first, second) in [(0.0, 0.3), (0.001, 0.4), (0.02, 0.02), (0.3, 0.01), (0.9, 0.5), (1.0, 1.0)] {
            let mean = mean(&comparison, edge(first), edge(second));
            assert!(mean <= 1.0 + 1e-12, "margin {margin}, {first} then {second}: {mean}");
        }
    }
    // Not by giving everything away: with rare errors at the edge the bets are nearly fair.
    let comparison = Comparison::new(Better::Lower, 0.0, 0.05, 1.0).unwrap();
    assert!(mean(&comparison, (0.001, 0.001), (0.001, 0.001)) > 0.97);
    assert!(mean(&comparison, (0.2, 0.02), (0.2, 0.02)) > 1.2);
}

#[test]
fn the_mean_wealth_of_bets_on_success_rates_is_at_most_one() {
    for margin in [0.0, 1.0, 30.0] {
        let comparison = Comparison::new(Better::Higher, margin, 0.05, 1.0).unwrap();
        let edge = |stable: f64| (stable * (1.0 - margin / 100.0), stable);
        for (first, second) in [(1.0, 0.7), (0.999, 0.6), (0.98, 0.98), (0.7, 0.99), (0.1, 0.5), (0.0, 0.0)] {
            let mean = mean(&comparison, edge(first), edge(second));
            assert!(mean <= 1.0 + 1e-12, "margin {margin}, {first} then {second}: {mean}");
        }
    }
}

#[test]
fn the_rival_keeps_the_promise_as_well() {
    let null = Null { offset: 0.0, factor: 1.1 };
    for stable in [0.01, 0.3, 0.9] {
        let share = (null.factor * stable).min(1.0);
        let wealth = |pair: Pair| universal::log_e_value(&[pair], null).exp();
        let mean: f64 = outcomes((5, 7), (share, stable)).into_iter().map(|(chance, pair)| chance * wealth(pair)).sum();
        assert!(mean <= 1.0 + 1e-9, "{stable}: {mean}");
    }
}

#[test]
fn the_mean_of_the_e_value_of_a_quantile_is_at_most_one() {
    let comparison = QuantileComparison::new(vec![100.0, 200.0], 0.75, 50.0, 0.05, 1.0).unwrap();
    let mean = |candidate, stable| quantile_mean(&comparison, (5, 6), candidate, stable);
    // Shares at or below 100 and 200, of candidate and stable: the candidate's quantile is at most 1.5 times stable's.
    for (candidate, stable) in
        [((0.75, 0.9), (0.75, 0.9)), ((0.75, 0.75), (0.8, 1.0)), ((0.2, 0.75), (0.74, 0.8)), ((0.0, 0.3), (0.5, 0.7))]
    {
        let mean = mean(candidate, stable);
        assert!(mean <= 1.0 + 1e-9, "{candidate:?} {stable:?}: {mean}");
    }
}

#[test]
fn two_bounds_may_raise_false_alarms_so_the_e_value_is_halved() {
    // Both medians are in (100, 200]. About 100 ms stable's claim is false by a hair and candidate's clear; about 200 ms the other way round.
    let comparison = QuantileComparison::new(vec![100.0, 200.0], 0.5, 0.0, 0.05, 1.0).unwrap();
    let mean = quantile_mean(&comparison, (9, 9), (0.0, 0.5), (0.499_999, 1.0));
    assert!(mean > 0.5 && mean <= 1.0, "{mean}");
}

fn quantile_mean(comparison: &QuantileComparison, requests: (u32, u32), candidate: (f64, f64), stable: (f64, f64)) -> f64 {
    let mut mean = 0.0;
    for (chance, below) in histograms(requests.0, candidate) {
        for (other, of_stable) in histograms(requests.1, stable) {
            let pair = HistogramPair {
                candidate: Histogram::new(&below, requests.0.into()).unwrap(),
                stable: Histogram::new(&of_stable, requests.1.into()).unwrap(),
            };
            let mut evidence = QuantileEvidence::default();
            evidence.add(0, &pair, comparison).unwrap();
            mean += chance * other * comparison.judge(&evidence, 0).finding().log_e_value.exp();
        }
    }
    mean
}

fn histograms(total: u32, shares: (f64, f64)) -> Vec<(f64, [f64; 2])> {
    let mut all = Vec::new();
    for second in 0..=total {
        for first in 0..=second {
            let inner = if shares.1 > 0.0 { shares.0 / shares.1 } else { 0.0 };
            all.push((binomial(second, total, shares.1) * binomial(first, second, inner), [f64::from(first), f64::from(second)]));
        }
    }
    all
}
