//! The disruption controller: what PodDisruptionBudgets allow.
//!
//! Takes budgets, pods and the controllers of pods; writes the status of budgets. Evictions themselves are answered by the
//! API server, which charges them to that status.

pub mod arithmetic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::arithmetic::Budget;
use super::backoff::Backoff;
use super::client::Client;
use super::conditions::{Condition, set_in_place};
use super::events::{Note, Recorder};
use super::labels::{LabelIndex, Selector, SelectorIndex};
use super::object::{self, at, controller, int, is_deleting, items, key, labels, map, namespace, text, time};
use super::replica_set::order::has_ended;
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;
use crate::sim::simulation::Schedule;

const BUDGETS: &str = "poddisruptionbudgets.policy";
/// Time after which an evicted pod that still lives counts again.
const DISRUPTION_SECONDS: i64 = 120;

/// The controller.
#[derive(Debug)]
pub struct DisruptionBudgets {
    client: Client,
    recorder: Recorder,
    backoff: Backoff,
    budgets: SelectorIndex,
    pods: LabelIndex,
}

impl Default for DisruptionBudgets {
    fn default() -> Self {
        let client = Client::controller_manager();
        Self {
            recorder: Recorder::new("controllermanager", client.clone()),
            client,
            backoff: Backoff::controller(),
            budgets: SelectorIndex::default(),
            pods: LabelIndex::default(),
        }
    }
}

impl Actor for DisruptionBudgets {
    fn name(&self) -> &'static str {
        "disruption-budget"
    }

    fn notice(&mut self, commit: &Commit, cluster: &Cluster, schedule: &mut Schedule) {
        match commit.resource.as_str() {
            BUDGETS => self.notice_budget(commit, schedule),
            "pods" => self.notice_pod(commit, schedule),
            "deployments.apps" | "replicasets.apps" => self.notice_scale(commit, cluster, schedule),
            _ => {}
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (of, called) = object::split_key(key);
        let Some(budget) = cluster.get(BUDGETS, of, called) else {
            self.backoff.succeeded(key);
            return;
        };
        let outcome = self.sync(key, &budget, cluster, schedule);
        self.backoff.settle(key, &outcome, schedule);
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        Some(&mut self.recorder)
    }
}

/// What of a pod a budget looks at.
fn facets(pod: &Value) -> [Option<&Value>; 5] {
    let metadata = |field| at(pod, &["metadata", field]);
    let ready = object::condition(pod, "Ready").and_then(|ready| ready.get("status"));
    [metadata("labels"), metadata("ownerReferences"), metadata("deletionTimestamp"), at(pod, &["status", "phase"]), ready]
}

impl DisruptionBudgets {
    fn notice_budget(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let selector = commit.after.as_deref().map(|budget| Selector::of(at(budget, &["spec", "selector"])));
        self.budgets.note(&commit.namespace, &commit.name, selector);
        if commit.after.is_some() {
            schedule.soon(&key(&commit.namespace, &commit.name));
        }
    }

    fn notice_pod(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let (before, after) = (commit.before.as_deref(), commit.after.as_deref());
        if before.map(facets) == after.map(facets) {
            return;
        }
        if before.and_then(labels) != after.and_then(labels) || before.is_none() || after.is_none() {
            self.pods.note(&commit.namespace, &commit.name, before, after);
        }
        for pod in before.iter().chain(&after) {
            self.enter(&commit.namespace, labels(pod), schedule);
        }
    }

    /// A controller wants another number of pods: budgets of its pods expect another number. (Upstream learns it with the
    /// next change of a pod, which follows at once.)
    fn notice_scale(&mut self, commit: &Commit, _cluster: &Cluster, schedule: &mut Schedule) {
        let wanted = |object: &Option<Arc<Value>>| object.as_deref().and_then(|object| int(object, &["spec", "replicas"]));
        if wanted(&commit.before) == wanted(&commit.after) {
            return;
        }
        let template = commit.after.as_deref().and_then(|object| map(object, &["spec", "template", "metadata", "labels"]));
        self.enter(&commit.namespace, template, schedule);
    }

    fn enter(&self, of: &str, labels: Option<&serde_json::Map<String, Value>>, schedule: &mut Schedule) {
        for budget in self.budgets.selecting(of, labels) {
            schedule.soon(&key(of, &budget));
        }
    }

