//! The revisioned store: objects by place, the events that led here, and two indexes (uid, owner).
//!
//! Takes finished objects and gives them a revision; gives back objects, ordered ranges, the state at an older revision
//! and the events after one. Objects are shared, never copied. It never validates, admits or decides anything.

mod history;
mod index;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

pub use self::history::{Event, TooOld};
use self::index::Indexes;
use crate::sim::cluster::Change;

/// Where an object is: the storage key of its resource (`deployments.apps`), namespace (empty: cluster-scoped), name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Storage key of the resource, such as `deployments.apps` or `pods`.
    pub resource: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// A key from its three parts.
    pub fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn place(&self) -> Place {
        (self.namespace.clone(), self.name.clone())
    }
}

/// Namespace and name within one resource.
pub type Place = (String, String);

/// What is kept of one object.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As written, in the storage version.
    pub stored: Arc<Value>,
    /// As read: `stored` after pruning and defaulting by the present schema; the same allocation unless the schema changed.
    pub served: Arc<Value>,
}

/// The objects of one resource at one moment; cheap to keep.
pub type Objects = Arc<BTreeMap<Place, Entry>>;

#[derive(Default)]
struct Table {
    objects: Objects,
    events: VecDeque<Event>,
    /// Revision of the newest event that was dropped from `events`.
    forgotten: u64,
}

/// All objects of a cluster.
#[derive(Default)]
pub struct Store {
    revision: u64,
    compacted: u64,
    tables: BTreeMap<String, Table>,
    indexes: Indexes,
}

impl Store {
    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The object at a key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Entry> {
        self.find(&key.resource, &key.namespace, &key.name)
    }

    /// The object of a resource (by its storage key) with this namespace and name.
    pub fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<&Entry> {
        self.tables.get(resource)?.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The objects of a resource, shared with the store until the next write.
    pub fn objects(&self, resource: &str) -> Objects {
        self.tables.get(resource).map(|table| Arc::clone(&table.objects)).unwrap_or_default()
    }

    /// The objects of a resource in key order, of one namespace or of all.
    pub fn range<'a>(&'a self, resource: &str, namespace: Option<&str>) -> impl Iterator<Item = (&'a Place, &'a Entry)> + use<'a> {
        self.tables.get(resource).into_iter().flat_map({
            let bounds = bounds_of(namespace, None);
            move |table| table.objects.range(bounds.clone())
        })
    }

    /// Number of objects of a resource in a namespace.
    pub fn count(&self, resource: &str, namespace: &str) -> usize {
        self.range(resource, Some(namespace)).count()
    }

    /// Resources that have at least one object.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().filter(|(_, table)| !table.objects.is_empty()).map(|(resource, _)| resource.as_str())
    }

    /// The key of the living object with this uid.
    pub fn by_uid(&self, uid: &str) -> Option<&ObjectKey> {
        self.indexes.by_uid(uid)
    }

    /// The keys of all objects that name this uid as an owner, in key order.
    pub fn dependents(&self, uid: &str) -> impl Iterator<Item = &ObjectKey> {
        self.indexes.dependents(uid)
    }

    /// Puts an object, stamps the next revision on it and remembers the event.
    pub fn put(&mut self, key: &ObjectKey, mut object: Value, at: Timestamp) -> (Event, Arc<Value>) {
        self.revision += 1;
        stamp(&mut object, self.revision);
        let after = Arc::new(object);
        let before = self.get(key).map(|entry| Arc::clone(&entry.served));
        self.indexes.replace(key, before.as_deref(), Some(&after));
        let change = if before.is_some() { Change::Modified } else { Change::Added };
        let event = Event { revision: self.revision, at, place: key.place(), change, before, object: Arc::clone(&after) };
        let compacted = self.compacted;
        let table = self.tables.entry(key.resource.clone()).or_default();
        let entry = Entry { stored: Arc::clone(&after), served: Arc::clone(&after) };
        Arc::make_mut(&mut table.objects).insert(key.place(), entry);
        table.remember(event.clone(), compacted);
        (event, after)
    }

    /// Takes an object away; the event holds it as it was, at the revision of its deletion.
    pub fn remove(&mut self, key: &ObjectKey, at: Timestamp) -> Option<Event> {
        let before = Arc::clone(&self.get(key)?.served);
        self.revision += 1;
        let mut last = (*before).clone();
        stamp(&mut last, self.revision);
        self.indexes.replace(key, Some(&before), None);
        let (revision, compacted) = (self.revision, self.compacted);
        let table = self.tables.get_mut(&key.resource)?;
        Arc::make_mut(&mut table.objects).remove(&key.place());
        let event = Event { revision, at, place: key.place(), change: Change::Deleted, before: Some(before), object: Arc::new(last) };
        table.remember(event.clone(), compacted);
        Some(event)
    }

    /// Computes anew what readers see of a resource, without a write: the schema changed.
    pub fn reread(&mut self, resource: &str, read: impl Fn(&Value) -> Option<Value>) {
        let Some(table) = self.tables.get_mut(resource) else { return };
        for entry in Arc::make_mut(&mut table.objects).values_mut() {
            entry.served = match read(&entry.stored) {
                Some(changed) => Arc::new(changed),
                None => Arc::clone(&entry.stored),
            };
        }
    }

    /// Forgets the history of a resource whose definition is gone.
    pub fn forget_resource(&mut self, resource: &str) {
        if self.tables.get(resource).is_some_and(|table| table.objects.is_empty()) {
            self.tables.remove(resource);
        }
    }
}

fn stamp(object: &mut Value, revision: u64) {
    object["metadata"]["resourceVersion"] = Value::String(revision.to_string());
}

/// Key bounds of a namespace (or of everything), after an already seen place.
fn bounds_of(namespace: Option<&str>, after: Option<&Place>) -> (Bound<Place>, Bound<Place>) {
    let low = match (after, namespace) {
        (Some(place), _) => Bound::Excluded(place.clone()),
        (None, Some(namespace)) => Bound::Included((namespace.to_owned(), String::new())),
        (None, None) => Bound::Unbounded,
    };
    let high = match namespace {
        // The least string that sorts after every name of this namespace's keys.
        Some(namespace) => Bound::Excluded((format!("{namespace}\0"), String::new())),
        None => Bound::Unbounded,
    };
    (low, high)
}

/// The uids of an object's owners.
pub(in crate::sim) fn owner_uids(object: &Value) -> BTreeSet<&str> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten().filter_map(|reference| reference["uid"].as_str()).collect()
}

#[cfg(test)]
mod tests;
