//! R40: a candidate that was given up gets no weight again, unless the user asks for it.

use modelward::sim::cluster::Commit;
use serde_json::Value;

use super::sight::Sight;
use super::traffic::{carried, split_of};
use super::view::{self, DEPLOYMENTS};
use super::{Watchdog, ours};

/// No weight ever goes back to a candidate that had been given up.
pub fn weight_never_goes_back(watchdog: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    split_of(commit).filter(|_| ours(commit))?;
    let (before, after) = carried(commit, cluster, view::route_reach)?;
    after.iter().find_map(|(revision, weight)| {
        let why = watchdog.given_up.get(&(commit.namespace.clone(), revision.clone()))?;
        let was = before.get(revision).copied().unwrap_or(0);
        (*weight > was).then(|| format!("{revision} goes from {was} to {weight} % although it was given up: {why}"))
    })
}

/// Notes who was given up, and forgets it when the user asks anew.
pub fn remember(watchdog: &mut Watchdog, commit: &Commit) {
    if commit.resource == DEPLOYMENTS && !ours(commit) {
        if asks_anew(commit) {
            let prefix = format!("{}-", commit.name);
            watchdog.given_up.retain(|(namespace, revision), _| *namespace != commit.namespace || !revision.starts_with(&prefix));
        }
        return;
    }
    if split_of(commit).is_none() {
        return;
    }
    if let Some((revision, why)) = commit.after.as_deref().and_then(left_behind) {
        watchdog.given_up.insert((commit.namespace.clone(), revision), why);
    }
}

fn asks_anew(commit: &Commit) -> bool {
    let (Some(before), Some(after)) = (commit.before.as_deref(), commit.after.as_deref()) else { return true };
    let command = |object: &Value| view::annotation(object, "modelward.dev/command").map(str::to_owned);
    let retried = command(after) != command(before) && command(after).is_some_and(|command| command.starts_with("retry"));
    before["spec"] != after["spec"] || retried
}

/// The candidate of a decision that gave it up for good, and why.
fn left_behind(carrier: &Value) -> Option<(String, String)> {
    let decision: Value = serde_json::from_str(view::annotation(carrier, "modelward.dev/decision")?).ok()?;
    let for_good = match decision["cause"].as_str()? {
        "Abort" | "Superseded" => true,
        "NotReady" => !decision["override"].is_null(),
        _ => false,
    };
    let revision = decision.pointer("/split/candidate/revision")?.as_str()?.to_owned();
    for_good.then(|| (revision, decision["reason"].as_str().unwrap_or_default().to_owned()))
}
