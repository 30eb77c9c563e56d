//! The simulated cluster: store, kinds, watches and time behind one synchronous door.
//!
//! Takes requests of the API (create, get, list, update, patch, delete, watch, eviction) with everything that a server
//! knows of the caller, and the virtual time; gives answers as an API server would, and the log of commits. It does not
//! run controllers: actors do, as callers of this door.

mod addresses;
mod commit;
mod deadlines;
mod definitions;
mod types;
mod watch;
mod watch_start;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(in crate::sim) use self::commit::Author;
pub use self::types::*;
use crate::sim::api_error::ApiError;
use crate::sim::draw::Draws;
use crate::sim::kinds::{Kinds, Resource};
use crate::sim::store::{ObjectKey, Store};
use crate::sim::verbs::errors;

/// Namespaces that exist from the start and cannot be deleted, except `kube-node-lease`.
const FIRST_NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// A simulated cluster.
pub struct Cluster {
    pub(in crate::sim) store: Store,
    pub(in crate::sim) kinds: Kinds,
    pub(in crate::sim) draws: Draws,
    now: Timestamp,
    commits: Vec<Commit>,
    watches: watch::Watches,
    addresses: addresses::Addresses,
    definitions: definitions::Definitions,
    compactions: deadlines::Compactions,
    /// How often an identity was drawn for in the present instant, so that draws of one instant differ.
    drawn_now: BTreeMap<String, u64>,
}

impl Cluster {
    /// An empty cluster with its four namespaces; all chance comes from `seed`, time begins at `epoch`.
    pub fn new(seed: u64, epoch: Timestamp) -> Self {
        let mut cluster = Self {
            store: Store::default(),
            kinds: Kinds::builtin(),
            draws: Draws::new(seed),
            now: epoch,
            commits: Vec::new(),
            watches: watch::Watches::default(),
            addresses: addresses::Addresses::default(),
            definitions: definitions::Definitions::default(),
            compactions: deadlines::Compactions::starting(epoch),
            drawn_now: BTreeMap::new(),
        };
        let server = Identity::component("apiserver");
        for name in FIRST_NAMESPACES {
            let namespace = json!({ "metadata": { "name": name } });
            let created = cluster.create(&server, "namespaces", "", namespace, &WriteOptions::manager("kube-apiserver"));
            debug_assert!(created.is_ok(), "{created:?}");
        }
        cluster
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the virtual time; an earlier time is ignored. Call [`Cluster::tick`] for what is due.
    pub fn set_now(&mut self, now: Timestamp) {
        if now > self.now {
            self.now = now;
            self.drawn_now.clear();
        }
    }

    /// The source of chance.
    pub fn draws(&self) -> &Draws {
        &self.draws
    }

    /// The served kinds.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// One object; `resource` is `plural.group` (core: `plural`), optionally with `/version`.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let resource = self.kinds.by_key(resource)?;
        let entry = self.store.find(&resource.storage_key, namespace, name)?;
        Some(crate::sim::verbs::convert::from_stored(resource, &entry.served))
    }

    /// All objects of a resource, of one namespace or of all, in key order.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let Some(resource) = self.kinds.by_key(resource) else { return Vec::new() };
        self.store
            .range(&resource.storage_key, namespace)
            .map(|(_, entry)| crate::sim::verbs::convert::from_stored(resource, &entry.served))
            .collect()
    }

    /// The keys of all objects that name this uid as an owner, in key order.
    pub fn dependents(&self, uid: &str) -> Vec<ObjectKey> {
        self.store.dependents(uid).cloned().collect()
    }

    /// The key of the living object with this uid.
    pub fn by_uid(&self, uid: &str) -> Option<&ObjectKey> {
        self.store.by_uid(uid)
    }

    /// The object at a key of the store, in the stored version.
    pub fn object(&self, key: &ObjectKey) -> Option<&Arc<Value>> {
        self.store.get(key).map(|entry| &entry.served)
    }

    /// The store, read only.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The commits since the last call, in order.
    pub fn take_commits(&mut self) -> Vec<Commit> {
        std::mem::take(&mut self.commits)
    }

    /// Whether commits wait to be taken.
    pub fn has_commits(&self) -> bool {
        !self.commits.is_empty()
    }

    /// Finds a resource by the short id of the direct door, or refuses as the server would.
    pub(in crate::sim) fn resource(&self, key: &str) -> Result<Arc<Resource>, ApiError> {
        self.kinds.by_key(key).cloned().ok_or_else(|| errors::unknown_resource(key))
    }

    /// The how-manieth draw for this identity in this instant, starting at the instant's own number.
    ///
    /// Keyed by time and not by a counter per name: a counter for every name that ever was would grow without bound.
    pub(in crate::sim) fn draw_number(&mut self, identity: &str) -> u64 {
        let count = self.drawn_now.entry(identity.to_owned()).or_insert(0);
        *count += 1;
        (self.now.as_millisecond() as u64).wrapping_mul(4096).wrapping_add(*count - 1)
    }

    /// Names of service addresses in use; for tests and invariants.
    pub fn cluster_ips(&self) -> BTreeSet<std::net::Ipv4Addr> {
        self.addresses.cluster_ips()
    }
}

#[cfg(test)]
mod bulk_tests;
#[cfg(test)]
pub(in crate::sim) mod tests;
