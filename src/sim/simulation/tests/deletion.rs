//! What goes, and in which order: garbage collection, namespaces.

use serde_json::{Value, json};

use super::play::*;
use crate::sim::cluster::{DeleteOptions, Propagation};

fn config_map(name: &str, owner: Option<&Value>, blocking: bool) -> Value {
    let mut map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "default" } });
    if let Some(owner) = owner {
        map["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": blocking,
        }]);
    }
    map
}

#[test]
fn in_the_background_the_owner_goes_first_and_everything_follows() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.rest();
    play.delete(DEPLOYMENTS, "web", Propagation::Background);
    assert!(play.find(DEPLOYMENTS, "web").is_none());
    assert_eq!(play.list("pods").len(), 3);
    play.rest();
    assert!(play.list(SETS).is_empty() && play.list("pods").is_empty());
}

#[test]
fn in_the_foreground_the_owner_goes_last() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.rest();
    play.delete(DEPLOYMENTS, "web", Propagation::Foreground);
    let mut seen = Vec::new();
    for _ in 0..3000 {
        let now = play.now();
        play.simulation.advance(now + jiff::SignedDuration::from_millis(2));
        let left = (play.find(DEPLOYMENTS, "web").is_some(), play.list(SETS).len(), play.list("pods").is_empty());
        if seen.last() != Some(&left) {
            seen.push(left);
        }
    }
    assert_eq!(seen.first(), Some(&(true, 1, false)));
    assert_eq!(seen.last(), Some(&(false, 0, true)));
    assert!(seen.windows(2).all(|pair| pair[0].0 || !pair[1].0), "{seen:?}");
    assert!(seen.iter().all(|(owner, sets, no_pods)| *owner || (*sets == 0 && *no_pods)), "{seen:?}");
}

#[test]
fn orphans_stay_and_are_adopted_by_an_identical_successor() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 2));
    play.rest();
    let set = play.list(SETS)[0].clone();
    play.delete(DEPLOYMENTS, "web", Propagation::Orphan);
    play.rest();
    assert!(play.find(DEPLOYMENTS, "web").is_none());
    assert!(play.list(SETS)[0]["metadata"].get("ownerReferences").is_none());
    assert_eq!(play.ready_pods(), 2);
    play.create(DEPLOYMENTS, deployment("web", 2));
    play.rest();
    let sets = play.list(SETS);
    assert_eq!((sets.len(), &sets[0]["metadata"]["uid"]), (1, &set["metadata"]["uid"]));
    assert_eq!(sets[0]["metadata"]["ownerReferences"][0]["uid"], play.get(DEPLOYMENTS, "web")["metadata"]["uid"]);
}

#[test]
fn an_object_with_a_ghost_for_an_owner_goes() {
    let mut play = Play::quick();
    let ghost = json!({ "metadata": { "name": "ghost", "uid": "00000000-0000-4000-8000-000000000000" } });
    play.create("configmaps", config_map("child", Some(&ghost), false));
    play.rest();
    assert!(play.find("configmaps", "child").is_none());
}

#[test]
fn a_dependent_with_another_living_owner_only_loses_the_reference() {
    let mut play = Play::quick();
    let first = play.create("configmaps", config_map("first", None, false));
    let second = play.create("configmaps", config_map("second", None, false));
    let mut child = config_map("child", Some(&first), false);
    let more = config_map("x", Some(&second), false)["metadata"]["ownerReferences"][0].clone();
    child["metadata"]["ownerReferences"].as_array_mut().unwrap().push(more);
    play.create("configmaps", child);
    play.delete("configmaps", "first", Propagation::Background);
    play.rest();
    let references = play.get("configmaps", "child")["metadata"]["ownerReferences"].clone();
    assert_eq!((references.as_array().unwrap().len(), &references[0]["name"]), (1, &json!("second")));
}

