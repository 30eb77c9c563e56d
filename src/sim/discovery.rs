//! Discovery: which groups, versions and resources are served, in the aggregated and in the older form.
//!
//! Takes the registry of kinds, gives JSON documents. Never touches objects. Resources that hold no objects (the review
//! kinds, and what the metrics APIs measure) are listed here and answered elsewhere.

mod aggregated;
mod plain;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha512};

use crate::sim::kinds::{Kinds, Resource};
use crate::sim::metrics_api::{CUSTOM_GROUP, EXTERNAL_GROUP, RESOURCE_GROUP, VERSION as METRICS_VERSION};

pub use self::aggregated::document as aggregated_document;
pub use self::plain::{api_versions, group, group_list, resource_list};

/// A resource that only answers POSTs and stores nothing.
#[derive(Debug)]
pub struct Review {
    /// API group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Plural name.
    pub plural: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Posted into a namespace.
    pub namespaced: bool,
}

/// All reviews that are answered.
pub const REVIEWS: &[Review] = &[
    Review { group: AUTHENTICATION, version: "v1", plural: "selfsubjectreviews", kind: "SelfSubjectReview", namespaced: false },
    Review { group: AUTHORIZATION, version: "v1", plural: "localsubjectaccessreviews", kind: "LocalSubjectAccessReview", namespaced: true },
    Review { group: AUTHORIZATION, version: "v1", plural: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview", namespaced: false },
    Review { group: AUTHORIZATION, version: "v1", plural: "selfsubjectrulesreviews", kind: "SelfSubjectRulesReview", namespaced: false },
    Review { group: AUTHORIZATION, version: "v1", plural: "subjectaccessreviews", kind: "SubjectAccessReview", namespaced: false },
];

/// A resource of the metrics APIs: read only, and stored nowhere.
#[derive(Debug)]
pub struct Measured {
    /// Plural name.
    pub plural: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// In namespaces.
    pub namespaced: bool,
}

/// What `metrics.k8s.io` has. The resources of the other two groups are named by their metrics, and are not listed.
const MEASURED: &[Measured] = &[
    Measured { plural: "nodes", kind: "NodeMetrics", namespaced: false },
    Measured { plural: "pods", kind: "PodMetrics", namespaced: true },
];

/// What can be done with them.
const MEASURED_VERBS: [&str; 2] = ["get", "list"];

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

/// The review of this name, if it is one.
pub fn review(group: &str, version: &str, plural: &str) -> Option<&'static Review> {
    REVIEWS.iter().find(|review| (review.group, review.version, review.plural) == (group, version, plural))
}

/// What one version of a group holds.
#[derive(Debug, Default)]
struct Contents {
    resources: Vec<Arc<Resource>>,
    reviews: Vec<&'static Review>,
    measured: &'static [Measured],
}

/// Groups by name (core is the empty one), each with its versions, the preferred one first.
struct Groups(BTreeMap<String, Vec<(String, Contents)>>);

impl Groups {
    fn of(kinds: &Kinds) -> Self {
        let mut groups: BTreeMap<String, BTreeMap<String, Contents>> = BTreeMap::new();
        for resource in kinds.all() {
            let versions = groups.entry(resource.id.group.clone()).or_default();
            versions.entry(resource.id.version.clone()).or_default().resources.push(Arc::clone(resource));
        }
        for review in REVIEWS {
            let versions = groups.entry(review.group.to_owned()).or_default();
            versions.entry(review.version.to_owned()).or_default().reviews.push(review);
        }
        for group in [RESOURCE_GROUP, CUSTOM_GROUP, EXTERNAL_GROUP].into_iter().filter(|_| kinds.has_metrics_apis()) {
            let contents = groups.entry(group.to_owned()).or_default().entry(METRICS_VERSION.to_owned()).or_default();
            contents.measured = if group == RESOURCE_GROUP { MEASURED } else { &[] };
        }
        let sorted = groups.into_iter().map(|(group, versions)| {
            let mut versions: Vec<_> = versions.into_iter().collect();
            versions.sort_by(|(left, _), (right, _)| version_order(left, right));
            (group, versions)
        });
        Self(sorted.collect())
    }
}

/// Newest stable version first: v2, v1, v2beta1, v1beta2, v1alpha1, then anything else by name.
pub fn version_order(left: &str, right: &str) -> Ordering {
    match (parsed_version(left), parsed_version(right)) {
        (Some(left), Some(right)) => right.cmp(&left),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.cmp(right),
    }
}

/// Stability (alpha 0, beta 1, stable 2), major, minor.
fn parsed_version(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let major = rest[..end].parse().ok()?;
    match &rest[end..] {
        "" => Some((2, major, 0)),
        beta if beta.starts_with("beta") => Some((1, major, beta[4..].parse().ok()?)),
        alpha if alpha.starts_with("alpha") => Some((0, major, alpha[5..].parse().ok()?)),
        _ => None,
    }
}

/// Verbs of a stored resource, in the order in which the server lists them.
fn verbs(resource: &Resource) -> Vec<&'static str> {
    if resource.custom {
        return vec!["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
    }
    let all = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let without_collection = resource.id.group.is_empty() && resource.id.plural == "namespaces";
    all.into_iter().filter(|verb| !(without_collection && *verb == "deletecollection")).collect()
}

/// One subresource as discovery shows it: name, kind (group, version, kind) and verbs.
struct Subresource {
    name: String,
    group: String,
    version: String,
    kind: String,
    verbs: &'static [&'static str],
}

fn subresources(resource: &Resource) -> Vec<Subresource> {
    let own = |name: &str, verbs: &'static [&'static str]| Subresource {
        name: name.to_owned(),
        group: if resource.custom { resource.id.group.clone() } else { String::new() },
        version: if resource.custom { resource.id.version.clone() } else { String::new() },
        kind: resource.kind.clone(),
        verbs,
    };
    let other = |name: &str, group: &str, version: &str, kind: &str, verbs: &'static [&'static str]| Subresource {
        name: name.to_owned(),
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        verbs,
    };
    let mut found = Vec::new();
    if resource.status {
        found.push(own("status", &["get", "patch", "update"]));
    }
    if resource.scale.is_some() {
        found.push(other("scale", "autoscaling", "v1", "Scale", &["get", "patch", "update"]));
    }
    for name in &resource.subresources {
        found.push(match *name {
            "eviction" => other(name, "policy", "v1", "Eviction", &["create"]),
            "binding" => other(name, "", "v1", "Binding", &["create"]),
            "token" => other(name, "authentication.k8s.io", "v1", "TokenRequest", &["create"]),
            "log" => own(name, &["get"]),
            "finalize" => own(name, &["update"]),
            other_name => own(other_name, &["get", "patch", "update"]),
        });
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

/// The entity tag of a document: quoted upper-case SHA-512 of its bytes.
pub fn entity_tag(bytes: &[u8]) -> String {
    format!("\"{}\"", hash(bytes))
}

/// Upper-case SHA-512.
pub fn hash(bytes: &[u8]) -> String {
    Sha512::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Puts `value` into `object` unless it is an empty list.
fn set_unless_empty(object: &mut Value, key: &str, values: &[String]) {
    if !values.is_empty() {
        object[key] = Value::from(values.to_vec());
    }
}

#[cfg(test)]
mod tests;
