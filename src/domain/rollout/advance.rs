//! The way forward, one thing at a time: pods, then weight, then time, then the next stage.
//!
//! ```text
//! stage ─ intent remembered ─ pods asked for ─ pods ready ─ weight written ─ weight in effect ─ hold over ─┐
//!   ▲                                                                                                      │
//!   └────────────────────────────────────── next weight ◄──────────────────────────────────────────────────┘
//! ```

use jiff::Timestamp;

use crate::domain::record::{Candidate, Cause, Record};
use crate::domain::rollout::goal::{self, Goal, widened};
use crate::domain::rollout::{
    Acceptance, Mark, Plan, Reason, Situation, State, Wanted, carried, goes_back, judge, standing, stands, steady,
};
use crate::domain::settings::{FULL_WEIGHT, Hold, TrafficMode};
use crate::domain::size::{stage_pods, surge_pods};
use crate::domain::split::Split;

/// Plans the next move of a rollout that goes forward. `record` has a candidate; without one nothing is planned.
pub(super) fn plan(situation: &Situation<'_>, record: Record) -> Plan {
    let Some(candidate) = record.candidate.clone() else { return steady::stay(situation, record) };
    if candidate_is_lost(situation, &record, &candidate) {
        return take_weight_back(situation, record, &candidate);
    }
    let goal = goal::of(situation, &record, &candidate);
    if is_new(situation, &record, &candidate, goal) {
        return intend(situation, record, &candidate, goal);
    }
    match record.pending() && !carried(situation, &record) {
        true => put_on_cluster(situation, record, &candidate),
        false => settle(situation, record, &candidate),
    }
}

/// Why no step forward is taken: a person's pause, or a spec that asks for nothing that could be reached.
struct Halt {
    state: State,
    reason: Reason,
}

/// `what` would come next.
fn halted(situation: &Situation<'_>, record: &Record, what: &str) -> Option<Halt> {
    if (situation.settings.paused || record.paused) && !goes_back(record) {
        return Some(Halt { state: State::Paused, reason: Reason::new("Paused", format!("{what}: paused")) });
    }
    match situation.wanted {
        Wanted::Unresolved(reason) if record.overriding.is_none() => Some(Halt { state: State::Waiting, reason: reason.clone() }),
        _ => None,
    }
}

fn may_advance(situation: &Situation<'_>, record: &Record) -> bool {
    halted(situation, record, "").is_none()
}

/// The gateway does not take what it is given, or there is none: more of it would not help.
pub(super) fn refused(situation: &Situation<'_>) -> Option<Reason> {
    match &situation.live.acceptance {
        Acceptance::Refused(why) => Some(Reason::new("RouteNotAccepted", format!("the gateway does not take the route: {why}"))),
        Acceptance::Missing(what) => Some(Reason::new("GatewayApiMissing", what.clone())),
        Acceptance::Accepted | Acceptance::Pending => None,
    }
}

/// Sizes of both sides as they should be now; the split as it stands.
fn base(situation: &Situation<'_>, record: Record, candidate: &Candidate, state: State, reason: Reason) -> Plan {
    let stable = record.stable.clone();
    let target = goal::stable_target(situation, &record, candidate);
    let split = standing(situation, &record).clone();
    let mut plan = Plan::new(Some(record), state, reason).size(situation, &stable, target);
    plan.split = Some(split);
    plan
}

/// It has weight, or pinned requests, but no ready pod, and stable can serve.
fn candidate_is_lost(situation: &Situation<'_>, record: &Record, candidate: &Candidate) -> bool {
    let weight = stands(situation, record);
    let carries = standing(situation, record);
    let about_it = carries.split.candidate.as_ref().is_some_and(|share| share.revision == candidate.revision);
    let reached = weight > 0 || (situation.settings.pins && about_it && carries.opens_candidate());
    let serves = situation.ready(&record.stable) > 0;
    reached && situation.settings.replicas > 0 && serves && situation.ready(&candidate.revision) == 0 && !widened(situation, weight)
}

