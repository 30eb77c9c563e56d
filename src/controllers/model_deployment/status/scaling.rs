//! What is said of scalers: who owns each number of pods, and what keeps a scaler from its work.

use crate::api::conditions::{self, reason};
use crate::api::model_deployment as api;
use crate::controllers::conditions::Wanted;
use crate::controllers::model_deployment::decide::revisions;
use crate::controllers::model_deployment::memory::clip;
use crate::controllers::model_deployment::observe::Observed;
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::revision::{RevisionName, ScalerView};
use crate::domain::rollout::Plan;
use crate::domain::settings::ScalerKind;

/// Who writes the number of pods of `revision`: the scaler that it has, or gets in this very pass, else the operator.
pub(super) fn owner(observed: &Observed, valid: &Valid, plan: &Plan, revision: &RevisionName) -> api::ReplicasOwner {
    let there = observed.revisions.get(revision).and_then(|seen| seen.scalers().next().map(|(kind, _)| kind));
    let made = valid.settings.scaler.filter(|_| plan.scalers.contains_key(revision)).map(|scaler| scaler.kind);
    match there.or(made) {
        Some(ScalerKind::Hpa) => api::ReplicasOwner::Hpa,
        Some(ScalerKind::Keda) => api::ReplicasOwner::Keda,
        None => api::ReplicasOwner::Operator,
    }
}

/// Whether scalers do their work; not said without `spec.autoscaling`.
pub(super) fn condition(observed: &Observed, valid: &Valid, plan: &Plan) -> Option<Wanted> {
    let scaler = valid.settings.scaler?;
    let kind = conditions::SCALING_ACTIVE;
    if !scaler.installed && scaler.kind == ScalerKind::Keda && !observed.keda {
        let words = "KEDA is not installed: the operator keeps the number of pods until it is";
        return Some(Wanted::new(kind, false, reason::KEDA_NOT_INSTALLED, words));
    }
    let Some(record) = &plan.record else { return Some(Wanted::new(kind, false, reason::SCALER_MISSING, "nothing runs yet")) };
    let views = revisions(observed);
    let serving = std::iter::once(&record.stable).chain(record.candidate.as_ref().map(|candidate| &candidate.revision));
    let mut failing = serving.filter_map(|name| words(name, views.get(name)?.scaler.as_ref()?));
    Some(match failing.next() {
        Some(words) => Wanted::new(kind, false, reason::SCALER_FAILING, &clip(&words)),
        None if plan.scalers.contains_key(&record.stable) => Wanted::new(kind, true, reason::SCALERS_WORK, ""),
        None => Wanted::new(kind, false, reason::SCALER_MISSING, "the stable version has no scaler: the operator keeps its number of pods"),
    })
}

fn words(name: &RevisionName, view: &ScalerView) -> Option<String> {
    let kind = match view.kind {
        ScalerKind::Hpa => "HorizontalPodAutoscaler",
        ScalerKind::Keda => "ScaledObject",
    };
    view.trouble.as_ref().map(|trouble| format!("{kind} {name} says {trouble}"))
}
