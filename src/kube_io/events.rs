//! Kubernetes Events (`events.k8s.io/v1`): what was decided, told beside the object it is about.
//!
//! A pass publishes and goes on; a task of its own writes. The time is that of our clock, and the name of an Event follows
//! from what it is about, so that the same occasion, told again after a crash, is the same Event. Events are for people: one
//! that cannot be written is counted and logged, never an error of the pass.
//!
//! Bounds (I27): per object 25 at once and one per 5 minutes after that; a repeated one counts up its series, which is
//! written at 2, 4, 8, ... repetitions; at most 1,024 wait, and what does not fit is dropped and counted.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Method;
use jiff::Timestamp;
use kube::{
    Client,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{sync::Notify, time::sleep};

use super::{
    FIELD_MANAGER, WriteError,
    request::{Call, Content, kind_path, object_path},
};
use crate::runtime::{
    clock::{Clock, after},
    key::ObjectKey,
    telemetry::metrics::Metrics,
};

const WAITING_MAX: usize = 1024;
const REMEMBERED_MAX: usize = 4096;
/// In bytes, as the API server bounds it.
const NOTE_MAX: usize = 1024;
/// Name of the object in the name of the Event; the whole must stay below 253.
const NAME_MAX: usize = 200;
const BURST: u32 = 25;
const REFILL: Duration = Duration::from_secs(300);
/// The longest wait that is believed.
const WAIT_MAX: Duration = Duration::from_secs(300);
const ATTEMPTS: u32 = 4;
const CONTROLLER: &str = "modelward.dev/operator";

/// What an Event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regarding {
    /// `apiVersion` of the object.
    pub api_version: String,
    /// `kind` of the object.
    pub kind: String,
    /// Namespace and name of the object.
    pub key: ObjectKey,
    /// `metadata.uid` of the object.
    pub uid: String,
}

/// Whether somebody should worry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody may have to act.
    Warning,
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The object.
    pub regarding: Regarding,
    /// Whether somebody should worry.
    pub severity: Severity,
    /// Why, in CamelCase; a constant.
    pub reason: &'static str,
    /// What was done, in CamelCase; a constant.
    pub action: &'static str,
    /// In plain words; cut at 1,024 bytes.
    pub note: String,
    /// What makes this occasion another one than the last with this reason: a decision's number, a revision. Two notices
    /// with the same object, reason and occasion are one Event.
    pub occasion: String,
}

/// Takes notices and writes them as Events. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    client: Client,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    instance: String,
    resource: ApiResource,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    writing: bool,
    /// How often each Event was told, by key.
    told: BTreeMap<ObjectKey, u32>,
    order: VecDeque<ObjectKey>,
    /// By uid of the object: the time at which its allowance is full again.
    allowance: BTreeMap<String, Timestamp>,
}

/// An Event to create, or the repetition of one to count.
#[derive(Debug, Clone)]
struct Job {
    key: ObjectKey,
    event: Value,
    /// 1: create it.
    count: u32,
}

impl Recorder {
    /// A recorder that writes as `instance`, the name of this pod. [`Recorder::run`] does the writing.
    #[must_use]
    pub fn new(client: Client, clock: Arc<dyn Clock>, metrics: Arc<Metrics>, instance: impl Into<String>) -> Self {
        Self(Arc::new(Shared {
            client,
            clock,
            metrics,
            instance: cut(&instance.into(), 128).to_owned(),
            resource: ApiResource::from_gvk(&GroupVersionKind::gvk("events.k8s.io", "v1", "Event")),
            state: Mutex::new(State::default()),
            wake: Notify::new(),
        }))
    }

    /// Tells something. Never waits, never fails.
    pub fn publish(&self, notice: &Notice) {
        let now = self.0.clock.now();
        let key = event_key(notice);
        let outcome = self.0.state().admit(key, notice, now, |key| self.0.event(key, notice, now));
        if let Some(dropped) = outcome {
            self.0.metrics.event(dropped);
        }
        self.0.wake.notify_one();
    }

    /// Whether something is still to be written.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let state = self.0.state();
        state.writing || !state.waiting.is_empty()
    }

    /// Writes what is published, for ever.
    pub async fn run(self) {
        loop {
            while let Some(job) = self.0.take() {
                let outcome = self.0.write(&job).await;
                self.0.metrics.event(outcome);
                self.0.state().writing = false;
            }
            self.0.wake.notified().await;
        }
    }
}