fn take_weight_back(situation: &Situation<'_>, mut record: Record, candidate: &Candidate) -> Plan {
    let message = "the candidate has no ready pod: its weight goes back until it has".to_owned();
    let split = Split::between(record.stable.clone(), candidate.revision.clone(), 0);
    let decision = record.next_decision(situation.generation, split, Cause::NotReady, message.clone());
    record.decision = decision.clone();
    record.settled = decision.clone();
    let waiting = Candidate { reached: None, waiting_since: situation.stamp(), ..candidate.clone() };
    record.candidate = Some(waiting.clone());
    let reason = Reason::new("CandidateNotReady", message);
    let mut plan = base(situation, record, &waiting, State::Progressing, reason.clone());
    plan.split = Some(decision);
    plan.size(situation, &candidate.revision, candidate.pods).note(true, reason)
}

/// The goal is another than the decision remembered. While halted, only what takes weight away is news, what replaces a
/// stable revision that has no pods, and what follows from another number of wanted pods.
fn is_new(situation: &Situation<'_>, record: &Record, candidate: &Candidate, goal: Goal) -> bool {
    let remembered = Goal { pods: candidate.pods, weight: record.decision.split.candidate_weight() };
    let stands = stands(situation, record);
    let rescue = goal.weight > candidate.stage_weight;
    let size = goal.weight == stands && goal.pods <= stage_pods(situation.settings, stands).candidate;
    let reopens = reopens(situation, record);
    let forward = reopens || (!rescue && (goal.weight > remembered.weight || (goal.pods > remembered.pods && !size)));
    (reopens || goal != remembered) && (!forward || may_advance(situation, record))
}

/// What led to the candidate beside its weight was taken away for want of pods: it comes back by a decision, like a weight.
fn reopens(situation: &Situation<'_>, record: &Record) -> bool {
    situation.settings.pins && record.decision.cause == Cause::NotReady
}

/// Remembers a new goal. A raise ends the pass here; a lowering is written at once.
fn intend(situation: &Situation<'_>, mut record: Record, candidate: &Candidate, goal: Goal) -> Plan {
    let stands = stands(situation, &record);
    let same_weight = goal.weight == record.decision.split.candidate_weight();
    let mut next = Candidate { pods: goal.pods, waiting_since: situation.stamp(), blocked: false, ..candidate.clone() };
    // Pods that join a widened Service take traffic by themselves: asking for more of them is a raise of its own.
    if !same_weight || reopens(situation, &record) || widened(situation, stands) {
        // What is on the cluster already stands, even if nobody has taken it yet: it is not gone back behind.
        if carried(situation, &record) {
            record.settled = record.decision.clone();
        }
        let message = format!("{} % for the candidate, with {} pods", goal.weight, goal.pods);
        let split = Split::between(record.stable.clone(), candidate.revision.clone(), goal.weight);
        record.candidate = Some(next.clone());
        record.decision = record.next_decision(situation.generation, split, Cause::Advance, message);
        next.reached = None;
    }
    record.candidate = Some(next.clone());
    let lowers = goal.weight < stands;
    if lowers {
        record.settled = record.decision.clone();
    }
    let reason = Reason::new("Advance", format!("asks for {} % with {} pods", goal.weight, goal.pods));
    let decision = record.decision.clone();
    let mut plan = base(situation, record, &next, State::Progressing, reason);
    if lowers {
        plan.split = Some(decision);
    }
    plan
}

/// The decision is remembered but not on the cluster: pods first, then weight.
fn put_on_cluster(situation: &Situation<'_>, mut record: Record, candidate: &Candidate) -> Plan {
    let decision = record.decision.clone();
    let weight = decision.split.candidate_weight();
    let stands = stands(situation, &record);
    let rescue = weight > candidate.stage_weight;
    if let Some(halt) = halted(situation, &record, &format!("{weight} % waits")).filter(|_| !rescue) {
        // The clock of the deadline stands still, and starts anew afterwards.
        record.candidate = Some(Candidate { blocked: true, ..candidate.clone() });
        let pods = pods_meanwhile(situation, &record, candidate, stands);
        let plan = base(situation, record, candidate, halt.state, halt.reason);
        return if pods > 0 || situation.replicas(&candidate.revision) > 0 {
            plan.size(situation, &candidate.revision, pods)
        } else {
            plan
        };
    }
    if let Some(reason) = refused(situation) {
        return keep(situation, record, candidate, State::Progressing, reason);
    }
    if widened(situation, stands) && weight < FULL_WEIGHT {
        let reason = Reason::new("WeightChanging", format!("asks for a share of {weight} % by pods"));
        let mut plan = base(situation, record, candidate, State::Progressing, reason);
        plan.split = Some(decision);
        return plan;
    }
    let alone = situation.ready(&record.stable) == 0;
    let needed = if alone { candidate.pods.min(1) } else { candidate.pods };
    let ready = situation.ready(&candidate.revision);
    if !alone && ready == 0 && needed == 0 {
        let reason = Reason::new("WaitingForOldPods", "no pods are wanted: those of the stable revision have to end first");
        return keep(situation, record, candidate, State::Progressing, reason);
    }
    if ready < needed {
        return wait_for_pods(situation, record, candidate);
    }
    record.candidate = Some(Candidate { blocked: false, ..candidate.clone() });
    let reason = Reason::new("WeightChanging", format!("{ready} pods are ready: the candidate gets {weight} %"));
    // Pods that it does not need any more go later: with this very write they may get requests.
    let pods = candidate.pods.max(situation.replicas(&candidate.revision));
    let mut plan = base(situation, record, candidate, State::Progressing, reason).size(situation, &candidate.revision, pods);
    plan.split = Some(decision);
    plan
}

