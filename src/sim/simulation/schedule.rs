//! What the actors of a simulation will do, and when.
//!
//! Takes keys with times; gives them back in order of time, then of the actor, then of entry. Never holds two entries for
//! one key of one actor: the earlier one stays, because actors look at what is, not at what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::sim::draw::Draws;

/// How long an actor takes to notice a change: `least` plus a drawn part of `spread`.
///
/// With a spread, actors overtake each other differently from seed to seed, as their real counterparts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// The shortest time.
    pub least: SignedDuration,
    /// What may be added to it.
    pub spread: SignedDuration,
}

impl Reaction {
    /// Actors act in the microsecond after the change. (Not in the same instant: time has to move, whatever they do.)
    pub const INSTANT: Self = Self { least: SignedDuration::from_micros(1), spread: SignedDuration::ZERO };
}

impl Default for Reaction {
    /// 2 to 12 ms: a watch event on an idle control plane.
    fn default() -> Self {
        Self { least: SignedDuration::from_millis(2), spread: SignedDuration::from_millis(10) }
    }
}

/// Place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    at: Timestamp,
    actor: u8,
    sequence: u64,
}

/// The ordered queue of all actors.
#[derive(Debug)]
pub struct Schedule {
    now: Timestamp,
    draws: Draws,
    reaction: Reaction,
    /// The actor whose keys are being entered.
    actor: u8,
    sequence: u64,
    queue: BTreeMap<Slot, Arc<str>>,
    slots: BTreeMap<(u8, Arc<str>), Slot>,
    /// Entries that are looks in passing: as far as their actors know, they will find nothing to do.
    polls: BTreeSet<(u8, Arc<str>)>,
}

impl Schedule {
    /// An empty schedule at a time.
    pub fn new(draws: Draws, now: Timestamp, reaction: Reaction) -> Self {
        Self { now, draws, reaction, actor: 0, sequence: 0, queue: BTreeMap::new(), slots: BTreeMap::new(), polls: BTreeSet::new() }
    }

    /// The actor that enters keys from here on.
    pub(super) fn set_actor(&mut self, actor: u8) {
        self.actor = actor;
    }

    /// Follows the virtual time.
    pub(super) fn set_now(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Enters a key at a time (the past is now); an earlier entry of the key stays.
    pub fn at(&mut self, at: Timestamp, key: &str) {
        let id = (self.actor, Arc::<str>::from(key));
        self.polls.remove(&id);
        self.enter(at, id);
    }

    /// Enters a key after a delay for a look in passing: it does not keep the cluster from being quiet. An entry of the key
    /// that is not in passing stays one.
    pub fn poll(&mut self, delay: SignedDuration, key: &str) {
        let id = (self.actor, Arc::<str>::from(key));
        if !self.slots.contains_key(&id) {
            self.polls.insert(id.clone());
        }
        self.enter(self.now.saturating_add(delay).unwrap_or(Timestamp::MAX), id);
    }

    fn enter(&mut self, at: Timestamp, id: (u8, Arc<str>)) {
        let at = at.max(self.now);
        if let Some(slot) = self.slots.get(&id) {
            if slot.at <= at {
                return;
            }
            self.queue.remove(slot);
        }
        let slot = Slot { at, actor: self.actor, sequence: self.sequence };
        self.sequence += 1;
        self.queue.insert(slot, Arc::clone(&id.1));
        self.slots.insert(id, slot);
    }

    /// Enters a key after a delay.
    pub fn after(&mut self, delay: SignedDuration, key: &str) {
        self.at(self.now.saturating_add(delay).unwrap_or(Timestamp::MAX), key);
    }

    /// Enters a key after the time that it takes to notice a change.
    pub fn soon(&mut self, key: &str) {
        let delay = self.reaction_time(key);
        self.after(delay, key);
    }

    fn reaction_time(&self, key: &str) -> SignedDuration {
        if self.reaction.spread.is_zero() {
            return self.reaction.least.max(SignedDuration::from_micros(1));
        }
        let identity = format!("{}/{key}", self.actor);
        let instant = u64::try_from(self.now.as_nanosecond().unsigned_abs() & u128::from(u64::MAX)).unwrap_or(0);
        let share = self.draws.fraction("reaction", &identity, instant);
        self.reaction.least + SignedDuration::from_secs_f64(self.reaction.spread.as_secs_f64() * share)
    }

    /// Drops the entry of a key.
    pub fn cancel(&mut self, key: &str) {
        let id = (self.actor, Arc::from(key));
        self.polls.remove(&id);
        if let Some(slot) = self.slots.remove(&id) {
            self.queue.remove(&slot);
        }
    }

    /// When the first entry is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.queue.first_key_value().map(|(slot, _)| slot.at)
    }

