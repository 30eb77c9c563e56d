//! JSON patch as the API server does it, which is not quite RFC 6902.
//!
//! Differences kept on purpose: `replace` of a missing map key adds it; `test` against null passes on a missing key; `copy`
//! of a missing key adds null; index -1 is the last item; a path without leading `/` loses its first segment; the root can
//! be replaced and tested but not added or removed. Every failed operation has one constant answer, and nothing of a failed
//! patch is kept.

use serde_json::{Map, Value, json};

use super::go_kind;
use crate::sim::api_error::ApiError;

/// Most operations in one patch.
pub const OPERATIONS_MAX: usize = 10_000;

/// The patched object.
///
/// # Errors
/// 400 if `patch` is not a list of operations, 413 if it is too long, 422 with a constant text if an operation fails.
pub fn apply(live: &Value, patch: &Value) -> Result<Value, ApiError> {
    let operations = decode(patch)?;
    let mut document = live.clone();
    for operation in operations {
        perform(&mut document, operation).ok_or_else(failed)?;
    }
    Ok(document)
}

fn decode(patch: &Value) -> Result<Vec<&Map<String, Value>>, ApiError> {
    let wrong = |value: &Value, kind: &str| {
        ApiError::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type jsonpatch.{kind}",
            go_kind(value)
        ))
    };
    let list = match patch {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        other => return Err(wrong(other, "Patch")),
    };
    if list.len() > OPERATIONS_MAX {
        return Err(ApiError::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}", list.len()),
        ));
    }
    list.iter().map(|operation| operation.as_object().ok_or_else(|| wrong(operation, "Operation"))).collect()
}

fn failed() -> ApiError {
    ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request").with_details(json!({}))
}

/// One operation; `None` is a failure. The document may be half changed then: the caller throws it away.
fn perform(document: &mut Value, operation: &Map<String, Value>) -> Option<()> {
    let path = operation.get("path")?.as_str()?;
    let value = operation.get("value").unwrap_or(&Value::Null);
    match operation.get("op")?.as_str()? {
        "add" => add(document, path, value.clone()),
        "remove" => remove(document, path).map(drop),
        "replace" => replace(document, path, value.clone()),
        "move" => {
            let moved = remove(document, operation.get("from")?.as_str()?)?;
            add(document, path, moved)
        }
        "copy" => {
            let copied = read(document, operation.get("from")?.as_str()?)?.unwrap_or(Value::Null);
            add(document, path, copied)
        }
        "test" => test(document, path, value),
        _ => None,
    }
}

/// The parts of a path between its first and its last `/`, and the last part. `None` for a path without `/`.
fn split(path: &str) -> Option<(Vec<String>, String)> {
    let mut parts = path.split('/').skip(1).map(unescape).collect::<Vec<_>>();
    let last = parts.pop()?;
    Some((parts, last))
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// The map or list that holds the last part of `path`.
fn container<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parents, key) = split(path)?;
    let mut node = document;
    for part in parents {
        node = match node {
            Value::Object(map) => map.get_mut(&part)?,
            Value::Array(list) => {
                let at = index(&part, list.len())?;
                &mut list[at]
            }
            _ => return None,
        };
    }
    (node.is_object() || node.is_array()).then_some((node, key))
}

/// An existing position in a list of `length` items; negative counts from the end.
fn index(text: &str, length: usize) -> Option<usize> {
    let number: i64 = text.parse().ok()?;
    let length_signed = i64::try_from(length).ok()?;
    let at = if number < 0 { number + length_signed } else { number };
    usize::try_from(at).ok().filter(|at| *at < length)
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    match container(document, path)? {
        (Value::Object(map), key) => drop(map.insert(key, value)),
        (Value::Array(list), key) if key == "-" => list.push(value),
        (Value::Array(list), key) => {
            // One more place than items: the position behind the last is allowed, and -1 means exactly that one.
            let at = index(&key, list.len() + 1)?;
            list.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    match container(document, path)? {
        (Value::Object(map), key) => map.remove(&key),
        (Value::Array(list), key) => {
            let at = index(&key, list.len())?;
            Some(list.remove(at))
        }
        _ => None,
    }
}

fn replace(document: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        if !(value.is_object() || value.is_array()) {
            return None;
        }
        *document = value;
        return Some(());
    }
    match container(document, path)? {
        (Value::Object(map), key) => drop(map.insert(key, value)),
        (Value::Array(list), key) => {
            let at = index(&key, list.len())?;
            list[at] = value;
        }
        _ => return None,
    }
    Some(())
}

/// The value at `path`: outer `None` if there is no such place, inner `None` if a map lacks the key.
fn read(document: &mut Value, path: &str) -> Option<Option<Value>> {
    match container(document, path)? {
        (Value::Object(map), key) => Some(map.get(&key).cloned()),
        (Value::Array(list), key) => {
            let at = index(&key, list.len())?;
            Some(Some(list[at].clone()))
        }
        _ => None,
    }
}

fn test(document: &mut Value, path: &str, expected: &Value) -> Option<()> {
    let found = if path.is_empty() { document.clone() } else { read(document, path)?.unwrap_or(Value::Null) };
    (found == *expected).then_some(())
}

#[cfg(test)]
mod tests;
