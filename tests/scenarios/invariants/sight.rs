//! What there is of the cluster, and what of it the operator can know while a fault keeps news from it.
//!
//! Without such a fault an invariant is judged against the true store. With one it is judged against the newest view that was
//! delivered to the operator, for as long as the view is behind, and a second longer: what was decided on it may still be on
//! its way. What the operator wrote it knows by the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use modelward::sim::cluster::{Cluster, Commit};
use serde_json::Value;

use super::ours;

/// How long a decision made on an old view may be under way.
const GRACE: SignedDuration = SignedDuration::from_secs(1);

/// Objects, as somebody sees them.
pub trait Sight {
    /// One object; `resource` is `plural.group`, or the plural alone for the core group.
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// All objects of a resource, of one namespace or of all, by namespace and name.
    fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>>;
}

impl Sight for Cluster {
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        Self::get(self, resource, namespace, name)
    }

    fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        Self::list(self, resource, namespace)
    }
}

/// One write, as far as it matters here.
struct Written {
    revision: u64,
    place: (String, String),
    after: Option<Arc<Value>>,
    ours: bool,
}

/// A kind of which nothing new is delivered.
struct Lag {
    /// What was written at this revision or later is not delivered, unless the operator wrote it.
    from: u64,
    /// What the operator's present process wrote begins here.
    own_from: u64,
    /// When it is; `None`: not known yet.
    until: Option<Timestamp>,
}

/// What was delivered to the operator, kept as what was not.
#[derive(Default)]
pub struct Delivered {
    history: BTreeMap<String, Vec<Written>>,
    revision: u64,
    lagging: BTreeMap<String, Lag>,
    /// Writes of which the operator was never told, by resource and revision.
    hidden: Vec<(String, u64)>,
}

impl Delivered {
    /// Takes note of a write.
    pub fn see(&mut self, commit: &Commit) {
        self.revision = commit.revision;
        let place = (commit.namespace.clone(), commit.name.clone());
        let written = Written { revision: commit.revision, place, after: commit.after.clone(), ours: ours(commit) };
        self.history.entry(commit.resource.clone()).or_default().push(written);
    }

    /// From `revision` on nothing of a resource is delivered, until then; `None`: until [`Delivered::caught_up`].
    pub fn lags(&mut self, resource: &str, revision: u64, until: Option<Timestamp>) {
        self.lagging.insert(resource.to_owned(), Lag { from: revision, own_from: 0, until });
    }

    /// A new process of the operator is told nothing of a resource from `revision` on, until then: not what the one before it
    /// wrote, either.
    pub fn begins_behind(&mut self, resource: &str, revision: u64, until: Timestamp) {
        self.lagging.insert(resource.to_owned(), Lag { from: revision, own_from: self.revision + 1, until: Some(until) });
    }

    /// From now on nothing of a resource is delivered, until [`Delivered::caught_up`].
    pub fn stops(&mut self, resource: &str) {
        self.lags(resource, self.revision + 1, None);
    }

    /// Everything of a resource was delivered at `now`, if nobody knew when it would.
    pub fn caught_up(&mut self, resource: &str, now: Timestamp) {
        if let Some(lag) = self.lagging.get_mut(resource) {
            lag.until.get_or_insert(now);
        }
    }

    /// One write is never delivered, until [`Delivered::shows`] or a later write of the same object.
    pub fn hides(&mut self, resource: &str, revision: u64) {
        self.hidden.push((resource.to_owned(), revision));
    }

    /// What was hidden of a resource is delivered after all.
    pub fn shows(&mut self, resource: &str) {
        self.hidden.retain(|(hidden, _)| hidden != resource);
    }

    /// The revision before which a resource lacks its last `changes` changes.
    pub fn revision_behind(&self, resource: &str, changes: usize) -> u64 {
        let history = self.history.get(resource).map_or(&[][..], Vec::as_slice);
        history.get(history.len().saturating_sub(changes)).map_or(self.revision + 1, |written| written.revision)
    }

    /// Whether something that was written is not known to the operator at `now`, or was not until a moment ago.
    pub fn is_behind(&self, now: Timestamp) -> bool {
        !self.hidden.is_empty() || self.lagging.values().any(|lag| lag.is_on(now))
    }

    /// Whether it has just been told: what it does now may rest on either.
    pub fn has_just_caught_up(&self, now: Timestamp) -> bool {
        self.hidden.is_empty() && self.lagging.values().all(|lag| lag.until.is_some_and(|until| until <= now))
    }

    /// Whether the operator can know at `now` what was last written to an object.
    pub fn knows(&self, resource: &str, place: &(String, String), now: Timestamp) -> bool {
        let written = |written: &&Written| written.place == *place;
        let last = self.history.get(resource).into_iter().flatten().rfind(written);
        let late = |written: &Written| self.lagging.get(resource).is_some_and(|lag| lag.is_on(now) && written.is_kept_by(lag));
        last.is_none_or(|last| !late(last) && !self.hidden.iter().any(|hidden| *hidden == (resource.to_owned(), last.revision)))
    }

    /// What the operator can know at `now`.
    pub fn view<'a>(&'a self, cluster: &'a Cluster, now: Timestamp) -> View<'a> {
        View { delivered: self, cluster, now }
    }

    /// The objects of a resource as the operator knows them; `None`: as they are.
    fn objects(&self, resource: &str, now: Timestamp) -> Option<BTreeMap<(String, String), Arc<Value>>> {
        let lag = self.lagging.get(resource).filter(|lag| lag.is_on(now));
        if lag.is_none() && !self.hidden.iter().any(|(hidden, _)| hidden == resource) {
            return None;
        }
        let mut objects = BTreeMap::new();
        let known = |written: &&Written| {
            let late = lag.is_some_and(|lag| written.is_kept_by(lag));
            !late && !self.hidden.iter().any(|(hidden, revision)| hidden == resource && *revision == written.revision)
        };
        for written in self.history.get(resource).into_iter().flatten().filter(known) {
            match &written.after {
                Some(after) => drop(objects.insert(written.place.clone(), Arc::clone(after))),
                None => drop(objects.remove(&written.place)),
            }
        }
        Some(objects)
    }
}

impl Written {
    fn is_kept_by(&self, lag: &Lag) -> bool {
        self.revision >= lag.from && !(self.ours && self.revision >= lag.own_from)
    }
}

impl Lag {
    fn is_on(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now <= until + GRACE)
    }
}

/// See [`Delivered::view`].
pub struct View<'a> {
    delivered: &'a Delivered,
    cluster: &'a Cluster,
    now: Timestamp,
}

impl Sight for View<'_> {
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        match self.delivered.objects(resource, self.now) {
            Some(objects) => objects.get(&(namespace.to_owned(), name.to_owned())).cloned(),
            None => self.cluster.get(resource, namespace, name),
        }
    }

    fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let Some(objects) = self.delivered.objects(resource, self.now) else { return self.cluster.list(resource, namespace) };
        let inside = objects.into_iter().filter(|((place, _), _)| namespace.is_none_or(|namespace| place == namespace));
        inside.map(|(_, object)| object).collect()
    }
}
