//! Comparison of a quantile (latencyP95) by the counts of histogram buckets: exact, at every look at once.
//!
//! Shown is only what the buckets can show: the candidate's quantile lies above a bound that is at least `1 + margin` times one that stable's does
//! not exceed. For one bound, requests at or below it are a proportion, tested against the quantile's share by a mixture of one-sided bets (Robbins
//! 1970). A false alarm needs a false claim about the bucket bound next to the true quantile of one of the versions; the claims about bounds
//! further away imply it. So two bounds bear all of the error probability however many buckets there are, half of it each (inversion of
//! confidence sequences for quantiles: Howard, Ramdas 2022, "Sequential estimation of quantiles"). Each version's distribution is taken
//! as constant over the rollout.

use crate::domain::statistics::counts::{Counts, GREATEST, Pair};
use crate::domain::statistics::grid::alternatives;
use crate::domain::statistics::verdict::{Figure, Finding, Verdict};
use crate::domain::statistics::{Missing, Problem, checked_alpha, checked_positive, log_sum_exp};

/// Observations at or below each bound, and all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    below: Vec<Counts>,
    total: f64,
}

impl Histogram {
    /// `below[i]` of `total` observations lie at or below the `i`-th bound.
    ///
    /// # Errors
    /// Counts that fall, are more than the total, or are no counts.
    pub fn new(below: &[f64], total: f64) -> Result<Self, Problem> {
        if below.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(Problem::Buckets);
        }
        Counts::new(0.0, total)?;
        let below: Result<Vec<Counts>, Problem> = below.iter().map(|count| Counts::new(*count, total)).collect();
        Ok(Self { below: below?, total })
    }

    /// Observations at or below each bound.
    pub fn below(&self) -> impl Iterator<Item = f64> {
        self.below.iter().map(|counts| counts.events())
    }

    /// All observations.
    pub fn total(&self) -> f64 {
        self.total
    }

    fn plus(&self, more: &Self) -> Result<Self, Problem> {
        if self.below.is_empty() {
            return Ok(more.clone());
        }
        let below: Result<Vec<Counts>, Problem> = self.below.iter().zip(&more.below).map(|(sum, more)| sum.plus(*more)).collect();
        Ok(Self { below: below?, total: self.total + more.total })
    }
}

/// Histograms of both versions over the same time, with the same bounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramPair {
    /// The new version.
    pub candidate: Histogram,
    /// The version that it is compared with.
    pub stable: Histogram,
}

impl HistogramPair {
    /// Requests above the `place`-th bound, for a comparison of shares (less is better), which tells finer differences than buckets do; none: there is
    /// no such bound.
    pub fn above(&self, place: usize) -> Option<Pair> {
        let above = |histogram: &Histogram| histogram.below.get(place).map(|counts| counts.complement());
        Some(Pair { candidate: above(&self.candidate)?, stable: above(&self.stable)? })
    }
}

/// Everything that a comparison of quantiles has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantileEvidence {
    sum: HistogramPair,
    step: u32,
    in_step: [f64; 2],
    log_e_peak: f64,
}

impl QuantileEvidence {
    /// Evidence from its stored parts: sums over the rollout, the current step, observations of candidate and stable in it, the greatest logarithm of
    /// an e-value.
    ///
    /// # Errors
    /// More observations in the step than in all, a peak that is negative or not finite, histograms of different length.
    pub fn restored(sum: HistogramPair, step: u32, in_step: [f64; 2], log_e_peak: f64) -> Result<Self, Problem> {
        let parts = in_step[0] >= 0.0 && in_step[0] <= sum.candidate.total && in_step[1] >= 0.0 && in_step[1] <= sum.stable.total;
        let shape = sum.candidate.below.len() == sum.stable.below.len();
        if parts && shape && log_e_peak.is_finite() && log_e_peak >= 0.0 {
            Ok(Self { sum, step, in_step, log_e_peak })
        } else {
            Err(Problem::Contradiction)
        }
    }

    /// Counts one interval.
    ///
    /// # Errors
    /// A step before the last one, other buckets than the comparison's, sums above the greatest count. Nothing is counted then.
    pub fn add(&mut self, step: u32, interval: &HistogramPair, comparison: &QuantileComparison) -> Result<(), Problem> {
        if step < self.step {
            return Err(Problem::StepIsOver { step, last: self.step });
        }
        let buckets = comparison.bounds.len();
        let before = self.sum.candidate.below.len();
        let fits = [&interval.candidate, &interval.stable].iter().all(|histogram| histogram.below.len() == buckets);
        if !fits || (before != 0 && before != buckets) {
            return Err(Problem::Buckets);
        }
        let candidate = self.sum.candidate.plus(&interval.candidate)?;
        let stable = self.sum.stable.plus(&interval.stable)?;
        let before = if step == self.step { self.in_step } else { [0.0, 0.0] };
        self.in_step = [before[0] + interval.candidate.total, before[1] + interval.stable.total];
        self.step = step;
        self.sum = HistogramPair { candidate, stable };
        self.log_e_peak = self.log_e_peak.max(comparison.log_e_value(&self.sum));
        Ok(())
    }

