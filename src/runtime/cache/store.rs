//! The rules by which a cache takes in what it is told. Pure: no locks, no I/O.
//!
//! Three sources speak: lists, the watch, and the responses of our own writes. `watched` is the revision up to which the
//! watch has delivered everything. From it follows what a late response may do: one at or below it is old news when there is
//! no entry (the object may be gone since); an older entry shows that the watch lost something. One above it is newer than
//! anything the watch has said.
//!
//! Every watch but the first after a list opens where the one before it opened, so that each event is delivered twice: what
//! one stream lost, the next one brings (L6). Of what is repeated, a state of an object that the cache has no longer is held
//! back until the repetition is over, for the end of the object may be repeated, too: nothing that is gone comes back for a
//! moment.
//!
//! An object that we deleted ourselves leaves a tombstone, for the watch may still deliver older states of it. A tombstone
//! goes when the watch delivers the deletion, or when a list without the object is complete.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Change, Entry, Revision};
use crate::runtime::key::ObjectKey;

type ByName<R> = BTreeMap<Arc<str>, Arc<Entry<R>>>;

/// The entries of one kind.
#[derive(Debug)]
pub(super) struct Store<R> {
    namespaces: BTreeMap<Arc<str>, ByName<R>>,
    index: BTreeMap<Arc<str>, BTreeSet<ObjectKey>>,
    tombstones: BTreeMap<ObjectKey, Tombstone>,
    watched: Option<Revision>,
    /// Everything up to here was listed, or delivered twice: where the next watch opens.
    checked: Option<Revision>,
    repetition: Option<Repetition<R>>,
    len: usize,
}

/// What a watch delivers for the second time.
#[derive(Debug)]
struct Repetition<R> {
    /// The last revision of it.
    until: Revision,
    /// States of objects that the cache does not have.
    missed: BTreeMap<ObjectKey, Entry<R>>,
}

#[derive(Debug)]
struct Tombstone {
    /// Everything at or below this is older than the end of the object.
    revision: Revision,
    /// Set when the revision of the end was not told, only one before it: then every state of this object is older.
    ended: Option<Box<str>>,
}

impl Tombstone {
    fn covers(&self, uid: &str, revision: &Revision) -> bool {
        self.ended.as_deref() == Some(uid) || !revision.is_newer_than(&self.revision)
    }
}

/// A list that is older than what the watch has already delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lagging;

impl<R> Default for Store<R> {
    fn default() -> Self {
        Self {
            namespaces: BTreeMap::new(),
            index: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            watched: None,
            checked: None,
            repetition: None,
            len: 0,
        }
    }
}

impl<R> Store<R> {
    pub(super) fn get(&self, key: &ObjectKey) -> Option<Arc<Entry<R>>> {
        self.namespaces.get(&key.namespace)?.get(&key.name).cloned()
    }

    pub(super) fn list(&self, namespace: &str) -> Vec<Arc<Entry<R>>> {
        let objects = self.namespaces.get(namespace).into_iter().flatten();
        objects.map(|(_, entry)| Arc::clone(entry)).collect()
    }

    pub(super) fn list_all(&self) -> Vec<Arc<Entry<R>>> {
        let objects = self.namespaces.values().flat_map(BTreeMap::values);
        objects.cloned().collect()
    }

