//! The scheduler.
//!
//! Takes pods without a node and the nodes; binds pods, or says why none takes them. A pod that fits nowhere waits for a
//! change of nodes or the end of another pod, never for a clock. No preemption.

pub mod filter;
pub mod message;
pub mod spread;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use self::filter::{Reason, Usage, host_ports, refusal, score};
use super::backoff::Backoff;
use super::client::Client;
use super::conditions::{Condition, set_workload};
use super::events::{Note, Recorder};
use super::object::{self, is_deleting, items, name, namespace, text, uid};
use super::replica_set::order::has_ended;
use super::resources::of_pod;
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, WriteOptions};
use crate::sim::simulation::Schedule;

/// The scheduler and what it knows of the nodes' load.
#[derive(Debug)]
pub struct Scheduler {
    client: Client,
    recorder: Recorder,
    backoff: Backoff,
    usage: BTreeMap<String, Usage>,
    /// Keys of pods that fit nowhere when last tried.
    unschedulable: BTreeSet<String>,
    /// Keys of placed pods that keep others away from them.
    repelling: BTreeSet<String>,
}

impl Default for Scheduler {
    fn default() -> Self {
        let client = Client::scheduler();
        let (first, longest) = (jiff::SignedDuration::from_secs(1), jiff::SignedDuration::from_secs(10));
        Self {
            recorder: Recorder::new("default-scheduler", client.clone()),
            client,
            backoff: Backoff::new(first, longest),
            usage: BTreeMap::new(),
            unschedulable: BTreeSet::new(),
            repelling: BTreeSet::new(),
        }
    }
}

/// The pod takes room on a node.
fn occupied(pod: &Option<Arc<Value>>) -> Option<(&str, &Value)> {
    let pod = pod.as_deref().filter(|pod| !has_ended(pod))?;
    Some(text(pod, &["spec", "nodeName"])).filter(|node| !node.is_empty()).map(|node| (node, pod))
}

/// The pod waits for this scheduler.
fn is_waiting(pod: &Value) -> bool {
    let scheduler = text(pod, &["spec", "schedulerName"]);
    text(pod, &["spec", "nodeName"]).is_empty()
        && !is_deleting(pod)
        && !has_ended(pod)
        && (scheduler.is_empty() || scheduler == "default-scheduler")
}

impl Actor for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn notice(&mut self, commit: &Commit, _cluster: &Cluster, schedule: &mut Schedule) {
        match commit.resource.as_str() {
            "pods" => self.notice_pod(commit, schedule),
            "nodes" if node_matters(commit) => self.retry_all(schedule),
            _ => {}
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (of, called) = object::split_key(key);
        let Some(pod) = cluster.get("pods", of, called).filter(|pod| is_waiting(pod)) else {
            self.forget(key);
            return;
        };
        let outcome = match items(&pod, &["spec", "schedulingGates"]) {
            [] => self.place(key, &pod, cluster),
            _ => self.say_unscheduled(&pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", cluster),
        };
        if outcome.is_err()
            && let Some(delay) = self.backoff.failed(key)
        {
            schedule.after(delay, key);
        }
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        Some(&mut self.recorder)
    }
}

/// Something that decides about placement changed.
fn node_matters(commit: &Commit) -> bool {
    let (Some(before), Some(after)) = (&commit.before, &commit.after) else { return commit.after.is_some() };
    let facets = |node: &Value| [&node["spec"], &node["metadata"]["labels"], &node["status"]["allocatable"]].map(Value::clone);
    facets(before) != facets(after)
}

impl Scheduler {
    fn notice_pod(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let key = object::key(&commit.namespace, &commit.name);
        let (before, after) = (occupied(&commit.before), occupied(&commit.after));
        if before.map(|(node, _)| node) != after.map(|(node, _)| node) {
            if let Some((node, pod)) = before {
                self.leave(node, pod);
                self.repelling.remove(&key);
                self.retry_all(schedule);
            }
            if let Some((node, pod)) = after {
                self.join(node, pod);
                if spread::repels(pod) {
                    self.repelling.insert(key.clone());
                }
            }
        }
        match commit.after.as_deref() {
            Some(pod) if is_waiting(pod) => {
                // Its own word about a pod that fits nowhere is no reason to try again.
                if commit.manager != "kube-scheduler" {
                    schedule.soon(&key);
                }
            }
            _ => self.forget(&key),
        }
    }

