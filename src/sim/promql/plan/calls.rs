//! Function calls of a plan.

use promql_parser::label::{MatchOp, Matcher as ParsedMatcher};
use promql_parser::parser::{Call, Expr as Parsed, VectorSelector};

use super::build::{self, Span};
use super::{Expr, Scalar, Vector};
use crate::sim::promql::functions::{DATE_FUNCTIONS, MAP_FUNCTIONS, WINDOW_FUNCTIONS};
use crate::sim::promql::labels::{Labels, is_metadata};
use crate::sim::promql::query::QueryError;

/// What needs samples that are histograms themselves.
const NATIVE_ONLY: [&str; 5] = ["histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"];

/// The arguments of a call, read by place and kind.
struct Arguments<'a> {
    call: &'a Call,
    span: Span,
}

impl<'a> Arguments<'a> {
    fn len(&self) -> usize {
        self.call.args.args.len()
    }

    fn place(&self) -> String {
        format!("call to function {:?}", self.call.func.name)
    }

    fn at(&self, index: usize) -> Result<&'a Parsed, QueryError> {
        let missing = || QueryError::bad_data(format!("argument {} is missing in {}", index + 1, self.place()));
        self.call.args.args.get(index).map(|argument| &**argument).ok_or_else(missing)
    }

    fn vector(&self, index: usize) -> Result<Box<Vector>, QueryError> {
        build::vector(self.at(index)?, self.span, &self.place()).map(Box::new)
    }

    fn scalar(&self, index: usize) -> Result<Scalar, QueryError> {
        build::scalar(self.at(index)?, self.span, &self.place())
    }

    fn text(&self, index: usize) -> Result<String, QueryError> {
        build::text(self.at(index)?, self.span, &self.place())
    }
}

pub fn build(call: &Call, span: Span) -> Result<Expr, QueryError> {
    let name = call.func.name;
    let arguments = Arguments { call, span };
    if let Some(scalar) = scalar(name, &arguments)? {
        return Ok(Expr::Scalar(scalar));
    }
    for family in [simple, window, special, histogram] {
        if let Some(vector) = family(name, &arguments)? {
            return Ok(Expr::Vector(vector));
        }
    }
    Err(QueryError::lacking(match NATIVE_ONLY.contains(&name) {
        true => format!("native histograms, and with them {name}()"),
        false if call.func.experimental => format!("the experimental function {name}()"),
        false => format!("the function {name}()"),
    }))
}

fn scalar(name: &str, arguments: &Arguments<'_>) -> Result<Option<Scalar>, QueryError> {
    Ok(Some(match name {
        "time" => Scalar::Time,
        "pi" => Scalar::Number(std::f64::consts::PI),
        "scalar" => Scalar::OfVector(arguments.vector(0)?),
        _ => return Ok(None),
    }))
}

/// Functions of each value.
fn simple(name: &str, arguments: &Arguments<'_>) -> Result<Option<Vector>, QueryError> {
    if let Some((_, function)) = MAP_FUNCTIONS.iter().find(|(known, _)| *known == name) {
        return Ok(Some(Vector::Map(*function, arguments.vector(0)?)));
    }
    if let Some((_, function)) = DATE_FUNCTIONS.iter().find(|(known, _)| *known == name) {
        let argument = if arguments.len() == 0 { None } else { Some(arguments.vector(0)?) };
        return Ok(Some(Vector::Date(*function, argument)));
    }
    let (lowest, highest) = (Scalar::Number(f64::NEG_INFINITY), Scalar::Number(f64::INFINITY));
    Ok(Some(match name {
        "clamp" => Vector::Clamp { vector: arguments.vector(0)?, low: arguments.scalar(1)?, high: arguments.scalar(2)? },
        "clamp_min" => Vector::Clamp { vector: arguments.vector(0)?, low: arguments.scalar(1)?, high: highest },
        "clamp_max" => Vector::Clamp { vector: arguments.vector(0)?, low: lowest, high: arguments.scalar(1)? },
        "round" => {
            let to = if arguments.len() > 1 { arguments.scalar(1)? } else { Scalar::Number(1.0) };
            Vector::Round { vector: arguments.vector(0)?, to }
        }
        "timestamp" => Vector::Timestamp(arguments.vector(0)?),
        "vector" => Vector::OfScalar(arguments.scalar(0)?),
        _ => return Ok(None),
    }))
}

