//! What goes in and out of the direct door.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::sim::kinds::Resource;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// User name.
    pub user: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Uid of the user; empty if none.
    pub uid: String,
    /// What else is known of the user.
    pub extra: BTreeMap<String, Vec<String>>,
    /// User agent: names the field manager of writes that name none.
    pub user_agent: String,
}

impl Identity {
    /// A component of the control plane: user `system:<name>`, user agent `<name>`.
    pub fn component(name: &str) -> Self {
        Self { user: format!("system:{name}"), groups: vec!["system:masters".to_owned()], user_agent: name.to_owned(), ..Self::default() }
    }

    /// A user of this name, in group `system:authenticated`.
    pub fn user(name: &str) -> Self {
        Self { user: name.to_owned(), groups: vec!["system:authenticated".to_owned()], ..Self::default() }
    }
}

/// What happens to fields that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Dropped silently.
    Ignore,
    /// Dropped with a warning each.
    #[default]
    Warn,
    /// The request is refused.
    Strict,
}

/// Options of create, update and patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Field manager; empty: taken from the user agent.
    pub field_manager: String,
    /// Everything but the write.
    pub dry_run: bool,
    /// What happens to unknown fields.
    pub field_validation: FieldValidation,
    /// What is said of fields that the text of the body has twice; reported together with unknown ones.
    pub duplicate_fields: Vec<String>,
}

impl WriteOptions {
    /// Options of a field manager.
    pub fn manager(name: &str) -> Self {
        Self { field_manager: name.to_owned(), ..Self::default() }
    }
}

/// A patch body with its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Strategic merge patch; built-in kinds only.
    Strategic(Value),
    /// Server-side apply.
    Apply {
        /// The applied configuration.
        object: Value,
        /// Take fields from other managers instead of answering 409.
        force: bool,
    },
}

/// Answer of a write.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The object, or a `Status` for eviction and binding.
    pub object: Arc<Value>,
    /// 200 or 201.
    pub code: u16,
    /// Texts of `Warning` headers.
    pub warnings: Vec<String>,
}

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The owner goes at once, the garbage collector follows.
    Background,
    /// The owner waits for its dependents.
    Foreground,
    /// Dependents lose their reference and stay.
    Orphan,
}

/// Options of delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds that a pod gets to end.
    pub grace_period_seconds: Option<i64>,
    /// `propagationPolicy`.
    pub propagation: Option<Propagation>,
    /// The older `orphanDependents`.
    pub orphan_dependents: Option<bool>,
    /// Precondition on the uid.
    pub uid: Option<String>,
    /// Precondition on the `resourceVersion`.
    pub resource_version: Option<String>,
    /// Everything but the deletion.
    pub dry_run: bool,
}

impl DeleteOptions {
    /// With a propagation.
    pub fn propagation(propagation: Propagation) -> Self {
        Self { propagation: Some(propagation), ..Self::default() }
    }
}

/// Answer of a delete.
#[derive(Clone, Debug, PartialEq)]
pub struct Deleted {
    /// The object, or a `Status` of success.
    pub object: Arc<Value>,
    /// 200 or 202.
    pub code: u16,
    /// Texts of `Warning` headers.
    pub warnings: Vec<String>,
    /// The object is no longer stored.
    pub removed: bool,
}

/// Options of list, as texts from the query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Label selector.
    pub label_selector: String,
    /// Field selector.
    pub field_selector: String,
    /// Items per page; absent, 0 or negative: all.
    pub limit: Option<i64>,
    /// Token of an earlier page.
    pub continue_token: String,
    /// Revision to list at or after.
    pub resource_version: String,
    /// `Exact`, `NotOlderThan` or empty.
    pub resource_version_match: String,
    /// Given at all: an error on lists.
    pub send_initial_events: Option<bool>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// What was listed.
    pub resource: Arc<Resource>,
    /// The objects, in key order.
    pub items: Vec<Arc<Value>>,
    /// Revision of the list.
    pub resource_version: String,
    /// Token of the next page.
    pub continue_token: Option<String>,
    /// Items after this page, where the server counts them.
    pub remaining: Option<u64>,
}

/// Options of watch, as texts from the query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchOptions {
    /// Label selector.
    pub label_selector: String,
    /// Field selector.
    pub field_selector: String,
    /// Start after this revision; empty or `0`: begin with the present objects.
    pub resource_version: String,
    /// Only `NotOlderThan`, and only with `send_initial_events`.
    pub resource_version_match: String,
    /// Send bookmarks.
    pub allow_bookmarks: bool,
    /// Begin with the present objects (or not), whatever the revision.
    pub send_initial_events: Option<bool>,
    /// Virtual seconds until the stream ends; absent or 0: drawn from 1800-3600; negative: at once.
    pub timeout_seconds: Option<i64>,
}

/// Names an open watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchId(pub u64);

/// Kind of a watch event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// New, or newly selected.
    Added,
    /// Changed.
    Modified,
    /// Gone, or no longer selected.
    Deleted,
    /// Only a revision.
    Bookmark,
    /// A `Status`; the stream ends.
    Error,
}

impl EventKind {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Bookmark => "BOOKMARK",
            Self::Error => "ERROR",
        }
    }
}

/// One event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventKind,
    /// The object, a bookmark, or a `Status`.
    pub object: Arc<Value>,
}

/// Receives the events of one watch. Dropping it is the end of the stream.
pub trait WatchSink {
    /// Takes an event; `false`: the receiver is gone, the watch ends.
    fn event(&mut self, event: WatchEvent) -> bool;
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Created.
    Added,
    /// Changed.
    Modified,
    /// Removed.
    Deleted,
}

/// One committed write, for actors, invariants and logs.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Revision of the write.
    pub revision: u64,
    /// Virtual time.
    pub at: Timestamp,
    /// Storage key of the resource, such as `deployments.apps`.
    pub resource: String,
    /// Namespace; empty: cluster-scoped.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Added, modified or deleted.
    pub change: Change,
    /// The object before.
    pub before: Option<Arc<Value>>,
    /// The object after; absent for deletions.
    pub after: Option<Arc<Value>>,
    /// Who wrote.
    pub who: Identity,
    /// Field manager.
    pub manager: String,
    /// Subresource that was written through.
    pub subresource: Option<String>,
}
