//! The scalers of revisions: made and bounded as the plan says; all others go, before anybody else writes a number of pods.

use crate::controllers::model_deployment::apply::Hands;
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Bounds, Plan};
use crate::domain::settings::ScalerKind;
use crate::kube_io::WriteError;
use crate::resources::autoscaler::{self, Target};

impl Hands<'_> {
    /// Makes the scalers of all revisions what they have to be.
    pub(super) async fn ensure_scalers(&self, plan: &Plan) -> Result<(), WriteError> {
        // Without a record nothing was decided, and from a spec that cannot be used nothing follows: what is there stays.
        let refused = self.valid.settings.scaler.is_some() && self.valid.autoscaling.is_none();
        if plan.record.is_none() || refused {
            return Ok(());
        }
        let kind = self.valid.settings.scaler.map(|scaler| scaler.kind);
        for (name, seen) in &self.observed.revisions {
            let stays = kind.filter(|_| plan.scalers.contains_key(name));
            for (_, scaler) in seen.scalers().filter(|(kind, _)| Some(*kind) != stays) {
                self.delete(Some(scaler)).await?;
            }
        }
        for (name, bounds) in plan.scalers.iter().filter_map(|(name, bounds)| Some((name, (*bounds)?))) {
            self.ensure_scaler(name, bounds).await?;
        }
        Ok(())
    }

    /// One scaler of another kind that is still there is waited for: two would take turns.
    async fn ensure_scaler(&self, name: &RevisionName, bounds: Bounds) -> Result<(), WriteError> {
        let (Some(scaler), Some(autoscaling)) = (self.valid.settings.scaler, &self.valid.autoscaling) else { return Ok(()) };
        let Some(recorded) = self.recorded(name) else { return Ok(()) };
        let seen = self.observed.revisions.get(name);
        if seen.is_some_and(|seen| seen.scalers().any(|(kind, scaled)| kind != scaler.kind || scaled.entry.deleting)) {
            return Ok(());
        }
        let input = &recorded.input;
        let target = Target { name: name.as_str(), model: &input.model, version: &input.version, min: bounds.min, max: bounds.max };
        let Some(object) = autoscaler::build(&self.observed.owner, &target, autoscaling) else { return Ok(()) };
        let live = seen.and_then(|seen| match scaler.kind {
            ScalerKind::Hpa => seen.autoscaler.as_ref(),
            ScalerKind::Keda => seen.scaled_object.as_ref(),
        });
        self.ensure(live, object).await
    }
}
