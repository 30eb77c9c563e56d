//! I04-I07 at every write that changes a number of pods, judged as in the scenarios.

use std::collections::BTreeSet;

use crate::domain::revision::RevisionName;
use crate::domain::rollout::Plan;
use crate::domain::settings::TrafficMode;
use crate::domain::size::surge_pods;

use super::Model;

/// Seconds within which a change of the settings may be followed freely.
const FREE: i64 = 5;

impl Model {
    pub(super) fn note_weights(&mut self) {
        let Some((_, split)) = &self.live else { return };
        let named: BTreeSet<RevisionName> = split.entries().into_iter().map(|(name, _)| name.clone()).collect();
        for name in named.into_iter().chain(self.weighted.keys().cloned()).collect::<BTreeSet<_>>() {
            let weight = split.weight_of(&name);
            let entry = self.weighted.entry(name).or_insert((weight, self.second));
            if entry.0 != weight {
                *entry = (weight, self.second);
            }
        }
    }

    /// What takes traffic: by weight, or by the Service that is widened over all.
    fn takes_traffic(&self, name: &RevisionName) -> bool {
        self.weight_of(name.as_str()) > 0
    }

    pub(super) fn check_resize(&self, name: &RevisionName, after: i32, plan: &Plan) {
        let before = self.sets[name].workload.unwrap_or(0);
        if after > before {
            return self.check_surge(name, before, after);
        }
        self.check_capacity_kept(name, after);
        self.check_drain(name, before, after);
        self.check_stable(name, after, plan);
    }

    /// I05.
    fn check_surge(&self, name: &RevisionName, before: i32, after: i32) {
        let wanted = self.settings.replicas;
        let all: i32 = self.sets.values().map(|set| set.workload.unwrap_or(0)).sum::<i32>() - before + after;
        let most = wanted + surge_pods(self.settings.max_surge, wanted);
        assert!(all <= most, "I05: {name} from {before} to {after} makes {all} pods, {most} are allowed, at {}", self.second);
    }

    /// I04.
    fn check_capacity_kept(&self, name: &RevisionName, after: i32) {
        let of = |other: &RevisionName| if self.takes_traffic(other) { self.ready(other) } else { 0 };
        let was: i32 = self.sets.keys().map(of).sum();
        let is = was - of(name) + of(name).min(after);
        assert!(is >= was.min(self.settings.replicas), "I04: {name} to {after} at {}: ready {was} to {is}", self.second);
    }

    /// I06.
    fn check_drain(&self, name: &RevisionName, before: i32, after: i32) {
        if after >= self.settings.replicas {
            return;
        }
        let free = self.second - self.edited < FREE && after > 0 || self.settings.replicas == 0;
        let Some((weight, since)) = self.weighted.get(name).filter(|_| self.worked.contains(name) && !free && self.ready(name) > after)
        else {
            return;
        };
        let held = self.second - since;
        let drain = self.settings.drain.as_secs();
        assert!(after > 0 || *weight == 0, "I06: {name} goes with {weight} % at {}", self.second);
        assert!(held >= drain, "I06: {name} from {before} to {after} at {}, {held} s after it got {weight} %", self.second);
    }

    /// I07.
    fn check_stable(&self, name: &RevisionName, after: i32, plan: &Plan) {
        let wanted = self.settings.replicas;
        let stable = plan.record.as_ref().is_some_and(|record| record.stable == *name);
        if !stable || after >= wanted || self.ready(name) == 0 {
            return;
        }
        let others: i32 = self.sets.keys().filter(|other| *other != name && self.takes_traffic(other)).map(|other| self.ready(other)).sum();
        let surge = surge_pods(self.settings.max_surge, wanted);
        let keeps_all = surge >= wanted && self.takes_traffic(name) && self.settings.traffic == TrafficMode::Gateway;
        assert!(!keeps_all && after + others >= wanted, "I07: stable {name} to {after} at {}, others have {others}", self.second);
    }
}
