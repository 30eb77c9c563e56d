//! The ReplicaSet controller.
//!
//! Takes ReplicaSets and pods; creates and deletes pods, and writes the status of ReplicaSets.

pub mod order;
pub mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use self::order::{Candidate, deletion_order, is_active};
use self::status::Failure;
use super::backoff::Backoff;
use super::client::{Client, is_namespace_terminating};
use super::controller_ref::claim_all;
use super::events::{Note, Recorder};
use super::labels::{Selector, SelectorIndex};
use super::object::{self, at, controller, controller_reference, controller_uid, int, is_deleting, key, name, namespace, text, uid};
use super::orphans::{Orphans, dependents};
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions};
use crate::sim::simulation::Schedule;

const SETS: &str = "replicasets.apps";
/// Most pods created or deleted in one pass.
const BURST: usize = 500;

/// The controller and what it remembers between passes.
#[derive(Debug)]
pub struct ReplicaSets {
    client: Client,
    recorder: Recorder,
    backoff: Backoff,
    selectors: SelectorIndex,
    orphans: Orphans,
}

impl Default for ReplicaSets {
    fn default() -> Self {
        let client = Client::controller_manager();
        Self {
            recorder: Recorder::new("replicaset-controller", client.clone()),
            client,
            backoff: Backoff::controller(),
            selectors: SelectorIndex::default(),
            orphans: Orphans::default(),
        }
    }
}

/// Why a pass could not create or delete, for the status and for the retry.
struct Refused {
    failure: Failure,
    error: Box<ApiError>,
}

impl Refused {
    fn of(kind: fn(String) -> Failure, error: ApiError) -> Self {
        Self { failure: kind(error.message.clone()), error: Box::new(error) }
    }
}

impl Actor for ReplicaSets {
    fn name(&self) -> &'static str {
        "replica-set"
    }

    fn notice(&mut self, commit: &Commit, _cluster: &Cluster, schedule: &mut Schedule) {
        match commit.resource.as_str() {
            SETS => self.notice_set(commit, schedule),
            "pods" => self.notice_pod(commit, schedule),
            _ => {}
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (namespace, name) = object::split_key(key);
        let Some(set) = cluster.get(SETS, namespace, name) else {
            self.backoff.succeeded(key);
            return;
        };
        let outcome = self.sync(&set, cluster, schedule);
        self.backoff.settle(key, &outcome, schedule);
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        Some(&mut self.recorder)
    }
}

/// What of a pod a ReplicaSet looks at: a change of anything else is none of its business.
fn facets(pod: &Value) -> [Option<&Value>; 5] {
    let metadata = |field| at(pod, &["metadata", field]);
    let ready = object::condition(pod, "Ready");
    [metadata("labels"), metadata("ownerReferences"), metadata("deletionTimestamp"), at(pod, &["status", "phase"]), ready]
}

impl ReplicaSets {
    fn notice_set(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let selector = commit.after.as_deref().map(|set| Selector::of(at(set, &["spec", "selector"])));
        self.selectors.note(&commit.namespace, &commit.name, selector);
        if commit.after.is_some() {
            schedule.soon(&key(&commit.namespace, &commit.name));
        }
    }

    fn notice_pod(&mut self, commit: &Commit, schedule: &mut Schedule) {
        self.orphans.note(commit);
        if let (Some(before), Some(after)) = (&commit.before, &commit.after)
            && facets(before) == facets(after)
        {
            return;
        }
        for pod in commit.before.iter().chain(&commit.after) {
            if let Some(owner) = controller(pod).filter(|_| controller_uid(pod, "ReplicaSet").is_some()) {
                schedule.soon(&key(&commit.namespace, text(owner, &["name"])));
            }
        }
        let orphan = commit.after.as_deref().filter(|pod| controller(pod).is_none());
        for name in orphan.map(|pod| self.selectors.selecting(&commit.namespace, object::labels(pod))).unwrap_or_default() {
            schedule.soon(&key(&commit.namespace, &name));
        }
    }

    fn sync(&mut self, set: &Arc<Value>, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let pods = self.claim(set, cluster)?;
        let outcome = if is_deleting(set) { Ok(()) } else { self.manage(set, &pods, cluster) };
        let failure = outcome.as_ref().err().map(|refused| &refused.failure);
        // Counted from the pods as they were: what this pass created is counted when it is seen.
        let status = status::counted(set, &pods, failure, cluster.now());
        self.client.update_status(cluster, SETS, set, status)?;
        if let Some(at) = status::next_available(set, &pods, cluster.now()) {
            schedule.at(at, &key(namespace(set), name(set)));
        }
        outcome.map_err(|refused| *refused.error)
    }

