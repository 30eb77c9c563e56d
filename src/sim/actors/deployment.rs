//! The Deployment controller.
//!
//! Takes Deployments, their ReplicaSets and, for Recreate, the deletion of pods; writes ReplicaSets and the status of
//! Deployments. Every pass looks at what is stored; the decisions are pure and live in the modules below.

pub mod bounds;
pub mod revision;
pub mod rolling;
pub mod scaling;
pub mod sets;
pub mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use self::bounds::Bounds;
use self::sets::{DESIRED_REPLICAS, MAX_REPLICAS, REVISION, Resize, SetView, Sets};
use self::status::NewSet;
use super::backoff::Backoff;
use super::client::{Client, is_namespace_terminating, unless_terminating};
use super::controller_ref::claim_all;
use super::events::{Note, Recorder};
use super::labels::{Selector, SelectorIndex};
use super::object::{self, annotation, annotation_number, controller, controller_uid, flag, int, is_deleting, key, text, uid};
use super::orphans::{Orphans, dependents};
use super::replica_set::order::has_ended;
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Change, Cluster};
use crate::sim::simulation::Schedule;

const DEPLOYMENTS: &str = "deployments.apps";
const SETS: &str = "replicasets.apps";
/// Retries after which a key waits for the next change.
const RETRIES_MAX: u32 = 15;

/// The controller and what it remembers between passes: indexes and failures, nothing that decides.
#[derive(Debug)]
pub struct Deployments {
    client: Client,
    recorder: Recorder,
    backoff: Backoff,
    selectors: SelectorIndex,
    orphans: Orphans,
}

impl Default for Deployments {
    fn default() -> Self {
        let client = Client::controller_manager();
        Self {
            recorder: Recorder::new("deployment-controller", client.clone()),
            client,
            backoff: Backoff::controller().giving_up_after(RETRIES_MAX),
            selectors: SelectorIndex::default(),
            orphans: Orphans::default(),
        }
    }
}

/// The ReplicaSets of a Deployment as stored: the current one, and the others.
struct Owned {
    new: Option<Arc<Value>>,
    old: Vec<Arc<Value>>,
}

impl Owned {
    /// The oldest with the Deployment's template is the current one.
    fn of(deployment: &Value, mut sets: Vec<Arc<Value>>) -> Self {
        sets.sort_by(|a, b| (object::created(a), object::name(a)).cmp(&(object::created(b), object::name(b))));
        let current = sets.iter().position(|set| revision::is_current(deployment, set));
        let new = current.map(|index| sets.remove(index));
        Self { new, old: sets }
    }

    fn view(&self) -> Sets {
        Sets::new(self.new.as_deref().map(SetView::of), self.old.iter().map(|set| SetView::of(set)).collect())
    }

    /// A failure of the current ReplicaSet, else of an old one.
    fn failure(&self) -> Option<&Value> {
        self.new.iter().chain(&self.old).find_map(|set| object::condition(set, "ReplicaFailure"))
    }
}

impl Actor for Deployments {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn notice(&mut self, commit: &Commit, cluster: &Cluster, schedule: &mut Schedule) {
        match commit.resource.as_str() {
            DEPLOYMENTS => self.notice_deployment(commit, schedule),
            SETS => self.notice_set(commit, schedule),
            "pods" if commit.change == Change::Deleted => notice_pod_gone(commit, cluster, schedule),
            _ => {}
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (namespace, name) = object::split_key(key);
        let Some(deployment) = cluster.get(DEPLOYMENTS, namespace, name) else {
            self.backoff.succeeded(key);
            return;
        };
        let outcome = unless_terminating(self.sync(&deployment, cluster, schedule));
        self.backoff.settle(key, &outcome, schedule);
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        Some(&mut self.recorder)
    }
}

/// Under Recreate the last pod of the old template is what the new ReplicaSet waits for.
fn notice_pod_gone(commit: &Commit, cluster: &Cluster, schedule: &mut Schedule) {
    let set_name = commit.before.as_deref().and_then(controller).map(|reference| text(reference, &["name"]));
    let set = set_name.and_then(|name| cluster.get(SETS, &commit.namespace, name));
    let Some(owner) = set.as_deref().and_then(controller) else { return };
    let Some(deployment) = cluster.get(DEPLOYMENTS, &commit.namespace, text(owner, &["name"])) else { return };
    if text(&deployment, &["spec", "strategy", "type"]) == "Recreate" {
        schedule.soon(&key(&commit.namespace, object::name(&deployment)));
    }
}

impl Deployments {
    fn notice_deployment(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let selector = commit.after.as_deref().map(|deployment| Selector::of(object::at(deployment, &["spec", "selector"])));
        self.selectors.note(&commit.namespace, &commit.name, selector);
        if commit.after.is_some() {
            schedule.soon(&key(&commit.namespace, &commit.name));
        }
    }

