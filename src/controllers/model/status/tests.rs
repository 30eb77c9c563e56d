//! The status of a Model, from deployments as they are.

use serde_json::{Value, json};

use super::*;

fn model(versions: &Value) -> Model {
    let spec = json!({ "versions": versions });
    serde_json::from_value(json!({
        "apiVersion": "modelward.dev/v1alpha1", "kind": "Model", "metadata": {"name": "chat"}, "spec": spec,
    }))
    .unwrap()
}

fn side(version: &str, weight: i32) -> Value {
    json!({"version": version, "revision": format!("r-{version}-{weight}"), "weight": weight, "replicas": 1, "ready": 1, "replicasOwner": "Operator"})
}

fn deployment(name: &str, environment: &str, stable: &Value, candidate: &Value) -> Arc<ModelDeployment> {
    let mut status = json!({ "stable": stable });
    if !candidate.is_null() {
        status["candidate"] = candidate.clone();
    }
    let spec = json!({"model": "chat", "version": "1.0.0", "environment": environment});
    let object = json!({
        "apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": name}, "spec": spec, "status": status,
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn deployment_with_two_revisions_of_one_version_is_listed_once() {
    let user = deployment("a", "production", &side("1.0.0", 90), &side("1.0.0", 10));
    let status = status(&model(&json!([{"version": "1.0.0"}])), 1, &[user], at(1));
    let listed: Vec<(&str, i32)> = status.versions[0].deployments.iter().map(|entry| (entry.name.as_str(), entry.weight)).collect();
    assert_eq!(listed, [("a", 100)], "a list keyed by name takes no name twice");
    assert_eq!(status.versions[0].traffic, Some(100));
}

#[test]
fn traffic_is_that_of_production_alone() {
    let users = [
        deployment("a", "production", &side("1.0.0", 100), &Value::Null),
        deployment("b", "production", &side("1.0.0", 50), &side("2.0.0", 50)),
        deployment("c", "staging", &side("3.0.0", 100), &Value::Null),
    ];
    let versions = json!([{"version": "1.0.0"}, {"version": "2.0.0"}, {"version": "3.0.0"}]);
    let status = status(&model(&versions), 1, &users, at(1));
    let traffic: Vec<Option<i32>> = status.versions.iter().map(|version| version.traffic).collect();
    assert_eq!(traffic, [Some(75), Some(25), None]);
    let stages: Vec<Stage> = status.versions.iter().map(|version| version.stage.clone()).collect();
    assert_eq!(stages, [Stage::Production, Stage::Testing, Stage::Staging]);
    assert_eq!(status.production_version.as_deref(), Some("1.0.0"));
}

#[test]
fn former_versions_are_kept_up_to_a_bound_and_the_status_stays_small() {
    let versions: Vec<Value> = (0..100).map(|minor| json!({"version": format!("1.{minor}.0")})).collect();
    let mut model = model(&json!(versions));
    let gate = |place: i32| json!({"environment": format!("e{place}"), "metrics": (0..10).map(|metric| json!({"name": format!("metric-{metric}"), "min": 1})).collect::<Vec<_>>()});
    model.spec.gates = serde_json::from_value(json!((0..20).map(gate).collect::<Vec<_>>())).unwrap();
    for minor in 0..100 {
        let user = deployment("a", "production", &side(&format!("1.{minor}.0"), 100), &Value::Null);
        model.status = Some(status(&model, 1, &[user], at(minor)));
    }
    let last = model.status.clone().unwrap();
    assert_eq!(last.versions.len(), 11);
    assert_eq!(last.versions.iter().filter(|version| version.stage == Stage::Deprecated).count(), 10);
    let size = serde_json::to_string(&last).unwrap().len();
    assert!(size < 64 * 1024, "{size} bytes");
}

#[test]
fn status_of_an_unchanged_model_is_the_same_at_any_time() {
    let users = [deployment("a", "production", &side("1.0.0", 100), &Value::Null)];
    let mut model = model(&json!([{"version": "1.0.0"}, {"version": "0.9.0", "archived": true}]));
    let first = status(&model, 1, &users, at(1));
    model.status = Some(serde_json::from_value(json!(first)).unwrap());
    assert_eq!(status(&model, 1, &users, at(500)), first);
}
