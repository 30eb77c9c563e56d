//! Binary operators on two numbers.

use crate::sim::promql::plan::Operator;

/// What an operator makes of two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// Arithmetic: a number.
    Value(f64),
    /// A comparison: whether it holds.
    Holds(bool),
}

impl Outcome {
    /// A comparison as 0 or 1.
    pub fn as_number(self) -> f64 {
        match self {
            Self::Value(value) => value,
            Self::Holds(holds) => f64::from(u8::from(holds)),
        }
    }
}

/// Applies an operator.
pub fn apply(operator: Operator, left: f64, right: f64) -> Outcome {
    use Outcome::{Holds, Value};
    match operator {
        Operator::Add => Value(left + right),
        Operator::Subtract => Value(left - right),
        Operator::Multiply => Value(left * right),
        Operator::Divide => Value(left / right),
        Operator::Modulo => Value(left % right),
        Operator::Power => Value(left.powf(right)),
        Operator::Atan2 => Value(left.atan2(right)),
        Operator::Equal => Holds(left == right),
        Operator::NotEqual => Holds(left != right),
        Operator::Greater => Holds(left > right),
        Operator::Less => Holds(left < right),
        Operator::GreaterOrEqual => Holds(left >= right),
        Operator::LessOrEqual => Holds(left <= right),
    }
}

/// Whether the result of an operator is another metric than its operand.
pub fn is_arithmetic(operator: Operator) -> bool {
    matches!(apply(operator, 1.0, 1.0), Outcome::Value(_))
}
