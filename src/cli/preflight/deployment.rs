//! What is to be said of one ModelDeployment before it is applied. Pure.
//!
//! Takes the object as the API server would store it, its Model, and what is known of traffic; gives findings. Whether it can be released at all
//! is asked of the same step of the controller that asks it in the cluster.

#[cfg(test)]
mod tests;

use super::finding::{About, Finding};
use crate::api::conditions::{ANALYSIS_READY, reason};
use crate::api::model::{Model, ModelSpec, ModelVersion};
use crate::api::model_deployment::{Analysis, ModelDeployment, ModelDeploymentStatus};
use crate::controllers::model_deployment::memory;
use crate::controllers::model_deployment::validate::{self, Valid};
use crate::domain::analysis::criteria::{Criteria, Metric};
use crate::domain::beforehand::foresight::{self, Concern, Traffic};
use crate::domain::beforehand::probe::Outcome;
use crate::domain::settings::{FULL_WEIGHT, Settings, TrafficMode};
use crate::domain::size::{share_by_pods, stage_pods, surge_pods, weight_covered};
use crate::metric_source::config::OperatorConfiguration;

/// What is known of the Model.
pub enum Lookup {
    /// It is this one.
    Found(Box<Model>),
    /// There is none.
    Absent,
    /// It is in no document, and nobody was asked.
    Unknown,
}

/// What else is known.
pub struct Context<'a> {
    /// The operator's configuration, if it was given.
    pub configured: Option<&'a OperatorConfiguration>,
    /// The traffic to plan with, if it was given.
    pub assumed: Option<Traffic>,
    /// What the operator says of the object in the cluster, if it is there.
    pub live: Option<&'a ModelDeploymentStatus>,
    /// No cluster was asked.
    pub offline: bool,
}

/// Everything that is to be said; with what the spec means.
pub fn findings(about: &About, deployment: &ModelDeployment, model: &Lookup, context: &Context<'_>) -> (Vec<Finding>, Valid) {
    let built_in = OperatorConfiguration::without_file();
    let profiles = &context.configured.unwrap_or(&built_in).metric_profiles;
    let stand_in = matches!(model, Lookup::Unknown).then(|| stand_in(deployment));
    let given = match model {
        Lookup::Found(model) => Some(&**model),
        Lookup::Absent | Lookup::Unknown => stand_in.as_ref(),
    };
    let mut valid = validate::validate(&deployment.spec, given, profiles);
    if let Some(scaler) = &valid.settings.scaler {
        // What the scaler made of stable; of a first release, what it starts with.
        let made = context.live.and_then(|live| live.replicas).unwrap_or(deployment.spec.replicas);
        valid.settings.replicas = made.clamp(scaler.awake(), scaler.max);
    }
    let unknown = deployment.spec.analysis.as_ref().and_then(|analysis| unknown_profile(analysis, context));
    let mut found = vec![release(about, deployment, model, &valid, unknown.as_deref())];
    found.extend(shares(about, &valid.settings));
    found.extend(surge(about, &valid.settings));
    if let Some(analysis) = &deployment.spec.analysis {
        found.extend(measured(about, analysis, context));
        if let Some(criteria) = &valid.settings.analysis {
            found.extend(traffic(about, &valid.settings, criteria, context));
        }
    }
    (found, valid)
}

/// A Model that has the version, so that the rest of the spec can be looked at.
fn stand_in(deployment: &ModelDeployment) -> Model {
    let version = ModelVersion { version: deployment.spec.version.clone(), ..ModelVersion::default() };
    Model::new(&deployment.spec.model, ModelSpec { versions: vec![version], ..ModelSpec::default() })
}

/// A profile that may be one of the operator's configuration, which was not given.
fn unknown_profile(analysis: &Analysis, context: &Context<'_>) -> Option<String> {
    if context.configured.is_some() {
        return None;
    }
    let built_in = OperatorConfiguration::without_file().metric_profiles;
    let of_metrics = analysis.metrics.iter().filter_map(|metric| metric.profile.as_deref());
    let mut named = analysis.profile.as_deref().into_iter().chain(of_metrics);
    named.find(|name| built_in.iter().all(|profile| profile.name != *name)).map(str::to_owned)
}

fn release(about: &About, deployment: &ModelDeployment, model: &Lookup, valid: &Valid, unknown_profile: Option<&str>) -> Finding {
    let (check, spec) = ("release", &deployment.spec);
    let absent = || format!("Model {} is in none of the documents: give it too, or look with a cluster that has it", spec.model);
    match (&valid.input, model, unknown_profile) {
        (Err(why), _, Some(profile)) if why.code == reason::INVALID_ANALYSIS => {
            let words = format!("the profile {profile} is not built in: give the operator's configuration with --config to look at it");
            about.warning(check, reason::INVALID_ANALYSIS, words)
        }
        // The version that was not seen may name the image.
        (Err(why), Lookup::Unknown, _) if why.code == reason::IMAGE_MISSING => about.warning(check, reason::MODEL_NOT_FOUND, absent()),
        (Err(why), _, _) => about.refused(check, why.code, why.message.clone()),
        (Ok(_), Lookup::Unknown, _) => about.warning(check, reason::MODEL_NOT_FOUND, absent()),
        (Ok(input), _, _) => about.ok(check, format!("version {} of Model {}, image {}", input.version, input.model, input.image)),
    }
}

