//! Aggregations: which series make a group, and what becomes of it at each step.

use std::collections::BTreeMap;

use super::Evaluator;
use super::series::{Collector, Series};
use super::vector::by_value;
use crate::sim::promql::functions::quantile::quantile;
use crate::sim::promql::labels::Labels;
use crate::sim::promql::plan::{Aggregate, Grouping, Scalar, Vector};
use crate::sim::promql::query::QueryError;

/// Series of the same group, in the order in which groups first come.
struct Groups {
    labels: Vec<Labels>,
    members: Vec<Vec<usize>>,
}

fn groups(series: &[Series], grouping: &Grouping) -> Groups {
    let mut places: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut groups = Groups { labels: Vec::new(), members: Vec::new() };
    for (index, series) in series.iter().enumerate() {
        let key = grouping.key(&series.labels);
        let place = *places.entry(key).or_insert_with_key(|key| {
            groups.labels.push(key.clone());
            groups.members.push(Vec::new());
            groups.labels.len() - 1
        });
        groups.members[place].push(index);
    }
    groups
}

impl Evaluator<'_> {
    pub(super) fn aggregate(&self, aggregate: &Aggregate, grouping: &Grouping, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        match aggregate {
            Aggregate::Values(aggregation) => self.each_group(&self.vector(vector)?, grouping, |_, values| aggregation(values)),
            Aggregate::Quantile(parameter) => {
                let quantiles = self.scalar(parameter)?;
                let series = self.vector(vector)?;
                quantiles.iter().for_each(|quantile| self.notes.borrow_mut().check_quantile(*quantile));
                self.each_group(&series, grouping, |step, values| quantile(quantiles[step], values))
            }
            Aggregate::Best { count, largest } => self.best(count, *largest, grouping, vector),
            Aggregate::CountValues(label) => self.count_values(label, grouping, vector),
        }
    }

    fn each_group(&self, series: &[Series], grouping: &Grouping, value: impl Fn(usize, &[f64]) -> f64) -> Result<Vec<Series>, QueryError> {
        let groups = groups(series, grouping);
        let mut results = Vec::with_capacity(groups.labels.len());
        let mut present = Vec::new();
        for (labels, members) in groups.labels.into_iter().zip(groups.members) {
            self.hold(self.steps.count())?;
            let mut at_step = |step: usize| {
                present.clear();
                present.extend(members.iter().filter_map(|member| series[*member].values[step]));
                (!present.is_empty()).then(|| value(step, &present))
            };
            results.push(Series { labels, values: (0..self.steps.count()).map(&mut at_step).collect() });
        }
        Ok(results)
    }

    /// The k largest or smallest of each group, best first; NaN is worse than anything.
    fn best(&self, count: &Scalar, largest: bool, grouping: &Grouping, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        let counts = self.scalar(count)?;
        let series = self.vector(vector)?;
        if !counts.iter().any(|count| *count >= 1.0 || count.is_nan()) {
            return Ok(Vec::new());
        }
        if counts.iter().any(|count| count.is_nan()) {
            return Err(QueryError::execution("Parameter value is NaN"));
        }
        if let Some(count) = counts.iter().find(|count| **count >= i64::MAX as f64 || **count <= i64::MIN as f64) {
            return Err(QueryError::execution(format!("Scalar value {count} does not fit into int64")));
        }
        let groups = groups(&series, grouping);
        let mut collector = Collector::new(self.steps.count());
        for members in &groups.members {
            for (step, count) in counts.iter().enumerate() {
                let mut present: Vec<(usize, f64)> =
                    members.iter().filter_map(|member| series[*member].values[step].map(|value| (*member, value))).collect();
                present.sort_by(|left, right| by_value(left.1, right.1, largest));
                present.truncate(count.max(0.0) as usize);
                for (member, value) in present {
                    let place = collector.place(&series[member].labels);
                    collector.put(place, step, value)?;
                }
            }
        }
        self.hold(self.steps.count() * series.len())?;
        Ok(collector.finish())
    }

    /// Each value as a label, with how often it is there.
    fn count_values(&self, label: &str, grouping: &Grouping, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        if label.is_empty() {
            return Err(QueryError::execution("invalid label name \"\""));
        }
        let mut grouping = grouping.clone();
        if grouping.only {
            grouping.labels.push(label.to_owned());
        }
        let series = self.vector(vector)?;
        let mut counts: BTreeMap<(Labels, usize), f64> = BTreeMap::new();
        for series in &series {
            for (step, value) in series.values.iter().enumerate() {
                if let Some(value) = value {
                    let labels = grouping.key(&series.labels.with(label, &written(*value)));
                    *counts.entry((labels, step)).or_default() += 1.0;
                }
            }
        }
        let mut collector = Collector::new(self.steps.count());
        for ((labels, step), count) in counts {
            let place = collector.place(&labels);
            collector.put(place, step, count)?;
        }
        Ok(collector.finish())
    }
}

/// A number as Prometheus writes it: all digits, no exponent.
pub fn written(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format!("{value}")
    }
}
