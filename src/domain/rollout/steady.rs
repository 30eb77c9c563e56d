//! One revision, everything to it: the first release, and the long time between two.

use crate::domain::record::Record;
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Acceptance, Plan, Reason, Situation, State, Wanted, cleanup, standing};

/// Nothing is remembered and nothing runs: everything is created at once, and there is nobody to take traffic from.
pub(super) fn first_release(situation: &Situation<'_>) -> Plan {
    match situation.wanted {
        Wanted::Unresolved(reason) => Plan::new(None, State::Waiting, reason.clone()),
        Wanted::Revision(revision) => {
            let nonce = situation.command.map(|command| command.nonce.clone());
            let record = Record::first(revision.clone(), situation.generation, nonce, situation.stamp());
            stay(situation, record)
        }
    }
}

/// Keeps stable as it should be.
pub(super) fn stay(situation: &Situation<'_>, record: Record) -> Plan {
    let stable = record.stable.clone();
    let split = standing(situation, &record).clone();
    let (state, reason, look_at) = assess(situation, &record);
    let mut plan = Plan::new(None, state, reason);
    plan.split = Some(split);
    plan.look_at = look_at;
    let others = cleanup::others(situation, &record).map(|other| situation.replicas(other)).sum();
    plan = plan.size(situation, &stable, situation.within_surge(&stable, others));
    note_service(situation, record, plan)
}

/// Notes a release that has all its pods as one that served. Its record is marked when it is left: while it is stable,
/// history says the same.
fn note_service(situation: &Situation<'_>, mut record: Record, mut plan: Plan) -> Plan {
    let stable = record.stable.clone();
    let view = situation.view(&stable);
    let complete = view.workload.is_some()
        && view.pods.ready >= situation.settings.needed_at_rest().max(1)
        && situation.live.acceptance == Acceptance::Accepted;
    if complete && record.history.first().is_none_or(|newest| newest.revision != stable) {
        record.note_served(&stable, &view.version, situation.stamp());
        record.since = situation.stamp();
        plan = plan.note(false, Reason::new("Released", format!("version {} serves with {} pods", view.version, view.pods.ready)));
    }
    plan.record = Some(record);
    plan
}

/// How stable does.
fn assess(situation: &Situation<'_>, record: &Record) -> (State, Reason, Option<jiff::Timestamp>) {
    let view = situation.view(&record.stable);
    let wanted = situation.settings.needed_at_rest();
    let ready = view.pods.ready;
    if ready >= wanted
        && view.workload.is_some()
        && let Some((state, reason)) = route_missing(situation, record)
    {
        return (state, reason, None);
    }
    if ready >= wanted && view.workload.is_some() {
        return (serving_state(situation, record), serving_reason(situation, record, &view.version), None);
    }
    let counted = format!("{ready} of {wanted} pods ready");
    let trouble = trouble_of(situation, &record.stable).map_or(counted.clone(), |trouble| format!("{counted}: {trouble}"));
    let deadline = record.since + situation.settings.progress_deadline;
    if view.served || situation.now >= deadline {
        // What sleeps between two requests has no ready pod while it wakes up.
        let wakes = situation.settings.scaler.is_some_and(|scaler| scaler.min == 0) && trouble_of(situation, &record.stable).is_none();
        let fine = view.served && (ready > 0 || wakes);
        let state = if fine { State::Deploying } else { State::Degraded };
        return (state, Reason::new("PodsNotReady", trouble), None);
    }
    (State::Deploying, Reason::new("WaitingForPods", trouble), Some(deadline))
}

/// Pods are ready, but no request reaches them: the gateway has not taken the route.
fn route_missing(situation: &Situation<'_>, record: &Record) -> Option<(State, Reason)> {
    match &situation.live.acceptance {
        Acceptance::Refused(why) => {
            Some((State::Degraded, Reason::new("RouteNotAccepted", format!("the gateway does not take the route: {why}"))))
        }
        Acceptance::Missing(what) => Some((State::Degraded, Reason::new("GatewayApiMissing", what.clone()))),
        Acceptance::Pending => {
            let state = if record.history.is_empty() { State::Deploying } else { State::Progressing };
            Some((state, Reason::new("WaitingForRoute", "the gateway has not taken the route yet")))
        }
        Acceptance::Accepted => None,
    }
}

fn serving_state(situation: &Situation<'_>, record: &Record) -> State {
    match (&record.overriding, situation.wanted) {
        (Some(_), _) => State::RolledBack,
        (None, Wanted::Unresolved(_)) => State::Waiting,
        (None, Wanted::Revision(wanted)) if *wanted == record.stable => State::Serving,
        (None, Wanted::Revision(_)) => State::Waiting,
    }
}

fn serving_reason(situation: &Situation<'_>, record: &Record, version: &str) -> Reason {
    match (&record.overriding, situation.wanted) {
        (Some(overriding), _) => {
            Reason::new("SpecSuperseded", format!("version {version} serves instead of what the spec asks: {}", overriding.reason))
        }
        (None, Wanted::Unresolved(reason)) => reason.clone(),
        (None, Wanted::Revision(_)) if situation.settings.scaler.is_some() && situation.settings.replicas == 0 => {
            Reason::new("Idle", format!("version {version} has all of the traffic; its scaler keeps no pods until there is work"))
        }
        (None, Wanted::Revision(_)) => Reason::new("Serving", format!("version {version} has all of the traffic")),
    }
}

/// What keeps the pods of `revision` from getting ready, in words, if anything is said.
pub(super) fn trouble_of(situation: &Situation<'_>, revision: &RevisionName) -> Option<String> {
    let view = situation.revisions.get(revision)?;
    let refused = view.workload.as_ref().and_then(|workload| workload.refused.clone());
    refused.or_else(|| view.pods.unschedulable.clone()).or_else(|| view.pods.trouble.clone())
}
