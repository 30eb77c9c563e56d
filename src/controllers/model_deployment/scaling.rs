//! How many pods are wanted when a scaler decides: reads what runs, and puts it in place of the number in the spec. Pure.

use crate::api::conditions::reason;
use crate::controllers::model_deployment::decide::revisions;
use crate::controllers::model_deployment::observe::Observed;
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::record::Record;
use crate::domain::rollout::Reason;
use crate::domain::scaling;
use crate::domain::settings::{Scaler, ScalerKind};

/// `valid` with the number of pods that follows from `remembered` and from what scalers made. Nothing new is released while what should
/// scale it is missing.
pub fn sized(mut valid: Valid, observed: &Observed, remembered: Option<&Record>) -> Valid {
    let Some(scaler) = valid.settings.scaler else { return valid };
    let missing = scaler.kind == ScalerKind::Keda && !observed.keda;
    let scaler = Scaler { installed: scaler.installed && !missing, ..scaler };
    if missing {
        let words = "spec.autoscaling.keda needs KEDA, whose kind ScaledObject is not installed: install KEDA, or use hpa";
        valid.input = valid.input.and(Err(Reason::new(reason::KEDA_NOT_INSTALLED, words)));
    }
    let last = observed.deployment.status.as_ref().and_then(|status| status.replicas);
    let first = observed.deployment.spec.replicas;
    valid.settings.scaler = Some(scaler);
    valid.settings.replicas = scaling::wanted(&scaler, &valid.settings, first, last, remembered, &revisions(observed));
    valid
}
