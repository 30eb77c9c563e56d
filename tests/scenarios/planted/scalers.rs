//! I33.

use serde_json::{Value, json};

use super::{DEPLOYMENTS, Ground, Hand, WORKLOADS, only, planted};

const SCALERS: &str = "horizontalpodautoscalers.autoscaling";

/// The name of the stable revision.
fn stable(hand: &Hand<'_>) -> String {
    hand.get(DEPLOYMENTS, "chat")["status"]["stable"]["revision"].as_str().unwrap().to_owned()
}

fn bound(hand: &mut Hand<'_>, spec: Value) {
    let name = stable(hand);
    hand.merge(SCALERS, &name, None, json!({"spec": spec}));
}

#[test]
fn i33_number_of_pods_beside_a_scaler_is_seen() {
    let broken = planted(Ground::Scaled, |hand| {
        let name = stable(hand);
        hand.merge(WORKLOADS, &name, None, json!({"spec": {"replicas": 5}}));
    });
    assert_eq!(broken, only("I33"));
}

#[test]
fn i33_scaler_taken_from_what_serves_is_seen() {
    let broken = planted(Ground::Scaled, |hand| {
        let name = stable(hand);
        hand.delete(SCALERS, &name);
    });
    assert_eq!(broken, only("I33"));
}

#[test]
fn i33_bound_beyond_the_users_is_seen() {
    assert_eq!(planted(Ground::Scaled, |hand| bound(hand, json!({"maxReplicas": 11}))), only("I33"));
}

#[test]
fn i33_floor_below_what_a_release_needs_is_seen() {
    assert_eq!(planted(Ground::Scaled, |hand| bound(hand, json!({"minReplicas": 3}))), only("I33"));
}
