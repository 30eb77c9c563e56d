//! The part of KEDA's API that its double understands, as a CRD: ScaledObject.
//!
//! An own, smaller schema: what the double does not do is no field of it, so that a strict client is refused. No text of the
//! original.

use serde_json::{Value, json};

/// Group of it.
pub const GROUP: &str = "keda.sh";

/// The CRDs, to be created like any others.
pub fn definitions() -> Vec<Value> {
    let scale = json!({ "name": "Active", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Active\")].status" });
    let ready = json!({ "name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status" });
    let columns = json!([
        { "name": "ScaleTargetKind", "type": "string", "jsonPath": ".status.scaleTargetKind" },
        { "name": "ScaleTargetName", "type": "string", "jsonPath": ".spec.scaleTargetRef.name" },
        { "name": "Min", "type": "integer", "jsonPath": ".spec.minReplicaCount" },
        { "name": "Max", "type": "integer", "jsonPath": ".spec.maxReplicaCount" },
        ready, scale,
        { "name": "Paused", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Paused\")].status" },
        { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
    ]);
    vec![json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("scaledobjects.{GROUP}") },
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": { "kind": "ScaledObject", "listKind": "ScaledObjectList", "plural": "scaledobjects", "singular": "scaledobject", "shortNames": ["so"] },
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true, "subresources": { "status": {} },
                "additionalPrinterColumns": columns,
                "schema": { "openAPIV3Schema": {
                    "type": "object", "required": ["spec"],
                    "properties": {
                        "apiVersion": text(), "kind": text(), "metadata": { "type": "object" },
                        "spec": spec(), "status": status(),
                    },
                } },
            }],
        },
    })]
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn count() -> Value {
    json!({ "type": "integer", "format": "int32" })
}

fn spec() -> Value {
    let target = json!({
        "type": "object", "required": ["name"],
        "properties": { "apiVersion": text(), "kind": text(), "name": text() },
    });
    let trigger = json!({
        "type": "object", "required": ["type", "metadata"],
        "properties": {
            "type": text(), "name": text(), "metadata": { "type": "object", "additionalProperties": text() },
            "metricType": { "type": "string", "enum": ["AverageValue", "Utilization", "Value"] },
        },
    });
    // What an autoscaler takes is checked when the autoscaler is written.
    let behavior = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let autoscaler = json!({ "type": "object", "properties": { "name": text(), "behavior": behavior } });
    json!({
        "type": "object", "required": ["scaleTargetRef", "triggers"],
        "properties": {
            "scaleTargetRef": target, "triggers": { "type": "array", "items": trigger },
            "minReplicaCount": count(), "maxReplicaCount": count(), "idleReplicaCount": count(),
            "pollingInterval": count(), "cooldownPeriod": count(), "initialCooldownPeriod": count(),
            "advanced": { "type": "object", "properties": { "horizontalPodAutoscalerConfig": autoscaler } },
        },
    })
}

fn status() -> Value {
    let condition = json!({
        "type": "object", "required": ["type", "status"],
        "properties": { "type": text(), "status": text(), "reason": text(), "message": text() },
    });
    let kind = json!({ "type": "object", "properties": { "group": text(), "version": text(), "kind": text(), "resource": text() } });
    let names = json!({ "type": "array", "items": text() });
    json!({
        "type": "object",
        "properties": {
            "conditions": { "type": "array", "items": condition }, "hpaName": text(), "lastActiveTime": { "type": "string", "format": "date-time" },
            "scaleTargetKind": text(), "scaleTargetGVKR": kind, "originalReplicaCount": count(), "pausedReplicaCount": count(),
            "externalMetricNames": names.clone(), "resourceMetricNames": names,
        },
    })
}
