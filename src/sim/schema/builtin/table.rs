//! What the generated descriptions of built-in types leave out: who owns which part of a list, and how strategic merge
//! patch treats it. Facts of the Kubernetes API, 1.35.

use std::sync::Arc;

use serde_json::json;

use crate::sim::schema::{ListType, Schema};

/// How a field behaves.
enum Shape {
    /// A keyed list.
    Keyed(&'static [&'static str]),
    /// A set of scalars.
    Set,
    /// A map or struct with one owner.
    AtomicMap,
    /// A keyed list for patches that is atomic for apply, or the other way round: nothing about ownership.
    Unkeyed,
}

use Shape::{AtomicMap, Keyed, Set, Unkeyed};

const NAME: &[&str] = &["name"];
const TYPE: &[&str] = &["type"];
const PORTS: &[&str] = &["containerPort", "protocol"];

/// Type (without `io.k8s.`), field, ownership, strategy and merge key of strategic merge patches.
const FIELDS: &[(&str, &str, Shape, &str, &str)] = &[
    ("api.admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec", "validationActions", Set, "", ""),
    ("api.admissionregistration.v1.ValidatingAdmissionPolicySpec", "matchConditions", Keyed(NAME), "merge", "name"),
    ("api.admissionregistration.v1.ValidatingAdmissionPolicySpec", "variables", Keyed(NAME), "merge", "name"),
    ("api.admissionregistration.v1.ValidatingAdmissionPolicyStatus", "conditions", Keyed(TYPE), "", ""),
    ("api.apps.v1.DaemonSetStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.apps.v1.DeploymentSpec", "strategy", Unkeyed, "retainKeys", ""),
    ("api.apps.v1.DeploymentStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.apps.v1.ReplicaSetStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.apps.v1.StatefulSetStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.autoscaling.v2.HorizontalPodAutoscalerStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.batch.v1.JobStatus", "conditions", Unkeyed, "merge", "type"),
    ("api.batch.v1.PodFailurePolicyOnExitCodesRequirement", "values", Set, "", ""),
    ("api.batch.v1.UncountedTerminatedPods", "failed", Set, "", ""),
    ("api.batch.v1.UncountedTerminatedPods", "succeeded", Set, "", ""),
    ("api.core.v1.Container", "env", Keyed(NAME), "merge", "name"),
    ("api.core.v1.Container", "ports", Keyed(PORTS), "merge", "containerPort"),
    ("api.core.v1.Container", "volumeDevices", Keyed(&["devicePath"]), "merge", "devicePath"),
    ("api.core.v1.Container", "volumeMounts", Keyed(&["mountPath"]), "merge", "mountPath"),
    ("api.core.v1.ContainerRestartRuleOnExitCodes", "values", Set, "", ""),
    ("api.core.v1.ContainerStatus", "allocatedResourcesStatus", Keyed(NAME), "merge", "name"),
    ("api.core.v1.ContainerStatus", "volumeMounts", Keyed(&["mountPath"]), "merge", "mountPath"),
    ("api.core.v1.EphemeralContainer", "env", Keyed(NAME), "merge", "name"),
    ("api.core.v1.EphemeralContainer", "ports", Keyed(PORTS), "merge", "containerPort"),
    ("api.core.v1.EphemeralContainer", "volumeDevices", Keyed(&["devicePath"]), "merge", "devicePath"),
    ("api.core.v1.EphemeralContainer", "volumeMounts", Keyed(&["mountPath"]), "merge", "mountPath"),
    ("api.core.v1.NamespaceStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.core.v1.NodeSpec", "podCIDRs", Set, "merge", ""),
    ("api.core.v1.NodeStatus", "addresses", Keyed(TYPE), "merge", "type"),
    ("api.core.v1.NodeStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.core.v1.PersistentVolumeClaimStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.core.v1.PodSpec", "containers", Keyed(NAME), "merge", "name"),
    ("api.core.v1.PodSpec", "ephemeralContainers", Keyed(NAME), "merge", "name"),
    ("api.core.v1.PodSpec", "hostAliases", Keyed(&["ip"]), "merge", "ip"),
    ("api.core.v1.PodSpec", "imagePullSecrets", Keyed(NAME), "merge", "name"),
    ("api.core.v1.PodSpec", "initContainers", Keyed(NAME), "merge", "name"),
    ("api.core.v1.PodSpec", "nodeSelector", AtomicMap, "", ""),
    ("api.core.v1.PodSpec", "resourceClaims", Keyed(NAME), "merge,retainKeys", "name"),
    ("api.core.v1.PodSpec", "schedulingGates", Keyed(NAME), "merge", "name"),
    ("api.core.v1.PodSpec", "topologySpreadConstraints", Keyed(&["topologyKey", "whenUnsatisfiable"]), "merge", "topologyKey"),
    ("api.core.v1.PodSpec", "volumes", Keyed(NAME), "merge,retainKeys", "name"),
    ("api.core.v1.PodStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.core.v1.PodStatus", "hostIPs", Unkeyed, "merge", "ip"),
    ("api.core.v1.PodStatus", "podIPs", Keyed(&["ip"]), "merge", "ip"),
    ("api.core.v1.PodStatus", "resourceClaimStatuses", Keyed(NAME), "merge,retainKeys", "name"),
    ("api.core.v1.ReplicationControllerSpec", "selector", AtomicMap, "", ""),
    ("api.core.v1.ReplicationControllerStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.core.v1.ResourceRequirements", "claims", Keyed(NAME), "", ""),
    ("api.core.v1.ResourceStatus", "resources", Keyed(&["resourceID"]), "", ""),
    ("api.core.v1.ServiceAccount", "secrets", Keyed(NAME), "merge", "name"),
    ("api.core.v1.ServiceSpec", "ports", Keyed(&["port", "protocol"]), "merge", "port"),
    ("api.core.v1.ServiceSpec", "selector", AtomicMap, "", ""),
    ("api.core.v1.ServiceStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("api.discovery.v1.Endpoint", "addresses", Set, "", ""),
    ("api.policy.v1.PodDisruptionBudgetSpec", "selector", Unkeyed, "replace", ""),
    ("api.policy.v1.PodDisruptionBudgetStatus", "conditions", Keyed(TYPE), "merge", "type"),
    ("apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus", "conditions", Keyed(TYPE), "", ""),
    ("apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers", Set, "merge", ""),
    ("apimachinery.pkg.apis.meta.v1.ObjectMeta", "ownerReferences", Keyed(&["uid"]), "merge", "uid"),
];

/// Structs with one owner.
const ATOMIC: &[&str] = &[
    "api.admissionregistration.v1.MatchResources",
    "api.admissionregistration.v1.NamedRuleWithOperations",
    "api.admissionregistration.v1.ParamKind",
    "api.admissionregistration.v1.ParamRef",
    "api.admissionregistration.v1.Variable",
    "api.core.v1.ConfigMapKeySelector",
    "api.core.v1.EndpointAddress",
    "api.core.v1.EndpointPort",
    "api.core.v1.FileKeySelector",
    "api.core.v1.LocalObjectReference",
    "api.core.v1.NodeSelector",
    "api.core.v1.NodeSelectorTerm",
    "api.core.v1.ObjectFieldSelector",
    "api.core.v1.ObjectReference",
    "api.core.v1.ResourceFieldSelector",
    "api.core.v1.ScopeSelector",
    "api.core.v1.SecretKeySelector",
    "api.core.v1.SecretReference",
    "api.core.v1.TopologySelectorTerm",
    "api.core.v1.TypedLocalObjectReference",
    "api.discovery.v1.EndpointPort",
    "api.networking.v1.ServiceBackendPort",
    "api.rbac.v1.RoleRef",
    "api.rbac.v1.Subject",
    "apimachinery.pkg.apis.meta.v1.LabelSelector",
    "apimachinery.pkg.apis.meta.v1.OwnerReference",
];

/// Key fields with a default that takes part in telling items apart.
const KEY_DEFAULTS: &[(&str, &str, &str)] =
    &[("api.core.v1.ContainerPort", "protocol", "TCP"), ("api.core.v1.ServicePort", "protocol", "TCP")];

/// Adds the missing facts to a freshly converted type.
pub fn refine(type_name: &str, schema: &mut Schema) {
    let short = type_name.strip_prefix("io.k8s.").unwrap_or(type_name);
    schema.atomic_map |= ATOMIC.contains(&short);
    for (_, field, shape, strategy, merge_key) in FIELDS.iter().filter(|entry| entry.0 == short) {
        let Some(declared) = schema.properties.get_mut(*field) else { continue };
        let declared = Arc::make_mut(declared);
        match shape {
            Keyed(keys) => declared.list_type = ListType::Map { keys: keys.iter().map(|key| (*key).to_owned()).collect() },
            Set => declared.list_type = ListType::Set,
            AtomicMap => declared.atomic_map = true,
            Unkeyed => {}
        }
        declared.patch_strategy = (*strategy).to_owned();
        declared.patch_merge_key = (!merge_key.is_empty()).then(|| (*merge_key).to_owned());
    }
    for (_, field, default) in KEY_DEFAULTS.iter().filter(|entry| entry.0 == short) {
        if let Some(declared) = schema.properties.get_mut(*field) {
            Arc::make_mut(declared).default = Some(json!(default));
        }
    }
}

#[cfg(test)]
pub fn entries() -> impl Iterator<Item = (&'static str, &'static str)> {
    FIELDS.iter().map(|entry| (entry.0, entry.1)).chain(KEY_DEFAULTS.iter().map(|entry| (entry.0, entry.1)))
}

#[cfg(test)]
pub fn atomic() -> &'static [&'static str] {
    ATOMIC
}
