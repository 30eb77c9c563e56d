//! History of the store: which events are kept, what a list at an older revision holds, what a watch from one replays.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Place, Store, Table, bounds_of};
use crate::sim::cluster::Change;

/// Events that a resource keeps however old they are.
const KEPT_EVENTS_MIN: usize = 100;
/// Events that a resource keeps at most.
const KEPT_EVENTS_MAX: usize = 102_400;
/// Age up to which events are kept, in seconds.
const KEPT_AGE_SECONDS: i64 = 75;

/// One write, as watches replay it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Revision of the write.
    pub revision: u64,
    /// Virtual time of the write.
    pub at: Timestamp,
    /// Namespace and name.
    pub place: Place,
    /// Added, modified or deleted.
    pub change: Change,
    /// The object before the write.
    pub before: Option<Arc<Value>>,
    /// The object after the write; for a deletion the object as it was, at the revision of the deletion.
    pub object: Arc<Value>,
}

/// The asked revision is older than what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld {
    /// The oldest revision that a watch of this resource can start from.
    pub oldest: u64,
}

impl Store {
    /// Forgets all events up to a revision: lists at it and watches from before it become impossible.
    pub fn compact(&mut self, revision: u64) {
        self.compacted = self.compacted.max(revision.min(self.revision));
        for table in self.tables.values_mut() {
            while table.events.front().is_some_and(|event| event.revision <= revision) {
                table.forget_oldest();
            }
        }
    }

    /// Allows events up to a revision to be dropped when room or age asks for it; lists at it become impossible.
    pub fn allow_compaction(&mut self, revision: u64) {
        self.compacted = self.compacted.max(revision.min(self.revision));
    }

    /// Events of a resource after a revision, oldest first.
    pub fn events_after(&self, resource: &str, revision: u64) -> Result<Vec<Event>, TooOld> {
        let Some(table) = self.tables.get(resource) else { return Ok(Vec::new()) };
        if revision < table.forgotten {
            return Err(TooOld { oldest: table.forgotten });
        }
        let start = table.events.partition_point(|event| event.revision <= revision);
        Ok(table.events.range(start..).cloned().collect())
    }

    /// The revision at which a resource lacked its last `changes` changes, as far back as events are kept; with none, the
    /// present one.
    pub fn revision_behind(&self, resource: &str, changes: usize) -> u64 {
        let events = self.tables.get(resource).map(|table| &table.events);
        let first_missing = events.filter(|_| changes > 0).and_then(|events| events.get(events.len().saturating_sub(changes)));
        first_missing.map_or(self.revision, |event| event.revision - 1).max(self.compacted)
    }

    /// The objects of a resource as they were at a revision, after a place (exclusive), in key order.
    pub fn objects_at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        revision: u64,
        after: Option<&Place>,
    ) -> Result<BTreeMap<Place, Arc<Value>>, TooOld> {
        if revision < self.compacted {
            return Err(TooOld { oldest: self.compacted });
        }
        let Some(table) = self.tables.get(resource) else { return Ok(BTreeMap::new()) };
        let bounds = bounds_of(namespace, after);
        let mut objects: BTreeMap<Place, Arc<Value>> =
            table.objects.range(bounds).map(|(place, entry)| (place.clone(), Arc::clone(&entry.served))).collect();
        // Newest first, each later event is undone.
        for event in self.events_after(resource, revision)?.into_iter().rev() {
            let inside = namespace.is_none_or(|namespace| event.place.0 == namespace) && after.is_none_or(|after| event.place > *after);
            if !inside {
                continue;
            }
            match event.before {
                Some(before) => objects.insert(event.place, before),
                None => objects.remove(&event.place),
            };
        }
        Ok(objects)
    }
}

impl Table {
    pub(super) fn remember(&mut self, event: Event, compacted: u64) {
        let newest = event.at;
        self.events.push_back(event);
        let fresh = SignedDuration::from_secs(KEPT_AGE_SECONDS);
        while self.events.len() > KEPT_EVENTS_MIN {
            let Some(oldest) = self.events.front() else { return };
            let droppable = oldest.revision <= compacted && newest.duration_since(oldest.at) > fresh;
            if !droppable && self.events.len() <= KEPT_EVENTS_MAX {
                return;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.forgotten = event.revision;
        }
    }
}

/// Whether a change leaves an object behind.
impl Change {
    /// False for a deletion.
    pub fn leaves_object(self) -> bool {
        self != Self::Deleted
    }
}
