//! The way back: weight first and at once, then pods.
//!
//! Stable gets at once what its ready pods cover, or everything if the candidate has no ready pod; the rest follows as
//! stable grows. The candidate's children leave after the drain time, like those of any revision without weight.

use crate::domain::analysis::verdict::{Grounds, Verdict};
use crate::domain::record::{Candidate, Cause, Override, REASON_MAX, Record, Retreat};
use crate::domain::revision::RevisionName;
use crate::domain::rollback;
use crate::domain::rollout::goal::widened;
use crate::domain::rollout::{
    Acceptance, Mark, Plan, Reason, Situation, State, Wanted, advance, begin, carried, judge, standing, stands, steady, target,
};
use crate::domain::settings::{FULL_WEIGHT, TrafficMode};
use crate::domain::size::{pods_for_weight, weight_covered};
use crate::domain::split::Split;

/// Name of the analysis where it is said who decided.
const BY_ANALYSIS: &str = "analysis";

/// Why the candidate has to go back, if it has to.
pub(super) fn cause(situation: &Situation<'_>, record: &Record, candidate: &Candidate) -> Option<Retreat> {
    if candidate.retreat.is_some() {
        return candidate.retreat.clone();
    }
    if target(situation, record).is_some_and(|wanted| *wanted != candidate.revision) {
        return Some(Retreat { cause: Cause::Superseded, reason: "the spec asks for something else".to_owned(), grounds: None });
    }
    let failed = failed_analysis(situation, record, candidate).map(|grounds| Retreat {
        cause: Cause::Rollback,
        reason: clipped(&grounds.message),
        grounds: Some(grounds),
    });
    let missed = || missed_deadline(situation, record, candidate).map(|reason| Retreat { cause: Cause::NotReady, reason, grounds: None });
    failed.or_else(missed)
}

/// The candidate's numbers are bad, and there is something to go back to. Who said promote-full goes past them.
fn failed_analysis(situation: &Situation<'_>, record: &Record, candidate: &Candidate) -> Option<Grounds> {
    let past = candidate.hold_ended && candidate.stage_weight == FULL_WEIGHT;
    if past || situation.never_worked(&record.stable) {
        return None;
    }
    match judge::verdict(situation, record)? {
        Verdict::Fail(grounds) => Some(grounds),
        Verdict::Pass | Verdict::Wait(_) => None,
    }
}

/// Stable has all of the traffic and its numbers went bad: the revision before comes back. Else a rollout begins, or nothing.
pub(super) fn after_promotion(situation: &Situation<'_>, mut record: Record) -> Plan {
    let Some(Verdict::Fail(grounds)) = judge::verdict(situation, &record) else { return begin::or_stay(situation, record) };
    let left = record.stable.clone();
    let reason = clipped(&grounds.message);
    let Some(revision) = rollback::last_good(&left, &record, situation.revisions) else {
        let message = format!("{reason}; there is no earlier version to go back to");
        let plan = begin::or_stay(situation, record);
        return Plan { state: State::Degraded, reason: Reason::new("AnalysisFailed", message), ..plan };
    };
    let against = match situation.wanted {
        Wanted::Revision(wanted) => wanted.clone(),
        Wanted::Unresolved(_) => left.clone(),
    };
    let (by, since) = (BY_ANALYSIS.to_owned(), situation.stamp());
    record.overriding = Some(Override {
        revision,
        against,
        by,
        since,
        reason: reason.clone(),
        grounds: Some(grounds),
        left,
        number: record.decision.number + 1,
        recorded: false,
    });
    begin::or_stay(situation, record).note(true, Reason::new("AnalysisFailed", reason))
}

/// Adds to `plan` the override that nothing records yet, once: a way back that the operator took by itself.
pub(super) fn announced(mut plan: Plan) -> Plan {
    let Some(record) = &mut plan.record else { return plan };
    // One that an older version of the operator decided does not say what it left.
    let news = |overriding: &&mut Override| !overriding.recorded && !overriding.left.as_str().is_empty();
    if let Some(overriding) = record.overriding.as_mut().filter(news) {
        overriding.recorded = true;
        plan.announce = Some(overriding.clone());
    }
    plan
}

fn clipped(text: &str) -> String {
    text.chars().take(REASON_MAX).collect()
}

