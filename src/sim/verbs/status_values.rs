//! The short way of a status write that changes nothing but values which its writer alone has.
//!
//! Autoscalers say what they measured at every look. Takes the stored object and the one that is put; says whether the long way
//! (decode, track, prepare, validate) would store just that, with another time of its writer. When it cannot be sure, it says no,
//! and the long way is taken. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Asked, decode, meta};
use crate::sim::kinds::Conversion;

/// The only kind that it is for: its status has no rules of its own.
const AUTOSCALERS: &str = "horizontalpodautoscalers.autoscaling";

/// Whether the long way would store `object` as it is, but for the time of its writer.
pub(in crate::sim) fn is_short(asked: &Asked<'_>, live: &Value, object: &Value) -> bool {
    if !is_for(asked) || meta::is_deleting(live) || !meta::finalizers(live).is_empty() {
        return false;
    }
    let changed = live.as_object().zip(object.as_object()).and_then(|(live, object)| changed(live, object));
    changed.is_some_and(|changed| has_alone(asked, live, &changed) && is_as_stored(asked, object, &changed))
}

/// `object` with the time of its writer, who is the last in `managedFields`.
pub(in crate::sim) fn stamped(mut object: Value, now: Timestamp) -> Value {
    if let Some(entry) = object["metadata"]["managedFields"].as_array_mut().and_then(|entries| entries.last_mut()) {
        entry["time"] = json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    object
}

fn is_for(asked: &Asked<'_>) -> bool {
    let (resource, options) = (&asked.resource, asked.options);
    let plain = resource.conversion == Conversion::None && resource.storage && !resource.custom;
    asked.subresource == Some("status") && asked.is(AUTOSCALERS) && plain && !options.dry_run && options.duplicate_fields.is_empty()
}

/// The fields of status that have another value; none if anything else differs, or if nothing does.
fn changed<'a>(live: &Map<String, Value>, object: &'a Map<String, Value>) -> Option<Vec<&'a String>> {
    let alike = live.len() == object.len() && live.iter().all(|(name, field)| name == "status" || object.get(name) == Some(field));
    let (before, after) = (live.get("status")?.as_object()?, object.get("status")?.as_object()?);
    if !alike || before.len() != after.len() {
        return None;
    }
    let mut changed = Vec::new();
    for (name, value) in after {
        let known = before.get(name)?;
        if known != value {
            if known.is_null() || value.is_null() {
                return None;
            }
            changed.push(name);
        }
    }
    (!changed.is_empty()).then_some(changed)
}

/// The last entry of `managedFields` is the writer's, has these fields as wholes, and nobody else has anything of status. It stays
/// the last: entries are in the order of their times.
fn has_alone(asked: &Asked<'_>, live: &Value, fields: &[&String]) -> bool {
    let entries = live["metadata"]["managedFields"].as_array().map_or(&[][..], Vec::as_slice);
    let Some((own, others)) = entries.split_last() else { return false };
    let wanted = [
        ("manager", asked.manager()),
        ("operation", "Update"),
        ("subresource", "status"),
        ("apiVersion", asked.resource.request_api_version.as_str()),
    ];
    let is_own = wanted.into_iter().all(|(field, value)| own[field] == value);
    let status = |entry: &Value| !entry["fieldsV1"]["f:status"].is_null();
    let whole = |field: &&String| own["fieldsV1"]["f:status"][format!("f:{field}")].as_object().is_some_and(Map::is_empty);
    is_own && !others.iter().any(status) && fields.iter().all(whole)
}

