//! The start of a rollout: only memory changes, and only once nothing older is left.

use crate::domain::record::{Candidate, Cause, Override, Record};
use crate::domain::revision::RevisionName;
use crate::domain::rollout::goal::{self, Goal};
use crate::domain::rollout::{Mark, Plan, Reason, Situation, State, cleanup, standing, steady, target};
use crate::domain::settings::{FULL_WEIGHT, Settings};
use crate::domain::split::Split;

/// Starts a rollout when something else than stable should serve; else keeps stable.
pub(super) fn or_stay(situation: &Situation<'_>, record: Record) -> Plan {
    let wanted = match target(situation, &record) {
        Some(wanted) if *wanted != record.stable => wanted.clone(),
        _ => return steady::stay(situation, record),
    };
    let back = record.overriding.as_ref().is_some_and(|overriding| overriding.revision == wanted);
    if (situation.settings.paused || record.paused) && !back {
        let reason = Reason::new("Paused", format!("version {} waits: paused", situation.view(&wanted).version));
        return Plan { state: State::Paused, reason, ..steady::stay(situation, record) };
    }
    // What serves next may be there still; anything else leaves first.
    let usable = |name: &RevisionName| *name == wanted && situation.view(name).workload.is_some_and(|workload| !workload.terminating);
    if cleanup::others(situation, &record).any(|name| !usable(name)) {
        let reason = Reason::new("WaitingForOldPods", "pods of an earlier revision have to end first");
        return Plan { state: State::Progressing, reason, ..steady::stay(situation, record) };
    }
    start(situation, record, wanted)
}

fn start(situation: &Situation<'_>, mut record: Record, revision: RevisionName) -> Plan {
    // What its scaler put to rest is woken: a new version has to show that it gets ready, and the old one that it could come back.
    let rested = situation.settings.scaler.is_some() && situation.settings.replicas == 0;
    let settings = rested.then(|| Settings { replicas: 1, ..situation.settings.clone() });
    let situation = &Situation { settings: settings.as_ref().unwrap_or(situation.settings), ..*situation };
    let view = situation.view(&revision);
    let from = situation.view(&record.stable).version;
    // Nothing to protect: a release that never worked is replaced, not compared with.
    let bare = situation.never_worked(&record.stable) || situation.settings.replicas == 0;
    // On the way back to a revision that served, nothing is tried out.
    let back = record.overriding.as_ref().is_some_and(|overriding| overriding.revision == revision);
    let direct = bare || back;
    let stage_weight = if direct { FULL_WEIGHT } else { situation.settings.first_weight() };
    let candidate = Candidate {
        revision: revision.clone(),
        stage_weight,
        pods: 0,
        begun: situation.stamp(),
        waiting_since: situation.stamp(),
        blocked: false,
        reached: None,
        hold_ended: direct,
        retreat: None,
    };
    let split = standing(situation, &record).clone();
    let message = format!("version {} starts to replace {from}", view.version);
    record.candidate = Some(candidate.clone());
    record.zero_since = None;
    // Evidence of an earlier attempt says nothing about this one.
    record.analysis = None;
    record.since = situation.stamp();
    let Goal { pods, weight } = goal::of(situation, &record, &candidate);
    let target = Split::between(record.stable.clone(), revision.clone(), weight);
    record.decision = record.next_decision(situation.generation, target, Cause::Advance, message.clone());
    if let Some(candidate) = &mut record.candidate {
        candidate.pods = pods;
    }
    let stable = record.stable.clone();
    let leaves = |overriding: &&Override| overriding.left == stable && overriding.revision == revision;
    let given_up_for = record.overriding.as_ref().filter(leaves).map(|overriding| overriding.reason.clone());
    let stable_pods = goal::stable_target(situation, &record, &candidate);
    let mut plan = Plan::new(Some(record), State::Progressing, Reason::new("RolloutStarted", message.clone()));
    plan.split = Some(split);
    match given_up_for {
        Some(reason) => plan.marks.push((stable.clone(), Mark::FailedInService(reason))),
        None if situation.view(&stable).served => plan.marks.push((stable.clone(), Mark::Served)),
        None => {}
    }
    if view.failed.is_some() {
        plan.marks.push((revision, Mark::Retried));
    }
    plan.size(situation, &stable, stable_pods).note(false, Reason::new("RolloutStarted", message))
}
