//! Strategic merge patch: a merge patch that knows from the schema which lists are merged item by item, and by what key.
//!
//! Takes the live object, the patch and the schema of its kind; gives the merged object. Lists without a `merge` strategy
//! are replaced. Directives: `$patch`, `$retainKeys`, `$setElementOrder/list`, `$deleteFromPrimitiveList/list`. Never used
//! for custom resources.

mod directives;
mod lists;
mod text;

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::merge::not_an_object;
use crate::sim::api_error::ApiError;
use crate::sim::schema::Schema;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_PREFIX: &str = "$deleteFromPrimitiveList";
const ORDER_PREFIX: &str = "$setElementOrder";

/// What stands below a map of free values or an undeclared field: nothing is known, so lists are replaced.
static UNKNOWN: LazyLock<Schema> = LazyLock::new(Schema::default);

/// The merged object; a `null` patch changes nothing.
///
/// # Errors
/// 400 for a body that is no object or a malformed directive, 422 for lists of lists, 500 without reason (as the server
/// answers) for an unknown `$patch`, an item without its merge key, or a patch list that contradicts `$setElementOrder`.
pub fn apply(live: &Value, patch: &Value, schema: &Schema) -> Result<Value, ApiError> {
    let changes = match patch {
        Value::Object(changes) => changes.clone(),
        Value::Null => Map::new(),
        other => return Err(not_an_object(other)),
    };
    let fields = live.as_object().cloned().unwrap_or_default();
    merge_map(fields, changes, schema).map(Value::Object)
}

fn merge_map(mut live: Map<String, Value>, mut patch: Map<String, Value>, schema: &Schema) -> Result<Map<String, Value>, ApiError> {
    if let Some(directive) = patch.remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(&directive, patch)),
        };
    }
    directives::retain_keys(&mut live, &mut patch)?;
    lists::set_element_orders(&mut live, &mut patch, schema)?;
    for (key, change) in patch {
        let deletion = key.starts_with(DELETE_PREFIX);
        let key = if deletion { directives::list_name(&key, DELETE_PREFIX)? } else { key };
        merge_field(&mut live, key, change, deletion, schema)?;
    }
    Ok(live)
}

/// Merges one field into `live`; `deletion`: the value came from `$deleteFromPrimitiveList`.
fn merge_field(live: &mut Map<String, Value>, key: String, change: Value, deletion: bool, schema: &Schema) -> Result<(), ApiError> {
    if change.is_null() {
        live.remove(&key);
        return Ok(());
    }
    let merged = match (live.remove(&key), change) {
        (Some(Value::Object(current)), Value::Object(change)) => {
            let below = child(schema, &key)?;
            Some(Value::Object(if strategy(below) == "replace" { change } else { merge_map(current, change, below)? }))
        }
        (Some(Value::Array(current)), Value::Array(change)) => {
            let below = child(schema, &key)?;
            let replaced = strategy(below) != "merge";
            Some(Value::Array(if replaced { change } else { lists::merge_list(current, change, below, deletion)? }))
        }
        (current, _) if deletion => current,
        (_, change) => directives::cleaned(change),
    };
    if let Some(value) = merged {
        live.insert(key, value);
    }
    Ok(())
}

/// The schema of a field: declared, or of the map's values, or unknown where anything goes.
fn child<'a>(schema: &'a Schema, key: &str) -> Result<&'a Schema, ApiError> {
    if let Some(declared) = schema.properties.get(key).or(schema.additional.as_ref()) {
        return Ok(declared);
    }
    if schema.properties.is_empty() || schema.preserve_unknown {
        return Ok(&UNKNOWN);
    }
    Err(ApiError::new(500, "", format!("unable to find api field in struct for the json field \"{key}\"")))
}

/// The patch strategy without `retainKeys`, which only matters to clients that compute patches.
fn strategy(schema: &Schema) -> &str {
    schema.patch_strategy.split(',').find(|part| *part != "retainKeys").unwrap_or("")
}

fn unknown_directive(directive: &Value, mut map: Map<String, Value>) -> ApiError {
    map.insert(DIRECTIVE.to_owned(), directive.clone());
    ApiError::new(500, "", format!("unknown patch type: {} in map: {}", text::go(directive), text::go(&Value::Object(map))))
}

#[cfg(test)]
mod tests;