/// Functions of a span of time.
fn window(name: &str, arguments: &Arguments<'_>) -> Result<Option<Vector>, QueryError> {
    if name == "absent_over_time" {
        let range = build::range(arguments.at(0)?, arguments.span, &arguments.place())?;
        return Ok(Some(Vector::AbsentOverTime { range, labels: absent_labels(arguments.at(0)?) }));
    }
    let Some(function) = WINDOW_FUNCTIONS.iter().find(|function| function.name == name) else { return Ok(None) };
    let (range, parameter) = match function.parameter_at {
        None => (0, None),
        Some(parameter) => (1 - parameter, Some(arguments.scalar(parameter)?)),
    };
    let range = build::range(arguments.at(range)?, arguments.span, &arguments.place())?;
    Ok(Some(Vector::Window { function, range, parameter }))
}

fn special(name: &str, arguments: &Arguments<'_>) -> Result<Option<Vector>, QueryError> {
    Ok(Some(match name {
        "absent" => Vector::Absent { vector: arguments.vector(0)?, labels: absent_labels(arguments.at(0)?) },
        "sort" => Vector::Sort { vector: arguments.vector(0)?, descending: false },
        "sort_desc" => Vector::Sort { vector: arguments.vector(0)?, descending: true },
        "label_replace" => Vector::LabelReplace {
            vector: arguments.vector(0)?,
            to: arguments.text(1)?,
            replacement: arguments.text(2)?,
            from: arguments.text(3)?,
            pattern: arguments.text(4)?,
        },
        "label_join" => Vector::LabelJoin {
            vector: arguments.vector(0)?,
            to: arguments.text(1)?,
            separator: arguments.text(2)?,
            from: (3..arguments.len()).map(|index| arguments.text(index)).collect::<Result<_, _>>()?,
        },
        _ => return Ok(None),
    }))
}

fn histogram(name: &str, arguments: &Arguments<'_>) -> Result<Option<Vector>, QueryError> {
    Ok(Some(match name {
        "histogram_quantile" => Vector::HistogramQuantile { quantile: arguments.scalar(0)?, vector: arguments.vector(1)? },
        "histogram_fraction" => {
            Vector::HistogramFraction { low: arguments.scalar(0)?, high: arguments.scalar(1)?, vector: arguments.vector(2)? }
        }
        _ => return Ok(None),
    }))
}

/// The labels that a missing series would have had: those that the selector pins to one value. As in Prometheus a label is left
/// out when its last matcher is no `=`, or not its first `=`.
fn absent_labels(argument: &Parsed) -> Labels {
    let selector: &VectorSelector = match argument {
        Parsed::Paren(inner) => return absent_labels(&inner.expr),
        Parsed::VectorSelector(selector) => selector,
        Parsed::MatrixSelector(matrix) => &matrix.vs,
        _ => return Labels::empty(),
    };
    let is_equal = |matcher: &ParsedMatcher| matches!(matcher.op, MatchOp::Equal);
    let named: Vec<&ParsedMatcher> = selector.matchers.matchers.iter().filter(|matcher| !is_metadata(&matcher.name)).collect();
    let pinned = named.iter().enumerate().filter(|(place, matcher)| {
        let same = |other: &&ParsedMatcher| other.name == matcher.name;
        is_equal(matcher) && !named[..*place].iter().any(|other| same(other) && is_equal(other)) && !named[place + 1..].iter().any(same)
    });
    Labels::new(pinned.map(|(_, matcher)| (matcher.name.as_str(), matcher.value.as_str())))
}
