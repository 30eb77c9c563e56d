//! A Deployment's status and conditions.
//!
//! Takes the stored Deployment, its ReplicaSets in numbers and the time; gives the next status. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::bounds::{Bounds, progress_deadline};
use super::sets::Sets;
use crate::sim::actors::conditions::{self, Condition};
use crate::sim::actors::object::{self, count, items, name, text, time};

const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "Available";
const REPLICA_FAILURE: &str = "ReplicaFailure";
const COMPLETE: &str = "NewReplicaSetAvailable";
const UPDATED: &str = "ReplicaSetUpdated";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
const RESUMED: &str = "DeploymentResumed";

/// Counters and the `Available` condition; the other conditions are carried over.
pub fn counted(deployment: &Value, sets: &Sets, now: Timestamp) -> Value {
    let bounds = Bounds::of(deployment);
    let available = sets.available();
    let mut status = Map::new();
    if let Some(collisions) = object::int(deployment, &["status", "collisionCount"]) {
        status.insert("collisionCount".to_owned(), json!(collisions));
    }
    let updated = sets.new.as_ref().map_or(0, |new| new.existing);
    let counters = [
        ("observedGeneration", object::generation(deployment)),
        ("replicas", sets.all().map(|set| set.existing).sum()),
        ("updatedReplicas", updated),
        ("readyReplicas", sets.all().map(|set| set.ready).sum()),
        ("availableReplicas", available),
        ("unavailableReplicas", (sets.total() - available).max(0)),
    ];
    for (field, number) in counters.into_iter().filter(|(_, number)| *number != 0) {
        status.insert(field.to_owned(), json!(number));
    }
    status.insert("terminatingReplicas".to_owned(), json!(sets.all().map(|set| set.terminating).sum::<i64>()));
    let mut list = items(deployment, &["status", "conditions"]).to_vec();
    conditions::set_workload(&mut list, &availability(available >= bounds.least()), now, true);
    status.insert("conditions".to_owned(), Value::Array(list));
    Value::Object(status)
}

