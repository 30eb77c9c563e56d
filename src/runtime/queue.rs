//! The order of work: which object gets the next pass, and when.
//!
//! Takes keys with the time they are wanted and the verdict of each pass; gives the next key to run. Time is an argument:
//! nothing here waits, locks or draws. What it promises:
//! - an object has at most one entry, the earliest wins (I29), and never two passes at once; wishes that arrive during its
//!   pass are kept until that ends;
//! - ready objects are taken by turns over their namespaces, and inside one by (due time, order of arrival), with a bound
//!   on passes in all and per namespace, so that one tenant cannot take every place;
//! - a failed object waits 1 s, doubling to 5 min; a change of it cuts that short, but to no less than a second and, once
//!   it has failed often, no less than ten: its own writes must not defeat its backoff. Somebody else's new wish ends it;
//! - an object whose passes write is held to 10 such passes in any 10 s (I26).
//!
//! ```text
//!   wish ──> waiting ──(due)──> ready ──(its namespace's turn)──> running ──verdict──> gone, or waiting again
//! ```

mod brake;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use self::brake::Brake;
use crate::runtime::{clock::after, key::ObjectKey};

/// A step of the clock back by more than this is a clock that was set; less is a correction that nobody notices.
const CLOCK_STEP_BACK: Duration = Duration::from_secs(1);

/// The bounds of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Passes at the same time; at least 1.
    pub concurrency: usize,
    /// Passes at the same time in one namespace; at least 1.
    pub per_namespace: usize,
    /// Delay after the first failure; doubles with each further one.
    pub backoff_first: Duration,
    /// The longest delay after a failure.
    pub backoff_max: Duration,
    /// After a failure, a change of the object brings its next pass forward to no earlier than the backoff or this,
    /// whichever is shorter.
    pub change_after_failure_max: Duration,
    /// Delay when what was decided on had changed meanwhile ([`Verdict::Again`]) and no change is delivered earlier; also
    /// when a pass asks for a time that has passed.
    pub again: Duration,
    /// How many times in a row [`Verdict::Again`] is believed before it counts as a failure.
    pub again_max: u32,
    /// Passes with writes that an object may have in any `brake_window`.
    pub brake_passes: usize,
    /// See `brake_passes`.
    pub brake_window: Duration,
}

impl Limits {
    /// The usual bounds with `concurrency` passes at once, of which one namespace may have half (rounded up).
    #[must_use]
    pub fn with_concurrency(concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        Self {
            concurrency,
            per_namespace: concurrency.div_ceil(2),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            change_after_failure_max: Duration::from_secs(10),
            again: Duration::from_millis(200),
            again_max: 10,
            brake_passes: 10,
            brake_window: Duration::from_secs(10),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::with_concurrency(16)
    }
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do until something changes.
    Done,
    /// Nothing to do until something changes or this time comes; one that has passed means soon.
    DoneUntil(Timestamp),
    /// What was decided on had changed: look again soon.
    Again,
    /// It failed; back off, and for at least `after` when the server named a delay.
    Failed {
        /// The delay that the server asked for.
        after: Option<Duration>,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Queue {
    limits: Limits,
    sequence: u64,
    /// Keys with a due time in the future, and those that became due since the last look.
    waiting: BTreeMap<(Timestamp, u64), ObjectKey>,
    /// Due keys by namespace.
    ready: BTreeMap<Arc<str>, BTreeMap<(Timestamp, u64), ObjectKey>>,
    /// Where each queued key is.
    places: BTreeMap<ObjectKey, Place>,
    /// Keys that have a pass now, with what was wished meanwhile.
    running: BTreeMap<ObjectKey, Option<Timestamp>>,
    running_in: BTreeMap<Arc<str>, usize>,
    /// Keys of which something else was asked during their pass.
    asked_afresh: BTreeSet<ObjectKey>,
    troubles: BTreeMap<ObjectKey, Trouble>,
    brake: Brake,
    /// The namespace that was served last.
    turn: Option<Arc<str>>,
    latest: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    due: Timestamp,
    sequence: u64,
    ready: bool,
}

/// The record of an object whose last pass did not succeed.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    failures: u32,
    agains: u32,
    /// No change brings the next pass forward beyond this.
    not_before: Option<Timestamp>,
    /// The server asked not to be asked before this.
    asked: Option<Timestamp>,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            brake: Brake::new(limits.brake_passes, limits.brake_window),
            limits,
            sequence: 0,
            waiting: BTreeMap::new(),
            ready: BTreeMap::new(),
            places: BTreeMap::new(),
            running: BTreeMap::new(),
            running_in: BTreeMap::new(),
            asked_afresh: BTreeSet::new(),
            troubles: BTreeMap::new(),
            turn: None,
            latest: None,
        }
    }

