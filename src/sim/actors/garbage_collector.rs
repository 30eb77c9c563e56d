//! The garbage collector: what becomes of objects whose owners go.
//!
//! Takes owner references and deletions of all kinds; deletes dependents, takes references off, and removes the
//! finalizers `foregroundDeletion` and `orphan`. Knows every served kind at once (a real one learns of a new custom kind
//! within 30 s).

pub mod graph;

use std::sync::Arc;

use serde_json::{Value, json};

use self::graph::{Cascade, FOREGROUND, ORPHAN, OwnerState, Verdict, blocks, judge, orphans_dependents, references, waits_for_dependents};
use super::backoff::Backoff;
use super::client::Client;
use super::controller_ref::drop_references;
use super::events::{Note, Recorder};
use super::object::{has_finalizer, is_deleting, items, name, namespace, text, uid};
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions, Propagation};
use crate::sim::simulation::Schedule;
use crate::sim::store::ObjectKey;

/// The collector.
#[derive(Debug)]
pub struct GarbageCollector {
    client: Client,
    recorder: Recorder,
    backoff: Backoff,
}

impl Default for GarbageCollector {
    fn default() -> Self {
        let client = Client::controller_manager();
        Self { recorder: Recorder::new("garbage-collector-controller", client.clone()), client, backoff: Backoff::controller() }
    }
}

impl Actor for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    fn notice(&mut self, commit: &Commit, cluster: &Cluster, schedule: &mut Schedule) {
        match (&commit.before, &commit.after) {
            (Some(before), None) => notice_gone(before, cluster, schedule),
            (before, Some(after)) => notice_changed(before.as_deref(), after, cluster, schedule),
            (None, None) => {}
        }
    }

    /// Keys are uids.
    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let found = cluster.by_uid(key).cloned().and_then(|at| Some((cluster.object(&at)?.clone(), at)));
        let Some((object, at)) = found else {
            self.backoff.succeeded(key);
            return;
        };
        let outcome = self.process(&object, &at, cluster, schedule);
        self.backoff.settle(key, &outcome, schedule);
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        Some(&mut self.recorder)
    }
}

/// Dependents look at their owners again; owners that wait look at their dependents.
fn notice_gone(before: &Value, cluster: &Cluster, schedule: &mut Schedule) {
    enter_dependents(uid(before), cluster, schedule);
    for reference in references(before) {
        enter_waiting_owner(text(reference, &["uid"]), cluster, schedule);
    }
}

fn notice_changed(before: Option<&Value>, after: &Arc<Value>, cluster: &Cluster, schedule: &mut Schedule) {
    let waits = |object: &Value| waits_for_dependents(object) || orphans_dependents(object);
    if waits(after) && !before.is_some_and(waits) {
        schedule.soon(uid(after));
        enter_dependents(uid(after), cluster, schedule);
    }
    let list = |object: &Value| items(object, &["metadata", "ownerReferences"]).to_vec();
    if before.is_some_and(|before| list(before) == list(after)) {
        return;
    }
    for gone in before.into_iter().flat_map(references) {
        enter_waiting_owner(text(gone, &["uid"]), cluster, schedule);
    }
    if references(after).any(|reference| is_suspect(reference, cluster)) {
        schedule.soon(uid(after));
    }
}

/// The owner is not there, or waits for its dependents.
fn is_suspect(reference: &Value, cluster: &Cluster) -> bool {
    let owner = cluster.by_uid(text(reference, &["uid"])).and_then(|key| cluster.object(key));
    owner.is_none_or(|owner| name(owner) != text(reference, &["name"]) || waits_for_dependents(owner))
}

fn enter_dependents(owner: &str, cluster: &Cluster, schedule: &mut Schedule) {
    for key in cluster.dependents(owner) {
        if let Some(dependent) = cluster.object(&key) {
            schedule.soon(uid(dependent));
        }
    }
}

fn enter_waiting_owner(owner: &str, cluster: &Cluster, schedule: &mut Schedule) {
    let object = cluster.by_uid(owner).and_then(|key| cluster.object(key));
    if object.is_some_and(|object| waits_for_dependents(object) || orphans_dependents(object)) {
        schedule.soon(owner);
    }
}

impl GarbageCollector {
    fn process(&mut self, object: &Arc<Value>, at: &ObjectKey, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        if orphans_dependents(object) {
            self.orphan_dependents(object, cluster)?;
            return self.remove_finalizer(object, at, ORPHAN, cluster);
        }
        if waits_for_dependents(object) {
            return self.await_dependents(object, at, cluster, schedule);
        }
        let Some(owners) = self.owners(object, at, cluster) else { return Ok(()) };
        let dependents: Vec<bool> = dependents(object, cluster).iter().map(|(_, dependent)| waits_for_dependents(dependent)).collect();
        match judge(object, &owners, &dependents) {
            Verdict::Keep => Ok(()),
            Verdict::Release(uids) => drop_references(&self.client, cluster, &at.resource, object, &uids),
            Verdict::Delete { cascade, unblock } => self.delete(object, at, cascade, unblock, cluster),
        }
    }

