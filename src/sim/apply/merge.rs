//! Merging an applied object into a stored one.
//!
//! Takes the stored object (changed in place), the applied one and their type. Nothing is removed here; applied leaves win.
//! Keyed lists and sets take the order of the applied list; items that only the stored list has keep their place before
//! the next item that both have.
//!
//! The answer of the functions here is whether an applied empty or null part met a filled one and left it as it was.

use serde_json::{Map, Value};

use crate::sim::apply::path::PathElement;
use crate::sim::apply::typing::{Form, Relation, Type};

/// Merges `applied` into `target`.
pub(super) fn merge(target: &mut Value, applied: &Value, object_type: Type<'_>) -> bool {
    match object_type.form(applied) {
        Form::Scalar | Form::Map { atomic: true } | Form::List(Relation::Atomic) => {
            target.clone_from(applied);
            false
        }
        Form::Map { atomic: false } => merge_maps(target, applied, object_type),
        Form::List(relation) => merge_lists(target, applied, object_type, relation),
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// An empty or null side loses against a filled one; among empty ones the applied one wins.
fn merge_maps(target: &mut Value, applied: &Value, object_type: Type<'_>) -> bool {
    match (target, applied) {
        (Value::Object(fields), Value::Object(changes)) if !fields.is_empty() && !changes.is_empty() => {
            merge_fields(fields, changes, object_type)
        }
        // A deduced null is no map in particular: it replaces scalars and lists, and leaves maps with content alone.
        (target @ Value::Object(_), _) if is_filled(target) && !is_filled(applied) => true,
        (target, _) => {
            target.clone_from(applied);
            false
        }
    }
}

fn merge_fields(fields: &mut Map<String, Value>, changes: &Map<String, Value>, object_type: Type<'_>) -> bool {
    let mut left_filled = false;
    for (name, change) in changes {
        match fields.get_mut(name) {
            Some(field) => {
                let (field_type, _) = object_type.field(name).unwrap_or((Type::Whole, false));
                left_filled |= merge(field, change, field_type);
            }
            None => {
                fields.insert(name.clone(), change.clone());
            }
        }
    }
    left_filled
}

fn merge_lists(target: &mut Value, applied: &Value, object_type: Type<'_>, relation: Relation<'_>) -> bool {
    match (target, applied) {
        (Value::Array(stored), Value::Array(applied)) if !stored.is_empty() && !applied.is_empty() => {
            merge_in_place(stored, applied, object_type, relation).unwrap_or_else(|| {
                let before = std::mem::take(stored);
                let (merged, left_filled) = Interleave::new(&before, applied, object_type, relation).run();
                *stored = merged;
                left_filled
            })
        }
        (target @ Value::Array(_), _) if is_filled(target) && !is_filled(applied) => true,
        (target, _) => {
            target.clone_from(applied);
            false
        }
    }
}

/// The common case: the same items in the same order, no duplicates. `None` if it is not this case.
fn merge_in_place(stored: &mut [Value], applied: &[Value], list_type: Type<'_>, relation: Relation<'_>) -> Option<bool> {
    if stored.len() != applied.len() {
        return None;
    }
    let same = stored.iter().zip(applied).all(|(stored, applied)| {
        match (list_type.item_element(relation, stored), list_type.item_element(relation, applied)) {
            (Ok(stored), Ok(applied)) => stored == applied,
            _ => false,
        }
    });
    // Applied lists have no duplicates, so that equal names mean that the stored list has none either.
    let mut left_filled = false;
    if same {
        for (stored, applied) in stored.iter_mut().zip(applied) {
            left_filled |= merge(stored, applied, list_type.items());
        }
    }
    same.then_some(left_filled)
}

/// An item of one of the lists with its name.
struct Item<'a> {
    element: PathElement<'a>,
    value: &'a Value,
}

/// Merges two lists whose items differ.
struct Interleave<'a> {
    stored: Vec<Item<'a>>,
    applied: Vec<Item<'a>>,
    /// Per applied item: what the stored list has under this name.
    matching: Vec<Matching<'a>>,
    /// Per stored item: the applied item of this name.
    shared: Vec<Option<usize>>,
    item_type: Type<'a>,
    left_filled: bool,
}

#[derive(Clone, Copy)]
enum Matching<'a> {
    Nothing,
    One(&'a Value),
    /// Duplicates are not merged with, they are replaced.
    Several,
}

impl<'a> Interleave<'a> {
    fn new(stored: &'a [Value], applied: &'a [Value], list_type: Type<'a>, relation: Relation<'a>) -> Self {
        let name = |value: &'a Value| Some(Item { element: list_type.item_element(relation, value).ok()?, value });
        let stored: Vec<Item<'a>> = stored.iter().filter_map(name).collect();
        let applied: Vec<Item<'a>> = applied.iter().filter_map(name).collect();
        let mut sorted: Vec<usize> = (0..applied.len()).collect();
        sorted.sort_by(|left, right| applied[*left].element.cmp(&applied[*right].element));
        let mut matching = vec![Matching::Nothing; applied.len()];
        let mut shared = Vec::with_capacity(stored.len());
        for item in &stored {
            let found = sorted.binary_search_by(|at| applied[*at].element.cmp(&item.element)).ok().map(|at| sorted[at]);
            if let Some(at) = found {
                matching[at] = match matching[at] {
                    Matching::Nothing => Matching::One(item.value),
                    Matching::One(_) | Matching::Several => Matching::Several,
                };
            }
            shared.push(found);
        }
        Self { stored, applied, matching, shared, item_type: list_type.items(), left_filled: false }
    }

    fn merged(&mut self, applied: usize) -> Value {
        let change = self.applied[applied].value;
        match self.matching[applied] {
            Matching::Nothing | Matching::Several => change.clone(),
            Matching::One(stored) => {
                let mut merged = stored.clone();
                self.left_filled |= merge(&mut merged, change, self.item_type);
                merged
            }
        }
    }

    fn run(mut self) -> (Vec<Value>, bool) {
        let mut result = Vec::with_capacity(self.stored.len().max(self.applied.len()));
        // Applied items that the stored list has too, in applied order: the next of them is the one to wait for.
        let shared_order: Vec<_> = (0..self.applied.len()).filter(|at| !matches!(self.matching[*at], Matching::Nothing)).collect();
        let mut shared_order = shared_order.into_iter().peekable();
        let mut done = vec![false; self.applied.len()];
        let (mut left, mut right) = (0, 0);
        while left < self.stored.len() || right < self.applied.len() {
            let here = self.shared.get(left).copied();
            if let (Some(Some(same)), true) = (here, right < self.applied.len()) {
                if same == right {
                    result.push(self.merged(right));
                    done[right] = true;
                    left += 1;
                    right += 1;
                    shared_order.next();
                    continue;
                }
                if shared_order.peek().is_some_and(|next| *next != same) {
                    // A shared item whose turn is not now: the applied order decides where it goes.
                    left += 1;
                    continue;
                }
            }
            match here {
                Some(None) => {
                    result.push(self.stored[left].value.clone());
                    left += 1;
                    continue;
                }
                Some(Some(same)) if done[same] => left += 1,
                _ => {}
            }
            if right < self.applied.len() {
                result.push(self.merged(right));
                done[right] = true;
                shared_order.next_if_eq(&right);
                right += 1;
            }
        }
        (result, self.left_filled)
    }
}
