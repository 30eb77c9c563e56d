//! From the parser's tree to a plan.

use promql_parser::parser::{AtModifier, Expr as Parsed, Offset, VectorSelector};

use super::{Expr, Range, Scalar, Selector, Shift, Vector, calls, operators};
use crate::promql;
use crate::sim::promql::matcher::{self, Matcher};
use crate::sim::promql::query::QueryError;

/// The steps a query is asked for, in milliseconds: `@ start()` and `@ end()` mean these.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start_ms: i64,
    pub end_ms: i64,
}

/// Reads a query.
pub fn parse(text: &str, start_ms: i64, end_ms: i64) -> Result<Expr, QueryError> {
    let parsed = promql::parse(text).map_err(QueryError::bad_data)?;
    build(&parsed, Span { start_ms, end_ms })
}

/// Reads the selector of a `match[]` parameter.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, QueryError> {
    match promql::parse(text).map_err(QueryError::bad_data)? {
        Parsed::VectorSelector(VectorSelector { name, matchers, offset: None, at: None }) => matcher::compile(name.as_deref(), &matchers),
        _ => Err(QueryError::bad_data(format!("{text:?} is no series selector"))),
    }
}

pub fn build(parsed: &Parsed, span: Span) -> Result<Expr, QueryError> {
    Ok(match parsed {
        Parsed::NumberLiteral(number) => Expr::Scalar(Scalar::Number(number.val)),
        Parsed::StringLiteral(text) => Expr::Text(text.val.clone()),
        Parsed::Paren(inner) => build(&inner.expr, span)?,
        Parsed::Unary(negated) => match build(&negated.expr, span)? {
            Expr::Scalar(scalar) => Expr::Scalar(Scalar::Negate(Box::new(scalar))),
            Expr::Vector(vector) => Expr::Vector(Vector::Negate(Box::new(vector))),
            other => return Err(unexpected("scalar or instant vector", &other, "unary expression")),
        },
        Parsed::VectorSelector(selector) => Expr::Vector(Vector::Select(select(selector, span)?)),
        Parsed::MatrixSelector(matrix) => {
            Expr::Range(Range::Select { selector: select(&matrix.vs, span)?, range_ms: milliseconds(matrix.range)? })
        }
        Parsed::Subquery(subquery) => Expr::Range(Range::Subquery {
            vector: Box::new(vector(&subquery.expr, span, "subquery")?),
            range_ms: milliseconds(subquery.range)?,
            step_ms: subquery.step.map(milliseconds).transpose()?,
            shift: shift(subquery.offset.as_ref(), subquery.at.as_ref(), span)?,
        }),
        Parsed::Call(call) => calls::build(call, span)?,
        Parsed::Binary(binary) => operators::binary(binary, span)?,
        Parsed::Aggregate(aggregate) => Expr::Vector(operators::aggregate(aggregate, span)?),
        Parsed::Extension(_) => return Err(QueryError::lacking("extensions of the grammar")),
    })
}

/// An argument that must be an instant vector.
pub fn vector(parsed: &Parsed, span: Span, place: &str) -> Result<Vector, QueryError> {
    match build(parsed, span)? {
        Expr::Vector(vector) => Ok(vector),
        other => Err(unexpected("instant vector", &other, place)),
    }
}

/// An argument that must be a scalar.
pub fn scalar(parsed: &Parsed, span: Span, place: &str) -> Result<Scalar, QueryError> {
    match build(parsed, span)? {
        Expr::Scalar(scalar) => Ok(scalar),
        other => Err(unexpected("scalar", &other, place)),
    }
}

/// An argument that must be a range vector.
pub fn range(parsed: &Parsed, span: Span, place: &str) -> Result<Range, QueryError> {
    match build(parsed, span)? {
        Expr::Range(range) => Ok(range),
        other => Err(unexpected("range vector", &other, place)),
    }
}

/// An argument that must be a text.
pub fn text(parsed: &Parsed, span: Span, place: &str) -> Result<String, QueryError> {
    match build(parsed, span)? {
        Expr::Text(text) => Ok(text),
        other => Err(unexpected("string", &other, place)),
    }
}

fn unexpected(wanted: &str, got: &Expr, place: &str) -> QueryError {
    QueryError::bad_data(format!("expected type {wanted} in {place}, got {}", got.kind()))
}

fn select(selector: &VectorSelector, span: Span) -> Result<Selector, QueryError> {
    let matchers = matcher::compile(selector.name.as_deref(), &selector.matchers)?;
    Ok(Selector { matchers, shift: shift(selector.offset.as_ref(), selector.at.as_ref(), span)? })
}

fn shift(offset: Option<&Offset>, at: Option<&AtModifier>, span: Span) -> Result<Shift, QueryError> {
    let offset_ms = match offset {
        None => 0,
        Some(Offset::Pos(back)) => milliseconds(*back)?,
        Some(Offset::Neg(forward)) => -milliseconds(*forward)?,
    };
    let at_ms = match at {
        None => None,
        Some(AtModifier::Start) => Some(span.start_ms),
        Some(AtModifier::End) => Some(span.end_ms),
        Some(AtModifier::At(time)) => Some(match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => milliseconds(after)?,
            Err(before) => -milliseconds(before.duration())?,
        }),
    };
    Ok(Shift { offset_ms, at_ms })
}

/// Prometheus counts in milliseconds: what is finer is cut off.
fn milliseconds(duration: std::time::Duration) -> Result<i64, QueryError> {
    // A part of what fits, so that sums of a few such numbers cannot overflow.
    i64::try_from(duration.as_millis()).ok().filter(|ms| *ms < i64::MAX / 16).ok_or_else(|| QueryError::bad_data("duration out of range"))
}
