//! `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.

use serde_json::{Value, json};

use super::{Contents, Groups, MEASURED_VERBS, Measured, Review, set_unless_empty, subresources, verbs};
use crate::sim::kinds::{Kinds, Resource};

/// The document of `/api` (`legacy`: the core group) or of `/apis` (all others).
pub fn document(kinds: &Kinds, legacy: bool) -> Value {
    let groups = Groups::of(kinds);
    let items: Vec<Value> =
        groups.0.iter().filter(|(group, _)| group.is_empty() == legacy).map(|(group, versions)| item(group, versions)).collect();
    json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items })
}

fn item(group: &str, versions: &[(String, Contents)]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, contents)| {
            let stored = contents.resources.iter().map(|resource| stored(resource));
            let reviews = contents.reviews.iter().map(|kind| review(kind));
            let all = stored.chain(reviews).chain(contents.measured.iter().map(measured));
            json!({ "version": version, "resources": all.collect::<Vec<_>>(), "freshness": "Current" })
        })
        .collect();
    let mut metadata = json!({ "creationTimestamp": null });
    if !group.is_empty() {
        metadata["name"] = json!(group);
    }
    json!({ "metadata": metadata, "versions": versions })
}

fn stored(resource: &Resource) -> Value {
    // Built-in kinds leave the group of their own kind empty, custom ones fill it in.
    let (group, version) = if resource.custom { (resource.id.group.as_str(), resource.id.version.as_str()) } else { ("", "") };
    let mut entry = json!({
        "resource": resource.id.plural,
        "responseKind": { "group": group, "version": version, "kind": resource.kind },
        "scope": scope(resource.namespaced),
        "singularResource": resource.singular,
        "verbs": verbs(resource),
    });
    set_unless_empty(&mut entry, "shortNames", &resource.short_names);
    set_unless_empty(&mut entry, "categories", &resource.categories);
    let below: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|part| {
            let kind = json!({ "group": part.group, "version": part.version, "kind": part.kind });
            json!({ "subresource": part.name, "responseKind": kind, "verbs": part.verbs })
        })
        .collect();
    if !below.is_empty() {
        entry["subresources"] = Value::Array(below);
    }
    entry
}

fn review(review: &Review) -> Value {
    json!({
        "resource": review.plural,
        "responseKind": { "group": "", "version": "", "kind": review.kind },
        "scope": scope(review.namespaced),
        "singularResource": review.kind.to_lowercase(),
        "verbs": ["create"],
    })
}

fn measured(measured: &Measured) -> Value {
    json!({
        "resource": measured.plural,
        "responseKind": { "group": "", "version": "", "kind": measured.kind },
        "scope": scope(measured.namespaced),
        "singularResource": "",
        "verbs": MEASURED_VERBS,
    })
}

fn scope(namespaced: bool) -> &'static str {
    if namespaced { "Namespaced" } else { "Cluster" }
}
