//! What differs between two states of an object.
//!
//! Takes JSON; gives changed fields with readable paths, changed conditions, changed printed columns. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::line::Changed;
use crate::sim::kinds::Resource;
use crate::sim::table::{IncludeObject, Printer};

/// The fields that differ, down to scalars; items of lists are named by their `name` where they have one.
pub fn fields(before: &Value, after: &Value, path: &str) -> Vec<Changed> {
    let mut changed = Vec::new();
    walk(before, after, path, &mut changed);
    changed
}

fn walk(before: &Value, after: &Value, path: &str, changed: &mut Vec<Changed>) {
    if before == after {
        return;
    }
    match (parts(before), parts(after)) {
        (Some(old), Some(new)) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                let absent = &Value::Null;
                let (old, new) = (old.get(key).copied().unwrap_or(absent), new.get(key).copied().unwrap_or(absent));
                walk(old, new, &format!("{path}{key}"), changed);
            }
        }
        _ => changed.push(Changed { field: path.to_owned(), from: before.clone(), to: after.clone() }),
    }
}

/// The parts of an object or list by the text that follows the path; none for scalars.
fn parts(value: &Value) -> Option<BTreeMap<String, &Value>> {
    match value {
        Value::Object(fields) => Some(fields.iter().map(|(name, field)| (format!(".{name}"), field)).collect()),
        Value::Array(items) => {
            let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
            let place = |(index, item): (usize, &Value)| name(item).unwrap_or_else(|| index.to_string());
            let places: Vec<String> = items.iter().enumerate().map(place).collect();
            let distinct = places.iter().collect::<std::collections::BTreeSet<_>>().len() == places.len();
            let place = |index: usize| if distinct { places[index].clone() } else { index.to_string() };
            Some(items.iter().enumerate().map(|(index, item)| (format!("[{}]", place(index)), item)).collect())
        }
        _ => None,
    }
}

/// A condition, from wherever in a status it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Type.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Reason.
    pub reason: String,
    /// Message.
    pub message: String,
}

/// All conditions in a status, at any depth; the first of each type.
pub fn conditions(object: &Value) -> Vec<Condition> {
    let mut found = Vec::new();
    if let Some(status) = object.get("status") {
        gather(status, &mut found);
    }
    found
}

fn gather(value: &Value, found: &mut Vec<Condition>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field) {
                    ("conditions", Value::Array(items)) => items.iter().filter_map(condition).for_each(|new| {
                        if found.iter().all(|known| known.kind != new.kind) {
                            found.push(new);
                        }
                    }),
                    _ => gather(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        _ => {}
    }
}

fn condition(item: &Value) -> Option<Condition> {
    let text = |field: &str| item.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let condition = Condition { kind: text("type"), status: text("status"), reason: text("reason"), message: text("message") };
    (!condition.kind.is_empty() && !condition.status.is_empty()).then_some(condition)
}

/// Weights of a route's backends, as `a 90, b 10`; null for anything that is no route.
pub fn weights(route: &Value) -> Value {
    let shown: Vec<String> = backends(route).iter().map(|(name, weight)| format!("{name} {weight}")).collect();
    if shown.is_empty() { Value::Null } else { json!(shown.join(", ")) }
}

fn backends(route: &Value) -> BTreeMap<String, i64> {
    let rules = route.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    let backends = rules.filter_map(|rule| rule.get("backendRefs")?.as_array()).flatten();
    let weight = |backend: &Value| backend.get("weight").and_then(Value::as_i64).unwrap_or(1);
    backends.filter_map(|backend| Some((backend.get("name")?.as_str()?.to_owned(), weight(backend)))).collect()
}

/// A printed column of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Heading.
    pub name: String,
    /// Shown only in wide output.
    pub wide: bool,
    /// Value; null: none.
    pub value: Value,
}

/// The printed columns of an object but its name and everything that is an age.
pub fn cells(resource: &Resource, object: &Value, now: Timestamp) -> Vec<Cell> {
    let table = Printer::new(resource).table(&[object], json!({}), IncludeObject::None, true, now);
    let headers = table["columnDefinitions"].as_array().cloned().unwrap_or_default();
    let values = table["rows"][0]["cells"].as_array().cloned().unwrap_or_default();
    let shown = |header: &Value| header["name"] != "Name" && header["type"] != "date" && header["name"] != "Age";
    let cell = |(header, value): (&Value, Value)| Cell {
        name: header["name"].as_str().unwrap_or_default().to_owned(),
        wide: header["priority"].as_i64().unwrap_or(0) > 0,
        value: if value == json!("") { Value::Null } else { value },
    };
    headers.iter().zip(values).filter(|(header, _)| shown(header)).map(cell).collect()
}

/// The columns whose value changed.
pub fn changed_cells(before: &[Cell], after: &[Cell]) -> Vec<(Changed, bool)> {
    let old = |name: &str| before.iter().find(|cell| cell.name == name).map_or(Value::Null, |cell| cell.value.clone());
    let change = |cell: &Cell| (Changed { field: cell.name.clone(), from: old(&cell.name), to: cell.value.clone() }, cell.wide);
    after.iter().map(change).filter(|(changed, _)| changed.from != changed.to).collect()
}

/// A change in words: `Weight 0 -> 10`, `Candidate 1.5.0`, `Candidate none (was 1.5.0)`.
pub fn say(changed: &Changed) -> String {
    let Changed { field, from, to } = changed;
    match (from, to) {
        (Value::Null, to) => format!("{field} {}", short(to)),
        (from, Value::Null) => format!("{field} none (was {})", short(from)),
        (from, to) => format!("{field} {} -> {}", short(from), short(to)),
    }
}

fn short(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_differ_have_readable_paths() {
        let before = json!({ "version": "1", "env": [{ "name": "A", "value": "1" }], "steps": [{ "weight": 5 }], "gone": true });
        let after =
            json!({ "version": "2", "env": [{ "name": "B", "value": "1" }, { "name": "A", "value": "2" }], "steps": [{ "weight": 9 }] });
        let said: Vec<String> = fields(&before, &after, "spec").iter().map(say).collect();
        let expected = [
            "spec.env[A].value 1 -> 2",
            "spec.env[B] {\"name\":\"B\",\"value\":\"1\"}",
            "spec.gone none (was true)",
            "spec.steps[0].weight 5 -> 9",
            "spec.version 1 -> 2",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn conditions_are_found_at_any_depth() {
        let object = json!({ "status": { "parents": [
            { "conditions": [{ "type": "Accepted", "status": "True", "reason": "Accepted", "message": "" }] },
            { "conditions": [{ "type": "Accepted", "status": "False" }] },
        ] } });
        let found = conditions(&object);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind.as_str(), found[0].status.as_str()), ("Accepted", "True"));
    }
}
