//! The older discovery documents: `APIVersions`, `APIGroupList`, `APIGroup`, `APIResourceList`.

use serde_json::{Value, json};

use super::{Contents, Groups, MEASURED_VERBS, set_unless_empty, subresources, verbs};
use crate::sim::kinds::{Kinds, Resource};

/// `/api`: the versions of the core group. It carries no `apiVersion`.
pub fn api_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1" }],
    })
}

/// `/apis`.
pub fn group_list(kinds: &Kinds) -> Value {
    let groups = Groups::of(kinds);
    let all: Vec<Value> =
        groups.0.iter().filter(|(group, _)| !group.is_empty()).map(|(group, versions)| group_entry(group, versions)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": all })
}

/// `/apis/GROUP`; `None` if it is not served.
pub fn group(kinds: &Kinds, group: &str) -> Option<Value> {
    let groups = Groups::of(kinds);
    let versions = groups.0.get(group).filter(|_| !group.is_empty())?;
    let mut entry = group_entry(group, versions);
    entry["kind"] = json!("APIGroup");
    entry["apiVersion"] = json!("v1");
    Some(entry)
}

fn group_entry(group: &str, versions: &[(String, Contents)]) -> Value {
    let versions: Vec<Value> =
        versions.iter().map(|(version, _)| json!({ "groupVersion": format!("{group}/{version}"), "version": version })).collect();
    json!({ "name": group, "versions": versions, "preferredVersion": versions.first() })
}

/// `/api/v1` or `/apis/GROUP/VERSION`; `None` if it is not served.
pub fn resource_list(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    let groups = Groups::of(kinds);
    let (_, contents) = groups.0.get(group)?.iter().find(|(of, _)| of == version)?;
    let mut resources = Vec::new();
    for resource in &contents.resources {
        resources.extend(entries(resource));
    }
    for review in &contents.reviews {
        resources.push(json!({
            "name": review.plural, "singularName": review.kind.to_lowercase(), "namespaced": review.namespaced, "kind": review.kind,
            "verbs": ["create"],
        }));
    }
    for measured in contents.measured {
        resources.push(json!({
            "name": measured.plural, "singularName": "", "namespaced": measured.namespaced, "kind": measured.kind, "verbs": MEASURED_VERBS,
        }));
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut list = json!({ "kind": "APIResourceList", "groupVersion": group_version, "resources": resources });
    // The list of the core group has none, by an accident of history that clients rely on.
    if !group.is_empty() {
        list["apiVersion"] = json!("v1");
    }
    Some(list)
}

fn entries(resource: &Resource) -> Vec<Value> {
    let mut entry = json!({
        "name": resource.id.plural, "singularName": resource.singular, "namespaced": resource.namespaced, "kind": resource.kind,
        "verbs": verbs(resource),
    });
    set_unless_empty(&mut entry, "shortNames", &resource.short_names);
    set_unless_empty(&mut entry, "categories", &resource.categories);
    let mut all = vec![entry];
    for part in subresources(resource) {
        let mut entry = json!({
            "name": format!("{}/{}", resource.id.plural, part.name), "singularName": "", "namespaced": resource.namespaced,
            "kind": part.kind, "verbs": part.verbs,
        });
        if !part.version.is_empty() && part.kind != resource.kind {
            entry["version"] = json!(part.version);
            if !part.group.is_empty() {
                entry["group"] = json!(part.group);
            }
        }
        all.push(entry);
    }
    all
}
