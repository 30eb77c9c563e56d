//! A ReplicaSet's status.
//!
//! Takes the ReplicaSet, its pods and what became of the last pass; gives the next status. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::order::{available_at, is_active, is_available, is_terminating};
use crate::sim::actors::conditions::{self, Condition};
use crate::sim::actors::object::{self, count, items, map};

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The first error of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A pod could not be created.
    Create(String),
    /// A pod could not be deleted.
    Delete(String),
}

/// Counts `pods` (active and terminating ones) as they were before this pass wrote anything.
pub fn counted(set: &Value, pods: &[Arc<Value>], failure: Option<&Failure>, now: Timestamp) -> Value {
    let minimum = count(set, &["spec", "minReadySeconds"]);
    let active = || pods.iter().filter(|pod| is_active(pod));
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut status = Map::new();
    status.insert("replicas".to_owned(), json!(active().count()));
    let optional = [
        ("fullyLabeledReplicas", active().filter(|pod| is_fully_labelled(set, pod)).count()),
        ("readyReplicas", active().filter(|pod| object::is_true(pod, "Ready")).count()),
        ("availableReplicas", active().filter(|pod| is_available(pod, minimum, now)).count()),
    ];
    for (field, size) in optional.into_iter().filter(|(_, size)| *size != 0) {
        status.insert(field.to_owned(), json!(size));
    }
    status.insert("terminatingReplicas".to_owned(), json!(pods.iter().filter(|pod| is_terminating(pod)).count()));
    status.insert("observedGeneration".to_owned(), json!(object::generation(set)));
    let list = failures(set, number(active().count()), failure, now);
    if !list.is_empty() {
        status.insert("conditions".to_owned(), Value::Array(list));
    }
    Value::Object(status)
}

fn is_fully_labelled(set: &Value, pod: &Value) -> bool {
    let wanted = map(set, &["spec", "template", "metadata", "labels"]);
    wanted.is_none_or(|wanted| wanted.iter().all(|(key, value)| object::labels(pod).and_then(|have| have.get(key)) == Some(value)))
}

/// The first failure stays as it was said until a pass succeeds.
fn failures(set: &Value, active: i64, failure: Option<&Failure>, now: Timestamp) -> Vec<Value> {
    let mut list = items(set, &["status", "conditions"]).to_vec();
    let known = conditions::find(&list, REPLICA_FAILURE).is_some();
    match failure {
        None => conditions::remove(&mut list, REPLICA_FAILURE),
        Some(_) if known => {}
        Some(failure) => {
            let wanted = count(set, &["spec", "replicas"]);
            let (reason, message) = match failure {
                Failure::Create(message) => ("FailedCreate", message),
                Failure::Delete(message) => ("FailedDelete", message),
            };
            if active != wanted {
                conditions::set_workload(&mut list, &Condition::new(REPLICA_FAILURE, "True", reason, message.clone()), now, false);
            }
        }
    }
    list
}

/// When the next Ready pod will have been Ready for long enough.
pub fn next_available(set: &Value, pods: &[Arc<Value>], now: Timestamp) -> Option<Timestamp> {
    let minimum = count(set, &["spec", "minReadySeconds"]);
    if minimum == 0 {
        return None;
    }
    let waiting = pods.iter().filter(|pod| is_active(pod)).filter_map(|pod| available_at(pod, minimum));
    waiting.filter(|at| *at > now).min()
}
