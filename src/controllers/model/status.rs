//! The status of a Model: which versions serve where, and which gates they pass. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use semver::Version;

use crate::api::conditions::{self, reason};
use crate::api::model::{GateResult, Model, ModelPhase, ModelStatus, ModelVersion, ServingDeployment, Stage, VersionStatus};
use crate::api::model_deployment::{ModelDeployment, RevisionStatus};
use crate::controllers::conditions::{Wanted, merge};
use crate::controllers::model_deployment::validate::gate_failures;

/// The environment whose stable revision is in production.
const PRODUCTION: &str = "production";
/// The environment that comes before it.
const STAGING: &str = "staging";
/// Serving deployments that are listed for one version.
const DEPLOYMENTS_MAX: usize = 32;
/// Versions that nothing uses any more and that are still listed, the newest ones: a status has to stay small (I28).
const FORMER_MAX: usize = 10;
/// Characters of what a version lacks for one environment.
const MESSAGE_MAX: usize = 120;

/// A deployment that has a version in use.
struct Use<'a> {
    deployment: &'a ModelDeployment,
    revision: &'a RevisionStatus,
    stable: bool,
}

impl Use<'_> {
    fn name(&self) -> &str {
        self.deployment.metadata.name.as_deref().unwrap_or_default()
    }

    fn stage(&self) -> Stage {
        match self.deployment.spec.environment.as_str() {
            PRODUCTION if self.stable => Stage::Production,
            STAGING => Stage::Staging,
            _ => Stage::Testing,
        }
    }
}

/// Builds the status of `model` as its deployments `users` have it.
pub fn status(model: &Model, generation: i64, users: &[Arc<ModelDeployment>], now: Timestamp) -> ModelStatus {
    let before = model.status.clone().unwrap_or_default();
    let uses = uses_by_version(users);
    let latest = latest(&model.spec.versions);
    let in_production = |user: &&Arc<ModelDeployment>| {
        user.spec.environment == PRODUCTION && user.status.as_ref().is_some_and(|status| status.stable.is_some())
    };
    let production_deployments = i32::try_from(users.iter().filter(in_production).count()).unwrap_or(i32::MAX);
    let former = former(&before, &uses, model);
    let shown = model.spec.versions.iter().filter_map(|version| {
        let uses = uses.get(version.version.as_str()).map_or(&[][..], Vec::as_slice);
        let known = before.versions.iter().find(|status| status.version == version.version);
        let newest = latest.as_deref() == Some(version.version.as_str());
        (newest || former.contains(&version.version.as_str()) || !uses.is_empty())
            .then(|| version_status(model, version, uses, known, production_deployments, now))
    });
    let versions: Vec<VersionStatus> = shown.collect();
    let serving = versions.iter().any(|version| !version.deployments.is_empty());
    ModelStatus {
        phase: Some(if serving { ModelPhase::Serving } else { ModelPhase::Registered }),
        observed_generation: Some(generation),
        conditions: conditions_of(model, &before, generation, now),
        production_version: production(&uses),
        latest_version: latest,
        versions,
    }
}

/// Versions that were in use, by what is listed now; the newest of them.
fn former<'a>(before: &ModelStatus, uses: &BTreeMap<&str, Vec<Use<'_>>>, model: &'a Model) -> Vec<&'a str> {
    let was_used = |version: &str| before.versions.iter().any(|status| status.version == version && status.deployed_at.is_some());
    let versions = model.spec.versions.iter().map(|version| version.version.as_str());
    let mut former: Vec<&str> = versions.filter(|version| was_used(version) && !uses.contains_key(version)).collect();
    former.sort_by_key(|version| std::cmp::Reverse(Version::parse(version).ok()));
    former.truncate(FORMER_MAX);
    former
}

fn uses_by_version(users: &[Arc<ModelDeployment>]) -> BTreeMap<&str, Vec<Use<'_>>> {
    let mut uses: BTreeMap<&str, Vec<Use<'_>>> = BTreeMap::new();
    for deployment in users {
        let Some(status) = &deployment.status else { continue };
        for (revision, stable) in [(&status.stable, true), (&status.candidate, false)] {
            if let Some(revision) = revision {
                uses.entry(revision.version.as_str()).or_default().push(Use { deployment, revision, stable });
            }
        }
    }
    uses
}

