//! I14-I16, I21, I34, I35: whose objects are whose, and what of them may be written.

use modelward::sim::cluster::{Change, Cluster, Commit};
use serde_json::Value;

use super::view::{self, DEPLOYMENTS};
use super::{Watchdog, ours};

const MODELS: &str = "models.modelward.dev";

fn is_our_kind(commit: &Commit) -> bool {
    commit.resource == DEPLOYMENTS || commit.resource == MODELS
}

fn is_event(commit: &Commit) -> bool {
    commit.resource.starts_with("events")
}

fn controllers(object: &Value) -> Vec<&Value> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().filter(|owner| owner["controller"] == true).collect()
}

/// I14 every child has exactly one controller owner, alive and with matching uid.
pub fn one_living_owner(_: &mut Watchdog, commit: &Commit, cluster: &Cluster) -> Option<String> {
    let child = commit.after.as_deref().filter(|_| ours(commit) && !is_our_kind(commit) && !is_event(commit))?;
    let controllers = controllers(child);
    let [owner] = controllers.as_slice() else { return Some(format!("{} controllers", controllers.len())) };
    let parent = cluster.get(DEPLOYMENTS, &commit.namespace, owner["name"].as_str()?);
    let alive = parent.is_some_and(|parent| parent["metadata"]["uid"] == owner["uid"]);
    (!alive).then(|| "its owner is not there".to_owned())
}

/// I15 no object outside the parent's namespace is written; no foreign object adopted or deleted.
pub fn only_its_own_namespace_and_children(_: &mut Watchdog, commit: &Commit, _: &Cluster) -> Option<String> {
    let before = commit.before.as_deref().filter(|_| ours(commit) && !is_our_kind(commit) && !is_event(commit))?;
    let own = controllers(before).iter().any(|owner| owner["kind"] == "ModelDeployment");
    let what = if commit.change == Change::Deleted { "deleted" } else { "written" };
    (!own).then(|| format!("a foreign object is {what}"))
}

/// I16 child names at most 63 characters.
pub fn names_fit(_: &mut Watchdog, commit: &Commit, _: &Cluster) -> Option<String> {
    let long = commit.change == Change::Added && ours(commit) && !is_event(commit) && commit.name.len() > 63;
    long.then(|| format!("the name has {} characters", commit.name.len()))
}

/// I21 spec is never written by the operator, nor metadata of the user's.
pub fn spec_is_never_written(_: &mut Watchdog, commit: &Commit, _: &Cluster) -> Option<String> {
    if !ours(commit) || !is_our_kind(commit) {
        return None;
    }
    let (Some(before), Some(after)) = (commit.before.as_deref(), commit.after.as_deref()) else {
        return Some("it is made or deleted by the operator".to_owned());
    };
    let users = |object: &Value| ["labels", "annotations", "ownerReferences"].map(|field| object["metadata"].get(field).cloned());
    let same = before["spec"] == after["spec"] && users(before) == users(after);
    (!same).then(|| "the operator writes more than status".to_owned())
}

fn finalizers(object: Option<&Value>) -> usize {
    object.and_then(|object| object.pointer("/metadata/finalizers")?.as_array()).map_or(0, Vec::len)
}

/// I34 no finalizer of ours on any object.
pub fn no_finalizers(_: &mut Watchdog, commit: &Commit, _: &Cluster) -> Option<String> {
    let marked = commit.after.as_deref().is_some_and(|object| object.pointer("/metadata/deletionTimestamp").is_some());
    let more = finalizers(commit.after.as_deref()) > finalizers(commit.before.as_deref());
    (ours(commit) && more && !marked).then(|| "a finalizer is added".to_owned())
}

/// I35 the pod template of a revision's Deployment never changes after creation, except for a restart.
pub fn pod_template_never_changes(_: &mut Watchdog, commit: &Commit, _: &Cluster) -> Option<String> {
    if commit.resource != "deployments.apps" || !ours(commit) {
        return None;
    }
    let template = |object: &Value| {
        let mut template = object.pointer("/spec/template").cloned().unwrap_or_default();
        if let Some(Value::Object(annotations)) = template.pointer_mut("/metadata/annotations") {
            annotations.remove("kubectl.kubernetes.io/restartedAt");
        }
        let metadata = template.get_mut("metadata").and_then(Value::as_object_mut);
        metadata.map(|metadata| metadata.retain(|_, value| !value.as_object().is_some_and(serde_json::Map::is_empty)));
        template
    };
    let (before, after) = (template(commit.before.as_deref()?), template(commit.after.as_deref()?));
    // Putting back what somebody else changed is no change of ours.
    let repaired = view::label(commit.before.as_deref()?, "modelward.dev/revision").is_some() && was_meddled(commit);
    (before != after && !repaired).then(|| "the pod template changes".to_owned())
}

/// Somebody else owned fields of the template before.
fn was_meddled(commit: &Commit) -> bool {
    let managers = commit.before.as_deref().and_then(|object| object.pointer("/metadata/managedFields")).and_then(Value::as_array);
    let foreign = |entry: &&Value| entry["manager"] != "modelward" && entry.pointer("/fieldsV1/f:spec/f:template").is_some();
    managers.into_iter().flatten().find(foreign).is_some()
}
