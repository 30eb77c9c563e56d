//! From commits to lines: what a person wants to know of a release, and nothing twice.
//!
//! Takes the commits of a cluster in order; gives lines in order of time. Writes to one object by one author within a moment
//! are told as one. Shown are: what users ask for, changes of custom resources (printed columns, conditions, weights of
//! routes), Events about them, how many pods of a workload are ready, and what keeps pods and nodes from working. Pure.

mod custom;
mod event;
mod pod;
mod told;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::told::{Told, Usual};
use super::difference;
use super::line::{Changed, Line, Topic};
use crate::sim::cluster::{Change, Commit};
use crate::sim::kinds::{Kinds, Resource};
use crate::sim::world::play::Happening;

/// Writes this close to each other are told as one.
const MOMENT: SignedDuration = SignedDuration::from_secs(1);
/// Changed fields that are told of one request.
const TOLD_FIELDS_MAX: usize = 4;

/// Where something stands in the order of telling: its time, then the world's own doing before what follows from it, then as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: Timestamp,
    follows: bool,
    sequence: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Timeline {
    start: Timestamp,
    user: String,
    sequence: u64,
    /// By the time of their first write.
    open: BTreeMap<Place, Entry>,
    places: BTreeMap<Subject, Place>,
    told: Told,
}

/// Whose writes to what are told together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    resource: String,
    namespace: String,
    name: String,
    by: String,
}

/// What waits to be told.
#[derive(Debug)]
enum Entry {
    /// Writes, to which more may be added.
    Episode(Episode),
    /// Something that is complete.
    Line(Line),
}

/// The writes of a moment to one object by one author.
#[derive(Debug)]
struct Episode {
    subject: Subject,
    resource: Arc<Resource>,
    /// A user wrote, not a component.
    requested: bool,
    before: Option<Arc<Value>>,
    after: Option<Arc<Value>>,
    last: Arc<Value>,
}

impl Timeline {
    /// A timeline that counts from `start`; `user` is the name under which the world's user writes.
    pub fn new(start: Timestamp, user: &str) -> Self {
        let (open, places) = (BTreeMap::new(), BTreeMap::new());
        Self { start, user: user.to_owned(), sequence: 0, open, places, told: Told::default() }
    }

    /// Takes the next commit.
    pub fn notice(&mut self, commit: &Commit, kinds: &Kinds) {
        let Some(resource) = kinds.by_key(&commit.resource) else { return };
        let Some(last) = commit.after.as_ref().or(commit.before.as_ref()) else { return };
        let requested = commit.who.user == self.user;
        let by = if requested { self.user.clone() } else { commit.manager.clone() };
        if resource.custom {
            self.told.add_custom(resource.api_version(), resource.kind.clone());
        }
        let subject = Subject { resource: commit.resource.clone(), namespace: commit.namespace.clone(), name: commit.name.clone(), by };
        let open = self.places.get(&subject).copied().filter(|place| commit.at.duration_since(place.at) < MOMENT);
        if let Some(Entry::Episode(episode)) = open.and_then(|place| self.open.get_mut(&place)) {
            episode.after.clone_from(&commit.after);
            episode.last = Arc::clone(last);
            return;
        }
        let before = commit.before.clone().filter(|_| commit.change != Change::Added);
        let (resource, last, after) = (Arc::clone(resource), Arc::clone(last), commit.after.clone());
        let place = self.place(commit.at, true);
        self.places.insert(subject.clone(), place);
        self.open.insert(place, Entry::Episode(Episode { subject, resource, requested, before, after, last }));
    }

    /// Takes something that the world did.
    pub fn happened(&mut self, happening: &Happening) {
        let Happening { at, namespace, object, what, why } = happening.clone();
        let at_start = at.duration_since(self.start);
        let (by, changes) = ("world".to_owned(), Vec::new());
        let (topic, warning, repetitions_left_out) = (Topic::World, true, false);
        let line = Line { at: at_start, topic, namespace, object, what, why, by, warning, changes, repetitions_left_out };
        let place = self.place(at, false);
        self.open.insert(place, Entry::Line(line));
    }

    fn place(&mut self, at: Timestamp, follows: bool) -> Place {
        self.sequence += 1;
        Place { at, follows, sequence: self.sequence }
    }