/// The candidate's pods did not get ready in time. The clock stands still while paused and while there is no room.
fn missed_deadline(situation: &Situation<'_>, record: &Record, candidate: &Candidate) -> Option<String> {
    let ready = situation.ready(&candidate.revision);
    let waits = candidate.reached.is_none() && ready < candidate.pods && situation.replicas(&candidate.revision) > 0;
    let stands_still = situation.settings.paused || record.paused || candidate.blocked || advance::no_room(situation, candidate).is_some();
    let deadline = situation.settings.progress_deadline;
    let due = situation.now >= candidate.waiting_since + deadline;
    // Without a stable revision that works there is nothing to go back to.
    let nowhere = situation.never_worked(&record.stable) || (ready > 0 && situation.ready(&record.stable) == 0);
    if !waits || stands_still || !due || nowhere {
        return None;
    }
    let trouble = steady::trouble_of(situation, &candidate.revision).map_or(String::new(), |trouble| format!(": {trouble}"));
    Some(clipped(&format!("{ready} of {} pods were ready within {deadline:#}{trouble}", candidate.pods)))
}

/// Plans the next move of the way back for `why`.
pub(super) fn plan(situation: &Situation<'_>, record: Record, why: Retreat) -> Plan {
    let Some(candidate) = record.candidate.clone() else { return steady::stay(situation, record) };
    let stands = stands(situation, &record);
    let weight = weight_left(situation, &record, &candidate, stands);
    let decided = record.decision.cause == why.cause && record.decision.split.candidate_weight() == weight && !record.pending();
    if candidate.retreat.is_none() || !decided {
        return decide_way_back(situation, record, &candidate, why, weight);
    }
    // The way back may have been interrupted between the split and the mark.
    let unmarked = why.cause != Cause::Superseded && situation.view(&candidate.revision).failed.is_none();
    let mut plan = leave(situation, record, &candidate, &why);
    if unmarked {
        plan.marks.push((candidate.revision, Mark::Failed(why.reason)));
    }
    plan
}

/// What the candidate keeps for now, percent: never more than it has.
fn weight_left(situation: &Situation<'_>, record: &Record, candidate: &Candidate, stands: i32) -> i32 {
    let settings = situation.settings;
    let (stable_ready, ready) = (situation.ready(&record.stable), situation.ready(&candidate.revision));
    if ready == 0 {
        return 0;
    }
    if stable_ready == 0 {
        return stands;
    }
    match settings.traffic {
        TrafficMode::ReplicaRatio => 0,
        TrafficMode::Gateway => stands.min(100 - weight_covered(settings.replicas, stable_ready, 100)),
    }
}

/// Takes weight away in this pass, and remembers why.
fn decide_way_back(situation: &Situation<'_>, mut record: Record, candidate: &Candidate, why: Retreat, weight: i32) -> Plan {
    let first = candidate.retreat.is_none() || record.decision.cause != why.cause;
    // A revision that was to come back, and did not get ready, is no longer waited for.
    let was_to_serve = record.overriding.as_ref().is_some_and(|overriding| overriding.revision == candidate.revision);
    if let Some(by) = decided_by(why.cause).filter(|_| record.overriding.is_none() || was_to_serve) {
        let against = match (&record.overriding, situation.wanted) {
            (Some(_), Wanted::Revision(wanted)) => wanted.clone(),
            _ => candidate.revision.clone(),
        };
        record.overriding = Some(Override {
            revision: record.stable.clone(),
            against,
            by: by.to_owned(),
            since: situation.stamp(),
            reason: why.reason.clone(),
            grounds: why.grounds.clone(),
            left: candidate.revision.clone(),
            number: record.decision.number + 1,
            recorded: false,
        });
    }
    record.candidate = Some(Candidate { retreat: Some(why.clone()), reached: None, ..candidate.clone() });
    let split = Split::between(record.stable.clone(), candidate.revision.clone(), weight);
    record.decision = record.next_decision(situation.generation, split, why.cause, why.reason.clone());
    record.settled = record.decision.clone();
    let decision = record.decision.clone();
    let stable = record.stable.clone();
    let pods = stable_pods(situation, &stable, candidate);
    let reason = reason_of(&why);
    let mut plan = Plan::new(Some(record), State::RollingBack, reason.clone()).size(situation, &stable, pods);
    plan.split = Some(decision);
    if first && why.cause != Cause::Superseded {
        plan.marks.push((candidate.revision.clone(), Mark::Failed(why.reason.clone())));
    }
    if first { plan.note(why.cause != Cause::Superseded, reason) } else { plan }
}