    fn notice_set(&mut self, commit: &Commit, schedule: &mut Schedule) {
        self.orphans.note(commit);
        for set in commit.before.iter().chain(&commit.after) {
            let owner = controller(set).filter(|_| controller_uid(set, "Deployment").is_some());
            if let Some(owner) = owner {
                schedule.soon(&key(&commit.namespace, text(owner, &["name"])));
            }
        }
        let orphan = commit.after.as_deref().filter(|set| controller(set).is_none());
        for name in orphan.map(|set| self.selectors.selecting(&commit.namespace, object::labels(set))).unwrap_or_default() {
            schedule.soon(&key(&commit.namespace, &name));
        }
    }

    /// One pass, in the order of the real controller.
    fn sync(&mut self, deployment: &Arc<Value>, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        self.claim(deployment, cluster)?;
        if is_deleting(deployment) {
            return self.write_counts(deployment, cluster);
        }
        if let Some(conditions) = status::pause_noted(deployment, cluster.now()) {
            self.write_conditions(deployment, cluster, conditions, None)?;
        }
        let Some(deployment) = reread(deployment, cluster) else { return Ok(()) };
        let paused = flag(&deployment, &["spec", "paused"]);
        if paused || scaling::is_scaling_event(&Bounds::of(&deployment), &owned(&deployment, cluster).view()) {
            return self.resize_only(&deployment, cluster, paused);
        }
        if text(&deployment, &["spec", "strategy", "type"]) == "Recreate" {
            self.recreate(&deployment, cluster, schedule)
        } else {
            self.roll(&deployment, cluster, schedule)
        }
    }

    fn claim(&self, deployment: &Value, cluster: &mut Cluster) -> Result<(), ApiError> {
        let selector = Selector::of(object::at(deployment, &["spec", "selector"]));
        let mut candidates = dependents(cluster, SETS, uid(deployment));
        let orphans = self.orphans.matching(cluster, SETS, object::namespace(deployment), &selector);
        candidates.extend(orphans.into_iter().filter(|set| controller(set).is_none()));
        claim_all(&self.client, cluster, SETS, deployment, candidates).map(|_| ())
    }

    /// A pass that sizes ReplicaSets and starts nothing new: paused, or sized for another number of replicas.
    fn resize_only(&mut self, deployment: &Arc<Value>, cluster: &mut Cluster, paused: bool) -> Result<(), ApiError> {
        if let Some(new) = owned(deployment, cluster).new {
            self.sync_revision(deployment, cluster, &new)?;
        }
        let existing = object::count(deployment, &["status", "replicas"]);
        let resizes = scaling::scale(&Bounds::of(deployment), &owned(deployment, cluster).view(), existing);
        self.resize(deployment, cluster, resizes)?;
        if paused {
            self.clean_up(deployment, cluster)?;
        }
        self.write_counts(deployment, cluster)
    }

    fn roll(&mut self, deployment: &Arc<Value>, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        self.ensure_new(deployment, cluster)?;
        let resizes = rolling::rolling(&Bounds::of(deployment), &owned(deployment, cluster).view());
        if !self.resize(deployment, cluster, resizes)? && is_complete(deployment, cluster) {
            self.clean_up(deployment, cluster)?;
        }
        self.write_rollout(deployment, cluster, schedule)
    }

    fn recreate(&mut self, deployment: &Arc<Value>, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        if let Some(new) = owned(deployment, cluster).new {
            self.sync_revision(deployment, cluster, &new)?;
        }
        let emptied = rolling::recreate_old(&owned(deployment, cluster).view());
        if self.resize(deployment, cluster, emptied)? || old_pods_run(&owned(deployment, cluster), cluster) {
            return self.write_rollout(deployment, cluster, schedule);
        }
        self.ensure_new(deployment, cluster)?;
        let grown = rolling::size_new(&Bounds::of(deployment), &owned(deployment, cluster).view());
        self.resize(deployment, cluster, grown)?;
        if is_complete(deployment, cluster) {
            self.clean_up(deployment, cluster)?;
        }
        self.write_rollout(deployment, cluster, schedule)
    }

