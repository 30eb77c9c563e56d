//! What the evidence means: may the revision go on, must it go back, or is there not enough to say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::analysis::criteria::{Criteria, Metric, OnNoData};
use crate::domain::analysis::progress::{Compared, MetricProgress, Progress};
use crate::domain::analysis::take_in::{comparison, quantile_comparison};
use crate::domain::statistics::verdict::{self as test, Figure};

/// Characters kept of a query in [`Grounds`].
pub const QUERY_MAX: usize = 700;

/// How one metric stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It has not failed, and this step alone has enough samples.
    Passing,
    /// Too few events in this step.
    NotEnough {
        /// Events of the version that has fewer.
        have: u64,
        /// Events needed.
        need: u64,
    },
    /// The last values were outside of the bounds, not often enough to fail.
    Breached {
        /// Breaches in a row.
        breaches: u32,
        /// So many fail it.
        limit: u32,
    },
    /// There is no data since.
    NoData(Timestamp),
    /// A bound was broken too often.
    OutOfBounds,
    /// It is shown to be worse than stable.
    Worse,
}

/// What an analysis says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// All metrics pass.
    Pass,
    /// Nothing may be concluded yet.
    Wait(Waiting),
    /// The revision has to go back.
    Fail(Grounds),
}

/// Why nothing can be concluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// CamelCase constant.
    pub code: &'static str,
    /// In words, with numbers.
    pub message: String,
}

/// What a revision was given up for: enough to follow the verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grounds {
    /// Name of the metric.
    pub metric: String,
    /// What was found, in words.
    pub message: String,
    /// The last value of the candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// That of the stable revision, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_value: Option<f64>,
    /// Greatest value that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Least value that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The always-valid p value of the comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// The error probability that it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Events of the candidate in the step.
    pub samples: u64,
    /// When the deciding window ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The queries as they were sent, cut to [`QUERY_MAX`] characters each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<String>,
}

impl Grounds {
    /// They are some that we could have written: what is read from an annotation must not be longer than status takes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let short = |text: &str, most: usize| text.chars().count() <= most;
        let queries = self.queries.len() <= 4 && self.queries.iter().all(|query| short(query, QUERY_MAX));
        short(&self.metric, 63) && short(&self.message, 1000) && queries && i64::try_from(self.samples).is_ok()
    }
}

/// What the comparison of one metric found; none without one, or while nothing was counted.
#[must_use]
pub fn compared(criteria: &Criteria, metric: &Metric, state: &MetricProgress, weight: i32) -> Option<test::Verdict> {
    let margin = metric.margin?;
    let step = u32::try_from(weight).unwrap_or(0);
    match state.compared.as_ref()? {
        Compared::Shares(evidence) => Some(comparison(criteria, metric, margin).ok()?.judge(evidence, step)),
        Compared::Quantiles { bounds, evidence } => {
            Some(quantile_comparison(criteria, metric, margin, bounds.clone()).ok()?.judge(evidence, step))
        }
    }
}

/// How a metric stands.
#[must_use]
pub fn standing(criteria: &Criteria, progress: &Progress, metric: &Metric, state: &MetricProgress) -> Standing {
    let weight = progress.subject.weight;
    if let Some(threshold) = metric.threshold.filter(|threshold| state.breaches >= threshold.failure_limit.max(1)) {
        debug_assert!(threshold.max.is_some() || threshold.min.is_some(), "a threshold has a bound");
        return Standing::OutOfBounds;
    }
    let compares = metric.margin.is_some() && progress.subject.stable.is_some();
    if compares && compared(criteria, metric, state, weight).is_some_and(|verdict| verdict.is_worse()) {
        return Standing::Worse;
    }
    if let Some(missing) = &state.missing {
        return Standing::NoData(missing.since);
    }
    let counts_events = state.values.last().is_none_or(|last| last.samples.is_some());
    // Next to a candidate with all of the traffic, stable has nothing that could be counted.
    let have = if compares && weight < 100 { state.samples.min(state.stable_samples) } else { state.samples };
    if counts_events && have < criteria.minimum_samples {
        return Standing::NotEnough { have, need: criteria.minimum_samples };
    }
    if state.until.is_none() {
        return Standing::NotEnough { have: 0, need: 1 };
    }
    match metric.threshold {
        Some(threshold) if state.breaches > 0 => Standing::Breached { breaches: state.breaches, limit: threshold.failure_limit.max(1) },
        _ => Standing::Passing,
    }
}

/// The verdict over all metrics: the first that failed decides, then the first that is not clear. `after_promotion`: only what failed
/// counts, and missing data is nobody's fault.
#[must_use]
pub fn verdict(criteria: &Criteria, progress: &Progress, now: Timestamp) -> Verdict {
    let all = || criteria.metrics.iter().zip(&progress.metrics);
    let standings: Vec<Standing> = all().map(|(metric, state)| standing(criteria, progress, metric, state)).collect();
    let failed = all().zip(&standings).find_map(|((metric, state), standing)| failed(criteria, progress, metric, state, standing, now));
    if let Some(grounds) = failed {
        return Verdict::Fail(grounds);
    }
    let waiting = all().zip(&standings).filter_map(|((metric, state), standing)| waiting(metric, state, standing));
    // No data is the graver reason: it needs somebody.
    let gravest =
        waiting.min_by_key(|waiting| ["NoData", "MetricBreached", "NotEnoughSamples"].iter().position(|code| *code == waiting.code));
    gravest.map_or(Verdict::Pass, Verdict::Wait)
}

