//! Who controls what: adoption of matching orphans, release of those that no longer match.
//!
//! Takes a controller, its selector and candidates; gives those that it controls from now on, and writes the references.

use std::sync::Arc;

use serde_json::{Value, json};

use super::client::Client;
use super::labels::Selector;
use super::object::{self, controller, controller_reference, is_deleting, items, text, uid};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;

/// What a controller does with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It controls it already.
    Own,
    /// It becomes its controller.
    Adopt,
    /// It stops being its controller.
    Release,
    /// It has no business with it.
    Ignore,
}

/// Decides about one object.
pub fn claim(owner: &Value, selector: &Selector, object: &Value) -> Claim {
    let matches = selector.matches(object::labels(object));
    match controller(object) {
        Some(reference) if text(reference, &["uid"]) != uid(owner) => Claim::Ignore,
        Some(_) if matches => Claim::Own,
        Some(_) if is_deleting(owner) => Claim::Ignore,
        Some(_) => Claim::Release,
        None if matches && !is_deleting(owner) && !is_deleting(object) => Claim::Adopt,
        None => Claim::Ignore,
    }
}

/// Claims candidates of one resource; gives those that `owner` controls afterwards, in the order given.
///
/// # Errors
/// The first refusal, after all candidates were tried; one that is gone or changed meanwhile is no error.
pub fn claim_all(
    client: &Client,
    cluster: &mut Cluster,
    resource: &str,
    owner: &Value,
    candidates: Vec<Arc<Value>>,
) -> Result<Vec<Arc<Value>>, ApiError> {
    let selector = Selector::of(object::at(owner, &["spec", "selector"]));
    let mut owned = Vec::with_capacity(candidates.len());
    let mut refusal = None;
    for candidate in candidates {
        let written = match claim(owner, &selector, &candidate) {
            Claim::Own => Ok(Some(candidate)),
            Claim::Ignore => Ok(None),
            Claim::Adopt => adopt(client, cluster, resource, owner, &candidate),
            Claim::Release => release(client, cluster, resource, owner, &candidate).map(|()| None),
        };
        match written {
            Ok(object) => owned.extend(object),
            Err(error) if [404, 422].contains(&error.code) => {}
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    refusal.map_or(Ok(owned), Err)
}

fn adopt(client: &Client, cluster: &mut Cluster, resource: &str, owner: &Value, object: &Value) -> Result<Option<Arc<Value>>, ApiError> {
    let mut references = items(object, &["metadata", "ownerReferences"]).to_vec();
    references.push(controller_reference(owner));
    client.merge(cluster, resource, object, json!({ "metadata": { "ownerReferences": references } }))?;
    Ok(cluster.get(resource, object::namespace(object), object::name(object)))
}

fn release(client: &Client, cluster: &mut Cluster, resource: &str, owner: &Value, object: &Value) -> Result<(), ApiError> {
    drop_references(client, cluster, resource, object, &[uid(owner).to_owned()])
}

/// Takes the references to these owners off an object.
///
/// # Errors
/// What the server refuses.
pub fn drop_references(client: &Client, cluster: &mut Cluster, resource: &str, object: &Value, uids: &[String]) -> Result<(), ApiError> {
    let kept = |reference: &&Value| !uids.iter().any(|uid| uid == text(reference, &["uid"]));
    let references: Vec<&Value> = items(object, &["metadata", "ownerReferences"]).iter().filter(kept).collect();
    // A merge patch removes a field by null; an empty list would stay in the object.
    let references = if references.is_empty() { Value::Null } else { json!(references) };
    client.merge(cluster, resource, object, json!({ "metadata": { "ownerReferences": references } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(labels: Value, owner: Option<&str>) -> Value {
        let references: Vec<Value> = owner.into_iter().map(|uid| json!({ "uid": uid, "controller": true })).collect();
        json!({ "metadata": { "labels": labels, "ownerReferences": references } })
    }

    fn deleting(mut object: Value) -> Value {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        object
    }

    #[test]
    fn claims_follow_labels_and_references() {
        let owner = json!({ "metadata": { "uid": "me" } });
        let selector = Selector::of(Some(&json!({ "matchLabels": { "app": "x" } })));
        let (matching, other) = (json!({ "app": "x" }), json!({ "app": "y" }));
        let claim = |owner: &Value, object: Value| claim(owner, &selector, &object);
        assert_eq!(claim(&owner, object(matching.clone(), Some("me"))), Claim::Own);
        assert_eq!(claim(&owner, object(matching.clone(), Some("you"))), Claim::Ignore);
        assert_eq!(claim(&owner, object(matching.clone(), None)), Claim::Adopt);
        assert_eq!(claim(&owner, object(other.clone(), Some("me"))), Claim::Release);
        assert_eq!(claim(&owner, object(other.clone(), None)), Claim::Ignore);
        assert_eq!(claim(&owner, deleting(object(matching.clone(), None))), Claim::Ignore);
        let going = deleting(owner);
        assert_eq!(claim(&going, object(matching, None)), Claim::Ignore);
        assert_eq!(claim(&going, object(other, Some("me"))), Claim::Ignore);
    }
}
