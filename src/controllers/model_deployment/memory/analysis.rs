//! The analysis as it stands in status, read back. What does not fit together is as good as not there: the evidence begins anew.

use crate::api::model_deployment as api;
use crate::domain::analysis::progress::{Compared, Measured, MetricProgress, Missing, Progress, Subject};
use crate::domain::analysis::verdict::Grounds;
use crate::domain::revision::RevisionName;
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::evidence::{Evidence, StepEvidence, Tally};
use crate::domain::statistics::quantiles::{Histogram, HistogramPair, QuantileEvidence};

/// Reads an analysis.
pub(super) fn progress_from(status: &api::AnalysisStatus) -> Progress {
    Progress {
        subject: Subject {
            revision: RevisionName::new(status.revision.as_str()),
            stable: status.compared_with.as_deref().map(RevisionName::new),
            weight: status.weight,
            since: status.since.0,
        },
        metrics: status.metrics.iter().map(metric_from).collect(),
    }
}

fn metric_from(status: &api::MetricStatus) -> MetricProgress {
    MetricProgress {
        name: status.name.clone(),
        definition: status.definition.clone(),
        until: status.measured_until.as_ref().map(|time| time.0),
        continued: status.continued,
        samples: count(status.samples),
        stable_samples: status.stable_samples.map_or(0, count),
        breaches: u32::try_from(status.breaches).unwrap_or(0),
        values: status.values.iter().map(measured_from).collect(),
        compared: status.comparison.as_ref().and_then(compared_from),
        missing: status.no_data_since.as_ref().map(|since| Missing { since: since.0, message: status.message.clone().unwrap_or_default() }),
        queries: status.queries.clone(),
    }
}

fn measured_from(value: &api::MeasuredValue) -> Measured {
    Measured {
        at: value.at.0,
        seconds: value.seconds,
        value: value.value,
        samples: value.samples.map(count),
        breach: value.breach,
        stable: value.stable_value,
    }
}

fn count(given: i64) -> u64 {
    u64::try_from(given).unwrap_or(0)
}

fn compared_from(status: &api::ComparisonStatus) -> Option<Compared> {
    if let Some(histogram) = &status.histogram {
        return quantiles_from(histogram, status.log_evidence);
    }
    let steps = status.steps.iter().map(step_from).collect::<Option<Vec<_>>>()?;
    let pending = status.pending.as_ref().map_or(Some(Pair::default()), |numbers| pair_from(numbers))?;
    Evidence::restored(steps, pending, status.log_evidence).ok().map(Compared::Shares)
}

fn quantiles_from(status: &api::HistogramCounts, log_e_peak: f64) -> Option<Compared> {
    let candidate = Histogram::new(&status.candidate, status.candidate_total).ok()?;
    let stable = Histogram::new(&status.stable, status.stable_total).ok()?;
    let [of_candidate, of_stable] = *status.step_counts.as_slice() else { return None };
    let weight = u32::try_from(status.weight).ok()?;
    let sum = HistogramPair { candidate, stable };
    let evidence = QuantileEvidence::restored(sum, weight, [of_candidate, of_stable], log_e_peak).ok()?;
    Some(Compared::Quantiles { bounds: status.bounds.clone(), evidence })
}

fn step_from(status: &api::StepCounts) -> Option<StepEvidence> {
    let [candidate, both, allowed, exposure, exposure_part, exposure_square] = *status.sums.as_slice() else { return None };
    let tally = Tally { candidate, both, allowed, exposure, exposure_part, exposure_square };
    Some(StepEvidence { step: u32::try_from(status.weight).ok()?, counts: pair_from(&status.counts)?, tally })
}

fn pair_from(numbers: &[f64]) -> Option<Pair> {
    let [candidate, of_candidate, stable, of_stable] = *numbers else { return None };
    Some(Pair { candidate: Counts::new(candidate, of_candidate).ok()?, stable: Counts::new(stable, of_stable).ok()? })
}

/// Reads what a revision was given up for.
pub(super) fn grounds_from(evidence: &api::Evidence) -> Grounds {
    Grounds {
        metric: evidence.metric.clone(),
        message: evidence.message.clone(),
        value: evidence.value,
        stable_value: evidence.stable_value,
        max: evidence.max,
        min: evidence.min,
        p_value: evidence.p_value,
        alpha: evidence.alpha,
        samples: count(evidence.samples),
        at: evidence.at.as_ref().map(|time| time.0),
        queries: evidence.queries.clone(),
    }
}
