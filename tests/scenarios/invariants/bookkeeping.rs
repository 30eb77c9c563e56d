//! I17, I19, I20, I22, I26, I28: status that can be trusted, and writes that are worth it.

use modelward::sim::cluster::Commit;
use serde_json::Value;

use super::sight::Sight;
use super::view::{self, DEPLOYMENTS};
use super::{Watchdog, ours};

fn both(commit: &Commit) -> Option<(&Value, &Value)> {
    Some((commit.before.as_deref()?, commit.after.as_deref()?))
}

fn has_status(commit: &Commit) -> bool {
    let status = commit.subresource.as_deref() == Some("status");
    ours(commit) && status && (commit.resource == DEPLOYMENTS || commit.resource == "models.modelward.dev")
}

/// I17 observedGeneration never decreases, and Ready=True only for the current generation.
pub fn generation_never_goes_back(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = both(commit).filter(|_| has_status(commit))?;
    let observed = |object: &Value| object.pointer("/status/observedGeneration").and_then(Value::as_i64).unwrap_or(0);
    if observed(after) < observed(before) {
        return Some(format!("observedGeneration goes from {} to {}", observed(before), observed(after)));
    }
    let generation = after["metadata"]["generation"].as_i64().unwrap_or(0);
    let conditions = after.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    (ready && observed(after) != generation).then(|| "Ready for another generation".to_owned())
}

/// I19 lastTransitionTime changes when the status of a condition flips, and only then.
pub fn transition_times_tell_the_truth(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = both(commit).filter(|_| has_status(commit))?;
    let list = |object: &Value| object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let old = list(before);
    list(after).iter().find_map(|new| {
        let old = old.iter().find(|old| old["type"] == new["type"])?;
        let flipped = old["status"] != new["status"];
        let moved = old["lastTransitionTime"] != new["lastTransitionTime"];
        // Times are written in whole seconds.
        let now = format!("{:.0}", commit.at);
        match (flipped, moved) {
            (false, true) => Some(format!("{} was touched without a flip", new["type"])),
            (true, false) if old["lastTransitionTime"] != now.as_str() => Some(format!("{} flipped unnoticed", new["type"])),
            _ => None,
        }
    })
}

/// I20 counters never decrease: the number of the decision in status, and of the one that the route or Service carries.
pub fn decisions_count_up(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = both(commit).filter(|_| ours(commit))?;
    let (was, is) = (number_of(commit, before)?, number_of(commit, after)?);
    (is < was).then(|| format!("decision {was} is followed by {is}"))
}

fn number_of(commit: &Commit, object: &Value) -> Option<i64> {
    if commit.resource == DEPLOYMENTS {
        return object.pointer("/status/decision/number")?.as_i64();
    }
    let text = view::annotation(object, "modelward.dev/decision")?;
    serde_json::from_str::<Value>(text).ok()?["number"].as_i64()
}

/// I22 no write whose content equals the stored object.
pub fn writes_change_something(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = both(commit).filter(|_| ours(commit))?;
    let content = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
            metadata.remove("resourceVersion");
            metadata.remove("generation");
        }
        object
    };
    (content(before) == content(after)).then(|| "nothing changes but bookkeeping".to_owned())
}

/// I26 at most 10 writes to an object in any 10 s, which is also one per second in the long run.
pub fn write_rate_is_bounded(watchdog: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    if !ours(commit) {
        return None;
    }
    let key = (commit.resource.clone(), commit.namespace.clone(), commit.name.clone());
    let times = watchdog.writes.entry(key).or_default();
    times.push(commit.at);
    times.retain(|at| commit.at.duration_since(*at).as_secs_f64() < 10.0);
    (times.len() > 10).then(|| format!("{} writes within 10 s", times.len()))
}

/// I28 status below 64 KiB, histories bounded.
pub fn status_is_bounded(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let after = commit.after.as_deref().filter(|_| has_status(commit))?;
    let bytes = after["status"].to_string().len();
    let entries = after.pointer("/status/history").and_then(Value::as_array).map_or(0, Vec::len);
    (bytes > 64 * 1024 || entries > 20).then(|| format!("{bytes} bytes, {entries} entries of history"))
}