    /// Something about `key` changed: it wants a pass now (or as soon as its backoff and brake allow).
    pub fn add(&mut self, key: ObjectKey, now: Timestamp) {
        self.add_at(key, now, now);
    }

    /// `key` wants a pass at `due` at the latest.
    pub fn add_at(&mut self, key: ObjectKey, due: Timestamp, now: Timestamp) {
        self.notice_time(now);
        let due = due.max(now);
        if let Some(wish) = self.running.get_mut(&key) {
            *wish = Some(wish.map_or(due, |earlier| earlier.min(due)));
            return;
        }
        let due = due.max(self.earliest(&key, now));
        self.place(key, due);
    }

    /// Somebody asks for something else of `key`: what failed before says nothing of it. It wants a pass now, as soon as its
    /// brake allows.
    pub fn add_afresh(&mut self, key: ObjectKey, now: Timestamp) {
        self.forgive(&key);
        if self.running.contains_key(&key) {
            self.asked_afresh.insert(key.clone());
        }
        self.add_at(key, now, now);
    }

    /// The next key to run, if one is due and a place is free; it counts as running until [`Queue::finish`].
    pub fn pop(&mut self, now: Timestamp) -> Option<ObjectKey> {
        self.notice_time(now);
        self.promote(now);
        if self.running.len() >= self.limits.concurrency.max(1) {
            return None;
        }
        let namespace = self.next_namespace()?;
        let keys = self.ready.get_mut(&namespace)?;
        let (_, key) = keys.pop_first()?;
        if keys.is_empty() {
            self.ready.remove(&namespace);
        }
        self.places.remove(&key);
        self.running.insert(key.clone(), None);
        *self.running_in.entry(Arc::clone(&namespace)).or_default() += 1;
        self.turn = Some(namespace);
        Some(key)
    }

    /// The pass of `key` ended. Returns when its next one is due, if one is wanted.
    ///
    /// `wrote` says whether the pass sent a write.
    pub fn finish(&mut self, key: &ObjectKey, verdict: Verdict, wrote: bool, now: Timestamp) -> Option<Timestamp> {
        self.notice_time(now);
        let wish = self.running.remove(key)?;
        self.leave_namespace(&key.namespace);
        if wrote {
            self.brake.note(key, now);
        }
        let own = self.judge(key, verdict, now);
        if self.asked_afresh.remove(key) {
            self.forgive(key);
        }
        let wish = wish.map(|wish| wish.max(self.earliest(key, now)));
        let due = match (own, wish) {
            (Some(own), Some(wish)) => own.min(wish),
            (own, wish) => own.or(wish)?,
        };
        let due = due.max(self.brake.earliest(key, now));
        self.place(key.clone(), due);
        Some(due)
    }

