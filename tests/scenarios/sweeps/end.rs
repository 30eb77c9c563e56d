//! What a run ended in, without what may differ between two runs.
//!
//! Left out: uids, resourceVersions, generations, managed fields, addresses, every time, and the words that acknowledge a
//! command: a process that finds it done does not know what the one before it said. Numbers of decisions stay, and so does
//! everything else: content of specs, labels, annotations, weights, status. Of an analysis stays what it came to, not its
//! measurements; of what was asked before a release whether it could be measured; of a version that no longer serves nothing: whose
//! whole life was shorter than a request hung was never seen with traffic. Events are no part of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use modelward::sim::cluster::Cluster;
use serde_json::Value;

/// Kinds that make up the end of a run.
const KINDS: [&str; 9] = [
    "deployments.apps",
    "replicasets.apps",
    "services",
    "httproutes.gateway.networking.k8s.io",
    "grpcroutes.gateway.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "controllerrevisions.apps",
    "models.modelward.dev",
    "modeldeployments.modelward.dev",
];

/// Fields whose values may differ between two runs, wherever they are.
const ACCIDENTAL: [&str; 11] = [
    "deployedAt",
    "lastRollback",
    "uid",
    "resourceVersion",
    "managedFields",
    "clusterIP",
    "clusterIPs",
    "generation",
    "observedGeneration",
    "modelward.dev/applied",
    "deployment.kubernetes.io/revision",
];

/// Objects by kind and name, normalised; pods only by revision and number.
#[derive(Debug, PartialEq)]
pub struct EndState(BTreeMap<String, Value>);

impl EndState {
    /// The end of a run in `namespace`.
    pub fn of(cluster: &Cluster, namespace: &str) -> Self {
        let mut objects = BTreeMap::new();
        for kind in KINDS {
            for object in cluster.list(kind, Some(namespace)) {
                let name = object["metadata"]["name"].as_str().unwrap();
                objects.insert(format!("{kind} {name}"), normal(&object));
            }
        }
        // What an autoscaler says of itself depends on when it looked.
        for scaler in cluster.list("horizontalpodautoscalers.autoscaling", Some(namespace)) {
            objects.insert(format!("scaler {}", scaler["metadata"]["name"]), scaler["spec"].clone());
        }
        for pod in cluster.list("pods", Some(namespace)) {
            let revision = pod["metadata"]["labels"]["modelward.dev/revision"].as_str().unwrap_or_default();
            let count = objects.entry(format!("pods of {revision}")).or_insert(Value::from(0));
            *count = (count.as_i64().unwrap() + 1).into();
        }
        // The name of one that the operator makes follows from uid and number of the decision.
        for rollback in cluster.list("rollbacks.modelward.dev", Some(namespace)) {
            let (trigger, phase) = (&rollback["spec"]["trigger"], &rollback["status"]["phase"]);
            let count = objects.entry(format!("rollbacks, {trigger} and {phase}")).or_insert(Value::from(0));
            *count = (count.as_i64().unwrap() + 1).into();
        }
        Self(objects)
    }

    /// The first thing that differs from `expected`, with its path.
    pub fn difference(&self, expected: &Self) -> Option<String> {
        let keys: std::collections::BTreeSet<&String> = self.0.keys().chain(expected.0.keys()).collect();
        keys.into_iter().find_map(|key| match (self.0.get(key), expected.0.get(key)) {
            (Some(is), Some(wanted)) => differ(is, wanted, key),
            (Some(_), None) => Some(format!("{key} should not be there")),
            _ => Some(format!("{key} is missing")),
        })
    }
}

fn differ(is: &Value, wanted: &Value, path: &str) -> Option<String> {
    match (is, wanted) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            let nothing = Value::Null;
            keys.into_iter()
                .find_map(|key| differ(left.get(key).unwrap_or(&nothing), right.get(key).unwrap_or(&nothing), &format!("{path}.{key}")))
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            left.iter().zip(right).enumerate().find_map(|(place, (left, right))| differ(left, right, &format!("{path}[{place}]")))
        }
        _ => (is != wanted).then(|| format!("{path} is {is}, and {wanted} without the crash")),
    }
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !ACCIDENTAL.contains(&key.as_str()));
            kept.map(|(key, value)| (key.clone(), field(key, value))).collect()
        }
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::String(text) => text_of(text),
        other => other.clone(),
    }
}

fn field(key: &str, value: &Value) -> Value {
    match key {
        "conditions" => conditions(value),
        "lastCommand" => {
            let mut command = normal(value);
            command["message"] = Value::Null;
            command
        }
        // One that serves nowhere is shown if it was ever seen with traffic, and it need not have been.
        "versions" => normal(
            &value
                .as_array()
                .into_iter()
                .flatten()
                .filter(|version| !version["stage"].is_string() || version["deployments"].is_array())
                .cloned()
                .collect(),
        ),
        // Windows follow from when somebody asked; what they came to does not.
        "analysis" if value["metrics"].is_array() && value["revision"].is_string() => only(value, &["revision", "comparedWith", "weight"]),
        // The same of what was asked beforehand.
        "probes" if value[0]["definition"].is_string() => {
            let probes = value.as_array().into_iter().flatten();
            probes.map(|probe| only(probe, &["name", "definition", "provider", "revision", "problem"])).collect()
        }
        "evidence" | "grounds" => only(value, &["metric", "max", "min"]),
        _ => normal(value),
    }
}

/// These fields of an object.
fn only(value: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| ((*field).to_owned(), value[*field].clone())).collect()
}

/// Conditions by type: their order tells which came first.
fn conditions(list: &Value) -> Value {
    let conditions = list.as_array().into_iter().flatten();
    conditions.map(|condition| (condition["type"].as_str().unwrap_or_default().to_owned(), normal(condition))).collect()
}

fn text_of(text: &str) -> Value {
    if text.parse::<Timestamp>().is_ok() {
        return "a time".into();
    }
    // Decisions and records are JSON inside of annotations.
    match serde_json::from_str::<Value>(text) {
        Ok(inner @ Value::Object(_)) => normal(&inner),
        // Words about numbers end with the last of them.
        _ => text.split(": last ").next().unwrap_or_default().into(),
    }
}