/// Pods of a candidate that may go no further: those it has, and what its present weight needs of the wanted number.
fn pods_meanwhile(situation: &Situation<'_>, record: &Record, candidate: &Candidate, stands: i32) -> i32 {
    let settings = situation.settings;
    let running = situation.replicas(&candidate.revision).min(settings.replicas);
    let room = settings.replicas.saturating_add(surge_pods(settings.max_surge, settings.replicas)) - situation.replicas(&record.stable);
    if stands == 0 { running } else { stage_pods(settings, stands).candidate.min(room).max(running) }
}

/// Pods are missing: says what keeps them, and stops the clock of the deadline while the cluster has no room.
fn wait_for_pods(situation: &Situation<'_>, mut record: Record, candidate: &Candidate) -> Plan {
    let ready = situation.ready(&candidate.revision);
    let counted = format!("{ready} of {} pods of the candidate are ready", candidate.pods);
    let no_room = no_room(situation, candidate);
    let blocked = no_room.is_some() || situation.settings.paused || record.paused;
    let waiting_since = if candidate.blocked && !blocked { situation.stamp() } else { candidate.waiting_since };
    let next = Candidate { blocked, waiting_since, ..candidate.clone() };
    record.candidate = Some(next.clone());
    let newly_blocked = no_room.is_some() && !candidate.blocked;
    let reason = match (&no_room, steady::trouble_of(situation, &candidate.revision)) {
        (Some(why), _) => Reason::new("SurgeBlocked", format!("{counted}; the cluster has no room for more: {why}")),
        (None, Some(why)) => Reason::new("WaitingForPods", format!("{counted}: {why}")),
        (None, None) => Reason::new("WaitingForPods", counted),
    };
    let deadline = waiting_since + situation.settings.progress_deadline;
    let mut plan = base(situation, record, &next, State::Progressing, reason.clone());
    plan = plan.size(situation, &candidate.revision, candidate.pods);
    if newly_blocked {
        plan = plan.note(true, reason);
    }
    if blocked { plan } else { plan.look_at(deadline) }
}

/// Why the cluster cannot hold the candidate's pods, in its own words.
pub(super) fn no_room(situation: &Situation<'_>, candidate: &Candidate) -> Option<String> {
    let view = situation.revisions.get(&candidate.revision)?;
    if view.pods.ready >= candidate.pods {
        return None;
    }
    view.workload.as_ref().and_then(|workload| workload.refused.clone()).or_else(|| view.pods.unschedulable.clone())
}

