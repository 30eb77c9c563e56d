//! Objects of one resource that have no controller, by label.
//!
//! Takes commits; gives orphans that a selector may take. Small in any healthy cluster, so that looking for something to
//! adopt costs nothing.

use std::sync::Arc;

use serde_json::Value;

use super::labels::{LabelIndex, Selector};
use super::object::controller;
use crate::sim::cluster::{Cluster, Commit};

/// The orphans of one resource.
#[derive(Clone, Debug, Default)]
pub struct Orphans {
    index: LabelIndex,
}

impl Orphans {
    /// Follows one change of an object of the resource.
    pub fn note(&mut self, commit: &Commit) {
        let orphan = |object: &Option<Arc<Value>>| object.clone().filter(|object| controller(object).is_none());
        let (before, after) = (orphan(&commit.before), orphan(&commit.after));
        if before.is_some() || after.is_some() {
            self.index.note(&commit.namespace, &commit.name, before.as_deref(), after.as_deref());
        }
    }

    /// Living orphans that may match, a superset, in name order.
    pub fn matching(&self, cluster: &Cluster, resource: &str, namespace: &str, selector: &Selector) -> Vec<Arc<Value>> {
        let names = self.index.candidates(namespace, selector);
        names.iter().filter_map(|name| cluster.get(resource, namespace, name)).collect()
    }
}

/// The objects of one resource that name this uid as an owner, in key order.
pub fn dependents(cluster: &Cluster, resource: &str, uid: &str) -> Vec<Arc<Value>> {
    let keys = cluster.dependents(uid).into_iter().filter(|key| key.resource == resource);
    keys.filter_map(|key| cluster.get(resource, &key.namespace, &key.name)).collect()
}
