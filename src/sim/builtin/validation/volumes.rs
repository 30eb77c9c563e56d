//! Volumes of a pod.

use std::collections::BTreeSet;

use serde_json::Value;

use super::check::{Causes, item, join, quoted};
use crate::sim::builtin::json::{has, list, text};
use crate::sim::builtin::names::{config_key, dns_label, dns_subdomain};
use crate::sim::builtin::quantity::Quantity;

/// Names of the declared volumes.
pub type Volumes = BTreeSet<String>;

/// The kinds of volumes that exist, in the server's order of checking.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

/// Checks all volumes and gives their names.
pub fn all(c: &mut Causes, spec: &Value, at: &str) -> Volumes {
    let mut names = Volumes::new();
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let place = item(&join(at, "volumes"), index);
        source(c, volume, &place);
        let name = text(volume, "name");
        if name.is_empty() {
            c.required(join(&place, "name"), "");
            continue;
        }
        c.problems(&join(&place, "name"), &volume["name"], dns_label(name));
        if !names.insert(name.to_owned()) {
            c.duplicate(join(&place, "name"), &quoted(name));
        }
    }
    names
}

fn source(c: &mut Causes, volume: &Value, at: &str) {
    let mut present = SOURCES.iter().filter(|source| has(volume, source));
    let Some(first) = present.next() else {
        c.required(at, "must specify a volume type");
        return;
    };
    for second in present {
        c.forbidden(join(at, second), "may not specify more than 1 volume type");
    }
    let (source, place) = (&volume[*first], join(at, first));
    match *first {
        "emptyDir" => empty_dir(c, source, &place),
        "hostPath" => host_path(c, source, &place),
        "secret" => {
            c.needs(source, &place, "secretName");
            modes(c, source, &place);
        }
        "configMap" => {
            c.needs(source, &place, "name");
            modes(c, source, &place);
        }
        "persistentVolumeClaim" => c.all_needed(source, &place, &["claimName"]),
        "nfs" => {
            c.needs(source, &place, "server");
            if c.needs(source, &place, "path") && !text(source, "path").starts_with('/') {
                c.invalid(join(&place, "path"), &source["path"], "must be an absolute path");
            }
        }
        "csi" => c.all_needed(source, &place, &["driver"]),
        "downwardAPI" => downward(c, source, &place),
        "projected" => projected(c, source, &place),
        "image" => {
            c.needs(source, &place, "reference");
            c.one_of(source, &place, "pullPolicy", &["Always", "IfNotPresent", "Never"], false);
        }
        "ephemeral" if !has(source, "volumeClaimTemplate") => c.required(join(&place, "volumeClaimTemplate"), ""),
        _ => {}
    }
}

fn empty_dir(c: &mut Causes, source: &Value, at: &str) {
    let size = &source["sizeLimit"];
    if !size.is_null() && Quantity::from_json(size).is_ok_and(Quantity::is_negative) {
        c.forbidden(join(at, "sizeLimit"), "SizeLimit field must be a valid resource quantity");
    }
}

fn host_path(c: &mut Causes, source: &Value, at: &str) {
    const TYPES: [&str; 7] = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate"];
    if c.needs(source, at, "path") {
        no_backsteps(c, source, at, "path");
    }
    let socket_too: Vec<&str> = TYPES.into_iter().chain(["Socket"]).collect();
    c.one_of(source, at, "type", &socket_too, false);
}

fn no_backsteps(c: &mut Causes, holder: &Value, at: &str, field: &str) {
    if text(holder, field).split('/').any(|part| part == "..") {
        c.invalid(join(at, field), &holder[field], "must not contain '..'");
    }
}

fn mode(c: &mut Causes, holder: &Value, at: &str, field: &str) {
    if holder[field].as_i64().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        c.invalid(join(at, field), &holder[field], "must be a number between 0 and 0777 (octal), both inclusive");
    }
}

fn modes(c: &mut Causes, source: &Value, at: &str) {
    mode(c, source, at, "defaultMode");
    for (index, entry) in list(source, "items").iter().enumerate() {
        let place = item(&join(at, "items"), index);
        if c.needs(entry, &place, "key") {
            c.problems(&join(&place, "key"), &entry["key"], config_key(text(entry, "key")));
        }
        relative(c, entry, &place);
        mode(c, entry, &place, "mode");
    }
}

fn relative(c: &mut Causes, entry: &Value, at: &str) {
    if !c.needs(entry, at, "path") {
        return;
    }
    if text(entry, "path").starts_with('/') {
        c.invalid(join(at, "path"), &entry["path"], "must be a relative path");
    }
    no_backsteps(c, entry, at, "path");
}

fn downward(c: &mut Causes, source: &Value, at: &str) {
    mode(c, source, at, "defaultMode");
    for (index, entry) in list(source, "items").iter().enumerate() {
        let place = item(&join(at, "items"), index);
        relative(c, entry, &place);
        match (has(entry, "fieldRef"), has(entry, "resourceFieldRef")) {
            (false, false) => c.required(place, "one of fieldRef and resourceFieldRef is required"),
            (true, true) => c.invalid(place, &Value::from("resource"), "fieldRef and resourceFieldRef can not be specified simultaneously"),
            _ => {}
        }
    }
}

fn projected(c: &mut Causes, source: &Value, at: &str) {
    mode(c, source, at, "defaultMode");
    for (index, part) in list(source, "sources").iter().enumerate() {
        let place = item(&join(at, "sources"), index);
        for kind in ["secret", "configMap"] {
            if has(part, kind) {
                c.needs(&part[kind], &join(&place, kind), "name");
                modes(c, &part[kind], &join(&place, kind));
            }
        }
        if has(part, "downwardAPI") {
            downward(c, &part["downwardAPI"], &join(&place, "downwardAPI"));
        }
        let token = &part["serviceAccountToken"];
        if token.is_object() {
            let token_at = join(&place, "serviceAccountToken");
            if token["expirationSeconds"].as_i64().is_some_and(|seconds| seconds < 600) {
                c.invalid(
                    join(&token_at, "expirationSeconds"),
                    &token["expirationSeconds"],
                    "may not specify a duration less than 10 minutes",
                );
            }
            relative(c, token, &token_at);
        }
    }
}

/// A name that other objects have.
pub fn subdomain_if_any(c: &mut Causes, holder: &Value, at: &str, field: &str) {
    let name = text(holder, field);
    if !name.is_empty() {
        c.problems(&join(at, field), &holder[field], dns_subdomain(name));
    }
}
