use serde_json::json;

use super::*;
use crate::cli::simulate::line::Style;
use crate::sim::cluster::{Cluster, Identity, Patch, WriteOptions};

const START: &str = "2026-01-01T00:00:00Z";

/// A cluster with a custom kind, and a timeline that follows it.
struct Stage {
    cluster: Cluster,
    timeline: Timeline,
    lines: Vec<Line>,
}

fn definition() -> Value {
    let column =
        |name: &str, kind: &str, path: &str, priority: i64| json!({ "name": name, "type": kind, "jsonPath": path, "priority": priority });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": "rollouts.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": { "plural": "rollouts", "singular": "rollout", "kind": "Rollout" },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
                "additionalPrinterColumns": [
                    column("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status", 0),
                    column("Weight", "integer", ".status.weight", 0),
                    column("Next", "string", ".status.next", 1),
                    column("Age", "date", ".metadata.creationTimestamp", 0),
                ],
            }],
        },
    })
}

impl Stage {
    fn new() -> Self {
        let start: Timestamp = START.parse().unwrap();
        let mut stage = Self {
            cluster: Cluster::new(1, start - SignedDuration::from_secs(60)),
            timeline: Timeline::new(start, "you"),
            lines: Vec::new(),
        };
        let admin = Identity::component("installer");
        let manager = WriteOptions::manager("installer");
        stage.cluster.create(&admin, "customresourcedefinitions.apiextensions.k8s.io", "", definition(), &manager).unwrap();
        stage.follow();
        for second in -50..=0 {
            stage.to(second);
        }
        assert!(stage.cluster.kinds().by_key("rollouts.example.com").is_some(), "the kind is served");
        stage.lines.clear();
        stage
    }

    /// Moves the time to a second after the start.
    fn to(&mut self, second: i64) {
        let start: Timestamp = START.parse().unwrap();
        self.cluster.set_now(start + SignedDuration::from_secs(second));
        self.cluster.tick();
        self.follow();
    }

    fn follow(&mut self) {
        for commit in self.cluster.take_commits() {
            self.timeline.notice(&commit, self.cluster.kinds());
        }
        self.lines.extend(self.timeline.told_until(self.cluster.now()));
    }

    fn create(&mut self, user: &str, resource: &str, object: Value) {
        self.cluster.create(&Identity::user(user), resource, "default", object, &WriteOptions::manager(user)).unwrap();
        self.follow();
    }

    fn patch(&mut self, user: &str, resource: &str, name: &str, subresource: Option<&str>, merge: Value) {
        let options = WriteOptions::manager(user);
        self.cluster.patch(&Identity::user(user), resource, "default", name, subresource, Patch::Merge(merge), &options).unwrap();
        self.follow();
    }

    fn text(mut self) -> Vec<String> {
        self.follow();
        self.lines.extend(self.timeline.rest());
        let start: Timestamp = START.parse().unwrap();
        let squeeze = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.lines.iter().map(|line| squeeze(line.text(start, Style::Plain))).collect()
    }
}

fn rollout() -> Value {
    json!({ "apiVersion": "example.com/v1", "kind": "Rollout", "metadata": { "name": "chat" }, "spec": { "version": "1" } })
}

fn ready(status: &str, reason: &str, message: &str) -> Value {
    json!([{ "type": "Ready", "status": status, "reason": reason, "message": message }])
}

#[test]
fn requests_of_the_user_are_told_with_the_fields_that_changed() {
    let mut stage = Stage::new();
    stage.create("you", "rollouts.example.com", rollout());
    stage.to(60);
    stage.patch("you", "rollouts.example.com", "chat", None, json!({ "spec": { "version": "2" } }));
    stage.to(120);
    let who = Identity::user("you");
    stage.cluster.delete(&who, "rollouts.example.com", "default", "chat", &crate::sim::cluster::DeleteOptions::default()).unwrap();
    assert_eq!(
        stage.text(),
        ["0s rollout/chat created by you", "1m00s rollout/chat changed by you: spec.version 1 -> 2", "2m00s rollout/chat deleted by you"]
    );
}

