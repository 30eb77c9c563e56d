//! Which parts of a query are the same at every step, because `@` pins all that they look at.
//!
//! Prometheus evaluates such a part once, for the first step. It shows: an aggregation counts as pinned whatever its parameter
//! is, so that of `topk(time() / 60, m @ 60)` the first step's parameter holds throughout. Functions that look at the step's
//! time are never pinned.

use super::{Range, Scalar, Vector};

impl Vector {
    /// Whether every step gives the same.
    pub fn is_pinned(&self) -> bool {
        match self {
            Self::Select(selector) => selector.shift.at_ms.is_some(),
            Self::Date(..) => false,
            Self::Timestamp(inner) => matches!(&**inner, Self::Select(selector) if selector.shift.at_ms.is_some()),
            Self::OfScalar(scalar) => scalar.is_pinned(),
            Self::Negate(vector)
            | Self::Map(_, vector)
            | Self::Absent { vector, .. }
            | Self::Sort { vector, .. }
            | Self::LabelReplace { vector, .. }
            | Self::LabelJoin { vector, .. }
            | Self::Aggregate { vector, .. } => vector.is_pinned(),
            Self::Round { vector, to: scalar }
            | Self::HistogramQuantile { quantile: scalar, vector }
            | Self::WithScalar { vector, scalar, .. } => vector.is_pinned() && scalar.is_pinned(),
            Self::Clamp { vector, low, high } | Self::HistogramFraction { low, high, vector } => {
                vector.is_pinned() && low.is_pinned() && high.is_pinned()
            }
            Self::AbsentOverTime { range, .. } => range.is_pinned(),
            Self::Window { function, range, parameter } => {
                !function.of_step_time && range.is_pinned() && parameter.as_ref().is_none_or(Scalar::is_pinned)
            }
            Self::Set { left, right, .. } | Self::Combine { left, right, .. } => left.is_pinned() && right.is_pinned(),
        }
    }
}

impl Scalar {
    fn is_pinned(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Time => false,
            Self::OfVector(vector) => vector.is_pinned(),
            Self::Negate(inner) => inner.is_pinned(),
            Self::Binary(_, left, right) => left.is_pinned() && right.is_pinned(),
        }
    }
}

impl Range {
    fn is_pinned(&self) -> bool {
        match self {
            Self::Select { selector, .. } => selector.shift.at_ms.is_some(),
            Self::Subquery { shift, .. } => shift.at_ms.is_some(),
        }
    }
}
