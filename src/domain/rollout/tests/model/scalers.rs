//! Scalers of the model: each makes of its revision what it likes, within the bounds that it was given.

use crate::domain::revision::{RevisionName, ScalerView};
use crate::domain::rollout::{Bounds, Plan};
use crate::domain::scaling;
use crate::domain::settings::{ScalerKind, Surge};

use super::Model;

/// A scaler: its bounds, and how many pods it would like.
#[derive(Clone, Copy)]
pub(super) struct Acting {
    bounds: Bounds,
    likes: i32,
}

impl Model {
    /// What is wanted, as the controller finds it before each pass.
    pub(super) fn size(&mut self) {
        if let Some(scaler) = self.settings.scaler {
            let revisions = self.revisions();
            self.settings.replicas = scaling::wanted(&scaler, &self.settings, 2, None, self.record.as_ref(), &revisions);
        }
    }

    pub(super) fn scaler_of(&self, name: &RevisionName) -> Option<ScalerView> {
        self.scalers.get(name).map(|_| ScalerView { kind: ScalerKind::Keda, trouble: None })
    }

    /// From now on a scaler of `revision` would like so many pods.
    pub(in super::super) fn like(&mut self, revision: &str, pods: i32) {
        if let Some(scaler) = self.scalers.get_mut(&RevisionName::new(revision)) {
            scaler.likes = pods;
        }
    }

    /// What scales comes, or goes with all that it made.
    pub(in super::super) fn install_scalers(&mut self, installed: bool) {
        if let Some(scaler) = &mut self.settings.scaler {
            scaler.installed = installed;
        }
        if !installed {
            self.scalers.clear();
        }
    }

    /// Makes, bounds and removes scalers; `None` once the operator is dead.
    pub(super) fn write_scalers(&mut self, plan: &Plan) -> Option<()> {
        let gone: Vec<RevisionName> = self.scalers.keys().filter(|name| !plan.scalers.contains_key(*name)).cloned().collect();
        for name in gone {
            self.alive().then_some(())?;
            self.scalers.remove(&name);
        }
        for (name, bounds) in plan.scalers.iter().filter_map(|(name, bounds)| Some((name, (*bounds)?))) {
            let now = self.sets[name].workload.unwrap_or(0);
            let had = self.scalers.get(name).copied();
            if had.is_some_and(|had| had.bounds == bounds) {
                continue;
            }
            assert!(bounds.min <= bounds.max, "{name}: {bounds:?}");
            self.alive().then_some(())?;
            self.scalers.insert(name.clone(), Acting { bounds, likes: had.map_or(now, |had| had.likes) });
        }
        Some(())
    }

    /// Every scaler gets its way.
    pub(super) fn scale_by_themselves(&mut self) {
        for (name, scaler) in self.scalers.clone() {
            let Some(now) = self.sets[&name].workload else { continue };
            let wanted = scaler.likes.clamp(scaler.bounds.min, scaler.bounds.max);
            self.check_floor(&name, now, wanted);
            self.sets.get_mut(&name).unwrap().workload = Some(wanted);
        }
        self.kubelet();
    }

    /// What may have to take everything back keeps what that needs, whatever its scaler likes; an exchange has sizes of its own.
    fn check_floor(&self, name: &RevisionName, now: i32, wanted: i32) {
        let Some((record, scaler)) = self.record.as_ref().zip(self.settings.scaler) else { return };
        let releasing = record.candidate.as_ref().is_some_and(|candidate| candidate.retreat.is_none());
        let free = self.second - self.edited < 5;
        if *name != record.stable || !releasing || free || self.settings.max_surge != Surge::Percent(100) || wanted >= now {
            return;
        }
        let all = record.replicas.unwrap_or(0).min(scaler.max);
        assert!(wanted >= all.min(now), "I33: stable {name} from {now} to {wanted} at {}, {all} are needed", self.second);
    }
}