/// The decision is on the cluster: wait until it is in effect, then for the hold.
fn settle(situation: &Situation<'_>, record: Record, candidate: &Candidate) -> Plan {
    if let Some(reason) = refused(situation) {
        return keep(situation, record, candidate, State::Progressing, reason);
    }
    if !carried(situation, &record) {
        return restore(situation, record, candidate);
    }
    if situation.live.acceptance == Acceptance::Pending {
        let reason = Reason::new("WaitingForRoute", "the gateway has not taken the route yet");
        return keep(situation, record, candidate, State::Progressing, reason);
    }
    let weight = record.decision.split.candidate_weight();
    let short = situation.ready(&candidate.revision) < candidate.pods;
    // A hold is time with all pods ready; and the last stage ends with what replaces stable, so all pods have to be there.
    // A preview is all of its pods.
    let whole = weight == candidate.stage_weight && [0, FULL_WEIGHT].contains(&weight);
    if short && (widened(situation, weight) || whole) {
        let waiting_since = if candidate.reached.is_some() { situation.stamp() } else { candidate.waiting_since };
        let next = Candidate { reached: None, waiting_since, ..candidate.clone() };
        return wait_for_pods(situation, record, &next);
    }
    match candidate.reached {
        None => note_in_effect(situation, record, candidate),
        Some(reached) if situation.now < reached => {
            keep(situation, record, candidate, State::Progressing, taking_effect(situation, weight)).look_at(reached)
        }
        Some(reached) => in_effect(situation, record, candidate, reached),
    }
}

/// What is waited for while a weight that was written is not yet in effect.
fn taking_effect(situation: &Situation<'_>, weight: i32) -> Reason {
    match situation.settings.traffic {
        TrafficMode::Gateway => Reason::new("WaitingForRoute", "the gateway takes its new configuration into effect"),
        TrafficMode::ReplicaRatio => Reason::new("WeightChanged", format!("the Service takes {weight} % into effect")),
    }
}

/// Others changed what the cluster carries: it is put right, and counts as in effect only once it is taken again.
fn restore(situation: &Situation<'_>, mut record: Record, candidate: &Candidate) -> Plan {
    let next = Candidate { reached: None, ..candidate.clone() };
    record.candidate = Some(next.clone());
    let weight = record.decision.split.candidate_weight();
    let reason = Reason::new("WeightChanging", format!("others changed the split: the candidate gets {weight} % again"));
    keep(situation, record, &next, State::Progressing, reason)
}

/// The candidate gives up pods only after its drain time, so that what was sent to them is answered.
fn keep(situation: &Situation<'_>, record: Record, candidate: &Candidate, state: State, reason: Reason) -> Plan {
    let weight = stands(situation, &record);
    let running = situation.replicas(&candidate.revision);
    let due = goal::gives_way_at(situation, candidate);
    let plan = base(situation, record, candidate, state, reason);
    if weight == 0 || situation.settings.replicas == 0 || running <= candidate.pods || due.is_some_and(|due| due <= situation.now) {
        return plan.size(situation, &candidate.revision, candidate.pods);
    }
    let plan = plan.size(situation, &candidate.revision, running);
    match due {
        Some(due) => plan.look_at(due),
        None => plan,
    }
}

fn note_in_effect(situation: &Situation<'_>, mut record: Record, candidate: &Candidate) -> Plan {
    let reached = situation.after(situation.settings.propagation_delay);
    let next = Candidate { reached: Some(reached), blocked: false, ..candidate.clone() };
    record.candidate = Some(next.clone());
    record.settled = record.decision.clone();
    let weight = record.decision.split.candidate_weight();
    let version = situation.view(&candidate.revision).version;
    let reason = match candidate.stage_weight {
        0 => Reason::new("PreviewReady", format!("version {version} is fully up, without traffic: look at it by its preview Service")),
        _ => Reason::new("WeightChanged", format!("version {version} gets {weight} %")),
    };
    let plan = keep(situation, record, &next, State::Progressing, reason.clone()).look_at(reached);
    if weight == FULL_WEIGHT { plan } else { plan.note(false, reason) }
}