#[test]
fn a_status_is_told_by_columns_and_reason_and_writes_of_a_moment_as_one() {
    let mut stage = Stage::new();
    stage.create("you", "rollouts.example.com", rollout());
    stage.to(5);
    let kind = "rollouts.example.com";
    stage.patch("op", kind, "chat", Some("status"), json!({ "status": { "conditions": ready("False", "Starting", "starting") } }));
    stage.patch(
        "op",
        kind,
        "chat",
        Some("status"),
        json!({ "status": { "weight": 10, "conditions": ready("False", "Holding", "holding until 2026-01-01T00:10:00Z") } }),
    );
    stage.to(8);
    stage.patch("op", kind, "chat", Some("status"), json!({ "status": { "observed": 1 } }));
    stage.to(600);
    stage.patch(
        "op",
        kind,
        "chat",
        Some("status"),
        json!({ "status": { "weight": 50, "conditions": ready("True", "Done", "all is well") } }),
    );
    assert_eq!(
        stage.text(),
        [
            "0s rollout/chat created by you",
            "5s rollout/chat Ready False, Weight 10: holding until 10m00s",
            "10m00s rollout/chat Ready False -> True, Weight 10 -> 50: all is well",
        ]
    );
}

#[test]
fn a_reason_that_only_counts_on_is_told_once() {
    let mut stage = Stage::new();
    stage.create("op", "rollouts.example.com", rollout());
    for (second, count) in [(10, 1), (20, 2), (30, 3)] {
        stage.to(second);
        let message = format!("{count} of 4 pods are ready");
        stage.patch(
            "op",
            "rollouts.example.com",
            "chat",
            Some("status"),
            json!({ "status": { "conditions": ready("False", "Waiting", &message) } }),
        );
    }
    assert_eq!(stage.text(), ["0s rollout/chat created", "10s rollout/chat Ready False: 1 of 4 pods are ready"]);
}

#[test]
fn events_about_custom_resources_are_told_unless_they_repeat_the_reason() {
    let mut stage = Stage::new();
    stage.create("you", "rollouts.example.com", rollout());
    let event = |name: &str, kind: &str, version: &str, message: &str| {
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": name, "namespace": "default" }, "type": "Warning", "reason": "Lost",
            "message": message, "reportingComponent": "op", "reportingInstance": "op-1", "source": { "component": "op" },
            "firstTimestamp": START, "lastTimestamp": START, "count": 1,
            "involvedObject": { "apiVersion": version, "kind": kind, "name": "chat", "namespace": "default" },
        })
    };
    stage.to(5);
    stage.patch(
        "op",
        "rollouts.example.com",
        "chat",
        Some("status"),
        json!({ "status": { "conditions": ready("False", "Lost", "its pods are gone") } }),
    );
    stage.to(7);
    stage.create("op", "events", event("a", "Rollout", "example.com/v1", "its pods are gone"));
    stage.create("op", "events", event("b", "Rollout", "example.com/v1", "its weight goes back"));
    stage.create("op", "events", event("c", "Pod", "v1", "pulling"));
    assert_eq!(
        stage.text(),
        ["0s rollout/chat created by you", "5s rollout/chat Ready False: its pods are gone", "7s rollout/chat Lost: its weight goes back"]
    );
}

