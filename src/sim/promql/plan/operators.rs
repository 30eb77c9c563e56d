//! Binary operators and aggregations of a plan.

use promql_parser::parser::token::{self, TokenId};
use promql_parser::parser::{AggregateExpr, BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality};

use super::build::{self, Span};
use super::{Aggregate, Expr, Grouping, Many, Matching, Operator, Scalar, SetOperator, Vector};
use crate::sim::promql::functions::AGGREGATIONS;
use crate::sim::promql::query::QueryError;

pub fn binary(parsed: &BinaryExpr, span: Span) -> Result<Expr, QueryError> {
    let (left, right) = (build::build(&parsed.lhs, span)?, build::build(&parsed.rhs, span)?);
    let modifier = parsed.modifier.as_ref();
    if modifier.is_some_and(|modifier| modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some()) {
        return Err(QueryError::lacking("the experimental fill modifiers of binary operators"));
    }
    let matching = matching(modifier);
    if let Some(operator) = set_operator(parsed.op.id()) {
        return match (left, right) {
            (Expr::Vector(left), Expr::Vector(right)) => {
                Ok(Expr::Vector(Vector::Set { operator, left: Box::new(left), right: Box::new(right), matching }))
            }
            (left, right) => Err(mismatch(&left, &right)),
        };
    }
    let lacking = || QueryError::lacking(format!("the operator {}", parsed.op));
    arithmetic(operator(parsed.op.id()).ok_or_else(lacking)?, left, right, matching, parsed.return_bool())
}

fn arithmetic(operator: Operator, left: Expr, right: Expr, matching: Matching, as_bool: bool) -> Result<Expr, QueryError> {
    let with_scalar = |vector: Vector, scalar: Scalar, scalar_is_left: bool| {
        Expr::Vector(Vector::WithScalar { operator, vector: Box::new(vector), scalar, scalar_is_left, as_bool })
    };
    match (left, right) {
        (Expr::Scalar(left), Expr::Scalar(right)) => Ok(Expr::Scalar(Scalar::Binary(operator, Box::new(left), Box::new(right)))),
        (Expr::Vector(vector), Expr::Scalar(scalar)) => Ok(with_scalar(vector, scalar, false)),
        (Expr::Scalar(scalar), Expr::Vector(vector)) => Ok(with_scalar(vector, scalar, true)),
        (Expr::Vector(left), Expr::Vector(right)) => {
            Ok(Expr::Vector(Vector::Combine { operator, left: Box::new(left), right: Box::new(right), matching, as_bool }))
        }
        (left, right) => Err(mismatch(&left, &right)),
    }
}

fn mismatch(left: &Expr, right: &Expr) -> QueryError {
    let kinds = format!("{} and {}", left.kind(), right.kind());
    QueryError::bad_data(format!("binary expression must contain only scalar and instant vector types, got {kinds}"))
}

fn operator(id: TokenId) -> Option<Operator> {
    Some(match id {
        token::T_ADD => Operator::Add,
        token::T_SUB => Operator::Subtract,
        token::T_MUL => Operator::Multiply,
        token::T_DIV => Operator::Divide,
        token::T_MOD => Operator::Modulo,
        token::T_POW => Operator::Power,
        token::T_ATAN2 => Operator::Atan2,
        token::T_EQLC => Operator::Equal,
        token::T_NEQ => Operator::NotEqual,
        token::T_GTR => Operator::Greater,
        token::T_LSS => Operator::Less,
        token::T_GTE => Operator::GreaterOrEqual,
        token::T_LTE => Operator::LessOrEqual,
        _ => return None,
    })
}

fn set_operator(id: TokenId) -> Option<SetOperator> {
    Some(match id {
        token::T_LAND => SetOperator::And,
        token::T_LOR => SetOperator::Or,
        token::T_LUNLESS => SetOperator::Unless,
        _ => return None,
    })
}

fn grouping(modifier: Option<&LabelModifier>, only_by_default: bool) -> Grouping {
    match modifier {
        Some(modifier) => Grouping { only: modifier.is_include(), labels: modifier.labels().labels.clone() },
        None => Grouping { only: only_by_default, labels: Vec::new() },
    }
}

fn matching(modifier: Option<&BinModifier>) -> Matching {
    let (many, include) = match modifier.map(|modifier| &modifier.card) {
        Some(VectorMatchCardinality::ManyToOne(labels)) => (Many::Left, labels.labels.clone()),
        Some(VectorMatchCardinality::OneToMany(labels)) => (Many::Right, labels.labels.clone()),
        _ => (Many::None, Vec::new()),
    };
    Matching { grouping: grouping(modifier.and_then(|modifier| modifier.matching.as_ref()), false), many, include }
}

pub fn aggregate(parsed: &AggregateExpr, span: Span) -> Result<Vector, QueryError> {
    let name = parsed.op.to_string();
    let place = "aggregation expression";
    let parameter = || parsed.param.as_deref().ok_or_else(|| QueryError::bad_data(format!("{name} needs a parameter")));
    let number = || build::scalar(parameter()?, span, place);
    let aggregation = match parsed.op.id() {
        token::T_QUANTILE => Aggregate::Quantile(number()?),
        token::T_TOPK => Aggregate::Best { count: number()?, largest: true },
        token::T_BOTTOMK => Aggregate::Best { count: number()?, largest: false },
        token::T_COUNT_VALUES => Aggregate::CountValues(build::text(parameter()?, span, place)?),
        _ => match AGGREGATIONS.iter().find(|(known, _)| *known == name) {
            Some((_, aggregation)) => Aggregate::Values(*aggregation),
            None => return Err(QueryError::lacking(format!("the experimental aggregation {name}"))),
        },
    };
    let vector = Box::new(build::vector(&parsed.expr, span, place)?);
    Ok(Vector::Aggregate { aggregation, grouping: grouping(parsed.modifier.as_ref(), true), vector })
}