    fn sync(&mut self, key: &str, budget: &Arc<Value>, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let pods = self.selected(budget, cluster);
        let (scale, unmanaged) = if Budget::needs_scale(budget) { scale(&pods, cluster) } else { (0, 0) };
        if unmanaged > 0 {
            let message = format!("Pods selected by this PodDisruptionBudget (count: {unmanaged}) were found to be unmanaged.");
            self.recorder.record(cluster, budget, Note::warning("UnmanagedPods", message));
        }
        let now = cluster.now();
        let (disrupted, recheck) = self.still_disrupted(budget, &pods, cluster);
        if let Some(recheck) = recheck {
            schedule.at(recheck, key);
        }
        let healthy = |pod: &&Arc<Value>| object::is_true(pod, "Ready") && !is_deleting(pod) && !disrupted.contains_key(object::name(pod));
        let healthy = number(pods.iter().filter(healthy).count());
        let counts = Budget::of(budget, number(pods.len()), scale, healthy);
        self.client.update_status(cluster, BUDGETS, budget, status(budget, counts, &disrupted, now))
    }

    /// Pods that the budget is about: those that have not ended.
    fn selected(&self, budget: &Value, cluster: &Cluster) -> Vec<Arc<Value>> {
        let selector = Selector::of(at(budget, &["spec", "selector"]));
        let names = self.pods.candidates(namespace(budget), &selector);
        let pods = names.iter().filter_map(|name| cluster.get("pods", namespace(budget), name));
        pods.filter(|pod| selector.matches(labels(pod)) && !has_ended(pod)).collect()
    }

    /// Evictions that were charged and are under way; and when the next one has taken too long.
    fn still_disrupted(
        &mut self,
        budget: &Value,
        pods: &[Arc<Value>],
        cluster: &mut Cluster,
    ) -> (BTreeMap<String, Value>, Option<Timestamp>) {
        let (mut kept, mut recheck) = (BTreeMap::new(), None);
        let now = cluster.now();
        let living: BTreeSet<&str> = pods.iter().filter(|pod| !is_deleting(pod)).map(|pod| object::name(pod)).collect();
        for (pod, since) in map(budget, &["status", "disruptedPods"]).into_iter().flatten() {
            let Some(at) = time(&json!({ "since": since }), &["since"]).filter(|_| living.contains(pod.as_str())) else { continue };
            let until = at.saturating_add(SignedDuration::from_secs(DISRUPTION_SECONDS)).unwrap_or(Timestamp::MAX);
            if until > now {
                recheck = [recheck, Some(until)].into_iter().flatten().min();
                kept.insert(pod.clone(), since.clone());
            } else if let Some(live) = cluster.get("pods", namespace(budget), pod) {
                let message = format!("Pod was expected by PDB {}/{} to be deleted but it wasn't", namespace(budget), object::name(budget));
                self.recorder.record(cluster, &live, Note::warning("NotDeleted", message));
            }
        }
        (kept, recheck)
    }
}

/// What the controllers of these pods want in all, each counted once; and how many pods have none.
fn scale(pods: &[Arc<Value>], cluster: &Cluster) -> (i64, usize) {
    let mut wanted: BTreeMap<String, i64> = BTreeMap::new();
    let mut unmanaged = 0;
    for pod in pods {
        match top_controller(pod, cluster) {
            Some((uid, replicas)) => drop(wanted.insert(uid, replicas)),
            None => unmanaged += 1,
        }
    }
    (wanted.values().sum(), unmanaged)
}

/// The controller of a pod, or the Deployment above its ReplicaSet: uid and wanted replicas.
fn top_controller(pod: &Value, cluster: &Cluster) -> Option<(String, i64)> {
    let direct = owner(controller(pod)?, cluster)?;
    let above = controller(&direct).and_then(|reference| owner(reference, cluster));
    let top = above.filter(|above| text(above, &["kind"]) == "Deployment").unwrap_or(direct);
    Some((object::uid(&top).to_owned(), int(&top, &["spec", "replicas"])?))
}

fn owner(reference: &Value, cluster: &Cluster) -> Option<Arc<Value>> {
    cluster.by_uid(text(reference, &["uid"])).and_then(|key| cluster.object(key)).cloned()
}

fn status(budget: &Value, counts: Budget, disrupted: &BTreeMap<String, Value>, now: Timestamp) -> Value {
    let generation = object::generation(budget);
    let mut list = items(budget, &["status", "conditions"]).to_vec();
    let allowed = if counts.allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    set_in_place(&mut list, &Condition::new("DisruptionAllowed", allowed.0, allowed.1, ""), Some(generation), now);
    let mut status = json!({
        "observedGeneration": generation, "currentHealthy": counts.healthy, "desiredHealthy": counts.desired,
        "expectedPods": counts.expected, "disruptionsAllowed": counts.allowed, "conditions": list,
    });
    if !disrupted.is_empty() {
        status["disruptedPods"] = json!(disrupted);
    }
    status
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
