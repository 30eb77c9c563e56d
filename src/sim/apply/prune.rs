//! Removing what a manager applied before and does not apply any more.
//!
//! Takes the merged object, what the manager owned and owns now, and what all others own. A part goes only if the manager
//! owned it itself and no one owns it now. A container that loses all its parts becomes null, as on the real server.

use serde_json::Value;

use crate::sim::apply::own::{owned_paths, with_structs};
use crate::sim::apply::path::PathElement;
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::{Form, Relation, Type};

/// Removes from `merged` what only `last` owned. `owned` is what all managers own now, this one included, by the
/// apiVersion that they wrote in; the version of `last` comes first.
pub(super) fn prune(merged: Value, object_type: Type<'_>, last: &Set<'_>, owned: &[Set<'_>]) -> Value {
    let last = with_structs(last.clone(), object_type);
    let mut pruned = merged.clone();
    remove(&mut pruned, object_type, &last);
    for owned in owned {
        let mut lost = lost_paths(&merged, &pruned, object_type);
        lost.subtract(&with_structs(owned.clone(), object_type));
        let mut restored = merged.clone();
        remove(&mut restored, object_type, &lost);
        drop(lost);
        pruned = restored;
    }
    let lost = lost_paths(&merged, &pruned, object_type).intersection(&last);
    let mut result = merged.clone();
    remove(&mut result, object_type, &lost);
    result
}

/// The paths of one object that another does not have.
fn lost_paths<'a>(from: &'a Value, to: &Value, object_type: Type<'a>) -> Set<'a> {
    let mut lost = with_structs(owned_paths(from, object_type), object_type);
    lost.subtract(&with_structs(owned_paths(to, object_type), object_type));
    lost
}

/// Removes paths from a value.
fn remove(value: &mut Value, value_type: Type<'_>, paths: &Set<'_>) {
    if paths.is_empty() {
        return;
    }
    let left_over = match value_type.form(value) {
        Form::Scalar => true,
        Form::Map { atomic: true } | Form::List(Relation::Atomic) => false,
        Form::Map { atomic: false } => remove_fields(value, value_type, paths),
        Form::List(relation) => remove_items(value, value_type, relation, paths),
    };
    if !left_over {
        *value = Value::Null;
    }
}

fn remove_fields(value: &mut Value, value_type: Type<'_>, paths: &Set<'_>) -> bool {
    let Value::Object(fields) = value else { return false };
    for node in paths.nodes() {
        let PathElement::Field(name) = &node.element else { continue };
        if node.member {
            fields.remove(name.as_ref());
        } else if let Some(field) = fields.get_mut(name.as_ref()) {
            let (field_type, _) = value_type.field(name).unwrap_or((Type::Whole, false));
            remove(field, field_type, &node.children);
        }
    }
    !fields.is_empty()
}

fn remove_items(value: &mut Value, value_type: Type<'_>, relation: Relation<'_>, paths: &Set<'_>) -> bool {
    let Value::Array(items) = value else { return false };
    items.retain_mut(|item| {
        let named = value_type.item_element(relation, item).ok();
        let Some(node) = named.and_then(|element| paths.get(&element)) else { return true };
        if !node.member {
            remove(item, value_type.items(), &node.children);
        }
        !node.member
    });
    !items.is_empty()
}
