//! Nodes of a world.
//!
//! Takes the `nodes` of a world; gives groups of machines. Quantities and names are checked by the API server that gets the
//! Node objects, like everything about objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::{Entry, Located, Node};
use super::fields::{self, Fields};
use super::place::{Place, Problems};
use crate::sim::actors::nodes::machine::NodeGroup;

/// Nodes that one world may have.
pub const NODES_MAX: u32 = 5_000;
/// Resources that have a field of their own.
const NAMED: [&str; 4] = ["cpu", "memory", "pods", "nvidia.com/gpu"];

/// Several equal machines, and where they were written; none: the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machines {
    /// Where they were written.
    pub place: Option<Place>,
    /// The machines.
    pub group: NodeGroup,
}

/// Reads the groups.
pub fn read(node: &Located, problems: &mut Problems) -> Vec<Machines> {
    let groups: Vec<Machines> = fields::items(node, "nodes", problems).iter().filter_map(|item| group(item, problems)).collect();
    let total: u32 = groups.iter().map(|machines| machines.group.count).sum();
    if total > NODES_MAX {
        problems.push(node.place.problem(format!("{total} nodes are too many, at most {NODES_MAX} are simulated")));
    }
    groups
}

fn group(node: &Located, problems: &mut Problems) -> Option<Machines> {
    let mut fields = Fields::of(node, "an entry of nodes", problems)?;
    let usual = NodeGroup::default();
    let group = NodeGroup {
        name: fields.read("name", fields::text, problems).unwrap_or(usual.name),
        count: fields.read("count", fields::count, problems).unwrap_or(1),
        cpu: fields.read("cpu", fields::quantity, problems).unwrap_or(usual.cpu),
        memory: fields.read("memory", fields::quantity, problems).unwrap_or(usual.memory),
        gpus: fields.read("gpus", fields::count, problems).unwrap_or(0),
        pods: fields.read("pods", fields::count, problems).unwrap_or(usual.pods),
        zones: fields.take("zones").map(|zones| read_zones(zones, problems)).unwrap_or_default(),
        extended: fields.read("resources", quantities, problems).unwrap_or_default(),
        labels: fields.read("labels", fields::labels, problems).unwrap_or_default(),
        taints: fields.take("taints").map(|taints| read_taints(taints, problems)).unwrap_or_default(),
    };
    fields.finish(problems);
    for taken in NAMED {
        if group.extended.contains_key(taken) {
            problems.push(node.place_of("resources").problem(format!("{taken} has a field of its own here, take it out of resources")));
        }
    }
    Some(Machines { place: Some(node.place.clone()), group })
}

fn read_zones(node: &Located, problems: &mut Problems) -> Vec<String> {
    fields::items(node, "zones", problems).iter().filter_map(|zone| fields::text(zone, "a zone", problems)).collect()
}

fn quantities(node: &Located, name: &str, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let Node::Map(entries) = &node.node else {
        problems.push(node.place.problem(format!("{name} must be a mapping of resource to quantity, found {}", node.kind())));
        return None;
    };
    let read = |entry: &Entry, problems: &mut Problems| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::read_text;

    fn groups(text: &str) -> (Vec<Machines>, Vec<String>) {
        read_text(text, read)
    }

    #[test]
    fn groups_are_read_with_defaults() {
        let (groups, problems) =
            groups("- {count: 2, cpu: 8, memory: 32Gi, zones: [a, b]}\n- {name: big, gpus: 1, taints: [{key: a, effect: NoSchedule}]}\n");
        assert!(problems.is_empty(), "{problems:?}");
        let (first, second) = (&groups[0].group, &groups[1].group);
        assert_eq!((first.count, first.cpu.as_str(), first.gpus, first.zones.len()), (2, "8", 0, 2));
        assert_eq!((second.name.as_str(), second.count, second.gpus, second.pods), ("big", 1, 1, 110));
        assert_eq!(second.taints, [json!({ "key": "a", "effect": "NoSchedule" })]);
    }

    #[test]
    fn mistakes_in_nodes_are_reported() {
        let (_, problems) = groups("- {count: -1, gpu: 8}\n- {taints: [{key: a, effect: Never}], resources: {cpu: 1}}\n- {count: 9999}\n");
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems[1].contains("did you mean \"gpus\"?"), "{problems:?}");
    }
}
