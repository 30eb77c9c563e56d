//! Filters and texts of the scheduler, on plain values.

use serde_json::{Value, json};

use super::filter::{Usage, refusal, score};
use super::message::unschedulable;
use crate::sim::actors::resources::of_pod;

fn node(name: &str, cpu: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "zone": "a", "size": "8" } }, "spec": {},
        "status": { "allocatable": { "cpu": cpu, "memory": "16Gi", "pods": "110", "nvidia.com/gpu": "1" } },
    })
}

fn pod(requests: Value) -> Value {
    json!({ "metadata": {}, "spec": { "containers": [{ "name": "c", "resources": { "requests": requests } }] } })
}

fn texts(pod: &Value, node: &Value, usage: &Usage) -> Vec<String> {
    refusal(pod, node, usage).unwrap_or_default().into_iter().map(|reason| reason.text).collect()
}

fn used(pod: &Value, pods: i64) -> Usage {
    Usage { requests: of_pod(pod, "requests"), pods, ..Usage::default() }
}

#[test]
fn a_pod_that_fits_is_not_refused() {
    assert_eq!(refusal(&pod(json!({ "cpu": "4", "nvidia.com/gpu": 1 })), &node("n", "4"), &Usage::default()), None);
}

#[test]
fn every_short_resource_is_named() {
    let taken = used(&pod(json!({ "cpu": "3", "nvidia.com/gpu": 1 })), 110);
    let wanted = pod(json!({ "cpu": "2", "nvidia.com/gpu": 1 }));
    assert_eq!(texts(&wanted, &node("n", "4"), &taken), ["Too many pods", "Insufficient cpu", "Insufficient nvidia.com/gpu"]);
}

#[test]
fn cordon_taints_and_selectors_refuse_unless_tolerated_or_met() {
    let mut cordoned = node("n", "4");
    cordoned["spec"] = json!({ "unschedulable": true });
    let plain = pod(json!({}));
    assert_eq!(texts(&plain, &cordoned, &Usage::default()), ["node(s) were unschedulable"]);
    let mut tainted = node("n", "4");
    tainted["spec"] = json!({ "taints": [{ "key": "gpu", "value": "yes", "effect": "NoSchedule" }] });
    assert_eq!(texts(&plain, &tainted, &Usage::default()), ["node(s) had untolerated taint(s)"]);
    let mut tolerant = plain.clone();
    tolerant["spec"]["tolerations"] = json!([{ "key": "gpu", "operator": "Exists" }]);
    assert!(texts(&tolerant, &tainted, &Usage::default()).is_empty());
    let mut choosy = plain.clone();
    choosy["spec"]["nodeSelector"] = json!({ "zone": "b" });
    assert_eq!(texts(&choosy, &node("n", "4"), &Usage::default()), ["node(s) didn't match Pod's node affinity/selector"]);
}

#[test]
fn required_affinity_compares_sets_and_numbers() {
    let wants = |operator: &str, values: Value| {
        let mut wanting = pod(json!({}));
        let expression = json!({ "key": "size", "operator": operator, "values": values });
        wanting["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({ "nodeSelectorTerms": [{ "matchExpressions": [expression] }] });
        refusal(&wanting, &node("n", "4"), &Usage::default()).is_none()
    };
    assert!(wants("In", json!(["8", "9"])) && wants("Gt", json!(["7"])) && wants("Exists", json!([])));
    assert!(!wants("NotIn", json!(["8"])) && !wants("Lt", json!(["8"])) && !wants("DoesNotExist", json!([])));
}

#[test]
fn a_taken_host_port_refuses() {
    let mut wanting = pod(json!({}));
    wanting["spec"]["containers"][0]["ports"] = json!([{ "containerPort": 80, "hostPort": 80 }]);
    let usage = Usage { ports: super::filter::host_ports(&wanting), ..Usage::default() };
    assert_eq!(texts(&wanting, &node("n", "4"), &usage), ["node(s) didn't have free ports for the requested pod ports"]);
}

#[test]
fn the_message_counts_reasons_and_says_where_preemption_is_no_use() {
    let taken = used(&pod(json!({ "cpu": "3" })), 1);
    let mut wanting = pod(json!({ "cpu": "2" }));
    wanting["spec"]["nodeSelector"] = json!({ "zone": "a" });
    let mut elsewhere = node("x", "4");
    elsewhere["metadata"]["labels"]["zone"] = json!("b");
    let refusals = [&node("n", "4"), &elsewhere, &elsewhere].map(|node| refusal(&wanting, node, &taken).unwrap());
    assert_eq!(
        unschedulable(&refusals),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector. \
         no new claims to deallocate, preemption: 0/3 nodes are available: \
         1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."
    );
}

#[test]
fn an_emptier_node_scores_higher() {
    let wanting = pod(json!({ "cpu": "1", "memory": "1Gi" }));
    let busy = used(&pod(json!({ "cpu": "3", "memory": "12Gi" })), 1);
    assert!(score(&wanting, &node("n", "4"), &Usage::default()) > score(&wanting, &node("n", "4"), &busy));
}
