//! Comparison of two shares: error rates, success rates, shares of requests above a bound.
//!
//! Takes the evidence of a rollout, gives a verdict. One sequential test that runs on over all steps, valid at every look.

use crate::domain::statistics::binomial::{Interval, confidence_sequence};
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::evidence::{Evidence, StepEvidence};
use crate::domain::statistics::grid::{Alternative, alternatives};
use crate::domain::statistics::planning::PlannedStep;
use crate::domain::statistics::rates::{self, Null, Tally};
use crate::domain::statistics::verdict::{Figure, Finding, Verdict};
use crate::domain::statistics::{Missing, Problem, checked_alpha, checked_positive};

/// Standard deviations by which planning stays below the mean wealth. The test may stop at any look, which finds still more.
const SPARE: f64 = 0.8416;

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is better: errors, slow requests.
    Lower,
    /// More is better: successes.
    Higher,
}

/// A comparison of two shares.
#[derive(Clone, Debug)]
pub struct Comparison {
    better: Better,
    margin: f64,
    alpha: f64,
    minimum: f64,
    alternatives: Vec<Alternative>,
}

impl Comparison {
    /// A test that shows with error probability `alpha` that the candidate is worse by more than `max_regression_percent` of stable's value;
    /// `minimum` observations of each version are needed in a step.
    ///
    /// # Errors
    /// A margin that is negative, or 100 % and more where more is better; an `alpha` outside of (0, 1); a minimum that is not positive.
    pub fn new(better: Better, max_regression_percent: f64, alpha: f64, minimum: f64) -> Result<Self, Problem> {
        let most = if better == Better::Lower { 1e6 } else { 99.999 };
        if !(0.0..=most).contains(&max_regression_percent) {
            return Err(Problem::Margin(max_regression_percent));
        }
        let (alpha, minimum) = (checked_alpha(alpha)?, checked_positive(minimum)?);
        Ok(Self { better, margin: max_regression_percent / 100.0, alpha, minimum, alternatives: alternatives() })
    }

    /// Which way the metric gets better.
    pub fn better(&self) -> Better {
        self.better
    }

    /// Error probability of this test.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// What `evidence` shows when `step` is the current one.
    pub fn judge(&self, evidence: &Evidence, step: u32) -> Verdict {
        let in_step = evidence.steps().last().filter(|last| last.step == step);
        let have = in_step.map_or(0.0, |last| last.counts.candidate.trials().min(last.counts.stable.trials()));
        Verdict::of(self.finding(evidence), have, self.minimum)
    }

    /// Logarithm of the e-value of everything seen.
    pub(super) fn log_e_value(&self, evidence: &Evidence) -> f64 {
        let tallies: Vec<Tally> = evidence.steps().iter().map(|step| step.tally).collect();
        rates::log_e_value(&tallies, self.null(), &self.alternatives)
    }

    /// What the test needs of one interval.
    pub(super) fn tally(&self, interval: Pair) -> Tally {
        let errors = if self.better == Better::Lower { interval } else { interval.complement() };
        Tally::of(errors, self.null())
    }

    /// The best bet's wealth reaches the bar at its mean less 0.84 of its standard deviations (Poisson counts).
    pub(super) fn would_show(&self, candidate: f64, stable: f64, steps: &[PlannedStep]) -> bool {
        let share = |share: f64| if self.better == Better::Lower { share } else { 1.0 - share };
        let expected = |step: &PlannedStep| Tally::expected(step.candidate, share(candidate), step.stable, share(stable), self.null());
        let tallies: Vec<Tally> = steps.iter().map(expected).collect();
        let bar = -self.alpha.ln();
        self.alternatives.iter().any(|alternative| {
            let (mean, deviation) = rates::planned_wealth(&tallies, self.null(), alternative.ratio);
            alternative.log_weight + mean - SPARE * deviation >= bar
        })
    }

    fn null(&self) -> Null {
        match self.better {
            Better::Lower => Null { offset: 0.0, factor: 1.0 + self.margin },
            Better::Higher => Null { offset: self.margin, factor: 1.0 - self.margin },
        }
    }

    fn finding(&self, evidence: &Evidence) -> Finding {
        let total = evidence.total();
        // Both intervals hold together with 1 - alpha, so everything made of them does.
        let interval = |counts: Counts| match (counts.share(), confidence_sequence(counts, self.alpha / 2.0)) {
            (Some(share), Ok(interval)) => Ok((share, interval)),
            _ => Err(Missing::NoRequests),
        };
        let (candidate, stable) = (interval(total.candidate), interval(total.stable));
        let both = candidate.and_then(|candidate| stable.map(|stable| (candidate, stable)));
        let figure = |(share, interval): (f64, Interval)| Figure::within(share, interval);
        Finding {
            log_e_value: self.log_e_value(evidence),
            p_value: (-evidence.log_e_peak()).exp().min(1.0),
            alpha: self.alpha,
            candidate: candidate.map(figure),
            stable: stable.map(figure),
            effect: both.map(|(candidate, stable)| effect(candidate, stable)),
            relative: both.and_then(|(candidate, stable)| relative(evidence, candidate.1, stable.1)),
        }
    }
}

fn effect(candidate: (f64, Interval), stable: (f64, Interval)) -> Figure {
    let interval = Interval { low: candidate.1.low - stable.1.high, high: candidate.1.high - stable.1.low };
    Figure::within(candidate.0 - stable.0, interval)
}

/// Relative effect, each step compared with itself: the ratio of Mantel and Haenszel (1959) for rates (Rothman, Greenland, Lash, "Modern epidemiology"), so that weights that move while rates move do not look like an effect.
fn relative(evidence: &Evidence, candidate: Interval, stable: Interval) -> Result<Figure, Missing> {
    let weighted = |side: fn(Pair) -> (f64, f64)| -> f64 {
        let of_step = |step: &StepEvidence| {
            let (events, others) = side(step.counts);
            events * (others / (step.counts.candidate.trials() + step.counts.stable.trials()))
        };
        evidence.steps().iter().map(of_step).sum()
    };
    let above = weighted(|pair| (pair.candidate.events(), pair.stable.trials()));
    let below = weighted(|pair| (pair.stable.events(), pair.candidate.trials()));
    if below <= 0.0 {
        return Err(Missing::StableHasNone);
    }
    let quotient = |above: f64, below: f64| Some(above / below - 1.0).filter(|quotient| quotient.is_finite());
    let value = quotient(above, below).ok_or(Missing::StableHasNone)?;
    Ok(Figure { value, low: quotient(candidate.low, stable.high), high: quotient(candidate.high, stable.low) })
}
