//! Nodes as data: what machines a simulated cluster has.
//!
//! Takes groups of machines; gives Node objects and their conditions. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sim::actors::object::seconds_text;

/// Machines of one make.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeGroup {
    /// Names are `<name>-<number>`, counted up over all groups of that name.
    pub name: String,
    /// How many.
    pub count: u32,
    /// `cpu` of each, a quantity.
    pub cpu: String,
    /// `memory` of each, a quantity.
    pub memory: String,
    /// `nvidia.com/gpu` of each.
    pub gpus: u32,
    /// Most pods on each.
    pub pods: u32,
    /// Zones, given to the machines in turn; none: no zone label.
    pub zones: Vec<String>,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
    /// Taints from the start, as in `spec.taints`.
    pub taints: Vec<Value>,
    /// Further capacity by resource name, such as `amd.com/gpu`.
    pub extended: BTreeMap<String, String>,
}

impl Default for NodeGroup {
    /// Three machines with 64 CPUs, 256 GiB and 8 GPUs, 110 pods each, in no zone.
    fn default() -> Self {
        Self {
            name: "node".to_owned(),
            count: 3,
            cpu: "64".to_owned(),
            memory: "256Gi".to_owned(),
            gpus: 8,
            pods: 110,
            zones: Vec::new(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            extended: BTreeMap::new(),
        }
    }
}

/// Conditions that a kubelet reports: type, healthy status, healthy reason, healthy message.
const CONDITIONS: [(&str, &str, &str, &str); 4] = [
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
];

/// The Node object of one machine, without status.
pub fn node(group: &NodeGroup, name: &str, number: usize) -> Value {
    let mut labels = json!({
        "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
    });
    if let Some(zone) = group.zones.get(number % group.zones.len().max(1)) {
        labels["topology.kubernetes.io/zone"] = json!(zone);
    }
    for (key, value) in &group.labels {
        labels[key] = json!(value);
    }
    let mut spec = json!({ "providerID": format!("simulation://{name}") });
    if !group.taints.is_empty() {
        spec["taints"] = json!(group.taints);
    }
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels }, "spec": spec })
}

/// What the kubelet of a fresh machine reports.
pub fn status(group: &NodeGroup, name: &str, address: &str, now: Timestamp) -> Value {
    let mut capacity = json!({
        "cpu": group.cpu, "memory": group.memory, "pods": group.pods.to_string(), "ephemeral-storage": "1Ti",
        "hugepages-1Gi": "0", "hugepages-2Mi": "0",
    });
    if group.gpus > 0 {
        capacity["nvidia.com/gpu"] = json!(group.gpus.to_string());
    }
    for (resource, amount) in &group.extended {
        capacity[resource] = json!(amount);
    }
    json!({
        "capacity": capacity, "allocatable": capacity, "conditions": healthy(&[], now),
        "addresses": [{ "type": "InternalIP", "address": address }, { "type": "Hostname", "address": name }],
        "daemonEndpoints": { "kubeletEndpoint": { "Port": 10250 } },
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "osImage": "Simulated Linux", "kernelVersion": "6.12.0-simulated",
            "containerRuntimeVersion": "containerd://2.1.0-simulated", "kubeletVersion": "v1.35.4", "kubeProxyVersion": "",
            "machineID": name, "systemUUID": name, "bootID": name,
        },
    })
}

/// The conditions of a machine that reports, with former transition times where the status is the same.
pub fn healthy(former: &[Value], now: Timestamp) -> Vec<Value> {
    let rows = CONDITIONS.iter().map(|(kind, status, reason, message)| condition(former, kind, status, reason, message, now));
    rows.map(|mut row| {
        row["lastHeartbeatTime"] = json!(seconds_text(now));
        row
    })
    .collect()
}

/// The conditions after a machine has been silent for too long.
pub fn silent(former: &[Value], now: Timestamp) -> Vec<Value> {
    let message = "Kubelet stopped posting node status.";
    let rows = CONDITIONS.iter().map(|(kind, ..)| condition(former, kind, "Unknown", "NodeStatusUnknown", message, now));
    let heartbeat = |kind: &str| former.iter().find(|row| row["type"] == kind).and_then(|row| row.get("lastHeartbeatTime")).cloned();
    rows.map(|mut row| {
        let at = heartbeat(row["type"].as_str().unwrap_or_default());
        row["lastHeartbeatTime"] = at.unwrap_or_else(|| json!(seconds_text(now)));
        row
    })
    .collect()
}

fn condition(former: &[Value], kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> Value {
    let kept = former.iter().find(|row| row["type"] == kind && row["status"] == status);
    let since = kept.map_or_else(|| json!(seconds_text(now)), |row| row["lastTransitionTime"].clone());
    json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since })
}
