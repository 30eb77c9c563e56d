//! What an autoscaler remembers between its looks: its recommendations, and by how much it scaled when.
//!
//! As in the real controller it is memory only, and a place is used again when what it holds is too old.

use jiff::{SignedDuration, Timestamp};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    recommendations: Vec<(i64, Timestamp)>,
    ups: Vec<Change>,
    downs: Vec<Change>,
}

/// By how many replicas it scaled, and when.
#[derive(Clone, Copy, Debug)]
struct Change {
    replicas: i64,
    at: Timestamp,
    outdated: bool,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More replicas.
    Up,
    /// Fewer.
    Down,
}

impl Memory {
    /// The first look counts as a recommendation of what is there.
    pub fn begin(&mut self, current: i64, now: Timestamp) {
        if self.recommendations.is_empty() {
            self.recommendations.push((current, now));
        }
    }

    /// The recommendations that are remembered, old ones too.
    pub fn recommendations(&self) -> impl Iterator<Item = (i64, Timestamp)> {
        self.recommendations.iter().copied()
    }

    /// Remembers a recommendation in the place of one for which `is_old` holds.
    pub fn recommend(&mut self, replicas: i64, now: Timestamp, is_old: impl Fn(Timestamp) -> bool) {
        match self.recommendations.iter_mut().rev().find(|(_, at)| is_old(*at)) {
            Some(old) => *old = (replicas, now),
            None => self.recommendations.push((replicas, now)),
        }
    }

    /// By how many replicas it scaled in the last seconds.
    pub fn changed_within(&self, direction: Direction, seconds: i64, now: Timestamp) -> i64 {
        let changes = if direction == Direction::Up { &self.ups } else { &self.downs };
        let cutoff = now - SignedDuration::from_secs(seconds);
        changes.iter().filter(|change| change.at > cutoff).map(|change| change.replicas).sum()
    }

    /// Remembers a change; those older than `longest` seconds are of no use to any policy.
    pub fn changed(&mut self, direction: Direction, replicas: i64, longest: i64, now: Timestamp) {
        let changes = if direction == Direction::Up { &mut self.ups } else { &mut self.downs };
        let cutoff = now - SignedDuration::from_secs(longest);
        for change in changes.iter_mut().filter(|change| change.at < cutoff) {
            change.outdated = true;
        }
        let change = Change { replicas, at: now, outdated: false };
        match changes.iter_mut().rev().find(|change| change.outdated) {
            Some(old) => *old = change,
            None => changes.push(change),
        }
    }
}
