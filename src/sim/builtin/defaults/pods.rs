//! Defaults of pods and pod templates.

use serde_json::{Map, Value, json};

use crate::sim::builtin::json::{fill, fill_text, has, items_mut, list, object_at, object_made};
use crate::sim::builtin::quantity::Quantity;

/// Defaults of a pod, more than those of a template: requests follow limits, host ports follow container ports.
pub fn pod(object: &mut Value) {
    let Some(spec) = object_made(object, &["spec"]) else { return };
    fill(spec, "enableServiceLinks", true);
    let host_network = spec.get("hostNetwork") == Some(&json!(true));
    for kind in ["containers", "initContainers"] {
        for container in items_mut(spec, kind) {
            requests_from_limits(container);
            if host_network {
                items_mut(container, "ports").for_each(host_port);
            }
        }
    }
    if spec.get("resources").is_some_and(|resources| has(resources, "limits")) {
        requests_from_limits(spec);
    }
    pod_spec(spec);
}

/// Defaults of the pod template inside a workload.
pub fn template(template: Option<&mut Value>) {
    if let Some(spec) = template.and_then(|template| object_made(template, &["spec"])) {
        pod_spec(spec);
    }
}

fn pod_spec(spec: &mut Map<String, Value>) {
    fill_text(spec, "restartPolicy", "Always");
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill_text(spec, "dnsPolicy", "ClusterFirst");
    fill(spec, "securityContext", json!({}));
    fill_text(spec, "schedulerName", "default-scheduler");
    mirror_service_account(spec);
    items_mut(spec, "volumes").for_each(volume);
    for kind in ["initContainers", "containers", "ephemeralContainers"] {
        items_mut(spec, kind).for_each(container);
    }
}

/// `serviceAccount` is the old name of `serviceAccountName`; both are always shown.
fn mirror_service_account(spec: &mut Map<String, Value>) {
    let filled = |spec: &Map<String, Value>, name: &str| spec.get(name).filter(|value| !value.is_null() && *value != "").cloned();
    let account = filled(spec, "serviceAccountName").or_else(|| filled(spec, "serviceAccount"));
    if let Some(account) = account {
        spec.insert("serviceAccountName".to_owned(), account.clone());
        spec.insert("serviceAccount".to_owned(), account);
    }
}

fn container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default().to_owned();
    fill_text(container, "imagePullPolicy", pull_policy(&image));
    fill_text(container, "terminationMessagePath", "/dev/termination-log");
    fill_text(container, "terminationMessagePolicy", "File");
    fill(container, "resources", json!({}));
    items_mut(container, "ports").for_each(|port| fill_text(port, "protocol", "TCP"));
    for variable in items_mut(container, "env") {
        // An empty value is the same as none.
        if variable.get("value") == Some(&json!("")) {
            variable.remove("value");
        }
        if let Some(field) = variable.get_mut("valueFrom").and_then(|source| object_at(source, &["fieldRef"])) {
            fill_text(field, "apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(name).and_then(Value::as_object_mut) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = container.get_mut("lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(handler) = object_at(lifecycle, &[name]) {
                http_get(handler);
            }
        }
    }
}

/// `Always` for images without a tag, with tag `latest`; `IfNotPresent` otherwise, also for digests.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    if name.contains('@') {
        return "IfNotPresent";
    }
    match name.split_once(':') {
        Some((_, tag)) if tag != "latest" => "IfNotPresent",
        _ => "Always",
    }
}

fn probe(probe: &mut Map<String, Value>) {
    for (name, seconds) in [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)] {
        if probe.get(name).is_none_or(|value| value.is_null() || value == 0) {
            probe.insert(name.to_owned(), json!(seconds));
        }
    }
    http_get(probe);
    if let Some(grpc) = probe.get_mut("grpc").and_then(Value::as_object_mut) {
        fill(grpc, "service", "");
    }
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(get) = handler.get_mut("httpGet").and_then(Value::as_object_mut) {
        fill_text(get, "path", "/");
        fill_text(get, "scheme", "HTTP");
    }
}

fn host_port(port: &mut Map<String, Value>) {
    if port.get("hostPort").is_none_or(|value| value.is_null() || value == 0)
        && let Some(number) = port.get("containerPort").cloned()
    {
        port.insert("hostPort".to_owned(), number);
    }
}