#[test]
fn a_finalizer_on_a_blocking_dependent_holds_the_owner() {
    let mut play = Play::quick();
    let owner = play.create("configmaps", config_map("owner", None, false));
    let mut child = config_map("child", Some(&owner), true);
    child["metadata"]["finalizers"] = json!(["x.io/hold"]);
    play.create("configmaps", child);
    play.create("configmaps", config_map("loose", Some(&owner), false));
    play.delete("configmaps", "owner", Propagation::Foreground);
    play.rest();
    assert!(play.find("configmaps", "owner").is_some() && play.find("configmaps", "loose").is_none());
    play.patch("configmaps", "child", json!({ "metadata": { "finalizers": null } }));
    play.rest();
    assert!(play.find("configmaps", "owner").is_none() && play.find("configmaps", "child").is_none());
}

#[test]
fn a_cycle_of_owners_does_not_wait_for_itself() {
    let mut play = Play::quick();
    let a = play.create("configmaps", config_map("a", None, false));
    let b = play.create("configmaps", config_map("b", Some(&a), true));
    let back = config_map("x", Some(&b), true)["metadata"]["ownerReferences"].clone();
    play.patch("configmaps", "a", json!({ "metadata": { "ownerReferences": back } }));
    play.delete("configmaps", "a", Propagation::Foreground);
    play.rest();
    assert!(play.find("configmaps", "a").is_none() && play.find("configmaps", "b").is_none());
}

#[test]
fn every_namespace_has_its_account_and_its_root_certificate() {
    let mut play = Play::quick();
    for of in ["default", "kube-system"] {
        assert!(play.simulation.cluster.get("serviceaccounts", of, "default").is_some());
        assert!(play.simulation.cluster.get("configmaps", of, "kube-root-ca.crt").is_some());
    }
    play.delete("configmaps", "kube-root-ca.crt", Propagation::Background);
    play.rest();
    assert!(play.find("configmaps", "kube-root-ca.crt").is_some());
}

#[test]
fn row_54_a_namespace_ends_pods_first_and_waits_for_finalizers() {
    let mut slow = profile(1, 1);
    slow.shutdown = seconds(60);
    let settings = crate::sim::simulation::Settings { pod_profiles: vec![slow], ..Default::default() };
    let mut play = Play::with(settings);
    play.create("namespaces", json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "t" } }));
    play.rest();
    let mut pod = template("web", "web:1");
    (pod["apiVersion"], pod["kind"]) = (json!("v1"), json!("Pod"));
    (pod["metadata"]["name"], pod["metadata"]["namespace"]) = (json!("p"), json!("t"));
    pod["spec"]["terminationGracePeriodSeconds"] = json!(20);
    play.create("pods", pod);
    let mut held = config_map("held", None, false);
    (held["metadata"]["namespace"], held["metadata"]["finalizers"]) = (json!("t"), json!(["x.io/hold"]));
    play.create("configmaps", held);
    play.rest();
    let options = DeleteOptions::default();
    let user = crate::sim::cluster::Identity::user("tester");
    play.simulation.cluster.delete(&user, "namespaces", "", "t", &options).unwrap();
    play.simulation.settle();
    let deleting = |play: &Play, resource: &str, name: &str| {
        let object = play.simulation.cluster.get(resource, "t", name);
        object.map(|object| object["metadata"].get("deletionTimestamp").is_some())
    };
    play.pass(4);
    assert_eq!(deleting(&play, "pods", "p"), Some(false));
    play.pass(2);
    assert_eq!((deleting(&play, "pods", "p"), deleting(&play, "configmaps", "held")), (Some(true), Some(false)));
    assert_eq!(why(&play.get("namespaces", "t"), "NamespaceContentRemaining"), "ContentRemoved");
    play.pass(35);
    assert_eq!((deleting(&play, "pods", "p"), deleting(&play, "configmaps", "held")), (None, Some(true)));
    assert_eq!(why(&play.get("namespaces", "t"), "NamespaceFinalizersRemaining"), "SomeFinalizersRemain");
    play.patch_in("configmaps", "t", "held", json!({ "metadata": { "finalizers": null } }));
    play.rest();
    assert!(play.find("namespaces", "t").is_none());
}
