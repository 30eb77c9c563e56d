//! What really happened to requests, beside what metrics say of it.
//!
//! Counts are exact and are never reset. At any time `arrived` is the sum of all the others.

use std::collections::BTreeMap;

use super::latency::{Lot, grid};

/// Requests by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub arrived: u64,
    /// Answered well.
    pub answered: u64,
    /// Answered with 500 by the pod.
    pub failed: u64,
    /// Refused with 503 by a pod that has too many.
    pub refused: u64,
    /// Given up by the gateway or the client.
    pub timed_out: u64,
    /// Cut off, because the containers ended or did not run.
    pub broken: u64,
    /// No rule takes them (404).
    pub unrouted: u64,
    /// Their share has no ready endpoint (503).
    pub unserved: u64,
    /// Their share has no valid backend (500).
    pub misrouted: u64,
    /// Not decided yet.
    pub waiting: u64,
}

impl Tally {
    /// All that has been decided or waits.
    pub fn accounted(&self) -> u64 {
        let Self { arrived: _, answered, failed, refused, timed_out, broken, unrouted, unserved, misrouted, waiting } = *self;
        answered + failed + refused + timed_out + broken + unrouted + unserved + misrouted + waiting
    }
}

/// The truth about all requests so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Of each demand, in the order in which they were given.
    pub demands: Vec<Tally>,
    /// Of each pod that ever got a request, as `namespace/name`, mirrored requests among them.
    pub pods: BTreeMap<String, Tally>,
    /// Outcomes of each pod's answers, by pod and name.
    pub outcomes: BTreeMap<(String, String), u64>,
    /// How long the requests of each pod took that it answered, well or not, or that were given up, in the cells of
    /// [`duration_bounds`]. Refusals and broken connections, which take no time, are not among them.
    pub durations: BTreeMap<String, Vec<u64>>,
}

impl Truth {
    /// Adds requests of a pod by how long they took.
    pub(super) fn took(&mut self, pod: &str, lot: &Lot) {
        if lot.count == 0 {
            return;
        }
        // A name is only copied when it is new.
        if !self.durations.contains_key(pod) {
            self.durations.insert(pod.to_owned(), vec![0; lot.cells.len()]);
        }
        let Some(cells) = self.durations.get_mut(pod) else { return };
        for (cell, count) in cells.iter_mut().zip(&lot.cells) {
            *cell += count;
        }
    }
}

/// The bounds of the cells in which durations are counted, in seconds and in order: cell `i` ends at bound `i`, and one more
/// cell has no end.
pub fn duration_bounds() -> &'static [f64] {
    grid()
}
