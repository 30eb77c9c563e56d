//! What is remembered between passes, as it stands in status, and back.

mod analysis;
pub mod probe;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::model_deployment as api;
use crate::domain::record::{Acknowledged, Candidate, Cause, Decision, Override, Record, Retreat, Served};
use crate::domain::revision::RevisionName;
use crate::domain::split::Split;

/// Reads what status remembers; `None` for a status that remembers no release.
pub fn from_status(status: Option<&api::ModelDeploymentStatus>, now: Timestamp) -> Option<Record> {
    let status = status?;
    let settled = decision_from(status.decision.as_ref()?);
    let decision = status.intent.as_ref().map_or_else(|| settled.clone(), decision_from);
    let retreat = settled.way_back();
    Some(Record {
        stable: RevisionName::new(status.stable.as_ref()?.revision.as_str()),
        candidate: candidate_from(status, retreat, now),
        zero_since: status.retiring.iter().find_map(|retiring| retiring.since.as_ref()).map(|time| time.0),
        overriding: status.serving_override.as_ref().map(override_from),
        paused: status.paused.is_some(),
        restarted_at: status.restarted_at.as_ref().map(|time| time.0),
        command: status.last_command.as_ref().map(|command| Acknowledged {
            nonce: command.nonce.clone(),
            verb: command.command.to_string(),
            done: command.result == api::CommandResult::Accepted,
            message: command.message.clone(),
        }),
        history: status.history.iter().filter_map(served_from).collect(),
        since: status.since.as_ref().map_or(now, |time| time.0),
        rollback: status.last_rollback.clone(),
        analysis: status.analysis.as_ref().map(analysis::progress_from),
        replicas: status.release_replicas,
        decision,
        settled,
    })
}

fn candidate_from(status: &api::ModelDeploymentStatus, retreat: Option<Retreat>, now: Timestamp) -> Option<Candidate> {
    let candidate = status.candidate.as_ref()?;
    let step = status.step.as_ref();
    let begun = candidate.since.as_ref().map_or(now, |time| time.0);
    // The decision that gave an earlier candidate up says nothing about this one.
    let about_it = status.decision.as_ref().and_then(|decision| decision.candidate.as_ref());
    let about_it = about_it.is_some_and(|share| share.revision == candidate.revision);
    Some(Candidate {
        revision: RevisionName::new(candidate.revision.as_str()),
        stage_weight: step.map_or(100, |step| step.weight),
        pods: candidate.replicas,
        begun,
        waiting_since: candidate.waiting_since.as_ref().map_or(now, |time| time.0),
        blocked: candidate.waiting_since.is_none(),
        reached: step.and_then(|step| step.applied_at.as_ref()).map(|time| time.0),
        hold_ended: step.is_some_and(|step| step.promoted),
        retreat: retreat.filter(|_| about_it && status.intent.is_none()),
    })
}

fn decision_from(decision: &api::Decision) -> Decision {
    let stable = RevisionName::new(decision.stable.as_str());
    let split = match &decision.candidate {
        Some(share) => Split::between(stable, RevisionName::new(share.revision.as_str()), share.weight),
        None => Split::all(stable),
    };
    Decision {
        number: decision.number,
        generation: decision.generation,
        split,
        stage_weight: decision.step_weight,
        cause: match decision.cause {
            api::Cause::NotReady => Cause::NotReady,
            api::Cause::Abort => Cause::Abort,
            api::Cause::Rollback => Cause::Rollback,
            api::Cause::Superseded => Cause::Superseded,
            _ => Cause::Advance,
        },
        reason: decision.reason.clone(),
        nonce: decision.nonce.clone(),
        overriding: decision.serving_override.as_ref().map(override_from),
    }
}

fn override_from(given: &api::Override) -> Override {
    Override {
        revision: RevisionName::new(given.revision.as_str()),
        against: RevisionName::new(given.instead_of.as_str()),
        by: given.by.clone(),
        since: given.since.0,
        reason: given.reason.clone(),
        grounds: given.evidence.as_ref().map(analysis::grounds_from),
        left: RevisionName::new(given.left.as_str()),
        number: given.decision,
        recorded: given.recorded,
    }
}

fn served_from(entry: &api::HistoryEntry) -> Option<Served> {
    let since = entry.served_from.as_ref()?.0;
    Some(Served { revision: RevisionName::new(entry.revision.as_str()), version: entry.version.clone(), since })
}

/// A decision as status shows it.
pub fn decision_to(decision: &Decision) -> api::Decision {
    api::Decision {
        number: decision.number,
        generation: decision.generation,
        cause: match decision.cause {
            Cause::Advance => api::Cause::Advance,
            Cause::NotReady => api::Cause::NotReady,
            Cause::Abort => api::Cause::Abort,
            Cause::Rollback => api::Cause::Rollback,
            Cause::Superseded => api::Cause::Superseded,
        },
        reason: clip(&decision.reason),
        step_weight: decision.stage_weight,
        stable: decision.split.stable.to_string(),
        candidate: decision
            .split
            .candidate
            .as_ref()
            .map(|share| api::RevisionWeight { revision: share.revision.to_string(), weight: share.weight }),
        nonce: decision.nonce.clone(),
        serving_override: decision.overriding.as_ref().map(override_to),
    }
}

/// An override as status shows it.
pub fn override_to(overriding: &Override) -> api::Override {
    api::Override {
        r#type: api::OverrideType::Revision,
        revision: overriding.revision.to_string(),
        instead_of: overriding.against.to_string(),
        by: overriding.by.clone(),
        since: Time(overriding.since),
        reason: clip(&overriding.reason),
        evidence: overriding.grounds.as_ref().map(crate::controllers::model_deployment::status::analysis::evidence),
        left: overriding.left.to_string(),
        decision: overriding.number,
        recorded: overriding.recorded,
    }
}

/// A command's fate as status shows it.
pub fn command_to(command: &Acknowledged) -> api::LastCommand {
    api::LastCommand {
        nonce: command.nonce.clone(),
        command: api::Command::from(command.verb.clone()),
        result: if command.done { api::CommandResult::Accepted } else { api::CommandResult::Refused },
        message: clip(&command.message),
    }
}

/// Bounds a text to what status may hold.
pub fn clip(text: &str) -> String {
    text.chars().take(1000).collect()
}
