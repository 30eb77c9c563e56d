//! Many objects and many watches at once.

use serde_json::{Value, json};

use super::tests::{cluster, config_map, create, me, seen, watch};
use super::*;

const OWNERS: usize = 200;
const CHILDREN: usize = 5;

fn child(owner: &Value) -> Value {
    let name = owner["metadata"]["name"].as_str().unwrap();
    let reference = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"] });
    json!({ "metadata": { "generateName": "c-", "labels": { "of": name }, "ownerReferences": [reference] } })
}

fn family() -> (Cluster, Vec<Arc<Value>>) {
    let mut cluster = cluster();
    let owners: Vec<Arc<Value>> = (0..OWNERS).map(|at| create(&mut cluster, "configmaps", config_map(&format!("o{at:05}")))).collect();
    for owner in &owners {
        for _ in 0..CHILDREN {
            create(&mut cluster, "secrets", child(owner));
        }
    }
    (cluster, owners)
}

#[test]
fn dependents_are_found_by_uid_and_forgotten_with_their_reference() {
    let (mut cluster, owners) = family();
    for owner in &owners {
        let uid = owner["metadata"]["uid"].as_str().unwrap();
        assert_eq!(cluster.dependents(uid).len(), CHILDREN);
        assert_eq!(cluster.by_uid(uid).unwrap().resource, "configmaps");
    }
    let uid = owners[0]["metadata"]["uid"].as_str().unwrap();
    let dependents = cluster.dependents(uid);
    let orphan = Patch::Merge(json!({ "metadata": { "ownerReferences": null } }));
    cluster.patch(&me(), "secrets", "t", &dependents[0].name, None, orphan, &WriteOptions::default()).unwrap();
    cluster.delete(&me(), "secrets", "t", &dependents[1].name, &DeleteOptions::default()).unwrap();
    assert_eq!(cluster.dependents(uid).len(), CHILDREN - 2);
}

#[test]
fn a_watch_with_a_selector_hears_only_of_its_objects_among_many() {
    let (mut cluster, owners) = family();
    let watches: Vec<_> = owners
        .iter()
        .map(|owner| {
            let selector = format!("of={}", owner["metadata"]["name"].as_str().unwrap());
            watch(&mut cluster, "secrets", &WatchOptions { label_selector: selector, ..WatchOptions::default() })
        })
        .collect();
    assert_eq!(cluster.watch_count(), OWNERS);
    create(&mut cluster, "secrets", child(&owners[3]));
    for (at, (_, events)) in watches.iter().enumerate() {
        assert_eq!(seen(events).len(), CHILDREN + usize::from(at == 3));
    }
}

#[test]
fn pages_show_the_moment_of_the_first_page_and_count_what_remains() {
    let (mut cluster, _) = family();
    let mut options = ListOptions { limit: Some(300), ..ListOptions::default() };
    let first = cluster.list_page("secrets", Some("t"), &options).unwrap();
    assert_eq!((first.items.len(), first.remaining), (300, Some(700)));
    let later = config_map("zz");
    create(&mut cluster, "secrets", json!({ "metadata": later["metadata"] }));
    let name = cluster.list("secrets", Some("t"))[500]["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.delete(&me(), "secrets", "t", &name, &DeleteOptions::default()).unwrap();
    let mut names: Vec<Value> = first.items.iter().map(|item| item["metadata"]["name"].clone()).collect();
    let mut token = first.continue_token;
    while let Some(next) = token {
        options.continue_token = next;
        let page = cluster.list_page("secrets", Some("t"), &options).unwrap();
        assert_eq!(page.resource_version, first.resource_version);
        names.extend(page.items.iter().map(|item| item["metadata"]["name"].clone()));
        token = page.continue_token;
    }
    assert_eq!(names.len(), OWNERS * CHILDREN);
    assert!(names.contains(&json!(name)) && !names.contains(&json!("zz")));
    assert!(names.is_sorted_by(|left, right| left.as_str() < right.as_str()));
}

#[test]
fn a_snapshot_of_a_resource_stays_while_the_cluster_goes_on() {
    let (mut cluster, _) = family();
    let before = cluster.store().objects("secrets");
    create(&mut cluster, "secrets", json!({ "metadata": { "name": "zz" } }));
    assert_eq!(before.len() + 1, cluster.store().objects("secrets").len());
}
