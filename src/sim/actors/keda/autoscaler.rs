//! The autoscaler that belongs to a ScaledObject.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::trigger::Trigger;
use super::{PAUSED_IN, PAUSED_OUT, is_set, reference};
use crate::sim::actors::autoscaler::AUTOSCALERS;
use crate::sim::actors::client::Client;
use crate::sim::actors::object::{at, controller_reference, controller_uid, int, labels, name, namespace, text, uid};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;

/// `maxReplicaCount` when nothing is said.
pub const MOST: i64 = 100;

fn called(scaled: &Value) -> String {
    match text(scaled, &["spec", "advanced", "horizontalPodAutoscalerConfig", "name"]) {
        "" => format!("keda-hpa-{}", name(scaled)),
        said => said.to_owned(),
    }
}

/// Makes it, or changes it to what the ScaledObject says; gives its name. One of a former name is removed.
///
/// # Errors
/// What the server refuses, and 409 for an autoscaler of that name that belongs to somebody else.
pub fn keep(client: &Client, scaled: &Arc<Value>, triggers: &[Trigger], cluster: &mut Cluster) -> Result<String, ApiError> {
    let called = called(scaled);
    let former = text(scaled, &["status", "hpaName"]);
    if !former.is_empty() && former != called {
        remove_named(client, scaled, former, cluster)?;
    }
    let wanted = wanted(scaled, &called, triggers);
    let Some(found) = cluster.get(AUTOSCALERS, namespace(scaled), &called) else {
        client.create(cluster, AUTOSCALERS, namespace(scaled), wanted)?;
        return Ok(called);
    };
    if !is_ours(&found, scaled) {
        let message = format!("horizontalpodautoscalers.autoscaling {called:?} belongs to somebody else");
        return Err(ApiError::new(409, "AlreadyExists", message));
    }
    let more = |of: &Value| of["spec"]["metrics"].as_array().map_or(0, Vec::len);
    let behaves = |of: &Value| of["spec"]["behavior"].is_object();
    let same_parts = more(&found) == more(&wanted) && behaves(&found) == behaves(&wanted);
    let covered = ["spec", "metadata"].iter().all(|part| covers(&found[*part], &wanted[*part]));
    if !same_parts || !covered {
        let mut changed = (*found).clone();
        changed["spec"] = wanted["spec"].clone();
        for field in ["labels", "annotations"] {
            if let Some(value) = at(&wanted, &["metadata", field]) {
                changed["metadata"][field] = value.clone();
            }
        }
        client.update(cluster, AUTOSCALERS, changed)?;
    }
    Ok(called)
}

fn is_ours(autoscaler: &Value, scaled: &Value) -> bool {
    controller_uid(autoscaler, "ScaledObject") == Some(uid(scaled))
}

/// Removes it, under its present and its former name.
///
/// # Errors
/// What the server refuses.
pub fn remove(client: &Client, scaled: &Arc<Value>, cluster: &mut Cluster) -> Result<(), ApiError> {
    remove_named(client, scaled, text(scaled, &["status", "hpaName"]), cluster)?;
    remove_named(client, scaled, &called(scaled), cluster)
}

fn remove_named(client: &Client, scaled: &Value, called: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
    match cluster.get(AUTOSCALERS, namespace(scaled), called).filter(|found| is_ours(found, scaled)) {
        Some(found) => client.delete_in_background(cluster, AUTOSCALERS, &found),
        None => Ok(()),
    }
}

/// Everything that is wanted is there; what the server filled in besides does not matter.
fn covers(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| covers(found, wanted)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| covers(found, wanted))
        }
        _ => found == wanted,
    }
}

fn wanted(scaled: &Value, called: &str, triggers: &[Trigger]) -> Value {
    let (version, kind) = reference(scaled);
    let mut metrics: Vec<Value> = triggers.iter().map(|trigger| trigger.metric(name(scaled))).collect();
    metrics.sort_by(|one, other| text(one, &["type"]).cmp(text(other, &["type"])));
    let mut spec = json!({
        "scaleTargetRef": { "apiVersion": version, "kind": kind, "name": text(scaled, &["spec", "scaleTargetRef", "name"]) },
        "minReplicas": int(scaled, &["spec", "minReplicaCount"]).unwrap_or(0).max(1),
        "maxReplicas": int(scaled, &["spec", "maxReplicaCount"]).unwrap_or(MOST),
        "metrics": metrics,
    });
    if let Some(behavior) = behavior(scaled) {
        spec["behavior"] = behavior;
    }
    let mut own: Map<String, Value> = [
        ("app.kubernetes.io/managed-by", "keda-operator"),
        ("app.kubernetes.io/name", called),
        ("app.kubernetes.io/part-of", name(scaled)),
    ]
    .into_iter()
    .map(|(label, value)| (label.to_owned(), json!(value.get(..63).unwrap_or(value))))
    .collect();
    own.extend(labels(scaled).into_iter().flatten().map(|(label, value)| (label.clone(), value.clone())));
    let mut metadata = json!({
        "name": called, "namespace": namespace(scaled), "labels": own, "ownerReferences": [controller_reference(scaled)],
    });
    if let Some(annotations) = at(scaled, &["metadata", "annotations"]) {
        metadata["annotations"] = annotations.clone();
    }
    json!({ "metadata": metadata, "spec": spec })
}

/// As said, with the directions switched off that are paused.
fn behavior(scaled: &Value) -> Option<Value> {
    let said = at(scaled, &["spec", "advanced", "horizontalPodAutoscalerConfig", "behavior"]).cloned();
    let paused = [(PAUSED_IN, "scaleDown"), (PAUSED_OUT, "scaleUp")].into_iter().filter(|(annotation, _)| is_set(scaled, annotation));
    paused.fold(said, |behavior, (_, direction)| {
        let mut behavior = behavior.unwrap_or_else(|| json!({}));
        behavior[direction]["selectPolicy"] = json!("Disabled");
        Some(behavior)
    })
}