    /// The lines of everything that is over at `now`.
    pub fn told_until(&mut self, now: Timestamp) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(entry) = self.open.first_entry().filter(|entry| now.duration_since(entry.key().at) >= MOMENT) {
            match entry.remove_entry() {
                (_, Entry::Line(line)) => lines.push(line),
                (place, Entry::Episode(episode)) => {
                    if self.places.get(&episode.subject) == Some(&place) {
                        self.places.remove(&episode.subject);
                    }
                    lines.extend(self.tell(place.at, &episode));
                }
            }
        }
        lines
    }

    /// The lines of everything that is left.
    pub fn rest(&mut self) -> Vec<Line> {
        self.told_until(Timestamp::MAX)
    }

    fn tell(&mut self, at: Timestamp, episode: &Episode) -> Option<Line> {
        if episode.requested {
            let line = request(episode)?;
            return Some(Line { at: at.duration_since(self.start), ..line });
        }
        let (line, usual) = match episode.subject.resource.as_str() {
            "events" => event::tell(episode, &self.told),
            "pods" => pod::tell(episode),
            "nodes" => workload::tell_node(episode),
            "deployments.apps" | "statefulsets.apps" | "daemonsets.apps" => workload::tell(episode),
            "customresourcedefinitions.apiextensions.k8s.io" => None,
            _ if episode.resource.custom => custom::tell(episode, at),
            _ => None,
        }?;
        self.told.unless_repeated(Line { at: at.duration_since(self.start), ..line }, &usual)
    }
}

impl Episode {
    /// A line about the object, without time and words.
    fn line(&self, topic: Topic) -> Line {
        Line {
            at: SignedDuration::ZERO,
            topic,
            namespace: self.subject.namespace.clone(),
            object: self.object(),
            what: String::new(),
            why: String::new(),
            by: self.subject.by.clone(),
            warning: false,
            changes: Vec::new(),
            repetitions_left_out: false,
        }
    }

    fn object(&self) -> String {
        format!("{}/{}", self.resource.singular, self.subject.name)
    }

    /// It came and went within the moment.
    fn came_and_went(&self) -> bool {
        self.before.is_none() && self.after.is_none()
    }
}

/// What a user asked for.
fn request(episode: &Episode) -> Option<Line> {
    let mut line = episode.line(Topic::Request);
    match (&episode.before, &episode.after) {
        (None, None) => return None,
        (None, Some(_)) => line.what = format!("created by {}", line.by),
        (Some(_), None) => line.what = format!("deleted by {}", line.by),
        (Some(before), Some(after))
            if before["metadata"].get("deletionTimestamp").is_none() && after["metadata"].get("deletionTimestamp").is_some() =>
        {
            line.what = format!("deletion asked for by {}", line.by);
        }
        (Some(before), Some(after)) => {
            line.changes = requested_changes(before, after);
            if line.changes.is_empty() {
                return None;
            }
            line.what = format!("changed by {}", line.by);
            line.why = say_all(&line.changes);
        }
    }
    Some(line)
}

/// Everything but what the server keeps by itself.
fn requested_changes(before: &Value, after: &Value) -> Vec<Changed> {
    let mut changed = Vec::new();
    let none = serde_json::json!({});
    let of = |object: &Value, part: &str| object["metadata"].get(part).unwrap_or(&none).clone();
    for part in ["annotations", "labels"] {
        changed.extend(difference::fields(&of(before, part), &of(after, part), part));
    }
    let empty = serde_json::Map::new();
    let (old, new) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    for name in names.into_iter().filter(|name| !matches!(name.as_str(), "metadata" | "status" | "apiVersion" | "kind")) {
        changed.extend(difference::fields(&before[name], &after[name], name));
    }
    changed
}

fn say_all(changes: &[Changed]) -> String {
    let mut said: Vec<String> = changes.iter().take(TOLD_FIELDS_MAX).map(difference::say).collect();
    if changes.len() > TOLD_FIELDS_MAX {
        said.push(format!("and {} more", changes.len() - TOLD_FIELDS_MAX));
    }
    said.join(", ")
}

#[cfg(test)]
mod tests;
