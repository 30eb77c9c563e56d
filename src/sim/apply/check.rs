//! Does an object fit its schema well enough to be merged: declared fields, rough types, list keys, duplicates.
//!
//! Takes an object, gives the server's errors. Looks at no other validation: ranges, required fields and the like come
//! later, on the merged object.

use serde_json::Value;

use crate::sim::apply::path::PathElement;
use crate::sim::apply::typing::{Form, Relation, Type};
use crate::sim::apply::value;
use crate::sim::schema::Kind;

/// Whether lists may hold the same key or value twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duplicates {
    /// Stored objects: they were admitted before.
    Allowed,
    /// Applied objects.
    Refused,
}

/// One thing that does not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Path elements, innermost first; turned into text only when there is an error.
    path: Vec<String>,
    text: String,
}

/// All errors as one text, empty path for the object as a whole.
pub(super) fn check(object: &Value, object_type: Type<'_>, duplicates: Duplicates) -> Result<(), String> {
    let mut checker = Checker { duplicates, misfits: Vec::new() };
    checker.visit(object, object_type);
    let mut lines = checker.misfits.iter().map(Misfit::line);
    match (lines.next(), checker.misfits.len()) {
        (None, _) => Ok(()),
        (Some(line), 1) => Err(line),
        (Some(first), _) => {
            let lines: Vec<_> = std::iter::once(first).chain(lines).map(|line| format!("\n  {line}")).collect();
            Err(format!("errors:{}", lines.concat()))
        }
    }
}

/// Whether two stored objects fit: what `old` has like `new` is looked at once.
pub(super) fn both_fit(old: &Value, new: &Value, object_type: Type<'_>) -> bool {
    if check(new, object_type, Duplicates::Allowed).is_err() {
        return false;
    }
    let (Value::Object(old), Some(new)) = (old, new.as_object()) else { return false };
    old.iter().filter(|(name, value)| new.get(*name) != Some(value)).all(|(name, value)| match object_type.field(name) {
        Some((field_type, _)) => check(value, field_type, Duplicates::Allowed).is_ok(),
        None => false,
    })
}

impl Misfit {
    fn line(&self) -> String {
        if self.path.is_empty() {
            return self.text.clone();
        }
        let path: String = self.path.iter().rev().map(String::as_str).collect();
        format!("{path}: {}", self.text)
    }
}

struct Checker {
    duplicates: Duplicates,
    misfits: Vec<Misfit>,
}

impl Checker {
    fn visit(&mut self, object: &Value, object_type: Type<'_>) {
        if !matches!(object_type, Type::Declared { .. }) {
            // Where nothing is declared everything fits.
            return;
        }
        match object_type.form(object) {
            Form::Scalar => self.scalar(object, object_type),
            Form::Map { .. } => self.map(object, object_type),
            Form::List(relation) => self.list(object, object_type, relation),
        }
    }

    fn refuse(&mut self, text: impl Into<String>) {
        self.misfits.push(Misfit { path: Vec::new(), text: text.into() });
    }

    /// Prefixes everything that was found since `before`.
    fn below(&mut self, before: usize, element: impl Fn() -> String) {
        for misfit in &mut self.misfits[before..] {
            misfit.path.push(element());
        }
    }

    fn scalar(&mut self, object: &Value, object_type: Type<'_>) {
        let Type::Declared { schema, .. } = object_type else { return };
        let any_scalar = schema.kind == Kind::String && !matches!(schema.limits.format.as_str(), "" | "byte");
        match (schema.kind, object) {
            (_, Value::Null)
            | (Kind::String, Value::String(_))
            | (Kind::Integer | Kind::Number, Value::Number(_))
            | (Kind::Boolean, Value::Bool(_)) => {}
            (Kind::String, Value::Number(_) | Value::Bool(_)) if any_scalar => {}
            (Kind::String, _) if any_scalar => self.refuse(format!("expected any scalar, got &{{{}}}", value::plain(object))),
            (Kind::String, _) => {
                self.refuse(format!("expected string, got &value.valueUnstructured{{Value:{}}}", value::in_syntax(object)));
            }
            (Kind::Integer | Kind::Number, _) => {
                self.refuse(format!("expected numeric (int or float), got {}", value::type_name(object)));
            }
            (Kind::Boolean, _) => self.refuse(format!("expected boolean, got &{{{}}}", value::plain(object))),
            (Kind::Any | Kind::IntOrString | Kind::Object | Kind::Array, _) => {}
        }
    }

    fn map(&mut self, object: &Value, object_type: Type<'_>) {
        let fields = match object {
            Value::Object(fields) => fields,
            Value::Null => return,
            other => return self.refuse(format!("expected map, got &{{{}}}", value::plain(other))),
        };
        for (name, value) in fields {
            let before = self.misfits.len();
            let field = object_type.field(name);
            match field {
                Some((field_type, _)) => self.visit(value, field_type),
                None => self.refuse("field not declared in schema"),
            }
            self.below(before, || format!(".{name}"));
            if field.is_none() {
                // The server stops at the first undeclared field of a map.
                return;
            }
        }
    }

    fn list(&mut self, object: &Value, object_type: Type<'_>, relation: Relation<'_>) {
        let items = match object {
            Value::Array(items) => items,
            Value::Null => return,
            other => return self.refuse(format!("expected list, got &{{{}}}", value::plain(other))),
        };
        let mut seen: Vec<PathElement<'_>> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let element = match relation {
                Relation::Atomic => PathElement::Index(i64::try_from(index).unwrap_or(i64::MAX)),
                _ => match object_type.item_element(relation, item) {
                    Ok(element) => element,
                    Err(text) => return self.refuse(format!("element {index}: {text}")),
                },
            };
            let before = self.misfits.len();
            self.visit(item, object_type.items());
            self.below(before, || element.to_string());
            if self.duplicates == Duplicates::Refused && !matches!(relation, Relation::Atomic) {
                match seen.binary_search(&element) {
                    Ok(_) => self.misfits.insert(before, Misfit { path: Vec::new(), text: format!("duplicate entries for key {element}") }),
                    Err(at) => seen.insert(at, element),
                }
            }
        }
    }
}
