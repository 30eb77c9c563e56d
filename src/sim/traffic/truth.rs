//! What really happened to requests, beside what metrics say of it.
//!
//! Counts are exact and are never reset. At any time `arrived` is the sum of all the others.

use std::collections::BTreeMap;

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
}
