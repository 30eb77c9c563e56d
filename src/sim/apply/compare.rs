//! What changed between two objects, as sets of paths.
//!
//! Takes both objects and their type, gives added, modified and removed paths; no path is in two of them. A new part is
//! added with everything in it, the structs included; a changed part counts at its leaves. `metadata.managedFields` must
//! not be in either object.

use serde_json::{Map, Value};

use crate::sim::apply::path::PathElement;
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::{self, Form, Relation, Type};
use crate::sim::apply::value::equal;

/// Differences between an old and a new object.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    pub(super) added: Set<'a>,
    pub(super) modified: Set<'a>,
    pub(super) removed: Set<'a>,
}

/// Compares two objects of one type.
pub(super) fn compare<'a>(old: &'a Value, new: &'a Value, object_type: Type<'a>) -> Changes<'a> {
    let mut below = Changes::default();
    visit(Some(old), Some(new), object_type, &mut below);
    below
}

impl<'a> Changes<'a> {
    /// Leaves everything at and below these paths out.
    pub(super) fn without(mut self, excluded: &Set<'_>) -> Self {
        for set in [&mut self.added, &mut self.modified, &mut self.removed] {
            set.subtract_recursively(excluded);
        }
        self
    }

    /// Added and modified paths together.
    pub(super) fn into_touched_and_removed(self) -> (Set<'a>, Set<'a>) {
        let mut touched = self.added;
        touched.absorb(self.modified);
        (touched, self.removed)
    }

    fn put(&mut self, element: PathElement<'a>, at: Flags, below: Changes<'a>) {
        self.added.push(element.clone(), at.added, below.added);
        self.modified.push(element.clone(), at.modified, below.modified);
        self.removed.push(element, at.removed, below.removed);
    }
}

/// What happened to one value itself.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    added: bool,
    modified: bool,
    removed: bool,
}

type Side<'a> = Option<&'a Value>;

fn visit<'a>(old: Side<'a>, new: Side<'a>, object_type: Type<'a>, below: &mut Changes<'a>) -> Flags {
    let form_old = old.map(|old| object_type.form(old));
    let form_new = new.map(|new| object_type.form(new));
    let mut flags = Flags::default();
    match (form_old, form_new) {
        (None, None) => return flags,
        (Some(form), None) => {
            if !part(form, old, new, object_type, below, &mut flags) {
                flags.removed = true;
            }
        }
        (None, Some(form)) => {
            if !part(form, old, new, object_type, below, &mut flags) {
                flags.added = true;
            }
        }
        (Some(before), Some(after)) => {
            // Where the type follows from the value, both forms have their say: one lost its parts, the other gained some.
            if typing::differ(before, after) {
                part(before, old, new, object_type, below, &mut flags);
            }
            part(after, old, new, object_type, below, &mut flags);
        }
    }
    flags
}

/// Compares two values as one form. Says whether they were compared as a whole.
fn part<'a>(form: Form<'a>, old: Side<'a>, new: Side<'a>, object_type: Type<'a>, below: &mut Changes<'a>, flags: &mut Flags) -> bool {
    let whole = match form {
        Form::Scalar => true,
        Form::Map { atomic } => {
            let (left, right) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
            let whole = atomic || (left.is_none_or(Map::is_empty) && right.is_none_or(Map::is_empty));
            if !whole {
                fields(left, right, object_type, below);
            }
            whole
        }
        Form::List(relation) => {
            let (left, right) = (items_of(old), items_of(new));
            let whole = matches!(relation, Relation::Atomic) || (left.is_empty() && right.is_empty());
            if !whole {
                items(left, right, object_type, relation, below);
            }
            whole
        }
    };
    if whole {
        match (old, new) {
            (None, _) => flags.added = true,
            (_, None) => flags.removed = true,
            (Some(old), Some(new)) => flags.modified |= !equal(old, new),
        }
    }
    whole
}

fn items_of(side: Side<'_>) -> &[Value] {
    match side {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

fn fields<'a>(left: Option<&'a Map<String, Value>>, right: Option<&'a Map<String, Value>>, object_type: Type<'a>, below: &mut Changes<'a>) {
    let mut one = |name: &'a String, old: Side<'a>, new: Side<'a>| {
        let (field_type, _) = object_type.field(name).unwrap_or((Type::Whole, false));
        let mut inside = Changes::default();
        let flags = visit(old, new, field_type, &mut inside);
        below.put(PathElement::field(name), flags, inside);
    };
    for (name, old) in left.into_iter().flatten() {
        let new = right.and_then(|right| right.get(name));
        // Most fields are equal: this spares looking up their types.
        if !new.is_some_and(|new| equal(old, new)) {
            one(name, Some(old), new);
        }
    }
    for (name, new) in right.into_iter().flatten() {
        if left.is_none_or(|left| !left.contains_key(name)) {
            one(name, None, Some(new));
        }
    }
}

fn items<'a>(left: &'a [Value], right: &'a [Value], object_type: Type<'a>, relation: Relation<'a>, below: &mut Changes<'a>) {
    if left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right)) {
        return;
    }
    let left = groups(left, object_type, relation);
    let right = groups(right, object_type, relation);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(left), Some(right)) => left.0.cmp(&right.0),
        };
        let old = left.next_if(|_| order.is_le());
        let new = right.next_if(|_| order.is_ge());
        let (old_items, new_items) = (old.as_ref().map_or(&[][..], |old| &old.1), new.as_ref().map_or(&[][..], |new| &new.1));
        let mut inside = Changes::default();
        let flags = occurrences(old_items, new_items, object_type.items(), &mut inside);
        if let Some((element, _)) = old.or(new) {
            below.put(element, flags, inside);
        }
    }
}

/// Compares all items of one name: one each as usual; several as if they were one atomic list.
fn occurrences<'a>(old: &[&'a Value], new: &[&'a Value], item_type: Type<'a>, inside: &mut Changes<'a>) -> Flags {
    match (old, new) {
        ([] | [_], [] | [_]) => visit(old.first().copied(), new.first().copied(), item_type, inside),
        ([_, _, ..], [_, _, ..]) => {
            let same = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| equal(old, new));
            Flags { modified: !same, ..Flags::default() }
        }
        (_, [] | [_]) => {
            let flags = visit(None, new.first().copied(), item_type, inside);
            Flags { removed: true, ..flags }
        }
        ([] | [_], _) => {
            let flags = visit(old.first().copied(), None, item_type, inside);
            Flags { added: true, ..flags }
        }
    }
}

/// The items of a list by name, in the order of the names.
fn groups<'a>(items: &'a [Value], list_type: Type<'a>, relation: Relation<'a>) -> Vec<(PathElement<'a>, Vec<&'a Value>)> {
    let named = items.iter().filter_map(|item| Some((list_type.item_element(relation, item).ok()?, item)));
    let mut named: Vec<_> = named.collect();
    named.sort_by(|left, right| left.0.cmp(&right.0));
    let mut groups: Vec<(PathElement<'a>, Vec<&'a Value>)> = Vec::with_capacity(named.len());
    for (element, item) in named {
        match groups.last_mut() {
            Some(last) if last.0 == element => last.1.push(item),
            _ => groups.push((element, vec![item])),
        }
    }
    groups
}
