use std::sync::{Mutex, mpsc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;

pub(crate) fn epoch() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn me() -> Identity {
    Identity::user("me")
}

/// A cluster with namespace `t`.
pub(crate) fn cluster() -> Cluster {
    let mut cluster = Cluster::new(1, epoch());
    cluster.create(&me(), "namespaces", "", json!({ "metadata": { "name": "t" } }), &WriteOptions::manager("test")).unwrap();
    cluster.take_commits();
    cluster
}

pub(crate) fn create(cluster: &mut Cluster, resource: &str, object: Value) -> Arc<Value> {
    cluster.create(&me(), resource, "t", object, &WriteOptions::manager("test")).unwrap().object
}

pub(crate) fn config_map(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "data": { "a": "1" } })
}

/// Collects the events of a watch.
pub(crate) struct Collector(Mutex<mpsc::Sender<WatchEvent>>);

impl WatchSink for Collector {
    fn event(&mut self, event: WatchEvent) -> bool {
        self.0.lock().unwrap().send(event).is_ok()
    }
}

pub(crate) fn watch(cluster: &mut Cluster, resource: &str, options: &WatchOptions) -> (WatchId, mpsc::Receiver<WatchEvent>) {
    let (sender, receiver) = mpsc::channel();
    let id = cluster.watch(resource, Some("t"), options, Box::new(Collector(Mutex::new(sender)))).unwrap();
    (id, receiver)
}

pub(crate) fn seen(receiver: &mpsc::Receiver<WatchEvent>) -> Vec<(&'static str, String, String)> {
    let text = |object: &Value, field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    receiver.try_iter().map(|event| (event.kind.as_str(), text(&event.object, "name"), text(&event.object, "resourceVersion"))).collect()
}

fn after(cluster: &mut Cluster, seconds: i64) {
    let later = cluster.now() + SignedDuration::from_secs(seconds);
    cluster.set_now(later);
    cluster.tick();
}

#[test]
fn a_new_cluster_has_four_active_namespaces() {
    let cluster = Cluster::new(1, epoch());
    let names: Vec<String> =
        cluster.list("namespaces", None).iter().map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);
    assert!(cluster.list("namespaces", None).iter().all(|one| one["status"]["phase"] == "Active"));
}

#[test]
fn a_created_object_is_read_back_and_committed() {
    let mut cluster = cluster();
    let created = create(&mut cluster, "configmaps", config_map("a"));
    assert_eq!(created["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(created["metadata"]["resourceVersion"], cluster.revision().to_string());
    assert_eq!(cluster.get("configmaps", "t", "a"), Some(Arc::clone(&created)));
    let commits = cluster.take_commits();
    assert_eq!(commits.len(), 1);
    assert_eq!((commits[0].change, commits[0].manager.as_str()), (Change::Added, "test"));
    assert!(!cluster.has_commits());
}

#[test]
fn a_watch_begins_with_present_objects_and_a_bookmark_and_goes_on() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("b"));
    create(&mut cluster, "configmaps", config_map("a"));
    let options = WatchOptions { allow_bookmarks: true, ..WatchOptions::default() };
    let (_, events) = watch(&mut cluster, "configmaps", &options);
    create(&mut cluster, "configmaps", config_map("c"));
    let kinds: Vec<(&str, String)> = seen(&events).into_iter().map(|(kind, name, _)| (kind, name)).collect();
    let expected = [("ADDED", "a"), ("ADDED", "b"), ("BOOKMARK", ""), ("ADDED", "c")];
    assert_eq!(kinds, expected.map(|(kind, name)| (kind, name.to_owned())));
}

#[test]
fn an_object_that_leaves_the_selector_is_deleted_with_its_old_body_at_the_new_revision() {
    let mut cluster = cluster();
    let mut labelled = config_map("a");
    labelled["metadata"]["labels"] = json!({ "on": "yes" });
    create(&mut cluster, "configmaps", labelled);
    let options = WatchOptions { label_selector: "on=yes".to_owned(), ..WatchOptions::default() };
    let (_, events) = watch(&mut cluster, "configmaps", &options);
    let patch = |value: Value| Patch::Merge(json!({ "metadata": { "labels": { "on": value } } }));
    let write = WriteOptions::manager("test");
    cluster.patch(&me(), "configmaps", "t", "a", None, patch(json!("no")), &write).unwrap();
    let left = cluster.revision();
    cluster.patch(&me(), "configmaps", "t", "a", None, patch(json!("yes")), &write).unwrap();
    let events: Vec<WatchEvent> = events.try_iter().collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["ADDED", "DELETED", "ADDED"]);
    assert_eq!(events[1].object["metadata"]["labels"]["on"], "yes");
    assert_eq!(events[1].object["metadata"]["resourceVersion"], left.to_string());
}

