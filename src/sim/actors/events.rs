//! The recorder of Events: counted, gathered and limited as client-go does it, so that a busy object does not flood.
//!
//! Takes what a component has to say of an object; writes `events`. Equal events raise a count; the tenth and later of one
//! reason within 10 minutes are gathered into one; one object gets 25 at once, then one per 5 minutes. Never fails: an
//! Event that cannot be written is lost, as in a real cluster.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::Client;
use super::object::{micros_text, name, namespace, seconds_text, text, uid};
use crate::sim::cluster::Cluster;

/// Different messages of one reason that are written one by one.
const GATHER_AFTER: usize = 10;
/// Seconds after which gathering begins anew.
const GATHER_SECONDS: i64 = 600;
/// Events that one object gets at once.
const BURST: f64 = 25.0;
/// Seconds until it gets another.
const REFILL_SECONDS: f64 = 300.0;
/// Objects that are remembered; the longest silent ones are forgotten first.
const REMEMBERED_MAX: usize = 4096;

/// What is said of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// `Normal` or `Warning`.
    pub kind: &'static str,
    /// Reason in CamelCase.
    pub reason: &'static str,
    /// Sentence for people.
    pub message: String,
    /// For events of a part, such as `spec.containers{web}`; else empty.
    pub field_path: String,
}

impl Note {
    /// A normal event.
    pub fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind: "Normal", reason, message: message.into(), field_path: String::new() }
    }

    /// A warning.
    pub fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind: "Warning", ..Self::normal(reason, message) }
    }

    /// About a container.
    pub fn of_container(self, container: &str) -> Self {
        Self { field_path: format!("spec.containers{{{container}}}"), ..self }
    }
}

/// What is remembered of one object.
#[derive(Clone, Debug, Default)]
struct Memory {
    tokens: f64,
    since: Timestamp,
    /// Messages by kind, reason and path, with the time of the last.
    gathered: BTreeMap<(String, String, String), (BTreeSet<String>, Timestamp)>,
    /// Names and counts of written Events by kind, reason, path and message.
    written: BTreeMap<(String, String, String, String), (String, i64)>,
}

/// One component's recorder.
#[derive(Clone, Debug)]
pub struct Recorder {
    component: &'static str,
    /// The node, for events of a kubelet.
    host: String,
    client: Client,
    enabled: bool,
    memories: BTreeMap<String, Memory>,
    serial: u64,
}

impl Recorder {
    /// The recorder of a component that writes as `client`.
    pub fn new(component: &'static str, client: Client) -> Self {
        Self { component, host: String::new(), client, enabled: true, memories: BTreeMap::new(), serial: 0 }
    }

    /// Switches Events off (or on again): what is recorded meanwhile is lost.
    pub fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Says something of an object, on behalf of a node.
    pub fn record_from(&mut self, cluster: &mut Cluster, host: &str, subject: &Value, note: Note) {
        self.host.clear();
        self.host.push_str(host);
        self.record(cluster, subject, note);
        self.host.clear();
    }

    /// Says something of an object.
    pub fn record(&mut self, cluster: &mut Cluster, subject: &Value, mut note: Note) {
        if !self.enabled {
            return;
        }
        let now = cluster.now();
        let place = if namespace(subject).is_empty() { "default" } else { namespace(subject) }.to_owned();
        let memory = remembered(&mut self.memories, uid(subject), now);
        let gathered = memory.gather(&mut note, now);
        if !memory.take_token(now) {
            return;
        }
        let said = if gathered { String::new() } else { note.message.clone() };
        let id = (note.kind.to_owned(), note.reason.to_owned(), note.field_path.clone(), said);
        if let Some((event, count)) = memory.written.get_mut(&id) {
            *count += 1;
            let patch = json!({ "count": *count, "lastTimestamp": seconds_text(now), "message": note.message });
            let event = json!({ "metadata": { "namespace": place, "name": event } });
            if let Some(live) = cluster.get("events", &place, name(&event)) {
                drop(self.client.merge(cluster, "events", &live, patch));
                return;
            }
        }
        self.serial += 1;
        let called = format!("{}.{:x}", name(subject), now.as_nanosecond() + i128::from(self.serial));
        memory.written.insert(id, (called.clone(), 1));
        let event = self.event(subject, &note, &place, &called, now);
        drop(self.client.create(cluster, "events", &place, event));
    }

    fn event(&self, subject: &Value, note: &Note, place: &str, called: &str, now: Timestamp) -> Value {
        let mut involved = json!({
            "apiVersion": text(subject, &["apiVersion"]), "kind": text(subject, &["kind"]), "name": name(subject),
            "uid": uid(subject), "resourceVersion": text(subject, &["metadata", "resourceVersion"]),
        });
        for (field, value) in [("namespace", namespace(subject)), ("fieldPath", &note.field_path)] {
            if !value.is_empty() {
                involved[field] = json!(value);
            }
        }
        let mut event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": called, "namespace": place },
            "involvedObject": involved, "type": note.kind, "reason": note.reason, "message": note.message,
            "source": { "component": self.component }, "reportingComponent": self.component, "reportingInstance": self.host,
        });
        if !self.host.is_empty() {
            event["source"]["host"] = json!(self.host);
        }
        // The scheduler speaks the newer events API, which has a time and an action instead of count and range.
        if self.component == "default-scheduler" {
            event["eventTime"] = json!(micros_text(now));
            event["action"] = json!(if note.kind == "Normal" { "Binding" } else { "Scheduling" });
            event["source"] = json!({});
            event["reportingInstance"] = json!("default-scheduler-simulated");
        } else {
            event["count"] = json!(1);
            event["firstTimestamp"] = json!(seconds_text(now));
            event["lastTimestamp"] = json!(seconds_text(now));
        }
        event
    }
}

/// The memory of an object; the memory as a whole stays bounded.
fn remembered<'a>(memories: &'a mut BTreeMap<String, Memory>, uid: &str, now: Timestamp) -> &'a mut Memory {
    if memories.len() >= REMEMBERED_MAX && !memories.contains_key(uid) {
        let oldest = memories.iter().min_by_key(|(_, memory)| memory.since).map(|(uid, _)| uid.clone());
        oldest.map(|oldest| memories.remove(&oldest));
    }
    let fresh = || Memory { tokens: BURST, since: now, ..Memory::default() };
    memories.entry(uid.to_owned()).or_insert_with(fresh)
}

impl Memory {
    /// Makes one event out of many that differ only in the message; gives whether it did.
    fn gather(&mut self, note: &mut Note, now: Timestamp) -> bool {
        let id = (note.kind.to_owned(), note.reason.to_owned(), note.field_path.clone());
        let (messages, last) = self.gathered.entry(id).or_insert_with(|| (BTreeSet::new(), now));
        if now.as_second() - last.as_second() > GATHER_SECONDS {
            messages.clear();
        }
        *last = now;
        messages.insert(note.message.clone());
        let gathered = messages.len() >= GATHER_AFTER;
        if gathered {
            messages.pop_first();
            note.message = format!("(combined from similar events): {}", note.message);
        }
        gathered
    }

    fn take_token(&mut self, now: Timestamp) -> bool {
        let elapsed = (now.as_second() - self.since.as_second()) as f64;
        self.since = now;
        self.tokens = (self.tokens + elapsed / REFILL_SECONDS).min(BURST);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}
