//! The loop of one controller: takes keys from its queue, runs passes as tasks, records how they ended.

use std::{
    any::Any,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use jiff::Timestamp;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Next, ReconcileError, Reconciler, Stop};
use crate::runtime::{
    cache::AnyCache,
    clock::{Clock, after, until},
    key::ObjectKey,
    pass::Writes,
    queue::{Queue, Verdict},
    telemetry::metrics::Metrics,
};

/// The longest sleep of a loop: a wall clock may be set meanwhile, and a loop that sleeps long cannot be told from a dead one.
const NAP_MAX: Duration = Duration::from_secs(30);

/// What a controller shares with its handles and with those who watch over it.
pub(super) struct Shared {
    pub(super) kind: &'static str,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) wake: Arc<Notify>,
    queue: Mutex<Queue>,
    turned: Mutex<Option<Timestamp>>,
}

impl Shared {
    pub(super) fn new(kind: &'static str, clock: Arc<dyn Clock>, queue: Queue) -> Self {
        Self { kind, clock, wake: Arc::new(Notify::new()), queue: Mutex::new(queue), turned: Mutex::new(None) }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the loop takes work.
    pub(super) fn started(&self) -> bool {
        self.turned().is_some()
    }

    /// Whether the loop turned within the last `span`, or has not started yet.
    pub(super) fn turned_within(&self, span: Duration, now: Timestamp) -> bool {
        self.turned().is_none_or(|turned| after(turned, span) > now)
    }

    fn turned(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.turned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One controller, ready to run.
pub(super) struct Controller<R> {
    pub(super) shared: Arc<Shared>,
    pub(super) reconciler: Arc<R>,
    pub(super) needs: Vec<Arc<dyn AnyCache>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pass_max: Duration,
    pub(super) stop_grace: Duration,
    pub(super) stop: Arc<Stop>,
}

/// How a pass ended.
enum Outcome {
    Returned(Result<Next, ReconcileError>),
    Panicked(String),
    TimedOut,
}

struct Ended {
    key: ObjectKey,
    began: Timestamp,
    outcome: Outcome,
    writes: u32,
}

impl<R: Reconciler> Controller<R> {
    /// Runs until the stop is asked for and the running passes have ended or their grace is over.
    pub(super) async fn run(self) {
        self.await_caches().await;
        let mut passes = JoinSet::new();
        while !self.stop.is_asked() {
            self.start_due(&mut passes);
            self.take_turn(&mut passes).await;
        }
        self.drain(passes).await;
    }

    async fn await_caches(&self) {
        for cache in &self.needs {
            cache.wake_on_progress(Arc::clone(&self.shared.wake));
        }
        while !self.stop.is_asked() && !self.needs.iter().all(|cache| cache.is_ready()) {
            self.shared.wake.notified().await;
        }
    }

    fn start_due(&self, passes: &mut JoinSet<Ended>) {
        let now = self.shared.clock.now();
        *self.shared.turned() = Some(now);
        loop {
            let popped = self.shared.queue().pop(now);
            let Some(key) = popped else { break };
            passes.spawn(self.pass(key, now));
        }
        let queue = self.shared.queue();
        self.metrics.queue(self.shared.kind, queue.len(), queue.running());
    }

    /// Waits for whatever comes first: the end of a pass, a wish, or the time of the next entry.
    async fn take_turn(&self, passes: &mut JoinSet<Ended>) {
        let nap = self.nap();
        tokio::select! {
            biased;
            Some(ended) = passes.join_next() => self.record(ended),
            () = self.shared.wake.notified() => {}
            () = sleep(nap) => {}
        }
    }

    fn nap(&self) -> Duration {
        let now = self.shared.clock.now();
        // What is due now but could not be started waits for a place: the end of a pass wakes us.
        let due = self.shared.queue().next_due().filter(|due| *due > now);
        due.map_or(NAP_MAX, |due| until(now, due)).clamp(Duration::from_millis(1), NAP_MAX)
    }

    fn pass(&self, key: ObjectKey, began: Timestamp) -> impl Future<Output = Ended> + Send + 'static {
        let (reconciler, pass_max) = (Arc::clone(&self.reconciler), self.pass_max);
        async move {
            let writes = Writes::default();
            let called = key.clone();
            let pass = writes.count(async move { reconciler.reconcile(called).await });
            // Whatever the pass left half done is observed again by the next one, as after a crash.
            let outcome = match timeout(pass_max, AssertUnwindSafe(pass).catch_unwind()).await {
                Ok(Ok(result)) => Outcome::Returned(result),
                Ok(Err(panic)) => Outcome::Panicked(panic_text(panic.as_ref())),
                Err(_elapsed) => Outcome::TimedOut,
            };
            let writes = writes.get();
            Ended { key, began, outcome, writes }
        }
    }

    fn record(&self, ended: Result<Ended, tokio::task::JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            // Panics are caught inside of the task, and nobody cancels it: this is the end of the runtime.
            Err(error) => return tracing::error!(kind = self.shared.kind, %error, "a pass was lost"),
        };
        let now = self.shared.clock.now();
        let (label, verdict) = judge(&ended.outcome);
        let kind = self.shared.kind;
        self.metrics.pass(kind, label, until(ended.began, now));
        match &ended.outcome {
            Outcome::Returned(Err(error)) => self.metrics.error(kind, error.reason),
            Outcome::Panicked(_) => self.metrics.panic(kind),
            Outcome::TimedOut | Outcome::Returned(Ok(_)) => {}
        }
        let next = {
            let mut queue = self.shared.queue();
            queue.finish(&ended.key, verdict, ended.writes > 0, now)
        };
        self.log(&ended, next);
    }

    fn log(&self, ended: &Ended, next: Option<Timestamp>) {
        let kind = self.shared.kind;
        let (namespace, name) = (&*ended.key.namespace, &*ended.key.name);
        let next = next.map(|next| next.to_string()).unwrap_or_default();
        let writes = ended.writes;
        match &ended.outcome {
            Outcome::Returned(Ok(_)) => tracing::debug!(kind, namespace, name, writes, next, "pass done"),
            Outcome::Returned(Err(error)) if Verdict::from(error.retry) == Verdict::Again => {
                tracing::debug!(kind, namespace, name, writes, next, reason = error.reason, %error, "pass looks again");
            }
            Outcome::Returned(Err(error)) => {
                tracing::warn!(kind, namespace, name, writes, next, reason = error.reason, %error, "pass failed");
            }
            Outcome::Panicked(panic) => tracing::error!(kind, namespace, name, writes, next, panic, "pass panicked"),
            Outcome::TimedOut => tracing::error!(kind, namespace, name, writes, next, "pass took too long"),
        }
    }

    /// Lets the running passes end, within the grace.
    async fn drain(&self, mut passes: JoinSet<Ended>) {
        let drained = async {
            while let Some(ended) = passes.join_next().await {
                self.record(ended);
            }
        };
        if timeout(self.stop_grace, drained).await.is_err() {
            tracing::warn!(kind = self.shared.kind, "passes were cut off by the stop");
        }
    }
}

fn judge(outcome: &Outcome) -> (&'static str, Verdict) {
    match outcome {
        Outcome::Returned(Ok(next)) => ("success", (*next).into()),
        Outcome::Returned(Err(error)) => match Verdict::from(error.retry) {
            Verdict::Again => ("again", Verdict::Again),
            verdict => ("error", verdict),
        },
        Outcome::Panicked(_) => ("panic", Verdict::Failed { after: None }),
        Outcome::TimedOut => ("timeout", Verdict::Failed { after: None }),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}
