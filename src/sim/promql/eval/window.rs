//! Stored samples and subqueries: everything that looks at a time other than the step's.

use std::collections::VecDeque;

use super::Evaluator;
use super::series::{Series, Steps, unify};
use crate::sim::promql::answer::Range as RangeAnswer;
use crate::sim::promql::functions::{Window, WindowFunction};
use crate::sim::promql::labels::Labels;
use crate::sim::promql::plan::{Range, Scalar, Selector, Shift, Vector};
use crate::sim::promql::query::QueryError;
use crate::sim::promql::storage::{Sample, is_stale};

/// What a metric's name ends in when it is a counter.
const COUNTER_ENDINGS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// A series with every sample that some step's span may hold; none is a stale marker.
struct Stretch {
    labels: Labels,
    samples: Vec<Sample>,
}

/// Series for spans of time.
struct Stretches {
    series: Vec<Stretch>,
    range_ms: i64,
    shift: Shift,
}

/// The samples of a span that is open on the left.
fn between(samples: &[Sample], start_ms: i64, end_ms: i64) -> &[Sample] {
    let from = samples.partition_point(|sample| sample.at_ms <= start_ms);
    let to = samples.partition_point(|sample| sample.at_ms <= end_ms);
    if from < to { &samples[from..to] } else { &[] }
}

/// The last sample at a time, if it is no older than the lookback (open on the left) and the series has not ended.
fn latest(samples: &VecDeque<Sample>, at_ms: i64, lookback_ms: i64) -> Option<Sample> {
    let next = samples.partition_point(|sample| sample.at_ms <= at_ms);
    let sample = *samples.get(next.checked_sub(1)?)?;
    (sample.at_ms > at_ms - lookback_ms && !is_stale(sample.value)).then_some(sample)
}

