//! The annotation in which `kubectl apply` without server-side apply keeps what it applied.
//!
//! Only the manager `kubectl` is treated specially: what the annotation shows as its own work it may take over without a
//! conflict, and the annotation is kept up to date. Never adds the annotation to an object that has none.

use serde_json::{Map, Value};

use crate::sim::apply::check::{Duplicates, check};
use crate::sim::apply::compare::compare;
use crate::sim::apply::own::owned_paths;
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::Type;
use crate::sim::apply::value::to_json;

/// The manager that takes over from the annotation.
pub(super) const KUBECTL: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Greatest total length of names and values of annotations, in bytes.
const ANNOTATIONS_BYTES_MAX: usize = 262_144;

fn annotation(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("annotations")?.get(ANNOTATION)?.as_str().filter(|text| !text.is_empty())
}

/// What the annotation of `live` holds, read; `None` if there is none, or it is of another version or malformed.
pub(super) fn read(live: &Value, api_version: &str) -> Option<Value> {
    let last: Value = serde_json::from_str(annotation(live)?).ok()?;
    (last.get("apiVersion").and_then(Value::as_str) == Some(api_version)).then_some(last)
}

/// The paths of the last applied object that `live` still has as they were applied. `live` comes without `managedFields`.
pub(super) fn unchanged_paths<'a>(last: &'a Value, live: &'a Value, object_type: Type<'a>) -> Option<Set<'a>> {
    check(live, object_type, Duplicates::Refused).ok()?;
    check(last, object_type, Duplicates::Refused).ok()?;
    let mut own = owned_paths(last, object_type);
    let changes = compare(last, live, object_type);
    for set in [&changes.modified, &changes.added, &changes.removed] {
        own.subtract(set);
    }
    Some(own)
}

/// Writes `applied` into the annotation of `object` if it has one. Left out if the annotations become too long.
pub(super) fn refresh(object: &mut Value, applied: &Value) {
    if annotation(object).is_none() {
        return;
    }
    let mut applied = applied.clone();
    if let Some(annotations) = annotations_mut(&mut applied) {
        annotations.remove(ANNOTATION);
    }
    let Some(annotations) = annotations_mut(object) else { return };
    annotations.insert(ANNOTATION.to_owned(), Value::String(format!("{}\n", to_json(&applied))));
    let bytes: usize = annotations.iter().map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes > ANNOTATIONS_BYTES_MAX {
        annotations.remove(ANNOTATION);
    }
}

fn annotations_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("metadata")?.get_mut("annotations")?.as_object_mut()
}
