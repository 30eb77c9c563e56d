//! Nodes of a world.
//!
//! Takes the `nodes` of a world; gives Node objects as a machine would register them. Quantities are checked by the API
//! server that gets the objects, like everything about objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::Located;
use super::fields::{self, Fields};
use super::place::{Place, Problems};

/// Nodes that one world may have.
pub const NODES_MAX: u32 = 5_000;
/// The resource that `gpus` counts.
pub const GPU_RESOURCE: &str = "nvidia.com/gpu";

/// Several equal nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeGroup {
    /// Where it was written; none: the default.
    pub place: Option<Place>,
    /// Names are `<name>-1`, `<name>-2`, ...; counted on over groups of the same name.
    pub name: String,
    /// Number of nodes.
    pub count: u32,
    /// CPUs of each.
    pub cpu: String,
    /// Memory of each.
    pub memory: String,
    /// GPUs of each.
    pub gpus: u32,
    /// Pods that fit on each.
    pub pods: u32,
    /// Other resources of each.
    pub resources: BTreeMap<String, String>,
    /// Labels beside the name of the host.
    pub labels: BTreeMap<String, String>,
    /// Taints as in a Node's spec.
    pub taints: Vec<Value>,
}

impl Default for NodeGroup {
    /// Three machines for inference: 64 CPUs, 256 GiB, 8 GPUs and room for 110 pods each.
    fn default() -> Self {
        Self {
            place: None,
            name: "node".to_owned(),
            count: 3,
            cpu: "64".to_owned(),
            memory: "256Gi".to_owned(),
            gpus: 8,
            pods: 110,
            resources: BTreeMap::new(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
        }
    }
}

/// Reads the groups.
pub fn read(node: &Located, problems: &mut Problems) -> Vec<NodeGroup> {
    let groups: Vec<NodeGroup> = fields::items(node, "nodes", problems).iter().filter_map(|item| group(item, problems)).collect();
    let total: u32 = groups.iter().map(|group| group.count).sum();
    if total > NODES_MAX {
        problems.push(node.place.problem(format!("{total} nodes are too many, at most {NODES_MAX} are simulated")));
    }
    groups
}

fn group(node: &Located, problems: &mut Problems) -> Option<NodeGroup> {
    let mut fields = Fields::of(node, "an entry of nodes", problems)?;
    let usual = NodeGroup::default();
    let group = NodeGroup {
        place: Some(node.place.clone()),
        name: fields.read("name", fields::text, problems).unwrap_or(usual.name),
        count: fields.read("count", fields::count, problems).unwrap_or(1),
        cpu: fields.read("cpu", fields::quantity, problems).unwrap_or(usual.cpu),
        memory: fields.read("memory", fields::quantity, problems).unwrap_or(usual.memory),
        gpus: fields.read("gpus", fields::count, problems).unwrap_or(0),
        pods: fields.read("pods", fields::count, problems).unwrap_or(usual.pods),
        resources: fields.read("resources", quantities, problems).unwrap_or_default(),
        labels: fields.read("labels", fields::labels, problems).unwrap_or_default(),
        taints: fields.take("taints").map(|taints| read_taints(taints, problems)).unwrap_or_default(),
    };
    fields.finish(problems);
    for taken in ["cpu", "memory", "pods", GPU_RESOURCE] {
        if group.resources.contains_key(taken) {
            problems.push(node.place_of("resources").problem(format!("{taken} has a field of its own here, take it out of resources")));
        }
    }
    Some(group)
}

fn quantities(node: &Located, name: &str, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let super::document::Node::Map(entries) = &node.node else {
        problems.push(node.place.problem(format!("{name} must be a mapping of resource to quantity, found {}", node.kind())));
        return None;
    };
    let read = |entry: &super::document::Entry, problems: &mut Problems| {
        let quantity = fields::quantity(&entry.value, &format!("{name}.{}", entry.key), problems)?;
        Some((entry.key.clone(), quantity))
    };
    Some(entries.iter().filter_map(|entry| read(entry, problems)).collect())
}

fn read_taints(node: &Located, problems: &mut Problems) -> Vec<Value> {
    let effects = [("NoSchedule", "NoSchedule"), ("PreferNoSchedule", "PreferNoSchedule"), ("NoExecute", "NoExecute")];
    let mut taints = Vec::new();
    for item in fields::items(node, "taints", problems) {
        let Some(mut fields) = Fields::of(item, "a taint", problems) else { continue };
        let key = fields.require("key", fields::text, problems);
        let value = fields.read("value", fields::text, problems);
        let effect = fields.take("effect").and_then(|effect| fields::word(effect, "effect", &effects, problems));
        if item.get("effect").is_none() {
            problems.push(item.place.problem("effect is missing"));
        }
        fields.finish(problems);
        if let (Some(key), Some(effect)) = (key, effect) {
            let mut taint = json!({ "key": key, "effect": effect });
            if let Some(value) = value {
                taint["value"] = json!(value);
            }
            taints.push(taint);
        }
    }
    taints
}

/// The Node objects of all groups, ready as after their registration, each with the place of its group.
pub fn objects(groups: &[NodeGroup]) -> Vec<(Option<Place>, Value)> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut nodes = Vec::new();
    for group in groups {
        for _ in 0..group.count {
            let number = counts.entry(&group.name).or_insert(0);
            *number += 1;
            nodes.push((group.place.clone(), group.object(&format!("{}-{number}", group.name))));
        }
    }
    nodes
}

impl NodeGroup {
    fn object(&self, name: &str) -> Value {
        let mut capacity = json!({ "cpu": self.cpu, "memory": self.memory, "pods": self.pods.to_string(), "ephemeral-storage": "2Ti" });
        for (resource, quantity) in &self.resources {
            capacity[resource] = json!(quantity);
        }
        if self.gpus > 0 {
            capacity[GPU_RESOURCE] = json!(self.gpus.to_string());
        }
        let mut labels = json!({ "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" });
        for (label, value) in &self.labels {
            labels[label] = json!(value);
        }
        let mut spec = json!({});
        if !self.taints.is_empty() {
            spec["taints"] = json!(self.taints);
        }
        json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels }, "spec": spec,
            "status": { "capacity": capacity, "allocatable": capacity },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::parse;

    fn groups(text: &str) -> (Vec<NodeGroup>, Vec<String>) {
        let document = parse("w.yaml", text).unwrap().remove(0);
        let mut problems = Problems::new();
        let groups = read(&document, &mut problems);
        (groups, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nodes_are_counted_on_over_groups_of_one_name() {
        let (groups, problems) =
            groups("- {count: 2, cpu: 8, memory: 32Gi}\n- {gpus: 1}\n- {name: big, taints: [{key: a, effect: NoSchedule}]}\n");
        assert!(problems.is_empty(), "{problems:?}");
        let objects = objects(&groups);
        let names: Vec<&str> = objects.iter().filter_map(|(_, node)| node.pointer("/metadata/name")?.as_str()).collect();
        assert_eq!(names, ["node-1", "node-2", "node-3", "big-1"]);
        assert_eq!(objects[0].1["status"]["capacity"]["cpu"], "8");
        assert_eq!(objects[2].1["status"]["allocatable"][GPU_RESOURCE], "1");
        assert_eq!(objects[3].1["spec"]["taints"][0]["key"], "a");
    }

    #[test]
    fn mistakes_in_nodes_are_reported() {
        let (_, problems) = groups("- {count: -1, gpu: 8}\n- {taints: [{key: a, effect: Never}], resources: {cpu: 1}}\n- {count: 9999}\n");
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems[1].contains("did you mean \"gpus\"?"), "{problems:?}");
    }
}
