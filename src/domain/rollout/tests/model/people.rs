//! What people, other programs and the cluster do to a deployment.

use crate::domain::record::Decision;
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Reason, Wanted};
use crate::domain::settings::TrafficMode;

use super::Model;

impl Model {
    /// The spec asks for what cannot be said.
    pub(in super::super) fn want_nothing(&mut self) {
        self.wanted = Wanted::Unresolved(Reason::new("VersionNotFound", "no version 9.9.9"));
        self.generation += 1;
    }

    /// Somebody writes a decision of their own, with the rules that it asks for.
    pub(in super::super) fn forge(&mut self, change: impl Fn(&mut Decision)) {
        let (decision, split) = self.live.as_mut().unwrap();
        change(decision);
        split.clone_from(&decision.split);
    }

    /// The other traffic mode is carried by another object, which has no decision yet.
    pub(in super::super) fn switch_mode(&mut self, traffic: TrafficMode) {
        if self.settings.traffic != traffic {
            self.settings.traffic = traffic;
            self.live = None;
            self.settings.pins &= traffic == TrafficMode::Gateway;
        }
    }

    pub(in super::super) fn has(&self, revision: &str) -> bool {
        self.sets.contains_key(&RevisionName::new(revision))
    }

    pub(in super::super) fn has_split(&self) -> bool {
        self.live.is_some()
    }

    /// Somebody deletes a workload of ours.
    pub(in super::super) fn delete_workload(&mut self, revision: &str) {
        self.set_workload(revision, None);
    }

    /// Somebody scales a workload of ours.
    pub(in super::super) fn scale_by_hand(&mut self, revision: &str, pods: i32) {
        if self.sets[&RevisionName::new(revision)].workload.is_some() {
            self.set_workload(revision, Some(pods));
        }
    }

    /// How things stand, in a line.
    pub(in super::super) fn summary(&self) -> String {
        let sets: Vec<String> = self
            .sets
            .iter()
            .filter(|(_, set)| set.workload.is_some())
            .map(|(name, set)| format!("{name}:{}/{}/{}%", self.ready(name), set.workload.unwrap_or(0), self.weight_of(name.as_str())))
            .collect();
        let plan = self.last.as_ref();
        let candidate = self.record.as_ref().and_then(|record| record.candidate.as_ref());
        let candidate = candidate.map_or(String::new(), |candidate| {
            format!("{}@{} pods {} retreat {}", candidate.revision, candidate.stage_weight, candidate.pods, candidate.retreat.is_some())
        });
        format!(
            "  {} N{} [{}] cand {candidate} {:?} {}",
            self.second,
            self.settings.replicas,
            sets.join(" "),
            plan.map(|plan| plan.state),
            plan.map_or("", |plan| plan.reason.message.as_str())
        )
    }

    fn set_workload(&mut self, revision: &str, pods: Option<i32>) {
        self.sets.get_mut(&RevisionName::new(revision)).unwrap().workload = pods;
        self.by_hand.insert(RevisionName::new(revision));
        self.kubelet();
    }
}
