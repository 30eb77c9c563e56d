//! The controller of Models: says where each version stands. It never touches what runs.
//!
//! One pass: observe (caches only) → status (pure) → write. A Model has no children, so there is nothing to apply.

pub mod status;

use std::sync::Arc;

use serde_json::json;

use crate::api::{Model, ModelDeployment};
use crate::controllers::caches::{Ours, deployment_index};
use crate::kube_io::{Target as Object, Writer};
use crate::runtime::cache::Cache;
use crate::runtime::clock::Clock;
use crate::runtime::driver::{Next, ReconcileError, Reconciler};
use crate::runtime::key::ObjectKey;

/// See the module.
pub struct Models {
    /// Models.
    pub models: Arc<Cache<Ours<Model>>>,
    /// ModelDeployments, which are found by their model.
    pub deployments: Arc<Cache<Ours<ModelDeployment>>>,
    /// The only way to write.
    pub writer: Writer,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Reconciler for Models {
    const KIND: &'static str = "Model";

    async fn reconcile(&self, key: ObjectKey) -> Result<Next, ReconcileError> {
        let Some(entry) = self.models.get(&key).filter(|entry| !entry.deleting) else { return Ok(Next::AwaitChange) };
        let Ok(model) = entry.row.as_ref() else { return Ok(Next::AwaitChange) };
        let users = self.deployments.indexed(&deployment_index(&key.namespace, &key.name));
        let users: Vec<Arc<ModelDeployment>> = users.iter().filter_map(|entry| entry.row.as_ref().ok().cloned()).collect();
        let wanted = status::status(model, entry.generation, &users, self.clock.now());
        if model.status.as_ref() != Some(&wanted) {
            let target = Object { resource: kube::core::ApiResource::erase::<Model>(&()), key };
            let current = model.status.as_ref().map(|status| json!(status));
            self.writer.apply_status(&target, &entry.revision.to_string(), current.as_ref(), &json!(wanted)).await?;
        }
        Ok(Next::AwaitChange)
    }
}
