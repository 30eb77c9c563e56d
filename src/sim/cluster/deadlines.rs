//! What the API server does by itself as time passes: bookmarks, ends of streams, compaction, steps of CRDs.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Author, Cluster, Identity};
use crate::sim::store::ObjectKey;

/// Time between two compactions.
const COMPACT_EVERY: SignedDuration = SignedDuration::from_secs(300);

/// How long an Event is kept after it was last written (`--event-ttl`).
const EVENT_TTL: SignedDuration = SignedDuration::from_hours(1);
/// The resource of Events as they are stored.
const EVENTS: &str = "events";

/// The next compaction, and the revision at the last: history lives for five to ten minutes.
pub(super) struct Compactions {
    next: Timestamp,
    revision_before: u64,
}

impl Compactions {
    pub(super) fn starting(epoch: Timestamp) -> Self {
        Self { next: epoch + COMPACT_EVERY, revision_before: 0 }
    }
}

impl Cluster {
    /// When [`Cluster::tick`] has something to do next, apart from compaction, which can wait for any other event.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.watches.next_due(), self.definitions.next_due()].into_iter().flatten().min()
    }

    /// When watches are due next: a bookmark or the end of a stream.
    pub fn watch_deadlines(&self) -> Option<Timestamp> {
        self.watches.next_due()
    }

    /// Does what is due by now.
    pub fn tick(&mut self) {
        self.compact_if_due();
        self.advance_definitions();
        let revision = self.revision();
        self.watches.tick(self.now, revision);
    }

    /// Forgets history up to a revision at once: older watches and lists get 410, as after a compaction under load.
    pub fn compact(&mut self, revision: u64) {
        self.store.compact(revision);
    }

    fn compact_if_due(&mut self) {
        if self.now < self.compactions.next {
            return;
        }
        self.store.allow_compaction(self.compactions.revision_before);
        self.compactions = Compactions { next: self.now + COMPACT_EVERY, revision_before: self.store.revision() };
        self.forget_events();
    }

    /// Takes away Events that have had their time, some minutes late. As with the leases of etcd, no request does it.
    fn forget_events(&mut self) {
        let cutoff = self.now - EVENT_TTL;
        let old = self.store.range(EVENTS, None).filter(|(_, entry)| written_at(&entry.stored).is_some_and(|at| at <= cutoff));
        let keys: Vec<ObjectKey> = old.map(|((namespace, name), _)| ObjectKey::new(EVENTS, namespace, name)).collect();
        let server = Identity::component("apiserver");
        for key in keys {
            self.remove(&Author { who: &server, manager: "", subresource: None }, &key);
        }
    }
}

/// When somebody last wrote an object.
fn written_at(object: &Value) -> Option<Timestamp> {
    let metadata = &object["metadata"];
    let writes = metadata["managedFields"].as_array().into_iter().flatten().map(|entry| &entry["time"]);
    writes.chain([&metadata["creationTimestamp"]]).filter_map(|time| time.as_str()?.parse().ok()).max()
}