impl Evaluator<'_> {
    /// The value of each selected series at each step, or what else `read` takes from its latest sample.
    pub(super) fn select(&self, selector: &Selector, read: fn(Sample) -> f64) -> Result<Vec<Series>, QueryError> {
        let mut found = Vec::new();
        for (labels, samples) in self.storage.select(&selector.matchers) {
            let at_step = |step_ms| latest(samples, selector.shift.seen_at(step_ms), self.options.lookback_ms).map(read);
            let values: Vec<Option<f64>> = self.steps.times().map(at_step).collect();
            if values.iter().any(Option::is_some) {
                self.hold(values.len())?;
                found.push(Series { labels: labels.clone(), values });
            }
        }
        Ok(found)
    }

    /// A function of a span of time.
    pub(super) fn window(&self, function: &WindowFunction, range: &Range, parameter: Option<&Scalar>) -> Result<Vec<Series>, QueryError> {
        let parameters = parameter.map(|parameter| self.scalar(parameter)).transpose()?;
        let stretches = self.stretches(range)?;
        let mut results = Vec::new();
        for stretch in &stretches.series {
            let values = self.over_steps(function, &stretches, stretch, parameters.as_deref());
            if values.iter().any(Option::is_some) {
                self.hold(values.len())?;
                self.note(function, stretch);
                let labels = if function.keeps_name { stretch.labels.clone() } else { stretch.labels.without_metadata() };
                results.push(Series { labels, values });
            }
        }
        unify(results, self.steps.count())
    }

    fn over_steps(
        &self,
        function: &WindowFunction,
        stretches: &Stretches,
        stretch: &Stretch,
        parameters: Option<&[f64]>,
    ) -> Vec<Option<f64>> {
        let at_step = |(step, step_ms): (usize, i64)| {
            let end_ms = stretches.shift.seen_at(step_ms);
            let start_ms = end_ms - stretches.range_ms;
            let samples = between(&stretch.samples, start_ms, end_ms);
            if samples.is_empty() {
                return None;
            }
            let parameter = parameters.map_or(f64::NAN, |parameters| parameters[step]);
            if function.of_quantile {
                self.notes.borrow_mut().check_quantile(parameter);
            }
            (function.apply)(&Window { samples, start_ms, end_ms, step_ms, parameter })
        };
        self.steps.times().enumerate().map(at_step).collect()
    }

    fn note(&self, function: &WindowFunction, stretch: &Stretch) {
        let name = stretch.labels.metric_name();
        if function.of_counter && !name.is_empty() && !COUNTER_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            self.notes
                .borrow_mut()
                .inform(format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"));
        }
    }

    /// 1 at the steps in whose span no series has a sample.
    pub(super) fn absent_over_time(&self, range: &Range, labels: &Labels) -> Result<Vec<Series>, QueryError> {
        let stretches = self.stretches(range)?;
        let empty = |step_ms| {
            let end_ms = stretches.shift.seen_at(step_ms);
            stretches.series.iter().all(|stretch| between(&stretch.samples, end_ms - stretches.range_ms, end_ms).is_empty())
        };
        let values: Vec<Option<f64>> = self.steps.times().map(|step_ms| empty(step_ms).then_some(1.0)).collect();
        let series = Series { labels: labels.clone(), values };
        Ok(Some(series).filter(|series| series.values.iter().any(Option::is_some)).into_iter().collect())
    }

    /// A range vector as the answer of a query for one time.
    pub fn whole_range(&self, range: &Range) -> Result<Vec<RangeAnswer>, QueryError> {
        let stretches = self.stretches(range)?;
        let end_ms = stretches.shift.seen_at(self.steps.start_ms);
        let answers = stretches.series.into_iter().map(|stretch| {
            let samples = between(&stretch.samples, end_ms - stretches.range_ms, end_ms);
            let points = samples.iter().map(|sample| (sample.at_ms, sample.value)).collect();
            RangeAnswer { labels: stretch.labels, points }
        });
        Ok(answers.filter(|answer| !answer.points.is_empty()).collect())
    }

    fn stretches(&self, range: &Range) -> Result<Stretches, QueryError> {
        match range {
            Range::Select { selector, range_ms } => {
                Ok(Stretches { series: self.stored(selector, *range_ms)?, range_ms: *range_ms, shift: selector.shift })
            }
            Range::Subquery { vector, range_ms, step_ms, shift } => {
                Ok(Stretches { series: self.subquery(vector, *range_ms, *step_ms, *shift)?, range_ms: *range_ms, shift: *shift })
            }
        }
    }

    fn stored(&self, selector: &Selector, range_ms: i64) -> Result<Vec<Stretch>, QueryError> {
        let (Some(first), Some(last)) = (self.steps.times().next(), self.steps.times().last()) else { return Ok(Vec::new()) };
        let (start_ms, end_ms) = (selector.shift.seen_at(first) - range_ms, selector.shift.seen_at(last));
        let mut found = Vec::new();
        for (labels, samples) in self.storage.select(&selector.matchers) {
            let from = samples.partition_point(|sample| sample.at_ms <= start_ms);
            let to = samples.partition_point(|sample| sample.at_ms <= end_ms).max(from);
            let samples: Vec<Sample> = samples.range(from..to).filter(|sample| !is_stale(sample.value)).copied().collect();
            if !samples.is_empty() {
                self.hold(samples.len())?;
                found.push(Stretch { labels: labels.clone(), samples });
            }
        }
        Ok(found)
    }

    /// The values of a vector at the multiples of a step within the span.
    fn subquery(&self, vector: &Vector, range_ms: i64, step_ms: Option<i64>, shift: Shift) -> Result<Vec<Stretch>, QueryError> {
        let (Some(first), Some(last)) = (self.steps.times().next(), self.steps.times().last()) else { return Ok(Vec::new()) };
        let step_ms = step_ms.unwrap_or(self.options.subquery_step_ms);
        let open_ms = shift.seen_at(first) - range_ms;
        let start_ms = step_ms * (open_ms / step_ms);
        let start_ms = if start_ms <= open_ms { start_ms + step_ms } else { start_ms };
        let steps = Steps { start_ms, end_ms: shift.seen_at(last), step_ms };
        // Every step costs at least one value: a limit before anything is laid out for them.
        self.hold(steps.count())?;
        let series = self.within(steps, |inner| inner.vector(vector))?;
        let sample = |(at_ms, value): (i64, Option<f64>)| value.filter(|value| !is_stale(*value)).map(|value| Sample { at_ms, value });
        let stretch =
            |series: Series| Stretch { labels: series.labels, samples: steps.times().zip(series.values).filter_map(sample).collect() };
        Ok(series.into_iter().map(stretch).collect())
    }

    /// Whether at a step there is anything at all; for `absent`.
    pub(super) fn absent(&self, series: &[Series], labels: &Labels) -> Vec<Series> {
        let empty = |step: usize| series.iter().all(|series| series.values[step].is_none());
        let values: Vec<Option<f64>> = (0..self.steps.count()).map(|step| empty(step).then_some(1.0)).collect();
        let series = Series { labels: labels.clone(), values };
        Some(series).filter(|series| series.values.iter().any(Option::is_some)).into_iter().collect()
    }
}
