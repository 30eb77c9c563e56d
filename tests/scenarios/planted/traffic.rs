//! I01-I07 and R40.

use std::time::Duration;

use serde_json::{Value, json};

use super::{DEPLOYMENTS, Ground, Hand, ROUTES, WORKLOADS, only, planted, seen};
use crate::simulated::Stage;

/// Gives the revisions of these versions these weights; a version that there is none of is taken for a name.
fn weigh(hand: &mut Hand<'_>, weights: &[(&str, i64)]) {
    let mut rules = hand.get(ROUTES, "chat")["spec"]["rules"].clone();
    let backend = |(version, weight): &(&str, i64)| {
        let name = if version.contains('.') { hand.revision(version) } else { (*version).to_owned() };
        json!({"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight})
    };
    rules[0]["backendRefs"] = weights.iter().map(backend).collect();
    hand.merge(ROUTES, "chat", None, json!({"spec": {"rules": rules}}));
}

fn scale(hand: &mut Hand<'_>, version: &str, replicas: i64) {
    let name = hand.revision(version);
    hand.merge(WORKLOADS, &name, None, json!({"spec": {"replicas": replicas}}));
}

#[test]
fn i01_weights_that_sum_to_99_are_seen() {
    assert_eq!(planted(Ground::Quarter, |hand| weigh(hand, &[("1.0.0", 74), ("1.1.0", 25)])), only("I01"));
}

#[test]
fn i01_route_without_backends_is_seen() {
    assert_eq!(planted(Ground::Quarter, |hand| weigh(hand, &[])), only("I01"));
}

#[test]
fn i02_weight_for_a_revision_without_pods_is_seen() {
    assert_eq!(planted(Ground::Serving, |hand| weigh(hand, &[("1.0.0", 90), ("chat-ghost", 10)])), only("I02"));
}

/// Adds a way to `revision` beside the weights: a rule that pins requests to it, or a mirror of so many percent.
fn lead(hand: &mut Hand<'_>, revisions: &[&str], mirror: Option<i64>) {
    let mut rules = hand.get(ROUTES, "chat")["spec"]["rules"].clone();
    let backend = |name: &&str| json!({"group": "", "kind": "Service", "name": name, "port": 80, "weight": 100 / revisions.len()});
    match mirror {
        Some(percent) => {
            let backend = json!({"group": "", "kind": "Service", "name": revisions[0], "port": 80});
            rules[0]["filters"] = json!([{"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": percent}}]);
        }
        None => {
            let headers = json!([{"type": "Exact", "name": "x-canary", "value": "always"}]);
            let backends: Vec<Value> = revisions.iter().map(backend).collect();
            let pins = json!({"matches": [{"path": {"type": "PathPrefix", "value": "/"}, "headers": headers}], "backendRefs": backends});
            rules.as_array_mut().unwrap().insert(0, pins);
        }
    }
    hand.merge(ROUTES, "chat", None, json!({"spec": {"rules": rules}}));
}

#[test]
fn i01_pins_to_two_revisions_and_a_mirror_of_nothing_are_seen() {
    let both = |hand: &mut Hand<'_>| {
        let (old, new) = (hand.revision("1.0.0"), hand.revision("1.1.0"));
        lead(hand, &[&old, &new], None);
    };
    assert_eq!(planted(Ground::Quarter, both), only("I01"));
    let nothing = |hand: &mut Hand<'_>| {
        let new = hand.revision("1.1.0");
        lead(hand, &[&new], Some(0));
    };
    assert_eq!(planted(Ground::Quarter, nothing), only("I01"));
}

#[test]
fn i02_pin_and_mirror_to_a_revision_without_pods_are_seen() {
    for mirror in [None, Some(5)] {
        assert_eq!(planted(Ground::Serving, |hand| lead(hand, &["chat-ghost"], mirror)), only("I02"), "{mirror:?}");
    }
}

#[test]
fn i06_revision_that_goes_while_requests_are_pinned_or_copied_to_it_is_seen() {
    for mirror in [None, Some(5)] {
        let broken = seen(Ground::Quarter, async |stage: &Stage| {
            stage.cluster(|cluster| {
                let hand = &mut Hand(cluster);
                weigh(hand, &[("1.0.0", 100)]);
                let new = hand.revision("1.1.0");
                lead(hand, &[&new], mirror);
            });
            tokio::time::sleep(Duration::from_secs(60)).await;
            stage.cluster(|cluster| scale(&mut Hand(cluster), "1.1.0", 0));
        });
        assert_eq!(broken, only("I06"), "{mirror:?}");
    }
}

