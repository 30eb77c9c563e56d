//! The status of a ModelDeployment: what serves, what comes next and why. Pure; written once per pass, by the driver.

pub(super) mod analysis;
mod readiness;
mod scaling;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::conditions::{self, reason};
use crate::api::model_deployment as api;
use crate::controllers::conditions::{Wanted, merge};
use crate::controllers::model_deployment::memory;
use crate::controllers::model_deployment::observe::Observed;
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::beforehand::probe::Probed;
use crate::domain::record::{Candidate, Record};
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Plan, State};
use crate::domain::settings::{Hold, TrafficMode};
use crate::domain::size::{share_by_pods, weight_covered};
use crate::resources::labels;
use crate::traffic::route::LeftOut;

/// Entries of `history` that are shown.
const HISTORY_MAX: usize = 20;

/// Builds the status that follows from a plan that was carried out.
///
/// `known` is what the metrics of the stable revision said beforehand.
pub fn status(observed: &Observed, valid: &Valid, plan: &Plan, known: &[Probed]) -> api::ModelDeploymentStatus {
    let before = observed.deployment.status.clone().unwrap_or_default();
    let mut status = api::ModelDeploymentStatus {
        phase: Some(phase(plan)),
        observed_generation: Some(observed.entry.generation),
        conditions: conditions_of(observed, valid, plan, known, before.conditions),
        probes: known.iter().map(memory::probe::probe_to).collect(),
        next_action: Some(next_action(plan)),
        ..api::ModelDeploymentStatus::default()
    };
    if let Some(record) = &plan.record {
        remember(&mut status, observed, record);
        status.analysis = record.analysis.as_ref().map(|progress| analysis::analysis(progress, valid.settings.analysis.as_ref()));
        show(&mut status, observed, valid, plan, record);
    }
    status
}

fn phase(plan: &Plan) -> api::ModelDeploymentPhase {
    use api::ModelDeploymentPhase as Phase;
    match plan.state {
        State::Waiting if plan.record.is_none() => Phase::Pending,
        State::Waiting if plan.record.as_ref().is_some_and(|record| record.candidate.is_some()) => Phase::Holding,
        State::Serving if plan.reason.code == reason::IDLE => Phase::Idle,
        State::Waiting | State::Serving => Phase::Active,
        State::Deploying if plan.record.as_ref().is_some_and(|record| !record.history.is_empty()) => Phase::Scaling,
        State::Deploying => Phase::Deploying,
        State::Progressing => Phase::Progressing,
        State::Holding | State::Paused => Phase::Holding,
        State::RollingBack => Phase::RollingBack,
        State::RolledBack => Phase::RolledBack,
        State::Degraded => Phase::Degraded,
    }
}

fn next_action(plan: &Plan) -> api::NextAction {
    use api::NextActionKind as Kind;
    let what = match (plan.state, plan.reason.code) {
        (_, "WaitingForPods" | "SurgeBlocked" | "PodsNotReady" | "WaitingForOldPods") => Kind::WaitForPods,
        (_, "WaitingForRoute" | "RouteNotAccepted" | "GatewayApiMissing") => Kind::WaitForRoute,
        (_, "WaitingForPromotion" | "Paused") => Kind::WaitForCommand,
        (State::RollingBack, _) => Kind::GoBack,
        (State::Progressing | State::Holding, _) => Kind::Advance,
        (State::Waiting | State::RolledBack | State::Degraded, _) => Kind::WaitForChange,
        _ => Kind::None,
    };
    api::NextAction { what, at: plan.look_at.map(Time), reason: memory::clip(&plan.reason.message) }
}

/// What the next pass has to know.
fn remember(status: &mut api::ModelDeploymentStatus, observed: &Observed, record: &Record) {
    status.since = Some(Time(record.since));
    status.restarted_at = record.restarted_at.map(Time);
    status.decision = Some(memory::decision_to(&record.settled));
    status.intent = record.pending().then(|| memory::decision_to(&record.decision));
    status.serving_override = record.overriding.as_ref().map(memory::override_to);
    status.release_replicas = record.replicas;
    status.last_rollback.clone_from(&record.rollback);
    status.last_command = record.command.as_ref().map(memory::command_to);
    let before = observed.deployment.status.as_ref().and_then(|status| status.paused.clone());
    status.paused = record.paused.then(|| {
        before.unwrap_or_else(|| api::PausedStatus {
            since: Time(observed.now),
            nonce: record.command.as_ref().map(|command| command.nonce.clone()).unwrap_or_default(),
        })
    });
    status.history = history(record);
}

