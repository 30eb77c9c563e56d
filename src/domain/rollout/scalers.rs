//! Who writes the number of pods of each revision: the operator, or the revision's scaler. Never both.
//!
//! Takes a plan as if the operator wrote every number; gives one in which what a scaler owns is a bound of it. A scaler is made once its
//! revision has the pods that it is to start from, and the operator writes a number again only when the scaler was seen to be gone.

use std::collections::BTreeMap;

use crate::domain::record::Record;
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Plan, Situation, standing};
use crate::domain::settings::{FULL_WEIGHT, Scaler, TrafficMode};
use crate::domain::size::stage_pods;

/// Bounds that a scaler gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Fewest pods: the floor.
    pub min: i32,
    /// Most pods.
    pub max: i32,
}

/// Gives every number in `plan` its one owner.
pub(super) fn owned(situation: &Situation<'_>, mut plan: Plan) -> Plan {
    let Some(record) = &mut plan.record else { return plan };
    let scaler = situation.settings.scaler;
    let releasing = record.candidate.is_some();
    record.replicas = scaler.filter(|_| releasing).map(|_| situation.settings.replicas.max(1));
    let created: BTreeMap<RevisionName, i32> = plan.workloads.iter().cloned().collect();
    let numbers: BTreeMap<RevisionName, i32> = plan.scale.iter().cloned().collect();
    let mut scalers = BTreeMap::new();
    let serving = std::iter::once(&record.stable).chain(record.candidate.as_ref().map(|candidate| &candidate.revision));
    for (name, scaler) in serving.filter_map(|name| Some((name, scaler?))) {
        let view = situation.view(name);
        let now = view.workload.as_ref().map(|workload| workload.replicas).or(created.get(name).copied()).unwrap_or(0);
        let target = numbers.get(name).copied().unwrap_or(now);
        let Some(bounds) = bounds(situation, record, &scaler, name, target) else { continue };
        // A plan that says nothing of the pods of a revision leaves its scaler as it is.
        match (view.scaler.is_some(), created.contains_key(name)) {
            (true, false) => drop(scalers.insert(name.clone(), None)),
            (true, true) => drop(scalers.insert(name.clone(), Some(bounds))),
            (false, true) if target == now => drop(scalers.insert(name.clone(), Some(bounds))),
            (false, _) => {}
        }
    }
    plan.scale.retain(|(name, _)| situation.view(name).scaler.is_none());
    plan.scalers = scalers;
    plan
}

/// The bounds of the scaler of `name`, whose size should be `target`; `None`: the operator has to own it.
fn bounds(situation: &Situation<'_>, record: &Record, scaler: &Scaler, name: &RevisionName, target: i32) -> Option<Bounds> {
    if !scaler.installed {
        return None;
    }
    let Some(candidate) = &record.candidate else {
        // A first release shows that it gets ready before anything puts it to rest.
        let min = if record.history.is_empty() { scaler.awake() } else { scaler.min };
        return (*name == record.stable).then_some(Bounds { min, max: scaler.max });
    };
    let wanted = situation.settings.replicas;
    let exchanged = stage_pods(situation.settings, candidate.stage_weight).stable < wanted;
    if *name == record.stable {
        // What has to give way, or has no room to grow, gets a size; else the scaler may only make more of it.
        let sized = target < wanted;
        let most = if sized { target } else { scaler.max };
        return (target > 0).then(|| Bounds { min: target.min(scaler.max), max: most.min(scaler.max) });
    }
    let alone = standing(situation, record).split.weight_of(name) >= FULL_WEIGHT;
    let own = situation.settings.traffic == TrafficMode::Gateway || alone;
    if candidate.revision != *name || candidate.retreat.is_some() || !own || target <= 0 {
        return None;
    }
    let most = if exchanged { target } else { scaler.max };
    Some(Bounds { min: target.min(scaler.max), max: most.min(scaler.max) })
}