    fn claim(&self, set: &Value, cluster: &mut Cluster) -> Result<Vec<Arc<Value>>, ApiError> {
        let selector = Selector::of(at(set, &["spec", "selector"]));
        let mut candidates = dependents(cluster, "pods", uid(set));
        let orphans = self.orphans.matching(cluster, "pods", namespace(set), &selector);
        candidates.extend(orphans.into_iter().filter(|pod| controller(pod).is_none() && !order::has_ended(pod)));
        claim_all(&self.client, cluster, "pods", set, candidates)
    }

    /// Creates what is missing or deletes what is too much.
    fn manage(&mut self, set: &Value, pods: &[Arc<Value>], cluster: &mut Cluster) -> Result<(), Refused> {
        let active: Vec<Arc<Value>> = pods.iter().filter(|pod| is_active(pod)).cloned().collect();
        let wanted = usize::try_from(int(set, &["spec", "replicas"]).unwrap_or(1)).unwrap_or(0);
        if wanted > active.len() {
            let created = self.create_pods(set, (wanted - active.len()).min(BURST), cluster);
            return created.map_err(|error| Refused::of(Failure::Create, error));
        }
        let excess = (active.len() - wanted).min(BURST);
        let deleted = self.delete_pods(set, &active, excess, cluster);
        deleted.map_err(|error| Refused::of(Failure::Delete, error))
    }

    /// Batches of 1, 2, 4, ...: a refusal stops the rest, so that a quota is not stormed.
    fn create_pods(&mut self, set: &Value, count: usize, cluster: &mut Cluster) -> Result<(), ApiError> {
        let (mut left, mut batch) = (count, 1);
        while left > 0 {
            let mut refusal = None;
            for _ in 0..batch.min(left) {
                refusal = self.create_pod(set, cluster).err().or(refusal);
            }
            if let Some(refusal) = refusal {
                return if is_namespace_terminating(&refusal) { Ok(()) } else { Err(refusal) };
            }
            left -= batch.min(left);
            batch *= 2;
        }
        Ok(())
    }

    fn create_pod(&mut self, set: &Value, cluster: &mut Cluster) -> Result<(), ApiError> {
        match self.client.create(cluster, "pods", namespace(set), pod_of(set)) {
            Ok(pod) => {
                let message = format!("Created pod: {}", name(&pod));
                self.recorder.record(cluster, set, Note::normal("SuccessfulCreate", message));
                Ok(())
            }
            Err(error) => {
                if !is_namespace_terminating(&error) {
                    let message = format!("Error creating: {}", error.message);
                    self.recorder.record(cluster, set, Note::warning("FailedCreate", message));
                }
                Err(error)
            }
        }
    }

    fn delete_pods(&mut self, set: &Value, active: &[Arc<Value>], count: usize, cluster: &mut Cluster) -> Result<(), ApiError> {
        if count == 0 {
            return Ok(());
        }
        let crowds = crowds(set, cluster);
        let crowd = |pod: &Value| crowds.get(text(pod, &["spec", "nodeName"])).copied().unwrap_or(0);
        let candidates: Vec<Candidate> = active.iter().map(|pod| Candidate::of(pod, crowd(pod))).collect();
        let mut refusal = None;
        for index in deletion_order(&candidates, cluster.now()).into_iter().take(count) {
            let pod = &active[index];
            match self.client.delete(cluster, "pods", pod, DeleteOptions::default()) {
                Ok(()) => {
                    let message = format!("Deleted pod: {}", name(pod));
                    self.recorder.record(cluster, set, Note::normal("SuccessfulDelete", message));
                }
                Err(error) => {
                    let message = format!("Error deleting: {}", error.message);
                    self.recorder.record(cluster, set, Note::warning("FailedDelete", message));
                    refusal = refusal.or(Some(error));
                }
            }
        }
        refusal.map_or(Ok(()), Err)
    }
}

/// Active pods per node of all ReplicaSets that share this one's controller; none without one.
fn crowds(set: &Value, cluster: &Cluster) -> BTreeMap<String, usize> {
    let mut crowds = BTreeMap::new();
    let Some(owner) = controller(set) else { return crowds };
    for sibling in dependents(cluster, SETS, text(owner, &["uid"])) {
        for pod in dependents(cluster, "pods", uid(&sibling)).iter().filter(|pod| is_active(pod)) {
            *crowds.entry(text(pod, &["spec", "nodeName"]).to_owned()).or_insert(0) += 1;
        }
    }
    crowds
}

/// A pod of the template.
fn pod_of(set: &Value) -> Value {
    let template = at(set, &["spec", "template"]);
    let mut metadata = json!({
        "generateName": format!("{}-", name(set)), "namespace": namespace(set),
        "ownerReferences": [controller_reference(set)],
    });
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.and_then(|template| at(template, &["metadata", field])) {
            metadata[field] = value.clone();
        }
    }
    let spec = template.and_then(|template| template.get("spec")).cloned().unwrap_or_else(|| json!({}));
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec })
}
