//! Lists in a strategic merge patch: merging by key or by value, and the order of the result.
//!
//! The order that the server gives: items named by the patch follow the patch (or `$setElementOrder`), items only the server
//! has keep their own order, and a server-only item comes first only if both it and the patch's next item were in the live
//! list and it was in front. So new items come *before* server-only ones.

use serde_json::{Map, Value};

use super::directives::{cleaned, list_name, malformed_list_directive};
use super::{DIRECTIVE, ORDER_PREFIX, UNKNOWN, child, merge_map, strategy, text, unknown_directive};
use crate::sim::api_error::ApiError;
use crate::sim::schema::Schema;

/// Merges `patch` into `live`; with `deletion` takes the patch's scalars away instead. `schema` is the list's.
pub(super) fn merge_list(live: Vec<Value>, patch: Vec<Value>, schema: &Schema, deletion: bool) -> Result<Vec<Value>, ApiError> {
    let Some(maps) = holds_maps(&live, &patch)? else { return Ok(live) };
    let key = schema.patch_merge_key.as_deref();
    if !maps {
        if deletion {
            return Ok(live.into_iter().filter(|item| !patch.contains(item)).collect());
        }
        let mut merged: Vec<Value> = Vec::new();
        for item in live.iter().chain(&patch) {
            if !merged.contains(item) {
                merged.push(item.clone());
            }
        }
        return in_order(merged, &patch, &live, None);
    }
    let Some(key) = key else {
        return Err(ApiError::new(500, "", "cannot merge lists without merge key for type struct"));
    };
    let (live, patch) = list_directives(live, patch, key)?;
    let merged = merge_items(live.clone(), &patch, key, schema.items.as_deref().unwrap_or(&UNKNOWN))?;
    in_order(merged, &patch, &live, Some(key))
}

/// `Some(true)` if the items are maps, `Some(false)` if scalars, `None` if there are none.
fn holds_maps(live: &[Value], patch: &[Value]) -> Result<Option<bool>, ApiError> {
    let mut first: Option<&Value> = None;
    for item in live.iter().chain(patch) {
        if item.is_array() {
            return Err(ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request")
                .with_details(serde_json::json!({})));
        }
        match first {
            Some(other) if text::go_type(other) != text::go_type(item) => {
                return Err(bad_type(text::go_type(other), item));
            }
            _ => first = Some(item),
        }
    }
    Ok(first.map(Value::is_object))
}

fn bad_type(expected: &str, actual: &Value) -> ApiError {
    ApiError::new(500, "", format!("expected a {expected}, but received a {}", text::go_type(actual)))
}

/// Carries out `$patch` of list items. Gives the live list and the patch without such items.
fn list_directives(mut live: Vec<Value>, patch: Vec<Value>, key: &str) -> Result<(Vec<Value>, Vec<Value>), ApiError> {
    let mut replaced = false;
    let mut rest = Vec::new();
    for item in patch {
        match item.get(DIRECTIVE).map(|directive| directive.as_str().unwrap_or("")) {
            None => rest.push(item),
            Some("replace") => replaced = true,
            Some("delete") => {
                let gone = key_of(&item, key)?;
                live.retain(|candidate| candidate.get(key) != Some(gone));
            }
            Some("merge") => return Err(ApiError::new(500, "", "merging lists cannot yet be specified in the patch")),
            Some(_) => return Err(unknown_directive(&item[DIRECTIVE], item.as_object().cloned().unwrap_or_default())),
        }
    }
    Ok(if replaced { (rest, Vec::new()) } else { (live, rest) })
}

fn merge_items(mut live: Vec<Value>, patch: &[Value], key: &str, schema: &Schema) -> Result<Vec<Value>, ApiError> {
    for item in patch {
        let wanted = key_of(item, key)?;
        let found = live.iter().position(|candidate| candidate.get(key) == Some(wanted));
        match (found, item) {
            (Some(at), Value::Object(changes)) => {
                let current: Map<String, Value> = live[at].as_object().cloned().unwrap_or_default();
                live[at] = Value::Object(merge_map(current, changes.clone(), schema)?);
            }
            _ => live.extend(cleaned(item.clone())),
        }
    }
    Ok(live)
}

fn key_of<'a>(item: &'a Value, key: &str) -> Result<&'a Value, ApiError> {
    item.get(key).ok_or_else(|| ApiError::new(500, "", format!("map: {} does not contain declared merge key: {key}", text::go(item))))
}

