//! I33: numbers of pods that scalers decide. Bounds are the user's, floors are the release's, and each number has one writer.

use modelward::sim::cluster::{Change, Commit};
use serde_json::Value;

use super::sight::Sight;
use super::traffic::wanted;
use super::view::{self, DEPLOYMENTS};
use super::{Watchdog, ours};

/// Both kinds of scalers, with the names of their bounds.
const SCALERS: [(&str, &str, &str); 2] = [
    ("horizontalpodautoscalers.autoscaling", "minReplicas", "maxReplicas"),
    ("scaledobjects.keda.sh", "minReplicaCount", "maxReplicaCount"),
];

/// A scaler of ours as a commit left it: its revision, and its bounds.
fn bounds(commit: &Commit) -> Option<(&str, i64, i64)> {
    let (_, least, most) = SCALERS.iter().find(|(resource, _, _)| *resource == commit.resource)?;
    let object = commit.after.as_deref().filter(|_| ours(commit) && commit.change != Change::Deleted)?;
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    let bound = |field: &str| object["spec"][field].as_i64();
    Some((view::label(object, "modelward.dev/revision")?, bound(least).unwrap_or(1), bound(most)?))
}

/// I33 the operator writes no number of pods that a scaler owns.
pub fn numbers_have_one_writer(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    if commit.resource != "deployments.apps" || !ours(commit) {
        return None;
    }
    let replicas = |object: Option<&Value>| object?.pointer("/spec/replicas")?.as_i64();
    let (before, after) = (replicas(commit.before.as_deref())?, replicas(commit.after.as_deref())?);
    let owner = SCALERS.iter().find_map(|(resource, _, _)| cluster.get(resource, &commit.namespace, &commit.name))?;
    (before != after).then(|| format!("{before} pods become {after} beside a {}", owner["kind"]))
}

/// I33 bounds lie within those of the spec.
pub fn bounds_are_the_users(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let (_, least, most) = bounds(commit)?;
    let object = cluster.get(DEPLOYMENTS, &commit.namespace, view::deployment_of(commit.after.as_deref()?)?)?;
    let greatest = object.pointer("/spec/autoscaling/maxReplicas").and_then(Value::as_i64);
    let fine = least <= most && greatest.is_some_and(|greatest| most <= greatest);
    (!fine).then(|| format!("a scaler of {least} to {most} pods, and the spec allows {greatest:?}"))
}

/// I33 (R40) what has traffic and is not on its way back keeps its scaler, as long as the spec asks for one.
pub fn scalers_stay_with_what_serves(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    SCALERS.iter().find(|(resource, _, _)| *resource == commit.resource)?;
    let gone = commit.change == Change::Deleted || commit.after.as_deref()?.pointer("/metadata/deletionTimestamp").is_some();
    let object = commit.before.as_deref().filter(|_| gone && ours(commit))?;
    let (revision, deployment) = (view::label(object, "modelward.dev/revision")?, view::deployment_of(object)?);
    let parent = cluster.get(DEPLOYMENTS, &commit.namespace, deployment)?;
    let kind = if commit.resource.starts_with("horizontal") { "hpa" } else { "keda" };
    parent.pointer("/spec/autoscaling")?.get(kind)?;
    let weight = view::weights(cluster, &commit.namespace, deployment).get(revision).copied().unwrap_or(0);
    let advances = parent.pointer("/status/decision/cause").and_then(Value::as_str) == Some("Advance");
    (weight > 0 && advances).then(|| format!("{revision} has {weight} % of the traffic and loses its scaler"))
}

/// I33 (R32, R37, R52) while a candidate is on its way, the scaler of stable keeps what all of the traffic needs, and the candidate's
/// what its weight needs; smaller surges exchange sizes.
pub fn floors_hold_during_a_release(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let (revision, least, _) = bounds(commit)?;
    let deployment = view::deployment_of(commit.after.as_deref()?)?;
    let object = cluster.get(DEPLOYMENTS, &commit.namespace, deployment)?;
    let small = object.pointer("/spec/strategy/maxSurge").is_some_and(|surge| surge != "100%");
    object.pointer("/status/candidate").filter(|_| !small)?;
    let all = i64::from(wanted(cluster, &object)?).min(object.pointer("/spec/autoscaling/maxReplicas")?.as_i64()?);
    let stable = object.pointer("/status/stable/revision").and_then(Value::as_str) == Some(revision);
    let weight = i64::from(view::weights(cluster, &commit.namespace, deployment).get(revision).copied().unwrap_or(0));
    let needed = if stable { all } else { (all * weight + 99) / 100 };
    // With everything, its own load decides again.
    (weight < 100 && least < needed).then(|| format!("the floor of {revision} is {least}, and {needed} are needed"))
}