    /// Takes the first entry that is due at `now` or before: its actor and key.
    pub(super) fn pop(&mut self) -> Option<(u8, Arc<str>)> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().at <= self.now)?;
        let (slot, key) = entry.remove_entry();
        let id = (slot.actor, key);
        self.slots.remove(&id);
        self.polls.remove(&id);
        Some(id)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Nothing will be done any more.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Nothing will be done any more but looks in passing.
    pub fn is_quiet(&self) -> bool {
        self.queue.len() == self.polls.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn schedule() -> Schedule {
        Schedule::new(Draws::new(1), second(10), Reaction::default())
    }

    fn keys(schedule: &mut Schedule, now: i64) -> Vec<(u8, String)> {
        schedule.set_now(second(now));
        std::iter::from_fn(|| schedule.pop().map(|(actor, key)| (actor, key.to_string()))).collect()
    }

    #[test]
    fn entries_come_by_time_then_actor_then_order_of_entry() {
        let mut schedule = schedule();
        schedule.set_actor(2);
        schedule.at(second(20), "b");
        schedule.at(second(20), "a");
        schedule.at(second(15), "c");
        schedule.set_actor(1);
        schedule.at(second(20), "d");
        assert_eq!(schedule.next_due(), Some(second(15)));
        let expected = [(2, "c"), (1, "d"), (2, "b"), (2, "a")].map(|(actor, key)| (actor, key.to_owned()));
        assert_eq!(keys(&mut schedule, 20), expected);
        assert!(schedule.is_empty());
    }

    #[test]
    fn the_earlier_entry_of_a_key_stays() {
        let mut schedule = schedule();
        schedule.at(second(20), "a");
        schedule.at(second(30), "a");
        schedule.at(second(15), "a");
        assert_eq!((schedule.len(), schedule.next_due()), (1, Some(second(15))));
        schedule.cancel("a");
        assert!(schedule.is_empty());
    }

    #[test]
    fn looks_in_passing_leave_the_schedule_quiet_until_something_else_is_entered() {
        let mut schedule = schedule();
        let quarter = SignedDuration::from_secs(15);
        schedule.poll(quarter, "a");
        assert!(schedule.is_quiet() && !schedule.is_empty());
        schedule.after(quarter * 2, "a");
        assert!(!schedule.is_quiet());
        assert_eq!(schedule.next_due(), Some(second(25)), "the earlier entry stays, and counts now");
        schedule.poll(quarter, "a");
        assert!(!schedule.is_quiet());
        assert_eq!(keys(&mut schedule, 25), [(0, "a".to_owned())]);
        assert!(schedule.is_quiet() && schedule.is_empty());
        schedule.poll(quarter, "b");
        schedule.cancel("b");
        assert!(schedule.is_quiet() && schedule.is_empty());
    }

    #[test]
    fn the_past_is_now() {
        let mut schedule = schedule();
        schedule.at(second(1), "a");
        assert_eq!(schedule.next_due(), Some(second(10)));
    }

    #[test]
    fn reactions_are_drawn_and_the_same_for_the_same_seed() {
        let due = |seed: u64| {
            let mut schedule = Schedule::new(Draws::new(seed), second(10), Reaction::default());
            schedule.soon("a");
            schedule.next_due().unwrap()
        };
        assert_eq!(due(1), due(1));
        assert_ne!(due(1), due(2));
        let (least, most) = (second(10) + SignedDuration::from_millis(2), second(10) + SignedDuration::from_millis(12));
        assert!((least..=most).contains(&due(3)));
    }
}
