//! The verbs of the API: in which order a request is checked, changed, validated and written.
//!
//! Each file adds one verb (or one concern of several) to [`Cluster`](crate::sim::cluster::Cluster). Schemas, defaulting,
//! patches and server-side apply are engines called through [`engines`]; texts and codes of refusals come from [`errors`].

pub(in crate::sim) mod binding;
pub(in crate::sim) mod collection;
pub(in crate::sim) mod convert;
pub(in crate::sim) mod create;
pub(in crate::sim) mod decode;
pub(in crate::sim) mod delete;
pub(in crate::sim) mod engines;
pub mod errors;
pub(in crate::sim) mod eviction;
pub(in crate::sim) mod graceful;
pub(in crate::sim) mod list;
pub(in crate::sim) mod meta;
pub(in crate::sim) mod metadata_rules;
pub mod names;
pub(in crate::sim) mod patch;
pub(in crate::sim) mod prepare;
pub(in crate::sim) mod read;
pub(in crate::sim) mod scale;
pub(in crate::sim) mod service;
pub(in crate::sim) mod size;
pub(in crate::sim) mod status_values;
pub(in crate::sim) mod update;
pub(in crate::sim) mod validate;

use std::sync::Arc;

use crate::sim::cluster::{Identity, WriteOptions};
use crate::sim::kinds::Resource;
use crate::sim::store::ObjectKey;

/// A write request with its resource resolved.
pub(in crate::sim) struct Asked<'a> {
    pub who: &'a Identity,
    pub resource: Arc<Resource>,
    pub namespace: &'a str,
    /// Empty on creates until the name is known.
    pub name: &'a str,
    pub subresource: Option<&'a str>,
    pub options: &'a WriteOptions,
}

impl Asked<'_> {
    /// The field manager: as asked, else the user agent up to the slash, else `unknown`.
    pub(in crate::sim) fn manager(&self) -> &str {
        if !self.options.field_manager.is_empty() {
            return &self.options.field_manager;
        }
        let agent = self.who.user_agent.split('/').next().unwrap_or_default();
        if agent.is_empty() { "unknown" } else { agent }
    }

    pub(in crate::sim) fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.resource.storage_key, self.namespace, self.name)
    }

    pub(in crate::sim) fn author(&self) -> crate::sim::cluster::Author<'_> {
        crate::sim::cluster::Author { who: self.who, manager: self.manager(), subresource: self.subresource }
    }

    pub(in crate::sim) fn is(&self, key: &str) -> bool {
        self.resource.storage_key == key
    }
}

#[cfg(test)]
mod tests;
