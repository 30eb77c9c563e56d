//! From what was seen to what to do: translates for the domain, which decides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::conditions::reason;
use crate::api::{COMMAND_ANNOTATION, Rollback};
use crate::controllers::model_deployment::observe::{Observed, SeenRevision};
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::analysis::take_in::Answered;
use crate::domain::command::Command;
use crate::domain::record::{Decision, Record};
use crate::domain::revision::{Pods, RevisionName, RevisionView, Revisions, ScalerView, Workload};
use crate::domain::rollback::Order;
use crate::domain::rollout::{self, Acceptance, Live, Plan, Reason, Situation, Wanted};
use crate::domain::settings::{ScalerKind, TrafficMode};
use crate::resources::revision::{self, Input, Recorded};
use crate::resources::workload::RESTARTED_AT;
use crate::traffic::{self, ratio, route};

/// The revision that the spec asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its name.
    pub name: RevisionName,
    /// Its number: that of its record, or the next one.
    pub number: i64,
    /// What is, or is to be, recorded.
    pub recorded: Recorded,
    /// It has no record yet.
    pub new: bool,
}

/// Finds the revision whose content is `input`, or names a new one. A name that other content has is passed over.
pub fn target(observed: &Observed, input: &Input) -> Target {
    let recorded = observed.revisions.iter().filter_map(|(name, seen)| Some((name, seen.record.as_ref()?)));
    let same = recorded.clone().find(|(_, (_, recorded))| recorded.input == *input);
    if let Some((name, (seen, recorded))) = same {
        return Target { name: name.clone(), number: number_of(&seen.object), recorded: recorded.clone(), new: false };
    }
    let number = recorded.map(|(_, (seen, _))| number_of(&seen.object)).max().unwrap_or(0) + 1;
    let deployment = &observed.owner.name;
    let free = |name: &String| observed.revisions.get(&RevisionName::new(name.as_str())).is_none_or(|seen| seen.record.is_none());
    let mut names = (0..).map(|collisions| revision::name(deployment, input, collisions));
    let name = names.find(free).unwrap_or_default();
    let recorded = revision::recorded(deployment, &name, input.clone());
    Target { name: RevisionName::new(name), number, recorded, new: true }
}

/// Why `input` must not be released: its version was removed from the Model and came back as something else, while it runs.
pub fn changed(observed: &Observed, input: &Input) -> Option<Reason> {
    let running = observed.revisions.values().filter(|seen| seen.workload.is_some());
    let mut recorded = running.filter_map(|seen| seen.record.as_ref().map(|(_, recorded)| &recorded.input));
    let other = recorded.find(|running| {
        let same_version = (&running.model, &running.version) == (&input.model, &input.version);
        same_version && (&running.uri, &running.digest) != (&input.uri, &input.digest)
    })?;
    let words = format!(
        "version {} of Model {} is not what runs under that name: its artifact was {} {} and is {} {} now; give it a new version",
        input.version, input.model, other.uri, other.digest, input.uri, input.digest
    );
    Some(Reason::new(reason::VERSION_CHANGED, words))
}

fn number_of(record: &Value) -> i64 {
    record["revision"].as_i64().unwrap_or(0)
}

/// What metrics said since the last pass.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// Answers.
    pub answers: Vec<Answered>,
    /// Up to which moment a metric was asked for, these answers included, by its name.
    pub asked: BTreeMap<String, Timestamp>,
}

/// Decides. `target` is the revision that the spec asks for, or why there is none.
pub fn decide(observed: &Observed, valid: &Valid, target: &Result<Target, Reason>, numbers: &Numbers, remembered: Option<&Record>) -> Plan {
    // What belongs to nobody does not go by itself: its name is taken, and the first write says so.
    if observed.orphans > 0 && observed.unowned.is_empty() && remembered.is_none() {
        let words = format!("{} children of a deleted namesake have to go first", observed.orphans);
        return rollout::decide(
            &situation(observed, valid, &Wanted::Unresolved(Reason::new(reason::WAITING_FOR_CLEANUP, words)))
                .view(None, &Numbers::default()),
        );
    }
    let wanted = match target {
        Ok(target) => Wanted::Revision(target.name.clone()),
        Err(reason) => Wanted::Unresolved(reason.clone()),
    };
    let mut inputs = situation(observed, valid, &wanted);
    if let Ok(target) = target {
        let view = inputs.revisions.entry(target.name.clone()).or_default();
        view.number = target.number;
        view.version.clone_from(&target.recorded.input.version);
    }
    rollout::decide(&inputs.view(remembered, numbers))
}

