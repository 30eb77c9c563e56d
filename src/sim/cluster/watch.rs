//! Open watches: who hears of which write, and as what.
//!
//! A watch is filed under all namespaces, one namespace or one object, so that a write meets only the watches that could
//! want it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Change, EventKind, WatchEvent, WatchId, WatchSink};
use crate::sim::kinds::{Conversion, Resource};
use crate::sim::selector::Filter;
use crate::sim::store::{Event, Place};
use crate::sim::verbs::convert;

/// Time between two bookmarks.
const BOOKMARK_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// The last bookmark comes this long before the end.
const LAST_BOOKMARK: SignedDuration = SignedDuration::from_secs(2);

/// Which writes a watch can want.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    All,
    Namespace(String),
    Object(Place),
}

pub(super) struct Watch {
    pub resource: Arc<Resource>,
    pub route: Route,
    pub filter: Filter,
    pub sink: Box<dyn WatchSink + Send>,
    /// Only events after this revision.
    pub after: u64,
    pub ends: Timestamp,
    pub next_bookmark: Option<Timestamp>,
}

#[derive(Default)]
pub(super) struct Watches {
    last: u64,
    open: BTreeMap<WatchId, Watch>,
    routes: BTreeMap<String, BTreeMap<Route, BTreeSet<WatchId>>>,
    /// When something is due for a watch; exactly one entry per open watch.
    due: BTreeSet<(Timestamp, WatchId)>,
}

impl Watches {
    pub(super) fn next_id(&mut self) -> WatchId {
        self.last += 1;
        WatchId(self.last)
    }

    pub(super) fn insert(&mut self, id: WatchId, watch: Watch) {
        self.routes.entry(watch.resource.storage_key.clone()).or_default().entry(watch.route.clone()).or_default().insert(id);
        self.due.insert((watch.due(), id));
        self.open.insert(id, watch);
    }

    pub(super) fn close(&mut self, id: WatchId) {
        let Some(watch) = self.open.remove(&id) else { return };
        self.due.remove(&(watch.due(), id));
        let Some(routes) = self.routes.get_mut(&watch.resource.storage_key) else { return };
        let Some(ids) = routes.get_mut(&watch.route) else { return };
        ids.remove(&id);
        if ids.is_empty() {
            routes.remove(&watch.route);
        }
    }

    /// Ends all watches of a resource.
    pub(super) fn close_resource(&mut self, storage_key: &str) {
        for id in self.of_resource(storage_key) {
            self.close(id);
        }
    }

    /// The open watches of a resource, oldest first.
    pub(super) fn of_resource(&self, storage_key: &str) -> Vec<WatchId> {
        let routes = self.routes.get(storage_key).into_iter().flatten();
        routes.flat_map(|(_, ids)| ids).copied().collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_open(&self, id: WatchId) -> bool {
        self.open.contains_key(&id)
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Tells the watches of one write, in the order in which they were opened.
    pub(super) fn dispatch(&mut self, resource: &str, event: &Event) {
        let Some(routes) = self.routes.get(resource) else { return };
        let wanted = [Route::All, Route::Namespace(event.place.0.clone()), Route::Object(event.place.clone())];
        let ids: BTreeSet<WatchId> = wanted.iter().filter_map(|route| routes.get(route)).flatten().copied().collect();
        let mut departed = None;
        let mut closed = Vec::new();
        for id in ids {
            let Some(watch) = self.open.get_mut(&id) else { continue };
            if !watch.tell(event, &mut departed) {
                closed.push(id);
            }
        }
        for id in closed {
            self.close(id);
        }
    }

    /// Sends what is due: bookmarks and ends of streams.
    pub(super) fn tick(&mut self, now: Timestamp, revision: u64) {
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            let Some(watch) = self.open.get_mut(&id) else {
                self.due.remove(&(at, id));
                continue;
            };
            if watch.ends <= now || !watch.bookmark(now, revision) {
                self.close_due(at, id);
                continue;
            }
            let next = watch.due();
            self.due.remove(&(at, id));
            self.due.insert((next, id));
        }
    }

    /// Closes a watch whose entry in `due` stands at `at`, whatever it would compute now.
    fn close_due(&mut self, at: Timestamp, id: WatchId) {
        self.due.remove(&(at, id));
        self.close(id);
    }
}

impl Watch {
    fn due(&self) -> Timestamp {
        self.next_bookmark.map_or(self.ends, |bookmark| bookmark.min(self.ends))
    }

    /// When the first or next bookmark is due; none after the last.
    pub(super) fn schedule_bookmark(&mut self, now: Timestamp) {
        let last = self.ends - LAST_BOOKMARK;
        self.next_bookmark = (now < last).then(|| (now + BOOKMARK_EVERY).min(last));
    }

    fn bookmark(&mut self, now: Timestamp, revision: u64) -> bool {
        self.schedule_bookmark(now);
        self.sink.event(WatchEvent { kind: EventKind::Bookmark, object: bookmark_of(&self.resource, revision, false) })
    }

    /// Translates a write for this watch; `departed` is the object as seen by watches that it leaves, built once.
    pub(super) fn tell(&mut self, event: &Event, departed: &mut Option<Arc<Value>>) -> bool {
        if event.revision <= self.after {
            return true;
        }
        let was = event.before.as_deref().is_some_and(|before| self.filter.matches(before));
        let is = event.change != Change::Deleted && self.filter.matches(&event.object);
        let (kind, object) = match (was, is) {
            (false, false) => return true,
            (false, true) => (EventKind::Added, Arc::clone(&event.object)),
            (true, true) => (EventKind::Modified, Arc::clone(&event.object)),
            (true, false) if event.change == Change::Deleted => (EventKind::Deleted, Arc::clone(&event.object)),
            (true, false) => (EventKind::Deleted, Arc::clone(departed.get_or_insert_with(|| old_object_at_new_revision(event)))),
        };
        let object = if self.resource.conversion == Conversion::None && self.resource.storage {
            object
        } else {
            convert::from_stored(&self.resource, &object)
        };
        self.sink.event(WatchEvent { kind, object })
    }
}

/// What a watch sees whose selector an object has left: the old object at the new revision.
fn old_object_at_new_revision(event: &Event) -> Arc<Value> {
    let mut object = event.before.as_deref().unwrap_or(&event.object).clone();
    object["metadata"]["resourceVersion"] = json!(event.revision.to_string());
    Arc::new(object)
}

/// A bookmark; `initial_end` marks the end of the initial events.
pub(super) fn bookmark_of(resource: &Resource, revision: u64, initial_end: bool) -> Arc<Value> {
    let mut bookmark = json!({
        "kind": resource.kind, "apiVersion": resource.api_version(), "metadata": { "resourceVersion": revision.to_string() },
    });
    if initial_end {
        bookmark["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
    }
    Arc::new(bookmark)
}
