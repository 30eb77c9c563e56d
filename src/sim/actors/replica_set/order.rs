//! Which pods of a ReplicaSet go first when there are too many.
//!
//! Takes pods in numbers and the time; gives their order. Pure.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use crate::sim::actors::object::{self, annotation, at, condition, count, items, text, time};

/// Annotation by which a pod says how much its deletion would cost.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// What the order looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// The pod has a node.
    pub assigned: bool,
    /// 0 Pending, 1 Unknown, 2 Running.
    pub phase: u8,
    /// The pod is Ready.
    pub ready: bool,
    /// [`DELETION_COST`], 0 if absent or malformed.
    pub cost: i32,
    /// Active pods of the same controller owner's ReplicaSets on its node.
    pub crowd: usize,
    /// When it became Ready.
    pub ready_since: Option<Timestamp>,
    /// Most restarts of any of its containers.
    pub restarts: i64,
    /// Most restarts of any of its sidecars.
    pub sidecar_restarts: i64,
    /// When it was created.
    pub created: Option<Timestamp>,
}

impl Candidate {
    /// Reads a stored pod; `crowd` is counted by the caller.
    pub fn of(pod: &Value, crowd: usize) -> Self {
        let ready = object::is_true(pod, "Ready");
        Self {
            name: object::name(pod).to_owned(),
            uid: object::uid(pod).to_owned(),
            assigned: !text(pod, &["spec", "nodeName"]).is_empty(),
            phase: match text(pod, &["status", "phase"]) {
                "Running" => 2,
                "Unknown" => 1,
                _ => 0,
            },
            ready,
            cost: deletion_cost(pod),
            crowd,
            ready_since: condition(pod, "Ready").filter(|_| ready).and_then(|ready| time(ready, &["lastTransitionTime"])),
            restarts: most_restarts(pod, "containerStatuses", |_| true),
            sidecar_restarts: most_restarts(pod, "initContainerStatuses", |name| is_sidecar(pod, name)),
            created: object::created(pod),
        }
    }
}

/// An int32 as the server parses it: no sign `+`, no leading zeros.
fn deletion_cost(pod: &Value) -> i32 {
    let text = annotation(pod, DELETION_COST).unwrap_or("0");
    let digits = text.strip_prefix('-').unwrap_or(text);
    let well_formed = digits == "0" || !digits.starts_with(['0', '+', '-']);
    if well_formed { text.parse().unwrap_or(0) } else { 0 }
}

fn most_restarts(pod: &Value, list: &str, counts: impl Fn(&str) -> bool) -> i64 {
    let statuses = items(pod, &["status", list]).iter().filter(|status| counts(text(status, &["name"])));
    statuses.map(|status| count(status, &["restartCount"])).max().unwrap_or(0)
}

fn is_sidecar(pod: &Value, name: &str) -> bool {
    let same = |container: &&Value| text(container, &["name"]) == name;
    let container = items(pod, &["spec", "initContainers"]).iter().find(same);
    container.and_then(|container| at(container, &["restartPolicy"])).is_some_and(|policy| policy == "Always")
}

/// The pod holds a place: it has not ended and is not going.
pub fn is_active(pod: &Value) -> bool {
    !has_ended(pod) && !object::is_deleting(pod)
}

/// The pod has run to its end.
pub fn has_ended(pod: &Value) -> bool {
    ["Succeeded", "Failed"].contains(&text(pod, &["status", "phase"]))
}

/// The pod wants graceful deletion and has not ended.
pub fn is_terminating(pod: &Value) -> bool {
    object::is_deleting(pod) && !has_ended(pod)
}

/// The pod is Ready and, with `minimum` seconds wanted, has been for so long.
pub fn is_available(pod: &Value, minimum: i64, now: Timestamp) -> bool {
    object::is_true(pod, "Ready") && (minimum == 0 || available_at(pod, minimum).is_some_and(|at| at <= now))
}

/// When a Ready pod is (or was) Ready for long enough.
pub fn available_at(pod: &Value, minimum: i64) -> Option<Timestamp> {
    let since = condition(pod, "Ready").filter(|ready| text(ready, &["status"]) == "True")?;
    let since = time(since, &["lastTransitionTime"])?;
    Timestamp::from_second(since.as_second() + minimum).ok()
}

/// The order of deletion: indices into `candidates`, first to go first.
///
/// The rules are not a total order (ages of one magnitude compare by uid, equal ages by the later rules), so this is an
/// insertion by halves, which any comparison can steer, and not the standard sort, which may panic on such a comparison.
pub fn deletion_order(candidates: &[Candidate], now: Timestamp) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(candidates.len());
    for index in 0..candidates.len() {
        let later = |placed: &usize| compare(&candidates[*placed], &candidates[index], now) != Ordering::Greater;
        let place = order.partition_point(later);
        order.insert(place, index);
    }
    order
}

/// `Less`: `a` goes before `b`.
fn compare(a: &Candidate, b: &Candidate, now: Timestamp) -> Ordering {
    let before_age = (a.assigned, a.phase, a.ready, a.cost, b.crowd).cmp(&(b.assigned, b.phase, b.ready, b.cost, a.crowd));
    before_age
        .then_with(|| if a.ready && b.ready { by_age(a, b, |pod| pod.ready_since, now) } else { Ordering::Equal })
        .then_with(|| b.restarts.cmp(&a.restarts))
        .then_with(|| b.sidecar_restarts.cmp(&a.sidecar_restarts))
        .then_with(|| by_age(a, b, |pod| pod.created, now))
}

/// Younger first, by powers of two; within one power by uid, so that which of two siblings goes does not depend on age.
fn by_age(a: &Candidate, b: &Candidate, since: impl Fn(&Candidate) -> Option<Timestamp>, now: Timestamp) -> Ordering {
    match (since(a), since(b)) {
        (first, second) if first == second => Ordering::Equal,
        (Some(first), Some(second)) => magnitude(first, now).cmp(&magnitude(second, now)).then_with(|| a.uid.cmp(&b.uid)),
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
    }
}

/// floor(log2(nanoseconds of age)); -1 for no age.
fn magnitude(since: Timestamp, now: Timestamp) -> i32 {
    match u128::try_from(now.as_nanosecond() - since.as_nanosecond()) {
        Ok(age) if age > 0 => age.ilog2().cast_signed(),
        _ => -1,
    }
}