/// Steps whose share differs more than twofold from what was asked for: by pods, only whole pods count.
fn shares(about: &About, settings: &Settings) -> Vec<Finding> {
    if settings.traffic != TrafficMode::ReplicaRatio || settings.replicas == 0 {
        return Vec::new();
    }
    let step = |step: &crate::domain::settings::Step| {
        let pods = stage_pods(settings, step.weight);
        let reached = share_by_pods(pods.candidate, pods.stable);
        let far = reached > step.weight * 2 || reached * 2 < step.weight;
        far.then(|| {
            let words = format!(
                "the step of {} % gives the new version {reached} %: {} of {} pods; more replicas or a gateway come closer",
                step.weight,
                pods.candidate,
                pods.candidate + pods.stable
            );
            about.warning("share", "", words)
        })
    };
    settings.steps.iter().filter(|step| (1..FULL_WEIGHT).contains(&step.weight)).filter_map(step).collect()
}

/// What a small surge makes of steps and of the way back.
fn surge(about: &About, settings: &Settings) -> Option<Finding> {
    let wanted = settings.replicas;
    let most = surge_pods(settings.max_surge, wanted);
    if wanted == 0 || most >= wanted {
        return None;
    }
    if settings.traffic == TrafficMode::Gateway && weight_covered(wanted, most, settings.headroom_percent) == 0 {
        let words = format!(
            "maxSurge allows {most} pods at a time, too few for one percent of the traffic of {wanted}: raise strategy.maxSurge, or \
             lower traffic.headroom"
        );
        return Some(about.refused("surge", reason::SURGE_TOO_SMALL, words));
    }
    let weights = settings.steps.iter().map(|step| step.weight).chain([FULL_WEIGHT]);
    let least = weights.map(|weight| stage_pods(settings, weight).stable).min().unwrap_or(wanted);
    let words = format!(
        "with {most} pods of surge stable goes down to {least} of {wanted}: at the end of a release it could take back {} % of the traffic at \
         once, the rest as it grows",
        weight_covered(wanted, least, 100)
    );
    Some(about.warning("surge", "", words))
}

/// Whether the metrics can be measured: what the operator says, or what its configuration lacks.
fn measured(about: &About, analysis: &Analysis, context: &Context<'_>) -> Vec<Finding> {
    let check = "metrics";
    if let Some(condition) = context.live.and_then(|live| live.conditions.iter().find(|condition| condition.type_ == ANALYSIS_READY)) {
        let words = condition.message.clone();
        return vec![match (condition.status.as_str(), condition.reason.as_str()) {
            ("True", _) => about.ok(check, words),
            // Of the plan of before; this one's is looked at below.
            (_, reason::TOO_FEW_REQUESTS | reason::CANNOT_TELL) => about.ok(check, "the operator can measure every metric"),
            (_, code) => about.warning(check, code, words),
        }];
    }
    let Some(configured) = context.configured else {
        let hint =
            if context.offline { "give the operator's configuration with --config" } else { "see AnalysisReady once a version serves" };
        let words = format!("a release would hold with NoData if the operator had no metric provider, which is not known here: {hint}");
        return vec![about.warning(check, reason::NO_DATA, words)];
    };
    let named = analysis.metrics.iter().map(|metric| metric.provider.as_ref().or(analysis.provider.as_ref()));
    let lacking = |name: Option<&String>| match name {
        Some(name) => configured.metric_providers.iter().all(|provider| provider.name != *name),
        None => configured.default_provider().is_none(),
    };
    match named.into_iter().find(|name| lacking(*name)) {
        None => vec![about.ok(check, "its metric providers are configured")],
        Some(name) => {
            let what =
                name.map_or_else(|| "no metric provider is the default".to_owned(), |name| format!("there is no metric provider {name}"));
            let words = format!("a release would hold with NoData: {what}; configure it, or name another");
            vec![about.warning(check, reason::NO_PROVIDER, words)]
        }
    }
}

/// What the traffic cannot tell: as it was given, else as the operator measured it.
fn traffic(about: &About, settings: &Settings, criteria: &Criteria, context: &Context<'_>) -> Vec<Finding> {
    let known = criteria.metrics.iter().filter_map(|metric| Some((metric, of_metric(metric, context)?)));
    let concerns = known.flat_map(|(metric, traffic)| foresight::concerns(settings, criteria, metric, traffic));
    let mut late = false;
    let mut found = Vec::new();
    for concern in concerns {
        match concern {
            // One of them says how long the step takes.
            Concern::Longer(_) if late => {}
            Concern::Longer(words) => {
                late = true;
                found.push(about.warning("traffic", reason::TOO_FEW_REQUESTS, words));
            }
            Concern::Untold(words) => found.push(about.warning("traffic", reason::CANNOT_TELL, words)),
        }
    }
    let some = criteria.metrics.iter().any(|metric| of_metric(metric, context).is_some());
    if found.is_empty() && some {
        found.push(about.ok("traffic", "the steps get their requests, and what they compare can be told"));
    }
    found
}

fn of_metric(metric: &Metric, context: &Context<'_>) -> Option<Traffic> {
    if let Some(assumed) = context.assumed {
        return Some(assumed);
    }
    let probes = context.live.map_or(&[][..], |live| &live.probes);
    let probed = probes.iter().filter_map(memory::probe::probe_from).find(|probed| probed.name == metric.name);
    match probed?.outcome {
        Outcome::Measured(counted) => {
            Some(Traffic { requests_per_second: counted.requests_per_second()?, failed_share: counted.failed_share() })
        }
        Outcome::Missing(..) => None,
    }
}