fn history(record: &Record) -> Vec<api::HistoryEntry> {
    let mut until = None;
    let mut entries = Vec::new();
    for (place, served) in record.history.iter().take(HISTORY_MAX).enumerate() {
        entries.push(api::HistoryEntry {
            revision: served.revision.to_string(),
            version: served.version.clone(),
            served_from: Some(Time(served.since)),
            served_until: until.take(),
            outcome: if place == 0 { api::Outcome::Serving } else { api::Outcome::Served },
            reason: None,
        });
        until = Some(Time(served.since));
    }
    entries
}

/// What people and tools look at.
fn show(status: &mut api::ModelDeploymentStatus, observed: &Observed, valid: &Valid, plan: &Plan, record: &Record) {
    let replicas = wanted_replicas(observed, plan);
    let shown = Shown { observed, valid, plan, replicas: &replicas };
    let stable = shown.revision(&record.stable, record);
    status.replicas = Some(stable.replicas);
    status.selector = Some(selector(&observed.owner.name, &record.stable));
    status.url = Some(url(observed, valid));
    if let Some(candidate) = &record.candidate {
        let waiting = (!candidate.blocked).then_some(Time(candidate.waiting_since));
        let (since, pods) = (Some(Time(candidate.begun)), candidate.pods);
        let shown_candidate = shown.revision(&candidate.revision, record);
        status.candidate = Some(api::RevisionStatus { replicas: pods, since, waiting_since: waiting, ..shown_candidate });
        status.step = Some(step(valid, candidate));
        status.rollback_capacity = Some(weight_covered(valid.settings.replicas, shown.ready(&record.stable), 100));
    }
    status.current_weights = weights(&stable, status.candidate.as_ref());
    status.stable = Some(stable);
    status.retiring = retiring(observed, record, &replicas);
}

fn weights(stable: &api::RevisionStatus, candidate: Option<&api::RevisionStatus>) -> Vec<api::RevisionWeight> {
    let both = std::iter::once(stable).chain(candidate);
    both.map(|status| api::RevisionWeight { revision: status.revision.clone(), weight: status.weight }).collect()
}

/// Pods that every workload asks for once the plan is carried out.
fn wanted_replicas(observed: &Observed, plan: &Plan) -> BTreeMap<RevisionName, i32> {
    let mut replicas: BTreeMap<RevisionName, i32> = plan.workloads.iter().cloned().collect();
    for (name, seen) in &observed.revisions {
        let live = seen.workload.as_ref().and_then(|workload| workload.object.pointer("/spec/replicas")?.as_i64());
        if let Some(live) = live.and_then(|live| i32::try_from(live).ok()) {
            replicas.entry(name.clone()).or_insert(live);
        }
    }
    replicas.extend(plan.scale.iter().cloned());
    replicas
}

struct Shown<'a> {
    observed: &'a Observed,
    valid: &'a Valid,
    plan: &'a Plan,
    replicas: &'a BTreeMap<RevisionName, i32>,
}

impl Shown<'_> {
    fn ready(&self, revision: &RevisionName) -> i32 {
        let pods = self.observed.revisions.get(revision).map(|seen| seen.pods.iter());
        let ready = pods.into_iter().flatten().filter(|entry| entry.row.as_ref().is_ok_and(|pod| pod.ready)).count();
        i32::try_from(ready).unwrap_or(i32::MAX)
    }

    fn version(&self, revision: &RevisionName) -> String {
        let recorded = self.observed.revisions.get(revision).and_then(|seen| seen.record.as_ref());
        recorded.map_or_else(|| self.observed.deployment.spec.version.clone(), |(_, recorded)| recorded.input.version.clone())
    }

    fn revision(&self, revision: &RevisionName, record: &Record) -> api::RevisionStatus {
        let weight = self.weight(revision, record);
        api::RevisionStatus {
            version: self.version(revision),
            revision: revision.to_string(),
            weight,
            share: self.share(revision, record, weight),
            replicas: self.replicas.get(revision).copied().unwrap_or(0),
            ready: self.ready(revision),
            replicas_owner: scaling::owner(self.observed, self.valid, self.plan, revision),
            since: None,
            waiting_since: None,
        }
    }

    fn weight(&self, revision: &RevisionName, record: &Record) -> i32 {
        record.settled.split.weight_of(revision)
    }

    /// The share of traffic that follows from ready pods, without a gateway and while two revisions share.
    fn share(&self, revision: &RevisionName, record: &Record, weight: i32) -> Option<i32> {
        let candidate = record.candidate.as_ref()?;
        if self.valid.settings.traffic == TrafficMode::Gateway {
            return None;
        }
        let share = share_by_pods(self.ready(&candidate.revision), self.ready(&record.stable));
        match weight {
            0 | 100 => Some(weight),
            _ if *revision == candidate.revision => Some(share),
            _ => Some(100 - share),
        }
    }
}