fn requests_from_limits(holder: &mut Map<String, Value>) {
    let Some(resources) = holder.get_mut("resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    if limits.is_empty() {
        return;
    }
    if let Some(requests) = object_made(resources, &["requests"]) {
        limits.into_iter().for_each(|(name, limit)| fill(requests, &name, limit));
    }
}

/// The kinds of volumes; a volume without any is an `emptyDir`.
pub const VOLUME_SOURCES: [&str; 30] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "persistentVolumeClaim",
    "photonPersistentDisk",
    "portworxVolume",
    "projected",
    "quobyte",
    "rbd",
    "scaleIO",
    "secret",
    "storageos",
    "vsphereVolume",
];

fn volume(volume: &mut Map<String, Value>) {
    if !VOLUME_SOURCES.iter().any(|source| volume.get(*source).is_some_and(|value| !value.is_null())) {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for (source, fields) in source_defaults() {
        if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
            fields.into_iter().for_each(|(name, value)| fill(source, name, value));
        }
    }
    if let Some(image) = volume.get_mut("image").and_then(Value::as_object_mut) {
        let reference = image.get("reference").and_then(Value::as_str).unwrap_or_default().to_owned();
        fill_text(image, "pullPolicy", pull_policy(&reference));
    }
    if let Some(spec) = volume.get_mut("ephemeral").and_then(|source| object_at(source, &["volumeClaimTemplate", "spec"])) {
        fill(spec, "volumeMode", "Filesystem");
    }
    if let Some(downward) = volume.get_mut("downwardAPI").and_then(Value::as_object_mut) {
        field_references(downward);
    }
    if let Some(projected) = volume.get_mut("projected").and_then(Value::as_object_mut) {
        for source in items_mut(projected, "sources") {
            if let Some(token) = source.get_mut("serviceAccountToken").and_then(Value::as_object_mut) {
                fill(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = source.get_mut("downwardAPI").and_then(Value::as_object_mut) {
                field_references(downward);
            }
        }
    }
}

fn field_references(downward: &mut Map<String, Value>) {
    for item in items_mut(downward, "items") {
        if let Some(field) = item.get_mut("fieldRef").and_then(Value::as_object_mut) {
            fill_text(field, "apiVersion", "v1");
        }
    }
}

/// Fields of volume sources with fixed defaults; modes are decimal for octal 0644.
fn source_defaults() -> [(&'static str, Vec<(&'static str, Value)>); 9] {
    const MODE: i64 = 0o644;
    [
        ("secret", vec![("defaultMode", json!(MODE))]),
        ("configMap", vec![("defaultMode", json!(MODE))]),
        ("downwardAPI", vec![("defaultMode", json!(MODE))]),
        ("projected", vec![("defaultMode", json!(MODE))]),
        ("hostPath", vec![("type", json!(""))]),
        ("iscsi", vec![("iscsiInterface", json!("default"))]),
        ("rbd", vec![("pool", json!("rbd")), ("user", json!("admin")), ("keyring", json!("/etc/ceph/keyring"))]),
        (
            "azureDisk",
            vec![("cachingMode", json!("ReadWrite")), ("kind", json!("Shared")), ("fsType", json!("ext4")), ("readOnly", json!(false))],
        ),
        ("scaleIO", vec![("storageMode", json!("ThinProvisioned")), ("fsType", json!("xfs"))]),
    ]
}

/// `Guaranteed` when every container has equal cpu and memory requests and limits, `BestEffort` when none has any.
pub fn quality_of_service(pod: &Value) -> &'static str {
    let spec = &pod["spec"];
    let containers: Vec<&Value> = list(spec, "containers").iter().chain(list(spec, "initContainers")).collect();
    let holders: Vec<&Value> = if spec.get("resources").is_some_and(Value::is_object) { vec![spec] } else { containers };
    let amount = |holder: &Value, kind: &str, name: &str| {
        let declared = holder.get("resources").and_then(|resources| resources.get(kind)).and_then(|amounts| amounts.get(name));
        declared.and_then(|value| Quantity::from_json(value).ok()).filter(|amount| !amount.is_zero())
    };
    let mut any = false;
    let mut guaranteed = true;
    for holder in holders {
        for name in ["cpu", "memory"] {
            let (request, limit) = (amount(holder, "requests", name), amount(holder, "limits", name));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request == limit;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
