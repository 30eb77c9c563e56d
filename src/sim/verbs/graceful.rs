//! Grace periods of deletions: only pods have them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::meta;
use crate::sim::kinds::Resource;

/// What a delete does about grace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grace {
    /// No grace: remove, unless finalizers hold the object.
    Now,
    /// A deletion with an equal or shorter grace is under way; nothing changes.
    Pending,
    /// Write these marks first.
    Mark(Mark),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    seconds: i64,
    at: String,
    /// The first mark counts as a change of the desired state.
    first: bool,
}

impl Grace {
    /// The object stays until somebody deletes it without grace.
    pub(super) fn waits(&self) -> bool {
        matches!(self, Self::Mark(mark) if mark.seconds > 0)
    }
}

impl Mark {
    pub(super) fn apply(&self, object: &mut Value) {
        if self.first && meta::generation(object) > 0 {
            let generation = meta::generation(object) + 1;
            meta::set(object, "generation", json!(generation));
        }
        meta::set(object, "deletionTimestamp", json!(self.at));
        meta::set(object, "deletionGracePeriodSeconds", json!(self.seconds));
    }
}

/// Decides about grace; `asked` is the option in seconds.
pub(super) fn begin(resource: &Resource, live: &Value, asked: Option<i64>, now: Timestamp) -> Grace {
    if meta::is_deleting(live) {
        return again(live, asked);
    }
    if !resource.strategy.graceful {
        return Grace::Now;
    }
    let seconds = pod_seconds(live, asked);
    Grace::Mark(Mark { seconds, at: meta::time_after(now, seconds), first: true })
}

fn again(live: &Value, asked: Option<i64>) -> Grace {
    let current = live["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    if current == 0 {
        return Grace::Now;
    }
    let Some(seconds) = asked.map(at_least_one).filter(|seconds| *seconds < current) else { return Grace::Pending };
    let marked: Option<Timestamp> = meta::text(live, "deletionTimestamp").parse().ok();
    let at = marked.and_then(|marked| marked.checked_sub(SignedDuration::from_secs(current - seconds)).ok());
    let at = at.map_or_else(|| meta::text(live, "deletionTimestamp").to_owned(), meta::time);
    Grace::Mark(Mark { seconds, at, first: false })
}

/// The option, else what the pod wants; nothing for pods that do not run.
fn pod_seconds(pod: &Value, asked: Option<i64>) -> i64 {
    let unscheduled = pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty);
    let finished = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if unscheduled || finished {
        return 0;
    }
    at_least_one(asked.or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64()).unwrap_or(30))
}

/// A negative period means one second.
fn at_least_one(seconds: i64) -> i64 {
    if seconds < 0 { 1 } else { seconds }
}
