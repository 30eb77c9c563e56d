//! I14-I16, I21, I34, I35.

use modelward::sim::cluster::{Identity, WriteOptions};
use serde_json::{Value, json};

use super::{DEPLOYMENTS, Ground, Hand, WORKLOADS, only, planted};

/// A Service without selector.
fn service(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}})
}

fn foreign_service(hand: &mut Hand<'_>, name: &str) {
    let admin = Identity::user("admin");
    hand.0.create(&admin, "services", "play", service(name), &WriteOptions::manager("kubectl")).unwrap();
}

#[test]
fn i14_child_without_an_owner_is_seen() {
    assert_eq!(planted(Ground::Serving, |hand| hand.create("services", service("lost"))), only("I14"));
}

#[test]
fn i14_child_of_an_owner_that_is_gone_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        let mut child = service("lost");
        child["metadata"]["ownerReferences"] = hand.owners();
        child["metadata"]["ownerReferences"][0]["uid"] = "00000000-0000-0000-0000-000000000000".into();
        hand.create("services", child);
    });
    assert_eq!(broken, only("I14"));
}

#[test]
fn i14_orphan_at_the_end_is_seen() {
    // It is the garbage collector that fails here: somebody else's write made it, so only the end shows it.
    let broken = planted(Ground::Serving, |hand| {
        let mut child = service("lost");
        child["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "modelward"});
        let admin = Identity::user("admin");
        hand.0.create(&admin, "services", "play", child, &WriteOptions::manager("kubectl")).unwrap();
    });
    assert_eq!(broken, only("I14"));
}

#[test]
fn i15_deletion_of_a_foreign_object_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        foreign_service(hand, "theirs");
        hand.delete("services", "theirs");
    });
    assert_eq!(broken, only("I15"));
}

#[test]
fn i15_adoption_of_a_foreign_object_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        foreign_service(hand, "theirs");
        let owners = hand.owners();
        hand.merge("services", "theirs", None, json!({"metadata": {"ownerReferences": owners}}));
    });
    assert_eq!(broken, only("I15"));
}

/// A record of a revision in our name.
fn record(hand: &Hand<'_>, name: &str, data: Value) -> Value {
    json!({"metadata": {"name": name, "ownerReferences": hand.owners()}, "revision": 7, "data": data})
}

#[test]
fn i16_name_of_64_characters_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        let record = record(hand, &"n".repeat(64), json!({}));
        hand.create("controllerrevisions.apps", record);
    });
    assert_eq!(broken, only("I16"));
}

#[test]
fn i16_name_that_stands_for_two_things_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        let first = record(hand, "twice", json!({"input": 1}));
        hand.create("controllerrevisions.apps", first);
        hand.delete("controllerrevisions.apps", "twice");
        let second = record(hand, "twice", json!({"input": 2}));
        hand.create("controllerrevisions.apps", second);
    });
    assert_eq!(broken, only("I16"));
}

#[test]
fn i21_write_to_a_spec_is_seen() {
    let broken = planted(Ground::Serving, |hand| hand.merge(DEPLOYMENTS, "chat", None, json!({"spec": {"paused": true}})));
    assert_eq!(broken, only("I21"));
}

#[test]
fn i21_annotation_on_the_users_object_is_seen() {
    let patch = json!({"metadata": {"annotations": {"modelward.dev/seen": "yes"}}});
    assert_eq!(planted(Ground::Serving, |hand| hand.merge(DEPLOYMENTS, "chat", None, patch)), only("I21"));
}

#[test]
fn i34_finalizer_is_seen() {
    let patch = json!({"metadata": {"finalizers": ["modelward.dev/wait"]}});
    assert_eq!(planted(Ground::Serving, |hand| hand.merge("services", "chat", None, patch)), only("I34"));
}

#[test]
fn i35_changed_pod_template_is_seen() {
    let broken = planted(Ground::Serving, |hand| {
        let name = hand.revision("1.0.0");
        let mut template = hand.get(WORKLOADS, &name)["spec"]["template"].clone();
        template["spec"]["terminationGracePeriodSeconds"] = 77.into();
        hand.merge(WORKLOADS, &name, None, json!({"spec": {"template": template}}));
    });
    assert_eq!(broken, only("I35"));
}
