//! Shared watch caches: one per watched kind, holding projections of its objects.
//!
//! Takes what the API server lists, what it sends on the watch, and the responses of our own writes; gives, at any time and
//! without I/O, the newest of these. A cache never goes back: an event, a list or a response that is older than what it
//! holds changes nothing (R05, R08, R09). It compares resourceVersions as numbers, as Kubernetes guarantees since 1.35; one
//! that is no number is taken as newer.
//!
//! An object that cannot be decoded is an entry whose row is an error: it harms only itself (R18). A kind that is not
//! installed is a state of its cache, not an error of the process. Rows are projections: what a row does not hold costs no
//! memory after decoding.

mod pace;
mod patience;
mod store;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::core::{ApiResource, Selector, SelectorExt};
use serde_json::Value;

pub use self::watch::WatchContext;
pub(crate) use self::{patience::patient, watch::collection_path};
use self::{store::Store, watch::Feed};
use crate::runtime::key::ObjectKey;

/// What is watched, and what is kept of it.
pub trait Watched: Send + Sync + 'static {
    /// What is kept of an object.
    type Row: Send + Sync + 'static;

    /// The kind, as the API server names it.
    fn resource(&self) -> ApiResource;

    /// The labels that an object must have to be watched.
    fn selector(&self) -> Selector {
        Selector::default()
    }

    /// The only namespace to watch; `None` for all.
    fn namespace(&self) -> Option<String> {
        None
    }

    /// Whether a cluster may lack this kind: its absence then does not keep the process from being ready.
    fn optional(&self) -> bool {
        false
    }

    /// Keeps what is needed of `object`. An error says in plain words what is wrong with it.
    ///
    /// # Errors
    /// When the object cannot be decoded; it is then cached as this error.
    fn project(&self, object: &Value) -> Result<Self::Row, String>;

    /// The texts under which [`Cache::indexed`] finds this object, say the uid of its owner. Also asked for objects that
    /// cannot be projected.
    fn index(&self, object: &Value) -> Vec<String> {
        let _ = object;
        Vec::new()
    }
}

