//! Queries over the storage.
//!
//! Takes a storage, a text and times in milliseconds; gives a response or an error with Prometheus' type. Never reads a clock:
//! "now" is what the caller says.

use std::collections::BTreeSet;

use super::answer::{Answer, Instant, Range, Response};
use super::eval::{Evaluator, Series, Steps};
use super::labels::Labels;
use super::matcher::Matcher;
use super::notes::Notes;
use super::plan::{self, Expr};
use super::storage::Storage;

/// Most steps of a range query, as in Prometheus.
const STEPS_MAX: i64 = 11_000;
/// No time further from the epoch than this is answered (about 35,000 years): sums of a few cannot overflow.
const TIME_MAX_MS: i64 = 1 << 50;

/// Prometheus' kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// The request makes no sense: 400.
    BadData,
    /// It cannot be answered from the data: 422.
    Execution,
    /// There is no such thing: 404.
    NotFound,
}

impl ErrorType {
    /// As it stands in an answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::NotFound => "not_found",
        }
    }
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Prometheus' kind.
    pub kind: ErrorType,
    /// In words.
    pub message: String,
}

impl QueryError {
    /// The request makes no sense.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self { kind: ErrorType::BadData, message: message.into() }
    }

    /// The data do not allow an answer.
    pub fn execution(message: impl Into<String>) -> Self {
        Self { kind: ErrorType::Execution, message: message.into() }
    }

    /// Prometheus has it, this engine does not.
    pub fn lacking(what: impl Into<String>) -> Self {
        Self::bad_data(format!("not supported by the simulated Prometheus: {}", what.into()))
    }
}

/// What Prometheus has flags for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a sample is the series' value, in milliseconds.
    pub lookback_ms: i64,
    /// Step of a subquery that names none, in milliseconds.
    pub subquery_step_ms: i64,
    /// Most values that one query may take in and calculate, all of its parts added up.
    pub samples_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { lookback_ms: 300_000, subquery_step_ms: 60_000, samples_max: 5_000_000 }
    }
}

/// Answers a query for one time.
pub fn query(storage: &Storage, text: &str, at_ms: i64, options: &Options) -> Result<Response, QueryError> {
    check_time(at_ms)?;
    let expr = plan::parse(text, at_ms, at_ms)?;
    let evaluator = Evaluator::new(storage, options, Steps::one(at_ms));
    let answer = match &expr {
        Expr::Scalar(scalar) => Answer::Scalar(at_ms, evaluator.scalar(scalar)?[0]),
        Expr::Text(text) => Answer::Text(at_ms, text.clone()),
        Expr::Vector(vector) => {
            let series = evaluator.vector(vector)?;
            let instant = |series: Series| series.values[0].map(|value| Instant { labels: series.labels, value });
            Answer::Vector(at_ms, series.into_iter().filter_map(instant).collect())
        }
        Expr::Range(range) => Answer::Matrix(sorted(evaluator.whole_range(range)?)),
    };
    Ok(respond(answer, evaluator.into_notes()))
}

/// Answers a query for each step from `start_ms` to `end_ms`, itself included.
pub fn query_range(
    storage: &Storage,
    text: &str,
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
    options: &Options,
) -> Result<Response, QueryError> {
    check_time(start_ms)?;
    check_time(end_ms)?;
    if end_ms < start_ms {
        return Err(QueryError::bad_data("end timestamp must not be before start time"));
    }
    if step_ms <= 0 {
        return Err(QueryError::bad_data("zero or negative query resolution step widths are not accepted. Try a positive integer"));
    }
    if (end_ms - start_ms) / step_ms > STEPS_MAX {
        return Err(QueryError::bad_data("exceeded maximum resolution of 11,000 points per timeseries. Try a longer step"));
    }
    let expr = plan::parse(text, start_ms, end_ms)?;
    let steps = Steps { start_ms, end_ms, step_ms };
    let evaluator = Evaluator::new(storage, options, steps);
    let series = match &expr {
        Expr::Scalar(scalar) => {
            vec![Series { labels: Labels::empty(), values: evaluator.scalar(scalar)?.into_iter().map(Some).collect() }]
        }
        Expr::Vector(vector) => evaluator.vector(vector)?,
        other => {
            let kind = other.kind();
            return Err(QueryError::bad_data(format!(
                "invalid expression type {kind:?} for range query, must be scalar or instant vector"
            )));
        }
    };
    let points = |series: Series| {
        let points = steps.times().zip(series.values).filter_map(|(at_ms, value)| value.map(|value| (at_ms, value)));
        Range { labels: series.labels, points: points.collect() }
    };
    let ranges: Vec<Range> = series.into_iter().map(points).filter(|range| !range.points.is_empty()).collect();
    Ok(respond(Answer::Matrix(sorted(ranges)), evaluator.into_notes()))
}

fn respond(answer: Answer, notes: Notes) -> Response {
    let (warnings, infos) = notes.into_lists();
    Response { answer, warnings, infos }
}

fn sorted(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by(|left, right| left.labels.cmp(&right.labels));
    ranges
}

fn check_time(at_ms: i64) -> Result<(), QueryError> {
    if at_ms.abs() > TIME_MAX_MS { Err(QueryError::bad_data("time out of range")) } else { Ok(()) }
}

/// Label sets of the series that any of the selectors finds with a sample between two times.
pub fn series(storage: &Storage, selectors: &[Vec<Matcher>], start_ms: i64, end_ms: i64) -> Vec<Labels> {
    let found = selectors.iter().flat_map(|matchers| storage.select(matchers)).filter(|(_, samples)| {
        let from = samples.partition_point(|sample| sample.at_ms < start_ms);
        samples.get(from).is_some_and(|sample| sample.at_ms <= end_ms)
    });
    let unique: BTreeSet<Labels> = found.map(|(labels, _)| labels.clone()).collect();
    unique.into_iter().collect()
}

/// Label names of such series.
pub fn label_names(storage: &Storage, selectors: &[Vec<Matcher>], start_ms: i64, end_ms: i64) -> Vec<String> {
    let series = series(storage, selectors, start_ms, end_ms);
    let names: BTreeSet<&str> = series.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Values of one label of such series.
pub fn label_values(storage: &Storage, name: &str, selectors: &[Vec<Matcher>], start_ms: i64, end_ms: i64) -> Vec<String> {
    let series = series(storage, selectors, start_ms, end_ms);
    let values: BTreeSet<&str> = series.iter().map(|labels| labels.get(name)).filter(|value| !value.is_empty()).collect();
    values.into_iter().map(str::to_owned).collect()
}