/// The weight is in effect: promote, give way, hold, or go on.
fn in_effect(situation: &Situation<'_>, record: Record, candidate: &Candidate, reached: Timestamp) -> Plan {
    let weight = record.decision.split.candidate_weight();
    if situation.settings.replicas == 0 && candidate.stage_weight < FULL_WEIGHT {
        let reason = Reason::new("Holding", format!("holding at {weight} %: no pods are wanted, so nothing is learned"));
        return keep(situation, record, candidate, State::Holding, reason);
    }
    if weight > candidate.stage_weight {
        let reason = Reason::new("StableNotReady", "stable has no ready pods: the candidate has its traffic until it has");
        return keep(situation, record, candidate, State::Degraded, reason);
    }
    if weight < candidate.stage_weight {
        return exchange(situation, record, candidate);
    }
    let (next_weight, hold) = (situation.settings.next_weight(weight), situation.settings.hold_at(weight));
    let held = if weight == 0 { "previewing without traffic".to_owned() } else { format!("holding at {weight} %") };
    match hold {
        Some(Hold::For(time)) if !candidate.hold_ended && situation.now < reached + time => {
            let reason = Reason::new("Holding", format!("{held} until {}", reached + time));
            let reason = without_data(situation, &record, &held).unwrap_or(reason);
            holding(situation, record, candidate, reason).look_at(reached + time)
        }
        Some(Hold::UntilPromoted) if !candidate.hold_ended => {
            let reason = Reason::new("WaitingForPromotion", format!("{held} until somebody promotes"));
            let reason = without_data(situation, &record, &held).unwrap_or(reason);
            holding(situation, record, candidate, reason)
        }
        // A stage that is a step ends only when the numbers are good, too; `promote` ends the time, not the analysis.
        _ if let Some(waiting) =
            judge::waiting(situation, &record).filter(|_| weight < FULL_WEIGHT || (hold.is_some() && !candidate.hold_ended)) =>
        {
            let reason = Reason::new(waiting.code, format!("{held}: {}", waiting.message));
            holding(situation, record, candidate, reason)
        }
        _ if weight == FULL_WEIGHT => promote(situation, record, candidate),
        _ => match halted(situation, &record, &format!("{held}; {next_weight} % comes next")) {
            Some(halt) => keep(situation, record, candidate, halt.state, halt.reason),
            None => next_stage(situation, record, candidate, next_weight),
        },
    }
}

/// That there is no data is something that somebody should know before the hold is over.
fn without_data(situation: &Situation<'_>, record: &Record, held: &str) -> Option<Reason> {
    let waiting = judge::waiting(situation, record).filter(|waiting| waiting.code == "NoData")?;
    Some(Reason::new(waiting.code, format!("{held}: {}", waiting.message)))
}

fn holding(situation: &Situation<'_>, record: Record, candidate: &Candidate, reason: Reason) -> Plan {
    match halted(situation, &record, &reason.message) {
        Some(halt) => keep(situation, record, candidate, halt.state, halt.reason),
        None => keep(situation, record, candidate, State::Holding, reason),
    }
}

fn next_stage(situation: &Situation<'_>, mut record: Record, candidate: &Candidate, weight: i32) -> Plan {
    let next = Candidate { stage_weight: weight, hold_ended: false, ..candidate.clone() };
    record.candidate = Some(next.clone());
    let goal = goal::of(situation, &record, &next);
    intend(situation, record, &next, goal)
}

/// The stage does not fit within the surge: stable gives way, then the goal grows by as much.
fn exchange(situation: &Situation<'_>, record: Record, candidate: &Candidate) -> Plan {
    let weight = record.decision.split.candidate_weight();
    if weight == 0 {
        let message = "maxSurge allows too few pods at a time for one percent of the traffic: raise strategy.maxSurge";
        return keep(situation, record, candidate, State::Holding, Reason::new("SurgeTooSmall", message));
    }
    let message = format!("at {weight} % on the way to {} %: stable gives way after its drain time", candidate.stage_weight);
    let plan = keep(situation, record, candidate, State::Progressing, Reason::new("Exchanging", message));
    match goal::gives_way_at(situation, candidate) {
        Some(due) if due > situation.now => plan.look_at(due),
        _ => plan,
    }
}

/// The candidate has everything: it is stable now.
fn promote(situation: &Situation<'_>, mut record: Record, candidate: &Candidate) -> Plan {
    let revision = candidate.revision.clone();
    let version = situation.view(&revision).version;
    record.stable = revision.clone();
    record.candidate = None;
    record.zero_since = Some(situation.stamp());
    record.since = situation.stamp();
    record.note_served(&revision, &version, situation.stamp());
    let reason = Reason::new("RolloutCompleted", format!("version {version} has all of the traffic"));
    let split = standing(situation, &record).clone();
    let state = if goes_back(&record) { State::RolledBack } else { State::Serving };
    let mut plan = Plan::new(Some(record), state, reason.clone()).size(situation, &revision, situation.settings.replicas);
    plan.split = Some(split);
    if situation.ready(&revision) > 0 {
        plan.marks.push((revision, Mark::Served));
    }
    plan.note(false, reason)
}
