//! Keeps one cache up to date: list, watch, go on where the watch ended, list again when that is too old.
//!
//! This is not `kube::runtime::watcher`, for three reasons seen in its source (kube 5.0): it hides the revision of a list and
//! of bookmarks, without which a relist cannot tell a write of ours that is newer than the list from an object that is gone;
//! a 410 as the *answer* to a watch request makes it ask for the same revision for ever; a server that closes every watch
//! at once makes it reconnect without a pause. Requests and decoding are kube's.
//!
//! Lists are paged and consistent (no resourceVersion is sent), for they work on every server and bound what is decoded at
//! once. Every watch ends after 200 s, below the common idle limit of 240 s of load balancers (R14); one that the
//! server does not end is dropped 10 s later. The next one opens where this one opened and so repeats what it delivered: a
//! silent stall, or a single event that was lost, is noticed within 300 s (L6) without a list. A server that no longer has
//! that much history says so (410), and is asked for a list. Each cache has its own backoff: one that fails silences no other
//! (R15); a server that says how long to wait is not asked before.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures::{Stream, TryStreamExt};
use kube::{
    Client,
    core::{ApiResource, DynamicObject, Request, Resource, Status, WatchEvent, params},
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Cache, CacheState, Entry, Revision, Watched, pace::Pace, patience, resource_name};
use crate::runtime::{clock::Clock, key::ObjectKey, telemetry::metrics::Metrics};

const PAGE_SIZE: u32 = 500;
/// Five million objects: a server whose pages never end is not believed for ever.
const PAGES_MAX: usize = 10_000;
const WATCH_TIMEOUT_SECONDS: u32 = 200;
const WATCH_GRACE: Duration = Duration::from_secs(10);
/// For a page of a list, and for the head of the answer to a watch. The server itself gives up after 60 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(70);
/// Watches of one kind start at most this often.
const WATCH_SPACING: Duration = Duration::from_millis(100);
/// A watch that lived this long worked, even if nothing happened.
const WATCH_PROVEN: Duration = Duration::from_secs(1);
/// After so many lists in a row that are older than what was known, the cluster itself has gone back.
const LAGGING_MAX: u32 = 5;

/// What every cache needs to be fed.
#[derive(Clone)]
pub struct WatchContext {
    /// For lists and watches.
    pub client: Client,
    /// For the time of failures.
    pub clock: Arc<dyn Clock>,
    /// For the state of the watch.
    pub metrics: Arc<Metrics>,
    /// Makes the delays of replicas differ: equal salts give equal delays.
    pub salt: u64,
}

/// How one turn (a list, a watch, a probe) ended.
#[derive(Debug)]
enum End {
    /// A list is complete.
    Listed,
    /// A watch ended in order, or was dropped because the server did not end it.
    Closed { delivered: bool },
    /// An absent kind answers again.
    Found,
    /// The revision is too old.
    Expired,
    /// The API server does not know the kind.
    Absent,
    /// Anything else, in plain words.
    Failed(String),
    /// The same, and the server says how long to wait.
    Busy(String, Duration),
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(default)]
    /// Decoded one by one: a page of them as trees takes many times the memory of its text.
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    token: String,
}

/// The loop that feeds one cache.
pub(super) struct Feed<W: Watched> {
    cache: Arc<Cache<W>>,
    context: WatchContext,
    name: String,
    pace: Pace,
    probe_pace: Pace,
    listed: bool,
    lagging: u32,
    missing: u32,
}

impl<W: Watched> Feed<W> {
    pub(super) fn new(cache: Arc<Cache<W>>, context: WatchContext) -> Self {
        let name = resource_name(&cache.resource);
        Self {
            pace: Pace::new(&name, context.salt, Duration::from_millis(800), Duration::from_secs(30)),
            probe_pace: Pace::new(&name, context.salt, Duration::from_secs(30), Duration::from_secs(300)),
            cache,
            context,
            name,
            listed: false,
            lagging: 0,
            missing: 0,
        }
    }