    /// Sums over the rollout.
    pub fn sum(&self) -> &HistogramPair {
        &self.sum
    }

    /// The current step, and the observations of candidate and stable in it.
    pub fn in_step(&self) -> (u32, [f64; 2]) {
        (self.step, self.in_step)
    }

    /// Logarithm of the greatest e-value at any look so far.
    pub fn log_e_peak(&self) -> f64 {
        self.log_e_peak
    }
}

/// So many requests of candidate and of stable at the least are needed before a test of `quantile` with error probability `alpha` can show
/// anything, however far apart the versions are: every one of the candidate's above a bound, every one of stable's below it.
///
/// # Errors
/// A quantile or `alpha` outside of (0, 1).
pub fn requests_at_least(quantile: f64, alpha: f64) -> Result<[f64; 2], Problem> {
    let (quantile, alpha) = (checked_alpha(quantile)?, checked_alpha(alpha)?);
    let bar = std::f64::consts::LN_2 - alpha.ln();
    let fewest = |bets: &[[f64; 3]], within: bool| {
        let shows = |requests: &f64| {
            let events = if within { *requests } else { 0.0 };
            Counts::new(events, *requests).is_ok_and(|counts| wealth(bets, counts) >= bar)
        };
        (0..60).map(|doublings| 2.0_f64.powi(doublings)).find(&shows).map(|enough| {
            let (mut few, mut enough) = (enough / 2.0, enough);
            while enough - few > 1.0 {
                let middle = f64::midpoint(few, enough).floor();
                if shows(&middle) { enough = middle } else { few = middle }
            }
            enough
        })
    };
    let found = [fewest(&bets(quantile, -1.0), false), fewest(&bets(quantile, 1.0), true)];
    Ok(found.map(|requests| requests.unwrap_or(GREATEST)))
}

/// A comparison of one quantile, of which less is better.
#[derive(Clone, Debug)]
pub struct QuantileComparison {
    bounds: Vec<f64>,
    quantile: f64,
    margin: f64,
    alpha: f64,
    minimum: f64,
    /// Bets that a share lies above and below the quantile's: logarithms of weight, of the factor for an event and for a non-event.
    above: Vec<[f64; 3]>,
    below: Vec<[f64; 3]>,
}

impl QuantileComparison {
    /// A test that shows with error probability `alpha` that the candidate's `quantile` (0.95) is above `1 + max_regression_percent / 100` times
    /// stable's, with buckets of these upper bounds (without +Inf).
    ///
    /// # Errors
    /// Bounds that are none, not positive, or do not rise; a quantile or `alpha` outside of (0, 1); a margin that is negative or above a million
    /// percent; a minimum that is not positive.
    pub fn new(bounds: Vec<f64>, quantile: f64, max_regression_percent: f64, alpha: f64, minimum: f64) -> Result<Self, Problem> {
        let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        let positive = bounds.first().is_some_and(|first| *first > 0.0) && bounds.iter().all(|bound| *bound <= 1e15);
        if !(rising && positive) {
            return Err(Problem::Bounds);
        }
        if !(0.0..=1e6).contains(&max_regression_percent) {
            return Err(Problem::Margin(max_regression_percent));
        }
        let quantile = checked_alpha(quantile)?;
        let margin = max_regression_percent / 100.0;
        let (alpha, minimum) = (checked_alpha(alpha)?, checked_positive(minimum)?);
        Ok(Self { bounds, quantile, margin, alpha, minimum, above: bets(quantile, 1.0), below: bets(quantile, -1.0) })
    }

    /// What `evidence` shows when `step` is the current one.
    pub fn judge(&self, evidence: &QuantileEvidence, step: u32) -> Verdict {
        let have = if step == evidence.step { evidence.in_step[0].min(evidence.in_step[1]) } else { 0.0 };
        Verdict::of(self.finding(evidence), have, self.minimum)
    }

