//! The metrics of the machinery, in one registry.

use std::{
    fmt,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::runtime::cache::CacheState;

/// The states of a watch, as labels.
const WATCH_STATES: [&str; 4] = ["syncing", "synced", "absent", "failing"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchLabels {
    resource: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabels {
    resource: String,
    end: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    resource: String,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerbLabels {
    verb: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    outcome: &'static str,
}

/// A histogram in seconds.
type Seconds = fn() -> Histogram;

/// See the module.
pub struct Metrics {
    registry: Mutex<Registry>,
    passes: Family<OutcomeLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    pass_seconds: Family<KindLabels, Histogram, Seconds>,
    queued: Family<KindLabels, Gauge>,
    running: Family<KindLabels, Gauge>,
    panics: Family<KindLabels, Counter>,
    watch_states: Family<WatchLabels, Gauge>,
    watch_turns: Family<TurnLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<VerbLabels, Histogram, Seconds>,
    events: Family<EventLabels, Counter>,
    scrapes: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("modelward")),
            passes: Family::default(),
            errors: Family::default(),
            pass_seconds: Family::new_with_constructor(seconds),
            queued: Family::default(),
            running: Family::default(),
            panics: Family::default(),
            watch_states: Family::default(),
            watch_turns: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            events: Family::default(),
            scrapes: Counter::default(),
        };
        metrics.with_registry(|registry| metrics.register(registry));
        metrics
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Lets others register metrics of their own, under the same prefix `modelward_`.
    pub fn with_registry<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything in the OpenMetrics text format.
    ///
    /// # Errors
    /// When a collector fails to write itself.
    pub fn render(&self) -> Result<String, fmt::Error> {
        self.scrapes.inc();
        let mut text = String::new();
        self.with_registry(|registry| encode(&mut text, registry))?;
        Ok(text)
    }

    /// How many requests with this verb, resource and code were counted.
    #[must_use]
    pub fn requests(&self, verb: &'static str, resource: &str, code: u16) -> u64 {
        let labels = RequestLabels { verb, resource: resource.to_owned(), code };
        self.requests.get(&labels).map_or(0, |counter| counter.get())
    }

    /// How many passes of this kind ended so.
    #[must_use]
    pub fn passes(&self, kind: &'static str, outcome: &'static str) -> u64 {
        let labels = OutcomeLabels { kind, outcome };
        self.passes.get(&labels).map_or(0, |counter| counter.get())
    }

    pub(crate) fn pass(&self, kind: &'static str, outcome: &'static str, lasted: Duration) {
        self.passes.get_or_create(&OutcomeLabels { kind, outcome }).inc();
        self.pass_seconds.get_or_create(&KindLabels { kind }).observe(lasted.as_secs_f64());
    }

    pub(crate) fn error(&self, kind: &'static str, reason: &'static str) {
        self.errors.get_or_create(&ErrorLabels { kind, reason }).inc();
    }

    pub(crate) fn panic(&self, kind: &'static str) {
        self.panics.get_or_create(&KindLabels { kind }).inc();
    }

    pub(crate) fn queue(&self, kind: &'static str, queued: usize, running: usize) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.queued.get_or_create(&KindLabels { kind }).set(count(queued));
        self.running.get_or_create(&KindLabels { kind }).set(count(running));
    }

    pub(crate) fn watch_state(&self, resource: &str, now: &CacheState) {
        for state in WATCH_STATES {
            let labels = WatchLabels { resource: resource.to_owned(), state };
            self.watch_states.get_or_create(&labels).set(i64::from(state == now.label()));
        }
    }

    pub(crate) fn watch_turn(&self, resource: &str, end: &'static str) {
        let labels = TurnLabels { resource: resource.to_owned(), end };
        self.watch_turns.get_or_create(&labels).inc();
    }

    pub(crate) fn request(&self, verb: &'static str, resource: String, code: u16, lasted: Duration) {
        self.requests.get_or_create(&RequestLabels { verb, resource, code }).inc();
        self.request_seconds.get_or_create(&VerbLabels { verb }).observe(lasted.as_secs_f64());
    }

    pub(crate) fn event(&self, outcome: &'static str) {
        self.events.get_or_create(&EventLabels { outcome }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("reconciles", "Passes over objects, by how they ended", self.passes.clone());
        registry.register("reconcile_errors", "Failed passes, by reason", self.errors.clone());
        registry.register("reconcile_duration_seconds", "How long passes took", self.pass_seconds.clone());
        registry.register("reconcile_panics", "Passes that panicked", self.panics.clone());
        registry.register("queue_depth", "Objects that wait for a pass", self.queued.clone());
        registry.register("reconciles_running", "Passes that run", self.running.clone());
        registry.register("watch_state", "1 for the state that the watch of a kind is in", self.watch_states.clone());
        registry.register("watch_turns", "Lists and watches, by how they ended", self.watch_turns.clone());
        registry.register("api_requests", "Requests to the API server; code 0: no answer", self.requests.clone());
        registry.register("api_request_duration_seconds", "Time until the head of the answer", self.request_seconds.clone());
        registry.register("events", "Kubernetes Events, by what became of them", self.events.clone());
        registry.register("scrapes", "Reads of this page", self.scrapes.clone());
    }
}

/// 5 ms to 82 s.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 15))
}
