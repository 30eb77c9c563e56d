//! Runs the controllers: one queue each, bounded passes, panics kept in, an orderly stop.
//!
//! Takes caches to feed and reconcilers to call; gives passes, metrics and logs about them, and [`Activity`], by which a
//! simulation knows that nothing will happen before a certain time. A pass that panics, fails or runs too long is one
//! object's trouble: it is counted, logged and backed off, and the others go on (I31, R59).
//!
//! A controller starts once the caches it named are ready, each on its own: one kind that cannot be listed holds only those
//! who need it. Dropping the future of [`Driver::run`] ends everything at the next point where it waits, like a crash.

mod controller;
mod reconciler;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::Client;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};

use self::controller::{Controller, Shared};
pub use self::reconciler::{Next, ReconcileError, Reconciler, Retry};
use crate::runtime::{
    cache::{AnyCache, Cache, Change, Entry, WatchContext, Watched, patient},
    clock::Clock,
    key::ObjectKey,
    queue::{Limits, Queue},
    telemetry::metrics::Metrics,
};

/// A loop that has not turned for this long is stuck: it looks around every 30 s.
const TURN_MAX: Duration = Duration::from_secs(120);
/// How long background work may go on after the last pass.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How the driver behaves as a whole.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long passes may go on after the stop was asked for.
    pub stop_grace: Duration,
    /// A pass that takes longer is dropped and counts as failed.
    pub pass_max: Duration,
    /// Makes the watch delays of replicas differ.
    pub salt: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { stop_grace: Duration::from_secs(20), pass_max: Duration::from_secs(300), salt: 0 }
    }
}

/// Part of the driver ended that never ends: the process had better start over.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The loop of a controller, of a watch or of a task ended.
    #[error("{part} ended unexpectedly: {reason}")]
    Ended {
        /// Which one.
        part: &'static str,
        /// What is known about it.
        reason: String,
    },
}

type Task = BoxFuture<'static, ()>;
type Busy = Arc<dyn Fn() -> bool + Send + Sync>;

/// See the module.
pub struct Driver {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    options: Options,
    caches: Vec<Arc<dyn AnyCache>>,
    controllers: Vec<Arc<Shared>>,
    loops: Vec<Task>,
    background: Vec<Task>,
    busy: Vec<Busy>,
    stop: Arc<Stop>,
}

/// Tells the controllers to take no more work.
#[derive(Debug, Default)]
struct Stop {
    asked: AtomicBool,
}

impl Stop {
    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.controllers.iter().map(|shared| shared.kind).collect::<Vec<_>>();
        f.debug_struct("Driver").field("kinds", &kinds).finish_non_exhaustive()
    }
}

/// Puts objects into the queue of one controller.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// Something about the object changed: it wants a pass.
    pub fn enqueue(&self, key: ObjectKey) {
        let now = self.0.clock.now();
        self.0.queue().add(key, now);
        self.0.wake.notify_one();
    }

    /// What is asked of the object changed: it wants a pass, whatever failed before.
    pub fn enqueue_afresh(&self, key: ObjectKey) {
        let now = self.0.clock.now();
        self.0.queue().add_afresh(key, now);
        self.0.wake.notify_one();
    }

    /// The object wants a pass at `due` at the latest.
    pub fn enqueue_at(&self, key: ObjectKey, due: Timestamp) {
        let now = self.0.clock.now();
        self.0.queue().add_at(key, due, now);
        self.0.wake.notify_one();
    }

    /// After every change of `cache`, enqueues the object itself; afresh if its spec is another one.
    pub fn on_own_change<W: Watched>(&self, cache: &Cache<W>) {
        let handle = self.clone();
        cache.on_change(move |change| {
            let generation = |entry: &Option<Arc<Entry<W::Row>>>| entry.as_ref().map(|entry| (entry.uid.clone(), entry.generation));
            if change.new.is_some() && generation(&change.old) != generation(&change.new) {
                handle.enqueue_afresh(change.key.clone());
            } else {
                handle.enqueue(change.key.clone());
            }
        });
    }

    /// After every change of `cache`, enqueues the objects that `affected` names.
    pub fn on_change<W: Watched>(&self, cache: &Cache<W>, affected: impl Fn(&Change<W::Row>) -> Vec<ObjectKey> + Send + Sync + 'static) {
        let handle = self.clone();
        cache.on_change(move |change| {
            for key in affected(change) {
                handle.enqueue(key);
            }
        });
    }
}

