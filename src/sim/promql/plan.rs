//! A query, typed and ready to be played.
//!
//! Takes a text and the time span it is asked for; gives an [`Expr`] in which kinds fit, `@ start()` and `@ end()` are times,
//! matchers are compiled and functions are chosen, or Prometheus' `bad_data`. What this engine lacks is refused here, by name.
//! Never evaluates anything.

mod build;
mod calls;
mod operators;
mod pinned;

pub use self::build::{parse, parse_selector};
use super::functions::{Aggregation, DateFunction, MapFunction, WindowFunction};
use super::labels::Labels;
use super::matcher::Matcher;

/// A query of any kind.
#[derive(Clone, Debug)]
pub enum Expr {
    /// One number per step.
    Scalar(Scalar),
    /// Any number of series with at most one value per step.
    Vector(Vector),
    /// Series with the samples of a span of time.
    Range(Range),
    /// A text.
    Text(String),
}

impl Expr {
    /// What Prometheus calls this kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            Self::Vector(_) => "instant vector",
            Self::Range(_) => "range vector",
            Self::Text(_) => "string",
        }
    }
}

/// A number per step.
#[derive(Clone, Debug)]
pub enum Scalar {
    /// The same number at every step.
    Number(f64),
    /// The time of the step in seconds.
    Time,
    /// The value of the only element, or NaN.
    OfVector(Box<Vector>),
    /// The other sign.
    Negate(Box<Scalar>),
    /// Arithmetic, or a comparison that gives 0 or 1.
    Binary(Operator, Box<Scalar>, Box<Scalar>),
}

/// Series with at most one value per step.
#[derive(Clone, Debug)]
pub enum Vector {
    /// Stored series.
    Select(Selector),
    /// One element without labels.
    OfScalar(Scalar),
    /// The other sign.
    Negate(Box<Vector>),
    /// A function of each value.
    Map(MapFunction, Box<Vector>),
    /// Values moved into bounds.
    Clamp { vector: Box<Vector>, low: Scalar, high: Scalar },
    /// Values rounded to a multiple.
    Round { vector: Box<Vector>, to: Scalar },
    /// A part of a date; of the step's time without an argument.
    Date(DateFunction, Option<Box<Vector>>),
    /// When the sample was taken, or the step's time for what was calculated.
    Timestamp(Box<Vector>),
    /// 1 where there is nothing.
    Absent { vector: Box<Vector>, labels: Labels },
    /// 1 where there was nothing.
    AbsentOverTime { range: Range, labels: Labels },
    /// A function of the samples in a span of time.
    Window { function: &'static WindowFunction, range: Range, parameter: Option<Scalar> },
    /// Ordered by value, where a query has one step.
    Sort { vector: Box<Vector>, descending: bool },
    /// One label made from another by a regular expression.
    LabelReplace { vector: Box<Vector>, to: String, replacement: String, from: String, pattern: String },
    /// One label made from others.
    LabelJoin { vector: Box<Vector>, to: String, separator: String, from: Vec<String> },
    /// A quantile of classic buckets.
    HistogramQuantile { quantile: Scalar, vector: Box<Vector> },
    /// The fraction of observations between two values, of classic buckets.
    HistogramFraction { low: Scalar, high: Scalar, vector: Box<Vector> },
    /// Series brought together.
    Aggregate { aggregation: Aggregate, grouping: Grouping, vector: Box<Vector> },
    /// A vector and a number.
    WithScalar { operator: Operator, vector: Box<Vector>, scalar: Scalar, scalar_is_left: bool, as_bool: bool },
    /// `and`, `or`, `unless`.
    Set { operator: SetOperator, left: Box<Vector>, right: Box<Vector>, matching: Matching },
    /// Two vectors, element by element.
    Combine { operator: Operator, left: Box<Vector>, right: Box<Vector>, matching: Matching, as_bool: bool },
}

/// Series with the samples of a span of time.
#[derive(Clone, Debug)]
pub enum Range {
    /// Stored samples.
    Select { selector: Selector, range_ms: i64 },
    /// The values of a vector at steps of its own.
    Subquery { vector: Box<Vector>, range_ms: i64, step_ms: Option<i64>, shift: Shift },
}

/// When to look, seen from a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Back by so many milliseconds; negative: forward.
    pub offset_ms: i64,
    /// From this time instead of the step's.
    pub at_ms: Option<i64>,
}

impl Shift {
    /// The time that is looked at by a step.
    pub fn seen_at(self, step_ms: i64) -> i64 {
        self.at_ms.unwrap_or(step_ms) - self.offset_ms
    }
}

/// Which stored series, and when.
#[derive(Clone, Debug)]
pub struct Selector {
    /// All must hold.
    pub matchers: Vec<Matcher>,
    /// When to look.
    pub shift: Shift,
}

/// Arithmetic and comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

/// Operators on sets of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    And,
    Or,
    Unless,
}

/// Which labels two elements must agree in, or which make a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// The named labels only (`on`, `by`) or all but these (`ignoring`, `without`).
    pub only: bool,
    /// The named labels.
    pub labels: Vec<String>,
}

impl Grouping {
    /// What is left of labels for finding the partner or the group.
    pub fn key(&self, labels: &Labels) -> Labels {
        labels.filtered(|name| {
            let named = self.labels.iter().any(|label| label == name);
            if self.only { named } else { !named && !super::labels::is_metadata(name) }
        })
    }
}

/// Which side may have several elements for one of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// Neither.
    None,
    /// `group_left`.
    Left,
    /// `group_right`.
    Right,
}

/// How elements of two vectors find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// What partners agree in.
    pub grouping: Grouping,
    /// The side with several elements for one.
    pub many: Many,
    /// Labels taken over from the side with one element.
    pub include: Vec<String>,
}

/// An aggregation with what it needs.
#[derive(Clone, Debug)]
pub enum Aggregate {
    /// One value of each group.
    Values(Aggregation),
    /// A quantile of each group.
    Quantile(Scalar),
    /// The k largest or smallest elements of each group.
    Best { count: Scalar, largest: bool },
    /// How often each value occurs in a group, with the value in a label.
    CountValues(String),
}
