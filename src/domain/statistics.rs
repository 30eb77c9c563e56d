//! Statistics: is a candidate worse than the stable version, by how much, and could this traffic tell at all.
//!
//! Takes counts and moments that others collected, gives verdicts with the figures behind them. Never does I/O, never reads a
//! clock, never draws: the same evidence gives the same verdict. No figure is ever NaN or infinite; one that does not exist is
//! missing with a reason. `docs/statistics.md` says what each method promises exactly and what only for large samples.

use std::fmt;

pub mod binomial;
pub mod counts;
pub mod evidence;
pub mod means;
pub mod planning;
pub mod proportions;
pub mod quantiles;
pub mod verdict;

mod grid;
mod rates;

#[cfg(test)]
mod tests;

/// Why an input is refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A confidence outside of (0, 100) percent, or an error probability outside of (0, 1).
    #[error("{0} is not a confidence")]
    Confidence(f64),
    /// No test among which to share an error probability.
    #[error("there is no test to share the error probability")]
    NoTests,
    /// A margin that is negative, not finite, or (for a metric where more is better) 100 % or more.
    #[error("{0} % is not a margin by which a metric may get worse")]
    Margin(f64),
    /// A minimum, effect or planning figure that is not a positive finite number.
    #[error("{0} is not a positive number")]
    NotPositive(f64),
    /// A count that is negative, not finite, or above the greatest that is handled.
    #[error("{0} is not a count")]
    Count(f64),
    /// More events than trials.
    #[error("{events} of {trials}: more events than trials")]
    MoreThanAll {
        /// Events counted.
        events: f64,
        /// Trials counted.
        trials: f64,
    },
    /// An increment for a step before the last one that was counted.
    #[error("step {step} is over: step {last} is being counted")]
    StepIsOver {
        /// The step of the increment.
        step: u32,
        /// The newest step of the evidence.
        last: u32,
    },
    /// A mean or variance that is not finite, or a negative variance.
    #[error("a mean of {mean} with a variance of {variance} is not a moment")]
    Moment {
        /// The mean.
        mean: f64,
        /// The variance.
        variance: f64,
    },
    /// Bucket bounds that do not rise, are not positive, or are none.
    #[error("the bounds of a histogram's buckets must be positive and rise")]
    Bounds,
    /// Bucket counts that fall, or of which there are more or fewer than bounds.
    #[error("the counts of a histogram's buckets must not fall, one for each bound")]
    Buckets,
    /// Stored evidence that no sequence of increments leads to.
    #[error("the stored evidence contradicts itself")]
    Contradiction,
}

/// Why a figure does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A version has had no requests.
    NoRequests,
    /// The stable version has had no event, so nothing can be said relative to it.
    StableHasNone,
    /// Fewer than the observations that a method needs.
    TooFew,
    /// All observations are equal, so there is no variance to judge by.
    NoVariance,
    /// It lies above the last bucket of the histogram, or is not shown yet.
    OutsideOfBuckets,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoRequests => "a version had no requests",
            Self::StableHasNone => "the stable version had none",
            Self::TooFew => "there are too few observations",
            Self::NoVariance => "all observations are equal",
            Self::OutsideOfBuckets => "the histogram's buckets do not reach it",
        })
    }
}

/// Error probability of each of `tests` tests so that all of them together err with at most `1 - confidence_percent / 100`.
///
/// Bonferroni's inequality (Dunn 1961, "Multiple comparisons among means"): whatever the tests have to do with each other.
///
/// # Errors
/// A confidence outside of (0, 100), or no test.
pub fn error_share(confidence_percent: f64, tests: usize) -> Result<f64, Problem> {
    if !(confidence_percent > 0.0 && confidence_percent < 100.0) {
        return Err(Problem::Confidence(confidence_percent));
    }
    if tests == 0 {
        return Err(Problem::NoTests);
    }
    Ok((100.0 - confidence_percent) / 100.0 / tests as f64)
}

/// Refuses what is not an error probability.
fn checked_alpha(alpha: f64) -> Result<f64, Problem> {
    if alpha > 0.0 && alpha < 1.0 { Ok(alpha) } else { Err(Problem::Confidence(alpha)) }
}

/// Refuses what is not a positive finite number.
fn checked_positive(value: f64) -> Result<f64, Problem> {
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err(Problem::NotPositive(value)) }
}

/// `ln(sum(exp(terms)))` without overflow; the least finite number for no terms.
fn log_sum_exp(terms: &[f64]) -> f64 {
    let greatest = terms.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = terms.iter().map(|term| (term - greatest).exp()).sum();
    if sum > 0.0 { greatest + sum.ln() } else { greatest }
}