#[test]
fn i06_revision_that_goes_right_after_its_pin_is_seen() {
    let broken = seen(Ground::Quarter, async |stage: &Stage| {
        stage.cluster(|cluster| {
            let hand = &mut Hand(cluster);
            weigh(hand, &[("1.0.0", 100)]);
            let new = hand.revision("1.1.0");
            lead(hand, &[&new], None);
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        stage.cluster(|cluster| {
            let hand = &mut Hand(cluster);
            let rules = hand.get(ROUTES, "chat")["spec"]["rules"].clone();
            hand.merge(ROUTES, "chat", None, json!({"spec": {"rules": [rules[1]]}}));
            scale(hand, "1.1.0", 0);
        });
    });
    assert_eq!(broken, only("I06"));
}

#[test]
fn i02_weight_that_stays_with_a_revision_that_lost_its_pods_is_seen() {
    let broken = seen(Ground::Quarter, async |stage: &Stage| {
        let arena = stage.arena("play");
        let workload = arena.list("deployment", "modelward.dev/version=1.1.0").await;
        // Somebody takes its pods; nobody is there to take the weight back.
        arena.merge("deployment", workload[0]["metadata"]["name"].as_str().unwrap(), json!({"spec": {"replicas": 0}})).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        arena.merge("service", "chat", json!({"metadata": {"annotations": {"touched": "yes"}}})).await;
    });
    assert_eq!(broken, only("I02"));
}

#[test]
fn i03_weight_beyond_what_ready_pods_cover_is_seen() {
    assert_eq!(planted(Ground::Quarter, |hand| weigh(hand, &[("1.0.0", 50), ("1.1.0", 50)])), only("I03"));
}

#[test]
fn i04_capacity_that_falls_below_what_is_wanted_is_seen() {
    let broken = seen(Ground::Half, async |stage: &Stage| {
        stage.arena("play").merge("modeldeployment", "chat", json!({"spec": {"replicas": 8}})).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        stage.cluster(|cluster| scale(&mut Hand(cluster), "1.1.0", 1));
    });
    assert_eq!(broken, only("I04"));
}

#[test]
fn i05_pods_beyond_the_surge_are_seen() {
    assert_eq!(planted(Ground::Quarter, |hand| scale(hand, "1.1.0", 5)), only("I05"));
}

#[test]
fn i06_revision_that_goes_with_its_traffic_is_seen() {
    assert_eq!(planted(Ground::Quarter, |hand| scale(hand, "1.1.0", 0)), only("I06"));
}

#[test]
fn i06_revision_that_goes_before_its_requests_have_ended_is_seen() {
    let broken = planted(Ground::Quarter, |hand| {
        weigh(hand, &[("1.0.0", 100)]);
        scale(hand, "1.1.0", 0);
    });
    assert_eq!(broken, only("I06"));
}

#[test]
fn i07_stable_that_shrinks_before_the_candidate_has_everything_is_seen() {
    assert_eq!(planted(Ground::Quarter, |hand| scale(hand, "1.0.0", 3)), only("I07"));
}

#[test]
fn r40_weight_that_goes_back_to_what_was_given_up_is_seen() {
    let broken = planted(Ground::Quarter, |hand| {
        let route = hand.get(ROUTES, "chat");
        let text = route["metadata"]["annotations"]["modelward.dev/decision"].as_str().unwrap();
        let mut decision: Value = serde_json::from_str(text).unwrap();
        decision["cause"] = "Abort".into();
        decision["split"]["candidate"]["weight"] = 0.into();
        let given_up = json!({"metadata": {"annotations": {"modelward.dev/decision": decision.to_string()}}});
        hand.merge(ROUTES, "chat", None, given_up);
        weigh(hand, &[("1.0.0", 100)]);
        weigh(hand, &[("1.0.0", 75), ("1.1.0", 25)]);
    });
    assert_eq!(broken, only("R40"));
}

#[test]
fn r40_a_retry_by_the_user_is_none() {
    let broken = seen(Ground::Quarter, async |stage: &Stage| {
        stage.arena("play").command("chat", "abort:1").await;
        stage.cluster(|cluster| {
            let hand = &mut Hand(cluster);
            assert_eq!(hand.get(DEPLOYMENTS, "chat")["status"]["phase"], "Holding");
            weigh(hand, &[("1.0.0", 100)]);
        });
        stage.arena("play").command("chat", "retry:2").await;
        stage.cluster(|cluster| weigh(&mut Hand(cluster), &[("1.0.0", 75), ("1.1.0", 25)]));
    });
    assert_eq!(broken, std::collections::BTreeSet::new());
}