fn availability(met: bool) -> Condition {
    if met {
        Condition::new(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        Condition::new(AVAILABLE, "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    }
}

/// The status after a pass of a rollout: counters, progress and failures of ReplicaSets.
///
/// `failure` is the `ReplicaFailure` condition of the new ReplicaSet, else of an old one.
pub fn rolled_out(deployment: &Value, sets: &Sets, failure: Option<&Value>, now: Timestamp) -> Value {
    let mut status = counted(deployment, sets, now);
    let mut list = take_conditions(&mut status);
    match progress_deadline(deployment) {
        None => conditions::remove(&mut list, PROGRESSING),
        Some(deadline) => progress(deployment, sets, &status, &mut list, deadline, now),
    }
    match failure {
        Some(failure) => conditions::set_workload(&mut list, &copied_failure(failure), now, true),
        None => conditions::remove(&mut list, REPLICA_FAILURE),
    }
    put_conditions(&mut status, list);
    status
}

fn take_conditions(status: &mut Value) -> Vec<Value> {
    match status.get_mut("conditions").map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// Stores the list, or drops the field when it is empty, as the API's JSON does.
pub fn put_conditions(status: &mut Value, list: Vec<Value>) {
    let Some(fields) = status.as_object_mut() else { return };
    if list.is_empty() {
        fields.remove("conditions");
    } else {
        fields.insert("conditions".to_owned(), Value::Array(list));
    }
}

fn progress(deployment: &Value, sets: &Sets, status: &Value, list: &mut Vec<Value>, deadline: i64, now: Timestamp) {
    let current = conditions::find(list, PROGRESSING).cloned();
    let reason = current.as_ref().map_or("", |current| text(current, &["reason"]));
    // Once complete it is not judged again until pods of another template are wanted.
    if reason == COMPLETE && count(status, &["replicas"]) == count(status, &["updatedReplicas"]) {
        return;
    }
    let subject =
        sets.new.as_ref().map_or_else(|| format!("Deployment \"{}\"", name(deployment)), |new| format!("ReplicaSet \"{}\"", new.name));
    if is_complete(deployment, status) {
        let done = Condition::new(PROGRESSING, "True", COMPLETE, format!("{subject} has successfully progressed."));
        conditions::set_workload(list, &done, now, true);
    } else if is_progressing(deployment, status) {
        let moving = Condition::new(PROGRESSING, "True", UPDATED, format!("{subject} is progressing."));
        renew(list, &moving, current.as_ref(), now);
    } else if current.as_ref().is_some_and(|current| is_timed_out(current, deadline, now)) {
        let late = Condition::new(PROGRESSING, "False", TIMED_OUT, format!("{subject} has timed out progressing."));
        conditions::set_workload(list, &late, now, true);
    }
}

/// Progress is the one condition whose update time is renewed while status and reason stay the same.
fn renew(list: &mut Vec<Value>, moving: &Condition, current: Option<&Value>, now: Timestamp) {
    let kept = current.filter(|current| text(current, &["status"]) == "True");
    let transition = kept.map_or_else(|| object::seconds_text(now), |kept| text(kept, &["lastTransitionTime"]).to_owned());
    conditions::remove(list, PROGRESSING);
    list.push(conditions::workload_entry(moving, &transition, Some(now)));
}

/// All wanted pods are of the new template, exist and are available, and no others exist.
pub fn is_complete(deployment: &Value, status: &Value) -> bool {
    let wanted = Bounds::of(deployment).replicas;
    let fields = ["updatedReplicas", "replicas", "availableReplicas"];
    fields.iter().all(|field| count(status, &[field]) == wanted) && count(status, &["observedGeneration"]) >= object::generation(deployment)
}

fn is_progressing(deployment: &Value, status: &Value) -> bool {
    let before = |field| count(deployment, &["status", field]);
    let after = |field| count(status, &[field]);
    after("updatedReplicas") > before("updatedReplicas")
        || after("replicas") - after("updatedReplicas") < before("replicas") - before("updatedReplicas")
        || after("readyReplicas") > before("readyReplicas")
        || after("availableReplicas") > before("availableReplicas")
}

fn is_timed_out(current: &Value, deadline: i64, now: Timestamp) -> bool {
    match text(current, &["reason"]) {
        COMPLETE => false,
        TIMED_OUT => true,
        _ => time(current, &["lastUpdateTime"]).is_some_and(|since| now.as_second() - since.as_second() > deadline),
    }
}

fn copied_failure(failure: &Value) -> Condition {
    let status = if text(failure, &["status"]) == "True" { "True" } else { "False" };
    Condition::new(REPLICA_FAILURE, status, text(failure, &["reason"]), text(failure, &["message"]))
}

/// When to look whether the rollout has timed out: one second after its deadline.
pub fn deadline_check(deployment: &Value, status: &Value) -> Option<Timestamp> {
    let deadline = progress_deadline(deployment)?;
    let current = items(status, &["conditions"]).iter().find(|condition| text(condition, &["type"]) == PROGRESSING)?;
    if is_complete(deployment, status) || [TIMED_OUT, COMPLETE].contains(&text(current, &["reason"])) {
        return None;
    }
    let since = time(current, &["lastUpdateTime"])?;
    Timestamp::from_second(since.as_second() + deadline + 1).ok()
}

/// The conditions after pausing or resuming was noted; none if there is nothing to note.
pub fn pause_noted(deployment: &Value, now: Timestamp) -> Option<Vec<Value>> {
    progress_deadline(deployment)?;
    let current = object::condition(deployment, PROGRESSING);
    let reason = current.map_or("", |current| text(current, &["reason"]));
    let paused = object::flag(deployment, &["spec", "paused"]);
    let note = match (paused, reason) {
        (_, TIMED_OUT) | (true, PAUSED) => return None,
        (true, _) => Condition::new(PROGRESSING, "Unknown", PAUSED, "Deployment is paused"),
        (false, PAUSED) => Condition::new(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed"),
        (false, _) => return None,
    };
    let mut list = items(deployment, &["status", "conditions"]).to_vec();
    conditions::set_workload(&mut list, &note, now, true);
    Some(list)
}

/// `Progressing` after a new ReplicaSet was created, found or refused; none without a deadline.
pub fn new_set_noted(deployment: &Value, news: &NewSet, now: Timestamp) -> Option<Vec<Value>> {
    progress_deadline(deployment)?;
    let note = match news {
        NewSet::Created(name) => Condition::new(PROGRESSING, "True", "NewReplicaSetCreated", format!("Created new replica set \"{name}\"")),
        NewSet::Found(_) if object::condition(deployment, PROGRESSING).is_some() => return None,
        NewSet::Found(name) => Condition::new(PROGRESSING, "True", "FoundNewReplicaSet", format!("Found new replica set \"{name}\"")),
        NewSet::Refused(message) => Condition::new(PROGRESSING, "False", "ReplicaSetCreateError", message.clone()),
    };
    let mut list = items(deployment, &["status", "conditions"]).to_vec();
    conditions::set_workload(&mut list, &note, now, true);
    Some(list)
}

/// What became of the ReplicaSet for the current template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewSet {
    /// It was created; its name.
    Created(String),
    /// It was there already; its name.
    Found(String),
    /// The server refused it; the refusal.
    Refused(String),
}
