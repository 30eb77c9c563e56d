//! I31 the operator answers each new object at once, whatever others are like. Its panics are counted by its metrics.

use jiff::Timestamp;
use modelward::sim::cluster::{Change, Cluster, Commit};

use super::view::{self, DEPLOYMENTS};
use super::{Place, Watchdog, ours};

/// Seconds until the first answer.
const ANSWER_SECONDS_MAX: f64 = 1.0;

/// I31 one bad object delays others by less than a second: each new deployment gets its first write of ours in time.
pub fn first_answer_comes_at_once(watchdog: &mut Watchdog, commit: &Commit, _: &Cluster) -> Option<String> {
    let late = late(watchdog, commit.at);
    if let Some(unanswered) = &mut watchdog.unanswered {
        note(unanswered, commit);
    }
    late
}

fn note(unanswered: &mut std::collections::BTreeMap<Place, Timestamp>, commit: &Commit) {
    let own = (commit.namespace.clone(), commit.name.clone());
    match commit.change {
        Change::Added if commit.resource == DEPLOYMENTS => drop(unanswered.insert(own, commit.at)),
        Change::Deleted if commit.resource == DEPLOYMENTS => drop(unanswered.remove(&own)),
        _ if !ours(commit) => {}
        _ if commit.resource == DEPLOYMENTS => drop(unanswered.remove(&own)),
        _ => {
            if let Some(deployment) = view::object(commit).and_then(view::deployment_of) {
                unanswered.remove(&(commit.namespace.clone(), deployment.to_owned()));
            }
        }
    }
}

/// The first deployment that has waited too long by `now`; it is told once.
pub fn late(watchdog: &mut Watchdog, now: Timestamp) -> Option<String> {
    let unanswered = watchdog.unanswered.as_mut()?;
    let waited = |since: &Timestamp| now.duration_since(*since).as_secs_f64();
    let (place, since) = unanswered.iter().find(|(_, since)| waited(since) > ANSWER_SECONDS_MAX)?;
    let (place, waited) = (place.clone(), waited(since));
    unanswered.remove(&place);
    Some(format!("{}/{} waits for its first answer since {waited} s", place.0, place.1))
}