/// The highest version that is not archived.
fn latest(versions: &[ModelVersion]) -> Option<String> {
    let current = versions.iter().filter(|version| !version.archived);
    let highest = current.max_by_key(|version| Version::parse(&version.version).ok());
    highest.map(|version| version.version.clone())
}

fn production(uses: &BTreeMap<&str, Vec<Use<'_>>>) -> Option<String> {
    let serving = |version: &Vec<Use<'_>>| version.iter().any(|used| used.stage() == Stage::Production && used.revision.ready > 0);
    let serving = uses.iter().filter(|(_, uses)| serving(uses)).map(|(version, _)| *version);
    serving.max_by_key(|version| Version::parse(version).ok()).map(str::to_owned)
}

fn version_status(
    model: &Model,
    version: &ModelVersion,
    uses: &[Use<'_>],
    before: Option<&VersionStatus>,
    production_deployments: i32,
    now: Timestamp,
) -> VersionStatus {
    let stage = stage(version, uses, before);
    let deployments = serving(uses);
    let deployed_at = before.and_then(|before| before.deployed_at.clone());
    VersionStatus {
        version: version.version.clone(),
        traffic: production_traffic(uses, production_deployments),
        deployed_at: deployed_at.or_else(|| (!uses.is_empty()).then_some(Time(now))),
        gates: gates(model, version),
        stage,
        deployments,
    }
}

/// Deployments that serve a version, each once: stable and candidate may be of one version and differ in their container.
fn serving(uses: &[Use<'_>]) -> Vec<ServingDeployment> {
    let mut by_name: BTreeMap<&str, ServingDeployment> = BTreeMap::new();
    for used in uses {
        let environment = Some(used.deployment.spec.environment.clone());
        let entry = ServingDeployment { name: used.name().to_owned(), environment, weight: 0 };
        by_name.entry(used.name()).or_insert(entry).weight += used.revision.weight;
    }
    by_name.into_values().take(DEPLOYMENTS_MAX).collect()
}

/// The mean of what the production deployments give it, in percent; `None` if none has it.
fn production_traffic(uses: &[Use<'_>], deployments: i32) -> Option<i32> {
    let mut given = uses.iter().filter(|used| used.deployment.spec.environment == PRODUCTION).map(|used| used.revision.weight).peekable();
    given.peek()?;
    Some((given.map(i64::from).sum::<i64>() / i64::from(deployments.max(1))).try_into().unwrap_or(100))
}

fn stage(version: &ModelVersion, uses: &[Use<'_>], before: Option<&VersionStatus>) -> Stage {
    let used = |stage: Stage| uses.iter().any(|used| used.stage() == stage);
    let was = before.map(|before| before.stage.clone());
    match was {
        _ if used(Stage::Production) => Stage::Production,
        _ if used(Stage::Staging) => Stage::Staging,
        _ if !uses.is_empty() => Stage::Testing,
        _ if version.archived => Stage::Archived,
        Some(Stage::Production | Stage::Deprecated) => Stage::Deprecated,
        _ => Stage::Registered,
    }
}

fn gates(model: &Model, version: &ModelVersion) -> Vec<GateResult> {
    let judged = model.spec.gates.iter().map(|gate| {
        let failures = gate_failures(Some(gate), version);
        let message = (!failures.is_empty()).then(|| failures.join("; ").chars().take(MESSAGE_MAX).collect());
        GateResult { environment: gate.environment.clone(), passed: failures.is_empty(), message }
    });
    judged.collect()
}

fn conditions_of(
    model: &Model,
    before: &ModelStatus,
    generation: i64,
    now: Timestamp,
) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let count = model.spec.versions.len();
    let wanted = vec![
        Wanted::new(conditions::READY, true, reason::REGISTERED, &format!("{count} versions are registered")),
        Wanted::new(conditions::RECONCILING, false, reason::DONE, ""),
        Wanted::new(conditions::STALLED, false, reason::NOT_STALLED, ""),
    ];
    merge(&before.conditions, wanted, generation, now)
}

#[cfg(test)]
mod tests;
