//! What a fault keeps from the operator excuses it, and nothing else does.

use modelward::sim::cluster::{DeleteOptions, Identity};
use serde_json::json;

use super::{Ground, Hand, ROUTES, only, seen};
use crate::invariants::sight::Delivered;
use crate::simulated::Stage;

/// Pins some requests to 1.1.0, whose pods somebody has just deleted. What is delivered is as `lag` says.
fn pinned_to_what_is_gone(stage: &Stage, lag: impl FnOnce(&mut Delivered)) {
    lag(stage.watchdog.lock().unwrap().delivered.as_mut().unwrap());
    stage.cluster(|cluster| {
        let candidate = Hand(cluster).revision("1.1.0");
        for pod in cluster.list("pods", Some("play")) {
            if pod["metadata"]["labels"]["modelward.dev/revision"] == candidate.as_str() {
                let name = pod["metadata"]["name"].as_str().unwrap();
                cluster.delete(&Identity::user("admin"), "pods", "play", name, &DeleteOptions::default()).unwrap();
            }
        }
        let mut hand = Hand(cluster);
        let mut rules = hand.get(ROUTES, "chat")["spec"]["rules"].clone();
        let headers = json!([{"type": "Exact", "name": "x-canary", "value": "always"}]);
        let backends = json!([{"group": "", "kind": "Service", "name": candidate, "port": 80, "weight": 100}]);
        let pin = json!({"matches": [{"path": {"type": "PathPrefix", "value": "/"}, "headers": headers}], "backendRefs": backends});
        rules.as_array_mut().unwrap().insert(0, pin);
        hand.merge(ROUTES, "chat", None, json!({"spec": {"rules": rules}}));
    });
}

#[test]
fn what_was_delivered_is_held_against_the_operator() {
    assert_eq!(seen(Ground::Half, async |stage| pinned_to_what_is_gone(stage, |_| {})), only("I02"));
}

#[test]
fn what_lags_elsewhere_excuses_nothing() {
    assert_eq!(seen(Ground::Half, async |stage| pinned_to_what_is_gone(stage, |delivered| delivered.stops("services"))), only("I02"));
}

#[test]
fn what_was_not_delivered_is_not_held_against_the_operator() {
    let broken = seen(Ground::Half, async |stage| pinned_to_what_is_gone(stage, |delivered| delivered.stops("pods")));
    assert!(broken.is_empty(), "{broken:?}");
}
