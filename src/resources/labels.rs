//! Labels of children. Those of Argo CD and `app.kubernetes.io/instance` are never among them: they would make a GitOps
//! tool take the children for its own.

use std::collections::BTreeMap;

/// Says that an object is ours; watches select by it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY`].
pub const MANAGER: &str = "modelward";
/// Name of the ModelDeployment.
pub const DEPLOYMENT: &str = "modelward.dev/deployment";
/// Name of the revision, `<deployment>-<hash>`.
pub const REVISION: &str = "modelward.dev/revision";
/// Name of the Model.
pub const MODEL: &str = "modelward.dev/model";
/// Version of the Model.
pub const VERSION: &str = "modelward.dev/version";
/// Every label key that is ours; a pod template may not set them.
pub const RESERVED_PREFIX: &str = "modelward.dev/";

/// The pods of a deployment.
pub fn deployment_selector(deployment: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(DEPLOYMENT.to_owned(), deployment.to_owned())])
}

/// The pods of one revision.
pub fn revision_selector(deployment: &str, revision: &str) -> BTreeMap<String, String> {
    let mut selector = deployment_selector(deployment);
    selector.insert(REVISION.to_owned(), revision.to_owned());
    selector
}

/// Labels of the children that a deployment has once.
pub fn of_deployment(deployment: &str) -> BTreeMap<String, String> {
    let mut labels = deployment_selector(deployment);
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    labels.insert("app.kubernetes.io/name".to_owned(), deployment.to_owned());
    labels.insert("app.kubernetes.io/component".to_owned(), "model-server".to_owned());
    labels
}

/// Labels of the children of a revision, and of its pods.
pub fn of_revision(deployment: &str, revision: &str, model: &str, version: &str) -> BTreeMap<String, String> {
    let mut labels = of_deployment(deployment);
    for (key, value) in [(REVISION, revision), (MODEL, model), (VERSION, version)] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels.insert("app.kubernetes.io/version".to_owned(), version.to_owned());
    labels
}
