//! How actors write: as the component that they stand for, through the same door as everybody.
//!
//! Takes objects and patches; gives what the server answers. Never retries and never hides a refusal.

use std::sync::Arc;

use serde_json::{Value, json};

use super::object::{name, namespace, uid};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions, FieldValidation, Identity, Patch, Propagation, WriteOptions};

/// A component of the control plane as a client.
#[derive(Clone, Debug)]
pub struct Client {
    who: Identity,
    manager: String,
}

impl Client {
    /// kube-controller-manager.
    pub fn controller_manager() -> Self {
        Self::component("kube-controller-manager")
    }

    /// A component under its own service account, as rights are given to it.
    pub fn account(namespace: &str, account: &str, manager: &str) -> Self {
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        let groups = vec!["system:serviceaccounts".to_owned(), of_namespace, "system:authenticated".to_owned()];
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let who = Identity { user, groups, user_agent: manager.to_owned(), ..Identity::default() };
        Self { who, manager: manager.to_owned() }
    }

    /// kube-scheduler.
    pub fn scheduler() -> Self {
        Self::component("kube-scheduler")
    }

    /// The kubelet of a node.
    pub fn kubelet(node: &str) -> Self {
        let groups = vec!["system:nodes".to_owned(), "system:authenticated".to_owned()];
        let who = Identity { user: format!("system:node:{node}"), groups, user_agent: "kubelet".to_owned(), ..Identity::default() };
        Self { who, manager: "kubelet".to_owned() }
    }

    /// A component with user `system:<name>` and field manager `<name>`.
    pub fn component(name: &str) -> Self {
        let groups = vec!["system:authenticated".to_owned()];
        let who = Identity { user: format!("system:{name}"), groups, user_agent: name.to_owned(), ..Identity::default() };
        Self { who, manager: name.to_owned() }
    }

    /// Nobody reads the warnings of a controller.
    fn options(&self) -> WriteOptions {
        WriteOptions { field_validation: FieldValidation::Ignore, ..WriteOptions::manager(&self.manager) }
    }

    /// POST.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn create(&self, cluster: &mut Cluster, resource: &str, namespace: &str, object: Value) -> Result<Arc<Value>, ApiError> {
        cluster.create(&self.who, resource, namespace, object, &self.options()).map(|written| written.object)
    }

    /// PUT of an object that was read before and edited.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn update(&self, cluster: &mut Cluster, resource: &str, object: Value) -> Result<Arc<Value>, ApiError> {
        self.put(cluster, resource, None, object)
    }

    /// PUT to a subresource.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn put(&self, cluster: &mut Cluster, resource: &str, subresource: Option<&str>, object: Value) -> Result<Arc<Value>, ApiError> {
        let (of, called) = (namespace(&object).to_owned(), name(&object).to_owned());
        let written = cluster.update(&self.who, resource, &of, &called, subresource, object, &self.options())?;
        Ok(written.object)
    }

    /// PUT of a new status onto the object as it was read; no request if it has that status.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn update_status(&self, cluster: &mut Cluster, resource: &str, read: &Value, status: Value) -> Result<(), ApiError> {
        if read.get("status") == Some(&status) {
            return Ok(());
        }
        let mut object = read.clone();
        object["status"] = status;
        self.put(cluster, resource, Some("status"), object).map(|_| ())
    }

    /// JSON merge patch of the main resource, only if the object still has this uid.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn merge(&self, cluster: &mut Cluster, resource: &str, read: &Value, mut patch: Value) -> Result<(), ApiError> {
        patch["metadata"]["uid"] = json!(uid(read));
        let (of, called) = (namespace(read), name(read));
        cluster.patch(&self.who, resource, of, called, None, Patch::Merge(patch), &self.options()).map(|_| ())
    }

    /// DELETE of this very object; gone already is success.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn delete(&self, cluster: &mut Cluster, resource: &str, read: &Value, options: DeleteOptions) -> Result<(), ApiError> {
        let options = DeleteOptions { uid: Some(uid(read).to_owned()), ..options };
        match cluster.delete(&self.who, resource, namespace(read), name(read), &options) {
            Err(error) if error.code != 404 => Err(error),
            _ => Ok(()),
        }
    }

    /// DELETE in the background.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn delete_in_background(&self, cluster: &mut Cluster, resource: &str, read: &Value) -> Result<(), ApiError> {
        self.delete(cluster, resource, read, DeleteOptions::propagation(Propagation::Background))
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.who
    }
}

/// The outcome, a success when the refusal says that the namespace is going: nothing to report, nothing to retry.
pub fn unless_terminating(outcome: Result<(), ApiError>) -> Result<(), ApiError> {
    outcome.or_else(|error| if is_namespace_terminating(&error) { Ok(()) } else { Err(error) })
}

/// The refusal says that the namespace is going.
pub fn is_namespace_terminating(error: &ApiError) -> bool {
    let causes = error.details.as_ref().map_or(&[][..], |details| super::object::items(details, &["causes"]));
    causes.iter().any(|cause| super::object::text(cause, &["reason"]) == "NamespaceTerminating")
}

/// The person who operates the cluster: fault hooks and drains act in this name.
pub fn administrator() -> Identity {
    let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
    Identity { user: "kubernetes-admin".to_owned(), groups, user_agent: "kubectl".to_owned(), ..Identity::default() }
}
