//! What the API server knows about its own kinds: amounts, defaults, what it fills in on create, and validation.
//!
//! Works on `serde_json::Value`s that already have the right JSON types. Resources are named as everywhere in the simulated
//! cluster, `deployments.apps`. Never reads the cluster or the clock; kinds it does not know pass unchanged.

pub mod defaults;
mod json;
pub mod names;
pub mod quantity;
pub mod validation;

/// Resources with version and kind.
const KINDS: &[(&str, &str, &str)] = &[
    ("configmaps", "v1", "ConfigMap"),
    ("endpoints", "v1", "Endpoints"),
    ("events", "v1", "Event"),
    ("limitranges", "v1", "LimitRange"),
    ("namespaces", "v1", "Namespace"),
    ("nodes", "v1", "Node"),
    ("persistentvolumeclaims", "v1", "PersistentVolumeClaim"),
    ("persistentvolumes", "v1", "PersistentVolume"),
    ("pods", "v1", "Pod"),
    ("podtemplates", "v1", "PodTemplate"),
    ("replicationcontrollers", "v1", "ReplicationController"),
    ("resourcequotas", "v1", "ResourceQuota"),
    ("secrets", "v1", "Secret"),
    ("serviceaccounts", "v1", "ServiceAccount"),
    ("services", "v1", "Service"),
    ("validatingadmissionpolicies.admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy"),
    ("validatingadmissionpolicybindings.admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding"),
    ("customresourcedefinitions.apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    ("controllerrevisions.apps", "v1", "ControllerRevision"),
    ("daemonsets.apps", "v1", "DaemonSet"),
    ("deployments.apps", "v1", "Deployment"),
    ("replicasets.apps", "v1", "ReplicaSet"),
    ("statefulsets.apps", "v1", "StatefulSet"),
    ("horizontalpodautoscalers.autoscaling", "v2", "HorizontalPodAutoscaler"),
    ("cronjobs.batch", "v1", "CronJob"),
    ("jobs.batch", "v1", "Job"),
    ("leases.coordination.k8s.io", "v1", "Lease"),
    ("endpointslices.discovery.k8s.io", "v1", "EndpointSlice"),
    ("events.events.k8s.io", "v1", "Event"),
    ("ingresses.networking.k8s.io", "v1", "Ingress"),
    ("ingressclasses.networking.k8s.io", "v1", "IngressClass"),
    ("networkpolicies.networking.k8s.io", "v1", "NetworkPolicy"),
    ("poddisruptionbudgets.policy", "v1", "PodDisruptionBudget"),
    ("clusterroles.rbac.authorization.k8s.io", "v1", "ClusterRole"),
    ("clusterrolebindings.rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
    ("roles.rbac.authorization.k8s.io", "v1", "Role"),
    ("rolebindings.rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("priorityclasses.scheduling.k8s.io", "v1", "PriorityClass"),
    ("storageclasses.storage.k8s.io", "v1", "StorageClass"),
];

/// Group, version and kind of a built-in resource.
pub fn group_version_kind(resource: &str) -> Option<(&str, &'static str, &'static str)> {
    let (_, version, kind) = KINDS.iter().find(|known| known.0 == resource)?;
    let group = resource.split_once('.').map_or("", |(_, group)| group);
    Some((group, version, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::schema::builtin;

    #[test]
    fn every_resource_has_a_schema() {
        for (resource, ..) in KINDS {
            let (group, version, kind) = group_version_kind(resource).unwrap();
            assert!(builtin::find(group, version, kind).is_some(), "{resource}");
        }
        assert_eq!(group_version_kind("widgets.example.com"), None);
    }
}
