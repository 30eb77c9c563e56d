//! Validation of whole objects: strategy first, then metadata, in the order that shows in the answers.

use serde_json::Value;

use super::{Asked, engines, errors, meta, metadata_rules};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::kinds::Resource;

/// Refuses an invalid new object.
pub(in crate::sim) fn on_create(resource: &Resource, object: &Value) -> Result<(), ApiError> {
    let mut causes = metadata_rules::on_create(resource, object);
    causes.extend(content(resource, object, None, false));
    refuse(resource, meta::text(object, "name"), &causes)
}

/// Refuses an invalid change. Metadata is checked twice by the server and shows twice in the causes.
pub(in crate::sim) fn on_update(asked: &Asked<'_>, new: &Value, old: &Value) -> Result<(), ApiError> {
    let resource = &asked.resource;
    let of_metadata = metadata_rules::on_update(resource, new, old);
    let mut causes = of_metadata.clone();
    causes.extend(of_metadata);
    if asked.subresource != Some("finalize") {
        causes.extend(content(resource, new, Some(old), asked.subresource == Some("status")));
    }
    refuse(resource, asked.name, &causes)
}

fn content(resource: &Resource, object: &Value, old: Option<&Value>, status: bool) -> Vec<Cause> {
    let mut causes = engines::problems(resource, object, old, status);
    if resource.storage_key == "customresourcedefinitions.apiextensions.k8s.io" {
        causes.extend(crate::sim::kinds::crd::problems(object, old));
    }
    causes
}

fn refuse(resource: &Resource, name: &str, causes: &[Cause]) -> Result<(), ApiError> {
    if causes.is_empty() { Ok(()) } else { Err(errors::invalid(resource, name, causes)) }
}
