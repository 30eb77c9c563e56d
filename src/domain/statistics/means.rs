//! Comparison of two means (latency, tokens, cost): asymptotic, at every look at once.
//!
//! Takes moments by step, gives a verdict. Each step compares the versions with each other, so that weights that move while the level moves do
//! not look like an effect. The promise holds for large samples only: a step enters with the minimum of observations of each version,
//! at least 10, and skewed metrics need more. In simulations of log-normal latencies (standard deviation of the logarithm 1) at the edge of
//! the margin, a promise of 5 % became 6.4 % false alarms with a minimum of 10 (more is better), and at most 1.2 % with a minimum of 100.

use crate::domain::statistics::evidence::STEPS_MAX;
use crate::domain::statistics::proportions::Better;
use crate::domain::statistics::verdict::{Figure, Finding, Verdict};
use crate::domain::statistics::{Missing, Problem, checked_alpha, checked_positive, counts};

/// Observations of each version that a step needs in any case: with fewer, an estimated variance breaks the promise.
pub const LEAST: f64 = 10.0;

/// Observations at which the interval is tightest, unless the plan says otherwise.
pub const TIGHTEST_AT: f64 = 5000.0;

/// Number, mean and variance (with n - 1) of observations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    number: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    /// Moments of `number` observations; with none, mean and variance are ignored.
    ///
    /// # Errors
    /// A number that is no count, a mean beyond 1e15, a variance that is negative or beyond 1e30, or not finite.
    pub fn new(number: f64, mean: f64, variance: f64) -> Result<Self, Problem> {
        if !(0.0..=counts::GREATEST).contains(&number) {
            return Err(Problem::Count(number));
        }
        if number <= 0.0 {
            return Ok(Self::default());
        }
        if mean.abs() <= 1e15 && (0.0..=1e30).contains(&variance) {
            Ok(Self { number, mean, variance })
        } else {
            Err(Problem::Moment { mean, variance })
        }
    }

    /// Number of observations.
    pub fn number(self) -> f64 {
        self.number
    }

    /// Their mean; 0 when there are none.
    pub fn mean(self) -> f64 {
        self.mean
    }

    /// Their variance, with n - 1.
    pub fn variance(self) -> f64 {
        self.variance
    }

    /// Both sets of observations together (Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance", equation 1.5).
    ///
    /// # Errors
    /// Sums out of the range of [`Moments::new`].
    pub fn plus(self, more: Self) -> Result<Self, Problem> {
        let number = self.number + more.number;
        if more.number <= 0.0 || self.number <= 0.0 {
            return Ok(if self.number > 0.0 { self } else { more });
        }
        let difference = more.mean - self.mean;
        let mean = self.mean + difference * (more.number / number);
        let within = |moments: Self| moments.variance * (moments.number - 1.0).max(0.0);
        let between = difference * difference * (self.number / number) * more.number;
        Self::new(number, mean, (within(self) + within(more) + between) / (number - 1.0).max(1.0))
    }

    /// Variance of the mean.
    fn of_mean(self) -> f64 {
        self.variance / self.number
    }
}

/// Moments of both versions over the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MomentPair {
    /// The new version.
    pub candidate: Moments,
    /// The version that it is compared with.
    pub stable: Moments,
}

/// Moments of one step of a rollout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMoments {
    /// Which step.
    pub step: u32,
    /// What was observed in it.
    pub moments: MomentPair,
}

/// Everything that a comparison of means has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeanEvidence {
    steps: Vec<StepMoments>,
    log_e_peak: f64,
}

impl MeanEvidence {
    /// Evidence from its stored parts.
    ///
    /// # Errors
    /// Steps out of order or too many, a peak that is negative or not finite.
    pub fn restored(steps: Vec<StepMoments>, log_e_peak: f64) -> Result<Self, Problem> {
        let ordered = steps.windows(2).all(|pair| pair[0].step < pair[1].step);
        let possible = ordered && steps.len() <= STEPS_MAX && log_e_peak.is_finite() && log_e_peak >= 0.0;
        if possible { Ok(Self { steps, log_e_peak }) } else { Err(Problem::Contradiction) }
    }

