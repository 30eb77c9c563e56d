//! DELETE of a collection: every selected object, as listed.

use std::sync::Arc;

use super::{Asked, errors};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions, Identity, ListOptions, ListPage, WriteOptions};

impl Cluster {
    /// Deletes what a list with these options gives, and answers with that list as it was before.
    ///
    /// # Errors
    /// As list; 405 for namespaces and for all namespaces at once.
    pub fn delete_collection(
        &mut self,
        who: &Identity,
        resource: &str,
        namespace: &str,
        options: &DeleteOptions,
        list: &ListOptions,
    ) -> Result<ListPage, ApiError> {
        let found = self.resource(resource)?;
        if found.storage_key == "namespaces" || (found.namespaced && namespace.is_empty()) {
            return Err(errors::method_not_allowed());
        }
        let page = self.list_page(resource, Some(namespace), list)?;
        let write = WriteOptions { dry_run: options.dry_run, ..WriteOptions::default() };
        for item in &page.items {
            let name = item["metadata"]["name"].as_str().unwrap_or_default();
            let asked = Asked { who, resource: Arc::clone(&found), namespace, name, subresource: None, options: &write };
            match self.delete_asked(&asked, options) {
                // Another delete of this very loop may have taken it along.
                Err(error) if error.code == 404 => {}
                other => _ = other?,
            }
        }
        Ok(page)
    }
}