fn deployment() -> Value {
    let template = json!({ "metadata": { "labels": { "app": "a" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "chat-1" },
        "spec": { "replicas": 4, "selector": { "matchLabels": { "app": "a" } }, "template": template },
    })
}

#[test]
fn workloads_tell_how_many_pods_are_ready_at_the_turns() {
    let mut stage = Stage::new();
    stage.create("op", "deployments.apps", deployment());
    let counts =
        |ready: i64| json!({ "status": { "replicas": 4, "updatedReplicas": 4, "readyReplicas": ready, "availableReplicas": ready } });
    for (second, ready) in [(10, 1), (20, 2), (30, 3), (40, 4), (50, 2)] {
        stage.to(second);
        stage.patch("kube-controller-manager", "deployments.apps", "chat-1", Some("status"), counts(ready));
    }
    stage.to(60);
    stage.patch("op", "deployments.apps", "chat-1", None, json!({ "spec": { "replicas": 0 } }));
    assert_eq!(
        stage.text(),
        [
            "0s deployment/chat-1 created, 0/4 ready",
            "10s deployment/chat-1 1/4 ready",
            "40s deployment/chat-1 4/4 ready",
            "50s deployment/chat-1 2/4 ready",
            "1m00s deployment/chat-1 scaled 4 -> 0, 2 ready",
        ]
    );
}

#[test]
fn trouble_of_pods_is_told_once_per_owner_and_reason() {
    let mut stage = Stage::new();
    let waiting = |reason: &str| {
        json!({ "status": { "phase": "Pending", "containerStatuses": [{
            "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": reason, "message": "no such image" } },
        }] } })
    };
    for name in ["a", "b"] {
        let owner = json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "chat-1", "uid": "u", "controller": true });
        let metadata = json!({ "name": name, "ownerReferences": [owner] });
        let spec = json!({ "containers": [{ "name": "c", "image": "i" }] });
        stage.create("op", "pods", json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }));
    }
    for (second, name, reason) in
        [(10, "a", "ContainerCreating"), (20, "a", "ErrImagePull"), (30, "a", "ImagePullBackOff"), (40, "b", "ImagePullBackOff")]
    {
        stage.to(second);
        stage.patch("kubelet", "pods", name, Some("status"), waiting(reason));
    }
    assert_eq!(stage.text(), ["20s pod/a ImagePullBackOff: no such image"]);
}

#[test]
fn what_happens_again_and_again_is_told_twice_until_it_is_over() {
    let mut stage = Stage::new();
    stage.create("op", "rollouts.example.com", rollout());
    let kind = "rollouts.example.com";
    for (second, weight) in [(10, 10), (20, 0), (30, 10), (40, 0), (50, 10), (60, 0), (2000, 10)] {
        stage.to(second);
        stage.patch("op", kind, "chat", Some("status"), json!({ "status": { "weight": weight } }));
    }
    assert_eq!(
        stage.text(),
        [
            "0s rollout/chat created",
            "10s rollout/chat Weight 10",
            "20s rollout/chat Weight 10 -> 0",
            "30s rollout/chat Weight 0 -> 10",
            "40s rollout/chat Weight 10 -> 0 (repetitions are left out)",
            "50s rollout/chat Weight 0 -> 10 (repetitions are left out)",
            "33m20s rollout/chat Weight 0 -> 10",
        ]
    );
}

#[test]
fn what_the_world_does_is_told_before_what_follows() {
    let mut stage = Stage::new();
    stage.to(5);
    stage.create("op", "rollouts.example.com", rollout());
    let (namespace, object) = (String::new(), "node/a".to_owned());
    let at = stage.cluster.now();
    stage.timeline.happened(&Happening { at, namespace, object, what: "falls silent".to_owned(), why: String::new() });
    assert_eq!(stage.text(), ["5s node/a falls silent", "5s rollout/chat created"]);
}

#[test]
fn weights_of_a_route_are_told_when_they_change() {
    let mut stage = Stage::new();
    let rules = |one: i64, other: i64| json!({ "spec": { "rules": [{ "backendRefs": [{ "name": "a", "weight": one }, { "name": "b", "weight": other }] }] } });
    let mut route = rollout();
    route["spec"] = rules(100, 0)["spec"].clone();
    stage.create("op", "rollouts.example.com", route);
    stage.to(60);
    stage.patch("op", "rollouts.example.com", "chat", None, rules(90, 10));
    assert_eq!(stage.text(), ["0s rollout/chat created, weights a 100, b 0", "1m00s rollout/chat weights a 90, b 10"]);
}