    /// The ReplicaSet of the current template: found and brought up to date, or created.
    fn ensure_new(&mut self, deployment: &Arc<Value>, cluster: &mut Cluster) -> Result<(), ApiError> {
        let owned = owned(deployment, cluster);
        if let Some(new) = &owned.new {
            return self.sync_revision(deployment, cluster, new);
        }
        let sets = owned.view();
        let replicas = rolling::grown(&Bounds::of(deployment), sets.total(), 0);
        let wanted = revision::new_set(deployment, replicas, sets.next_revision());
        match self.client.create(cluster, SETS, object::namespace(deployment), wanted.clone()) {
            Ok(created) => self.new_set_created(deployment, cluster, &created, replicas),
            Err(error) if error.reason == "AlreadyExists" => self.name_taken(deployment, cluster, &wanted, error),
            Err(error) if is_namespace_terminating(&error) => Err(error),
            Err(error) => self.new_set_refused(deployment, cluster, &wanted, error),
        }
    }

    fn new_set_created(&mut self, deployment: &Value, cluster: &mut Cluster, set: &Value, replicas: i64) -> Result<(), ApiError> {
        let name = object::name(set).to_owned();
        if replicas > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {replicas}");
            self.recorder.record(cluster, deployment, Note::normal("ScalingReplicaSet", message));
        }
        let conditions = status::new_set_noted(deployment, &NewSet::Created(name), cluster.now());
        let conditions = conditions.unwrap_or_else(|| object::items(deployment, &["status", "conditions"]).to_vec());
        self.write_conditions(deployment, cluster, conditions, annotation(set, REVISION))
    }

    /// The name belongs to something else: the next pass draws another one from a higher collision count.
    fn name_taken(&self, deployment: &Value, cluster: &mut Cluster, wanted: &Value, error: ApiError) -> Result<(), ApiError> {
        let taken = cluster.get(SETS, object::namespace(deployment), object::name(wanted));
        let ours = |set: &Arc<Value>| controller_uid(set, "Deployment") == Some(uid(deployment)) && revision::is_current(deployment, set);
        if taken.as_ref().is_some_and(ours) {
            return Ok(());
        }
        let mut status = deployment.get("status").cloned().unwrap_or_else(|| json!({}));
        status["collisionCount"] = json!(int(deployment, &["status", "collisionCount"]).unwrap_or(0) + 1);
        self.client.update_status(cluster, DEPLOYMENTS, &unversioned(deployment), status)?;
        Err(error)
    }

    fn new_set_refused(&mut self, deployment: &Value, cluster: &mut Cluster, wanted: &Value, error: ApiError) -> Result<(), ApiError> {
        let message = format!("Failed to create new replica set \"{}\": {}", object::name(wanted), error.message);
        self.recorder.record(cluster, deployment, Note::warning("ReplicaSetCreateError", message.clone()));
        if let Some(conditions) = status::new_set_noted(deployment, &NewSet::Refused(message), cluster.now()) {
            self.write_conditions(deployment, cluster, conditions, None)?;
        }
        Err(error)
    }

    /// Brings annotations of the current ReplicaSet up to date, or else those of the Deployment.
    fn sync_revision(&self, deployment: &Value, cluster: &mut Cluster, new: &Value) -> Result<(), ApiError> {
        let next = owned(deployment, cluster).view().next_revision();
        if let Some(synced) = revision::synced_set(deployment, new, next) {
            return self.client.update(cluster, SETS, synced).map(|_| ());
        }
        let found = status::new_set_noted(deployment, &NewSet::Found(object::name(new).to_owned()), cluster.now());
        let number = annotation(new, REVISION).filter(|number| annotation(deployment, REVISION) != Some(number));
        if found.is_none() && number.is_none() {
            return Ok(());
        }
        let conditions = found.unwrap_or_else(|| object::items(deployment, &["status", "conditions"]).to_vec());
        self.write_conditions(deployment, cluster, conditions, number)
    }