    /// Counts one interval.
    ///
    /// # Errors
    /// A step before the last one, sums out of range. Nothing is counted then.
    pub fn add(&mut self, step: u32, interval: MomentPair, comparison: &MeanComparison) -> Result<(), Problem> {
        let full = self.steps.len() >= STEPS_MAX;
        match self.steps.last_mut() {
            Some(last) if step < last.step => return Err(Problem::StepIsOver { step, last: last.step }),
            Some(last) if step == last.step || full => {
                let candidate = last.moments.candidate.plus(interval.candidate)?;
                let stable = last.moments.stable.plus(interval.stable)?;
                *last = StepMoments { step, moments: MomentPair { candidate, stable } };
            }
            _ => self.steps.push(StepMoments { step, moments: interval }),
        }
        let log_e_value = comparison.score(&self.steps, Weighing::Margin).map_or(0.0, |score| comparison.log_e_value(score));
        self.log_e_peak = self.log_e_peak.max(log_e_value);
        Ok(())
    }

    /// Moments by step, oldest first.
    pub fn steps(&self) -> &[StepMoments] {
        &self.steps
    }

    /// Logarithm of the greatest e-value at any look so far.
    pub fn log_e_peak(&self) -> f64 {
        self.log_e_peak
    }
}

/// A comparison of two means.
#[derive(Clone, Debug)]
pub struct MeanComparison {
    better: Better,
    margin: f64,
    alpha: f64,
    minimum: f64,
    tightest_at: f64,
}

/// Which difference is estimated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weighing {
    /// Candidate less stable.
    Effect,
    /// How far the candidate is beyond the margin, in the bad direction.
    Margin,
}

/// A difference, its variance, and the number of observations behind it.
#[derive(Clone, Copy)]
struct Score {
    difference: f64,
    variance: f64,
    number: f64,
}

impl MeanComparison {
    /// A test that shows with error probability `alpha`, for large samples, that the candidate's mean is worse by more than `max_regression_percent`
    /// of stable's; steps with fewer than `minimum` observations (at least [`LEAST`]) of a version do not count yet.
    ///
    /// # Errors
    /// A margin that is negative or above a million percent, an `alpha` outside of (0, 1), a minimum that is not positive.
    pub fn new(better: Better, max_regression_percent: f64, alpha: f64, minimum: f64) -> Result<Self, Problem> {
        if !(0.0..=1e6).contains(&max_regression_percent) {
            return Err(Problem::Margin(max_regression_percent));
        }
        let (alpha, minimum) = (checked_alpha(alpha)?, checked_positive(minimum)?.max(LEAST));
        Ok(Self { better, margin: max_regression_percent / 100.0, alpha, minimum, tightest_at: TIGHTEST_AT })
    }

    /// The same, tightest at `observations` of both versions together, for example the planned number.
    ///
    /// # Errors
    /// A number that is not positive.
    pub fn tightest_at(self, observations: f64) -> Result<Self, Problem> {
        Ok(Self { tightest_at: checked_positive(observations)?, ..self })
    }

    /// What `evidence` shows when `step` is the current one.
    pub fn judge(&self, evidence: &MeanEvidence, step: u32) -> Verdict {
        let in_step = evidence.steps.last().filter(|last| last.step == step);
        let have = in_step.map_or(0.0, |last| last.moments.candidate.number.min(last.moments.stable.number));
        Verdict::of(self.finding(evidence), have, self.minimum)
    }

    fn finding(&self, evidence: &MeanEvidence) -> Finding {
        let all = |side: fn(MomentPair) -> Moments| {
            let sum = |sum: Moments, step: &StepMoments| sum.plus(side(step.moments)).unwrap_or(sum);
            evidence.steps.iter().fold(Moments::default(), sum)
        };
        let (candidate, stable) = (all(|pair| pair.candidate), all(|pair| pair.stable));
        let margin = self.score(&evidence.steps, Weighing::Margin);
        let effect = self.score(&evidence.steps, Weighing::Effect).map(|score| self.figure(score));
        Finding {
            log_e_value: margin.map_or(0.0, |score| self.log_e_value(score)),
            p_value: (-evidence.log_e_peak).exp().min(1.0),
            alpha: self.alpha,
            candidate: self.mean(candidate),
            stable: self.mean(stable),
            effect,
            relative: effect.and_then(|effect| relative(effect, stable.mean)),
        }
    }

    fn mean(&self, moments: Moments) -> Result<Figure, Missing> {
        if moments.number <= 0.0 {
            return Err(Missing::NoRequests);
        }
        if moments.number < LEAST {
            return Err(Missing::TooFew);
        }
        Ok(self.figure(Score { difference: moments.mean, variance: moments.of_mean(), number: moments.number }))
    }