    /// How every owner stands; none if the object is not the collector's business.
    fn owners(&mut self, object: &Value, at: &ObjectKey, cluster: &mut Cluster) -> Option<Vec<(String, OwnerState)>> {
        let mut states = Vec::new();
        for reference in references(object) {
            let owner_uid = text(reference, &["uid"]).to_owned();
            let kind = cluster.kinds().by_api_version(text(reference, &["apiVersion"]), text(reference, &["kind"])).cloned();
            // An unknown kind may be served later; a real collector retries it for ever without deleting anything.
            let kind = kind?;
            if kind.namespaced && at.namespace.is_empty() {
                return None;
            }
            let of = if kind.namespaced { at.namespace.as_str() } else { "" };
            let owner = cluster.object(&ObjectKey::new(&kind.storage_key, of, text(reference, &["name"]))).cloned();
            let state = match owner.filter(|owner| uid(owner) == owner_uid) {
                Some(owner) if waits_for_dependents(&owner) => OwnerState::Waiting,
                Some(_) => OwnerState::Solid,
                None => {
                    self.complain_of_namespace(object, &owner_uid, cluster);
                    OwnerState::Absent
                }
            };
            states.push((owner_uid, state));
        }
        Some(states)
    }

    /// An owner that lives in another namespace counts as absent, and that deserves a word.
    fn complain_of_namespace(&mut self, object: &Value, owner: &str, cluster: &mut Cluster) {
        let Some(key) = cluster.by_uid(owner).cloned() else { return };
        if key.namespace != namespace(object) {
            let message = format!("ownerRef to {} {} does not exist in namespace \"{}\"", key.resource, key.name, namespace(object));
            self.recorder.record(cluster, object, Note::warning("OwnerRefInvalidNamespace", message));
        }
    }

    fn delete(&self, object: &Value, at: &ObjectKey, cascade: Cascade, unblock: bool, cluster: &mut Cluster) -> Result<(), ApiError> {
        if unblock {
            let mut list = items(object, &["metadata", "ownerReferences"]).to_vec();
            for reference in &mut list {
                reference["blockOwnerDeletion"] = json!(false);
            }
            self.client.merge(cluster, &at.resource, object, json!({ "metadata": { "ownerReferences": list } }))?;
        }
        let propagation = match cascade {
            Cascade::Background => Propagation::Background,
            Cascade::Foreground => Propagation::Foreground,
            Cascade::Orphan => Propagation::Orphan,
        };
        self.client.delete(cluster, &at.resource, object, DeleteOptions::propagation(propagation))
    }

    /// The owner goes when nothing that blocks it is left.
    fn await_dependents(&self, object: &Value, at: &ObjectKey, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let blocking: Vec<Arc<Value>> =
            dependents(object, cluster).into_iter().map(|(_, found)| found).filter(|found| blocks(found, uid(object))).collect();
        if blocking.is_empty() {
            return self.remove_finalizer(object, at, FOREGROUND, cluster);
        }
        for dependent in blocking.iter().filter(|dependent| !is_deleting(dependent)) {
            schedule.soon(uid(dependent));
        }
        Ok(())
    }

    fn orphan_dependents(&self, object: &Value, cluster: &mut Cluster) -> Result<(), ApiError> {
        for (key, dependent) in dependents(object, cluster) {
            drop_references(&self.client, cluster, &key.resource, &dependent, &[uid(object).to_owned()])?;
        }
        Ok(())
    }

    fn remove_finalizer(&self, object: &Value, at: &ObjectKey, finalizer: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        if !has_finalizer(object, finalizer) {
            return Ok(());
        }
        let kept: Vec<&Value> = items(object, &["metadata", "finalizers"]).iter().filter(|item| *item != finalizer).collect();
        let kept = if kept.is_empty() { Value::Null } else { json!(kept) };
        let version = text(object, &["metadata", "resourceVersion"]);
        let patch = json!({ "metadata": { "finalizers": kept, "resourceVersion": version } });
        self.client.merge(cluster, &at.resource, object, patch)
    }
}

/// The objects that name this one as an owner and are looked for where it can own them.
fn dependents(object: &Value, cluster: &Cluster) -> Vec<(ObjectKey, Arc<Value>)> {
    let keys = cluster.dependents(uid(object)).into_iter();
    let reachable = keys.filter(|key| namespace(object).is_empty() || key.namespace == namespace(object));
    reachable.filter_map(|key| Some((key.clone(), cluster.object(&key)?.clone()))).collect()
}
