//! The one place through which the verbs call the pure engines: schemas, defaulting, validation, patches, managed fields.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::sim::api_error::{ApiError, Cause};
use crate::sim::schema::Schema;

/// Who writes, for `managedFields`.
pub(in crate::sim) struct Writer<'a> {
    pub manager: &'a str,
    pub api_version: &'a str,
    pub subresource: Option<&'a str>,
    pub now: Timestamp,
}

/// The schema of a built-in kind.
pub(in crate::sim) fn builtin_schema(_group: &str, _version: &str, _kind: &str) -> Arc<Schema> {
    Arc::new(Schema::default())
}

/// Server-side apply of `applied` over `live`.
pub(in crate::sim) fn apply(
    live: Option<&Value>,
    applied: &Value,
    _schema: &Schema,
    _reset: &[&str],
    _writer: &Writer<'_>,
    _force: bool,
) -> Result<Value, ApiError> {
    Ok(merge(live.unwrap_or(&Value::Null), applied))
}

/// `new` with `managedFields` recomputed from those of `live`.
pub(in crate::sim) fn track(live: Option<&Value>, new: Value, _schema: &Schema, _reset: &[&str], _writer: &Writer<'_>) -> Value {
    let mut new = new;
    super::meta::copy(&mut new, live.unwrap_or(&Value::Null), "managedFields");
    new
}

/// RFC 7386.
pub(in crate::sim) fn merge_patch(live: &Value, patch: &Value) -> Result<Value, ApiError> {
    Ok(merge(live, patch))
}

/// RFC 6902.
pub(in crate::sim) fn json_patch(_live: &Value, _patch: &Value) -> Result<Value, ApiError> {
    Err(ApiError::new(415, "UnsupportedMediaType", "JSON patch is not built in yet"))
}

/// Strategic merge patch.
pub(in crate::sim) fn strategic_patch(live: &Value, patch: &Value, _schema: &Schema) -> Result<Value, ApiError> {
    Ok(merge(live, patch))
}

/// Refuses values of wrong types, as the decoder of built-in kinds does.
pub(in crate::sim) fn check_types(_schema: &Schema, _object: &Value, _kind: &str, _version: &str) -> Result<(), ApiError> {
    Ok(())
}

/// Paths of fields that the schema does not know.
pub(in crate::sim) fn unknown_fields(_schema: &Schema, _object: &Value) -> Vec<String> {
    Vec::new()
}

/// Drops unknown fields and nulls of fields that are not nullable.
pub(in crate::sim) fn prune(_schema: &Schema, _object: &mut Value) {}

/// Schema defaults of custom resources.
pub(in crate::sim) fn schema_defaults(_schema: &Schema, _object: &mut Value) {}

/// Defaults of built-in kinds.
pub(in crate::sim) fn builtin_defaults(_resource: &str, _object: &mut Value) {}

/// Validation of a custom resource by its schema and rules.
pub(in crate::sim) fn validate_custom(_schema: &Schema, _object: &Value, _old: Option<&Value>) -> Vec<Cause> {
    Vec::new()
}

/// Validation of a built-in kind.
pub(in crate::sim) fn validate_builtin(_resource: &str, _object: &Value, _old: Option<&Value>) -> Vec<Cause> {
    Vec::new()
}

/// The schema of a CRD version.
pub(in crate::sim) fn parse_schema(_openapi: &Value) -> Result<Schema, Vec<Cause>> {
    Ok(Schema::default())
}

fn merge(live: &Value, patch: &Value) -> Value {
    let Some(changes) = patch.as_object() else { return patch.clone() };
    let mut merged = live.as_object().cloned().unwrap_or_default();
    for (field, change) in changes {
        if change.is_null() {
            merged.remove(field);
        } else {
            let value = merge(merged.get(field).unwrap_or(&Value::Null), change);
            merged.insert(field.clone(), value);
        }
    }
    Value::Object(merged)
}

/// Joins a base path and a path relative to it.
pub(in crate::sim) fn join(base: &str, relative: &str) -> String {
    match relative {
        "" => base.to_owned(),
        bracket if bracket.starts_with('[') => format!("{base}{bracket}"),
        other => format!("{base}.{other}"),
    }
}
