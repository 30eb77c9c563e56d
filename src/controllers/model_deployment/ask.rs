//! What has to be asked of metrics, with the names by which their queries find a revision. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::controllers::inquiries::Asking;
use crate::controllers::model_deployment::observe::Observed;
use crate::domain::analysis::criteria::Criteria;
use crate::domain::analysis::take_in::Answered;
use crate::domain::analysis::template::Parameters;
use crate::domain::revision::RevisionName;
use crate::domain::rollout::Due;

/// Everything that is due.
pub fn askings(observed: &Observed, criteria: Option<&Criteria>, due: Option<&Due>) -> Vec<Asking> {
    let (Some(criteria), Some(due)) = (criteria, due) else { return Vec::new() };
    let asking = |question: &crate::domain::analysis::window::Question| {
        let metric = criteria.metrics.get(question.metric)?;
        let stable = due.subject.stable.as_ref().filter(|_| metric.margin.is_some());
        Some(Asking {
            question: question.clone(),
            metric: metric.name.clone(),
            definition: metric.definition.clone(),
            provider: metric.provider.clone(),
            measure: metric.measure.clone(),
            candidate: parameters(observed, &due.subject.revision),
            stable: stable.map(|stable| parameters(observed, stable)),
        })
    };
    due.questions.iter().filter_map(asking).collect()
}

/// Up to which moment metrics were asked for: as `before` says, and as these answers to questions of `criteria` show.
pub fn asked(mut before: BTreeMap<String, Timestamp>, criteria: Option<&Criteria>, answers: &[Answered]) -> BTreeMap<String, Timestamp> {
    for answered in answers {
        let metric = criteria.and_then(|criteria| criteria.metrics.get(answered.question.metric));
        if let Some(metric) = metric.filter(|metric| metric.definition == answered.definition) {
            before.insert(metric.name.clone(), answered.question.to);
        }
    }
    before
}

pub(super) fn parameters(observed: &Observed, revision: &RevisionName) -> Parameters {
    let recorded = observed.revisions.get(revision).and_then(|seen| seen.record.as_ref()).map(|(_, recorded)| &recorded.input);
    let spec = &observed.deployment.spec;
    Parameters {
        namespace: observed.owner.namespace.clone(),
        deployment: observed.owner.name.clone(),
        revision: revision.to_string(),
        service: revision.to_string(),
        model: recorded.map_or_else(|| spec.model.clone(), |input| input.model.clone()),
        version: recorded.map_or_else(|| spec.version.clone(), |input| input.version.clone()),
        // Every question has its own.
        window: Duration::ZERO,
    }
}
