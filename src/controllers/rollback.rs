//! The controller of Rollbacks: resolves what each asks for, before anything moves, and says what came of it. It moves nothing: the
//! controller of ModelDeployments carries out what is in progress, and both meet in the objects.
//!
//! One pass: observe (caches only) → judge (pure) → write.

pub mod judge;

use std::sync::Arc;

use serde_json::json;

use crate::api::Rollback;
use crate::controllers::model_deployment::observe::{self, Caches};
use crate::kube_io::{Target as Object, Writer};
use crate::runtime::clock::Clock;
use crate::runtime::driver::{Next, ReconcileError, Reconciler};
use crate::runtime::key::ObjectKey;

/// See the module.
pub struct Rollbacks {
    /// What is watched.
    pub caches: Arc<Caches>,
    /// The only way to write.
    pub writer: Writer,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Reconciler for Rollbacks {
    const KIND: &'static str = "Rollback";

    async fn reconcile(&self, key: ObjectKey) -> Result<Next, ReconcileError> {
        let Some(entry) = self.caches.rollbacks.get(&key).filter(|entry| !entry.deleting) else { return Ok(Next::AwaitChange) };
        let Ok(rollback) = entry.row.as_ref() else { return Ok(Next::AwaitChange) };
        if rollback.is_over() {
            return Ok(Next::AwaitChange);
        }
        let now = self.clock.now();
        let deployment = ObjectKey::new(Arc::clone(&key.namespace), rollback.spec.deployment.as_str());
        let observed = observe::observe(&self.caches, &deployment, now);
        let judged = judge::judge(rollback, entry.generation, observed.as_ref(), now);
        if rollback.status.as_ref() != Some(&judged.status) {
            let target = Object { resource: kube::core::ApiResource::erase::<Rollback>(&()), key };
            let current = rollback.status.as_ref().map(|status| json!(status));
            self.writer.apply_status(&target, &entry.revision.to_string(), current.as_ref(), &json!(judged.status)).await?;
        }
        Ok(judged.look_at.map_or(Next::AwaitChange, Next::At))
    }
}