    fn finding(&self, evidence: &QuantileEvidence) -> Finding {
        let (candidate, stable) = (self.figure(&evidence.sum.candidate), self.figure(&evidence.sum.stable));
        let both = candidate.and_then(|candidate| stable.map(|stable| (candidate, stable)));
        let difference = |one: Option<f64>, other: Option<f64>| Some(one? - other?);
        let quotient = |one: Option<f64>, other: Option<f64>| Some(one? / other? - 1.0).filter(|quotient| quotient.is_finite());
        let effect = both.map(|(candidate, stable)| Figure {
            value: candidate.value - stable.value,
            low: difference(candidate.low, stable.high),
            high: difference(candidate.high, stable.low),
        });
        let relative = both.and_then(|(candidate, stable)| {
            let value = quotient(Some(candidate.value), Some(stable.value)).ok_or(Missing::StableHasNone)?;
            Ok(Figure { value, low: quotient(candidate.low, stable.high), high: quotient(candidate.high, stable.low) })
        });
        Finding {
            log_e_value: self.log_e_value(&evidence.sum),
            p_value: (-evidence.log_e_peak).exp().min(1.0),
            alpha: self.alpha,
            candidate,
            stable,
            effect,
            relative,
        }
    }

    /// Half of the greatest, over pairs of bounds that are the margin apart, of the smaller of both claims' e-values: at most the mean of the
    /// e-values of two fixed claims of which the null makes at least one false.
    fn log_e_value(&self, sum: &HistogramPair) -> f64 {
        let mut best = f64::MIN;
        for (place, bound) in self.bounds.iter().enumerate() {
            let within = self.bounds.iter().take_while(|other| **other * (1.0 + self.margin) <= *bound).count();
            let (Some(candidate), Some(stable)) = (sum.candidate.below.get(place), sum.stable.below.get(within.wrapping_sub(1))) else {
                continue;
            };
            best = best.max(wealth(&self.below, *candidate).min(wealth(&self.above, *stable)));
        }
        if best > f64::MIN { best - std::f64::consts::LN_2 } else { 0.0 }
    }

    /// The quantile, interpolated within its bucket, between the bounds that are claimed with half of the error probability for each version, both
    /// ends together.
    fn figure(&self, histogram: &Histogram) -> Result<Figure, Missing> {
        if histogram.total <= 0.0 {
            return Err(Missing::NoRequests);
        }
        let bar = -(self.alpha / 4.0).ln();
        let claimed = |bets: &[[f64; 3]], counts: &Counts| wealth(bets, *counts) >= bar;
        let bounds = || self.bounds.iter().zip(&histogram.below);
        let low = bounds().filter(|(_, counts)| claimed(&self.below, counts)).map(|(bound, _)| *bound).next_back();
        let high = bounds().find(|(_, counts)| claimed(&self.above, counts)).map(|(bound, _)| *bound);
        let value = self.interpolated(histogram).ok_or(Missing::OutsideOfBuckets)?;
        Ok(Figure { value, low: Some(low.unwrap_or(0.0)), high })
    }

    /// Linear within the bucket, from 0 for the first one, as Prometheus' `histogram_quantile` has it.
    fn interpolated(&self, histogram: &Histogram) -> Option<f64> {
        let rank = self.quantile * histogram.total;
        let place = histogram.below.iter().position(|counts| counts.events() >= rank)?;
        let before = place.checked_sub(1);
        let (start, passed) = before.map_or((0.0, 0.0), |before| (self.bounds[before], histogram.below[before].events()));
        let inside = histogram.below[place].events() - passed;
        let part = if inside > 0.0 { (rank - passed) / inside } else { 1.0 };
        Some(start + (self.bounds[place] - start) * part.clamp(0.0, 1.0))
    }
}

/// Bets that the share's odds are `ratio` times (`direction` 1) or one `ratio`-th (-1) of the quantile's.
fn bets(quantile: f64, direction: f64) -> Vec<[f64; 3]> {
    let of = |ratio: f64| {
        let factor = if direction > 0.0 { ratio } else { 1.0 / ratio };
        // share / quantile = factor / (1 + quantile (factor - 1)); the same without the factor for non-events.
        let scale = (quantile * (factor - 1.0)).ln_1p();
        [factor.ln() - scale, -scale]
    };
    alternatives()
        .into_iter()
        .map(|alternative| {
            let [event, other] = of(alternative.ratio);
            [alternative.log_weight, event, other]
        })
        .collect()
}

fn wealth(bets: &[[f64; 3]], counts: Counts) -> f64 {
    let terms: Vec<f64> =
        bets.iter().map(|[weight, event, other]| weight + counts.events() * event + counts.complement().events() * other).collect();
    log_sum_exp(&terms)
}
