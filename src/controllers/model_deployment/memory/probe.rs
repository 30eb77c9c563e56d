//! What metrics said beforehand, as it stands in status, and back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::model_deployment::{ProbeProblem, ProbeStatus};
use crate::domain::beforehand::probe::{Counted, Outcome, Probed, Trouble};
use crate::domain::revision::RevisionName;

/// Reads one; nothing for a problem that another version of the operator wrote: it is asked for anew.
pub fn probe_from(status: &ProbeStatus) -> Option<Probed> {
    let count = |given: Option<i64>| given.and_then(|given| u64::try_from(given).ok());
    let outcome = match &status.problem {
        None => Outcome::Measured(Counted {
            requests: count(status.requests),
            failed: count(status.failed),
            seconds: status.seconds.unwrap_or(0).max(1),
        }),
        Some(problem) => Outcome::Missing(trouble_from(problem)?, status.message.clone().unwrap_or_default()),
    };
    Some(Probed {
        name: status.name.clone(),
        definition: status.definition.clone(),
        provider: status.provider.clone(),
        revision: RevisionName::new(status.revision.as_str()),
        at: status.at.0,
        outcome,
        query: status.query.clone(),
    })
}

fn trouble_from(problem: &ProbeProblem) -> Option<Trouble> {
    Some(match problem {
        ProbeProblem::NoProvider => Trouble::NoProvider,
        ProbeProblem::SourceRefuses => Trouble::Refused,
        ProbeProblem::SourceUnreachable => Trouble::Unreachable,
        ProbeProblem::NoSeries => Trouble::NoSeries,
        ProbeProblem::NotMeasurable => Trouble::NotMeasurable,
        ProbeProblem::Other(_) => return None,
    })
}

/// Shows one.
pub fn probe_to(probed: &Probed) -> ProbeStatus {
    let count = |given: Option<u64>| given.map(|given| i64::try_from(given).unwrap_or(i64::MAX));
    let (counted, missing) = match &probed.outcome {
        Outcome::Measured(counted) => (Some(counted), None),
        Outcome::Missing(trouble, words) => (None, Some((*trouble, words.clone()))),
    };
    ProbeStatus {
        name: probed.name.clone(),
        definition: probed.definition.clone(),
        provider: probed.provider.clone(),
        revision: probed.revision.to_string(),
        at: Time(probed.at),
        problem: missing.as_ref().map(|(trouble, _)| match trouble {
            Trouble::NoProvider => ProbeProblem::NoProvider,
            Trouble::Refused => ProbeProblem::SourceRefuses,
            Trouble::Unreachable => ProbeProblem::SourceUnreachable,
            Trouble::NoSeries => ProbeProblem::NoSeries,
            Trouble::NotMeasurable => ProbeProblem::NotMeasurable,
        }),
        message: missing.map(|(_, words)| words),
        seconds: counted.map(|counted| counted.seconds),
        requests: count(counted.and_then(|counted| counted.requests)),
        failed: count(counted.and_then(|counted| counted.failed)),
        query: probed.query.clone(),
    }
}