/// Carries out every `$setElementOrder/list` of `patch` with the list of the same name, and takes both from the patch.
pub(super) fn set_element_orders(live: &mut Map<String, Value>, patch: &mut Map<String, Value>, schema: &Schema) -> Result<(), ApiError> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ORDER_PREFIX)).cloned().collect();
    for directive in directives {
        let wanted = match patch.remove(&directive) {
            Some(Value::Array(wanted)) => wanted,
            other => return Err(bad_type("[]interface {}", &other.unwrap_or(Value::Null))),
        };
        let name = list_name(&directive, ORDER_PREFIX)?;
        set_element_order(live, patch, &name, &wanted, schema)?;
    }
    Ok(())
}

fn set_element_order(
    live: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    name: &str,
    wanted: &[Value],
    schema: &Schema,
) -> Result<(), ApiError> {
    let below = child(schema, name)?;
    let key = below.patch_merge_key.as_deref();
    let current = as_list(live.get(name))?;
    let changes = as_list(patch.get(name))?;
    if let Some(changes) = &changes {
        agrees(changes, wanted, key)?;
    }
    let merged = match (&current, changes) {
        (None, None) => return Ok(()),
        (Some(current), None) => current.clone(),
        (None, Some(changes)) => changes.into_iter().filter_map(cleaned).collect(),
        (Some(_), Some(changes)) if strategy(below) != "merge" => changes,
        (Some(current), Some(changes)) => merge_list(current.clone(), changes, below, false)?,
    };
    let ordered = in_order(merged, wanted, &current.unwrap_or_default(), key)?;
    live.insert(name.to_owned(), Value::Array(ordered));
    patch.remove(name);
    Ok(())
}

fn as_list(value: Option<&Value>) -> Result<Option<Vec<Value>>, ApiError> {
    match value {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items.clone())),
        Some(other) => Err(bad_type("[]interface {}", other)),
    }
}

/// The items of the patch (deletions aside) occur in `wanted`, in the same order.
fn agrees(changes: &[Value], wanted: &[Value], key: Option<&str>) -> Result<(), ApiError> {
    if changes.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    let mut left = wanted.iter();
    for item in changes.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        loop {
            let Some(candidate) = left.next() else {
                let (patch, order) = (text::go(&Value::Array(changes.to_vec())), text::go(&Value::Array(wanted.to_vec())));
                let message = format!("The order in patch list:\n{patch}\n doesn't match {ORDER_PREFIX} list:\n{order}\n");
                return Err(ApiError::new(500, "", message));
            };
            if identity(item, key)? == identity(candidate, key)? {
                break;
            }
        }
    }
    Ok(())
}

/// What an item is told apart by: the value of its merge key, or itself.
fn identity<'a>(item: &'a Value, key: Option<&str>) -> Result<&'a Value, ApiError> {
    match key {
        None => Ok(item),
        Some(_) if !item.is_object() => Err(malformed_list_directive(ORDER_PREFIX)),
        Some(key) => key_of(item, key),
    }
}

/// `merged` in the order described at the top: `first` orders the items it names, `live` the others.
fn in_order(merged: Vec<Value>, first: &[Value], live: &[Value], key: Option<&str>) -> Result<Vec<Value>, ApiError> {
    let place = |item: &Value, list: &[Value]| -> Result<Option<usize>, ApiError> {
        let wanted = identity(item, key)?;
        Ok(list.iter().position(|candidate| key.map_or(Some(candidate), |key| candidate.get(key)) == Some(wanted)))
    };
    let mut named: Vec<(Option<usize>, Option<usize>, Value)> = Vec::new();
    let mut server_only: Vec<(Option<usize>, Value)> = Vec::new();
    for item in merged {
        let (in_first, in_live) = (place(&item, first)?, place(&item, live)?);
        match in_first {
            Some(_) => named.push((in_first, in_live, item)),
            None => server_only.push((in_live, item)),
        }
    }
    named.sort_by_key(|(in_first, _, _)| *in_first);
    server_only.sort_by_key(|(in_live, _)| *in_live);
    let mut ordered = Vec::with_capacity(named.len() + server_only.len());
    let mut server_only = server_only.into_iter().peekable();
    for (_, in_live, item) in named {
        while let Some((Some(_), _)) = server_only.peek().filter(|(left, _)| in_live.is_some() && *left < in_live) {
            ordered.extend(server_only.next().map(|(_, item)| item));
        }
        ordered.push(item);
    }
    ordered.extend(server_only.map(|(_, item)| item));
    Ok(ordered)
}
