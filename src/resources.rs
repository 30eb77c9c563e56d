//! Builders of child objects: pure functions from validated input to JSON as it is sent.
//!
//! They never read the cluster, the clock or the raw spec, and never decide. Objects are `serde_json::Value`, since the pod
//! carries a free-form overlay.

pub mod autoscaler;
pub mod budget;
pub mod labels;
pub mod overlay;
pub mod ownership;
pub mod pod;
pub mod revision;
pub mod rollback;
pub mod service;
pub mod workload;

use serde_json::{Value, json};

/// Who a child belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Namespace of owner and child.
    pub namespace: String,
    /// Name of the ModelDeployment.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Owner {
    /// The controller reference to it.
    pub fn reference(&self) -> Value {
        json!({
            "apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "name": self.name, "uid": self.uid,
            "controller": true, "blockOwnerDeletion": true,
        })
    }

    /// Metadata of a child called `name`.
    pub fn metadata(&self, name: &str, labels: &std::collections::BTreeMap<String, String>) -> Value {
        json!({ "name": name, "namespace": self.namespace, "labels": labels, "ownerReferences": [self.reference()] })
    }
}