/// Owned inputs of a decision.
struct Inputs<'a> {
    observed: &'a Observed,
    valid: &'a Valid,
    wanted: Wanted,
    revisions: Revisions,
    live: Live,
    command: Option<Command>,
    rollback: Option<Order>,
}

impl Inputs<'_> {
    fn view<'b>(&'b self, record: Option<&'b Record>, numbers: &'b Numbers) -> Situation<'b> {
        Situation {
            now: self.observed.now,
            generation: self.observed.entry.generation,
            settings: &self.valid.settings,
            wanted: &self.wanted,
            revisions: &self.revisions,
            live: &self.live,
            record,
            command: self.command.as_ref(),
            rollback: self.rollback.as_ref(),
            answers: &numbers.answers,
            asked: &numbers.asked,
        }
    }
}

/// All revisions, as decisions see them.
pub fn revisions(observed: &Observed) -> Revisions {
    observed.revisions.iter().map(|(name, seen)| (name.clone(), view(observed, name, seen))).collect()
}

fn situation<'a>(observed: &'a Observed, valid: &'a Valid, wanted: &Wanted) -> Inputs<'a> {
    let revisions = revisions(observed);
    let annotations = observed.deployment.metadata.annotations.as_ref();
    let command = annotations.and_then(|annotations| annotations.get(COMMAND_ANNOTATION)).map(|value| Command::parse(value));
    Inputs { observed, valid, wanted: wanted.clone(), revisions, live: live(observed, valid), command, rollback: order(observed) }
}

/// The newest Rollback under way; older ones gave way to it.
fn order(observed: &Observed) -> Option<Order> {
    let going = observed.rollbacks.iter().filter(|rollback| rollback.is_going());
    let orders = going.filter_map(|rollback| Some((rollback.asked(), order_of(rollback)?)));
    orders.max_by_key(|(asked, _)| *asked).map(|(_, order)| order)
}

fn order_of(rollback: &Rollback) -> Option<Order> {
    let (status, name) = (rollback.status.as_ref()?, rollback.metadata.name.clone()?);
    Some(Order {
        uid: rollback.metadata.uid.clone()?,
        from: RevisionName::new(status.from.as_ref()?.revision.as_str()),
        to: RevisionName::new(status.to.as_ref()?.revision.as_str()),
        reason: rollback.spec.reason.clone().unwrap_or_else(|| format!("asked for by Rollback {name}")),
        name,
    })
}

fn view(observed: &Observed, name: &RevisionName, seen: &SeenRevision) -> RevisionView {
    let recorded = seen.record.as_ref();
    let history = observed.deployment.status.as_ref().map_or(&[][..], |status| &status.history);
    RevisionView {
        number: recorded.map_or(0, |(seen, _)| number_of(&seen.object)),
        version: recorded.map_or_else(|| name.to_string(), |(_, recorded)| recorded.input.version.clone()),
        served: seen.served() || history.iter().any(|entry| entry.revision == name.as_str()),
        failed: seen.failed(),
        workload: seen.workload.as_ref().map(|workload| workload_view(&workload.object, workload.entry.deleting)),
        scaler: seen.scalers().next().map(|(kind, scaler)| ScalerView { kind, trouble: trouble(kind, &scaler.object) }),
        pods: pods_view(seen),
    }
}

/// Why a scaler cannot do its work. One that was made just now has not said anything yet.
fn trouble(kind: ScalerKind, object: &Value) -> Option<String> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array)?;
    let wanted: &[&str] = match kind {
        ScalerKind::Hpa => &["AbleToScale", "ScalingActive"],
        ScalerKind::Keda => &["Ready"],
    };
    let failing = conditions.iter().find(|condition| {
        let about = wanted.iter().any(|kind| condition["type"] == *kind);
        // A target without pods is not scaled: that is rest, not failure.
        about && condition["status"] == "False" && condition["reason"] != "ScalingDisabled"
    })?;
    let text = |field: &str| failing[field].as_str().unwrap_or_default().to_owned();
    Some(format!("{}: {}", text("reason"), text("message")).chars().take(300).collect())
}

