//! Directives of a strategic merge patch that are about one map: `$retainKeys`, and what remains of any directive where
//! there was nothing to merge with.

use serde_json::{Map, Value};

use super::{DELETE_PREFIX, DIRECTIVE, ORDER_PREFIX, RETAIN_KEYS};
use crate::sim::api_error::ApiError;

/// Drops from `live` every field that `$retainKeys` does not name, and the directive from the patch.
///
/// # Errors
/// 400 if it is no list, or the patch sets a field that it does not name.
pub(super) fn retain_keys(live: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<(), ApiError> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let malformed = || ApiError::bad_request("invalid patch format of retainKeys");
    let kept = directive.as_array().ok_or_else(malformed)?;
    let names = |key: &str| kept.iter().any(|name| name.as_str() == Some(key));
    let exempt = |key: &str, value: &Value| value.is_null() || key.starts_with(DELETE_PREFIX) || key.starts_with(ORDER_PREFIX);
    if patch.iter().any(|(key, value)| !exempt(key, value) && !names(key)) {
        return Err(malformed());
    }
    live.retain(|key, _| names(key));
    Ok(())
}

/// `ports` of `$setElementOrder/ports`.
///
/// # Errors
/// 400 if the key is not `prefix/name`.
pub(super) fn list_name(key: &str, prefix: &str) -> Result<String, ApiError> {
    key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned).ok_or_else(|| malformed_list_directive(prefix))
}

/// The refusal of a `$setElementOrder` or `$deleteFromPrimitiveList` that is not what it should be.
pub(super) fn malformed_list_directive(prefix: &str) -> ApiError {
    let what = if prefix == ORDER_PREFIX { "setElementOrder list" } else { "primitive list" };
    ApiError::bad_request(format!("invalid patch format of {what}"))
}

/// A value that is taken as it stands because nothing is there to merge it with: without nulls in maps, and without any map
/// that carries a `$patch` directive. `None` if nothing of it is left.
pub(super) fn cleaned(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, field)| !field.is_null());
            Some(Value::Object(kept.filter_map(|(key, field)| cleaned(field).map(|field| (key, field))).collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(cleaned).collect())),
        other => Some(other),
    }
}
