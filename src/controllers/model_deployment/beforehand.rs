//! Before a release needs its metrics: what to ask of the stable revision, when, and what is known of it. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::controllers::inquiries::probing::Probing;
use crate::controllers::model_deployment::ask::parameters;
use crate::controllers::model_deployment::memory;
use crate::controllers::model_deployment::observe::Observed;
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::analysis::criteria::Criteria;
use crate::domain::analysis::template::Parameters;
use crate::domain::beforehand::probe::{self, Occasion, Probed, Question, Tries};
use crate::domain::rollout::Plan;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Beforehand {
    /// What is known, answers of now included.
    pub known: Vec<Probed>,
    /// What is to be asked now.
    pub askings: Vec<Probing>,
    /// Why.
    pub occasion: Option<Occasion>,
    /// When to look again for what was never asked.
    pub next: Option<Timestamp>,
    /// After how long what could not be measured is asked for again.
    pub again: Option<Duration>,
}

/// Looks at what `plan` leaves, after `answers`. `tries` are those of this process.
pub fn look(observed: &Observed, valid: &Valid, plan: &Plan, tries: &Tries, answers: &[Probed]) -> Beforehand {
    let Some(criteria) = &valid.settings.analysis else { return Beforehand::default() };
    let status = observed.deployment.status.as_ref();
    let before: Vec<Probed> = status.map_or(&[][..], |status| &status.probes).iter().filter_map(memory::probe::probe_from).collect();
    let known = probe::take_in(criteria, &before, answers);
    let Some(occasion) = occasion(observed, plan) else { return Beforehand { known, ..Beforehand::default() } };
    let now = observed.now;
    let again = probe::again(criteria, &occasion, tries, &known, now).map(|at| at.duration_since(now));
    Beforehand {
        askings: probe::due(criteria, &occasion, tries, &known, now)
            .into_iter()
            .filter_map(|due| probing(observed, criteria, &occasion, due))
            .collect(),
        next: probe::next(criteria, &occasion, tries, now),
        again: again.and_then(|wait| Duration::try_from(wait).ok()),
        known,
        occasion: Some(occasion),
    }
}

/// A revision without a ready pod has nothing to tell.
fn occasion(observed: &Observed, plan: &Plan) -> Option<Occasion> {
    let occasion = Occasion::of(plan.record.as_ref()?)?;
    let pods = &observed.revisions.get(&occasion.revision)?.pods;
    let ready = pods.iter().any(|entry| entry.row.as_ref().is_ok_and(|pod| pod.ready));
    ready.then_some(occasion)
}

fn probing(observed: &Observed, criteria: &Criteria, occasion: &Occasion, question: Question) -> Option<Probing> {
    let metric = criteria.metrics.get(question.metric)?;
    Some(Probing {
        metric: metric.name.clone(),
        definition: metric.definition.clone(),
        provider: metric.provider.clone(),
        measure: metric.measure.clone(),
        revision: occasion.revision.clone(),
        parameters: Parameters { window: question.window, ..parameters(observed, &occasion.revision) },
        question,
    })
}
