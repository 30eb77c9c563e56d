//! Server-side apply: merging objects of several writers, and who owns which field.
//!
//! Takes the stored object, what a writer sends, the resource's schema and the time; gives the new object with
//! `metadata.managedFields`, or the server's refusal. Pure: reads no clock, stores nothing, and does not default, prune
//! or validate beyond what merging needs. Resetting fields that a door may not change (`status` on the main path, `spec`
//! on `/status`) is the caller's: here they only decide what can be owned.
//!
//! `metadata` always follows [`metadata_schema`], whatever the resource schema says about it.

mod check;
mod compare;
mod conflict;
mod empty;
mod engine;
mod fields_v1;
mod last_applied;
mod managers;
mod merge;
mod metadata;
mod own;
mod path;
mod prune;
pub mod scale;
mod set;
mod typing;
mod value;

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::empty::empty_object;
pub use self::managers::Operation;
pub use self::metadata::metadata_schema;
pub use self::path::{FieldPath, PathElement};
pub use self::set::Set;

use self::engine::Setting;
use self::managers::Managers;
use self::typing::Type;
use crate::sim::api_error::ApiError;
use crate::sim::schema::Schema;

/// Greatest length of a manager's name, in bytes.
const MANAGER_BYTES_MAX: usize = 128;

/// Who writes, and what the server knows about the written kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writer<'a> {
    /// Field manager; empty becomes `unknown`.
    pub manager: &'a str,
    /// The apiVersion of the request, such as `apps/v1`.
    pub api_version: &'a str,
    /// `status`, `scale`, ...; `None` for the main path.
    pub subresource: Option<&'a str>,
    /// The time that new entries get, to the second.
    pub now: Timestamp,
    /// The kind of the request; an applied object of another kind is refused. Empty: not checked.
    pub kind: &'a str,
    /// All apiVersions that the kind is served in: entries of other versions are dropped. Empty: all are known.
    pub known_versions: &'a [&'a str],
    /// For built-in kinds an object of the kind with nothing set, as the server's own type encodes it
    /// ([`empty_object`]): the structs in it are never owned. `None` for custom resources.
    pub empty: Option<&'a Value>,
}

impl<'a> Writer<'a> {
    /// A writer on the main path of a custom resource.
    pub fn new(manager: &'a str, api_version: &'a str, now: Timestamp) -> Self {
        Self { manager, api_version, now, ..Self::default() }
    }
}

/// Merges `applied` into `live` (`None`: create), removes what this manager applied before and not now, and settles
/// ownership. `reset` names the paths that this door cannot own.
///
/// Errors: 400 for another version or kind or a `managedFields` in the applied object; 500 where the applied (or the
/// stored) object does not fit the schema, including duplicate keys; 409 with one cause per field that another manager
/// owns and `applied` would change, unless `force`.
pub fn apply(
    live: Option<&Value>,
    applied: &Value,
    schema: &Schema,
    reset: &[FieldPath],
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, ApiError> {
    check_kind(applied, writer)?;
    let nothing = Value::Object(Map::new());
    let base = live.unwrap_or(&nothing);
    let mut object = base.clone();
    let mut source = take_managed_fields(&mut object).unwrap_or_default();
    let reset = set_of(reset);
    let setting = Setting { object_type: Type::of_object(schema), reset: &reset, writer, empty: writer.empty.unwrap_or(&nothing) };
    let encoded = {
        let mut managers = Managers::decode(&source, setting.object_type)
            .map_err(|error| ApiError::new(500, "", format!("failed to decode managed fields: {error}")))?;
        if managers.is_empty() && live.is_some() {
            setting.found(&mut managers, base);
        }
        managers.retain_versions(writer.known_versions);
        setting.check(base, applied)?;
        let own = setting.own(applied);
        object = setting.merged(&managers, object, applied, &own);
        setting.settle_as_allowed(managers, base, &object, own, force)?
    };
    if writer.manager == last_applied::KUBECTL {
        last_applied::refresh(&mut object, applied);
    }
    put_managed_fields(&mut object, managers::assemble(encoded, Cow::Owned(std::mem::take(&mut source))));
    Ok(object)
}

/// Takes note of a create, update or patch: gives `new` with its `managedFields` recomputed from those of `live`
/// (`None`: create), or from its own if it brings valid ones on the main path.
///
/// `managedFields: [{}]` in `new`, on built-in kinds also `[]`, ends the tracking until the next apply. An object without
/// managers is tracked from its creation or its first apply only.
pub fn update(live: Option<&Value>, new: Value, schema: &Schema, reset: &[FieldPath], writer: &Writer<'_>) -> Value {
    let mut new = new;
    let requested = take_managed_fields(&mut new);
    let object_type = Type::of_object(schema);
    let source = choose_source(requested, live, object_type, writer);
    let nothing = Value::Object(Map::new());
    let empty = writer.empty.unwrap_or(&nothing);
    let old = live.map_or(Cow::Borrowed(empty), |live| with_empty_structs(live, empty));
    let reset = set_of(reset);
    let setting = Setting { object_type, reset: &reset, writer, empty };
    let encoded = {
        let mut managers = Managers::decode(&source, object_type).unwrap_or_default();
        if managers.is_empty() && has_uid(live) {
            return new;
        }
        if !check::both_fit(&old, &new, object_type) {
            // The server does not fail a write over its bookkeeping: the stored list stays.
            put_managed_fields(&mut new, stored_managed_fields(live).to_vec());
            return new;
        }
        managers.retain_versions(writer.known_versions);
        setting.update(&mut managers, writer.manager, &old, &new);
        managers.encode()
    };
    put_managed_fields(&mut new, managers::assemble(encoded, source));
    new
}

/// The manager of a request: its `fieldManager`, else its User-Agent up to the first `/` (printable letters, at most 128
/// bytes), else `unknown`.
pub fn manager_of(field_manager: &str, user_agent: &str) -> String {
    if !field_manager.is_empty() {
        return field_manager.to_owned();
    }
    let product = user_agent.split('/').next().unwrap_or_default();
    let mut manager = String::new();
    for letter in product.chars().filter(|letter| !letter.is_control()) {
        if manager.len() + letter.len_utf8() > MANAGER_BYTES_MAX {
            break;
        }
        manager.push(letter);
    }
    if manager.is_empty() { "unknown".to_owned() } else { manager }
}

/// Puts the stored `managedFields` back into `new` if nothing but their times differs, so that a write without effect is
/// recognised as one.
pub fn keep_times(live: &Value, new: &mut Value) {
    let (Some(stored), Some(written)) = (managed_fields(live), managed_fields(new)) else { return };
    let same = stored.len() == written.len() && stored.iter().zip(written).all(|(stored, written)| same_but_time(stored, written));
    if same
        && value::equal_but_managers(live, new)
        && let Some(fields) = new.get_mut("metadata").and_then(|metadata| metadata.get_mut("managedFields"))
    {
        *fields = Value::Array(stored.to_vec());
    }
}

fn same_but_time(left: &Value, right: &Value) -> bool {
    let fields = ["apiVersion", "fieldsType", "fieldsV1", "manager", "operation", "subresource"];
    fields.into_iter().all(|name| left.get(name) == right.get(name))
}

fn check_kind(applied: &Value, writer: &Writer<'_>) -> Result<(), ApiError> {
    let text = |name: &str| applied.get(name).and_then(Value::as_str).unwrap_or_default();
    let same_kind = writer.kind.is_empty() || text("kind") == writer.kind;
    if text("apiVersion") == writer.api_version && same_kind {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("invalid object type: {}", engine::kind_text(applied))))
}

