//! Commands and overrides: what persons decided.

use crate::domain::command::{Command, Verb};
use crate::domain::record::{Acknowledged, Cause, Override, REASON_MAX, Record, Retreat};
use crate::domain::rollout::{Note, Reason, Situation, Wanted, goes_back, stands};
use crate::domain::settings::FULL_WEIGHT;

/// What stands before the name of a Rollback where it is said who decided.
pub(super) const BY_ROLLBACK: &str = "rollback/";

/// What `abort` does, in words.
pub(super) const BACK: &str = "back to the stable revision";

/// What `retry` does, in words.
pub(super) fn tries_again(overriding: &Override) -> String {
    format!("tries {} again", overriding.against)
}

/// Carries out a command that was not seen before, as far as memory goes; the plan follows from what is remembered.
pub(super) fn command(situation: &Situation<'_>, record: Record) -> (Record, Vec<Note>) {
    let Some(command) = situation.command else { return (record, Vec::new()) };
    if record.command.as_ref().is_some_and(|known| known.nonce == command.nonce && known.verb == command.text) {
        return (record, Vec::new());
    }
    let mut changed = record.clone();
    let answer = match &command.verb {
        Ok(verb) => carry_out(*verb, situation, &mut changed),
        Err(why) => Err(why.clone()),
    };
    let (mut record, done, message) = match answer {
        Ok(message) => (changed, true, message),
        Err(why) => (record, false, why),
    };
    record.command = Some(acknowledged(command, done, &message));
    let code = if done { "CommandDone" } else { "CommandRefused" };
    (record, vec![Note { warning: !done, reason: Reason::new(code, format!("{}: {message}", command.text)) }])
}

fn acknowledged(command: &Command, done: bool, message: &str) -> Acknowledged {
    Acknowledged { nonce: command.nonce.clone(), verb: command.text.clone(), done, message: message.to_owned() }
}

fn carry_out(verb: Verb, situation: &Situation<'_>, record: &mut Record) -> Result<String, String> {
    match verb {
        Verb::Promote => promote(record),
        Verb::PromoteFull => promote_full(record),
        Verb::Abort => abort(situation, record),
        Verb::Pause => pause(record),
        Verb::Resume => resume(situation, record),
        Verb::Retry => retry(record),
        Verb::Restart => restart(situation, record),
    }
}

fn promote(record: &mut Record) -> Result<String, String> {
    let weight = record.settled_weight();
    match &mut record.candidate {
        Some(candidate) if candidate.retreat.is_some() => Err("the rollout is being taken back".to_owned()),
        Some(candidate) if candidate.reached.is_some() && weight == candidate.stage_weight => {
            candidate.hold_ended = true;
            Ok(if weight == 0 { "the preview ends".to_owned() } else { format!("the hold at {weight} % ends") })
        }
        Some(candidate) => Err(format!("no hold to end: {} % is not reached; promote-full skips all holds", candidate.stage_weight)),
        None => Err("no rollout in progress".to_owned()),
    }
}

fn promote_full(record: &mut Record) -> Result<String, String> {
    match &mut record.candidate {
        Some(candidate) if candidate.retreat.is_some() => Err("the rollout is being taken back".to_owned()),
        Some(candidate) => {
            candidate.stage_weight = 100;
            candidate.hold_ended = true;
            Ok("goes to 100 % as soon as all pods are ready".to_owned())
        }
        None => Err("no rollout in progress".to_owned()),
    }
}

fn abort(situation: &Situation<'_>, record: &mut Record) -> Result<String, String> {
    let stable = record.stable.clone();
    let Some(candidate) = &mut record.candidate else { return Err("no rollout in progress".to_owned()) };
    if candidate.retreat.is_some() {
        return Err("the rollout is being taken back already".to_owned());
    }
    let reason = "aborted by command".to_owned();
    candidate.retreat = Some(Retreat { cause: Cause::Abort, reason: reason.clone(), grounds: None });
    candidate.reached = None;
    let against = candidate.revision.clone();
    record.overriding = Some(Override {
        revision: stable,
        left: against.clone(),
        against,
        by: "abort".to_owned(),
        since: situation.stamp(),
        reason,
        grounds: None,
        number: record.decision.number + 1,
        recorded: true,
    });
    Ok(BACK.to_owned())
}

fn pause(record: &mut Record) -> Result<String, String> {
    record.paused = true;
    Ok("no forward steps until resume".to_owned())
}

fn resume(situation: &Situation<'_>, record: &mut Record) -> Result<String, String> {
    if situation.settings.paused {
        return Err("spec.paused is true; set it to false instead".to_owned());
    }
    record.paused = false;
    if let Some(candidate) = &mut record.candidate {
        candidate.waiting_since = situation.stamp();
    }
    Ok("forward steps go on".to_owned())
}

fn retry(record: &mut Record) -> Result<String, String> {
    match record.overriding.take() {
        Some(overriding) => Ok(tries_again(&overriding)),
        None => Err("nothing was taken back: there is no override to end".to_owned()),
    }
}

fn restart(situation: &Situation<'_>, record: &mut Record) -> Result<String, String> {
    record.restarted_at = Some(situation.stamp());
    Ok("pods are replaced one after the other".to_owned())
}

/// Carries out a Rollback that was not seen before: another revision serves from now on. Nothing else of the record changes; the plan
/// follows from it.
pub(super) fn rollback(situation: &Situation<'_>, mut record: Record, notes: &mut Vec<Note>) -> Record {
    let Some(order) = situation.rollback.filter(|order| record.rollback.as_ref() != Some(&order.uid)) else { return record };
    // What comes back already has traffic: it gets the rest first, so that none of it goes to what was left for it.
    if goes_back(&record)
        && stands(situation, &record) > 0
        && record.candidate.as_ref().is_some_and(|candidate| candidate.retreat.is_none())
    {
        return record;
    }
    record.rollback = Some(order.uid.clone());
    let out = record.candidate.as_ref().is_some_and(|candidate| candidate.revision == order.from && candidate.retreat.is_none());
    if !out && record.stable != order.from {
        return record;
    }
    let against = match situation.wanted {
        Wanted::Revision(wanted) => wanted.clone(),
        Wanted::Unresolved(_) => order.from.clone(),
    };
    let reason: String = order.reason.chars().take(REASON_MAX).collect();
    record.overriding = Some(Override {
        revision: order.to.clone(),
        against,
        by: format!("{BY_ROLLBACK}{}", order.name),
        since: situation.stamp(),
        reason: reason.clone(),
        grounds: None,
        left: order.from.clone(),
        number: record.decision.number + 1,
        recorded: true,
    });
    if let Some(candidate) = record.candidate.as_mut().filter(|candidate| candidate.retreat.is_none()) {
        if candidate.revision == order.to {
            (candidate.stage_weight, candidate.hold_ended) = (FULL_WEIGHT, true);
        } else if candidate.revision == order.from {
            candidate.retreat = Some(Retreat { cause: Cause::Rollback, reason: reason.clone(), grounds: None });
            candidate.reached = None;
        }
    }
    notes.push(Note {
        warning: true,
        reason: Reason::new("RollbackStarted", format!("Rollback {}: back to {}: {reason}", order.name, order.to)),
    });
    record
}

/// An override ends when the spec asks for another revision than the one it stands against.
pub(super) fn end_override(situation: &Situation<'_>, mut record: Record) -> Record {
    let ended = match (&record.overriding, situation.wanted) {
        (Some(overriding), Wanted::Revision(wanted)) => overriding.against != *wanted,
        _ => false,
    };
    if ended {
        record.overriding = None;
    }
    record
}
