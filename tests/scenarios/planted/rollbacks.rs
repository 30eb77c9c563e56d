//! I13.

use serde_json::{Value, json};

use super::{Ground, Hand, ROUTES, only, planted};

const ROLLBACKS: &str = "rollbacks.modelward.dev";

fn revision(hand: &Hand<'_>, place: &str) -> String {
    let object = hand.0.get(super::DEPLOYMENTS, "play", "chat").unwrap();
    object.pointer(place).and_then(Value::as_str).unwrap().to_owned()
}

fn record(hand: &mut Hand<'_>, phase: &str, from: &str, to: &str) {
    let spec = json!({"deployment": "chat", "trigger": "Automatic"});
    hand.create(ROLLBACKS, json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "Rollback", "metadata": {"name": "back"}, "spec": spec}));
    let reference = |revision: &str| json!({"revision": revision, "version": "1.0.0"});
    hand.merge(ROLLBACKS, "back", Some("status"), json!({"status": {"phase": phase, "from": reference(from), "to": reference(to)}}));
}

#[test]
fn i13_rollback_to_what_never_served_is_seen() {
    let broken = planted(Ground::Quarter, |hand| {
        let (stable, candidate) = (revision(hand, "/status/stable/revision"), revision(hand, "/status/candidate/revision"));
        record(hand, "InProgress", &stable, &candidate);
    });
    assert_eq!(broken, only("I13"));
}

#[test]
fn i13_second_end_of_a_rollback_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        record(hand, "Failed", "chat-a", "chat-b");
        hand.merge(ROLLBACKS, "back", Some("status"), json!({"status": {"phase": "Completed"}}));
    });
    assert_eq!(broken, only("I13"));
}

#[test]
fn i13_weight_for_what_a_rollback_leaves_is_seen() {
    let broken = planted(Ground::Half, |hand| {
        let (stable, candidate) = (revision(hand, "/status/stable/revision"), revision(hand, "/status/candidate/revision"));
        let route = hand.0.get(ROUTES, "play", "chat").unwrap();
        let mut rules = route["spec"]["rules"].clone();
        let share = |rules: &mut Value, of_candidate: i64| {
            for backend in rules[0]["backendRefs"].as_array_mut().unwrap() {
                backend["weight"] = if backend["name"] == candidate.as_str() { of_candidate } else { 100 - of_candidate }.into();
            }
        };
        share(&mut rules, 25);
        hand.merge(ROUTES, "chat", None, json!({"spec": {"rules": rules}}));
        record(hand, "InProgress", &candidate, &stable);
        share(&mut rules, 26);
        hand.merge(ROUTES, "chat", None, json!({"spec": {"rules": rules}}));
    });
    assert!(broken.contains("I13"), "{broken:?}");
}
