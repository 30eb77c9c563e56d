//! The `fieldsV1` form of a set: nested JSON objects whose keys are path elements.
//!
//! Takes and gives JSON. Reading follows today's schema: a set that reaches into what is atomic by now owns the whole.

use serde_json::{Map, Value};

use crate::sim::apply::path::{BadElement, PathElement};
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::Type;

/// A set as read.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    pub(super) set: Set<'a>,
    /// Writing the set would give the same JSON.
    pub(super) faithful: bool,
}

/// Reads `fieldsV1`; the error says what is malformed.
pub(super) fn decode<'a>(fields: &'a Value, object_type: Type<'_>) -> Result<Decoded<'a>, String> {
    let mut faithful = true;
    let (set, _) = read(fields, Some(object_type), &mut faithful)?;
    Ok(Decoded { set, faithful })
}

/// The paths below a node, and whether the node itself is a member.
fn read<'a>(fields: &'a Value, at: Option<Type<'_>>, faithful: &mut bool) -> Result<(Set<'a>, bool), String> {
    let Value::Object(fields) = fields else {
        return Err(format!("expected an object, got {fields}"));
    };
    let mut member = false;
    let mut set = Set::with_capacity(fields.len());
    for (key, below) in fields {
        if key == "." {
            member = true;
            continue;
        }
        let element = match PathElement::parse(key) {
            Ok(element) => element,
            Err(BadElement::Unknown) => {
                *faithful = false;
                continue;
            }
            Err(BadElement::Malformed(text)) => return Err(format!("parsing key as path element: {text}")),
        };
        let below_type = at.and_then(|at| at.step(&element)).map(|(below_type, _)| below_type);
        let (mut children, mut child_is_member) = read(below, below_type, faithful)?;
        if !children.is_empty() && below_type.is_some_and(Type::is_closed) {
            (children, child_is_member, *faithful) = (Set::default(), true, false);
        }
        set.push(element, child_is_member, children);
    }
    // An empty object stands for the node itself; so does one whose keys all were of unknown kinds.
    let leaf = set.is_empty();
    *faithful &= !leaf || fields.is_empty();
    Ok((set, member || leaf))
}

/// Writes `fieldsV1`.
pub(super) fn encode(set: &Set<'_>) -> Value {
    let mut fields = Map::new();
    for node in set.nodes() {
        let mut below = encode(&node.children);
        if node.member
            && !node.children.is_empty()
            && let Value::Object(below) = &mut below
        {
            below.insert(".".to_owned(), Value::Object(Map::new()));
        }
        fields.insert(node.element.to_key(), below);
    }
    Value::Object(fields)
}
