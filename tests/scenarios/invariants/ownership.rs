//! I14-I16, I21, I34, I35: whose objects are whose, and what of them may be written.

use modelward::sim::cluster::{Change, Cluster, Commit};
use serde_json::Value;

use super::rollbacks::ROLLBACKS;
use super::sight::Sight;
use super::view::{self, DEPLOYMENTS};
use super::{Watchdog, ours};

const MODELS: &str = "models.modelward.dev";

fn is_our_kind(commit: &Commit) -> bool {
    commit.resource == DEPLOYMENTS || commit.resource == MODELS || commit.resource == ROLLBACKS
}

fn is_event(commit: &Commit) -> bool {
    commit.resource.starts_with("events")
}

fn controllers(object: &Value) -> Vec<&Value> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().filter(|owner| owner["controller"] == true).collect()
}

/// I14 every child has exactly one controller owner, alive and with matching uid.
pub fn one_living_owner(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let child = commit.after.as_deref().filter(|_| ours(commit) && !is_our_kind(commit) && !is_event(commit))?;
    let controllers = controllers(child);
    let [owner] = controllers.as_slice() else { return Some(format!("{} controllers", controllers.len())) };
    let parent = cluster.get(DEPLOYMENTS, &commit.namespace, owner["name"].as_str()?);
    let alive = parent.is_some_and(|parent| parent["metadata"]["uid"] == owner["uid"]);
    (!alive).then(|| "its owner is not there".to_owned())
}

/// I15 no object outside the parent's namespace is written; no foreign object adopted, written or deleted.
pub fn only_its_own_namespace_and_children(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    if !ours(commit) || is_our_kind(commit) || is_event(commit) {
        return None;
    }
    if commit.namespace.is_empty() {
        return Some("an object of the whole cluster is written".to_owned());
    }
    let before = controllers(commit.before.as_deref()?);
    let own = before.iter().any(|owner| owner["kind"] == "ModelDeployment");
    let what = if commit.change == Change::Deleted { "deleted" } else { "written" };
    if !own {
        return Some(format!("a foreign object is {what}"));
    }
    let uids = |owners: &[&Value]| owners.iter().map(|owner| owner["uid"].clone()).collect::<Vec<_>>();
    let adopted = commit.after.as_deref().is_some_and(|after| uids(&controllers(after)) != uids(&before));
    adopted.then(|| "it gets another owner".to_owned())
}

/// I16 child names have at most 63 characters, and no name ever stands for two things.
pub fn names_fit(watchdog: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let child = commit.after.as_deref().filter(|_| commit.change == Change::Added && ours(commit) && !is_event(commit))?;
    if commit.name.len() > 63 {
        return Some(format!("the name has {} characters", commit.name.len()));
    }
    let label = |key: &str| view::label(child, key).unwrap_or_default().to_owned();
    let identity = format!("{} {} {}", label("modelward.dev/deployment"), label("modelward.dev/revision"), child["data"]);
    let key = (commit.resource.clone(), commit.namespace.clone(), commit.name.clone());
    let known = watchdog.named.entry(key).or_insert_with(|| identity.clone());
    (*known != identity).then(|| format!("the name stood for {known} and now for {identity}"))
}

/// I21 spec is never written by the operator, nor metadata of the user's.
pub fn spec_is_never_written(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    if !ours(commit) || !is_our_kind(commit) {
        return None;
    }
    let (Some(before), Some(after)) = (commit.before.as_deref(), commit.after.as_deref()) else {
        // Those that record its own decisions are the operator's to make and to clear away.
        let own = commit.resource == ROLLBACKS && view::object(commit).is_some_and(|object| object["spec"]["trigger"] == "Automatic");
        return (!own).then(|| "it is made or deleted by the operator".to_owned());
    };
    let users = |object: &Value| ["labels", "annotations", "ownerReferences"].map(|field| object["metadata"].get(field).cloned());
    let same = before["spec"] == after["spec"] && users(before) == users(after);
    (!same).then(|| "the operator writes more than status".to_owned())
}

fn finalizers(object: Option<&Value>) -> usize {
    object.and_then(|object| object.pointer("/metadata/finalizers")?.as_array()).map_or(0, Vec::len)
}

/// I34 no finalizer of ours on any object.
pub fn no_finalizers(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let marked = commit.after.as_deref().is_some_and(|object| object.pointer("/metadata/deletionTimestamp").is_some());
    let more = finalizers(commit.after.as_deref()) > finalizers(commit.before.as_deref());
    (ours(commit) && more && !marked).then(|| "a finalizer is added".to_owned())
}

/// I35 the pod template of a revision's Deployment never changes after creation, except for a restart.
pub fn pod_template_never_changes(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    if commit.resource != "deployments.apps" || !ours(commit) {
        return None;
    }
    let template = |object: &Value| {
        let mut template = object.pointer("/spec/template").cloned().unwrap_or_default();
        if let Some(Value::Object(annotations)) = template.pointer_mut("/metadata/annotations") {
            annotations.remove("kubectl.kubernetes.io/restartedAt");
        }
        if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|_, value| !value.as_object().is_some_and(serde_json::Map::is_empty));
        }
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

/// Seconds that the garbage collector may take.
const COLLECTION_SECONDS_MAX: i64 = 60;
/// Kinds of children.
const CHILDREN: [&str; 6] =
    ["deployments.apps", "services", "poddisruptionbudgets.policy", "controllerrevisions.apps", view::ROUTES[0], view::ROUTES[1]];

/// Notes which deployments are gone.
pub fn remember(watchdog: &mut Watchdog, commit: &Commit) {
    if commit.resource == DEPLOYMENTS
        && commit.change == Change::Deleted
        && let Some(uid) = commit.before.as_deref().and_then(|object| object["metadata"]["uid"].as_str())
    {
        watchdog.deleted.insert(uid.to_owned(), commit.at);
    }
}

/// I14 no child without a living owner after the bound of the garbage collector.
pub fn orphans(watchdog: &Watchdog, cluster: &Cluster) -> Vec<String> {
    let children = CHILDREN.iter().flat_map(|kind| cluster.list(kind, None).into_iter().map(move |child| (kind, child)));
    let ours = children.filter(|(_, child)| view::label(child, "app.kubernetes.io/managed-by") == Some("modelward"));
    ours.filter_map(|(kind, child)| {
        let place = format!("{kind} {}/{}", child["metadata"]["namespace"], child["metadata"]["name"]);
        let owners = controllers(&child);
        let [owner] = owners.as_slice() else { return Some(format!("{place} has {} controllers", owners.len())) };
        let uid = owner["uid"].as_str().unwrap_or_default();
        let parent = cluster.get(DEPLOYMENTS, child["metadata"]["namespace"].as_str()?, owner["name"].as_str()?);
        if parent.is_some_and(|parent| parent["metadata"]["uid"] == uid) {
            return None;
        }
        let gone = watchdog.deleted.get(uid).map_or(i64::MAX, |at| cluster.now().duration_since(*at).as_secs());
        (gone > COLLECTION_SECONDS_MAX).then(|| format!("{place} outlives its owner by {gone} s"))
    })
    .collect()
}
