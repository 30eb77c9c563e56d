//! The table of built-in kinds that the simulated cluster serves.
//!
//! A kind that is not here is not served: requests for it are answered as an API server without that group would.

use std::sync::{Arc, OnceLock};

use super::{Conversion, GenerationPolicy, NameRule, Resource, ResourceId, ScalePaths, SelectableField, Strategy};

/// Groups that are built in, served or not: an unknown resource in one of them is answered with a `Status`.
pub const GROUPS: &[&str] = &[
    "",
    "apiextensions.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// One row of the table.
struct Row {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    /// Letters: see [`flags`].
    flags: &'static str,
    fields: &'static [&'static str],
    subresources: &'static [&'static str],
}

/// Reads the flag letters of a row.
///
/// `N` namespaced, `s` status subresource, `a` category all, `G` generation on spec, `A` generation on annotations too,
/// `V` resourceVersion required on PUT, `P` PUT creates, `O` delete returns the object, `o` orphan by default,
/// `g` graceful, `1` RFC 1123 label, `5` RFC 1035 label, `p` path segment, `d` no dots, `c` at most 52 characters.
fn strategy_of(flags: &str) -> Strategy {
    let has = |letter: char| flags.contains(letter);
    let generation = match (has('G'), has('A')) {
        (_, true) => GenerationPolicy::SpecOrAnnotations,
        (true, false) => GenerationPolicy::Spec,
        (false, false) => GenerationPolicy::None,
    };
    let name_rule = match flags.chars().find(|letter| "15pdc".contains(*letter)) {
        Some('1') => NameRule::Label,
        Some('5') => NameRule::Label1035,
        Some('p') => NameRule::PathSegment,
        Some('d') => NameRule::NoDots,
        Some('c') => NameRule::SubdomainMax(52),
        _ => NameRule::Subdomain,
    };
    Strategy {
        generation,
        name_rule,
        version_required: has('V'),
        put_creates: has('P'),
        delete_returns_object: has('O'),
        orphan_by_default: has('o'),
        graceful: has('g'),
        status_reset: has('s'),
    }
}

const NONE: &[&str] = &[];

const fn row(group: &'static str, kind: &'static str, plural: &'static str, short: &'static [&'static str], flags: &'static str) -> Row {
    Row { group, version: "v1", kind, plural, short, flags, fields: NONE, subresources: NONE }
}

const POD_FIELDS: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
];

const EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];

const RBAC: &str = "rbac.authorization.k8s.io";
const STORAGE: &str = "storage.k8s.io";
const NETWORKING: &str = "networking.k8s.io";

