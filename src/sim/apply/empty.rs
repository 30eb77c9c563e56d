//! Objects of built-in kinds with nothing set, as the server's own types encode them.
//!
//! Structs that such a type holds by value are there even when nothing is in them, so that nobody ever adds them: a
//! created Deployment's creator owns `spec.template.spec.containers` item by item but not `spec` or `template` themselves.
//! Gives constants only.

use serde_json::{Value, json};

/// The object of this kind with nothing set. A kind that is not listed has nothing but `metadata`.
pub fn empty_object(group: &str, kind: &str) -> Value {
    let mut object = match (group, kind) {
        ("apps" | "batch", _) => workload(kind),
        ("" | "events.k8s.io", _) => core(group, kind),
        _ => other(group, kind),
    };
    object["metadata"] = json!({});
    object
}

fn pod_template() -> Value {
    json!({ "metadata": {}, "spec": { "containers": null } })
}

fn workload(kind: &str) -> Value {
    match kind {
        "Deployment" => json!({ "spec": { "selector": null, "template": pod_template(), "strategy": {} }, "status": {} }),
        "StatefulSet" => json!({
            "spec": { "selector": null, "template": pod_template(), "serviceName": "", "updateStrategy": {} },
            "status": { "replicas": 0, "availableReplicas": 0 },
        }),
        "DaemonSet" => json!({
            "spec": { "selector": null, "template": pod_template(), "updateStrategy": {} },
            "status": { "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0 },
        }),
        "ReplicaSet" => json!({ "spec": { "selector": null, "template": pod_template() }, "status": { "replicas": 0 } }),
        "ControllerRevision" => json!({ "revision": 0 }),
        "Job" => json!({ "spec": { "template": pod_template() }, "status": {} }),
        "CronJob" => json!({
            "spec": { "schedule": "", "jobTemplate": { "metadata": {}, "spec": { "template": pod_template() } } },
            "status": {},
        }),
        _ => json!({}),
    }
}

fn core(group: &str, kind: &str) -> Value {
    match (group, kind) {
        ("", "Pod") => json!({ "spec": { "containers": null }, "status": {} }),
        ("", "PodTemplate") => json!({ "template": pod_template() }),
        ("", "ReplicationController") => json!({ "spec": {}, "status": { "replicas": 0 } }),
        ("", "Service") => json!({ "spec": {}, "status": { "loadBalancer": {} } }),
        ("", "Namespace" | "PersistentVolume" | "ResourceQuota") => json!({ "spec": {}, "status": {} }),
        ("", "PersistentVolumeClaim") => json!({ "spec": { "resources": {} }, "status": {} }),
        ("", "LimitRange") => json!({ "spec": { "limits": null } }),
        ("", "Node") => json!({
            "spec": {},
            "status": {
                "daemonEndpoints": { "kubeletEndpoint": { "Port": 0 } },
                "nodeInfo": {
                    "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "",
                    "containerRuntimeVersion": "", "kubeletVersion": "", "kubeProxyVersion": "",
                    "operatingSystem": "", "architecture": "",
                },
            },
        }),
        ("", "Event") => json!({
            "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": null,
            "reportingComponent": "", "reportingInstance": "",
        }),
        ("events.k8s.io", "Event") => json!({
            "eventTime": null, "regarding": {}, "deprecatedSource": {}, "deprecatedFirstTimestamp": null, "deprecatedLastTimestamp": null,
        }),
        _ => json!({}),
    }
}

fn other(group: &str, kind: &str) -> Value {
    match (group, kind) {
        ("autoscaling", "HorizontalPodAutoscaler") => json!({
            "spec": { "scaleTargetRef": { "kind": "", "name": "" }, "maxReplicas": 0 },
            "status": { "desiredReplicas": 0, "currentMetrics": null },
        }),
        ("autoscaling", "Scale") => json!({ "spec": {}, "status": { "replicas": 0 } }),
        ("policy", "PodDisruptionBudget") => json!({
            "spec": {},
            "status": { "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0 },
        }),
        ("networking.k8s.io", "Ingress") => json!({ "spec": {}, "status": { "loadBalancer": {} } }),
        ("networking.k8s.io", "IngressClass") => json!({ "spec": {} }),
        ("networking.k8s.io", "NetworkPolicy") => json!({ "spec": { "podSelector": {} } }),
        ("coordination.k8s.io", "Lease") => json!({ "spec": {} }),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => json!({ "rules": null }),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            json!({ "roleRef": { "apiGroup": "", "kind": "", "name": "" } })
        }
        ("discovery.k8s.io", "EndpointSlice") => json!({ "addressType": "", "endpoints": null, "ports": null }),
        ("storage.k8s.io", "StorageClass") => json!({ "provisioner": "" }),
        ("scheduling.k8s.io", "PriorityClass") => json!({ "value": 0 }),
        ("node.k8s.io", "RuntimeClass") => json!({ "handler": "" }),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => json!({
            "spec": { "group": "", "names": { "plural": "", "kind": "" }, "scope": "", "versions": null },
            "status": { "conditions": null, "acceptedNames": { "plural": "", "kind": "" }, "storedVersions": null },
        }),
        _ => json!({}),
    }
}
