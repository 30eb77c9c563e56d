//! Lists whose items are told apart: duplicates, counterparts of items in an older list, equality without order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::sim::api_error::Cause;
use crate::sim::schema::path::{Path, Step};
use crate::sim::schema::text::duplicate;
use crate::sim::schema::{ListType, Schema};

/// The fields of an item, for defaults of keys.
pub type Properties = BTreeMap<String, Arc<Schema>>;

/// Duplicates in sets and keyed lists, each key reported once, at its second occurrence.
pub fn duplicates(schema: &Schema, value: &Value, path: &Path<'_>) -> Vec<Cause> {
    let mut causes = Vec::new();
    walk(schema, value, path, &mut causes);
    causes
}

fn walk(schema: &Schema, value: &Value, path: &Path<'_>, causes: &mut Vec<Cause>) {
    match value {
        Value::Array(items) => {
            own_duplicates(schema, items, path, causes);
            for (index, item) in items.iter().enumerate() {
                if let Some(item_schema) = &schema.items {
                    walk(item_schema, item, &path.child(Step::Index(index)), causes);
                }
            }
        }
        // The server looks after owners and finalizers by itself.
        Value::Object(_) if super::is_metadata(schema) => {}
        Value::Object(fields) => {
            for (name, field) in fields {
                if let Some(field_schema) = schema.properties.get(name) {
                    walk(field_schema, field, &path.child(Step::Field(name)), causes);
                } else if let Some(additional) = &schema.additional {
                    walk(additional, field, &path.child(Step::Key(name)), causes);
                }
            }
        }
        _ => {}
    }
}

fn own_duplicates(schema: &Schema, items: &[Value], path: &Path<'_>, causes: &mut Vec<Cause>) {
    if schema.list_type == ListType::Atomic {
        return;
    }
    let no_properties = Properties::new();
    let properties = schema.items.as_ref().map_or(&no_properties, |items| &items.properties);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let Some(key) = key_of(&schema.list_type, properties, item) else { continue };
        let count = counts.entry(key.to_string()).or_default();
        *count += 1;
        if *count == 2 {
            causes.push(duplicate(path.child(Step::Index(index)).bracketed(), &key));
        }
    }
}

/// What tells an item apart: the item itself in a set, an object of the key fields in a keyed list.
pub fn key_of(list_type: &ListType, properties: &Properties, item: &Value) -> Option<Value> {
    match list_type {
        ListType::Atomic => None,
        ListType::Set => Some(item.clone()),
        ListType::Map { keys } => {
            let item = item.as_object()?;
            let default = |name: &String| properties.get(name).and_then(|field| field.default.clone());
            let fields = keys.iter().filter_map(|name| Some((name.clone(), item.get(name).cloned().or_else(|| default(name))?)));
            Some(Value::Object(fields.collect::<Map<String, Value>>()))
        }
    }
}

/// The item of `old` with the same key. Items of atomic lists and sets have none.
pub fn counterpart<'a>(list_type: &ListType, properties: &Properties, item: &Value, old: &'a [Value]) -> Option<&'a Value> {
    let ListType::Map { .. } = list_type else { return None };
    let key = key_of(list_type, properties, item)?;
    old.iter().find(|candidate| key_of(list_type, properties, candidate).as_ref() == Some(&key))
}

/// Equality under the schema.
pub fn equal(schema: &Schema, left: &Value, right: &Value) -> bool {
    if left == right {
        return true;
    }
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64() && (left.is_f64() || right.is_f64()),
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| {
                    let field = schema.properties.get(name).or(schema.additional.as_ref());
                    right.get(name).is_some_and(|right| field.map_or_else(|| left == right, |field| equal(field, left, right)))
                })
        }
        (Value::Array(left), Value::Array(right)) => left.len() == right.len() && equal_lists(schema, left, right),
        _ => false,
    }
}

fn equal_lists(schema: &Schema, left: &[Value], right: &[Value]) -> bool {
    let Some(items) = &schema.items else { return left == right };
    match &schema.list_type {
        ListType::Atomic => left.iter().zip(right).all(|(left, right)| equal(items, left, right)),
        ListType::Set => {
            let texts = |list: &[Value]| list.iter().map(Value::to_string).collect::<BTreeSet<String>>();
            texts(left) == texts(right)
        }
        keyed @ ListType::Map { .. } => {
            left.iter().all(|item| counterpart(keyed, &items.properties, item, right).is_some_and(|other| equal(items, item, other)))
        }
    }
}
