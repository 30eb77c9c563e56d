//! Nodes: their objects, what happens when one falls silent, and what becomes of its pods.
//!
//! Takes machines as data and Node objects; writes conditions, taints, the readiness of pods on silent nodes, and deletes
//! pods by taint or because their node is no more. There are no heartbeats: a node is silent when it was told to be, so
//! that a quiet cluster stays quiet.

pub mod machine;
pub mod taints;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::machine::NodeGroup;
use super::client::Client;
use super::conditions::{Condition, set_workload};
use super::events::{Note, Recorder};
use super::object::{self, is_deleting, items, key, labels, name, text};
use super::replica_set::order::has_ended;
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions};
use crate::sim::simulation::Schedule;

/// Silence after which a node counts as unreachable, and the period of the look.
const SILENCE: SignedDuration = SignedDuration::from_secs(50);
const LOOK: SignedDuration = SignedDuration::from_secs(5);
/// Time between two nodes of a zone that begin to evict.
const EVICTION_STEP: SignedDuration = SignedDuration::from_secs(10);
/// Seconds that a pod without a node is kept, and the period of the look.
const QUARANTINE_SECONDS: i64 = 40;
const POD_GC_SECONDS: i64 = 20;
/// Time between two attempts of a drain.
const DRAIN_RETRY: SignedDuration = SignedDuration::from_secs(5);

/// The node lifecycle controllers.
#[derive(Debug)]
pub struct Nodes {
    client: Client,
    recorder: Recorder,
    /// Since when machines are silent.
    down: BTreeMap<String, Timestamp>,
    /// Keys of pods by node.
    pods: BTreeMap<String, BTreeSet<String>>,
    /// When the next node of a zone may begin to evict.
    evict_next: BTreeMap<String, Timestamp>,
    /// When pods whose node is no more are deleted.
    quarantine: BTreeMap<String, Timestamp>,
    machines: u32,
}

impl Default for Nodes {
    fn default() -> Self {
        let client = Client::controller_manager();
        Self {
            recorder: Recorder::new("node-controller", client.clone()),
            client,
            down: BTreeMap::new(),
            pods: BTreeMap::new(),
            evict_next: BTreeMap::new(),
            quarantine: BTreeMap::new(),
            machines: 0,
        }
    }
}

impl Actor for Nodes {
    fn name(&self) -> &'static str {
        "nodes"
    }

    fn notice(&mut self, commit: &Commit, cluster: &Cluster, schedule: &mut Schedule) {
        match commit.resource.as_str() {
            "nodes" => self.notice_node(commit, cluster, schedule),
            "pods" => self.notice_pod(commit, cluster, schedule),
            _ => {}
        }
    }

    /// Keys are `node/<name>`, `pod/<namespace>/<name>`, `drain/<name>`.
    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let Some((what, rest)) = key.split_once('/') else { return };
        let outcome = match what {
            "node" => self.look_at(rest, cluster, schedule),
            "pod" => self.look_at_pod(rest, cluster, schedule),
            _ => self.drain_step(rest, cluster, schedule),
        };
        // Refused: the object changed since it was read a moment ago; look again.
        if outcome.is_err() {
            schedule.after(SignedDuration::from_secs(1), key);
        }
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        Some(&mut self.recorder)
    }
}

fn evicts(node: &Value) -> bool {
    items(node, &["spec", "taints"]).iter().any(|taint| text(taint, &["effect"]) == "NoExecute")
}

impl Nodes {
    /// Creates the Node objects of a group; gives their names and addresses.
    ///
    /// # Errors
    /// What the server refuses, such as a malformed quantity.
    pub fn create(&mut self, group: &NodeGroup, cluster: &mut Cluster) -> Result<Vec<(String, String)>, ApiError> {
        let mut created = Vec::new();
        let mut number = 0;
        while created.len() < usize::try_from(group.count).unwrap_or(usize::MAX) {
            number += 1;
            let name = format!("{}-{number}", group.name);
            if cluster.get("nodes", "", &name).is_some() {
                continue;
            }
            self.machines += 1;
            let address = format!("192.168.{}.{}", self.machines / 250, self.machines % 250 + 2);
            let kubelet = Client::kubelet(&name);
            let node = kubelet.create(cluster, "nodes", "", machine::node(group, &name, created.len()))?;
            let status = machine::status(group, &name, &address, cluster.now());
            kubelet.update_status(cluster, "nodes", &node, status)?;
            created.push((name, address));
        }
        Ok(created)
    }

