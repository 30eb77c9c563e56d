//! The levels against answers of a real API server, and what namespaces and workloads get to hear.

use std::sync::Arc;

use serde_json::{Value, json};

use super::policy::{Level, LevelVersion, Version};
use super::{violations, with_details};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Identity, Patch, WriteOptions, Written};

/// Pods, and what Kubernetes 1.35 says of them in each level from which minor version on (empty: nothing).
const CORPUS: &str = include_str!("corpus.json");
const NEWEST: u32 = 37;

fn answers(case: &Value, level: &str, version: Version) -> String {
    let known = case[level].as_array().unwrap();
    let since = |entry: &&Value| version.has(u32::try_from(entry[0].as_u64().unwrap()).unwrap());
    known.iter().rfind(since).unwrap()[1].as_str().unwrap().to_owned()
}

#[test]
fn pods_are_judged_as_by_a_real_server_in_every_version() {
    let corpus: Vec<Value> = serde_json::from_str(CORPUS).unwrap();
    assert!(corpus.len() > 100, "{}", corpus.len());
    let mut refusals = 0;
    for case in &corpus {
        for (level, name) in [(Level::Baseline, "baseline"), (Level::Restricted, "restricted")] {
            for version in (0..=NEWEST).map(Version::Minor).chain([Version::Latest]) {
                let found = with_details(&violations(LevelVersion { level, version }, &case["pod"]));
                assert_eq!(found, answers(case, name, version), "{} in {name} {version:?}", case["case"]);
                refusals += usize::from(!found.is_empty());
            }
        }
        assert_eq!(violations(LevelVersion { level: Level::Privileged, version: Version::Latest }, &case["pod"]), []);
    }
    assert!(refusals > 1000, "{refusals}");
}

struct Room(Cluster);

impl Room {
    /// A cluster with a namespace `n` with these labels.
    fn new(labels: &Value) -> Self {
        let mut cluster = Cluster::new(7, "2026-01-01T00:00:00Z".parse().unwrap());
        let namespace = json!({"metadata": {"name": "n", "labels": labels}});
        cluster.create(&who(), "namespaces", "", namespace, &options()).unwrap();
        Self(cluster)
    }

    fn create(&mut self, resource: &str, object: Value) -> Result<Written, ApiError> {
        self.0.create(&who(), resource, "n", object, &options())
    }

    fn patch(&mut self, resource: &str, namespace: &str, name: &str, patch: Value) -> Result<Written, ApiError> {
        self.0.patch(&who(), resource, namespace, name, None, Patch::Merge(patch), &options())
    }

    fn label(&mut self, labels: &Value) -> Result<Vec<String>, ApiError> {
        self.patch("namespaces", "", "n", json!({"metadata": {"labels": labels}})).map(|written| written.warnings)
    }
}

fn who() -> Identity {
    Identity::component("test")
}

fn options() -> WriteOptions {
    WriteOptions::manager("test")
}

fn pod(name: &str, spec: &Value) -> Value {
    let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "x"}]}});
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    pod
}

fn deployment() -> Value {
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "x"}]}});
    json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}})
}

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
const WARN: &str = "pod-security.kubernetes.io/warn";

#[test]
fn a_pod_that_violates_the_level_is_refused_and_not_stored() {
    let mut room = Room::new(&json!({ENFORCE: "baseline", WARN: "restricted"}));
    let error = room.create("pods", pod("p", &json!({"hostNetwork": true}))).unwrap_err();
    let message = "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)";
    assert_eq!((error.code, error.message.as_str()), (403, message));
    assert_eq!(room.0.get("pods", "n", "p"), None);
    let written = room.create("pods", pod("p", &json!({}))).unwrap();
    assert!(written.warnings[0].starts_with("would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false ("));
    let elsewhere = room.0.create(&who(), "pods", "default", pod("p", &json!({"hostNetwork": true})), &options());
    assert_eq!(elsewhere.unwrap().warnings, Vec::<String>::new(), "another namespace asks for nothing");
}

