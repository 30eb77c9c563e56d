//! What a comparison found, with the figures that show it.

use crate::domain::statistics::Missing;
use crate::domain::statistics::binomial::Interval;

/// A figure with the interval that holds at every look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The estimate.
    pub value: f64,
    /// Lower end of its interval; none: not bounded below.
    pub low: Option<f64>,
    /// Upper end of its interval; none: not bounded above.
    pub high: Option<f64>,
}

impl Figure {
    /// An estimate between the ends of an interval.
    pub(super) fn within(value: f64, interval: Interval) -> Self {
        Self { value, low: Some(interval.low), high: Some(interval.high) }
    }
}

/// The figures behind a verdict. All are finite; one that does not exist says why.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Natural logarithm of the e-value of all that was seen: how many times the stake a bet against "not worse" would have won. May be negative.
    pub log_e_value: f64,
    /// Always-valid p value: `min(1, 1 / greatest e-value so far)`; falls only. 0 where 1/e is smaller than any float.
    pub p_value: f64,
    /// Error probability of this test: `Worse` when the p value has reached it.
    pub alpha: f64,
    /// The metric of the candidate.
    pub candidate: Result<Figure, Missing>,
    /// The metric of the stable version.
    pub stable: Result<Figure, Missing>,
    /// Candidate less stable, in the metric's unit.
    pub effect: Result<Figure, Missing>,
    /// The effect as a fraction of stable's value (0.1: the metric is 10 % higher).
    pub relative: Result<Figure, Missing>,
}

/// What a comparison says now.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Shown, with the promised confidence: worse than stable by more than the margin. Stays so for the rest of the rollout.
    Worse(Finding),
    /// Enough was seen, and it does not show that.
    NotShown(Finding),
    /// Neither shown nor enough seen in this step.
    NotEnough {
        /// Observations of the version that has fewer, in this step.
        have: f64,
        /// Observations that this step needs of each version.
        need: f64,
        /// What there is so far.
        finding: Finding,
    },
}

impl Verdict {
    /// The verdict for `finding` when the scarcer version of the step has `have` of `need` observations.
    pub(super) fn of(finding: Finding, have: f64, need: f64) -> Self {
        if finding.p_value <= finding.alpha {
            Self::Worse(finding)
        } else if have < need {
            Self::NotEnough { have, need, finding }
        } else {
            Self::NotShown(finding)
        }
    }

    /// The figures.
    pub fn finding(&self) -> &Finding {
        match self {
            Self::Worse(finding) | Self::NotShown(finding) | Self::NotEnough { finding, .. } => finding,
        }
    }

    /// The candidate has failed.
    pub fn is_worse(&self) -> bool {
        matches!(self, Self::Worse(_))
    }
}
