//! Instant vectors: which part of the evaluator does what, and the functions of single values.

use super::Evaluator;
use super::series::{Series, Steps, unify};
use crate::sim::promql::functions::maps;
use crate::sim::promql::labels::Labels;
use crate::sim::promql::matcher::anchored;
use crate::sim::promql::plan::{Scalar, Selector, Vector};
use crate::sim::promql::query::QueryError;

impl Evaluator<'_> {
    /// Series with a value or none for each step, in the order that sorting functions gave.
    pub fn vector(&self, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        if self.steps.count() > 1 && vector.is_pinned() { self.once(vector) } else { self.each_step(vector) }
    }

    /// The first step's values at every step.
    fn once(&self, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        let mut series = self.within(Steps::one(self.steps.start_ms), |first| first.vector(vector))?;
        for series in &mut series {
            self.hold(self.steps.count())?;
            series.values = vec![series.values[0]; self.steps.count()];
        }
        Ok(series)
    }

    fn each_step(&self, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        match vector {
            Vector::Select(selector) => self.select(selector, |sample| sample.value),
            Vector::OfScalar(scalar) => Ok(self.without_labels(self.scalar(scalar)?)),
            Vector::Window { function, range, parameter } => self.window(function, range, parameter.as_ref()),
            Vector::AbsentOverTime { range, labels } => self.absent_over_time(range, labels),
            Vector::Absent { vector, labels } => Ok(self.absent(&self.vector(vector)?, labels)),
            Vector::Aggregate { aggregation, grouping, vector } => self.aggregate(aggregation, grouping, vector),
            Vector::WithScalar { operator, vector, scalar, scalar_is_left, as_bool } => {
                self.with_scalar(*operator, vector, scalar, *scalar_is_left, *as_bool)
            }
            Vector::Set { operator, left, right, matching } => self.set(*operator, left, right, &matching.grouping),
            Vector::Combine { operator, left, right, matching, as_bool } => self.combine(*operator, left, right, matching, *as_bool),
            Vector::HistogramQuantile { quantile, vector } => self.histogram_quantile(quantile, vector),
            Vector::HistogramFraction { low, high, vector } => self.histogram_fraction(low, high, vector),
            Vector::Sort { vector, descending } => self.sort(vector, *descending),
            Vector::LabelReplace { vector, to, replacement, from, pattern } => self.label_replace(vector, [to, replacement, from, pattern]),
            Vector::LabelJoin { vector, to, separator, from } => self.label_join(vector, to, separator, from),
            Vector::Negate(_) | Vector::Map(..) | Vector::Round { .. } | Vector::Clamp { .. } | Vector::Timestamp(_) | Vector::Date(..) => {
                self.of_each_value(vector)
            }
        }
    }

    /// A vector of one element without labels.
    fn without_labels(&self, values: Vec<f64>) -> Vec<Series> {
        let values: Vec<Option<f64>> = values.into_iter().map(Some).collect();
        if values.is_empty() { Vec::new() } else { vec![Series { labels: Labels::empty(), values }] }
    }

    fn of_each_value(&self, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        match vector {
            Vector::Negate(inner) => self.mapped(self.vector(inner)?, |_, value| -value),
            Vector::Map(function, inner) => self.mapped(self.vector(inner)?, |_, value| function(value)),
            Vector::Round { vector, to } => {
                let to = self.scalar(to)?;
                self.mapped(self.vector(vector)?, |step, value| maps::round(value, to[step]))
            }
            Vector::Clamp { vector, low, high } => self.clamp(vector, low, high),
            Vector::Timestamp(inner) => {
                let series = match &**inner {
                    Vector::Select(selector) => self.timestamps(selector)?,
                    calculated => {
                        let times: Vec<f64> = self.steps.times().map(|at_ms| at_ms as f64 / 1000.0).collect();
                        self.vector(calculated)?.into_iter().map(|series| series.map(|step, _| times[step])).collect()
                    }
                };
                self.mapped(series, |_, value| value)
            }
            Vector::Date(function, None) => {
                let seconds = self.steps.times().map(|at_ms| (at_ms / 1000) as f64);
                Ok(self.without_labels(seconds.map(function).collect()))
            }
            Vector::Date(function, Some(inner)) => self.mapped(self.vector(inner)?, |_, value| function(value)),
            // Whatever `each_step` does not send here.
            _ => Err(QueryError::execution("this is no function of single values")),
        }
    }

    /// When the samples were taken. As in Prometheus `@` makes this function forget an `offset`.
    fn timestamps(&self, selector: &Selector) -> Result<Vec<Series>, QueryError> {
        let mut selector = selector.clone();
        if selector.shift.at_ms.is_some() {
            selector.shift.offset_ms = 0;
        }
        self.select(&selector, |sample| sample.at_ms as f64 / 1000.0)
    }

    /// Each value changed, and with it the metric.
    fn mapped(&self, series: Vec<Series>, change: impl Fn(usize, f64) -> f64) -> Result<Vec<Series>, QueryError> {
        unify(series.into_iter().map(|series| series.map(&change).without_metadata()).collect(), self.steps.count())
    }

    /// Where the bounds are in the wrong order there is nothing.
    fn clamp(&self, vector: &Vector, low: &Scalar, high: &Scalar) -> Result<Vec<Series>, QueryError> {
        let (low, high) = (self.scalar(low)?, self.scalar(high)?);
        let clamped = self.vector(vector)?.into_iter().map(|mut series| {
            for (step, value) in series.values.iter_mut().enumerate() {
                let out_of_order = high[step] < low[step];
                *value = value.filter(|_| !out_of_order).map(|value| maps::clamp(value, low[step], high[step]));
            }
            series.without_metadata()
        });
        let there = clamped.filter(|series| series.values.iter().any(Option::is_some));
        unify(there.collect(), self.steps.count())
    }

    /// By value where there is one step, NaN last; a range has no such order.
    fn sort(&self, vector: &Vector, descending: bool) -> Result<Vec<Series>, QueryError> {
        let mut series = self.vector(vector)?;
        if self.steps.start_ms != self.steps.end_ms {
            self.notes.borrow_mut().warn("sort is ineffective for range queries since results are always ordered by labels");
            return Ok(series);
        }
        let value = |series: &Series| series.values[0].unwrap_or(f64::NAN);
        series.sort_by(|left, right| by_value(value(left), value(right), descending));
        Ok(series)
    }

    /// `arguments`: target, replacement, source, pattern.
    fn label_replace(&self, vector: &Vector, arguments: [&str; 4]) -> Result<Vec<Series>, QueryError> {
        let [to, replacement, from, pattern] = arguments;
        let invalid = |what: &str| QueryError::execution(format!("invalid {what} in label_replace()"));
        let pattern = anchored(pattern).map_err(|_| invalid(&format!("regular expression {pattern:?}")))?;
        if to.is_empty() {
            return Err(invalid("destination label name"));
        }
        let replaced = self.vector(vector)?.into_iter().map(|mut series| {
            if let Some(captures) = pattern.captures(series.labels.get(from)) {
                let mut value = String::new();
                captures.expand(replacement, &mut value);
                series.labels = series.labels.with(to, &value);
            }
            series
        });
        unify(replaced.collect(), self.steps.count())
    }

    fn label_join(&self, vector: &Vector, to: &str, separator: &str, from: &[String]) -> Result<Vec<Series>, QueryError> {
        if to.is_empty() || from.iter().any(String::is_empty) {
            return Err(QueryError::execution("invalid label name in label_join()"));
        }
        let joined = self.vector(vector)?.into_iter().map(|mut series| {
            let values: Vec<&str> = from.iter().map(|name| series.labels.get(name)).collect();
            series.labels = series.labels.with(to, &values.join(separator));
            series
        });
        unify(joined.collect(), self.steps.count())
    }
}

/// The order of two values, NaN last whichever way it goes.
pub(super) fn by_value(left: f64, right: f64, descending: bool) -> std::cmp::Ordering {
    let order = left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()));
    if descending && !left.is_nan() && !right.is_nan() { order.reverse() } else { order }
}
