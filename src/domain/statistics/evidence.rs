//! What a comparison of two shares has seen in one rollout, in the form that is stored.
//!
//! Takes increments, step by step, gives sums by step and the strongest evidence so far. Every verdict can be recomputed from it. Never
//! takes back what it counted; evidence belongs to one revision and one definition of the metric, which the caller sees to.

use crate::domain::statistics::Problem;
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::proportions::Comparison;
pub use crate::domain::statistics::rates::Tally;

/// Steps that are kept apart; those beyond are counted with the last one, which costs power but no promise.
pub const STEPS_MAX: usize = 32;

/// Sums over one step of a rollout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepEvidence {
    /// Which step, by the number that the caller gives it.
    pub step: u32,
    /// What both versions counted.
    pub counts: Pair,
    /// What the test needs of each interval, added up.
    pub tally: Tally,
}

/// Everything that a comparison of two shares has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    steps: Vec<StepEvidence>,
    pending: Pair,
    log_e_peak: f64,
}

impl Evidence {
    /// Evidence from its stored parts.
    ///
    /// # Errors
    /// Parts that contradict themselves: steps out of order or too many, sums that no intervals lead to, numbers that are not finite.
    pub fn restored(steps: Vec<StepEvidence>, pending: Pair, log_e_peak: f64) -> Result<Self, Problem> {
        let ordered = steps.windows(2).all(|pair| pair[0].step < pair[1].step);
        let peak = log_e_peak.is_finite() && log_e_peak >= 0.0;
        if ordered && peak && steps.len() <= STEPS_MAX && steps.iter().all(|step| step.tally.is_possible()) {
            Ok(Self { steps, pending, log_e_peak })
        } else {
            Err(Problem::Contradiction)
        }
    }

    /// Counts one interval, in which the ratio of requests did not depend on their outcomes. An interval in which a version has had no
    /// request waits for the next one, so that nothing is lost and nothing compared with nothing.
    ///
    /// # Errors
    /// A step before the last one, sums above the greatest count. Nothing is counted then.
    pub fn add(&mut self, step: u32, interval: Pair, comparison: &Comparison) -> Result<(), Problem> {
        let last = self.steps.last().map_or(0, |last| last.step);
        if step < last {
            return Err(Problem::StepIsOver { step, last });
        }
        let block = self.pending.plus(interval)?;
        if !block.compares() {
            self.pending = block;
            return Ok(());
        }
        self.put(step, block, comparison)?;
        self.pending = Pair::default();
        self.log_e_peak = self.log_e_peak.max(comparison.log_e_value(self));
        Ok(())
    }

    fn put(&mut self, step: u32, block: Pair, comparison: &Comparison) -> Result<(), Problem> {
        let tally = comparison.tally(block);
        let full = self.steps.len() >= STEPS_MAX;
        match self.steps.last_mut() {
            Some(last) if last.step == step || full => {
                let counts = last.counts.plus(block)?;
                *last = StepEvidence { step, counts, tally: last.tally.plus(tally) };
            }
            _ => self.steps.push(StepEvidence { step, counts: block, tally }),
        }
        Ok(())
    }

    /// Sums by step, oldest first.
    pub fn steps(&self) -> &[StepEvidence] {
        &self.steps
    }

    /// What waits for the other version's first request.
    pub fn pending(&self) -> Pair {
        self.pending
    }

    /// Logarithm of the greatest e-value at any look so far; at least 0, since nobody has to bet.
    pub fn log_e_peak(&self) -> f64 {
        self.log_e_peak
    }

    /// What both versions counted over all steps.
    pub fn total(&self) -> Pair {
        let sum = |side: fn(&StepEvidence) -> Counts| {
            let added = |sum: Counts, step| sum.plus(side(step)).unwrap_or(sum);
            self.steps.iter().fold(Counts::default(), added)
        };
        Pair { candidate: sum(|step| step.counts.candidate), stable: sum(|step| step.counts.stable) }
    }
}
