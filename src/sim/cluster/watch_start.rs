//! Opening a watch: checks, initial events or replay, and the end of the stream.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::watch::{Route, Watch, bookmark_of};
use super::{Cluster, EventKind, WatchEvent, WatchId, WatchOptions, WatchSink};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::kinds::Resource;
use crate::sim::selector::Filter;
use crate::sim::verbs::{convert, errors};

/// Shortest stream without an asked timeout, in seconds; the longest is twice that.
const TIMEOUT_SECONDS_MIN: u64 = 1800;

/// Where a stream begins.
enum Start {
    /// With the present objects.
    Present,
    /// With the events after a revision.
    After(u64),
    /// With whatever comes.
    Now,
}

impl Cluster {
    /// Opens a watch; `namespace` `None` or empty watches all. Initial events are sent before this returns.
    ///
    /// # Errors
    /// Options that do not fit (422), bad selectors (400), a malformed revision (500).
    pub fn watch(
        &mut self,
        resource: &str,
        namespace: Option<&str>,
        options: &WatchOptions,
        sink: Box<dyn WatchSink + Send>,
    ) -> Result<WatchId, ApiError> {
        let resource = self.resource(resource)?;
        check_options(options)?;
        let filter = Filter::parse(&options.label_selector, &options.field_selector, &resource)?;
        let start = start_of(options)?;
        let id = self.watches.next_id();
        let route = route_of(&resource, namespace.filter(|namespace| !namespace.is_empty()), &filter);
        let ends = self.stream_end(&resource, id, options.timeout_seconds);
        let mut watch = Watch { resource, route, filter, sink, after: self.revision(), ends, next_bookmark: None };
        if options.allow_bookmarks {
            watch.schedule_bookmark(self.now());
        }
        let open = match start {
            Start::Present => self.send_present(&mut watch, options),
            Start::After(revision) => self.replay(&mut watch, revision),
            Start::Now => true,
        };
        if open && options.timeout_seconds.is_none_or(|seconds| seconds >= 0) {
            self.watches.insert(id, watch);
        }
        Ok(id)
    }

    /// Ends a watch; its sink is dropped.
    pub fn unwatch(&mut self, id: WatchId) {
        self.watches.close(id);
    }

    /// Whether a watch is still open.
    pub fn is_watching(&self, id: WatchId) -> bool {
        self.watches.is_open(id)
    }

    /// Number of open watches.
    pub fn watch_count(&self) -> usize {
        self.watches.len()
    }

    /// The open watches of a resource, oldest first; ending them is how a fault cuts streams.
    pub fn watches_of(&self, resource: &str) -> Vec<WatchId> {
        self.kinds.by_key(resource).map(|resource| self.watches.of_resource(&resource.storage_key)).unwrap_or_default()
    }

    fn stream_end(&self, resource: &Resource, id: WatchId, seconds: Option<i64>) -> Timestamp {
        let seconds = match seconds {
            Some(seconds) if seconds > 0 => seconds,
            _ => {
                let drawn = self.draws.below("watch-timeout", &resource.key(), id.0, TIMEOUT_SECONDS_MIN);
                (TIMEOUT_SECONDS_MIN + drawn) as i64
            }
        };
        // A century is as good as any longer asked timeout, and cannot overflow the clock.
        self.now() + SignedDuration::from_secs(seconds.min(3_155_760_000))
    }

    fn send_present(&self, watch: &mut Watch, options: &WatchOptions) -> bool {
        let asked = options.resource_version.parse().unwrap_or(0);
        if asked > self.revision() {
            let error = errors::too_large_revision(asked, self.revision());
            watch.sink.event(WatchEvent { kind: EventKind::Error, object: Arc::new(error.to_json()) });
            return false;
        }
        watch.after = self.revision();
        let namespace = match &watch.route {
            Route::All => None,
            Route::Namespace(namespace) | Route::Object((namespace, _)) => Some(namespace.as_str()),
        };
        for (_, entry) in self.store.range(&watch.resource.storage_key, namespace) {
            if !watch.filter.matches(&entry.served) {
                continue;
            }
            let object = convert::from_stored(&watch.resource, &entry.served);
            if !watch.sink.event(WatchEvent { kind: EventKind::Added, object }) {
                return false;
            }
        }
        if !options.allow_bookmarks {
            return true;
        }
        let object = bookmark_of(&watch.resource, self.revision(), true);
        watch.sink.event(WatchEvent { kind: EventKind::Bookmark, object })
    }

    fn replay(&self, watch: &mut Watch, revision: u64) -> bool {
        watch.after = revision;
        let events = match self.store.events_after(&watch.resource.storage_key, revision) {
            Ok(events) => events,
            Err(too_old) => {
                let error = errors::too_old_revision(revision, too_old.oldest);
                watch.sink.event(WatchEvent { kind: EventKind::Error, object: Arc::new(error.to_json()) });
                return false;
            }
        };
        for event in events {
            if watch.route.wants(&event.place) && !watch.tell(&event, &mut None) {
                return false;
            }
        }
        true
    }
}

impl Route {
    fn wants(&self, place: &crate::sim::store::Place) -> bool {
        match self {
            Self::All => true,
            Self::Namespace(namespace) => *namespace == place.0,
            Self::Object(wanted) => wanted == place,
        }
    }
}

fn check_options(options: &WatchOptions) -> Result<(), ApiError> {
    let field = "resourceVersionMatch";
    let problem = match (options.send_initial_events, options.resource_version_match.as_str()) {
        (None, "") | (Some(_), "NotOlderThan") => return Ok(()),
        (None, _) => "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        (Some(_), _) => "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    };
    let cause = Cause::new("FieldValueForbidden", field, format!("Forbidden: {problem}"));
    Err(ApiError::invalid("ListOptions", "meta.k8s.io", "", &[cause]))
}

fn start_of(options: &WatchOptions) -> Result<Start, ApiError> {
    let revision = match options.resource_version.as_str() {
        "" => 0,
        text => errors::parse_revision(text)?,
    };
    Ok(match options.send_initial_events {
        Some(true) => Start::Present,
        Some(false) if revision == 0 => Start::Now,
        None if revision == 0 => Start::Present,
        _ => Start::After(revision),
    })
}

fn route_of(resource: &Resource, namespace: Option<&str>, filter: &Filter) -> Route {
    let namespace = match resource.namespaced {
        true => namespace.or_else(|| filter.fields.exact_namespace()),
        false => Some(""),
    };
    match (namespace, filter.fields.exact_name()) {
        (Some(namespace), Some(name)) => Route::Object((namespace.to_owned(), name.to_owned())),
        (Some(namespace), None) => Route::Namespace(namespace.to_owned()),
        (None, _) => Route::All,
    }
}