const ROWS: &[Row] = &[
    row("", "ConfigMap", "configmaps", &["cm"], "N"),
    row("", "Endpoints", "endpoints", &["ep"], "NP"),
    Row { fields: EVENT_FIELDS, ..row("", "Event", "events", &["ev"], "NP") },
    row("", "LimitRange", "limitranges", &["limits"], "NP"),
    Row { fields: &["status.phase"], subresources: &["finalize"], ..row("", "Namespace", "namespaces", &["ns"], "sO1") },
    Row { fields: &["spec.unschedulable"], ..row("", "Node", "nodes", &["no"], "s") },
    row("", "PersistentVolume", "persistentvolumes", &["pv"], "sO"),
    row("", "PersistentVolumeClaim", "persistentvolumeclaims", &["pvc"], "NsO"),
    Row { fields: POD_FIELDS, subresources: &["binding", "eviction", "log"], ..row("", "Pod", "pods", &["po"], "NsaGOg") },
    row("", "PodTemplate", "podtemplates", NONE, "NGO"),
    Row { fields: &["status.replicas"], ..row("", "ReplicationController", "replicationcontrollers", &["rc"], "NsaGo") },
    row("", "ResourceQuota", "resourcequotas", &["quota"], "NsO"),
    Row { fields: &["type"], ..row("", "Secret", "secrets", NONE, "N") },
    Row { subresources: &["token"], ..row("", "ServiceAccount", "serviceaccounts", &["sa"], "NO") },
    Row { fields: &["spec.clusterIP", "spec.type"], ..row("", "Service", "services", &["svc"], "NsaPO5") },
    row("apps", "ControllerRevision", "controllerrevisions", NONE, "N"),
    row("apps", "DaemonSet", "daemonsets", &["ds"], "NsaG"),
    row("apps", "Deployment", "deployments", &["deploy"], "NsaA"),
    row("apps", "ReplicaSet", "replicasets", &["rs"], "NsaG"),
    row("apps", "StatefulSet", "statefulsets", &["sts"], "NsaGd"),
    Row { version: "v2", ..row("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &["hpa"], "Nsa") },
    row("batch", "CronJob", "cronjobs", &["cj"], "NsaGc"),
    Row { fields: &["status.successful"], ..row("batch", "Job", "jobs", NONE, "NsaGo") },
    row("coordination.k8s.io", "Lease", "leases", NONE, "NVP"),
    row("discovery.k8s.io", "EndpointSlice", "endpointslices", NONE, "NG"),
    row("events.k8s.io", "Event", "events", &["ev"], "NP"),
    row(NETWORKING, "Ingress", "ingresses", &["ing"], "NsG"),
    row(NETWORKING, "IngressClass", "ingressclasses", NONE, "G"),
    row(NETWORKING, "NetworkPolicy", "networkpolicies", &["netpol"], "NG"),
    row("policy", "PodDisruptionBudget", "poddisruptionbudgets", &["pdb"], "NsGV"),
    row(RBAC, "ClusterRole", "clusterroles", NONE, "Pp"),
    row(RBAC, "ClusterRoleBinding", "clusterrolebindings", NONE, "Pp"),
    row(RBAC, "Role", "roles", NONE, "NPp"),
    row(RBAC, "RoleBinding", "rolebindings", NONE, "NPp"),
    row("scheduling.k8s.io", "PriorityClass", "priorityclasses", &["pc"], ""),
    row(STORAGE, "StorageClass", "storageclasses", &["sc"], "O"),
    row("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", &["crd", "crds"], "sGV"),
];

/// Every built-in, newly made: a cluster builds the schemas it needs.
pub fn all() -> Vec<Arc<Resource>> {
    ROWS.iter().map(|row| Arc::new(resource_of(row))).collect()
}

fn resource_of(row: &Row) -> Resource {
    let id = ResourceId { group: row.group.to_owned(), version: row.version.to_owned(), plural: row.plural.to_owned() };
    let events_view = row.group == "events.k8s.io";
    let categories: &[&str] = match row.plural {
        "customresourcedefinitions" => &["api-extensions"],
        _ if row.flags.contains('a') => &["all"],
        _ => NONE,
    };
    Resource {
        kind: row.kind.to_owned(),
        list_kind: format!("{}List", row.kind),
        singular: row.kind.to_lowercase(),
        short_names: row.short.iter().map(ToString::to_string).collect(),
        categories: categories.iter().map(ToString::to_string).collect(),
        namespaced: row.flags.contains('N'),
        status: row.flags.contains('s'),
        scale: scale_of(row),
        subresources: row.subresources.to_vec(),
        strategy: strategy_of(row.flags),
        columns: Vec::new(),
        selectable: selectable_of(row, events_view),
        storage: !events_view,
        deprecation: (row.plural == "endpoints")
            .then(|| "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned()),
        custom: false,
        storage_key: if events_view { "events".to_owned() } else { id.key() },
        storage_api_version: if events_view { "v1".to_owned() } else { id.api_version() },
        conversion: if events_view { Conversion::Events } else { Conversion::None },
        request_api_version: id.api_version(),
        request_key: id.key(),
        definition_spec: None,
        api_versions: Vec::new(),
        rules: None,
        schema: OnceLock::new(),
        empty: OnceLock::new(),
        id,
    }
}

fn scale_of(row: &Row) -> Option<ScalePaths> {
    matches!(row.plural, "deployments" | "replicasets" | "statefulsets" | "replicationcontrollers").then(|| ScalePaths {
        spec_replicas: ".spec.replicas".to_owned(),
        status_replicas: ".status.replicas".to_owned(),
        label_selector: Some(".spec.selector".to_owned()),
    })
}

fn selectable_of(row: &Row, events_view: bool) -> Vec<SelectableField> {
    let fields = if events_view { EVENT_FIELDS } else { row.fields };
    fields
        .iter()
        .map(|label| {
            let path = match *label {
                "source" => "source.component",
                "reportingComponent" => "reportingComponent",
                "status.successful" => "status.succeeded",
                other => other,
            };
            // Selectors look at the stored form; core events are the stored form of both views.
            let label = match *label {
                "reportingComponent" if events_view => "reportingController".to_owned(),
                other if events_view => other.replace("involvedObject", "regarding"),
                other => other.to_owned(),
            };
            SelectableField { label, pointer: format!("/{}", path.replace('.', "/")) }
        })
        .collect()
}
