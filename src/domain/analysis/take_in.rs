//! How an answer becomes evidence.
//!
//! Takes the state of one metric and what one window said; gives the next state. A window that was taken in before changes nothing;
//! one without data changes nothing but that there is none. Counts go into thresholds and comparisons alike, each exactly once.

use jiff::Timestamp;

use crate::domain::analysis::criteria::{Criteria, Margin, Metric};
use crate::domain::analysis::profile::{Better, Evidence as Counted, Kind, Reading, Share};
use crate::domain::analysis::progress::{Compared, Measured, MetricProgress, Missing, Progress};
use crate::domain::analysis::reading::{Buckets, Proportion};
use crate::domain::analysis::threshold::{Breaches, LastValue, Measurement, Threshold};
use crate::domain::analysis::window::{Question, WINDOW_MAX};
use crate::domain::statistics::Problem;
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::evidence::Evidence;
use crate::domain::statistics::proportions::{self, Comparison};
use crate::domain::statistics::quantiles::{Histogram, HistogramPair, QuantileComparison, QuantileEvidence};

/// What was found for a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The question.
    pub question: Question,
    /// Definition of the metric that was asked for.
    pub definition: String,
    /// The queries, as they were sent for the candidate.
    pub queries: Vec<String>,
    /// What the answers say, or why they say nothing.
    pub found: Result<Found, String>,
    /// They say nothing because the series are there only since the window began: the next one begins where this one ends.
    pub late: bool,
}

/// Readings of the same window.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Of the candidate.
    pub candidate: Reading,
    /// Of the stable revision, if it is compared with.
    pub stable: Option<Reading>,
}

/// Takes `answered` into `progress`. An answer to a question that is no longer asked is left out. `weight` numbers the step.
pub fn take_in(criteria: &Criteria, progress: &mut Progress, answered: &Answered, now: Timestamp) {
    let (place, weight) = (answered.question.metric, progress.subject.weight);
    let (Some(metric), Some(state)) = (criteria.metrics.get(place), progress.metrics.get_mut(place)) else { return };
    let begins = state.until.unwrap_or(progress.subject.since);
    if state.definition != answered.definition || answered.question.from < begins {
        return;
    }
    state.queries.clone_from(&answered.queries);
    if answered.late {
        (state.until, state.missing) = (Some(answered.question.to), None);
        return;
    }
    let taken = match &answered.found {
        Ok(found) => measure(criteria, metric, state, &answered.question, found, weight),
        Err(why) => Err(why.clone()),
    };
    match taken {
        Ok(()) => state.missing = None,
        Err(message) => {
            let since = state.missing.as_ref().map_or(now, |missing| missing.since);
            state.missing = Some(Missing { since, message: message.chars().take(300).collect() });
        }
    }
}

/// Everything or nothing of one window.
fn measure(
    criteria: &Criteria,
    metric: &Metric,
    state: &mut MetricProgress,
    question: &Question,
    found: &Found,
    weight: i32,
) -> Result<(), String> {
    let length = question.to.duration_since(question.from);
    let measurement = measurement(metric, &found.candidate);
    // A window with too few events for a bound goes on, unless it would get too long.
    let last_chance = length + criteria.interval > WINDOW_MAX;
    if metric.threshold.is_some() && measurement == Measurement::NotEnough && !last_chance {
        return Ok(());
    }
    if let (Some(margin), Some(stable)) = (metric.margin, &found.stable) {
        small_enough(&found.candidate)?;
        let step = u32::try_from(weight).unwrap_or(0);
        let compared = compare(criteria, metric, margin, state.compared.clone(), step, &found.candidate, stable);
        state.compared = Some(compared.map_err(|problem| problem.to_string())?);
        state.stable_samples = state.stable_samples.saturating_add(stable.samples.unwrap_or(0));
    }
    state.samples = state.samples.saturating_add(found.candidate.samples.unwrap_or(0));
    let breach = metric.threshold.is_some_and(|threshold| breach(&threshold, state, question.to, measurement));
    if let Some(value) = found.candidate.value.filter(|value| value.is_finite()) {
        let stable = found.stable.as_ref().and_then(|stable| stable.value).filter(|value| value.is_finite());
        state.push(Measured { at: question.to, seconds: length.as_secs(), value, samples: found.candidate.samples, breach, stable });
    }
    state.until = Some(question.to);
    Ok(())
}

/// What is compared is kept in status, which has to stay small.
fn small_enough(reading: &Reading) -> Result<(), String> {
    match &reading.evidence {
        Counted::Buckets(buckets) if buckets.cumulative().len() > BUCKETS_MAX => {
            Err(format!("the histogram has {} buckets, at most {BUCKETS_MAX} can be compared", buckets.cumulative().len()))
        }
        _ => Ok(()),
    }
}

/// Counts the measurement; whether it broke a bound.
fn breach(threshold: &Threshold, state: &mut MetricProgress, at: Timestamp, measurement: Measurement) -> bool {
    let last = state.values.last().map(|last| LastValue { at: last.at, value: last.value });
    let before = Breaches { breaches: state.breaches, last };
    state.breaches = threshold.observe(before, at, measurement).breaches;
    matches!(measurement, Measurement::Value(value) if threshold.is_broken_by(value))
}

