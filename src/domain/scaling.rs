//! How many pods a deployment wants when a scaler decides: N.
//!
//! At rest N is what the scaler made of the stable revision. While a release runs, N is what stable had when it began; it is never lowered
//! then, and raised when a scaler asks for more than its floor. Computed from what is asked for, never from ready pods: those are few just
//! when something is wrong.

use crate::domain::record::{Candidate, Record};
use crate::domain::revision::{RevisionName, Revisions};
use crate::domain::settings::{FULL_WEIGHT, Scaler, Settings, TrafficMode};

/// N for `scaler`. `first` is what a first release starts with; `last` what stable was last seen to ask for, in case its workload is gone.
///
/// At rest, 5 pods are 5. A release that began with 4 stays at 4 when the scaler of stable would like 2, and becomes 6 when it made 6.
/// A candidate at 50 % that was given 3 and whose scaler made 5 makes it 10.
pub fn wanted(scaler: &Scaler, settings: &Settings, first: i32, last: Option<i32>, record: Option<&Record>, revisions: &Revisions) -> i32 {
    let start = first.clamp(scaler.awake(), scaler.max);
    let Some(record) = record else { return start };
    let stable = asked(revisions, &record.stable);
    let Some(candidate) = &record.candidate else {
        let now = stable.or(last).unwrap_or(start);
        return if scaler.installed { now } else { now.clamp(scaler.awake(), scaler.max) };
    };
    let began = record.replicas.or(stable).or(last).unwrap_or(start).max(1);
    let by_candidate = in_proportion(settings, record, candidate, revisions).unwrap_or(0);
    began.max(stable.unwrap_or(0)).max(by_candidate).min(scaler.max)
}

/// Pods that a workload which is there, and stays, asks for.
fn asked(revisions: &Revisions, name: &RevisionName) -> Option<i32> {
    let workload = revisions.get(name)?.workload.as_ref()?;
    (!workload.terminating).then_some(workload.replicas)
}

/// What all of the traffic would need if the candidate's scaler, which made more pods than its floor, is right about its part.
fn in_proportion(settings: &Settings, record: &Record, candidate: &Candidate, revisions: &Revisions) -> Option<i32> {
    revisions.get(&candidate.revision)?.scaler.as_ref()?;
    let pods = asked(revisions, &candidate.revision)?;
    if pods <= candidate.pods || candidate.retreat.is_some() || settings.traffic == TrafficMode::ReplicaRatio {
        return None;
    }
    let weight = record.decision.split.candidate_weight();
    if weight == 0 || weight >= FULL_WEIGHT {
        return Some(pods);
    }
    // Rounded down: the floor that follows is what it has, not more.
    let all = i64::from(pods) * 10_000 / (i64::from(weight) * i64::from(settings.headroom_percent)).max(1);
    i32::try_from(all).ok()
}

#[cfg(test)]
mod tests;
