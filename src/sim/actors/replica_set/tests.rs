//! The order in which pods of a ReplicaSet go, and its status, on plain values.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::order::{Candidate, deletion_order};
use super::status::{Failure, counted, next_available};

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const NOW: i64 = 100_000;

/// A running, ready pod that has existed and been ready for so many seconds.
fn pod(name: &str, age: i64) -> Value {
    let since = second(NOW - age).to_string();
    json!({
        "metadata": { "name": name, "uid": format!("uid-{name}"), "creationTimestamp": since },
        "spec": { "nodeName": "n1" },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": since }] },
    })
}

fn order(pods: &[Value]) -> Vec<String> {
    let candidates: Vec<Candidate> = pods.iter().map(|pod| Candidate::of(pod, 0)).collect();
    deletion_order(&candidates, second(NOW)).into_iter().map(|index| candidates[index].name.clone()).collect()
}

#[test]
fn row_24_the_rules_apply_in_their_order() {
    let mut pods = vec![pod("4000s", 4000), pod("cost-9", 10), pod("500s", 500), pod("3s", 3), pod("cost-minus-5", 9000)];
    pods[1]["metadata"]["annotations"] = json!({ "controller.kubernetes.io/pod-deletion-cost": "9" });
    pods[4]["metadata"]["annotations"] = json!({ "controller.kubernetes.io/pod-deletion-cost": "-5" });
    let mut unready = pod("unready", 20);
    unready["status"]["conditions"][0]["status"] = json!("False");
    let mut pending = pod("pending", 30);
    pending["status"] = json!({ "phase": "Pending" });
    let mut unassigned = pending.clone();
    unassigned["metadata"]["name"] = json!("no-node");
    unassigned["spec"] = json!({});
    pods.extend([unready, pending, unassigned]);
    let expected = ["no-node", "pending", "unready", "cost-minus-5", "3s", "500s", "4000s", "cost-9"];
    assert_eq!(order(&pods), expected);
}

#[test]
fn row_25_the_crowded_node_gives_first() {
    let candidate = |name: &str, crowd: usize| Candidate { name: name.to_owned(), assigned: true, phase: 2, crowd, ..Candidate::default() };
    let candidates = [candidate("a", 2), candidate("b", 4), candidate("c", 2), candidate("d", 4)];
    let order = deletion_order(&candidates, second(NOW));
    assert_eq!(order[..2].iter().map(|index| candidates[*index].crowd).collect::<Vec<_>>(), [4, 4]);
}

#[test]
fn ages_of_one_magnitude_compare_by_uid_and_equal_ages_by_restarts() {
    assert_eq!(order(&[pod("b", 520), pod("a", 530)]), ["a", "b"]);
    assert_eq!(order(&[pod("a", 520), pod("b", 530)]), ["a", "b"]);
    let mut restarted = pod("z", 520);
    restarted["status"]["containerStatuses"] = json!([{ "name": "c", "restartCount": 2 }]);
    assert_eq!(order(&[pod("a", 520), restarted]), ["z", "a"]);
}

#[test]
fn a_malformed_deletion_cost_counts_as_zero() {
    for bad in ["+7", "07", "x", "99999999999", "--1", "-0x"] {
        let mut costly = pod("a", 10);
        costly["metadata"]["annotations"] = json!({ "controller.kubernetes.io/pod-deletion-cost": bad });
        assert_eq!(Candidate::of(&costly, 0).cost, 0, "{bad}");
    }
}

fn set(minimum: i64) -> Value {
    json!({ "metadata": { "generation": 3 }, "spec": { "replicas": 2, "minReadySeconds": minimum, "template": {} } })
}

#[test]
fn available_pods_have_been_ready_for_long_enough() {
    let pods = [Arc::new(pod("a", 5)), Arc::new(pod("b", 50))];
    let status = counted(&set(30), &pods, None, second(NOW));
    assert_eq!((&status["readyReplicas"], &status["availableReplicas"], &status["observedGeneration"]), (&json!(2), &json!(1), &json!(3)));
    assert_eq!(next_available(&set(30), &pods, second(NOW)), Some(second(NOW + 25)));
    assert_eq!(next_available(&set(0), &pods, second(NOW)), None);
}

#[test]
fn pods_that_end_or_go_do_not_count() {
    let mut failed = pod("a", 5);
    failed["status"]["phase"] = json!("Failed");
    let mut going = pod("b", 5);
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let status = counted(&set(0), &[Arc::new(failed), Arc::new(going)], None, second(NOW));
    assert_eq!(status, json!({ "replicas": 0, "terminatingReplicas": 1, "observedGeneration": 3 }));
}

#[test]
fn the_first_failure_is_said_until_a_pass_succeeds() {
    let mut failing = set(0);
    failing["status"] = counted(&failing, &[], Some(&Failure::Create("no".to_owned())), second(NOW));
    let condition = &failing["status"]["conditions"][0];
    assert_eq!((&condition["reason"], &condition["message"]), (&json!("FailedCreate"), &json!("no")));
    let again = counted(&failing, &[], Some(&Failure::Create("other".to_owned())), second(NOW + 9));
    assert_eq!(again, failing["status"]);
    assert!(counted(&failing, &[], None, second(NOW + 9)).get("conditions").is_none());
}