    fn join(&mut self, node: &str, pod: &Value) {
        let usage = self.usage.entry(node.to_owned()).or_default();
        usage.requests.add(&of_pod(pod, "requests"));
        usage.pods += 1;
        usage.ports.extend(host_ports(pod));
    }

    fn leave(&mut self, node: &str, pod: &Value) {
        let Some(usage) = self.usage.get_mut(node) else { return };
        usage.requests.subtract(&of_pod(pod, "requests"));
        usage.pods -= 1;
        for port in host_ports(pod) {
            usage.ports.remove(&port);
        }
        if usage.pods <= 0 {
            self.usage.remove(node);
        }
    }

    fn forget(&mut self, key: &str) {
        self.unschedulable.remove(key);
        self.backoff.succeeded(key);
    }

    /// Room may have come free: every pod that fits nowhere is tried again, each after its backoff.
    fn retry_all(&mut self, schedule: &mut Schedule) {
        for key in std::mem::take(&mut self.unschedulable) {
            if let Some(delay) = self.backoff.failed(&key) {
                schedule.after(delay, &key);
            }
        }
    }

    fn place(&mut self, key: &str, pod: &Arc<Value>, cluster: &mut Cluster) -> Result<(), ApiError> {
        match self.choose(pod, cluster) {
            Ok(node) => {
                self.bind(pod, &node, cluster)?;
                self.forget(key);
                Ok(())
            }
            Err(refusals) => {
                self.unschedulable.insert(key.to_owned());
                let message = message::unschedulable(&refusals);
                self.recorder.record(cluster, pod, Note::warning("FailedScheduling", message.clone()));
                self.say_unscheduled(pod, "Unschedulable", &message, cluster)
            }
        }
    }

    /// The best node, ties by a draw; or the reasons of all.
    fn choose(&self, pod: &Value, cluster: &Cluster) -> Result<String, Vec<Vec<Reason>>> {
        let nodes = cluster.list("nodes", None);
        let spread = spread::Spread::of(pod, &nodes, &self.repelling, cluster);
        let empty = Usage::default();
        let mut refusals = Vec::new();
        let mut best: Option<(i64, u64, &str)> = None;
        let identity = object::key(namespace(pod), name(pod));
        for (number, node) in nodes.iter().enumerate() {
            let usage = self.usage.get(name(node)).unwrap_or(&empty);
            match refusal(pod, node, usage).or_else(|| spread.refusal(node)) {
                Some(reasons) => refusals.push(reasons),
                None => {
                    let tie = cluster.draws().u64("node", &identity, number as u64);
                    let rank = (score(pod, node, usage) + spread.score(node), tie, name(node));
                    best = best.filter(|best| *best >= rank).or(Some(rank));
                }
            }
        }
        best.map(|(_, _, node)| node.to_owned()).ok_or(refusals)
    }

    fn bind(&mut self, pod: &Value, node: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        cluster.bind(self.client.identity(), namespace(pod), name(pod), &binding(pod, node), &WriteOptions::manager("kube-scheduler"))?;
        let message = format!("Successfully assigned {}/{} to {node}", namespace(pod), name(pod));
        self.recorder.record(cluster, pod, Note::normal("Scheduled", message));
        Ok(())
    }

    fn say_unscheduled(&self, pod: &Value, reason: &str, message: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        let mut list = items(pod, &["status", "conditions"]).to_vec();
        let known = list.iter().find(|entry| text(entry, &["type"]) == "PodScheduled");
        if known.is_some_and(|known| text(known, &["reason"]) == reason && text(known, &["message"]) == message) {
            return Ok(());
        }
        let now = cluster.now();
        list.retain(|entry| text(entry, &["type"]) != "PodScheduled");
        set_workload(&mut list, &Condition::new("PodScheduled", "False", reason, message), now, false);
        if let Some(entry) = list.last_mut() {
            entry["lastProbeTime"] = Value::Null;
        }
        let mut status = pod.get("status").cloned().unwrap_or_else(|| json!({}));
        status["conditions"] = json!(list);
        self.client.update_status(cluster, "pods", pod, status)
    }
}

/// The pod's uid guards against a namesake.
fn binding(pod: &Value, node: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": { "name": name(pod), "namespace": namespace(pod), "uid": uid(pod) },
        "target": { "apiVersion": "v1", "kind": "Node", "name": node },
    })
}