fn step(valid: &Valid, candidate: &Candidate) -> api::StepStatus {
    let weight = candidate.stage_weight;
    let (passed, steps) = valid.settings.position(weight);
    let at_end = valid.settings.hold_at(weight).is_none();
    let index = i32::try_from(if at_end { steps + 1 } else { passed.max(1) }).unwrap_or(1);
    let hold_until = match (valid.settings.hold_at(weight), candidate.reached) {
        (Some(Hold::For(time)), Some(reached)) => reached.checked_add(time).ok().map(Time),
        _ => None,
    };
    api::StepStatus {
        index,
        progress: Some(format!("{index}/{}", steps + 1)),
        weight,
        since: Time(candidate.begun),
        applied_at: candidate.reached.map(Time),
        hold_until,
        promoted: candidate.hold_ended,
    }
}

fn retiring(observed: &Observed, record: &Record, replicas: &BTreeMap<RevisionName, i32>) -> Vec<api::RetiringRevision> {
    let candidate = record.candidate.as_ref().map(|candidate| &candidate.revision);
    let left = observed
        .revisions
        .iter()
        .filter(|(name, seen)| (seen.workload.is_some() || !seen.pods.is_empty()) && **name != record.stable && Some(*name) != candidate);
    let retiring = left.map(|(name, seen)| api::RetiringRevision {
        revision: name.to_string(),
        version: seen.record.as_ref().map(|(_, recorded)| recorded.input.version.clone()).unwrap_or_default(),
        replicas: replicas.get(name).copied().unwrap_or(0),
        since: record.zero_since.map(Time),
    });
    retiring.take(16).collect()
}

