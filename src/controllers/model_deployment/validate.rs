//! From the spec and the Model to what can be acted on. After this step nobody reads the raw spec.

mod analysis;
mod autoscaling;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Map, Value};

use crate::api::conditions::reason;
use crate::api::model::{Gate, Model, ModelVersion, Recommendation};
use crate::api::model_deployment::{Autoscaling, DEFAULT_ROLLBACK_HISTORY_LIMIT, ModelDeploymentSpec, PodTemplate, Traffic};
use crate::domain::analysis::profile::Profiles;
use crate::domain::gates::{self, Bound, Evidence};
use crate::domain::rollout::Reason;
use crate::domain::settings::{Hold, Settings, Step, Surge, TrafficMode};
use crate::resources::labels;
use crate::resources::revision::Input;

/// The spec, resolved: how to release, and what.
#[derive(Clone, Debug, PartialEq)]
pub struct Valid {
    /// How to release.
    pub settings: Settings,
    /// What scales, as the user wrote it; `None` also when it cannot be used: scalers that are there stay as they are.
    pub autoscaling: Option<Autoscaling>,
    /// How requests come in.
    pub traffic: Traffic,
    /// What to release, or why that cannot be said.
    pub input: Result<Input, Reason>,
}

/// Validates `spec` against its Model, if that exists, and the metric profiles that there are.
pub fn validate(spec: &ModelDeploymentSpec, model: Option<&Model>, profiles: &Profiles) -> Valid {
    let input = resolve(spec, model);
    let given = spec.container.as_ref().and_then(|container| container.image.as_deref());
    let image = input.as_ref().ok().map(|input| input.image.as_str()).or(given);
    let judged = spec.analysis.as_ref().map(|analysis| analysis::criteria(analysis, image, profiles)).transpose();
    let mut settings = settings(spec);
    // What cannot be judged is not released: without its analysis a step would end by time alone.
    let input = match judged {
        Ok(criteria) => {
            settings.analysis = criteria;
            input
        }
        Err(refused) => input.and(Err(refused)),
    };
    let (autoscaling, input) = match spec.autoscaling.as_ref().map(autoscaling::scaler).transpose() {
        Ok(scaler) => {
            settings.scaler = scaler;
            (spec.autoscaling.clone(), input)
        }
        Err(refused) => {
            settings.scaler = spec.autoscaling.as_ref().map(autoscaling::kept);
            (None, input.and(Err(refused)))
        }
    };
    Valid { settings, autoscaling, traffic: spec.traffic.clone().unwrap_or_default(), input }
}

fn settings(spec: &ModelDeploymentSpec) -> Settings {
    let traffic = spec.traffic.clone().unwrap_or_default();
    let step = |step: crate::api::model_deployment::Step| Step {
        weight: step.weight,
        hold: step.hold().map_or(Hold::UntilPromoted, |time| Hold::For(signed(time))),
    };
    let drain = signed(traffic.drain());
    Settings {
        replicas: spec.replicas.max(0),
        scaler: None,
        steps: spec.strategy.steps().into_iter().map(step).collect(),
        auto_promote: spec.strategy.auto_promote(),
        max_surge: surge(&spec.strategy.max_surge()),
        traffic: if spec.gateways().is_empty() { TrafficMode::ReplicaRatio } else { TrafficMode::Gateway },
        pins: !spec.gateways().is_empty() && traffic.reaches_candidates(),
        headroom_percent: traffic.headroom(),
        drain,
        propagation_delay: signed(traffic.propagation_delay()),
        scale_down_delay: signed(spec.strategy.scale_down_delay()),
        progress_deadline: signed(spec.progress_deadline()),
        paused: spec.paused,
        analysis: None,
        rollback_history_limit: usize::try_from(spec.rollback_history_limit.unwrap_or(DEFAULT_ROLLBACK_HISTORY_LIMIT)).unwrap_or(1),
        revision_history_limit: usize::try_from(spec.revision_history_limit()).unwrap_or(1),
    }
}

fn signed(duration: crate::api::Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration.as_std()).unwrap_or(jiff::SignedDuration::MAX)
}

/// The schema lets only positive numbers and percents through.
fn surge(given: &IntOrString) -> Surge {
    match given {
        IntOrString::Int(pods) => Surge::Pods(*pods),
        IntOrString::String(text) => Surge::Percent(text.trim_end_matches('%').parse().unwrap_or(100)),
    }
}