impl Driver {
    /// A driver without caches and controllers.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>, options: Options) -> Self {
        Self {
            clock,
            metrics,
            options,
            caches: Vec::new(),
            controllers: Vec::new(),
            loops: Vec::new(),
            background: Vec::new(),
            busy: Vec::new(),
            stop: Arc::new(Stop::default()),
        }
    }

    /// Feeds `cache` while the driver runs. Listeners must be registered before.
    pub fn watch(&mut self, cache: Arc<dyn AnyCache>) {
        self.caches.push(cache);
    }

    /// Runs `reconciler` over what is put into the returned handle, once all caches in `needs` are ready.
    pub fn controller<R: Reconciler>(&mut self, reconciler: R, limits: Limits, needs: Vec<Arc<dyn AnyCache>>) -> Handle {
        let shared = Arc::new(Shared::new(R::KIND, Arc::clone(&self.clock), Queue::new(limits)));
        let controller = Controller {
            shared: Arc::clone(&shared),
            reconciler: Arc::new(reconciler),
            needs,
            metrics: Arc::clone(&self.metrics),
            pass_max: self.options.pass_max,
            stop_grace: self.options.stop_grace,
            stop: Arc::clone(&self.stop),
        };
        self.loops.push(Box::pin(controller.run()));
        self.controllers.push(Arc::clone(&shared));
        Handle(shared)
    }

    /// Runs `task` beside the controllers; it must not end. It is dropped when they have stopped.
    pub fn background(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.background.push(Box::pin(task));
    }

    /// Counts the driver as busy while `busy` says so.
    pub fn busy_while(&mut self, busy: impl Fn() -> bool + Send + Sync + 'static) {
        self.busy.push(Arc::new(busy));
    }

    /// What goes on, to be asked from outside while the driver runs.
    #[must_use]
    pub fn activity(&self) -> Activity {
        Activity {
            clock: Arc::clone(&self.clock),
            caches: self.caches.clone(),
            controllers: self.controllers.clone(),
            busy: self.busy.clone(),
        }
    }

    /// Runs until `stop` is ready, then takes no more work, lets passes end for [`Options::stop_grace`], and returns.
    ///
    /// # Errors
    /// When a part ends that never ends.
    pub async fn run(self, client: Client, stop: impl Future<Output = ()> + Send) -> Result<(), DriverError> {
        let context = WatchContext {
            client: patient(client),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            salt: self.options.salt,
        };
        let mut feeds = spawn(self.caches.iter().map(|cache| Arc::clone(cache).feed(context.clone())));
        let mut background = spawn(self.background);
        let mut loops = spawn(self.loops);
        tokio::select! {
            biased;
            () = stop => {}
            ended = ended(&mut loops) => return Err(failure("the loop of a controller", &ended)),
            ended = ended(&mut feeds) => return Err(failure("a watch", &ended)),
            ended = ended(&mut background) => return Err(failure("a background task", &ended)),
        }
        self.stop.asked.store(true, Ordering::Release);
        for shared in &self.controllers {
            shared.wake.notify_one();
        }
        while loops.join_next().await.is_some() {}
        let drained = timeout(LAST_WORDS, last_words(&self.busy)).await;
        if drained.is_err() {
            tracing::warn!("background work was cut off by the stop");
        }
        Ok(())
    }
}

/// Waits until no background work is pending: Events of the last passes.
async fn last_words(busy: &[Busy]) {
    while busy.iter().any(|busy| busy()) {
        sleep(Duration::from_millis(50)).await;
    }
}

fn spawn(tasks: impl IntoIterator<Item = Task>) -> JoinSet<()> {
    tasks.into_iter().collect()
}

/// Waits for the end of any of `tasks`; for ever if there are none.
async fn ended(tasks: &mut JoinSet<()>) -> Result<(), tokio::task::JoinError> {
    match tasks.join_next().await {
        Some(ended) => ended,
        None => std::future::pending().await,
    }
}

fn failure(part: &'static str, ended: &Result<(), tokio::task::JoinError>) -> DriverError {
    let reason = match ended {
        Ok(()) => "it returned".to_owned(),
        Err(error) => error.to_string(),
    };
    DriverError::Ended { part, reason }
}

/// What a driver is doing. Cheap to clone and to ask.
#[derive(Clone)]
pub struct Activity {
    clock: Arc<dyn Clock>,
    caches: Vec<Arc<dyn AnyCache>>,
    controllers: Vec<Arc<Shared>>,
    busy: Vec<Busy>,
}

impl Activity {
    /// Whether every controller has started, no pass runs, nothing is due now, and no background work is pending. What is
    /// left happens at [`Activity::next_due`], or when something changes.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let now = self.clock.now();
        let quiet = |shared: &Arc<Shared>| shared.started() && shared.queue().is_idle(now);
        self.controllers.iter().all(quiet) && !self.busy.iter().any(|busy| busy())
    }

    /// When the next queued pass is due, of all controllers; in the past when one is due already.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.controllers.iter().filter_map(|shared| shared.queue().next_due());
        due.min()
    }

    /// Whether decisions can be made: every cache is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.caches.iter().all(|cache| cache.is_ready())
    }

    /// Whether every controller that has started still turns.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let now = self.clock.now();
        self.controllers.iter().all(|shared| shared.turned_within(TURN_MAX, now))
    }

    /// The caches, for a page that says what is missing.
    #[must_use]
    pub fn caches(&self) -> &[Arc<dyn AnyCache>] {
        &self.caches
    }

    /// Wakes `waker` whenever a cache may have become ready.
    pub fn wake_on_progress(&self, waker: &Arc<Notify>) {
        for cache in &self.caches {
            cache.wake_on_progress(Arc::clone(waker));
        }
    }
}
