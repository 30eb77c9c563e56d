//! Lists of status conditions, edited as the built-in controllers edit them.
//!
//! Takes a list of condition objects; gives the edited list. Never touches a condition whose status and reason are the
//! same: its message and times then stay as they were. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::object::{seconds_text, text};

/// A condition to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its type, such as `Available`.
    pub kind: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// Reason in CamelCase; may be empty.
    pub reason: String,
    /// Sentence for people.
    pub message: String,
}

impl Condition {
    /// A condition from its parts.
    pub fn new(kind: &'static str, status: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, status, reason: reason.into(), message: message.into() }
    }
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Value], kind: &str) -> Option<&'a Value> {
    conditions.iter().find(|condition| text(condition, &["type"]) == kind)
}

/// Drops the condition of a type.
pub fn remove(conditions: &mut Vec<Value>, kind: &str) {
    conditions.retain(|condition| text(condition, &["type"]) != kind);
}

/// Workload style: a changed condition moves to the end, and keeps its transition time unless the status changed.
///
/// `update_time` adds `lastUpdateTime`, which Deployments have and ReplicaSets do not.
pub fn set_workload(conditions: &mut Vec<Value>, condition: &Condition, now: Timestamp, update_time: bool) {
    let current = find(conditions, condition.kind);
    if current.is_some_and(|current| is_same(current, condition)) {
        return;
    }
    let kept = current.filter(|current| text(current, &["status"]) == condition.status);
    let transition = kept.map_or_else(|| seconds_text(now), |kept| text(kept, &["lastTransitionTime"]).to_owned());
    let written = workload_entry(condition, &transition, update_time.then_some(now));
    remove(conditions, condition.kind);
    conditions.push(written);
}

/// The wire form of a workload condition.
pub fn workload_entry(condition: &Condition, transition: &str, updated: Option<Timestamp>) -> Value {
    let mut entry = json!({
        "type": condition.kind, "status": condition.status, "reason": condition.reason,
        "message": condition.message, "lastTransitionTime": transition,
    });
    if let Some(updated) = updated {
        entry["lastUpdateTime"] = json!(seconds_text(updated));
    }
    entry
}

/// `metav1.Condition` style: edited in place, with the generation it was decided for. Gives whether anything changed.
pub fn set_in_place(conditions: &mut Vec<Value>, condition: &Condition, generation: Option<i64>, now: Timestamp) -> bool {
    if find(conditions, condition.kind).is_some_and(|current| says(current, condition, generation)) {
        return false;
    }
    let mut written = json!({
        "type": condition.kind, "status": condition.status, "reason": condition.reason,
        "message": condition.message, "lastTransitionTime": seconds_text(now),
    });
    if let Some(generation) = generation {
        written["observedGeneration"] = json!(generation);
    }
    let Some(current) = conditions.iter_mut().find(|current| text(current, &["type"]) == condition.kind) else {
        conditions.push(written);
        return true;
    };
    if text(current, &["status"]) == condition.status {
        written["lastTransitionTime"] = current["lastTransitionTime"].clone();
    }
    let changed = *current != written;
    *current = written;
    changed
}

/// The condition says exactly this, since whenever.
fn says(current: &Value, wanted: &Condition, generation: Option<i64>) -> bool {
    let words = text(current, &["message"]) == wanted.message && is_same(current, wanted);
    let fields = 5 + usize::from(generation.is_some());
    let whole = current.as_object().is_some_and(|current| current.len() == fields && current["lastTransitionTime"].is_string());
    words && whole && current["observedGeneration"].as_i64() == generation
}

fn is_same(current: &Value, wanted: &Condition) -> bool {
    text(current, &["status"]) == wanted.status && text(current, &["reason"]) == wanted.reason
}
