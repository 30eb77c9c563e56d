//! GET: one object, or its `scale`.

use std::sync::Arc;

use serde_json::Value;

use super::{convert, errors, scale};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;
use crate::sim::store::ObjectKey;

impl Cluster {
    /// An object or its subresource as GET answers; `resource_version` as in the query, empty for the newest.
    ///
    /// # Errors
    /// 404 missing, 500 malformed revision or a scale without replicas, 504 revision of the future.
    pub fn read(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        subresource: Option<&str>,
        resource_version: &str,
    ) -> Result<Arc<Value>, ApiError> {
        let resource = self.resource(resource)?;
        if !resource_version.is_empty() {
            let asked = errors::parse_revision(resource_version)?;
            if asked > self.revision() {
                return Err(errors::too_large_revision(asked, self.revision()));
            }
        }
        if let Some(subresource) = subresource
            && !resource.has_subresource(subresource)
        {
            return Err(errors::no_subresource(&resource, name));
        }
        let entry = self.store.get(&ObjectKey::new(&resource.storage_key, namespace, name));
        let object = entry.map(|entry| convert::from_stored(&resource, &entry.served)).ok_or_else(|| errors::not_found(&resource, name))?;
        match subresource {
            None | Some("status") => Ok(object),
            Some("scale") => Ok(Arc::new(scale::of(&resource, &object)?)),
            Some(_) => Err(errors::method_not_allowed()),
        }
    }
}