#[test]
fn a_watch_from_a_future_revision_waits_silently() {
    let mut cluster = cluster();
    let future = cluster.revision() + 1;
    let options = WatchOptions { resource_version: future.to_string(), ..WatchOptions::default() };
    let (id, events) = watch(&mut cluster, "configmaps", &options);
    create(&mut cluster, "configmaps", config_map("a"));
    assert!(seen(&events).is_empty());
    create(&mut cluster, "configmaps", config_map("b"));
    assert_eq!(seen(&events).len(), 1);
    assert!(cluster.is_watching(id));
}

#[test]
fn a_watch_from_a_compacted_revision_gets_one_410_and_ends() {
    let mut cluster = cluster();
    create(&mut cluster, "configmaps", config_map("a"));
    create(&mut cluster, "configmaps", config_map("b"));
    let now = cluster.revision();
    cluster.compact(now);
    let options = WatchOptions { resource_version: "1".to_owned(), ..WatchOptions::default() };
    let (id, events) = watch(&mut cluster, "configmaps", &options);
    let events: Vec<WatchEvent> = events.try_iter().collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::Error);
    assert_eq!(events[0].object["code"], 410);
    assert_eq!(events[0].object["message"], format!("too old resource version: 1 ({now})"));
    assert!(!cluster.is_watching(id));
}

#[test]
fn bookmarks_come_every_minute_and_before_the_end() {
    let mut cluster = cluster();
    let options = WatchOptions { allow_bookmarks: true, timeout_seconds: Some(130), ..WatchOptions::default() };
    let (id, events) = watch(&mut cluster, "configmaps", &options);
    assert_eq!(seen(&events).len(), 1, "the end of the initial events");
    let mut at = Vec::new();
    for second in 1..=131 {
        after(&mut cluster, 1);
        at.extend(seen(&events).iter().map(|_| second));
    }
    assert_eq!(at, [60, 120, 128]);
    assert!(!cluster.is_watching(id));
    assert_eq!(cluster.next_deadline(), None);
}

#[test]
fn initial_events_without_not_older_than_are_refused() {
    let mut cluster = cluster();
    let options = WatchOptions { send_initial_events: Some(true), ..WatchOptions::default() };
    let (sender, _receiver) = mpsc::channel();
    let error = cluster.watch("configmaps", Some("t"), &options, Box::new(Collector(Mutex::new(sender)))).unwrap_err();
    assert_eq!(error.code, 422);
}

#[test]
fn events_go_an_hour_after_their_last_write() {
    let mut cluster = cluster();
    let event = |name: &str| json!({ "metadata": { "name": name }, "involvedObject": { "namespace": "t" }, "reason": "Tested" });
    create(&mut cluster, "events", event("once"));
    create(&mut cluster, "events", event("again"));
    create(&mut cluster, "configmaps", config_map("stays"));
    after(&mut cluster, 1_800);
    let patch = Patch::Merge(json!({ "count": 2 }));
    cluster.patch(&me(), "events", "t", "again", None, patch, &WriteOptions::manager("test")).unwrap();
    let left =
        |cluster: &Cluster| cluster.list("events", Some("t")).iter().map(|event| event["metadata"]["name"].clone()).collect::<Vec<_>>();
    after(&mut cluster, 1_700);
    assert_eq!(left(&cluster), ["again", "once"]);
    after(&mut cluster, 400);
    assert_eq!(left(&cluster), ["again"]);
    after(&mut cluster, 1_800);
    assert_eq!(left(&cluster), Vec::<Value>::new());
    assert_eq!(cluster.list("configmaps", Some("t")).len(), 1);
}
