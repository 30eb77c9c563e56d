//! What the present stage asks for next: pods and weight of the candidate, and pods of stable.
//!
//! A stage that does not fit within the surge is reached by exchange: the candidate grows by what there is room for, gets
//! the weight that this covers, then stable gives way by as much. Meanwhile there is no room for headroom.

use jiff::Timestamp;

use crate::domain::record::{Candidate, Record};
use crate::domain::rollout::{Situation, stands};
use crate::domain::settings::{FULL_WEIGHT, TrafficMode};
use crate::domain::size::{StagePods, pods_for_weight, share_by_pods, stage_pods, surge_pods, weight_covered};

/// The next thing to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Goal {
    /// Pods of the candidate.
    pub(super) pods: i32,
    /// Its weight in percent.
    pub(super) weight: i32,
}

/// Pods that follow from widening one Service over two revisions: the share is in effect as pods get ready.
pub(super) fn widened(situation: &Situation<'_>, weight: i32) -> bool {
    situation.settings.traffic == TrafficMode::ReplicaRatio && (1..FULL_WEIGHT).contains(&weight)
}

/// The goal that follows from the candidate's stage and from what runs.
pub(super) fn of(situation: &Situation<'_>, record: &Record, candidate: &Candidate) -> Goal {
    let wanted = situation.settings.replicas;
    if wanted == 0 {
        // Nothing can be learned without pods: a rollout that is out stays where it is.
        let stands = stands(situation, record);
        let weight = if candidate.stage_weight == FULL_WEIGHT { FULL_WEIGHT } else { stands };
        return Goal { pods: 0, weight };
    }
    let stage = stage_pods(situation.settings, candidate.stage_weight);
    let stable_pods = stable_pods(situation, record);
    let room = wanted.saturating_add(surge_pods(situation.settings.max_surge, wanted)).saturating_sub(stable_pods);
    let running = situation.replicas(&candidate.revision).min(stage.candidate);
    let pods = stage.candidate.min(room).max(running).max(0);
    let planned = planned_weight(situation, record, candidate, stage, pods, stable_pods);
    let weight = unless_stable_is_short(situation, record, candidate, planned);
    // In place of stable, it needs the pods for all of the traffic: what the surge has room for, and none is given away.
    let alone = if weight > candidate.stage_weight { wanted.min(room).max(situation.replicas(&candidate.revision).min(wanted)) } else { 0 };
    Goal { pods: pods.max(alone), weight }
}

/// Pods that stable asks for; all if it worked once and its workload is missing and will be made again.
fn stable_pods(situation: &Situation<'_>, record: &Record) -> i32 {
    match situation.replicas(&record.stable) {
        0 if situation.never_worked(&record.stable) => 0,
        0 => situation.settings.replicas,
        pods => pods,
    }
}

fn planned_weight(situation: &Situation<'_>, record: &Record, candidate: &Candidate, stage: StagePods, pods: i32, stable_pods: i32) -> i32 {
    let settings = situation.settings;
    let stands = stands(situation, record);
    let weight = candidate.stage_weight;
    let complete = pods >= stage.candidate;
    let planned = match settings.traffic {
        _ if weight <= 0 => 0,
        TrafficMode::Gateway if complete => weight,
        TrafficMode::Gateway => weight.min(weight_covered(settings.replicas, pods, 100)),
        // The pin to the candidate comes once all its pods are ready; before that it grows while both share the Service.
        TrafficMode::ReplicaRatio if weight == FULL_WEIGHT => {
            let grown = complete && (stands == 0 || situation.ready(&candidate.revision) >= settings.replicas);
            if grown { FULL_WEIGHT } else { share_by_pods(pods, stable_pods).clamp(1, FULL_WEIGHT - 1) }
        }
        TrafficMode::ReplicaRatio if complete => weight,
        TrafficMode::ReplicaRatio => share_by_pods(pods, stable_pods).clamp(1, weight),
    };
    planned.max(stands.min(weight))
}

/// A stable revision without ready pods loses its weight to a candidate that has some, until it can take its part again.
fn unless_stable_is_short(situation: &Situation<'_>, record: &Record, candidate: &Candidate, planned: i32) -> i32 {
    let stands = stands(situation, record);
    let ready = situation.ready(&record.stable);
    let needed = pods_for_weight(situation.settings.replicas, FULL_WEIGHT - planned, 100);
    let short = ready == 0 || (stands == FULL_WEIGHT && ready < needed);
    let helps = situation.ready(&candidate.revision) > 0 && !widened(situation, stands);
    if short && helps { FULL_WEIGHT } else { planned }
}

/// Pods that stable should ask for while a candidate moves forward.
pub(super) fn stable_target(situation: &Situation<'_>, record: &Record, candidate: &Candidate) -> i32 {
    let wanted = situation.settings.replicas;
    if situation.never_worked(&record.stable) {
        return 0;
    }
    let stage = stage_pods(situation.settings, candidate.stage_weight);
    if stage.stable >= wanted {
        return wanted;
    }
    let lowest = stage.stable.max(wanted - routed_pods(situation, record, candidate)).min(wanted);
    let target = match gives_way_at(situation, candidate) {
        Some(due) if due <= situation.now => lowest,
        _ => lowest.max(situation.replicas(&record.stable).min(wanted)),
    };
    let surge = surge_pods(situation.settings.max_surge, wanted);
    // The surge bounds growth. One that was made smaller meanwhile takes nothing away from stable.
    let bound = wanted.saturating_add(surge).saturating_sub(situation.replicas(&candidate.revision));
    target.min(bound.max(situation.replicas(&record.stable)))
}

/// When stable may give way to what the candidate took over: once its lower weight held for the drain time.
pub(super) fn gives_way_at(situation: &Situation<'_>, candidate: &Candidate) -> Option<Timestamp> {
    candidate.reached.map(|reached| reached + situation.settings.drain)
}

/// Ready pods of the candidate that have taken over traffic.
fn routed_pods(situation: &Situation<'_>, record: &Record, candidate: &Candidate) -> i32 {
    let ready = situation.ready(&candidate.revision);
    let weight = record.settled_weight();
    match situation.settings.traffic {
        _ if weight == 0 => 0,
        TrafficMode::ReplicaRatio => ready,
        // What headroom adds replaces nothing.
        TrafficMode::Gateway => ready.min(pods_for_weight(situation.settings.replicas, weight, 100)),
    }
}
