//! The analysis as status shows and keeps it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::model_deployment as api;
use crate::domain::analysis::criteria::{Criteria, Metric};
use crate::domain::analysis::progress::{Compared, Measured, MetricProgress, Progress};
use crate::domain::analysis::verdict::{self, Grounds, QUERY_MAX, Standing};
use crate::domain::statistics::counts::Pair;
use crate::domain::statistics::evidence::{Evidence, StepEvidence};
use crate::domain::statistics::quantiles::QuantileEvidence;
use crate::domain::statistics::verdict::{Figure, Verdict};

/// Shows an analysis by the criteria that it was judged by; without them (they were removed) only what is remembered.
pub(super) fn analysis(progress: &Progress, criteria: Option<&Criteria>) -> api::AnalysisStatus {
    let metrics = progress.metrics.iter().map(|state| {
        let known = criteria.and_then(|criteria| Some((criteria, find(criteria, state)?)));
        metric(progress, state, known)
    });
    api::AnalysisStatus {
        revision: progress.subject.revision.to_string(),
        compared_with: progress.subject.stable.as_ref().map(ToString::to_string),
        weight: progress.subject.weight,
        since: Time(progress.subject.since),
        metrics: metrics.collect(),
    }
}

fn find<'a>(criteria: &'a Criteria, state: &MetricProgress) -> Option<&'a Metric> {
    criteria.metrics.iter().find(|metric| (&metric.name, &metric.definition) == (&state.name, &state.definition))
}

fn metric(progress: &Progress, state: &MetricProgress, known: Option<(&Criteria, &Metric)>) -> api::MetricStatus {
    let standing = known.map(|(criteria, metric)| verdict::standing(criteria, progress, metric, state));
    let judged = known.and_then(|(criteria, metric)| verdict::compared(criteria, metric, state, progress.subject.weight));
    let compares = state.compared.is_some();
    api::MetricStatus {
        name: state.name.clone(),
        phase: phase(standing.as_ref()),
        definition: state.definition.clone(),
        measured_until: state.until.map(Time),
        continued: state.continued,
        samples: count(state.samples),
        stable_samples: compares.then(|| count(state.stable_samples)),
        breaches: i32::try_from(state.breaches).unwrap_or(i32::MAX),
        values: state.values.iter().map(value).collect(),
        comparison: state.compared.as_ref().map(|compared| comparison(compared, judged.as_ref(), known.map(|(_, metric)| metric))),
        no_data_since: state.missing.as_ref().map(|missing| Time(missing.since)),
        message: state.missing.as_ref().map(|missing| missing.message.clone()),
        queries: queries(&state.queries),
    }
}

fn queries(queries: &[String]) -> Vec<String> {
    queries.iter().take(4).map(|query| query.chars().take(QUERY_MAX).collect()).collect()
}

fn phase(standing: Option<&Standing>) -> api::MetricPhase {
    match standing {
        Some(Standing::Passing) => api::MetricPhase::Passing,
        Some(Standing::Breached { .. }) => api::MetricPhase::Breached,
        Some(Standing::NoData(_)) => api::MetricPhase::NoData,
        Some(Standing::OutOfBounds | Standing::Worse) => api::MetricPhase::Failed,
        Some(Standing::NotEnough { .. }) | None => api::MetricPhase::NotEnoughSamples,
    }
}

fn count(given: u64) -> i64 {
    i64::try_from(given).unwrap_or(i64::MAX)
}

fn value(measured: &Measured) -> api::MeasuredValue {
    api::MeasuredValue {
        at: Time(measured.at),
        seconds: measured.seconds,
        value: measured.value,
        samples: measured.samples.map(count),
        breach: measured.breach,
        stable_value: measured.stable,
    }
}

fn comparison(compared: &Compared, judged: Option<&Verdict>, metric: Option<&Metric>) -> api::ComparisonStatus {
    let finding = judged.map(Verdict::finding);
    let scaled = |value: f64| metric.map_or(value, |metric| verdict::scaled(metric, value));
    let estimate =
        |figure: Figure| api::Estimate { value: scaled(figure.value), low: figure.low.map(scaled), high: figure.high.map(scaled) };
    let shown = api::ComparisonStatus {
        p_value: finding.map(|finding| finding.p_value),
        alpha: finding.map(|finding| finding.alpha),
        candidate: finding.and_then(|finding| finding.candidate.ok()).map(estimate),
        stable: finding.and_then(|finding| finding.stable.ok()).map(estimate),
        effect: finding.and_then(|finding| finding.effect.ok()).map(estimate),
        ..api::ComparisonStatus::default()
    };
    match compared {
        Compared::Shares(evidence) => shares(evidence, shown),
        Compared::Quantiles { bounds, evidence } => {
            api::ComparisonStatus { log_evidence: evidence.log_e_peak(), histogram: Some(histogram(bounds, evidence)), ..shown }
        }
    }
}

fn shares(evidence: &Evidence, shown: api::ComparisonStatus) -> api::ComparisonStatus {
    let pending = evidence.pending();
    api::ComparisonStatus {
        log_evidence: evidence.log_e_peak(),
        steps: evidence.steps().iter().map(step).collect(),
        pending: (pending != Pair::default()).then(|| pair(pending)),
        ..shown
    }
}

fn step(step: &StepEvidence) -> api::StepCounts {
    let tally = step.tally;
    api::StepCounts {
        weight: i32::try_from(step.step).unwrap_or(100),
        counts: pair(step.counts),
        sums: vec![tally.candidate, tally.both, tally.allowed, tally.exposure, tally.exposure_part, tally.exposure_square],
    }
}

fn pair(pair: Pair) -> Vec<f64> {
    vec![pair.candidate.events(), pair.candidate.trials(), pair.stable.events(), pair.stable.trials()]
}

fn histogram(bounds: &[f64], evidence: &QuantileEvidence) -> api::HistogramCounts {
    let sum = evidence.sum();
    let (weight, in_step) = evidence.in_step();
    api::HistogramCounts {
        bounds: bounds.to_vec(),
        candidate: sum.candidate.below().collect(),
        candidate_total: sum.candidate.total(),
        stable: sum.stable.below().collect(),
        stable_total: sum.stable.total(),
        weight: i32::try_from(weight).unwrap_or(100),
        step_counts: in_step.to_vec(),
    }
}

/// What a revision was given up for.
pub(in crate::controllers::model_deployment) fn evidence(grounds: &Grounds) -> api::Evidence {
    api::Evidence {
        metric: grounds.metric.clone(),
        message: grounds.message.clone(),
        value: grounds.value,
        stable_value: grounds.stable_value,
        max: grounds.max,
        min: grounds.min,
        p_value: grounds.p_value,
        alpha: grounds.alpha,
        samples: count(grounds.samples),
        at: grounds.at.map(Time),
        queries: queries(&grounds.queries),
    }
}
