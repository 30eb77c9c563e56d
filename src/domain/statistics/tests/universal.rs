//! Universal inference for two shares, as a rival.
//!
//! The null bounds the candidate's share of failures `q` by a line in stable's, `q <= offset + factor s`. For a success rate that may be at least
//! `1 - margin` times stable's: `offset = margin`, `factor = 1 - margin`. The e-value is a Beta-Binomial mixture likelihood of both versions divided
//! by the greatest likelihood that the null allows (Wasserman, Ramdas, Balakrishnan 2020, "Universal inference", with a mixture
//! in place of the plug-in). Whatever null point is true, the divisor is at least its likelihood, so the quotient is at most a
//! nonnegative martingale of mean 1: exact at every look, for whatever ratio of requests chosen from the past. It depends on the counts of each
//! step only; every step has its own divisor, so rates may differ between steps; within a step each version's share is taken as constant.

use crate::domain::statistics::binomial::{Beta, log_mixture_ratio};
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::rates::Null;

impl Null {
    pub(super) fn bound(self, stable: f64) -> f64 {
        (self.offset + self.factor * stable).min(1.0)
    }

    /// Stable's share above which the null allows everything.
    fn end(self) -> f64 {
        ((1.0 - self.offset) / self.factor).clamp(0.0, 1.0)
    }

    /// The point of the null (candidate's, stable's share) nearest to these counts: the one under which they are most likely.
    pub(super) fn nearest(self, candidate: Counts, stable: Counts) -> (f64, f64) {
        let (Some(of_candidate), Some(of_stable)) = (candidate.share(), stable.share()) else {
            return (candidate.share().unwrap_or(self.offset), stable.share().unwrap_or(1.0));
        };
        if of_candidate <= self.bound(of_stable) {
            return (of_candidate, of_stable);
        }
        // On the line the likelihood is concave in stable's share, and its maximum lies above what was observed of stable.
        let slope = |share: f64| pull(stable, share) + self.factor * pull(candidate, self.bound(share));
        let (mut low, mut high) = (of_stable, self.end());
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if slope(middle) > 0.0 { low = middle } else { high = middle }
        }
        (self.bound(low), low)
    }
}

/// Logarithm of the e-value of `steps`, counts of failures, oldest first.
pub(super) fn log_e_value(steps: &[Pair], null: Null) -> f64 {
    let (mut candidate, mut stable) = (Beta::JEFFREYS, Beta::JEFFREYS);
    let mut sum = 0.0;
    for step in steps {
        let (of_candidate, of_stable) = null.nearest(step.candidate, step.stable);
        sum += log_mixture_ratio(step.candidate, candidate, of_candidate) + log_mixture_ratio(step.stable, stable, of_stable);
        // The next step's bets are placed with what this one taught.
        candidate = candidate.after(step.candidate);
        stable = stable.after(step.stable);
    }
    sum
}

/// Derivative of the log-likelihood of the counts in the share.
fn pull(counts: Counts, share: f64) -> f64 {
    let variance = (share * (1.0 - share)).max(1e-300);
    (counts.events() - counts.trials() * share) / variance
}
