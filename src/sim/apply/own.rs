//! Which paths an applied object owns.
//!
//! Takes an object and its type, gives the set: leaves, atomic parts, empty maps, nulls, list items and map entries; not
//! the structs above them.

use serde_json::Value;

use crate::sim::apply::path::PathElement;
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::{Form, Relation, Type};

/// The paths of an object.
pub(super) fn owned_paths<'a>(object: &'a Value, object_type: Type<'a>) -> Set<'a> {
    let mut set = Set::default();
    visit(object, object_type, &mut set);
    set
}

/// Collects what is below into `below`; says whether the value itself is in the set.
fn visit<'a>(object: &'a Value, object_type: Type<'a>, below: &mut Set<'a>) -> bool {
    match object_type.form(object) {
        Form::Scalar | Form::Map { atomic: true } | Form::List(Relation::Atomic) => true,
        Form::Map { atomic: false } => {
            visit_map(object, object_type, below);
            false
        }
        Form::List(relation) => {
            visit_list(object, object_type, relation, below);
            false
        }
    }
}

fn visit_map<'a>(object: &'a Value, object_type: Type<'a>, below: &mut Set<'a>) {
    let Value::Object(fields) = object else { return };
    *below = Set::with_capacity(fields.len());
    for (name, value) in fields {
        // Undeclared fields were refused before; a stored object of an older schema may still hold one.
        let (field_type, declared) = object_type.field(name).unwrap_or((Type::Whole, true));
        let mut children = Set::default();
        let member = visit(value, field_type, &mut children);
        let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
        below.push(PathElement::field(name), member || empty || !declared, children);
    }
}

fn visit_list<'a>(object: &'a Value, object_type: Type<'a>, relation: Relation<'a>, below: &mut Set<'a>) {
    let Value::Array(items) = object else { return };
    let mut named: Vec<_> = items.iter().filter_map(|item| Some((object_type.item_element(relation, item).ok()?, item))).collect();
    named.sort_by(|left, right| left.0.cmp(&right.0));
    let mut rest = named.into_iter().peekable();
    while let Some((element, item)) = rest.next() {
        let mut single = true;
        while rest.next_if(|next| next.0 == element).is_some() {
            single = false;
        }
        let mut children = Set::default();
        if single {
            visit(item, object_type.items(), &mut children);
        }
        below.push(element, true, children);
    }
}

/// Adds to a set every declared field that a path of the set passes through.
pub(super) fn with_structs<'a>(mut set: Set<'a>, set_type: Type<'_>) -> Set<'a> {
    add_structs(&mut set, Some(set_type));
    set
}

fn add_structs(set: &mut Set<'_>, set_type: Option<Type<'_>>) {
    for node in set.nodes_mut() {
        if node.children.is_empty() {
            continue;
        }
        let step = set_type.and_then(|set_type| set_type.step(&node.element));
        node.member |= step.is_some_and(|(_, declared)| declared);
        add_structs(&mut node.children, step.map(|(below, _)| below));
    }
}