fn resolve(spec: &ModelDeploymentSpec, model: Option<&Model>) -> Result<Input, Reason> {
    let model = model
        .ok_or_else(|| Reason::new(reason::MODEL_NOT_FOUND, format!("there is no Model {} in this namespace: create it", spec.model)))?;
    let version = model.spec.version(&spec.version).ok_or_else(|| {
        let known: Vec<&str> = model.spec.versions.iter().rev().take(5).map(|entry| entry.version.as_str()).collect();
        let known = if known.is_empty() { "it has none yet".to_owned() } else { format!("it has {}", known.join(", ")) };
        Reason::new(reason::VERSION_NOT_FOUND, format!("Model {} has no version {}: {known}", spec.model, spec.version))
    })?;
    admit(spec, model, version)?;
    let image = version.image.clone().or_else(|| spec.container.as_ref().and_then(|container| container.image.clone()));
    let image = image.ok_or_else(|| {
        Reason::new(reason::IMAGE_MISSING, "neither spec.container.image nor the version names an image: set one of them")
    })?;
    check_labels(spec.pod_template.as_ref())?;
    Ok(input(spec, version, image))
}

/// A version that is archived, rejected or fails its environment's gate is not deployed.
fn admit(spec: &ModelDeploymentSpec, model: &Model, version: &ModelVersion) -> Result<(), Reason> {
    if version.archived {
        return Err(Reason::new(reason::VERSION_ARCHIVED, format!("version {} is archived: choose another", version.version)));
    }
    let failures = gate_failures(model.spec.gate(&spec.environment), version);
    if failures.is_empty() {
        return Ok(());
    }
    let environment = &spec.environment;
    let words = format!("version {} may not go to {environment}: {}", version.version, failures.join("; "));
    Err(Reason::new(reason::GATE_FAILED, words))
}

/// Why `version` fails `gate`; empty: it passes. Both controllers judge by this.
pub fn gate_failures(gate: Option<&Gate>, version: &ModelVersion) -> Vec<String> {
    let evaluation = version.evaluation.as_ref();
    let recommendation = evaluation.and_then(|evaluation| evaluation.recommendation);
    let evidence = Evidence {
        has_digest: version.artifact.as_ref().is_some_and(|artifact| artifact.digest.is_some()),
        evaluated: recommendation.is_some(),
        rejected: recommendation == Some(Recommendation::Reject),
        metrics: evaluation.map(|evaluation| evaluation.metrics.clone()).unwrap_or_default(),
    };
    let gate = gate.map(|gate| gates::Gate {
        bounds: gate.metrics.iter().map(|metric| Bound { metric: metric.name.clone(), min: metric.min, max: metric.max }).collect(),
        require_digest: gate.require_digest,
        require_evaluation: gate.require_recommendation,
    });
    gates::failures(gate.as_ref(), &evidence)
}

/// Selectors and watches rely on our labels: an overlay that sets one would have no effect, so it is refused.
fn check_labels(template: Option<&PodTemplate>) -> Result<(), Reason> {
    let given = template.and_then(|template| template.metadata.as_ref()).map(|metadata| &metadata.labels);
    let taken = given.into_iter().flatten().map(|(key, _)| key);
    let mut taken = taken.filter(|key| key.starts_with(labels::RESERVED_PREFIX) || *key == labels::MANAGED_BY);
    match taken.next() {
        Some(key) => {
            let words = format!("spec.podTemplate sets the label {key}, which the operator sets itself: remove it");
            Err(Reason::new(reason::INVALID_POD_TEMPLATE, words))
        }
        None => Ok(()),
    }
}

fn input(spec: &ModelDeploymentSpec, version: &ModelVersion, image: String) -> Input {
    let mut container = object(&spec.container);
    container.remove("image");
    Input {
        model: spec.model.clone(),
        version: spec.version.clone(),
        uri: version.artifact.as_ref().map(|artifact| artifact.uri.clone()).unwrap_or_default(),
        digest: version.artifact.as_ref().and_then(|artifact| artifact.digest.clone()).unwrap_or_default(),
        image,
        container,
        resources: object(&spec.resources),
        pod_template: spec.pod_template.as_ref().map_or(Value::Object(Map::new()), |template| serde_json::json!(template)),
    }
}

fn object<T: serde::Serialize>(value: &Option<T>) -> Map<String, Value> {
    match value.as_ref().map(serde_json::to_value) {
        Some(Ok(Value::Object(fields))) => fields,
        _ => Map::new(),
    }
}