/// Decoding takes the values and changes nothing of them.
fn is_as_stored(asked: &Asked<'_>, object: &Value, fields: &[&String]) -> bool {
    let status: Map<String, Value> = fields.iter().map(|field| ((*field).clone(), object["status"][field.as_str()].clone())).collect();
    let part = json!({ "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": { "name": asked.name }, "status": status });
    let decoded = decode::decode(asked, part, decode::Source::Body, &mut Vec::new());
    decoded.is_ok_and(|decoded| fields.iter().all(|field| decoded["status"][field.as_str()] == object["status"][field.as_str()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::cluster::tests::{cluster, create};
    use crate::sim::cluster::{Cluster, Identity, Patch, WriteOptions};

    fn begun() -> Cluster {
        let mut cluster = cluster();
        let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
        let metrics =
            json!([{ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 60 } } }]);
        let spec = json!({ "scaleTargetRef": target, "maxReplicas": 5, "metrics": metrics });
        create(&mut cluster, AUTOSCALERS, json!({ "metadata": { "name": "web" }, "spec": spec }));
        cluster
    }

    fn status(replicas: i64, cpu: &str) -> Value {
        let current = json!({ "averageValue": cpu, "averageUtilization": 50 });
        json!({ "desiredReplicas": replicas, "currentReplicas": 2,
            "currentMetrics": [{ "type": "Resource", "resource": { "name": "cpu", "current": current } }],
            "conditions": [{ "type": "AbleToScale", "status": "True", "reason": "A", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z" }] })
    }

    fn live(cluster: &Cluster) -> Value {
        (*cluster.get(AUTOSCALERS, "t", "web").unwrap()).clone()
    }

    fn put(cluster: &mut Cluster, manager: &str, status: Value) -> bool {
        let mut object = live(cluster);
        object["status"] = status;
        let (who, options) = (Identity::user("controller"), WriteOptions::manager(manager));
        let resource = cluster.resource(AUTOSCALERS).unwrap();
        let asked = Asked { who: &who, resource, namespace: "t", name: "web", subresource: Some("status"), options: &options };
        let short = is_short(&asked, &live(cluster), &object);
        cluster.update(&who, AUTOSCALERS, "t", "web", Some("status"), object, &options).unwrap();
        short
    }

    /// Patches take the long way.
    fn merge(cluster: &mut Cluster, manager: &str, status: Value) {
        let (who, options) = (Identity::user("controller"), WriteOptions::manager(manager));
        cluster.patch(&who, AUTOSCALERS, "t", "web", Some("status"), Patch::Merge(json!({ "status": status })), &options).unwrap();
    }

    /// What is written, by whom, and whether the short way is taken.
    #[test]
    fn the_short_way_stores_what_the_long_way_stores() {
        let (mut one, mut other) = (begun(), begun());
        let writes = [
            ("hpa", status(2, "500m"), false),
            ("hpa", status(2, "510m"), true),
            ("hpa", status(3, "1"), true),
            // Written otherwise than it is kept.
            ("hpa", status(3, "1000m"), false),
            ("hpa", status(3, "700m"), true),
            ("somebody", status(4, "700m"), false),
            ("hpa", status(4, "710m"), false),
            ("hpa", status(5, "710m"), false),
        ];
        for (round, (manager, status, short)) in writes.into_iter().enumerate() {
            let now = one.now() + jiff::SignedDuration::from_secs(15);
            one.set_now(now);
            other.set_now(now);
            assert_eq!(put(&mut one, manager, status.clone()), short, "{round}");
            merge(&mut other, manager, status);
            assert_eq!(live(&one), live(&other), "{round}");
        }
    }

    #[test]
    fn values_of_wrong_types_and_stale_objects_take_the_long_way_and_are_refused() {
        let mut cluster = begun();
        put(&mut cluster, "hpa", status(2, "500m"));
        let (who, options) = (Identity::user("controller"), WriteOptions::manager("hpa"));
        let mut wrong = live(&cluster);
        wrong["status"]["desiredReplicas"] = json!("three");
        assert_eq!(cluster.update(&who, AUTOSCALERS, "t", "web", Some("status"), wrong, &options).unwrap_err().code, 400);
        let mut stale = live(&cluster);
        stale["status"] = status(2, "600m");
        stale["metadata"]["resourceVersion"] = json!("1");
        assert_eq!(cluster.update(&who, AUTOSCALERS, "t", "web", Some("status"), stale, &options).unwrap_err().code, 409);
    }
}
