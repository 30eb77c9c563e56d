//! Taints that follow from a node's condition, and when they evict pods.
//!
//! Takes nodes and pods; gives the wanted taints, and times. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sim::actors::object::{condition, flag, int, items, seconds_text, text, time};
use crate::sim::actors::scheduler::filter::covers;

/// Taint of a node whose kubelet is silent.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Taint of a node whose kubelet says that it is not ready.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Taint of a cordoned node.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The taint key for a node that is not ready; none if it is, or has never reported.
pub fn trouble(node: &Value) -> Option<&'static str> {
    match text(condition(node, "Ready")?, &["status"]) {
        "True" => None,
        "False" => Some(NOT_READY),
        _ => Some(UNREACHABLE),
    }
}

/// Whether pods may be evicted from nodes that are not ready, given how many of a zone's nodes are bad: not if all of the
/// cluster's are (then the network is at fault), nor if at least 3 and 55 % of a small zone are.
pub fn may_evict(bad_in_zone: usize, all_in_zone: usize, all_bad: bool) -> bool {
    let partial = bad_in_zone >= 3 && bad_in_zone * 100 >= all_in_zone * 55;
    let small = all_in_zone <= 50;
    !(all_bad || partial && small)
}

/// The node's taints as they should be; `evict`: the one that evicts may be set.
pub fn wanted(node: &Value, evict: bool, now: Timestamp) -> Vec<Value> {
    let present = items(node, &["spec", "taints"]);
    let is = |taint: &Value, key: &str, effect: &str| text(taint, &["key"]) == key && text(taint, &["effect"]) == effect;
    let mut rules = vec![(UNSCHEDULABLE, "NoSchedule", flag(node, &["spec", "unschedulable"]))];
    for key in [UNREACHABLE, NOT_READY] {
        let applies = trouble(node) == Some(key);
        rules.push((key, "NoSchedule", applies));
        rules.push((key, "NoExecute", applies && evict));
    }
    let mut taints = present.to_vec();
    for (key, effect, applies) in rules {
        if !applies {
            taints.retain(|taint| !is(taint, key, effect));
        } else if !taints.iter().any(|taint| is(taint, key, effect)) {
            taints.push(json!({ "key": key, "effect": effect, "timeAdded": seconds_text(now) }));
        }
    }
    taints
}

/// When the taint manager deletes a pod from a node; none: never.
pub fn eviction(pod: &Value, node: &Value, now: Timestamp) -> Option<Timestamp> {
    let taints = items(node, &["spec", "taints"]).iter().filter(|taint| text(taint, &["effect"]) == "NoExecute");
    taints.filter_map(|taint| eviction_by(pod, taint, now)).min()
}

fn eviction_by(pod: &Value, taint: &Value, now: Timestamp) -> Option<Timestamp> {
    let tolerations: Vec<&Value> = items(pod, &["spec", "tolerations"]).iter().filter(|toleration| covers(toleration, taint)).collect();
    if tolerations.is_empty() {
        return Some(now);
    }
    let seconds = tolerations.iter().filter_map(|toleration| int(toleration, &["tolerationSeconds"])).min()?;
    let since = time(taint, &["timeAdded"]).unwrap_or(now);
    Timestamp::from_second(since.as_second() + seconds.max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(ready: &str, cordoned: bool) -> Value {
        json!({ "spec": { "unschedulable": cordoned }, "status": { "conditions": [{ "type": "Ready", "status": ready }] } })
    }

    fn keys(node: &Value, evict: bool) -> Vec<String> {
        let taints = wanted(node, evict, Timestamp::UNIX_EPOCH);
        taints.iter().map(|taint| format!("{}:{}", text(taint, &["key"]), text(taint, &["effect"]))).collect()
    }

    #[test]
    fn a_silent_node_repels_at_once_and_evicts_when_allowed() {
        assert_eq!(keys(&node("Unknown", false), false), ["node.kubernetes.io/unreachable:NoSchedule"]);
        let both = ["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"];
        assert_eq!(keys(&node("Unknown", false), true), both);
        assert_eq!(keys(&node("True", true), true), ["node.kubernetes.io/unschedulable:NoSchedule"]);
    }

    #[test]
    fn a_node_that_is_back_loses_its_taints_and_keeps_those_of_others() {
        let mut back = node("True", false);
        back["spec"]["taints"] =
            json!([{ "key": "node.kubernetes.io/unreachable", "effect": "NoExecute" }, { "key": "gpu", "effect": "NoSchedule" }]);
        assert_eq!(keys(&back, true), ["gpu:NoSchedule"]);
    }

    #[test]
    fn eviction_stops_when_most_of_a_zone_or_everything_is_bad() {
        assert!(may_evict(1, 3, false) && may_evict(2, 3, false));
        assert!(!may_evict(3, 5, false) && !may_evict(1, 1, true));
        assert!(may_evict(30, 60, false));
    }

    #[test]
    fn row_59_a_toleration_of_six_seconds_delays_and_one_without_end_prevents() {
        let mut bad = node("Unknown", false);
        bad["spec"]["taints"] = json!(wanted(&bad, true, Timestamp::UNIX_EPOCH));
        let pod = |tolerations: Value| json!({ "spec": { "tolerations": tolerations } });
        let now = Timestamp::from_second(2).unwrap();
        let six = json!([{ "key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 6 }]);
        assert_eq!(eviction(&pod(six), &bad, now), Timestamp::from_second(6).ok());
        assert_eq!(eviction(&pod(json!([{ "operator": "Exists" }])), &bad, now), None);
        assert_eq!(eviction(&pod(json!([])), &bad, now), Some(now));
    }
}
