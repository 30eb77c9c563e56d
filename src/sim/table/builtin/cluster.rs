//! Rows of everything that is neither a workload nor a network object.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Header, PLAIN, Row, age_of, integer, list, name, none_if_empty, number, or_else, plain, plain_text, size, string, text, wide};

pub(super) fn printer(key: &str) -> (&'static [Header], Row) {
    match key {
        "nodes" => (NODE, node),
        "namespaces" => (NAMESPACE, namespace),
        "configmaps" => (CONFIG_MAP, config_map),
        "secrets" => (SECRET, secret),
        "serviceaccounts" => (SERVICE_ACCOUNT, service_account),
        "events" | "events.events.k8s.io" => (EVENT, event),
        "persistentvolumes" => (VOLUME, volume),
        "persistentvolumeclaims" => (CLAIM, claim),
        "resourcequotas" => (QUOTA, quota),
        "leases.coordination.k8s.io" => (LEASE, lease),
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => (BINDING, binding),
        "storageclasses.storage.k8s.io" => (STORAGE_CLASS, storage_class),
        "priorityclasses.scheduling.k8s.io" => (PRIORITY_CLASS, priority_class),
        "runtimeclasses.node.k8s.io" => (RUNTIME_CLASS, runtime_class),
        _ => (PLAIN, plain),
    }
}

const NODE: &[Header] = &[
    text("Name"),
    text("Status"),
    text("Roles"),
    text("Age"),
    text("Version"),
    wide("Internal-IP"),
    wide("External-IP"),
    wide("OS-Image"),
    wide("Kernel-Version"),
    wide("Container-Runtime"),
];

fn node(object: &Value, now: Timestamp) -> Vec<Value> {
    let ready = list(object, "/status/conditions").iter().find(|condition| string(condition, "/type") == "Ready");
    let mut status = match ready.map(|condition| string(condition, "/status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object.pointer("/spec/unschedulable") == Some(&json!(true)) {
        status.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        let found = list(object, "/status/addresses").iter().find(|address| string(address, "/type") == kind);
        none_if_empty(found.map(|address| string(address, "/address").to_owned()).unwrap_or_default())
    };
    let info = |field: &str, fallback: &str| json!(or_else(string(object, &format!("/status/nodeInfo/{field}")).to_owned(), fallback));
    vec![
        name(object),
        json!(status),
        none_if_empty(roles(object).join(",")),
        age_of(object, now),
        info("kubeletVersion", ""),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage", "<unknown>"),
        info("kernelVersion", "<unknown>"),
        info("containerRuntimeVersion", "<unknown>"),
    ]
}

fn roles(node: &Value) -> Vec<String> {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let mut roles: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role.to_owned()),
            None => (key == "kubernetes.io/role").then(|| value.as_str().unwrap_or("").to_owned()),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort();
    roles.dedup();
    roles
}

const NAMESPACE: &[Header] = &[text("Name"), text("Status"), text("Age")];

fn namespace(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(string(object, "/status/phase")), age_of(object, now)]
}

const CONFIG_MAP: &[Header] = &[text("Name"), integer("Data"), text("Age")];

fn config_map(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(size(object, "/data") + size(object, "/binaryData")), age_of(object, now)]
}

const SECRET: &[Header] = &[text("Name"), text("Type"), integer("Data"), text("Age")];

fn secret(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(string(object, "/type")), json!(size(object, "/data")), age_of(object, now)]
}

const SERVICE_ACCOUNT: &[Header] = &[text("Name"), integer("Secrets"), text("Age")];

fn service_account(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(list(object, "/secrets").len()), age_of(object, now)]
}

const EVENT: &[Header] = &[
    text("Last Seen"),
    text("Type"),
    text("Reason"),
    text("Object"),
    wide("Subobject"),
    wide("Source"),
    text("Message"),
    wide("First Seen"),
    Header { name: "Count", kind: "integer", priority: 1 },
    wide("Name"),
];

/// Reads both shapes: core/v1 and events.k8s.io/v1.
fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let either = |core: &str, new: &str| {
        if string(object, core).is_empty() { string(object, new).to_owned() } else { string(object, core).to_owned() }
    };
    let first = either("/firstTimestamp", "/deprecatedFirstTimestamp");
    let first = or_else(first, string(object, "/eventTime"));
    let last = or_else(either("/series/lastObservedTime", "/lastTimestamp"), string(object, "/deprecatedLastTimestamp"));
    let last = or_else(last, &first);
    let involved = if object.get("regarding").is_some() { "/regarding" } else { "/involvedObject" };
    let target = match string(object, &format!("{involved}/kind")).to_lowercase() {
        kind if kind.is_empty() => "<unknown>".to_owned(),
        kind => format!("{kind}/{}", string(object, &format!("{involved}/name"))),
    };
    let component = or_else(either("/source/component", "/deprecatedSource/component"), string(object, "/reportingComponent"));
    let component = or_else(component, string(object, "/reportingController"));
    let host = string(object, "/source/host");
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    let count = [number(object, "/series/count"), number(object, "/count"), number(object, "/deprecatedCount"), 1];
    vec![
        json!(super::age::since_text(&last, now)),
        json!(string(object, "/type")),
        json!(string(object, "/reason")),
        json!(target),
        json!(string(object, &format!("{involved}/fieldPath"))),
        json!(source),
        json!(either("/message", "/note").trim()),
        json!(super::age::since_text(&first, now)),
        json!(count.into_iter().find(|count| *count > 0)),
        name(object),
    ]
}