/// A stored object may lack structs that the server's type always has; they are not new when a write fills them.
fn with_empty_structs<'a>(live: &'a Value, empty: &Value) -> Cow<'a, Value> {
    if !lacks_structs(live, empty) {
        return Cow::Borrowed(live);
    }
    let mut filled = live.clone();
    add_structs(&mut filled, empty);
    Cow::Owned(filled)
}

fn lacks_structs(object: &Value, empty: &Value) -> bool {
    let (Value::Object(fields), Value::Object(empty)) = (object, empty) else { return false };
    empty.iter().any(|(name, empty)| fields.get(name).is_none_or(|field| lacks_structs(field, empty)))
}

fn add_structs(object: &mut Value, empty: &Value) {
    let (Value::Object(fields), Value::Object(empty)) = (object, empty) else { return };
    for (name, empty) in empty {
        match fields.get_mut(name) {
            Some(field) => add_structs(field, empty),
            None => {
                fields.insert(name.clone(), empty.clone());
            }
        }
    }
}

fn has_uid(object: Option<&Value>) -> bool {
    object.and_then(|object| object.get("metadata")?.get("uid")?.as_str()).is_some_and(|uid| !uid.is_empty())
}

/// The list to start from: that of the request if it is valid and has entries, or resets; else the stored one.
fn choose_source<'a>(
    requested: Option<Vec<Value>>,
    live: Option<&'a Value>,
    object_type: Type<'_>,
    writer: &Writer<'_>,
) -> Cow<'a, [Value]> {
    let stored = Cow::Borrowed(stored_managed_fields(live));
    let Some(requested) = requested.filter(|_| writer.subresource.is_none()) else { return stored };
    match requested.as_slice() {
        // Custom resources cannot tell an empty list from none.
        [] if writer.empty.is_some() => return Cow::Borrowed(&[]),
        [single] if is_blank(single) => return Cow::Borrowed(&[]),
        _ => {}
    }
    // Clients send back what they read: only a list that differs from the stored one needs a closer look.
    let valid = requested == *stored || Managers::decode(&requested, object_type).is_ok();
    if valid && !requested.is_empty() { Cow::Owned(requested) } else { stored }
}

fn is_blank(entry: &Value) -> bool {
    entry.as_object().is_some_and(|fields| fields.values().all(|value| value.is_null() || *value == ""))
}

fn set_of(paths: &[FieldPath]) -> Set<'static> {
    let mut set = Set::default();
    paths.iter().for_each(|path| set.insert(path.elements()));
    set
}

fn managed_fields(object: &Value) -> Option<&[Value]> {
    object.get("metadata")?.get("managedFields")?.as_array().map(Vec::as_slice)
}

fn stored_managed_fields(live: Option<&Value>) -> &[Value] {
    live.and_then(managed_fields).unwrap_or_default()
}

fn take_managed_fields(object: &mut Value) -> Option<Vec<Value>> {
    match object.get_mut("metadata")?.as_object_mut()?.remove("managedFields")? {
        Value::Array(entries) => Some(entries),
        _ => None,
    }
}

fn put_managed_fields(object: &mut Value, entries: Vec<Value>) {
    if entries.is_empty() {
        return;
    }
    let Value::Object(fields) = object else { return };
    let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(metadata) = metadata {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }
}

#[cfg(test)]
mod tests;
