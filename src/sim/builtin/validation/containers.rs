//! Containers of a pod: names, images, ports, environment, mounts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{Causes, item, join, quoted};
use super::volumes::Volumes;
use super::{probes, resources};
use crate::sim::api_error::Cause;
use crate::sim::builtin::json::{has, list, text};
use crate::sim::builtin::names::{config_key, dns_label, dns_subdomain, env_name, port_name, port_number};
use crate::sim::schema::text::not_found;

/// What containers need to know about the pod around them.
pub struct Surroundings<'a> {
    /// Names and kinds of volumes.
    pub volumes: &'a Volumes,
    /// `hostNetwork`.
    pub host_network: bool,
}

/// All containers of a pod spec, in the order in which the server looks at them.
pub fn all(c: &mut Causes, spec: &Value, at: &str, around: &Surroundings<'_>) {
    let (containers_at, init_at) = (join(at, "containers"), join(at, "initContainers"));
    if list(spec, "containers").is_empty() {
        c.required(containers_at.clone(), "");
    }
    let mut names = BTreeSet::new();
    for (index, container) in list(spec, "containers").iter().enumerate() {
        let place = item(&containers_at, index);
        named(c, container, &place, &mut names);
        one(c, container, &place, around);
        c.one_of(container, &place, "restartPolicy", &["Always", "OnFailure", "Never"], false);
    }
    for (index, container) in list(spec, "initContainers").iter().enumerate() {
        let place = item(&init_at, index);
        named(c, container, &place, &mut names);
        one(c, container, &place, around);
        init_only(c, container, &place);
    }
    host_ports(c, list(spec, "containers"), &containers_at);
}

fn named<'a>(c: &mut Causes, container: &'a Value, at: &str, names: &mut BTreeSet<&'a str>) {
    c.name(container, at, "name", dns_label);
    let name = text(container, "name");
    if !name.is_empty() && !names.insert(name) {
        c.duplicate(join(at, "name"), &quoted(name));
    }
}

/// Init containers run to completion: nobody probes them, unless they stay beside the others (`restartPolicy: Always`).
fn init_only(c: &mut Causes, container: &Value, at: &str) {
    c.one_of(container, at, "restartPolicy", &["Always", "OnFailure", "Never"], false);
    if text(container, "restartPolicy") == "Always" {
        return;
    }
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if has(container, field) {
            c.forbidden(join(at, field), "may not be set for init containers without restartPolicy=Always");
        }
    }
}

fn one(c: &mut Causes, container: &Value, at: &str, around: &Surroundings<'_>) {
    match text(container, "image") {
        "" => c.required(join(at, "image"), ""),
        image if image.trim() != image => {
            c.invalid(join(at, "image"), &quoted(image), "must not have leading or trailing whitespace");
        }
        _ => {}
    }
    probes::all(c, container, at);
    c.one_of(container, at, "terminationMessagePolicy", &["FallbackToLogsOnError", "File"], true);
    ports(c, container, at, around.host_network);
    environment(c, container, at);
    mounts(c, container, at, around.volumes);
    c.one_of(container, at, "imagePullPolicy", &["Always", "IfNotPresent", "Never"], true);
    resources::container(c, &container["resources"], &join(at, "resources"));
    security(c, &container["securityContext"], &join(at, "securityContext"));
}

fn security(c: &mut Causes, context: &Value, at: &str) {
    for field in ["runAsUser", "runAsGroup"] {
        if context[field].as_i64().is_some_and(|id| !(0..=i64::from(i32::MAX)).contains(&id)) {
            c.invalid(join(at, field), &context[field], "must be between 0 and 2147483647, inclusive");
        }
    }
    let privileged = context["privileged"] == true;
    if context["allowPrivilegeEscalation"] == false && privileged {
        c.invalid(at, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    }
}

fn ports(c: &mut Causes, container: &Value, at: &str, host_network: bool) {
    let mut names = BTreeSet::new();
    for (index, port) in list(container, "ports").iter().enumerate() {
        let place = item(&join(at, "ports"), index);
        let name = text(port, "name");
        if !name.is_empty() {
            let problems = port_name(name);
            if problems.is_empty() && !names.insert(name) {
                c.duplicate(join(&place, "name"), &quoted(name));
            }
            c.problems(&join(&place, "name"), &port["name"], problems);
        }
        match port["containerPort"].as_i64().unwrap_or_default() {
            0 => c.required(join(&place, "containerPort"), ""),
            number => c.problems(&join(&place, "containerPort"), &port["containerPort"], port_number(number)),
        }
        let host = port["hostPort"].as_i64().unwrap_or_default();
        if host != 0 {
            c.problems(&join(&place, "hostPort"), &port["hostPort"], port_number(host));
        }
        if host_network && host != port["containerPort"].as_i64().unwrap_or_default() {
            c.invalid(join(&place, "containerPort"), &port["containerPort"], "must match `hostPort` when `hostNetwork` is true");
        }
        c.one_of(port, &place, "protocol", &["SCTP", "TCP", "UDP"], true);
    }
}

/// Two containers cannot share a port of the node.
fn host_ports(c: &mut Causes, containers: &[Value], at: &str) {
    let mut taken = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        for (port_index, port) in list(container, "ports").iter().enumerate() {
            let number = port["hostPort"].as_i64().unwrap_or_default();
            let slot = format!("{}/{}/{number}", text(port, "protocol"), text(port, "hostIP"));
            if number != 0 && !taken.insert(slot.clone()) {
                c.duplicate(format!("{at}[{index}].ports[{port_index}].hostPort"), &quoted(&slot));
            }
        }
    }
}

