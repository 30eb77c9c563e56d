//! One proportion: mixture likelihood ratios and an exact always-valid confidence sequence.
//!
//! Takes counts, gives logarithms of e-values and intervals that hold at every look at once. Computed so that counts of 1e15 lose no
//! precision: differences of large log-gammas never occur.

use crate::domain::statistics::counts::Counts;
use crate::domain::statistics::{Problem, checked_alpha};

/// A range of shares, both ends in 0-1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A Beta distribution over a share, by its two shape parameters (both positive).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beta {
    /// Weight of events.
    pub events: f64,
    /// Weight of non-events.
    pub others: f64,
}

impl Beta {
    /// Jeffreys' prior, as in Krichevsky and Trofimov (1981): regret within a constant of the best for every share.
    pub const JEFFREYS: Self = Self { events: 0.5, others: 0.5 };

    /// The posterior after `counts`.
    pub fn after(self, counts: Counts) -> Self {
        Self { events: self.events + counts.events(), others: self.others + counts.complement().events() }
    }

    fn total(self) -> f64 {
        self.events + self.others
    }
}

/// A share by its log-odds, so that shares near 1 are as exact as those near 0.
#[derive(Clone, Copy, Debug)]
struct Odds {
    share: f64,
    rest: f64,
}

/// Log-odds beyond which a share is no longer told apart from 0 or 1.
const LOGIT_END: f64 = 600.0;

impl Odds {
    fn of(share: f64) -> Self {
        Self { share: share.max(1e-300), rest: (1.0 - share).max(1e-300) }
    }

    fn logit(logit: f64) -> Self {
        Self { share: 1.0 / (1.0 + (-logit).exp()), rest: 1.0 / (1.0 + logit.exp()) }
    }
}

/// Logarithm of the Beta-Binomial mixture likelihood ratio against the share `share`: under it a nonnegative martingale of
/// mean 1 in the number of trials, however looks are chosen (Robbins 1970, "Statistical methods related to the law of the iterated
/// logarithm"). Finite for every share in 0-1; beyond 1e-300 it stands for the nearest share within.
pub fn log_mixture_ratio(counts: Counts, prior: Beta, share: f64) -> f64 {
    log_ratio(counts, prior, Odds::of(share))
}

fn log_ratio(counts: Counts, prior: Beta, at: Odds) -> f64 {
    let posterior = prior.after(counts);
    (divergence(posterior, at) - divergence(prior, at)) + (width(posterior) - width(prior))
}

/// Shares that no look so far has ruled out, over any number of looks with error probability `alpha` in all.
///
/// Inverts [`log_mixture_ratio`] with Jeffreys' prior: every share against which it stays below `ln(1 / alpha)` (Robbins 1970; Howard and others
/// 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences"). Exact for a constant share, no trials: 0-1.
///
/// # Errors
/// An `alpha` outside of (0, 1).
pub fn confidence_sequence(counts: Counts, alpha: f64) -> Result<Interval, Problem> {
    let bar = -checked_alpha(alpha)?.ln();
    let Some(estimate) = counts.share() else { return Ok(Interval { low: 0.0, high: 1.0 }) };
    let excluded = |logit: f64| log_ratio(counts, Beta::JEFFREYS, Odds::logit(logit)) >= bar;
    let odds = (counts.events() / counts.complement().events()).ln();
    let middle = odds.clamp(-LOGIT_END, LOGIT_END);
    let low = if estimate <= 0.0 { 0.0 } else { Odds::logit(edge(-LOGIT_END, middle, excluded)).share };
    let high = if estimate >= 1.0 { 1.0 } else { Odds::logit(edge(LOGIT_END, middle, excluded)).share };
    Ok(Interval { low: low.min(estimate), high: high.max(estimate) })
}

/// The excluded point next to the edge between `outer` (excluded, if anything is) and `inner`: the interval is never too short.
fn edge(outer: f64, inner: f64, excluded: impl Fn(f64) -> bool) -> f64 {
    let (mut outside, mut inside) = (outer, inner);
    for _ in 0..90 {
        let middle = f64::midpoint(outside, inside);
        if excluded(middle) { outside = middle } else { inside = middle }
    }
    outside
}

/// `n D(observed || at)` of a Beta's parameters taken as counts.
fn divergence(beta: Beta, at: Odds) -> f64 {
    deviance(beta.events, beta.total() * at.share) + deviance(beta.others, beta.total() * at.rest)
}

/// `ln B(a, b)` less its value at the mode's entropy, by Stirling's formula with its remainder.
fn width(beta: Beta) -> f64 {
    let Beta { events, others } = beta;
    let total = beta.total();
    0.5 * (total / events / others * std::f64::consts::TAU).ln() + remainder(events) + remainder(others) - remainder(total)
}

/// `x ln(x / mean) + mean - x`, without cancellation when both are close (Loader 2000, "Fast and accurate computation of binomial
/// probabilities").
pub(super) fn deviance(x: f64, mean: f64) -> f64 {
    if x <= 0.0 {
        return mean;
    }
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    let ratio = difference / (x + mean);
    let mut sum = difference * ratio;
    let mut term = 2.0 * x * ratio;
    for odd in 1..1000 {
        term *= ratio * ratio;
        let next = sum + term / f64::from(2 * odd + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// Remainder of Stirling's formula: `ln Gamma(z) - (z - 1/2) ln z + z - ln(2 pi) / 2` (Abramowitz and Stegun 1964, 6.1.41), for `z` > 0.
fn remainder(z: f64) -> f64 {
    let (mut at, mut shift) = (z, 0.0);
    while at < 16.0 {
        shift += (at + 0.5) * (1.0 / at).ln_1p() - 1.0;
        at += 1.0;
    }
    let square = at * at;
    let series = 1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square;
    shift + series / at
}
