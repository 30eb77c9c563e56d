//! The test for shares of which more is better: universal inference.
//!
//! The null: the candidate's share of successes is at least `1 - margin` times stable's, so its share of failures `q` at most `margin + (1 - margin) s`
//! with stable's `s`. The e-value is a Beta-Binomial mixture likelihood of both versions divided by the greatest likelihood that the null allows
//! (Wasserman, Ramdas, Balakrishnan 2020, "Universal inference", section 8; with a mixture in place of the plug-in, their section 2). Whatever
//! null point is true, the divisor is at least its likelihood, so the quotient is at most a nonnegative martingale of mean 1: exact at
//! every look for whatever ratio of requests, chosen from the past. It depends on the counts of each step only; every step has its own
//! divisor, so rates may differ between steps; within a step each version's share is taken as constant.

use crate::domain::statistics::binomial::{Beta, log_mixture_ratio};
use crate::domain::statistics::counts::Pair;

/// Logarithm of the e-value of `steps`, counts of failures, oldest first; `margin` in 0-1.
pub(super) fn log_e_value(steps: &[Pair], margin: f64) -> f64 {
    let (mut candidate, mut stable) = (Beta::JEFFREYS, Beta::JEFFREYS);
    let mut sum = 0.0;
    for step in steps {
        let share = hardest(*step, margin);
        sum += log_mixture_ratio(step.candidate, candidate, share.0) + log_mixture_ratio(step.stable, stable, share.1);
        // The next step's bets are placed with what this one taught.
        candidate = candidate.after(step.candidate);
        stable = stable.after(step.stable);
    }
    sum
}

/// The point of the null (candidate's, stable's share of failures) under which the counts are most likely.
fn hardest(step: Pair, margin: f64) -> (f64, f64) {
    let allowed = |stable: f64| margin + (1.0 - margin) * stable;
    let (Some(candidate), Some(stable)) = (step.candidate.share(), step.stable.share()) else {
        return (step.candidate.share().unwrap_or(margin), step.stable.share().unwrap_or(1.0));
    };
    if candidate <= allowed(stable) {
        return (candidate, stable);
    }
    // On the boundary the likelihood is concave in stable's share, and its maximum lies above what was observed of stable.
    let slope = |share: f64| {
        let bound = allowed(share);
        pull(step.stable.events(), step.stable.trials(), share)
            + (1.0 - margin) * pull(step.candidate.events(), step.candidate.trials(), bound)
    };
    let (mut low, mut high) = (stable, 1.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    (allowed(low), low)
}

/// Derivative of the log-likelihood of `events` of `trials` in the share.
fn pull(events: f64, trials: f64, share: f64) -> f64 {
    let variance = (share * (1.0 - share)).max(1e-300);
    (events - trials * share) / variance
}