/// Who sets the override of a way back for this cause; none where a person's command did, or the spec decides.
fn decided_by(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::NotReady => Some("progressDeadline"),
        Cause::Rollback => Some(BY_ANALYSIS),
        Cause::Advance | Cause::Abort | Cause::Superseded => None,
    }
}

fn reason_of(why: &Retreat) -> Reason {
    let code = match why.cause {
        Cause::NotReady => "ProgressDeadlineExceeded",
        Cause::Abort => "Aborted",
        Cause::Rollback => "AnalysisFailed",
        Cause::Superseded | Cause::Advance => "Superseded",
    };
    Reason::new(code, why.reason.clone())
}

/// Pods that stable may ask for: all, as far as the candidate's leave room.
fn stable_pods(situation: &Situation<'_>, stable: &RevisionName, candidate: &Candidate) -> i32 {
    situation.within_surge(stable, situation.replicas(&candidate.revision))
}

/// The decision is made: wait until it is in effect, then let the candidate go, all or in parts.
fn leave(situation: &Situation<'_>, record: Record, candidate: &Candidate, why: &Retreat) -> Plan {
    let weight = record.decision.split.candidate_weight();
    let taken = carried(situation, &record) && situation.live.acceptance == Acceptance::Accepted;
    // By pods there is nothing that could refuse; behind a gateway that refuses, nothing may be scaled down.
    if !taken {
        // What others changed counts from when it is put right.
        let reached = candidate.reached.filter(|_| carried(situation, &record));
        let next = Candidate { reached, ..candidate.clone() };
        let record = Record { candidate: Some(next.clone()), ..record };
        return backing(situation, record, &next, why);
    }
    match candidate.reached {
        None => {
            let reached = situation.after(situation.settings.propagation_delay);
            let mut record = record;
            let next = Candidate { reached: Some(reached), ..candidate.clone() };
            record.candidate = Some(next.clone());
            backing(situation, record, &next, why).look_at(reached)
        }
        Some(reached) if situation.now < reached => backing(situation, record, candidate, why).look_at(reached),
        Some(_) if weight == 0 => gone(situation, record, candidate, why),
        Some(reached) => shrink(situation, record, candidate, why, reached + situation.settings.drain),
    }
}

fn backing(situation: &Situation<'_>, record: Record, candidate: &Candidate, why: &Retreat) -> Plan {
    let stable = record.stable.clone();
    let pods = stable_pods(situation, &stable, candidate);
    let split = standing(situation, &record).clone();
    let mut reason = reason_of(why);
    if let Some(obstacle) = advance::refused(situation) {
        reason.message = format!("{}; {}", reason.message, obstacle.message);
    }
    let mut plan = Plan::new(Some(record), State::RollingBack, reason).size(situation, &stable, pods);
    plan.split = Some(split);
    // Nobody wants pods: then the candidate, too, loses its own, and with them its weight.
    if situation.settings.replicas == 0 { plan.size(situation, &candidate.revision, 0) } else { plan }
}

/// Stable cannot take everything yet: the candidate gives room for as many pods as its lower weight no longer needs.
fn shrink(situation: &Situation<'_>, record: Record, candidate: &Candidate, why: &Retreat, due: jiff::Timestamp) -> Plan {
    let weight = record.decision.split.candidate_weight();
    let replaced = situation.settings.replicas.saturating_sub(situation.ready(&record.stable));
    let plan = backing(situation, record, candidate, why);
    if situation.now < due {
        return plan.look_at(due);
    }
    let running = situation.replicas(&candidate.revision);
    let needed = pods_for_weight(situation.settings.replicas, weight, situation.settings.headroom_percent).max(replaced);
    if widened(situation, weight) || running <= needed {
        return plan;
    }
    plan.size(situation, &candidate.revision, needed)
}

/// No weight is left: the candidate is one of the revisions that leave.
fn gone(situation: &Situation<'_>, mut record: Record, candidate: &Candidate, why: &Retreat) -> Plan {
    record.candidate = None;
    record.zero_since = Some(situation.stamp());
    record.since = situation.stamp();
    let mut plan = steady::stay(situation, record);
    // The pass that decided it may have ended before its mark was written.
    if why.cause != Cause::Superseded && situation.view(&candidate.revision).failed.is_none() {
        plan.marks.push((candidate.revision.clone(), Mark::Failed(why.reason.clone())));
    }
    match why.cause {
        Cause::Superseded | Cause::Advance => Plan { state: State::Progressing, reason: reason_of(why), ..plan },
        Cause::NotReady | Cause::Abort | Cause::Rollback => plan,
    }
}
