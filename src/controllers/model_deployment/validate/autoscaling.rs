//! From `spec.autoscaling` to bounds. Refuses what would scale a revision by the numbers of another.

use serde_json::{Value, json};

use crate::api::conditions::reason;
use crate::api::model_deployment::{Autoscaling, Keda, ScalingMetric, ScalingMetricType};
use crate::domain::rollout::Reason;
use crate::domain::settings::{Scaler, ScalerKind};
use crate::resources::autoscaler::{is_unknown, placeholders};

/// Scalers of KEDA whose value is not about one revision's requests: by pods of the target, or by the clock.
const OWN_SCALERS: [&str; 3] = ["cpu", "memory", "cron"];

/// Validates `autoscaling`. Whether the cluster has what it needs is not known here.
///
/// # Errors
/// A placeholder that is unknown, a metric that does not name the revision.
pub(super) fn scaler(autoscaling: &Autoscaling) -> Result<Scaler, Reason> {
    let kind = match (&autoscaling.hpa, &autoscaling.keda) {
        (Some(hpa), _) => {
            hpa.metrics.iter().enumerate().try_for_each(|(place, metric)| checked_metric(place, metric))?;
            ScalerKind::Hpa
        }
        (None, Some(keda)) => {
            checked_triggers(keda)?;
            ScalerKind::Keda
        }
        (None, None) => return Err(refused("hpa or keda has to be there".to_owned())),
    };
    let max = autoscaling.max_replicas.max(1);
    Ok(Scaler { kind, min: autoscaling.min_replicas.clamp(0, max), max, installed: true })
}

/// What is scaled by when the spec cannot be used: nothing, so the operator keeps the numbers of pods within the bounds.
pub(super) fn kept(autoscaling: &Autoscaling) -> Scaler {
    let kind = if autoscaling.hpa.is_some() { ScalerKind::Hpa } else { ScalerKind::Keda };
    let max = autoscaling.max_replicas.max(1);
    Scaler { kind, min: autoscaling.min_replicas.clamp(0, max), max, installed: false }
}

fn checked_metric(place: usize, metric: &ScalingMetric) -> Result<(), Reason> {
    let (of_one, value) = match metric.r#type {
        ScalingMetricType::Resource | ScalingMetricType::ContainerResource | ScalingMetricType::Pods => (true, json!(metric)),
        ScalingMetricType::Object | ScalingMetricType::External => (false, json!(metric)),
    };
    checked(&format!("autoscaling.hpa.metrics[{place}]"), of_one, &value)
}

fn checked_triggers(keda: &Keda) -> Result<(), Reason> {
    keda.triggers.iter().enumerate().try_for_each(|(place, trigger)| {
        let of_one = OWN_SCALERS.contains(&trigger.r#type.as_str());
        checked(&format!("autoscaling.keda.triggers[{place}]"), of_one, &json!(trigger))
    })
}

fn checked(at: &str, of_one: bool, value: &Value) -> Result<(), Reason> {
    let found = placeholders(value);
    if let Some(unknown) = found.iter().find(|found| is_unknown(found)) {
        let words = format!(
            "{at} has {{{{{unknown}}}}}, which is not known: use {{{{namespace}}}}, {{{{deployment}}}}, {{{{revision}}}} or {{{{pods}}}}"
        );
        return Err(refused(words));
    }
    let names_it = found.iter().any(|found| matches!(found.as_str(), "revision" | "pods"));
    if of_one || names_it {
        return Ok(());
    }
    let words = format!("{at} does not name the revision, so two versions would be scaled by one number: put {{{{revision}}}} into it");
    Err(refused(words))
}

fn refused(words: String) -> Reason {
    Reason::new(reason::INVALID_AUTOSCALING, words)
}