impl State {
    /// Puts a notice into the queue, or says why it is not written.
    fn admit(&mut self, key: ObjectKey, notice: &Notice, now: Timestamp, event: impl FnOnce(&ObjectKey) -> Value) -> Option<&'static str> {
        let count = self.told.get(&key).copied().unwrap_or(0).saturating_add(1);
        if count > 1 && !count.is_power_of_two() {
            self.told.insert(key, count);
            return Some("counted");
        }
        if self.waiting.len() >= WAITING_MAX {
            return Some("dropped_queue_full");
        }
        if !self.allow(&notice.regarding.uid, now) {
            return Some("dropped_too_many");
        }
        self.remember(key.clone(), count);
        let event = event(&key);
        self.waiting.push_back(Job { key, event, count });
        None
    }

    /// Takes one from the object's allowance, if there is one left.
    fn allow(&mut self, uid: &str, now: Timestamp) -> bool {
        self.allowance.retain(|_, full| *full > now);
        let full = self.allowance.get(uid).copied().unwrap_or(now).max(now);
        let full = after(full, REFILL);
        if full > after(now, REFILL.saturating_mul(BURST)) {
            return false;
        }
        self.allowance.insert(uid.to_owned(), full);
        true
    }

    fn remember(&mut self, key: ObjectKey, count: u32) {
        if self.told.insert(key.clone(), count).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Job> {
        let mut state = self.state();
        let job = state.waiting.pop_front()?;
        state.writing = true;
        Some(job)
    }

    async fn write(&self, job: &Job) -> &'static str {
        let mut asked = Duration::ZERO;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(Duration::from_secs(1 << attempt).max(asked)).await;
            }
            let outcome = self.attempt(job).await;
            asked = outcome.as_ref().err().map_or(Duration::ZERO, wait);
            match outcome {
                Ok(()) => return "written",
                Err(WriteError::AlreadyExists(_)) => return "known",
                Err(error) if is_passing(&error) => tracing::debug!(event = %job.key, %error, "Event not written yet"),
                Err(error) => {
                    tracing::warn!(event = %job.key, %error, "Event not written");
                    return "refused";
                }
            }
        }
        tracing::warn!(event = %job.key, "Event given up");
        "failed"
    }

    async fn attempt(&self, job: &Job) -> Result<(), WriteError> {
        if job.count > 1 {
            match self.count(job).await {
                // The Event has expired on the server, or was never written: tell it anew.
                Err(WriteError::NotFound(_)) => {}
                counted => return counted,
            }
        }
        let call = Call {
            method: Method::POST,
            path: kind_path(&self.resource, &job.key),
            query: vec![("fieldManager", FIELD_MANAGER.to_owned())],
            body: Some((Content::Json, job.event.clone())),
        };
        call.send(&self.client).await.map(drop)
    }

    async fn count(&self, job: &Job) -> Result<(), WriteError> {
        let series = json!({"series": {"count": job.count, "lastObservedTime": job.event["eventTime"]}});
        let call = Call {
            method: Method::PATCH,
            path: object_path(&self.resource, &job.key),
            query: vec![("fieldManager", FIELD_MANAGER.to_owned())],
            body: Some((Content::MergePatch, series)),
        };
        call.send(&self.client).await.map(drop)
    }

    fn event(&self, key: &ObjectKey, notice: &Notice, now: Timestamp) -> Value {
        let regarding = &notice.regarding;
        let mut object = json!({
            "apiVersion": regarding.api_version, "kind": regarding.kind,
            "name": &*regarding.key.name, "uid": regarding.uid,
        });
        if !regarding.key.namespace.is_empty() {
            object["namespace"] = json!(&*regarding.key.namespace);
        }
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"name": &*key.name, "namespace": &*key.namespace},
            "eventTime": format!("{now:.6}"),
            "type": format!("{:?}", notice.severity),
            "reason": notice.reason,
            "action": notice.action,
            "note": cut(&notice.note, NOTE_MAX),
            "regarding": object,
            "reportingController": CONTROLLER,
            "reportingInstance": self.instance,
        })
    }
}

/// How long the API server asks to wait; at most five minutes.
fn wait(error: &WriteError) -> Duration {
    match error {
        WriteError::TooManyRequests { retry_after: Some(delay) } => (*delay).min(WAIT_MAX),
        _ => Duration::ZERO,
    }
}

/// Whether the same request may succeed later.
fn is_passing(error: &WriteError) -> bool {
    matches!(error, WriteError::Unavailable(_) | WriteError::Timeout(_) | WriteError::TooManyRequests { .. })
}

/// `<object>.<hash>`, in the object's namespace; Events about cluster-scoped objects lie in `default`.
fn event_key(notice: &Notice) -> ObjectKey {
    let mut hasher = Sha256::new();
    for part in [notice.regarding.uid.as_str(), notice.reason, &notice.occasion] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let hash = hasher.finalize();
    let hash = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    let object = &notice.regarding.key;
    let name = format!("{}.{hash}", cut(&object.name, NAME_MAX));
    let namespace = if object.namespace.is_empty() { "default" } else { &*object.namespace };
    ObjectKey::new(namespace, name)
}

/// The longest start of `text` that has at most `bytes` bytes.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
