//! Holds every object to a number of writing passes per window of time.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

use crate::runtime::{
    clock::{after, until},
    key::ObjectKey,
};

/// Remembers the writing passes of the last window. Objects that wrote longer ago cost nothing.
#[derive(Debug)]
pub(super) struct Brake {
    passes: usize,
    window: Duration,
    writes: BTreeMap<ObjectKey, VecDeque<Timestamp>>,
    swept: Option<Timestamp>,
}

impl Brake {
    /// At most `passes` (at least 1) in any `window`.
    pub(super) fn new(passes: usize, window: Duration) -> Self {
        Self { passes: passes.max(1), window, writes: BTreeMap::new(), swept: None }
    }

    /// A pass of `key` that wrote ended at `now`.
    pub(super) fn note(&mut self, key: &ObjectKey, now: Timestamp) {
        self.sweep(now);
        let times = self.writes.entry(key.clone()).or_default();
        times.push_back(now);
        if times.len() > self.passes {
            times.pop_front();
        }
    }

    /// When the next pass of `key` may start: now, or when the oldest counted one has left the window.
    pub(super) fn earliest(&self, key: &ObjectKey, now: Timestamp) -> Timestamp {
        match self.writes.get(key) {
            Some(times) if times.len() >= self.passes => times.front().map_or(now, |oldest| after(*oldest, self.window).max(now)),
            _ => now,
        }
    }

    /// Forgets everything: the clock was set back.
    pub(super) fn forget(&mut self) {
        self.writes.clear();
        self.swept = None;
    }

    /// Once per window, drops the objects that wrote only before it.
    fn sweep(&mut self, now: Timestamp) {
        let since = self.swept.map_or(self.window, |swept| until(swept, now));
        if since < self.window {
            return;
        }
        self.swept = Some(now);
        let window = self.window;
        let recent = |time: &Timestamp| after(*time, window) > now;
        self.writes.retain(|_, times| times.back().is_some_and(recent));
    }
}
