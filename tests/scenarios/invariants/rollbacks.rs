//! I13: what a Rollback may do.

use modelward::sim::cluster::Commit;
use serde_json::Value;

use super::sight::Sight;
use super::{Watchdog, ours, view};

pub const ROLLBACKS: &str = "rollbacks.modelward.dev";

fn phase(object: &Value) -> &str {
    object.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default()
}

fn is_over(object: &Value) -> bool {
    ["Completed", "Failed", "NotNeeded"].contains(&phase(object))
}

/// I13 each Rollback writes one terminal state.
pub fn one_end(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = (commit.before.as_deref()?, commit.after.as_deref()?);
    let mine = commit.resource == ROLLBACKS && ours(commit);
    (mine && is_over(before) && before["status"] != after["status"])
        .then(|| format!("{} is over and becomes {}", phase(before), phase(after)))
}

/// I13 its target is a revision that once served.
pub fn target_served(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let after = commit.after.as_deref().filter(|_| commit.resource == ROLLBACKS && ours(commit))?;
    let begins = phase(after) == "InProgress" && commit.before.as_deref().is_none_or(|before| phase(before) != "InProgress");
    let (deployment, to) = (after["spec"]["deployment"].as_str()?, after.pointer("/status/to/revision").and_then(Value::as_str));
    let to = to.filter(|_| begins)?;
    let record = cluster.get("controllerrevisions.apps", &commit.namespace, to);
    let marked = record.is_some_and(|record| view::annotation(&record, "modelward.dev/served").is_some());
    let object = cluster.get(view::DEPLOYMENTS, &commit.namespace, deployment)?;
    let history = object.pointer("/status/history").and_then(Value::as_array).cloned().unwrap_or_default();
    let listed = history.iter().any(|entry| entry["revision"] == to);
    (!marked && !listed).then(|| format!("{to} never served"))
}

/// I13 a Rollback never raises the weight of the revision that it leaves.
pub fn what_is_left_gets_no_more(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let (before, after) = (commit.before.as_deref()?, commit.after.as_deref()?);
    if !view::ROUTES.contains(&commit.resource.as_str()) || !ours(commit) {
        return None;
    }
    let deployment = view::deployment_of(after)?;
    let going = cluster.list(ROLLBACKS, Some(&commit.namespace));
    let left = going.iter().filter(|object| phase(object) == "InProgress" && object["spec"]["deployment"] == deployment);
    let mut left = left.filter_map(|object| object.pointer("/status/from/revision").and_then(Value::as_str));
    let raised = left.find(|from| weight(after, from) > weight(before, from))?;
    Some(format!("{raised} gets {} % while a Rollback leaves it", weight(after, raised)))
}

fn weight(route: &Value, service: &str) -> i64 {
    let rules = route.pointer("/spec/rules").and_then(Value::as_array);
    let backends = rules.into_iter().flatten().filter_map(|rule| rule["backendRefs"].as_array()).flatten();
    backends.filter(|backend| backend["name"] == service).filter_map(|backend| backend["weight"].as_i64()).max().unwrap_or(0)
}