fn workload_view(object: &Value, terminating: bool) -> Workload {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let failure = conditions.iter().find(|condition| condition["type"] == "ReplicaFailure" && condition["status"] == "True");
    let words = failure.map(|condition| condition["message"].as_str().unwrap_or("pods are refused").chars().take(200).collect());
    let replicas = object.pointer("/spec/replicas").and_then(Value::as_i64).and_then(|replicas| i32::try_from(replicas).ok());
    Workload { replicas: replicas.unwrap_or(1), terminating, restarted_at: restarted_at(object), refused: words }
}

/// Only a text that we would write ourselves: writing it again must not change the pods.
fn restarted_at(object: &Value) -> Option<Timestamp> {
    let text = object.pointer("/spec/template/metadata/annotations")?.get(RESTARTED_AT)?.as_str()?;
    text.parse().ok().filter(|time: &Timestamp| time.to_string() == text)
}

fn pods_view(seen: &SeenRevision) -> Pods {
    let rows = || seen.pods.iter().filter_map(|entry| entry.row.as_ref().ok().map(|pod| (entry, pod)));
    let first = |words: &dyn Fn(&crate::controllers::caches::Pod) -> Option<String>| {
        rows().filter(|(entry, pod)| !pod.ready && !entry.deleting).find_map(|(_, pod)| words(pod))
    };
    Pods {
        total: i32::try_from(rows().count()).unwrap_or(i32::MAX),
        ready: i32::try_from(rows().filter(|(_, pod)| pod.ready).count()).unwrap_or(i32::MAX),
        unschedulable: first(&|pod| pod.unschedulable.as_deref().map(str::to_owned)),
        trouble: first(&|pod| pod.trouble.as_deref().map(str::to_owned)),
    }
}

/// The split as the cluster has it.
fn live(observed: &Observed, valid: &Valid) -> Live {
    match valid.settings.traffic {
        TrafficMode::Gateway => live_route(observed, valid),
        TrafficMode::ReplicaRatio => live_service(observed),
    }
}

fn live_route(observed: &Observed, valid: &Valid) -> Live {
    let Some(seen) = observed.route.as_ref().filter(|seen| !seen.entry.deleting) else {
        let kind = route::kind(valid.traffic.protocol);
        let missing = format!("the {kind} kind of the Gateway API is not installed: install it, or remove spec.traffic.gateways");
        let acceptance = if observed.gateway_api { Acceptance::Pending } else { Acceptance::Missing(missing) };
        return Live { decision: None, intact: false, acceptance };
    };
    let decision = traffic::from_object(&seen.object).filter(Decision::is_sound);
    // The list of rules has one owner: whoever changed anything of it took it from us.
    let ours = seen.owns(&json!({ "spec": { "rules": ["ours"] } }));
    let intact = ours && decision.as_ref().is_some_and(|decision| route::is_intact(&seen.object, decision));
    let acceptance = match route::acceptance(&seen.object) {
        // A gateway may take only one route for a host name, whatever their kinds.
        Acceptance::Refused(words) if observed.former_route.is_some() => {
            Acceptance::Refused(format!("{words}; the route of the former protocol still serves: delete it if it is in the way"))
        }
        other => other,
    };
    Live { decision, intact, acceptance }
}

fn live_service(observed: &Observed) -> Live {
    let seen = observed.service.as_ref().filter(|seen| !seen.entry.deleting);
    let decision = seen.and_then(|seen| traffic::from_object(&seen.object)).filter(Decision::is_sound);
    let intact = match (seen, &decision) {
        (Some(seen), Some(decision)) => ratio::is_intact(&observed.owner.name, &seen.object, &decision.split),
        _ => false,
    };
    Live { decision, intact, acceptance: Acceptance::Accepted }
}