    /// When the next entry is due; in the past when one is due already. `None`: nothing is queued.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let ready = self.ready.values().filter_map(|keys| Some(keys.first_key_value()?.0.0)).min();
        let waiting = self.waiting.first_key_value().map(|((due, _), _)| *due);
        match (ready, waiting) {
            (Some(ready), Some(waiting)) => Some(ready.min(waiting)),
            (ready, waiting) => ready.or(waiting),
        }
    }

    /// Whether nothing runs and nothing is due at `now`.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.running.is_empty() && self.next_due().is_none_or(|due| due > now)
    }

    /// How many keys wait, due or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no key waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many keys have a pass now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How many times in a row the object has failed.
    #[must_use]
    pub fn failures(&self, key: &ObjectKey) -> u32 {
        self.troubles.get(key).map_or(0, |trouble| trouble.failures)
    }

    /// Turns a verdict into the next due time and keeps the object's record of failures.
    fn judge(&mut self, key: &ObjectKey, verdict: Verdict, now: Timestamp) -> Option<Timestamp> {
        match verdict {
            Verdict::Done => {
                self.troubles.remove(key);
                None
            }
            Verdict::DoneUntil(due) => {
                self.troubles.remove(key);
                // A time that has passed means soon, not a loop that never lets time pass (R22).
                Some(if due > now { due } else { after(now, self.limits.again) })
            }
            Verdict::Again => {
                let trouble = self.troubles.entry(key.clone()).or_default();
                trouble.agains += 1;
                if trouble.agains > self.limits.again_max {
                    return Some(self.fail(key, None, now));
                }
                // A change that arrives first is the one that was missed: from then on the race is open again (R11).
                trouble.not_before = None;
                Some(after(now, self.limits.again))
            }
            Verdict::Failed { after } => Some(self.fail(key, after, now)),
        }
    }

    fn fail(&mut self, key: &ObjectKey, asked: Option<Duration>, now: Timestamp) -> Timestamp {
        let trouble = self.troubles.entry(key.clone()).or_default();
        let doublings = trouble.failures.min(20);
        let backoff = self.limits.backoff_first.saturating_mul(1 << doublings).min(self.limits.backoff_max);
        trouble.failures = trouble.failures.saturating_add(1);
        let asked = asked.unwrap_or(Duration::ZERO);
        let change = backoff.min(self.limits.change_after_failure_max).max(asked);
        trouble.not_before = Some(after(now, change));
        trouble.asked = (!asked.is_zero()).then(|| after(now, asked));
        after(now, backoff.max(asked))
    }

    /// Forgets what failed before, but not how long the server asked to wait.
    fn forgive(&mut self, key: &ObjectKey) {
        let asked = self.troubles.remove(key).and_then(|trouble| trouble.asked);
        if asked.is_some() {
            self.troubles.insert(key.clone(), Trouble { not_before: asked, asked, ..Trouble::default() });
        }
    }

    /// The earliest time that backoff and brake allow `key`.
    fn earliest(&self, key: &ObjectKey, now: Timestamp) -> Timestamp {
        let backoff = self.troubles.get(key).and_then(|trouble| trouble.not_before);
        backoff.unwrap_or(now).max(self.brake.earliest(key, now))
    }

    /// Puts `key` into the queue at `due`, or moves its entry forward; never backward.
    fn place(&mut self, key: ObjectKey, due: Timestamp) {
        if let Some(place) = self.places.get(&key) {
            if place.ready || place.due <= due {
                return;
            }
            self.waiting.remove(&(place.due, place.sequence));
        }
        self.sequence += 1;
        let place = Place { due, sequence: self.sequence, ready: false };
        self.places.insert(key.clone(), place);
        self.waiting.insert((due, self.sequence), key);
    }

    /// Moves what is due from waiting to ready.
    fn promote(&mut self, now: Timestamp) {
        while let Some(first) = self.waiting.first_entry() {
            if first.key().0 > now {
                return;
            }
            let (at, key) = first.remove_entry();
            if let Some(place) = self.places.get_mut(&key) {
                place.ready = true;
            }
            let namespace = Arc::clone(&key.namespace);
            self.ready.entry(namespace).or_default().insert(at, key);
        }
    }

    /// The next namespace after the last served one that has a ready key and a free place.
    fn next_namespace(&self) -> Option<Arc<str>> {
        let free = |namespace: &&Arc<str>| {
            let running = self.running_in.get(*namespace).copied().unwrap_or(0);
            running < self.limits.per_namespace.max(1)
        };
        let from = self.turn.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.ready.range::<Arc<str>, _>((from, Bound::Unbounded));
        let mut candidates = later.chain(self.ready.iter()).map(|(namespace, _)| namespace);
        candidates.find(free).cloned()
    }

    fn leave_namespace(&mut self, namespace: &Arc<str>) {
        if let Some(running) = self.running_in.get_mut(namespace) {
            *running -= 1;
            if *running == 0 {
                self.running_in.remove(namespace);
            }
        }
    }

    /// A wall clock that was set back must not stretch delays: everything queued is due at once, which costs every object
    /// one pass that finds nothing to do, and relative delays are forgotten.
    fn notice_time(&mut self, now: Timestamp) {
        let latest = self.latest.unwrap_or(now);
        if after(now, CLOCK_STEP_BACK) >= latest {
            self.latest = Some(latest.max(now));
            return;
        }
        self.latest = Some(now);
        self.brake.forget();
        for trouble in self.troubles.values_mut() {
            trouble.not_before = None;
        }
        for wish in self.running.values_mut() {
            *wish = wish.map(|_| now);
        }
        for (_, key) in std::mem::take(&mut self.waiting) {
            self.places.remove(&key);
            self.place(key, now);
        }
    }
}
