//! The worked cases of `cases.yaml`, each in a cluster of its own.

use serde_json::{Value, json};

use super::super::memory::Direction;
use super::stage::{Stage, ago, epoch, millis};
use crate::sim::actors::object::seconds_text;
use crate::sim::world::document::parse;

fn cases() -> Vec<Value> {
    let document = parse("cases.yaml", include_str!("cases.yaml")).unwrap().remove(0);
    document.to_json().as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A metric in its full form.
fn metric(short: &Value) -> Value {
    let (key, target) = short.as_object().unwrap().iter().next().unwrap();
    let resource = |name: &str, target: Value| json!({ "type": "Resource", "resource": { "name": name, "target": target } });
    let external = |target: Value| json!({ "type": "External", "external": { "metric": { "name": "depth" }, "target": target } });
    let object = |target: Value| {
        let described = json!({ "apiVersion": "v1", "kind": "Service", "name": "front" });
        json!({ "type": "Object", "object": { "metric": { "name": "depth" }, "describedObject": described, "target": target } })
    };
    match key.as_str() {
        "cpu" | "memory" => resource(key, json!({ "type": "Utilization", "averageUtilization": target })),
        "cpuMean" => resource("cpu", json!({ "type": "AverageValue", "averageValue": target })),
        "pods" => {
            let target = json!({ "type": "AverageValue", "averageValue": target });
            json!({ "type": "Pods", "pods": { "metric": { "name": "depth" }, "target": target } })
        }
        "value" => external(json!({ "type": "Value", "value": target })),
        "share" => external(json!({ "type": "AverageValue", "averageValue": target })),
        "objectValue" => object(json!({ "type": "Value", "value": target })),
        "objectShare" => object(json!({ "type": "AverageValue", "averageValue": target })),
        other => panic!("no metric {other}"),
    }
}

fn add_pod(stage: &mut Stage, name: &str, said: &Value) {
    let request = said.get("request").and_then(Value::as_i64).unwrap_or(100);
    let mut container = json!({ "name": "server", "image": "x" });
    if request > 0 {
        container["resources"] = json!({ "requests": { "cpu": format!("{request}m"), "memory": format!("{request}m") } });
    }
    let spec = json!({ "nodeName": "node-1", "containers": [container] });
    let metadata = json!({ "name": name, "labels": { "app": "web" } });
    let mut pod = (*stage.create("pods", json!({ "metadata": metadata, "spec": spec }))).clone();
    let started = said.get("started").and_then(Value::as_i64).unwrap_or(3600);
    let since = said.get("since").and_then(Value::as_i64).unwrap_or(started);
    let ready = said.get("ready").and_then(Value::as_bool).unwrap_or(true);
    let condition =
        json!({ "type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": seconds_text(ago(since)) });
    let phase = said.get("phase").map_or("Running", text);
    pod["status"] = json!({ "phase": phase, "startTime": seconds_text(ago(started)), "conditions": [condition] });
    stage.put_status("pods", pod);
    if said["deleting"] == json!(true) {
        stage.delete("pods", name);
    }
    if let Some(uses) = said.as_i64().or_else(|| said.get("uses").and_then(Value::as_i64)) {
        stage.metrics.usage.insert(name.to_owned(), uses);
    }
}

fn prepare(case: &Value) -> Stage {
    let mut stage = Stage::new();
    let pods = case["pods"].as_array().unwrap();
    let count = pods.len() as i64;
    stage.deployment(case["replicas"].as_i64().unwrap_or(count), case["running"].as_i64().unwrap_or(count));
    for (index, pod) in pods.iter().enumerate() {
        add_pod(&mut stage, &format!("web-{index}"), pod);
    }
    let pairs = |values: &Value| -> Vec<(String, i64)> {
        let named = values.as_array().unwrap().iter().enumerate().filter(|(_, value)| !value.is_null());
        named.map(|(index, value)| (format!("web-{index}"), millis(text(value)))).collect()
    };
    stage.metrics.custom = case.get("custom").map(|values| pairs(values).into_iter().collect());
    if let Some(value) = case.get("object") {
        stage.metrics.custom = Some([("front".to_owned(), millis(text(value)))].into());
    }
    stage.metrics.external = case.get("external").map(|values| pairs(values).into_iter().map(|(_, millis)| millis).collect());
    let metrics: Vec<Value> = case["metrics"].as_array().unwrap().iter().map(metric).collect();
    let at_once = case.get("now").map(|_| json!({ "scaleDown": { "stabilizationWindowSeconds": 0 } }));
    let behavior = case.get("behavior").cloned().or(at_once);
    let (least, most) = (case["min"].as_i64().unwrap_or(1), case["max"].as_i64().unwrap_or(20));
    stage.autoscaler(least, most, json!(metrics), behavior);
    let memory = stage.autoscalers.memories.entry("default/web".to_owned()).or_default();
    let numbers = |pair: &Value| (pair[0].as_i64().unwrap(), pair[1].as_i64().unwrap());
    for (replicas, seconds) in case["seen"].as_array().into_iter().flatten().map(numbers) {
        memory.recommend(replicas, ago(seconds), |_| false);
    }
    for (replicas, seconds) in case["changed"].as_array().into_iter().flatten().map(numbers) {
        let direction = if replicas > 0 { Direction::Up } else { Direction::Down };
        memory.changed(direction, replicas.abs(), 3600, ago(seconds));
    }
    stage
}

#[test]
fn every_worked_case_comes_out_as_computed() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let mut stage = prepare(case);
        stage.look();
        let reason = |kind: &str| stage.condition(kind).map_or(Value::Null, |(_, reason)| json!(reason));
        let found = [json!(stage.replicas()), reason("AbleToScale"), reason("ScalingActive"), reason("ScalingLimited")];
        let wanted = case["wants"].as_array().unwrap();
        if found[..wanted.len()] != wanted[..] {
            wrong.push(format!("{}: wanted {}, found {found:?} {}", text(&case["name"]), case["wants"], stage.status()));
        }
        assert_eq!(stage.cluster.now(), epoch());
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn conditions_that_limit_are_true_and_failures_are_false() {
    for case in cases() {
        let mut stage = prepare(&case);
        stage.look();
        let holds = |kind: &str, usual: &[&str]| {
            let Some((status, reason)) = stage.condition(kind) else { return };
            assert_eq!(status == "True", usual.contains(&reason.as_str()), "{}: {kind} {status} {reason}", case["name"]);
        };
        holds("ScalingActive", &["ValidMetricFound"]);
        holds("ScalingLimited", &["TooManyReplicas", "TooFewReplicas", "ScaleUpLimit", "ScaleDownLimit"]);
        holds("AbleToScale", &["SucceededGetScale", "ReadyForNewScale", "ScaleDownStabilized", "ScaleUpStabilized", "SucceededRescale"]);
    }
}
