//! How large an object is as the store would keep it, and the refusal of too large ones.

use serde_json::Value;

use super::errors;
use crate::sim::api_error::ApiError;

/// Largest request that the store takes, in bytes.
const STORE_BYTES_MAX: usize = 1_572_864;
/// Largest message that the store's client sends, in bytes.
const MESSAGE_BYTES_MAX: usize = 2_097_152;

/// Refuses objects that etcd would not take.
///
/// # Errors
/// 500 without reason, with the texts of etcd and of its client.
pub(super) fn check(object: &Value) -> Result<(), ApiError> {
    let bytes = bytes_of(object);
    if bytes > MESSAGE_BYTES_MAX {
        return Err(errors::internal(format!(
            "rpc error: code = ResourceExhausted desc = trying to send message larger than max ({bytes} vs. {MESSAGE_BYTES_MAX})"
        )));
    }
    if bytes > STORE_BYTES_MAX { Err(errors::internal("etcdserver: request is too large")) } else { Ok(()) }
}

/// Length of the JSON text, escapes not counted: a measure, not an encoding.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => number.as_i64().map_or(8, |number| number.checked_ilog10().unwrap_or(0) as usize + 1),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| bytes_of(item) + 1).sum::<usize>(),
        Value::Object(fields) => 2 + fields.iter().map(|(name, field)| name.len() + 4 + bytes_of(field)).sum::<usize>(),
    }
}
