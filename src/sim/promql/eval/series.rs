//! Steps, and series with a value or none at each.

use std::collections::BTreeMap;

use crate::sim::promql::labels::Labels;
use crate::sim::promql::query::QueryError;

/// The times an expression is evaluated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first.
    pub start_ms: i64,
    /// None is later than this.
    pub end_ms: i64,
    /// Between two; positive.
    pub step_ms: i64,
}

impl Steps {
    /// A single time.
    pub fn one(at_ms: i64) -> Self {
        Self { start_ms: at_ms, end_ms: at_ms, step_ms: 1 }
    }

    /// How many.
    pub fn count(self) -> usize {
        if self.end_ms < self.start_ms {
            0
        } else {
            usize::try_from((self.end_ms - self.start_ms) / self.step_ms + 1).unwrap_or(usize::MAX)
        }
    }

    /// All of them.
    pub fn times(self) -> impl Iterator<Item = i64> {
        (0..self.count() as i64).map(move |step| self.start_ms + step * self.step_ms)
    }
}

/// One series over all steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Whose values.
    pub labels: Labels,
    /// One entry for each step.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// Changes each value that is there.
    pub fn map(mut self, change: impl Fn(usize, f64) -> f64) -> Self {
        for (step, value) in self.values.iter_mut().enumerate() {
            *value = value.map(|value| change(step, value));
        }
        self
    }

    /// The same as another metric.
    pub fn without_metadata(mut self) -> Self {
        self.labels = self.labels.without_metadata();
        self
    }
}

/// Collects values by labels, in the order in which labels first come.
pub struct Collector {
    count: usize,
    places: BTreeMap<Labels, usize>,
    series: Vec<Series>,
}

impl Collector {
    /// For so many steps.
    pub fn new(count: usize) -> Self {
        Self { count, places: BTreeMap::new(), series: Vec::new() }
    }

    /// The place of these labels.
    pub fn place(&mut self, labels: &Labels) -> usize {
        if let Some(place) = self.places.get(labels) {
            return *place;
        }
        let place = self.series.len();
        self.places.insert(labels.clone(), place);
        self.series.push(Series { labels: labels.clone(), values: vec![None; self.count] });
        place
    }

    /// Sets the value at a step; a second one there is an error.
    pub fn put(&mut self, place: usize, step: usize, value: f64) -> Result<(), QueryError> {
        match self.series[place].values[step].replace(value) {
            None => Ok(()),
            Some(_) => Err(QueryError::execution("vector cannot contain metrics with the same labelset")),
        }
    }

    /// The series that got a value.
    pub fn finish(self) -> Vec<Series> {
        self.series.into_iter().filter(|series| series.values.iter().any(Option::is_some)).collect()
    }
}

/// Makes one series of those with the same labels.
pub fn unify(series: Vec<Series>, count: usize) -> Result<Vec<Series>, QueryError> {
    let mut sorted: Vec<&Labels> = series.iter().map(|series| &series.labels).collect();
    sorted.sort();
    if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
        return Ok(series);
    }
    let mut collector = Collector::new(count);
    for series in series {
        let place = collector.place(&series.labels);
        for (step, value) in series.values.into_iter().enumerate() {
            if let Some(value) = value {
                collector.put(place, step, value)?;
            }
        }
    }
    Ok(collector.finish())
}
