//! Defaults of workloads that keep pods running.

use serde_json::{Map, Value, json};

use super::{fill_spec, pods};
use crate::sim::builtin::json::{fill, fill_text, items_mut, object_made};

/// `Deployment`.
pub fn deployment(object: &mut Value) {
    fill_spec(object, "replicas", 1);
    fill_spec(object, "revisionHistoryLimit", 10);
    fill_spec(object, "progressDeadlineSeconds", 600);
    if let Some(strategy) = object_made(object, &["spec", "strategy"]) {
        fill_text(strategy, "type", "RollingUpdate");
        rolling(strategy, &[("maxUnavailable", json!("25%")), ("maxSurge", json!("25%"))]);
    }
    template(object);
}

/// `ReplicaSet` and `ReplicationController`.
pub fn replica_set(object: &mut Value) {
    fill_spec(object, "replicas", 1);
    template(object);
}

/// `StatefulSet`.
pub fn stateful_set(object: &mut Value) {
    fill_spec(object, "replicas", 1);
    fill_spec(object, "revisionHistoryLimit", 10);
    if let Some(spec) = object_made(object, &["spec"]) {
        fill_text(spec, "podManagementPolicy", "OrderedReady");
        items_mut(spec, "volumeClaimTemplates").for_each(claim_template);
    }
    if let Some(strategy) = object_made(object, &["spec", "updateStrategy"]) {
        fill_text(strategy, "type", "RollingUpdate");
        rolling(strategy, &[("partition", json!(0))]);
    }
    if let Some(policy) = object_made(object, &["spec", "persistentVolumeClaimRetentionPolicy"]) {
        fill_text(policy, "whenDeleted", "Retain");
        fill_text(policy, "whenScaled", "Retain");
    }
    template(object);
}

/// `DaemonSet`.
pub fn daemon_set(object: &mut Value) {
    fill_spec(object, "revisionHistoryLimit", 10);
    if let Some(strategy) = object_made(object, &["spec", "updateStrategy"]) {
        fill_text(strategy, "type", "RollingUpdate");
        rolling(strategy, &[("maxUnavailable", json!(1)), ("maxSurge", json!(0))]);
    }
    template(object);
}

fn rolling(strategy: &mut Map<String, Value>, defaults: &[(&str, Value)]) {
    if strategy.get("type") != Some(&json!("RollingUpdate")) {
        return;
    }
    let rolling = strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
    if let Some(rolling) = rolling.as_object_mut() {
        defaults.iter().for_each(|(name, value)| fill(rolling, name, value.clone()));
    }
}

fn claim_template(claim: &mut Map<String, Value>) {
    fill_text(claim, "apiVersion", "v1");
    fill_text(claim, "kind", "PersistentVolumeClaim");
    if let Some(spec) = claim.get_mut("spec").and_then(Value::as_object_mut) {
        fill(spec, "volumeMode", "Filesystem");
    }
    fill(claim, "status", json!({"phase": "Pending"}));
}

fn template(object: &mut Value) {
    pods::template(object.get_mut("spec").and_then(|spec| spec.get_mut("template")));
}