#[test]
fn templates_of_workloads_bring_warnings_and_no_refusals() {
    let mut room = Room::new(&json!({ENFORCE: "restricted", WARN: "restricted", "pod-security.kubernetes.io/warn-version": "v1.7"}));
    let warned = |written: Result<Written, ApiError>| written.unwrap().warnings;
    let expected = "would violate PodSecurity \"restricted:v1.7\": runAsNonRoot != true (pod or container \"a\" must set \
                    securityContext.runAsNonRoot=true)";
    assert_eq!(warned(room.create("deployments.apps", deployment())), [expected]);
    assert_eq!(warned(room.patch("deployments.apps", "n", "d", json!({"metadata": {"labels": {"x": "y"}}}))), [expected]);
    let job = json!({"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}]}}}});
    let mut cron = json!({"metadata": {"name": "c"}, "spec": {"schedule": "* * * * *", "jobTemplate": job}});
    assert_eq!(warned(room.create("cronjobs.batch", cron.clone())), [expected]);
    cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["securityContext"] = json!({"runAsNonRoot": true});
    cron["metadata"]["name"] = json!("hardened");
    assert_eq!(warned(room.create("cronjobs.batch", cron)), Vec::<String>::new());
}

#[test]
fn present_pods_are_judged_again_when_their_image_changes() {
    let mut room = Room::new(&json!({}));
    room.create("pods", pod("p", &json!({}))).unwrap();
    room.label(&json!({ENFORCE: "restricted"})).unwrap();
    room.patch("pods", "n", "p", json!({"metadata": {"labels": {"a": "b"}}})).unwrap();
    let image = json!({"spec": {"containers": [{"name": "a", "image": "y"}]}});
    let mut changed = (*room.0.get("pods", "n", "p").unwrap()).clone();
    changed["spec"]["containers"][0]["image"] = image["spec"]["containers"][0]["image"].clone();
    let error = room.0.update(&who(), "pods", "n", "p", None, changed, &options()).unwrap_err();
    assert!(error.message.contains("violates PodSecurity \"restricted:latest\""), "{}", error.message);
}

#[test]
fn labels_that_say_nothing_are_refused() {
    let mut room = Room::new(&json!({"pod-security.kubernetes.io/nonesuch": "anything"}));
    let wrong = json!({ENFORCE: "", "pod-security.kubernetes.io/audit": "y", "pod-security.kubernetes.io/audit-version": "1.20",
        "pod-security.kubernetes.io/warn-version": "v1.x"});
    let error = room.label(&wrong).unwrap_err();
    let causes = error.details.unwrap()["causes"].clone();
    let said: Vec<&str> = causes.as_array().unwrap().iter().map(|cause| cause["message"].as_str().unwrap()).collect();
    let version = "must be \\\"latest\\\" or \\\"v1.x\\\"".replace('\\', "");
    let levels = "must be one of privileged, baseline, restricted";
    let expected = [
        format!("Invalid value: \"\": {levels}"),
        format!("Invalid value: \"y\": {levels}"),
        format!("Invalid value: \"1.20\": {version}"),
        format!("Invalid value: \"v1.x\": {version}"),
    ];
    assert_eq!((error.code, said), (422, expected.iter().map(String::as_str).collect()));
    assert_eq!(causes[0]["field"], "metadata.labels[pod-security.kubernetes.io/enforce]");
}

#[test]
fn a_stricter_level_warns_of_the_pods_that_it_would_refuse() {
    let mut room = Room::new(&json!({}));
    for name in ["y", "x", "z"] {
        room.create("pods", pod(name, &json!({}))).unwrap();
    }
    room.create("pods", pod("h", &json!({"hostPID": true}))).unwrap();
    assert_eq!(
        room.label(&json!({ENFORCE: "baseline"})).unwrap(),
        ["existing pods in namespace \"n\" violate the new PodSecurity enforce level \"baseline:latest\"", "h: host namespaces"]
    );
    let warnings = room.label(&json!({ENFORCE: "restricted"})).unwrap();
    let reasons = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile";
    assert_eq!(warnings[1..], [format!("h: host namespaces, {reasons}"), format!("x (and 2 other pods): {reasons}")]);
    assert_eq!(room.label(&json!({"other": "label"})).unwrap(), Vec::<String>::new());
    assert_eq!(room.label(&json!({ENFORCE: "baseline"})).unwrap(), Vec::<String>::new(), "relaxed");
}

#[test]
fn a_controller_is_told_why_its_pod_is_refused() {
    use crate::sim::simulation::Simulation;
    let mut simulation = Simulation::new(1, "2026-01-01T00:00:00Z".parse().unwrap());
    let namespace = json!({"metadata": {"name": "n", "labels": {ENFORCE: "restricted"}}});
    simulation.cluster.create(&who(), "namespaces", "", namespace, &options()).unwrap();
    simulation.cluster.create(&who(), "deployments.apps", "n", deployment(), &options()).unwrap();
    let limit = simulation.cluster.now() + jiff::SignedDuration::from_secs(5);
    simulation.advance(limit);
    assert_eq!(simulation.cluster.list("pods", Some("n")), Vec::<Arc<Value>>::new());
    let events = simulation.cluster.list("events", Some("n"));
    let told = events.iter().any(|event| {
        event["reason"] == "FailedCreate" && event["message"].as_str().is_some_and(|text| text.contains("violates PodSecurity"))
    });
    assert!(told, "{events:?}");
}
