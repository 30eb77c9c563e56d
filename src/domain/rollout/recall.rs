//! What is remembered: status, unless the cluster knows better, or status was lost.
//!
//! A newer decision on the cluster is believed only if it takes traffic away and the live rules are what it says: that is
//! what an interrupted way back leaves behind. Anything else is drift, and is repaired.

use crate::domain::command::{Command, Verb};
use crate::domain::record::{Acknowledged, Candidate, Cause, Decision, Override, REASON_MAX, Record, Served};
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Situation, Wanted, obey};
use crate::domain::split::Split;

/// The record to start from; `None` for a first release.
pub(super) fn record(situation: &Situation<'_>) -> Option<Record> {
    let Some(record) = situation.record else { return rebuilt(situation) };
    match &situation.live.decision {
        Some(live) if adoptable(situation, record, live) => Some(adopted(situation, record, live)),
        _ => Some(record.clone()),
    }
}

fn adoptable(situation: &Situation<'_>, record: &Record, live: &Decision) -> bool {
    let lowers = live.split.lowers(&record.decision.split) || live.split.lowers(&record.settled.split);
    let candidate = record.candidate.as_ref().map(|candidate| &candidate.revision);
    let same_sides = live.split.stable == record.stable && live.split.candidate.as_ref().map(|share| &share.revision) == candidate;
    situation.live.intact && live.number > record.decision.number && same_sides && candidate.is_some() && lowers
}

/// Takes over a way back whose status write was lost.
fn adopted(situation: &Situation<'_>, record: &Record, live: &Decision) -> Record {
    let mut record = record.clone();
    acknowledge(&mut record, live, situation);
    record.overriding.clone_from(&live.overriding);
    if let Some(candidate) = &mut record.candidate {
        candidate.retreat = candidate.retreat.take().or_else(|| live.way_back());
        candidate.reached = None;
        candidate.waiting_since = situation.stamp();
    }
    record.decision = live.clone();
    record.settled = live.clone();
    record
}

/// A nonce that the decision knows, or that stands there while nothing is remembered, counts as obeyed.
fn acknowledge(record: &mut Record, decision: &Decision, situation: &Situation<'_>) {
    let Some(command) = situation.command else { return };
    let known = record.command.as_ref().is_some_and(|done| done.nonce == command.nonce);
    if known || decision.nonce.as_deref() != Some(command.nonce.as_str()) {
        return;
    }
    let message = match (&command.verb, &record.overriding) {
        (Ok(Verb::Abort), _) => Some(obey::BACK.to_owned()),
        (Ok(Verb::Retry), Some(overriding)) => Some(obey::tries_again(overriding)),
        // What other commands change is not in the decision: the one that was lost with status is carried out again.
        _ => None,
    };
    if let Some(message) = message {
        record.command = Some(Acknowledged { nonce: command.nonce.clone(), verb: command.text.clone(), done: true, message });
    }
}

/// Status was lost: from the decision on the cluster, else from what runs.
fn rebuilt(situation: &Situation<'_>) -> Option<Record> {
    let decision = match &situation.live.decision {
        Some(live) => live.clone(),
        None => from_what_runs(situation)?,
    };
    let mut record = Record::first(decision.split.stable.clone(), decision.generation, decision.nonce.clone(), situation.stamp());
    record.overriding.clone_from(&decision.overriding);
    (record.stable, record.candidate) = sides(situation, &decision);
    record.history = history(situation, &record.stable);
    if let Some(command) = situation.command.filter(|command| counts_as_obeyed(situation, command)) {
        let message = "found acknowledged after the status was lost".to_owned();
        record.command = Some(Acknowledged { nonce: command.nonce.clone(), verb: command.text.clone(), done: true, message });
        record.paused = command.verb == Ok(Verb::Pause);
    }
    record.restarted_at = situation.revisions.get(&record.stable).and_then(|view| view.workload.as_ref()?.restarted_at);
    if situation.live.decision.is_none() {
        record.overriding = marked_as_failed(situation, &record.stable);
    }
    record.settled = decision.clone();
    record.decision = decision;
    Some(record)
}

/// Status is lost: a nonce that the decision knows was obeyed, as is any when there is no decision. Pods are not restarted
/// twice either.
fn counts_as_obeyed(situation: &Situation<'_>, command: &Command) -> bool {
    let known = situation.live.decision.as_ref().is_none_or(|live| live.nonce.as_ref() == Some(&command.nonce));
    known || command.verb == Ok(Verb::Restart)
}

/// A revision that was given up is not tried again by itself: its record says so when nothing else remembers.
fn marked_as_failed(situation: &Situation<'_>, stable: &RevisionName) -> Option<Override> {
    let Wanted::Revision(wanted) = situation.wanted else { return None };
    let failed = situation.revisions.get(wanted)?.failed.clone().filter(|_| wanted != stable)?;
    Some(Override {
        revision: stable.clone(),
        against: wanted.clone(),
        left: wanted.clone(),
        by: "progressDeadline".to_owned(),
        since: situation.stamp(),
        reason: failed.reason.chars().take(REASON_MAX).collect(),
        grounds: None,
        number: 0,
        recorded: true,
    })
}

/// Stable and candidate of a decision. Weight 100 was a promotion if nothing is left of the one before.
fn sides(situation: &Situation<'_>, decision: &Decision) -> (RevisionName, Option<Candidate>) {
    let Some(share) = &decision.split.candidate else { return (decision.split.stable.clone(), None) };
    // Everything may also have been given for want of stable's pods, or not be in effect yet: then stable still has its own.
    let replaced =
        situation.revisions.get(&decision.split.stable).and_then(|view| view.workload.as_ref()).is_none_or(|workload| workload.terminating);
    if share.weight == 100 && decision.stage_weight == 100 && decision.cause == Cause::Advance && replaced {
        return (share.revision.clone(), None);
    }
    let retreat = decision.way_back();
    if retreat.is_some() && share.weight == 0 {
        return (decision.split.stable.clone(), None);
    }
    let candidate = Candidate {
        revision: share.revision.clone(),
        stage_weight: decision.stage_weight,
        pods: situation.replicas(&share.revision),
        begun: situation.stamp(),
        waiting_since: situation.stamp(),
        blocked: false,
        reached: None,
        hold_ended: false,
        retreat,
    };
    (decision.split.stable.clone(), Some(candidate))
}

/// Neither status nor decision: the newest revision that served and has a workload, else the newest with one.
fn from_what_runs(situation: &Situation<'_>) -> Option<Decision> {
    let running = situation.revisions.iter().filter(|(_, view)| view.workload.as_ref().is_some_and(|workload| !workload.terminating));
    let (stable, _) = running.max_by_key(|(_, view)| (view.served, view.pods.ready > 0, view.number))?;
    Some(Decision {
        number: 1,
        generation: situation.generation,
        split: Split::all(stable.clone()),
        stage_weight: 100,
        cause: Cause::Advance,
        reason: "rebuilt from what runs".to_owned(),
        nonce: situation.command.map(|command| command.nonce.clone()),
        overriding: None,
    })
}

fn history(situation: &Situation<'_>, stable: &RevisionName) -> Vec<Served> {
    let view = situation.view(stable);
    let served = Served { revision: stable.clone(), version: view.version.clone(), since: situation.stamp() };
    if view.served { vec![served] } else { Vec::new() }
}
