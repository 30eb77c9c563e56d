//! What a query gives.

use super::labels::Labels;

/// Times in milliseconds with values, in the order of time.
pub type Points = Vec<(i64, f64)>;

/// An element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Instant {
    /// Whose value it is.
    pub labels: Labels,
    /// The value at the time of the query.
    pub value: f64,
}

/// An element of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// Whose values they are.
    pub labels: Labels,
    /// At least one point.
    pub points: Points,
}

/// The value of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A number at a time.
    Scalar(i64, f64),
    /// A text at a time.
    Text(i64, String),
    /// Values at one time, in the order that sorting functions gave.
    Vector(i64, Vec<Instant>),
    /// Values over time, ordered by labels.
    Matrix(Vec<Range>),
}

/// The value of a query and what is to be known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The value.
    pub answer: Answer,
    /// Something is wrong with the query or the data.
    pub warnings: Vec<String>,
    /// Something may be other than meant.
    pub infos: Vec<String>,
}
