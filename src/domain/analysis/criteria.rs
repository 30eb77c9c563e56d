//! What an analysis asks of a revision: metrics, bounds, and how much must be seen. Validated: nothing in here cannot be judged.

use jiff::SignedDuration;

use crate::domain::analysis::profile::{Better, Measure};
use crate::domain::analysis::threshold::Threshold;

/// What is done when a metric had no data for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnNoData {
    /// Wait, and say so.
    Hold,
    /// Take the revision back.
    Rollback,
}

/// A comparison with the stable revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// By how much the candidate may be worse, percent of stable's value; at least 0.
    pub max_regression_percent: f64,
    /// Error probability of this one test, between 0 and 1.
    pub alpha: f64,
}

/// One metric and what it has to keep to.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// As the user calls it.
    pub name: String,
    /// How it is measured.
    pub measure: Measure,
    /// The provider to ask; none: the default one.
    pub provider: Option<String>,
    /// Which of two values is the better one.
    pub better: Better,
    /// Bounds, if it has any.
    pub threshold: Option<Threshold>,
    /// The comparison, if it has one.
    pub margin: Option<Margin>,
    /// Names everything that decides what a value of this metric means: queries, bounds, margin. Evidence that was judged by another
    /// definition is not used.
    pub definition: String,
}

/// What an analysis asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Criteria {
    /// At least one; names differ.
    pub metrics: Vec<Metric>,
    /// Time between two measurements; more than nothing.
    pub interval: SignedDuration,
    /// Events of the candidate (for a comparison of stable, too) that a step needs; at least 1.
    pub minimum_samples: u64,
    /// How long a metric may be without data.
    pub data_deadline: Option<SignedDuration>,
    /// What is done then.
    pub on_no_data: OnNoData,
    /// How long a revision is judged after it took over.
    pub after_promotion: Option<SignedDuration>,
    /// Pods that the replaced revision keeps meanwhile.
    pub standby_replicas: i32,
}