    /// A machine falls silent or reports again.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn set_down(&mut self, node: &str, down: bool, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let now = cluster.now();
        if down {
            self.down.entry(node.to_owned()).or_insert(now);
            let share = cluster.draws().fraction("silence", node, now.as_second().unsigned_abs());
            let look = SignedDuration::from_secs_f64(LOOK.as_secs_f64() * share);
            schedule.after(SILENCE + look, &format!("node/{node}"));
            return Ok(());
        }
        self.down.remove(node);
        let Some(live) = cluster.get("nodes", "", node) else { return Ok(()) };
        let mut status = live.get("status").cloned().unwrap_or_else(|| json!({}));
        if taints::trouble(&live).is_some() {
            status["conditions"] = json!(machine::healthy(items(&live, &["status", "conditions"]), now));
        }
        Client::kubelet(node).update_status(cluster, "nodes", &live, status)
    }

    /// Evicts all pods of a node that a controller would replace, again and again until none is left.
    pub fn drain(&self, node: &str, schedule: &mut Schedule) {
        schedule.soon(&format!("drain/{node}"));
    }

    fn notice_node(&mut self, commit: &Commit, cluster: &Cluster, schedule: &mut Schedule) {
        schedule.soon(&format!("node/{}", commit.name));
        let trouble = |node: &Option<Arc<Value>>| node.as_deref().and_then(taints::trouble).is_some();
        if trouble(&commit.before) != trouble(&commit.after) || commit.after.is_none() {
            // How many are bad decides about the others too.
            for node in cluster.list("nodes", None) {
                schedule.soon(&format!("node/{}", name(&node)));
            }
        }
        let evicting = |node: &Option<Arc<Value>>| node.as_deref().is_some_and(evicts);
        if evicting(&commit.before) || evicting(&commit.after) || commit.after.is_none() {
            for pod in self.pods.get(&commit.name).into_iter().flatten() {
                schedule.soon(&format!("pod/{pod}"));
            }
        }
    }

    fn notice_pod(&mut self, commit: &Commit, cluster: &Cluster, schedule: &mut Schedule) {
        let node = |pod: &Option<Arc<Value>>| pod.as_deref().map_or("", |pod| text(pod, &["spec", "nodeName"])).to_owned();
        let (before, after) = (node(&commit.before), node(&commit.after));
        if before == after {
            return;
        }
        let key = key(&commit.namespace, &commit.name);
        if let Some(pods) = self.pods.get_mut(&before) {
            pods.remove(&key);
        }
        if !after.is_empty() {
            let object = cluster.get("nodes", "", &after);
            if object.is_none_or(|node| evicts(&node) || taints::trouble(&node).is_some()) {
                schedule.soon(&format!("pod/{key}"));
            }
            self.pods.entry(after).or_default().insert(key);
        }
    }

    /// Conditions, taints, and the readiness of the node's pods.
    fn look_at(&mut self, called: &str, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let Some(node) = cluster.get("nodes", "", called) else {
            self.pods.retain(|node, pods| node != called || !pods.is_empty());
            return Ok(());
        };
        let now = cluster.now();
        let silent_since = self.down.get(called).filter(|since| **since + SILENCE <= now);
        if silent_since.is_some() && taints::trouble(&node) != Some(taints::UNREACHABLE) {
            let mut status = node.get("status").cloned().unwrap_or_else(|| json!({}));
            status["conditions"] = json!(machine::silent(items(&node, &["status", "conditions"]), now));
            self.client.update_status(cluster, "nodes", &node, status)?;
            self.recorder.record(cluster, &node, Note::normal("NodeNotReady", format!("Node {called} status is now: NodeNotReady")));
            return Ok(());
        }
        let evict = self.may_evict_from(&node, cluster, schedule);
        let taints = taints::wanted(&node, evict, now);
        if items(&node, &["spec", "taints"]) != taints {
            let mut tainted = Value::clone(&node);
            tainted["spec"]["taints"] = json!(taints);
            self.client.update(cluster, "nodes", tainted)?;
        }
        if taints::trouble(&node).is_some() {
            self.pods_not_ready(called, cluster)?;
        }
        Ok(())
    }

    /// The zone's state allows eviction, and it is this node's turn.
    fn may_evict_from(&mut self, node: &Value, cluster: &Cluster, schedule: &mut Schedule) -> bool {
        if taints::trouble(node).is_none() {
            return false;
        }
        let nodes = cluster.list("nodes", None);
        let bad = |node: &&Arc<Value>| taints::trouble(node).is_some();
        let same_zone = |other: &&Arc<Value>| zone(other) == zone(node);
        let all_bad = nodes.iter().all(|node| bad(&node));
        let (bad_here, here) = (nodes.iter().filter(same_zone).filter(bad).count(), nodes.iter().filter(same_zone).count());
        if !taints::may_evict(bad_here, here, all_bad) {
            return false;
        }
        if evicts(node) {
            return true;
        }
        let turn = self.evict_next.entry(zone(node).to_owned()).or_insert(cluster.now());
        if *turn > cluster.now() {
            schedule.at(*turn, &format!("node/{}", name(node)));
            return false;
        }
        *turn = cluster.now() + EVICTION_STEP;
        true
    }

    fn pods_not_ready(&self, node: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        for key in self.pods.get(node).into_iter().flatten() {
            let (of, called) = object::split_key(key);
            let Some(pod) = cluster.get("pods", of, called).filter(|pod| object::is_true(pod, "Ready")) else { continue };
            let mut status = pod["status"].clone();
            for entry in status["conditions"].as_array_mut().into_iter().flatten() {
                if text(entry, &["type"]) == "Ready" {
                    entry["status"] = json!("False");
                    entry["lastTransitionTime"] = json!(object::seconds_text(cluster.now()));
                }
            }
            self.client.update_status(cluster, "pods", &pod, status)?;
        }
        Ok(())
    }

    /// Deletes a pod whose node is no more or whose tolerations have run out.
    fn look_at_pod(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let (of, called) = object::split_key(key);
        let Some(pod) = cluster.get("pods", of, called) else {
            self.quarantine.remove(key);
            return Ok(());
        };
        let now = cluster.now();
        let Some(node) = cluster.get("nodes", "", text(&pod, &["spec", "nodeName"])) else {
            return self.collect(key, &pod, cluster, schedule);
        };
        self.quarantine.remove(key);
        if is_deleting(&pod) || has_ended(&pod) {
            return Ok(());
        }
        if taints::trouble(&node).is_some() && object::is_true(&pod, "Ready") {
            schedule.soon(&format!("node/{}", name(&node)));
        }
        match taints::eviction(&pod, &node, now) {
            None => Ok(()),
            Some(due) if due > now => {
                schedule.at(due, &format!("pod/{key}"));
                Ok(())
            }
            Some(_) => {
                self.recorder.record(cluster, &pod, Note::normal("TaintManagerEviction", format!("Marking for deletion Pod {key}")));
                self.disrupt(&pod, None, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", cluster)?;
                self.client.delete(cluster, "pods", &pod, DeleteOptions::default())
            }
        }
    }

    /// A pod without a node: quarantine until the next look after it, then Failed and gone.
    fn collect(&mut self, key: &str, pod: &Value, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let release = cluster.now().as_second() + QUARANTINE_SECONDS;
        let look = (release + POD_GC_SECONDS - 1).div_euclid(POD_GC_SECONDS) * POD_GC_SECONDS;
        let due = *self.quarantine.entry(key.to_owned()).or_insert(Timestamp::from_second(look).unwrap_or(Timestamp::MAX));
        if due > cluster.now() {
            schedule.at(due, &format!("pod/{key}"));
            return Ok(());
        }
        self.quarantine.remove(key);
        self.disrupt(pod, Some("Failed"), "DeletionByPodGC", "PodGC: node no longer exists", cluster)?;
        let at_once = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        self.client.delete(cluster, "pods", pod, at_once)
    }

    /// Says on the pod why it is deleted.
    fn disrupt(&self, pod: &Value, phase: Option<&str>, reason: &str, message: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        let mut status = pod.get("status").cloned().unwrap_or_else(|| json!({}));
        let mut list = items(pod, &["status", "conditions"]).to_vec();
        set_workload(&mut list, &Condition::new("DisruptionTarget", "True", reason, message), cluster.now(), false);
        status["conditions"] = json!(list);
        if let Some(phase) = phase.filter(|_| !has_ended(pod)) {
            status["phase"] = json!(phase);
        }
        self.client.update_status(cluster, "pods", pod, status)
    }

    fn drain_step(&mut self, node: &str, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let admin = super::client::administrator();
        let mut refused = false;
        for key in self.pods.get(node).cloned().unwrap_or_default() {
            let (of, called) = object::split_key(&key);
            let Some(pod) = cluster.get("pods", of, called) else { continue };
            if is_deleting(&pod) || object::controller_uid(&pod, "DaemonSet").is_some() || has_ended(&pod) {
                continue;
            }
            refused |= cluster.evict(&admin, of, called, &DeleteOptions::default()).is_err();
        }
        if refused {
            schedule.after(DRAIN_RETRY, &format!("drain/{node}"));
        }
        Ok(())
    }
}

fn zone(node: &Value) -> &str {
    labels(node).and_then(|labels| labels.get("topology.kubernetes.io/zone")).and_then(Value::as_str).unwrap_or("")
}