    /// Runs for ever.
    pub(super) async fn run(mut self) {
        self.set_state(CacheState::Syncing);
        loop {
            let began = Instant::now();
            let end = self.turn().await;
            let pause = self.conclude(end, began.elapsed());
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
    }

    async fn turn(&mut self) -> End {
        if self.cache.state() == CacheState::Absent {
            return self.probe().await;
        }
        let resume = if self.listed { self.reopen() } else { None };
        match resume {
            Some(revision) => self.watch(&revision).await,
            None => self.list().await,
        }
    }

    /// Draws the conclusions from a turn and returns how long to pause.
    fn conclude(&mut self, end: End, lasted: Duration) -> Duration {
        self.context.metrics.watch_turn(&self.name, end.label());
        match end {
            End::Listed => {
                self.listed = true;
                (self.lagging, self.missing) = (0, 0);
                Duration::ZERO
            }
            End::Closed { delivered } if delivered || lasted >= WATCH_PROVEN => {
                self.pace.reset();
                WATCH_SPACING.saturating_sub(lasted)
            }
            End::Closed { .. } => self.fail("the API server ended the watch at once".to_owned()),
            End::Found => {
                self.probe_pace.reset();
                self.listed = false;
                self.set_state(CacheState::Syncing);
                Duration::ZERO
            }
            End::Expired => {
                self.listed = false;
                // The first is a matter of course; a server for which every revision is too old is not.
                self.pace.next_but_first()
            }
            End::Absent => self.miss(),
            End::Failed(error) => self.fail(error),
            End::Busy(error, wait) => self.fail(error).max(wait),
        }
    }

    fn fail(&mut self, error: String) -> Duration {
        let pause = self.pace.next();
        let since = match self.cache.state() {
            CacheState::Failing { since, .. } => since,
            _ => self.context.clock.now(),
        };
        tracing::warn!(resource = self.name, error, pause = ?pause, "watch failed");
        // A kind that is absent stays so until it answers.
        if self.cache.state() != CacheState::Absent {
            self.set_state(CacheState::Failing { since, error });
        }
        pause
    }

    /// The API server does not know the kind. What was known is given up only when it says so twice, half a minute apart:
    /// while an API server starts, it may not know a kind that is well and alive.
    fn miss(&mut self) -> Duration {
        self.missing += 1;
        self.listed = false;
        let pause = self.probe_pace.next();
        if self.missing == 1 && self.cache.health().complete {
            self.fail("the API server no longer knows this kind".to_owned());
            return pause;
        }
        if self.cache.state() != CacheState::Absent {
            tracing::info!(resource = self.name, "this kind is not installed");
        }
        self.cache.health().complete = false;
        self.set_state(CacheState::Absent);
        let gone = self.cache.write().clear();
        self.cache.tell(gone);
        pause
    }

    async fn list(&mut self) -> End {
        let mut entries = std::collections::BTreeMap::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let page = match self.page(token.take()).await {
                Ok(page) => page,
                Err(end) => return end,
            };
            entries.extend(page.items.iter().filter_map(|item| self.listed_entry(item)));
            if page.metadata.token.is_empty() {
                return self.complete(entries, &page.metadata.resource_version);
            }
            token = Some(page.metadata.token);
        }
        End::Failed(format!("the list does not end within {PAGES_MAX} pages"))
    }

    async fn page(&self, token: Option<String>) -> Result<Page, End> {
        let parameters = params::ListParams {
            label_selector: self.label_selector(),
            limit: Some(PAGE_SIZE),
            continue_token: token,
            ..params::ListParams::default()
        };
        let request = self.request().list(&parameters).map_err(|error| End::Failed(error.to_string()))?;
        bounded(self.context.client.request::<Page>(request)).await
    }

    /// Takes a complete list over.
    fn complete(&mut self, entries: std::collections::BTreeMap<ObjectKey, Entry<W::Row>>, revision: &str) -> End {
        if revision.is_empty() {
            return End::Failed("the list has no resourceVersion".to_owned());
        }
        let force = self.lagging >= LAGGING_MAX;
        let replaced = self.cache.write().replace(entries, &Revision::parse(revision), force);
        let Ok(changes) = replaced else {
            self.lagging += 1;
            return End::Failed("the list is older than what the watch has delivered".to_owned());
        };
        self.cache.health().complete = true;
        self.set_state(CacheState::Synced);
        self.cache.tell(changes);
        End::Listed
    }

    async fn watch(&mut self, revision: &str) -> End {
        let began = Instant::now();
        let deadline = began + Duration::from_secs(WATCH_TIMEOUT_SECONDS.into()) + WATCH_GRACE;
        let events = match self.open(revision, WATCH_TIMEOUT_SECONDS).await {
            Ok(events) => events,
            Err(end) => return end,
        };
        let mut events = pin!(events);
        self.set_state(CacheState::Synced);
        let mut delivered = false;
        loop {
            match timeout_at(deadline, events.try_next()).await {
                Ok(Ok(Some(event))) => {
                    if let Some(end) = self.take(event) {
                        return end;
                    }
                    delivered = true;
                }
                Ok(Ok(None)) => {
                    // What is repeated comes first.
                    if began.elapsed() >= WATCH_PROVEN {
                        let missed = self.cache.write().end_repetition();
                        self.cache.tell(missed);
                    }
                    return End::Closed { delivered };
                }
                Ok(Err(error)) => return self.broken(&error),
                Err(_stalled) => {
                    tracing::warn!(resource = self.name, "the watch stalled");
                    return End::Closed { delivered };
                }
            }
        }
    }

    /// Asks with a watch whether an absent kind has come: a list would be a read in a cluster where nothing changes.
    async fn probe(&self) -> End {
        match self.open("", 1).await {
            Ok(_) => End::Found,
            Err(end) => end,
        }
    }

