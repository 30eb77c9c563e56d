//! I31 the operator answers each new object and each change of a spec at once, whatever others are like. Its panics are
//! counted by its metrics.

use jiff::Timestamp;
use modelward::sim::cluster::{Change, Commit};
use serde_json::Value;

use super::sight::Sight;
use super::view::{self, DEPLOYMENTS};
use super::{Place, Watchdog, ours};

/// Seconds until the answer.
const ANSWER_SECONDS_MAX: f64 = 1.0;

/// I31 one bad object delays others by less than a second: each new deployment gets its first write of ours in time, each
/// changed spec a status that has seen it.
pub fn answer_comes_at_once(watchdog: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let late = late(watchdog, commit.at);
    if let Some(unanswered) = &mut watchdog.unanswered {
        note(unanswered, commit);
    }
    late
}

fn note(unanswered: &mut std::collections::BTreeMap<Place, Timestamp>, commit: &Commit) {
    let own = (commit.namespace.clone(), commit.name.clone());
    let deployment = commit.resource == DEPLOYMENTS;
    match commit.change {
        Change::Added if deployment => drop(unanswered.insert(own, commit.at)),
        Change::Deleted if deployment => drop(unanswered.remove(&own)),
        Change::Modified if deployment && ours(commit) && has_seen_the_spec(commit) => drop(unanswered.remove(&own)),
        Change::Modified if deployment && !ours(commit) && is_new_spec(commit) => _ = unanswered.entry(own).or_insert(commit.at),
        // The first child of a new one is an answer: its status comes after the children.
        Change::Added if ours(commit) => {
            if let Some(deployment) = view::object(commit).and_then(view::deployment_of) {
                unanswered.remove(&(commit.namespace.clone(), deployment.to_owned()));
            }
        }
        _ => {}
    }
}

fn generation(object: Option<&Value>, pointer: &str) -> i64 {
    object.and_then(|object| object.pointer(pointer)?.as_i64()).unwrap_or(0)
}

fn is_new_spec(commit: &Commit) -> bool {
    let of = |object: Option<&Value>| generation(object, "/metadata/generation");
    // A deletion counts the generation up, too; nobody waits for an answer to it.
    let leaves = commit.after.as_deref().is_some_and(|after| after.pointer("/metadata/deletionTimestamp").is_some());
    !leaves && of(commit.after.as_deref()) > of(commit.before.as_deref())
}

fn has_seen_the_spec(commit: &Commit) -> bool {
    let after = commit.after.as_deref();
    generation(after, "/status/observedGeneration") >= generation(after, "/metadata/generation")
}

/// The first deployment that has waited too long by `now`; it is told once.
pub fn late(watchdog: &mut Watchdog, now: Timestamp) -> Option<String> {
    let unanswered = watchdog.unanswered.as_mut()?;
    let excused = watchdog.excused_until;
    let waited = |since: &Timestamp| now.duration_since(excused.map_or(*since, |until| until.max(*since))).as_secs_f64();
    let (place, since) = unanswered.iter().find(|(_, since)| waited(since) > ANSWER_SECONDS_MAX)?;
    let (place, waited) = (place.clone(), waited(since));
    unanswered.remove(&place);
    Some(format!("{}/{} waits for an answer since {waited} s", place.0, place.1))
}