fn selector(deployment: &str, revision: &RevisionName) -> String {
    let pairs = labels::revision_selector(deployment, revision.as_str());
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

fn url(observed: &Observed, valid: &Valid) -> String {
    let path = valid.traffic.path.as_deref().unwrap_or("");
    match valid.traffic.hostnames.first().filter(|_| valid.settings.traffic == TrafficMode::Gateway) {
        Some(hostname) => format!("http://{hostname}{path}"),
        None => format!("http://{}.{}.svc", observed.owner.name, observed.owner.namespace),
    }
}

fn conditions_of(observed: &Observed, valid: &Valid, plan: &Plan, known: &[Probed], mut before: Vec<Condition>) -> Vec<Condition> {
    let message = memory::clip(&plan.reason.message);
    let code = plan.reason.code;
    let settled = plan.state == State::Serving;
    let stuck = matches!(plan.state, State::RolledBack | State::Waiting | State::Degraded);
    let ready_reason = if settled { reason::AS_SPECIFIED } else { code };
    let serving = serves(observed, plan);
    let idle = valid.settings.replicas == 0 && plan.record.is_some();
    let mut wanted = vec![
        Wanted::new(conditions::READY, settled, ready_reason, &message),
        available(observed, valid, serving || idle),
        Wanted::new(conditions::RECONCILING, !settled && !stuck, if settled || stuck { reason::DONE } else { code }, &message),
        Wanted::new(conditions::STALLED, stuck, if stuck { code } else { reason::NOT_STALLED }, if stuck { &message } else { "" }),
    ];
    let record = plan.record.as_ref();
    if let Some(overriding) = record.and_then(|record| record.overriding.as_ref()) {
        let words = memory::clip(&overriding.reason);
        wanted.push(Wanted::new(conditions::SPEC_SUPERSEDED, true, override_reason(&overriding.by), &words));
    } else {
        wanted.push(Wanted::new(conditions::SPEC_SUPERSEDED, false, reason::NO_OVERRIDE, ""));
    }
    wanted.push(paused(observed, record));
    wanted.extend(route_as_specified(observed, valid, &before));
    wanted.extend(scaling::condition(observed, valid, plan));
    match readiness::analysis_ready(observed, valid, known) {
        Some(condition) => wanted.push(condition),
        None => before.retain(|condition| condition.type_ != conditions::ANALYSIS_READY),
    }
    merge(&before, wanted, observed.entry.generation, observed.now)
}

/// Said only of a route that lacks something, and once it no longer does.
fn route_as_specified(observed: &Observed, valid: &Valid, before: &[Condition]) -> Option<Wanted> {
    let kind = conditions::ROUTE_AS_SPECIFIED;
    let live = observed.route.as_ref().filter(|_| valid.settings.traffic == TrafficMode::Gateway);
    let left_out = live.and_then(|route| LeftOut::of(Some(&route.object), &valid.traffic).words());
    match left_out {
        Some(words) => Some(Wanted::new(kind, false, reason::ROUTE_FIELD_UNSUPPORTED, &memory::clip(&words))),
        None if before.iter().any(|condition| condition.type_ == kind) => Some(Wanted::new(kind, true, reason::AS_SPECIFIED, "")),
        None => None,
    }
}

/// A revision that has weight has a ready pod.
fn serves(observed: &Observed, plan: &Plan) -> bool {
    let has_weight = |name: &RevisionName| plan.record.as_ref().is_some_and(|record| record.settled.split.weight_of(name) > 0);
    let weighted = observed.revisions.iter().filter(|(name, _)| has_weight(name));
    weighted.flat_map(|(_, seen)| &seen.pods).any(|entry| entry.row.as_ref().is_ok_and(|pod| pod.ready))
}

fn available(observed: &Observed, valid: &Valid, serving: bool) -> Wanted {
    if valid.settings.traffic == TrafficMode::Gateway && !observed.gateway_api {
        return Wanted::new(conditions::AVAILABLE, false, reason::GATEWAY_API_MISSING, "no route can lead to any pod");
    }
    match serving {
        true => Wanted::new(conditions::AVAILABLE, true, reason::SERVING, "at least one pod that takes traffic is ready"),
        false => Wanted::new(conditions::AVAILABLE, false, reason::NOTHING_READY, "no pod that takes traffic is ready"),
    }
}

fn override_reason(by: &str) -> &'static str {
    match by {
        "abort" => reason::ABORTED,
        "analysis" => reason::ANALYSIS_FAILED,
        by if by.starts_with("rollback/") => reason::ROLLED_BACK,
        _ => reason::PROGRESS_DEADLINE_EXCEEDED,
    }
}

fn paused(observed: &Observed, record: Option<&Record>) -> Wanted {
    if observed.deployment.spec.paused {
        return Wanted::new(conditions::PAUSED, true, reason::PAUSED_BY_SPEC, "spec.paused is true");
    }
    match record.is_some_and(|record| record.paused) {
        true => Wanted::new(conditions::PAUSED, true, reason::PAUSED_BY_COMMAND, "paused by command: resume goes on"),
        false => Wanted::new(conditions::PAUSED, false, reason::NOT_PAUSED, ""),
    }
}

/// What a status says without numbers of pods and without words, which change often and often only for a moment: a change of
/// the rest is written at once.
pub fn without_details(status: &api::ModelDeploymentStatus) -> api::ModelDeploymentStatus {
    let mut status = status.clone();
    for revision in status.stable.iter_mut().chain(status.candidate.iter_mut()) {
        revision.ready = 0;
        revision.share = None;
    }
    status.rollback_capacity = None;
    status.retiring.clear();
    status.next_action = None;
    for condition in &mut status.conditions {
        condition.message.clear();
        condition.reason.clear();
    }
    status
}

/// When numbers and words that were first seen to differ at `noticed` are written, if they still differ then.
pub fn details_due(noticed: Timestamp) -> Timestamp {
    noticed + jiff::SignedDuration::from_secs(10)
}
