//! Looks of autoscalers that would find what the last one found, and do nothing again.
//!
//! A look follows from the autoscaler, its target, the pods that it selects, their samples, what it remembers, and the time. Takes
//! what a look was made of that did nothing and by which time counts through its memory only; says whether the next look is made
//! of the same, and lets it remember its recommendation then, as it would have. Whoever keeps it says when pods change. Writes
//! nothing to the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::limits::{Limited, Wanted, limit};
use super::memory::Memory;
use crate::sim::actors::object::{name, namespace};
use crate::sim::cluster::Cluster;
use crate::sim::metrics_api::Measured;

/// What a look was made of, but for the pods, and what it found.
#[derive(Clone, Debug)]
pub struct Settled {
    autoscaler: Arc<Value>,
    resource: String,
    target: Arc<Value>,
    measured: Measured,
    /// Replicas that the metrics ask for, those that there are, and the least.
    replicas: (i64, i64, i64),
    limited: Limited,
}

impl Settled {
    /// Of a look that did nothing but write its status; `target` is the resource and the object.
    pub fn new(
        autoscaler: &Arc<Value>,
        target: (&str, Arc<Value>),
        measured: Measured,
        replicas: (i64, i64, i64),
        limited: Limited,
    ) -> Self {
        let (resource, target) = (target.0.to_owned(), target.1);
        Self { autoscaler: Arc::clone(autoscaler), resource, target, measured, replicas, limited }
    }

    /// The same with the autoscaler as it is now that its status was written.
    pub fn of(self, autoscaler: Arc<Value>) -> Self {
        Self { autoscaler, ..self }
    }
}

/// By key of the autoscaler.
#[derive(Debug, Default)]
pub struct SettledLooks(BTreeMap<String, Settled>);

impl SettledLooks {
    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps what a look was made of.
    pub fn keep(&mut self, key: &str, settled: Settled) {
        self.0.insert(key.to_owned(), settled);
    }

    /// The next look of an autoscaler is a whole one.
    pub fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// The next look of every autoscaler is a whole one.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Looks again, if everything is as it was: the recommendation is remembered. Gives whether the same metrics would change
    /// something later, as a whole look does; none: a whole look is due, and nothing has happened.
    pub fn again(
        &self,
        key: &str,
        autoscaler: &Arc<Value>,
        measured: Option<Measured>,
        memory: &mut Memory,
        cluster: &Cluster,
    ) -> Option<bool> {
        let known = self.0.get(key)?;
        if Some(known.measured) != measured || !Arc::ptr_eq(&known.autoscaler, autoscaler) {
            return None;
        }
        let target = cluster.get(&known.resource, namespace(&known.target), name(&known.target))?;
        if !Arc::ptr_eq(&target, &known.target) {
            return None;
        }
        let (desired, current, least) = known.replicas;
        let before = memory.clone();
        let wanted = Wanted { spec: &autoscaler["spec"], current, desired, least, now: cluster.now() };
        let limited = limit(&wanted, memory);
        if limited == known.limited {
            return Some(limited.is_pending());
        }
        *memory = before;
        None
    }
}