    pub(super) fn indexed(&self, text: &str) -> Vec<Arc<Entry<R>>> {
        let keys = self.index.get(text).into_iter().flatten();
        keys.filter_map(|key| self.get(key)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The watch delivered a state of an object.
    pub(super) fn event(&mut self, entry: Entry<R>) -> Vec<Change<R>> {
        let revision = entry.revision.clone();
        let unknown = self.get(&entry.key).is_none();
        let repetition = self.repetition.as_mut().filter(|repetition| unknown && !is_above(&revision, &repetition.until));
        if let Some(repetition) = repetition {
            repetition.missed.insert(entry.key.clone(), entry);
            return self.bookmark(revision);
        }
        let mut changes = self.bookmark(revision);
        changes.extend(self.accept(entry));
        changes
    }

    /// The watch delivered the end of an object.
    pub(super) fn deletion(&mut self, key: &ObjectKey, uid: &str, revision: Revision) -> Vec<Change<R>> {
        let told = |tombstone: &Tombstone| tombstone.ended.as_deref().is_none_or(|ended| ended == uid);
        if self.tombstones.get(key).is_some_and(|tombstone| told(tombstone) && !is_above(&tombstone.revision, &revision)) {
            self.tombstones.remove(key);
        }
        if let Some(repetition) = &mut self.repetition {
            repetition.missed.remove(key);
        }
        let newer = self.get(key).is_some_and(|entry| is_above(&entry.revision, &revision));
        let mut changes = self.bookmark(revision);
        if !newer {
            changes.extend(self.remove(key));
        }
        changes
    }

    /// The watch has delivered everything up to `revision`. An older one, of an event that came twice, takes nothing back.
    pub(super) fn bookmark(&mut self, revision: Revision) -> Vec<Change<R>> {
        let over = self.repetition.as_ref().is_some_and(|repetition| !is_above(&repetition.until, &revision));
        if !self.has_watched(&revision) {
            self.watched = Some(revision);
        }
        if over { self.end_repetition() } else { Vec::new() }
    }

    /// A watch opens; returns after which revision. `None`: nothing was listed yet.
    pub(super) fn open(&mut self) -> Option<&Revision> {
        let watched = self.watched.as_ref()?;
        self.repetition = None;
        match &self.checked {
            Some(checked) if is_above(watched, checked) => {
                self.repetition = Some(Repetition { until: watched.clone(), missed: BTreeMap::new() });
            }
            _ => self.checked = Some(watched.clone()),
        }
        self.checked.as_ref()
    }

    /// All that a watch repeats has been delivered: what it brought of objects that are not there was missed before.
    pub(super) fn end_repetition(&mut self) -> Vec<Change<R>> {
        let Some(repetition) = self.repetition.take() else { return Vec::new() };
        self.checked = Some(repetition.until);
        repetition.missed.into_values().filter_map(|entry| self.accept(entry)).collect()
    }

    /// Whether this state of an object, or a newer one, is here.
    pub(super) fn has(&self, key: &ObjectKey, revision: &Revision) -> bool {
        self.get(key).is_some_and(|entry| !revision.is_newer_than(&entry.revision))
    }

    /// A write of ours returned a state of an object.
    pub(super) fn observe_write(&mut self, entry: Entry<R>) -> Option<Change<R>> {
        if self.has_watched(&entry.revision) && self.get(&entry.key).is_none() {
            return None;
        }
        self.accept(entry)
    }

    /// A write of ours ended an object.
    pub(super) fn observe_delete(&mut self, key: &ObjectKey, uid: &str, revision: Option<&Revision>) -> Option<Change<R>> {
        let entry = self.get(key).filter(|entry| match revision {
            Some(revision) => !is_above(&entry.revision, revision),
            None => *entry.uid == *uid,
        });
        if revision.is_some_and(|revision| self.has_watched(revision)) {
            return entry.and_then(|entry| self.remove(&entry.key));
        }
        let known = revision.or(entry.as_ref().map(|entry| &entry.revision));
        let stronger = |known: &&Revision| self.tombstones.get(key).is_none_or(|old| !is_above(&old.revision, known));
        if let Some(known) = known.filter(stronger) {
            let ended = revision.is_none().then(|| uid.into());
            self.tombstones.insert(key.clone(), Tombstone { revision: known.clone(), ended });
        }
        entry.and_then(|entry| self.remove(&entry.key))
    }

    /// A list at revision `at` is complete. Entries that a write of ours made newer than the list stay.
    ///
    /// `force` takes the list for the truth even when it is older than what was delivered before: the cluster itself went
    /// back, say to a backup.
    pub(super) fn replace(&mut self, list: BTreeMap<ObjectKey, Entry<R>>, at: &Revision, force: bool) -> Result<Vec<Change<R>>, Lagging> {
        let lagging = self.watched.as_ref().is_some_and(|watched| is_above(watched, at));
        if lagging && !force {
            return Err(Lagging);
        }
        self.watched = Some(at.clone());
        (self.checked, self.repetition) = (Some(at.clone()), None);
        self.tombstones.retain(|key, tombstone| {
            let covered = list.get(key).is_some_and(|entry| tombstone.covers(&entry.uid, &entry.revision));
            !lagging && (covered || is_above(&tombstone.revision, at))
        });
        let mut changes = Vec::new();
        for old in self.list_all() {
            let gone = !list.contains_key(&old.key) && (lagging || !is_above(&old.revision, at));
            if gone || lagging {
                changes.extend(self.remove(&old.key));
            }
        }
        for (_, entry) in list {
            changes.extend(self.accept(entry));
        }
        Ok(if lagging { merged(changes) } else { changes })
    }

    /// Forgets all objects: the kind is gone.
    pub(super) fn clear(&mut self) -> Vec<Change<R>> {
        self.tombstones.clear();
        (self.watched, self.checked, self.repetition) = (None, None, None);
        let objects = self.list_all();
        objects.iter().filter_map(|entry| self.remove(&entry.key)).collect()
    }

    /// Takes in an entry unless something newer is known.
    fn accept(&mut self, entry: Entry<R>) -> Option<Change<R>> {
        if let Some(tombstone) = self.tombstones.get(&entry.key) {
            if tombstone.covers(&entry.uid, &entry.revision) {
                return None;
            }
            self.tombstones.remove(&entry.key);
        }
        let old = self.get(&entry.key);
        if old.as_ref().is_some_and(|old| !entry.revision.is_newer_than(&old.revision)) {
            return None;
        }
        Some(self.insert(entry, old))
    }

    fn insert(&mut self, mut entry: Entry<R>, old: Option<Arc<Entry<R>>>) -> Change<R> {
        // One allocation per namespace, not one per object.
        if let Some((namespace, _)) = self.namespaces.get_key_value(&entry.key.namespace) {
            entry.key.namespace = Arc::clone(namespace);
        }
        if let Some(old) = &old {
            self.unindex(old);
        } else {
            self.len += 1;
        }
        for text in &mut entry.indexed {
            if let Some((shared, _)) = self.index.get_key_value(text) {
                *text = Arc::clone(shared);
            }
            self.index.entry(Arc::clone(text)).or_default().insert(entry.key.clone());
        }
        let entry = Arc::new(entry);
        let objects = self.namespaces.entry(Arc::clone(&entry.key.namespace)).or_default();
        objects.insert(Arc::clone(&entry.key.name), Arc::clone(&entry));
        Change { key: entry.key.clone(), old, new: Some(entry) }
    }

    fn remove(&mut self, key: &ObjectKey) -> Option<Change<R>> {
        let objects = self.namespaces.get_mut(&key.namespace)?;
        let old = objects.remove(&key.name)?;
        if objects.is_empty() {
            self.namespaces.remove(&key.namespace);
        }
        self.len -= 1;
        self.unindex(&old);
        Some(Change { key: key.clone(), old: Some(old), new: None })
    }

    fn unindex(&mut self, entry: &Entry<R>) {
        for text in &entry.indexed {
            if let Some(keys) = self.index.get_mut(text) {
                keys.remove(&entry.key);
                if keys.is_empty() {
                    self.index.remove(text);
                }
            }
        }
    }

    /// Whether the watch has delivered everything up to `revision`.
    fn has_watched(&self, revision: &Revision) -> bool {
        self.watched
            .as_ref()
            .is_some_and(|watched| matches!((revision, watched), (Revision::Number(own), Revision::Number(watched)) if own <= watched))
    }
}

/// Whether both are numbers and `one` is above `other`.
fn is_above(one: &Revision, other: &Revision) -> bool {
    matches!((one, other), (Revision::Number(one), Revision::Number(other)) if one > other)
}

/// One change per key out of a removal and a later arrival.
fn merged<R>(changes: Vec<Change<R>>) -> Vec<Change<R>> {
    let mut by_key = BTreeMap::<ObjectKey, Change<R>>::new();
    for change in changes {
        match by_key.get_mut(&change.key) {
            Some(first) => first.new = change.new,
            None => {
                by_key.insert(change.key.clone(), change);
            }
        }
    }
    by_key.into_values().collect()
}