/// One object as the cache holds it.
#[derive(Debug)]
pub struct Entry<R> {
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`.
    pub revision: Revision,
    /// `metadata.generation`; 0 for kinds without one.
    pub generation: i64,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// The projection, or why there is none.
    pub row: Result<R, String>,
    indexed: Box<[Arc<str>]>,
}

impl<R> Entry<R> {
    /// The texts of [`Watched::index`].
    #[must_use]
    pub fn indexed(&self) -> &[Arc<str>] {
        &self.indexed
    }
}

/// A resourceVersion. Numbers are ordered; other texts are only equal or different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// The usual case.
    Number(u64),
    /// A server that does not number its revisions.
    Text(Arc<str>),
}

impl Revision {
    /// Reads a resourceVersion.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.into()), Self::Number)
    }

    /// Whether this is newer than `other`; what cannot be compared is newer unless equal.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(own), Self::Number(other)) => own > other,
            (own, other) => own != other,
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What a listener is told: an entry came (`old` is `None`), changed, or went (`new` is `None`).
#[derive(Debug)]
pub struct Change<R> {
    /// The object.
    pub key: ObjectKey,
    /// The entry before.
    pub old: Option<Arc<Entry<R>>>,
    /// The entry now.
    pub new: Option<Arc<Entry<R>>>,
}

/// How the watch of a kind is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheState {
    /// The first list has not ended yet.
    Syncing,
    /// The watch is up.
    Synced,
    /// The API server does not know the kind. Asked again every 30 s to 5 min.
    Absent,
    /// The API server cannot be asked, or refuses. What was known before is still served.
    Failing {
        /// The first of the failures in a row.
        since: Timestamp,
        /// The newest failure in plain words.
        error: String,
    },
}

impl CacheState {
    /// The state as a metric label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Syncing => "syncing",
            Self::Synced => "synced",
            Self::Absent => "absent",
            Self::Failing { .. } => "failing",
        }
    }
}

type Listener<R> = Arc<dyn Fn(&Change<R>) + Send + Sync>;

/// See the module.
pub struct Cache<W: Watched> {
    watched: W,
    resource: ApiResource,
    selector: Selector,
    store: RwLock<Store<W::Row>>,
    listeners: RwLock<Vec<Listener<W::Row>>>,
    health: Mutex<Health>,
}

struct Health {
    state: CacheState,
    /// Whether the rows are the whole truth of some moment.
    complete: bool,
    /// Wakers of those who wait for readiness.
    waiting: Vec<Arc<tokio::sync::Notify>>,
    /// The API server knows the kind, as far as was seen.
    present: bool,
    /// Told when the kind comes or goes.
    on_presence: Vec<Arc<dyn Fn() + Send + Sync>>,
}

impl<W: Watched> Cache<W> {
    /// An empty cache; [`crate::runtime::driver::Driver::watch`] fills it.
    #[must_use]
    pub fn new(watched: W) -> Arc<Self> {
        Arc::new(Self {
            resource: watched.resource(),
            selector: watched.selector(),
            watched,
            store: RwLock::new(Store::default()),
            listeners: RwLock::new(Vec::new()),
            health: Mutex::new(Health {
                state: CacheState::Syncing,
                complete: false,
                waiting: Vec::new(),
                present: false,
                on_presence: Vec::new(),
            }),
        })
    }

    /// The object of this key.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Entry<W::Row>>> {
        self.read().get(key)
    }

    /// The objects of a namespace, by name.
    #[must_use]
    pub fn list(&self, namespace: &str) -> Vec<Arc<Entry<W::Row>>> {
        self.read().list(namespace)
    }

    /// All objects, by namespace and name.
    #[must_use]
    pub fn list_all(&self) -> Vec<Arc<Entry<W::Row>>> {
        self.read().list_all()
    }

    /// The objects whose [`Watched::index`] has this text, by namespace and name.
    #[must_use]
    pub fn indexed(&self, text: &str) -> Vec<Arc<Entry<W::Row>>> {
        self.read().indexed(text)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the watch is doing.
    #[must_use]
    pub fn state(&self) -> CacheState {
        self.health().state.clone()
    }

    /// Whether the rows are the whole truth of some moment: not before the first list, and not while the kind is absent.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.health().complete
    }

    /// Calls `listener` after every change, in the order of keys for the changes of one list. It must be quick and must not
    /// block: it runs on the watch, and inside the pass whose write made the change.
    pub fn on_change(&self, listener: impl Fn(&Change<W::Row>) + Send + Sync + 'static) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        listeners.push(Arc::new(listener));
    }

    /// Calls `listener` when the kind was installed, and when it was removed. It must be quick and must not block.
    pub fn on_presence(&self, listener: impl Fn() + Send + Sync + 'static) {
        self.health().on_presence.push(Arc::new(listener));
    }

    /// Takes in an object that the API server returned for a write of ours.
    pub fn observe_write(&self, object: &Value) {
        let Some(entry) = self.entry_of(object) else { return };
        let change = if self.selects(object) {
            self.write().observe_write(entry)
        } else {
            self.write().observe_delete(&entry.key, &entry.uid, Some(&entry.revision))
        };
        self.tell(change);
    }

    /// Takes in that the API server has deleted the object for us. `revision` is that of the deletion, if it was told.
    pub fn observe_delete(&self, key: &ObjectKey, uid: &str, revision: Option<&Revision>) {
        let change = self.write().observe_delete(key, uid, revision);
        self.tell(change);
    }

    /// The entry of an object; `None` when it has no name or lies outside of the watched namespace.
    fn entry_of(&self, object: &Value) -> Option<Entry<W::Row>> {
        let key = ObjectKey::of(object)?;
        if self.watched.namespace().is_some_and(|only| *only != *key.namespace) {
            return None;
        }
        let metadata = object.get("metadata")?;
        let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
        Some(Entry {
            uid: text("uid").into(),
            revision: Revision::parse(text("resourceVersion")),
            generation: metadata.get("generation").and_then(Value::as_i64).unwrap_or(0),
            deleting: metadata.get("deletionTimestamp").is_some_and(|time| !time.is_null()),
            row: self.watched.project(object),
            indexed: self.watched.index(object).into_iter().map(Arc::from).collect(),
            key,
        })
    }

    fn selects(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        self.selector.matches(&labels.collect())
    }

    fn tell(&self, changes: impl IntoIterator<Item = Change<W::Row>>) {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner).clone();
        for change in changes {
            for listener in &listeners {
                listener(&change);
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Store<W::Row>> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Store<W::Row>> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cache of any kind, as the driver and the probes see it.
pub trait AnyCache: Send + Sync + 'static {
    /// `plural.group`, or the plural alone for the core group.
    fn name(&self) -> String;

    /// How the watch is doing.
    fn state(&self) -> CacheState;

    /// How many objects there are.
    fn objects(&self) -> usize;

    /// Whether decisions may be made on the rows: a whole list has been seen, or the kind is optional and absent.
    fn is_ready(&self) -> bool;

    /// Notifies `waker` whenever readiness or state may have changed.
    fn wake_on_progress(&self, waker: Arc<tokio::sync::Notify>);

    /// Keeps the cache up to date for ever.
    fn feed(self: Arc<Self>, context: WatchContext) -> BoxFuture<'static, ()>;
}

impl<W: Watched> AnyCache for Cache<W> {
    fn name(&self) -> String {
        resource_name(&self.resource)
    }

    fn state(&self) -> CacheState {
        Self::state(self)
    }

    fn objects(&self) -> usize {
        self.len()
    }

    fn is_ready(&self) -> bool {
        let health = self.health();
        health.complete || (health.state == CacheState::Absent && self.watched.optional())
    }

    fn wake_on_progress(&self, waker: Arc<tokio::sync::Notify>) {
        self.health().waiting.push(waker);
    }

    fn feed(self: Arc<Self>, context: WatchContext) -> BoxFuture<'static, ()> {
        Box::pin(Feed::new(self, context).run())
    }
}

/// Somebody who wants to know what our own writes brought about: the caches.
pub trait WriteObserver: Send + Sync + 'static {
    /// The kind that is observed.
    fn observed(&self) -> &ApiResource;

    /// The API server returned this object for a write of ours.
    fn wrote(&self, object: &Value);

    /// The API server deleted the object for us. `revision` is that of the deletion, if it was told.
    fn deleted(&self, key: &ObjectKey, uid: &str, revision: Option<&Revision>);
}

impl<W: Watched> WriteObserver for Cache<W> {
    fn observed(&self) -> &ApiResource {
        &self.resource
    }

    fn wrote(&self, object: &Value) {
        self.observe_write(object);
    }

    fn deleted(&self, key: &ObjectKey, uid: &str, revision: Option<&Revision>) {
        self.observe_delete(key, uid, revision);
    }
}

/// `deployments.apps`, `pods`: how logs and metrics name a kind.
#[must_use]
pub fn resource_name(resource: &ApiResource) -> String {
    if resource.group.is_empty() { resource.plural.clone() } else { format!("{}.{}", resource.plural, resource.group) }
}