    /// Applies new sizes with their annotations and says so; gives whether a size changed.
    fn resize(&mut self, deployment: &Value, cluster: &mut Cluster, resizes: Vec<Resize>) -> Result<bool, ApiError> {
        let bounds = Bounds::of(deployment);
        let mut changed = false;
        for resize in resizes {
            let Some(set) = cluster.get(SETS, object::namespace(deployment), &resize.name) else { continue };
            let from = int(&set, &["spec", "replicas"]).unwrap_or(1);
            let sized = annotation_number(&set, DESIRED_REPLICAS) == Some(bounds.replicas)
                && annotation_number(&set, MAX_REPLICAS) == Some(bounds.most());
            if from == resize.to && sized {
                continue;
            }
            let mut resized = Value::clone(&set);
            resized["spec"]["replicas"] = json!(resize.to);
            for (annotation, number) in revision::size_annotations(&bounds) {
                resized["metadata"]["annotations"][annotation] = number;
            }
            self.client.update(cluster, SETS, resized)?;
            if from != resize.to {
                changed = true;
                let direction = if from < resize.to { "up" } else { "down" };
                let message = format!("Scaled {direction} replica set {} from {from} to {}", resize.name, resize.to);
                self.recorder.record(cluster, deployment, Note::normal("ScalingReplicaSet", message));
            }
        }
        Ok(changed)
    }

    fn clean_up(&self, deployment: &Value, cluster: &mut Cluster) -> Result<(), ApiError> {
        let Some(limit) = int(deployment, &["spec", "revisionHistoryLimit"]) else { return Ok(()) };
        for name in rolling::beyond_history(&owned(deployment, cluster).view(), limit) {
            if let Some(set) = cluster.get(SETS, object::namespace(deployment), &name) {
                self.client.delete_in_background(cluster, SETS, &set)?;
            }
        }
        Ok(())
    }

    fn write_rollout(&self, deployment: &Value, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let Some(deployment) = reread(deployment, cluster) else { return Ok(()) };
        let owned = owned(&deployment, cluster);
        let status = status::rolled_out(&deployment, &owned.view(), owned.failure(), cluster.now());
        if let Some(at) = status::deadline_check(&deployment, &status) {
            schedule.at(at, &key(object::namespace(&deployment), object::name(&deployment)));
        }
        self.client.update_status(cluster, DEPLOYMENTS, &deployment, status)
    }

    fn write_counts(&self, deployment: &Value, cluster: &mut Cluster) -> Result<(), ApiError> {
        let Some(deployment) = reread(deployment, cluster) else { return Ok(()) };
        let status = status::counted(&deployment, &owned(&deployment, cluster).view(), cluster.now());
        self.client.update_status(cluster, DEPLOYMENTS, &deployment, status)
    }

    /// Conditions ahead of the counts, and the Deployment's own revision annotation, which goes through `/status` too.
    fn write_conditions(&self, read: &Value, cluster: &mut Cluster, list: Vec<Value>, number: Option<&str>) -> Result<(), ApiError> {
        let Some(live) = reread(read, cluster) else { return Ok(()) };
        let mut written = Value::clone(&live);
        if let Some(number) = number {
            written["metadata"]["annotations"][REVISION] = json!(number);
        }
        if written.get("status").is_none() {
            written["status"] = json!({});
        }
        status::put_conditions(&mut written["status"], list);
        if written == *live {
            return Ok(());
        }
        self.client.put(cluster, DEPLOYMENTS, Some("status"), written).map(|_| ())
    }
}

/// The Deployment as it is stored now, if it is still the same one.
fn reread(deployment: &Value, cluster: &Cluster) -> Option<Arc<Value>> {
    let live = cluster.get(DEPLOYMENTS, object::namespace(deployment), object::name(deployment))?;
    (uid(&live) == uid(deployment)).then_some(live)
}

/// Without the version it was read at: the write is about one counter and may not lose to an own earlier write.
fn unversioned(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    object
}

fn owned(deployment: &Value, cluster: &Cluster) -> Owned {
    let sets = dependents(cluster, SETS, uid(deployment));
    let sets = sets.into_iter().filter(|set| controller_uid(set, "Deployment") == Some(uid(deployment)));
    Owned::of(deployment, sets.collect())
}

fn is_complete(deployment: &Value, cluster: &Cluster) -> bool {
    let live = reread(deployment, cluster);
    live.is_some_and(|live| status::is_complete(&live, live.get("status").unwrap_or(&Value::Null)))
}

/// Some pod of an old template has not ended; one that is terminating still runs.
fn old_pods_run(owned: &Owned, cluster: &Cluster) -> bool {
    let runs = |set: &Arc<Value>| {
        object::count(set, &["status", "replicas"]) > 0 || dependents(cluster, "pods", uid(set)).iter().any(|pod| !has_ended(pod))
    };
    owned.old.iter().any(runs)
}