    /// The steps' differences, weighted by `n m / (n + m)`: not by their variances, which go up and down with skewed means and would pull them.
    fn score(&self, steps: &[StepMoments], weighing: Weighing) -> Result<Score, Missing> {
        let large = |step: &&StepMoments| step.moments.candidate.number.min(step.moments.stable.number) >= self.minimum;
        let mut scores = steps.iter().filter(large).map(|step| self.of_step(step.moments, weighing)).peekable();
        if scores.peek().is_none() {
            return Err(Missing::TooFew);
        }
        let (mut difference, mut variance, mut weights, mut number) = (0.0, 0.0, 0.0, 0.0);
        for (weight, score) in scores.flatten() {
            difference += weight * score.difference;
            variance += weight * weight * score.variance;
            weights += weight;
            number += score.number;
        }
        if weights <= 0.0 {
            return Err(Missing::NoVariance);
        }
        Ok(Score { difference: difference / weights, variance: variance / weights / weights, number })
    }

    /// The step's weight and difference; none: no variance to judge by.
    fn of_step(&self, MomentPair { candidate, stable }: MomentPair, weighing: Weighing) -> Option<(f64, Score)> {
        let worse = if self.better == Better::Lower { 1.0 } else { -1.0 };
        let (sign, factor) = match weighing {
            Weighing::Effect => (1.0, 1.0),
            // The margin is a part of the size of stable's mean, also of a negative one.
            Weighing::Margin => (worse, 1.0 + worse * self.margin * stable.mean.signum()),
        };
        let variance = candidate.of_mean() + factor * factor * stable.of_mean();
        // What rounding alone leaves of the variance of equal observations.
        let noise = (candidate.mean.abs() + stable.mean.abs()) * 1e-12;
        let usable = variance > noise * noise && variance > 1e-100;
        let difference = sign * (candidate.mean - factor * stable.mean);
        let number = candidate.number + stable.number;
        let weight = candidate.number * (stable.number / number);
        usable.then_some((weight, Score { difference, variance, number }))
    }

    /// `rho^2 t` of the asymptotic confidence sequence, with `rho` such that it is tightest at the planned number (Waudby-Smith and others 2024,
    /// "Time-uniform central limit theory and asymptotic confidence sequences"; `alpha` as of a two-sided one).
    fn scale(&self, alpha: f64, number: f64) -> f64 {
        let twice = -2.0 * alpha.min(0.5).ln();
        (twice + (twice + 1.0).ln()) / self.tightest_at * number
    }

    /// Logarithm of the one-sided normal mixture at the standardised difference: `2 exp(y^2 / 2) Phi(y) / sqrt(g)`, with `g = 1 + rho^2 t` and
    /// `y = z sqrt((g - 1) / g)` (Robbins 1970; Waudby-Smith and others 2024, one-sided sequence). `Phi` is bounded from below: for `y` > 0 by
    /// `1 - exp(-y^2 / 2) / 2`, for `y` < 0 by Birnbaum (1942).
    fn log_e_value(&self, score: Score) -> f64 {
        let scale = self.scale(2.0 * self.alpha, score.number);
        let y = score.difference / score.variance.sqrt() * (scale / (1.0 + scale)).sqrt();
        let half = y * y / 2.0;
        let mixture = if y > 0.0 {
            half + (2.0 - (-half).exp()).ln()
        } else {
            (4.0 / std::f64::consts::TAU.sqrt() / (half.mul_add(2.0, 4.0).sqrt() - y)).ln()
        };
        mixture - 0.5 * scale.ln_1p()
    }

    /// A two-sided asymptotic confidence sequence at `alpha` (Waudby-Smith and others 2024, theorem on the Gaussian mixture boundary), with
    /// `s^2 = t V`.
    fn figure(&self, score: Score) -> Figure {
        let scale = self.scale(self.alpha, score.number);
        let grown = 1.0 + scale;
        let radius = (score.variance * 2.0 * grown / scale * (0.5 * grown.ln() - self.alpha.ln())).sqrt();
        Figure { value: score.difference, low: Some(score.difference - radius), high: Some(score.difference + radius) }
    }
}

/// The effect as a fraction of stable's mean; the interval takes stable's mean as known.
fn relative(effect: Figure, stable: f64) -> Result<Figure, Missing> {
    let size = stable.abs();
    if size < 1e-100 {
        return Err(Missing::StableHasNone);
    }
    let of = |value: f64| Some(value / size).filter(|value| value.is_finite());
    let value = of(effect.value).ok_or(Missing::StableHasNone)?;
    Ok(Figure { value, low: effect.low.and_then(of), high: effect.high.and_then(of) })
}