const VOLUME: &[Header] = &[
    text("Name"),
    text("Capacity"),
    text("Access Modes"),
    text("Reclaim Policy"),
    text("Status"),
    text("Claim"),
    text("StorageClass"),
    text("VolumeAttributesClass"),
    text("Reason"),
    text("Age"),
    wide("VolumeMode"),
];

fn volume(object: &Value, now: Timestamp) -> Vec<Value> {
    let claim = match string(object, "/spec/claimRef/name") {
        "" => String::new(),
        name => format!("{}/{name}", string(object, "/spec/claimRef/namespace")),
    };
    vec![
        name(object),
        json!(string(object, "/spec/capacity/storage")),
        json!(access_modes(object, "/spec/accessModes")),
        json!(string(object, "/spec/persistentVolumeReclaimPolicy")),
        json!(phase(object)),
        json!(claim),
        json!(string(object, "/spec/storageClassName")),
        json!(or_else(string(object, "/spec/volumeAttributesClassName").to_owned(), "<unset>")),
        json!(string(object, "/status/reason")),
        age_of(object, now),
        json!(or_else(string(object, "/spec/volumeMode").to_owned(), "<unset>")),
    ]
}

fn phase(object: &Value) -> &str {
    if string(object, "/metadata/deletionTimestamp").is_empty() { string(object, "/status/phase") } else { "Terminating" }
}

fn access_modes(object: &Value, pointer: &str) -> String {
    let modes = list(object, pointer).iter().filter_map(Value::as_str);
    let known = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let present: Vec<&str> = modes.collect();
    known.iter().filter(|(mode, _)| present.contains(mode)).map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

const CLAIM: &[Header] = &[
    text("Name"),
    text("Status"),
    text("Volume"),
    text("Capacity"),
    text("Access Modes"),
    text("StorageClass"),
    text("VolumeAttributesClass"),
    text("Age"),
    wide("VolumeMode"),
];

fn claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let bound = !string(object, "/spec/volumeName").is_empty();
    vec![
        name(object),
        json!(phase(object)),
        json!(string(object, "/spec/volumeName")),
        json!(if bound { string(object, "/status/capacity/storage") } else { "" }),
        json!(if bound { access_modes(object, "/status/accessModes") } else { String::new() }),
        json!(string(object, "/spec/storageClassName")),
        json!(or_else(string(object, "/spec/volumeAttributesClassName").to_owned(), "<unset>")),
        age_of(object, now),
        json!(or_else(string(object, "/spec/volumeMode").to_owned(), "<unset>")),
    ]
}

const QUOTA: &[Header] = &[text("Name"), text("Request"), text("Limit"), text("Age")];

fn quota(object: &Value, now: Timestamp) -> Vec<Value> {
    let hard = object.pointer("/status/hard").and_then(Value::as_object);
    let line = |limits: bool| {
        let parts: Vec<String> = hard
            .into_iter()
            .flatten()
            .filter(|(key, _)| key.starts_with("limits") == limits)
            .map(|(key, value)| {
                let used = object.pointer("/status/used").and_then(|used| used.get(key));
                format!("{key}: {}/{}", or_else(plain_text(used), "0"), plain_text(Some(value)))
            })
            .collect();
        parts.join(", ")
    };
    vec![name(object), json!(line(false)), json!(line(true)), age_of(object, now)]
}

const LEASE: &[Header] = &[text("Name"), text("Holder"), text("Age")];

fn lease(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(string(object, "/spec/holderIdentity")), age_of(object, now)]
}

const BINDING: &[Header] = &[text("Name"), text("Role"), text("Age"), wide("Users"), wide("Groups"), wide("ServiceAccounts")];

fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let subjects = |kind: &str| {
        let of_kind = list(object, "/subjects").iter().filter(|subject| string(subject, "/kind") == kind);
        let names: Vec<String> = of_kind
            .map(|subject| match string(subject, "/namespace") {
                "" => string(subject, "/name").to_owned(),
                namespace => format!("{namespace}/{}", string(subject, "/name")),
            })
            .collect();
        json!(names.join(", "))
    };
    vec![
        name(object),
        json!(format!("{}/{}", string(object, "/roleRef/kind"), string(object, "/roleRef/name"))),
        age_of(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

const STORAGE_CLASS: &[Header] =
    &[text("Name"), text("Provisioner"), text("ReclaimPolicy"), text("VolumeBindingMode"), text("AllowVolumeExpansion"), text("Age")];

fn storage_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let default = string(object, "/metadata/annotations/storageclass.kubernetes.io~1is-default-class") == "true";
    let shown =
        if default { format!("{} (default)", string(object, "/metadata/name")) } else { string(object, "/metadata/name").to_owned() };
    vec![
        json!(shown),
        json!(string(object, "/provisioner")),
        json!(or_else(string(object, "/reclaimPolicy").to_owned(), "Delete")),
        json!(or_else(string(object, "/volumeBindingMode").to_owned(), "Immediate")),
        json!(object.pointer("/allowVolumeExpansion").and_then(Value::as_bool).unwrap_or(false)),
        age_of(object, now),
    ]
}

const PRIORITY_CLASS: &[Header] = &[
    text("Name"),
    integer("Value"),
    Header { name: "Global-Default", kind: "boolean", priority: 0 },
    text("Age"),
    text("PreemptionPolicy"),
];

fn priority_class(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        json!(number(object, "/value")),
        json!(object.pointer("/globalDefault").and_then(Value::as_bool).unwrap_or(false)),
        age_of(object, now),
        json!(or_else(string(object, "/preemptionPolicy").to_owned(), "PreemptLowerPriority")),
    ]
}

const RUNTIME_CLASS: &[Header] = &[text("Name"), text("Handler"), text("Age")];

fn runtime_class(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(string(object, "/handler")), age_of(object, now)]
}
