//! I22 and I23 as requests show them: writes that do something, and say what they were decided on.

use modelward::sim::cluster::Commit;
use modelward::sim::routes::access::RequestRecord;
use serde_json::Value;

use super::sight::{Delivered, Sight};
use super::{Watchdog, view};

/// A request that was meant to change something, and was taken.
fn is_taken_write(record: &RequestRecord) -> bool {
    let writes = ["create", "update", "patch", "delete", "deletecollection"].contains(&record.info.verb.as_str());
    writes && (200..300).contains(&record.code) && !record.query.contains("dryRun=All")
}

/// The operator could know the object that a request is about as it was then.
pub fn is_known(record: &RequestRecord, delivered: &Delivered) -> bool {
    let info = &record.info;
    let resource = if info.group.is_empty() { info.resource.clone() } else { format!("{}.{}", info.resource, info.group) };
    delivered.knows(&resource, &(info.namespace.clone(), info.name.clone()), record.at)
}

/// I22 no write that commits nothing: the object was like that already.
pub fn write_changes_something(record: &RequestRecord) -> Option<String> {
    (is_taken_write(record) && record.commits == 0).then(|| "the write changed nothing".to_owned())
}

/// I23 an update carries resourceVersion; an apply to what exists uid and resourceVersion; a deletion both as preconditions.
/// Events are told beside the objects, and nothing is decided on them.
pub fn write_says_what_it_was_decided_on(record: &RequestRecord) -> Option<String> {
    let info = &record.info;
    if !info.is_resource || info.resource == "events" || record.query.contains("dryRun=All") {
        return None;
    }
    let body: Value = serde_json::from_slice(&record.body).unwrap_or(Value::Null);
    match info.verb.as_str() {
        "update" => missing(&body["metadata"], &["resourceVersion"]),
        "patch" => patch(record, &body),
        "delete" => missing(&body["preconditions"], &["uid", "resourceVersion"]),
        "deletecollection" => Some("it deletes whatever there is".to_owned()),
        _ => None,
    }
}

fn patch(record: &RequestRecord, body: &Value) -> Option<String> {
    match record.content_type.as_str() {
        "application/apply-patch+yaml" => {
            // By force it may never be sent without having seen what it overwrites. Without force: see below.
            let force = record.query.contains("force=true");
            if force { missing(&body["metadata"], &["uid", "resourceVersion"]) } else { None }
        }
        "application/json-patch+json" => {
            let names_revision = |step: &Value| step["path"] == "/metadata/resourceVersion" && step["value"].is_string();
            let named = body.as_array().is_some_and(|steps| steps.iter().any(names_revision));
            (!named).then(|| "resourceVersion is not part of it".to_owned())
        }
        _ => missing(&body["metadata"], &["resourceVersion"]),
    }
}

/// The object that an unforced apply changed without saying which one it was decided on: right if it was not seen, because
/// it had lost our labels; wrong if it had them.
pub fn unbound(record: &RequestRecord) -> Option<(String, String)> {
    let apply = record.content_type == "application/apply-patch+yaml" && record.code == 200 && record.commits > 0;
    let body: Value = serde_json::from_slice(&record.body).ok().filter(|_| apply)?;
    missing(&body["metadata"], &["uid", "resourceVersion"])?;
    Some((record.info.namespace.clone(), record.info.name.clone()))
}

/// I23 the commit of an unforced apply that names nothing it was decided on, although the object had all the labels that
/// children are found by.
pub fn applied_to_what_was_not_seen(watchdog: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let place = watchdog.unbound.take()?;
    let before = commit.before.as_deref().filter(|_| place == (commit.namespace.clone(), commit.name.clone()))?;
    let deployment = view::deployment_of(before)?;
    let revision = view::label(before, "modelward.dev/revision").is_some() || commit.name == deployment;
    let found = view::label(before, "app.kubernetes.io/managed-by") == Some("modelward") && revision;
    found.then(|| "an apply to it carries no uid and resourceVersion".to_owned())
}

/// Which of `fields` are not there.
fn missing(object: &Value, fields: &[&str]) -> Option<String> {
    let absent: Vec<&str> = fields.iter().copied().filter(|field| object[*field].as_str().is_none_or(str::is_empty)).collect();
    (!absent.is_empty()).then(|| format!("without {}", absent.join(" and ")))
}
