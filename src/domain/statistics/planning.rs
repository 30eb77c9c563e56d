//! Beforehand: can this traffic tell at all.
//!
//! Takes a comparison of shares, assumed shares and planned requests; gives what would be found. An approximation (the promise of the test does
//! not depend on it): a difference counts as found when the best bet's wealth, at its mean less 0.84 of its standard deviations, reaches
//! the bar. About nine in ten rollouts find it then (89-92 % in the simulated ones of the tests).

use crate::domain::statistics::proportions::{Better, Comparison};
use crate::domain::statistics::{Problem, checked_positive};

/// Requests of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedStep {
    /// Requests of the candidate.
    pub candidate: f64,
    /// Requests of the stable version.
    pub stable: f64,
}

/// Requests beyond which nothing is planned.
const MOST: f64 = 1e12;

/// A candidate with this share, against stable with that, would be found worse in about nine of ten rollouts of these steps.
///
/// # Errors
/// Shares outside of 0-1, numbers of requests that are not positive.
pub fn is_found(comparison: &Comparison, candidate: f64, stable: f64, steps: &[PlannedStep]) -> Result<bool, Problem> {
    for share in [candidate, stable] {
        if !(0.0..=1.0).contains(&share) {
            return Err(Problem::Count(share));
        }
    }
    for step in steps {
        checked_positive(step.candidate)?;
        checked_positive(step.stable)?;
    }
    Ok(comparison.would_show(candidate, stable, steps))
}

/// About how many requests of both versions together, `weight` of them (0-1) the candidate's, show that difference in nine of ten rollouts;
/// none when the candidate is not worse than the margin allows, or 1e12 requests do not show it.
///
/// # Errors
/// Shares outside of 0-1, a weight outside of (0, 1).
pub fn requests_needed(comparison: &Comparison, candidate: f64, stable: f64, weight: f64) -> Result<Option<f64>, Problem> {
    if !(weight > 0.0 && weight < 1.0) {
        return Err(Problem::NotPositive(weight));
    }
    let found = |requests: f64| {
        let step = PlannedStep { candidate: requests * weight, stable: requests * (1.0 - weight) };
        is_found(comparison, candidate, stable, &[step])
    };
    if !found(MOST)? {
        return Ok(None);
    }
    let (mut few, mut enough) = (0.0_f64, MOST.ln());
    while enough - few > 1e-4 {
        let middle = f64::midpoint(few, enough);
        if found(middle.exp())? { enough = middle } else { few = middle }
    }
    Ok(Some(enough.exp().ceil()))
}

/// The share of the candidate nearest to stable's that nine of ten rollouts of these steps find; none when they would find none at all: this
/// traffic cannot tell.
///
/// # Errors
/// A share outside of 0-1, numbers of requests that are not positive.
pub fn detectable(comparison: &Comparison, stable: f64, steps: &[PlannedStep]) -> Result<Option<f64>, Problem> {
    let worst = if comparison.better() == Better::Lower { 1.0 } else { 0.0 };
    if !is_found(comparison, worst, stable, steps)? {
        return Ok(None);
    }
    let (mut hidden, mut shown) = (stable, worst);
    for _ in 0..60 {
        let middle = f64::midpoint(hidden, shown);
        if is_found(comparison, middle, stable, steps)? { shown = middle } else { hidden = middle }
    }
    Ok(Some(shown))
}