fn environment(c: &mut Causes, container: &Value, at: &str) {
    for (index, variable) in list(container, "env").iter().enumerate() {
        let place = item(&join(at, "env"), index);
        c.name(variable, &place, "name", env_name);
        if has(variable, "valueFrom") {
            value_from(c, variable, &join(&place, "valueFrom"));
        }
    }
    for (index, source) in list(container, "envFrom").iter().enumerate() {
        let place = item(&join(at, "envFrom"), index);
        if !text(source, "prefix").is_empty() {
            c.problems(&join(&place, "prefix"), &source["prefix"], env_name(text(source, "prefix")));
        }
        let kinds: Vec<&str> = ["configMapRef", "secretRef"].into_iter().filter(|kind| has(source, kind)).collect();
        for kind in &kinds {
            c.needs(&source[*kind], &join(&place, kind), "name");
        }
        match kinds.len() {
            0 => c.invalid(place, &json!(""), "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => c.invalid(place, &json!(""), "may not have more than one field specified at a time"),
        }
    }
}

const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

fn value_from(c: &mut Causes, variable: &Value, at: &str) {
    let source = &variable["valueFrom"];
    let kinds: Vec<&str> = SOURCES.into_iter().filter(|kind| has(source, kind)).collect();
    for kind in &kinds {
        let (reference, place) = (&source[*kind], join(at, kind));
        match *kind {
            "fieldRef" => field_reference(c, reference, &place),
            "resourceFieldRef" => c.all_needed(reference, &place, &["resource"]),
            "fileKeyRef" => c.all_needed(reference, &place, &["volumeName", "path", "key"]),
            _ => {
                c.needs(reference, &place, "name");
                if c.needs(reference, &place, "key") {
                    c.problems(&join(&place, "key"), &reference["key"], config_key(text(reference, "key")));
                }
            }
        }
    }
    match kinds.len() {
        0 => c.invalid(
            at,
            &json!(""),
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
        _ if !text(variable, "value").is_empty() => c.invalid(at, &json!(""), "may not be specified when `value` is not empty"),
        1 => {}
        _ => c.invalid(at, &json!(""), "may not have more than one field specified at a time"),
    }
}

fn field_reference(c: &mut Causes, reference: &Value, at: &str) {
    const FIELDS: [&str; 9] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    if !c.needs(reference, at, "apiVersion") || !c.needs(reference, at, "fieldPath") {
        return;
    }
    let path = text(reference, "fieldPath");
    let subscripted =
        ["metadata.labels['", "metadata.annotations['"].into_iter().any(|prefix| path.starts_with(prefix) && path.ends_with("']"));
    if !subscripted {
        c.one_of(reference, at, "fieldPath", &FIELDS, true);
    }
}

fn mounts(c: &mut Causes, container: &Value, at: &str, volumes: &Volumes) {
    let mut paths = BTreeSet::new();
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let place = item(&join(at, "volumeMounts"), index);
        if c.needs(mount, &place, "name") && !volumes.contains(text(mount, "name")) {
            c.push(missing(join(&place, "name"), &mount["name"]));
        }
        if c.needs(mount, &place, "mountPath") && !paths.insert(text(mount, "mountPath")) {
            c.invalid(join(&place, "mountPath"), &mount["mountPath"], "must be unique");
        }
        for field in ["subPath", "subPathExpr"] {
            let path = text(mount, field);
            if path.starts_with('/') {
                c.invalid(join(&place, field), &mount[field], "must be a relative path");
            }
            if path.split('/').any(|part| part == "..") {
                c.invalid(join(&place, field), &mount[field], "must not contain '..'");
            }
        }
        if !text(mount, "subPath").is_empty() && !text(mount, "subPathExpr").is_empty() {
            c.invalid(join(&place, "subPathExpr"), &mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive");
        }
        c.one_of(mount, &place, "mountPropagation", &["Bidirectional", "HostToContainer", "None"], false);
    }
    for (index, device) in list(container, "volumeDevices").iter().enumerate() {
        let place = item(&join(at, "volumeDevices"), index);
        if c.needs(device, &place, "name") && !volumes.contains(text(device, "name")) {
            c.push(missing(join(&place, "name"), &device["name"]));
        }
        c.needs(device, &place, "devicePath");
    }
}

fn missing(field: String, name: &Value) -> Cause {
    not_found(field, name)
}

/// Secrets for pulling images.
pub fn pull_secrets(c: &mut Causes, spec: &Value, at: &str) {
    for (index, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        let name = text(secret, "name");
        if !name.is_empty() {
            c.problems(&join(&item(&join(at, "imagePullSecrets"), index), "name"), &secret["name"], dns_subdomain(name));
        }
    }
}