/// A share counts once the window has so many events that a single one could not break the bound, or when the bound is broken
/// whatever the missing ones are. A quantile q counts from 1 / (1 - q) events on: of fewer, it is the greatest of them.
fn measurement(metric: &Metric, reading: &Reading) -> Measurement {
    let Some(value) = reading.value.filter(|value| value.is_finite()) else { return Measurement::NotEnough };
    let enough = match (&metric.measure.kind, &reading.evidence) {
        (Kind::Proportion { share, .. }, Counted::Proportion(counts)) => enough_of(metric.threshold.as_ref(), *share, *counts),
        (Kind::Quantile { quantile, .. }, Counted::Buckets(buckets)) => buckets.total() as f64 * (1.0 - quantile) >= 0.999_999,
        _ => true,
    };
    if enough { Measurement::Value(value) } else { Measurement::NotEnough }
}

/// Most buckets of a histogram that is compared.
const BUCKETS_MAX: usize = 128;

/// Most events that [`measurement`] waits for.
const EVENTS_MAX: f64 = 100.0;

fn enough_of(threshold: Option<&Threshold>, share: Share, counts: Proportion) -> bool {
    let Some((bound, needed)) = threshold.and_then(|threshold| events_needed(threshold, share)) else { return counts.total > 0 };
    counts.total as f64 >= needed || counts.part as f64 > bound * needed
}

/// The greatest share of failed events that is good, and how many events a measurement of it needs; none without such a bound.
pub(in crate::domain) fn events_needed(threshold: &Threshold, share: Share) -> Option<(f64, f64)> {
    let bound = match share {
        Share::Part => threshold.max,
        Share::Rest => threshold.min.map(|min| 1.0 - min),
    };
    let bound = bound.filter(|bound| *bound < 1.0)?;
    Some((bound, (1.0 / bound.max(1.0 / EVENTS_MAX)).ceil()))
}

fn compare(
    criteria: &Criteria,
    metric: &Metric,
    margin: Margin,
    before: Option<Compared>,
    step: u32,
    candidate: &Reading,
    stable: &Reading,
) -> Result<Compared, Problem> {
    match (&candidate.evidence, &stable.evidence) {
        (Counted::Proportion(candidate), Counted::Proportion(stable)) => {
            let comparison = comparison(criteria, metric, margin)?;
            let mut evidence = match before {
                Some(Compared::Shares(evidence)) => evidence,
                _ => Evidence::default(),
            };
            let step = evidence.steps().last().map_or(step, |last| last.step.max(step));
            let pair = Pair { candidate: counts(*candidate)?, stable: counts(*stable)? };
            let of_failed = matches!(metric.measure.kind, Kind::Proportion { share: Share::Part, .. });
            evidence.add(step, if of_failed { pair } else { pair.complement() }, &comparison)?;
            Ok(Compared::Shares(evidence))
        }
        (Counted::Buckets(candidate), Counted::Buckets(stable)) => {
            let bounds = finite_bounds(candidate);
            if bounds != finite_bounds(stable) {
                return Err(Problem::Buckets);
            }
            let mut evidence = match before {
                Some(Compared::Quantiles { bounds: known, evidence }) if known == bounds => evidence,
                // A server that was given other buckets counts anew.
                _ => QuantileEvidence::default(),
            };
            let comparison = quantile_comparison(criteria, metric, margin, bounds.clone())?;
            let step = evidence.in_step().0.max(step);
            evidence.add(step, &HistogramPair { candidate: histogram(candidate)?, stable: histogram(stable)? }, &comparison)?;
            Ok(Compared::Quantiles { bounds, evidence })
        }
        _ => Err(Problem::Contradiction),
    }
}

/// The test of a share.
pub(in crate::domain) fn comparison(criteria: &Criteria, metric: &Metric, margin: Margin) -> Result<Comparison, Problem> {
    let better = match metric.better {
        Better::Lower => proportions::Better::Lower,
        Better::Higher => proportions::Better::Higher,
    };
    Comparison::new(better, margin.max_regression_percent, margin.alpha, criteria.minimum_samples as f64)
}

/// The test of a quantile; 0.95 for a metric that is none.
pub(super) fn quantile_comparison(
    criteria: &Criteria,
    metric: &Metric,
    margin: Margin,
    bounds: Vec<f64>,
) -> Result<QuantileComparison, Problem> {
    let quantile = match metric.measure.kind {
        Kind::Quantile { quantile, .. } => quantile,
        _ => 0.95,
    };
    QuantileComparison::new(bounds, quantile, margin.max_regression_percent, margin.alpha, criteria.minimum_samples as f64)
}

fn counts(proportion: Proportion) -> Result<Counts, Problem> {
    Counts::new(proportion.part as f64, proportion.total as f64)
}

fn finite_bounds(buckets: &Buckets) -> Vec<f64> {
    buckets.cumulative().iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite() && *bound > 0.0).collect()
}

fn histogram(buckets: &Buckets) -> Result<Histogram, Problem> {
    let finite = buckets.cumulative().iter().filter(|(bound, _)| bound.is_finite() && *bound > 0.0);
    let below: Vec<f64> = finite.map(|(_, count)| *count as f64).collect();
    Histogram::new(&below, buckets.total() as f64)
}