    async fn open(
        &self,
        revision: &str,
        timeout_seconds: u32,
    ) -> Result<impl Stream<Item = kube::Result<WatchEvent<Value>>> + Send + use<W>, End> {
        let parameters = params::WatchParams {
            label_selector: self.label_selector(),
            timeout: Some(timeout_seconds),
            bookmarks: true,
            ..params::WatchParams::default()
        };
        let request = self.request().watch(&parameters, revision);
        let request = request.map_err(|error| End::Failed(error.to_string()))?;
        bounded(self.context.client.request_events::<Value>(request)).await
    }

    /// Takes one event in; returns how the watch ended if the event ends it.
    fn take(&self, event: WatchEvent<Value>) -> Option<End> {
        let changes = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => match self.known(&object) {
                Some(revision) => self.cache.write().bookmark(revision),
                None => {
                    let entry = self.cache.entry_of(&object)?;
                    self.cache.write().event(entry)
                }
            },
            WatchEvent::Deleted(object) => {
                let entry = self.cache.entry_of(&object)?;
                self.cache.write().deletion(&entry.key, &entry.uid, entry.revision)
            }
            WatchEvent::Bookmark(bookmark) => {
                let revision = Revision::parse(&bookmark.metadata.resource_version);
                self.cache.write().bookmark(revision)
            }
            WatchEvent::Error(status) => return Some(judge(&status)),
        };
        self.cache.tell(changes);
        None
    }

    /// The revision of a state that needs not be projected: it, or a newer one, is here.
    fn known(&self, object: &Value) -> Option<Revision> {
        let revision = Revision::parse(object.pointer("/metadata/resourceVersion")?.as_str()?);
        self.cache.read().has(&ObjectKey::of(object)?, &revision).then_some(revision)
    }

    /// A watch broke off. One whose text cannot be read would break off there again: list.
    fn broken(&mut self, error: &kube::Error) -> End {
        if matches!(error, kube::Error::SerdeError(_)) {
            self.listed = false;
        }
        end_of(error)
    }

    fn listed_entry(&self, item: &RawValue) -> Option<(ObjectKey, Entry<W::Row>)> {
        let mut item: Value = serde_json::from_str(item.get())
            .inspect_err(|error| tracing::warn!(resource = self.name, %error, "an object in a list cannot be read"))
            .ok()?;
        // The API server leaves the type of built-in kinds out of lists.
        let resource = &self.cache.resource;
        if let Some(fields) = item.as_object_mut() {
            fields.entry("apiVersion").or_insert_with(|| resource.api_version.clone().into());
            fields.entry("kind").or_insert_with(|| resource.kind.clone().into());
        }
        let entry = self.cache.entry_of(&item)?;
        Some((entry.key.clone(), entry))
    }

    fn request(&self) -> Request {
        let namespace = self.cache.watched.namespace();
        Request::new(collection_path(&self.cache.resource, namespace.as_deref()))
    }

    fn label_selector(&self) -> Option<String> {
        let selector = &self.cache.selector;
        (!selector.selects_all()).then(|| selector.to_string())
    }

    fn reopen(&self) -> Option<String> {
        self.cache.write().open().map(ToString::to_string)
    }

    fn set_state(&self, state: CacheState) {
        self.context.metrics.watch_state(&self.name, &state);
        let mut health = self.cache.health();
        let arrived = state == CacheState::Synced && !health.present;
        let left = state == CacheState::Absent && health.present;
        if arrived || left {
            health.present = arrived;
        }
        health.state = state;
        for waker in &health.waiting {
            waker.notify_one();
        }
        let listeners = if arrived || left { health.on_presence.clone() } else { Vec::new() };
        drop(health);
        for listener in listeners {
            listener();
        }
    }
}

impl End {
    fn label(&self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Closed { .. } => "closed",
            Self::Found => "found",
            Self::Expired => "expired",
            Self::Absent => "absent",
            Self::Failed(_) | Self::Busy(..) => "failed",
        }
    }
}

/// The path of a kind's collection, in one namespace or in all.
pub(crate) fn collection_path(resource: &ApiResource, namespace: Option<&str>) -> String {
    DynamicObject::url_path(resource, namespace)
}

async fn bounded<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, End> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(end_of(&error)),
        Err(_elapsed) => Err(End::Failed("the API server did not answer in time".to_owned())),
    }
}

fn end_of(error: &kube::Error) -> End {
    match error {
        kube::Error::Api(status) => judge(status),
        other => End::Failed(other.to_string()),
    }
}

fn judge(status: &Status) -> End {
    let Status { code, reason, message, .. } = status;
    let wait = patience::wait(status);
    match (*code, reason.as_str()) {
        (410, _) | (_, "Expired" | "Gone") => End::Expired,
        (404, _) => End::Absent,
        _ if wait.is_zero() => End::Failed(format!("{message} ({code} {reason})")),
        _ => End::Busy(format!("{message} ({code} {reason})"), wait),
    }
}