fn failed(
    criteria: &Criteria,
    progress: &Progress,
    metric: &Metric,
    state: &MetricProgress,
    standing: &Standing,
    now: Timestamp,
) -> Option<Grounds> {
    let last = state.values.last();
    let (name, samples) = (&metric.name, state.samples);
    let base = |message: String| Grounds {
        metric: name.clone(),
        message,
        value: last.map(|last| last.value),
        stable_value: last.and_then(|last| last.stable),
        max: metric.threshold.and_then(|threshold| threshold.max),
        min: metric.threshold.and_then(|threshold| threshold.min),
        p_value: None,
        alpha: None,
        samples,
        at: last.map(|last| last.at),
        queries: state.queries.iter().map(|query| query.chars().take(QUERY_MAX).collect()).collect(),
    };
    match standing {
        Standing::OutOfBounds => {
            Some(base(format!("{name} was {} in {} measurements in a row{}", bounds(metric), state.breaches, last_value(state))))
        }
        Standing::Worse => {
            let verdict = compared(criteria, metric, state, progress.subject.weight)?;
            let finding = verdict.finding();
            let grounds = base(format!("{name} is worse than stable's: {}", comparison_words(metric, finding)));
            Some(Grounds {
                p_value: Some(finding.p_value),
                alpha: Some(finding.alpha),
                value: finding.candidate.ok().map(|figure| scaled(metric, figure.value)).or(grounds.value),
                stable_value: finding.stable.ok().map(|figure| scaled(metric, figure.value)).or(grounds.stable_value),
                ..grounds
            })
        }
        Standing::NoData(since) if criteria.on_no_data == OnNoData::Rollback => {
            let deadline = criteria.data_deadline.filter(|deadline| *since + *deadline <= now)?;
            let why = state.missing.as_ref().map_or("", |missing| missing.message.as_str());
            Some(base(format!("{name} had no data for {deadline:#}: {why}")))
        }
        _ => None,
    }
}

/// When missing data has to be acted on; none without a deadline.
#[must_use]
pub fn data_due(criteria: &Criteria, progress: &Progress) -> Option<Timestamp> {
    let deadline = criteria.data_deadline?;
    progress.metrics.iter().filter_map(|state| Some(state.missing.as_ref()?.since + deadline)).min()
}

fn waiting(metric: &Metric, state: &MetricProgress, standing: &Standing) -> Option<Waiting> {
    let name = &metric.name;
    let (code, message) = match standing {
        Standing::NoData(since) => {
            let why = state.missing.as_ref().map_or("", |missing| missing.message.as_str());
            ("NoData", format!("no data for {name} since {since}: {why}"))
        }
        Standing::NotEnough { need: 1, .. } => ("NotEnoughSamples", format!("{name} was not measured at this weight yet")),
        Standing::NotEnough { have, need } => ("NotEnoughSamples", format!("{have} of {need} requests needed for {name}")),
        Standing::Breached { breaches, limit } => (
            "MetricBreached",
            format!("{name} was {} in {breaches} measurements in a row ({limit} fail it){}", bounds(metric), last_value(state)),
        ),
        Standing::Passing | Standing::OutOfBounds | Standing::Worse => return None,
    };
    Some(Waiting { code, message })
}

fn bounds(metric: &Metric) -> String {
    let threshold = metric.threshold.as_ref();
    match (threshold.and_then(|threshold| threshold.min), threshold.and_then(|threshold| threshold.max)) {
        (None, Some(max)) => format!("above {}", number(max)),
        (Some(min), None) => format!("below {}", number(min)),
        (Some(min), Some(max)) => format!("outside of {} to {}", number(min), number(max)),
        (None, None) => "out of bounds".to_owned(),
    }
}

fn last_value(state: &MetricProgress) -> String {
    let Some(last) = state.values.last() else { return String::new() };
    match last.samples {
        Some(samples) => format!(": last {} of {samples} requests", number(last.value)),
        None => format!(": last {}", number(last.value)),
    }
}

fn comparison_words(metric: &Metric, finding: &test::Finding) -> String {
    let value = |figure: &Figure| number(scaled(metric, figure.value));
    let figures = match (&finding.candidate, &finding.stable) {
        (Ok(candidate), Ok(stable)) => format!("{} against {}", value(candidate), value(stable)),
        _ => "shown by the histograms".to_owned(),
    };
    let margin = metric.margin.map_or(0.0, |margin| margin.max_regression_percent);
    format!("{figures}, more than {} % worse, p {:.1e} (limit {:.1e})", number(margin), finding.p_value, finding.alpha)
}

/// A figure of a test in the metric's unit: quantiles are in the histogram's.
#[must_use]
pub fn scaled(metric: &Metric, value: f64) -> f64 {
    match metric.measure.kind {
        crate::domain::analysis::profile::Kind::Quantile { milliseconds_per_unit, .. } => value * milliseconds_per_unit,
        _ => value,
    }
}

/// A number as people read it: four significant digits, no exponent for what is not tiny.
#[must_use]
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let text = format!("{value:.*}", usize::try_from(digits.clamp(0, 9)).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
