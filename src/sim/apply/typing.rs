//! What a schema says about ownership: is a value owned whole or part by part, and what are its parts called.
//!
//! Takes schema nodes, gives the form of a value and the types of its parts. Declared nodes follow their schema; where
//! nothing is declared the form is deduced from the value: maps part by part, lists whole. Below such a list everything
//! is whole. Never reads validations.

use std::borrow::Cow;

use serde_json::Value;

use crate::sim::apply::metadata;
use crate::sim::apply::path::PathElement;
use crate::sim::schema::{Kind, ListType, Schema};

/// The type of a value, as far as ownership goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type<'s> {
    /// A schema node.
    Declared {
        /// The node.
        schema: &'s Schema,
        /// It or a node above it preserves unknown fields, which admits undeclared fields here too.
        preserve: bool,
        /// It has `apiVersion`, `kind` and `metadata` whether or not the node declares them.
        object: bool,
    },
    /// Nothing is declared: deduced from the value.
    Deduced,
    /// Inside a deduced list: everything is whole.
    Whole,
}

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'s> {
    /// A struct or map, owned part by part or as a whole.
    Map { atomic: bool },
    /// A list.
    List(Relation<'s>),
    /// Text, number, boolean.
    Scalar,
}

/// How the items of a list are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relation<'s> {
    /// They are not: one owner for the list.
    Atomic,
    /// By their value.
    Set,
    /// By these fields.
    Keyed(&'s [String]),
}

/// The forms of two values differ.
pub(super) fn differ(left: Form<'_>, right: Form<'_>) -> bool {
    std::mem::discriminant(&left) != std::mem::discriminant(&right)
}

impl<'s> Type<'s> {
    /// The type of a whole object of this schema.
    pub(super) fn of_object(schema: &'s Schema) -> Self {
        Self::Declared { schema, preserve: schema.preserve_unknown, object: true }
    }

    fn of(schema: &'s Schema, preserve: bool) -> Self {
        let preserve = preserve || schema.preserve_unknown;
        Self::Declared { schema, preserve, object: schema.embedded_resource }
    }

    /// The form of a value of this type. A declared form holds even when the value does not fit it.
    pub(super) fn form(self, value: &Value) -> Form<'s> {
        match self {
            Self::Declared { schema, .. } => match schema.kind {
                Kind::Object => Form::Map { atomic: schema.atomic_map },
                Kind::Array => Form::List(relation(schema)),
                Kind::String | Kind::Integer | Kind::Number | Kind::Boolean => Form::Scalar,
                Kind::Any | Kind::IntOrString => match value {
                    Value::Object(_) | Value::Null => Form::Map { atomic: schema.atomic_map },
                    Value::Array(_) => Form::List(relation(schema)),
                    _ => Form::Scalar,
                },
            },
            Self::Deduced | Self::Whole => match value {
                Value::Object(_) | Value::Null => Form::Map { atomic: matches!(self, Self::Whole) },
                Value::Array(_) => Form::List(Relation::Atomic),
                _ => Form::Scalar,
            },
        }
    }

    /// Whether a stored set may not reach into values of this type: they are atomic and known to be so.
    pub(super) fn is_closed(self) -> bool {
        match self {
            Self::Declared { schema, .. } => match schema.kind {
                Kind::Object => schema.atomic_map && (!schema.properties.is_empty() || schema.additional.is_some()),
                Kind::Array => schema.list_type == ListType::Atomic,
                _ => false,
            },
            Self::Deduced => false,
            Self::Whole => true,
        }
    }

    /// The type of a field or entry, and whether it is a declared field; `None` if the schema does not know it.
    pub(super) fn field(self, name: &str) -> Option<(Type<'s>, bool)> {
        let Self::Declared { schema, preserve, object } = self else {
            return Some((self, false));
        };
        if object {
            match name {
                "metadata" => return Some((Self::of(metadata::metadata_schema(), false), true)),
                "apiVersion" | "kind" => return Some((Self::of(metadata::text_schema(), false), true)),
                _ => {}
            }
        }
        if let Some(field) = schema.properties.get(name) {
            return Some((Self::of(field, preserve), true));
        }
        match &schema.additional {
            Some(entry) => Some((Self::of(entry, preserve), false)),
            None if preserve || schema.properties.is_empty() => Some((Self::Deduced, false)),
            None => None,
        }
    }

    /// The type of the items of a list.
    pub(super) fn items(self) -> Type<'s> {
        match self {
            Self::Declared { schema, preserve, .. } => schema.items.as_ref().map_or(Self::Whole, |items| Self::of(items, preserve)),
            Self::Deduced | Self::Whole => Self::Whole,
        }
    }

    /// The type of what a stored path element leads to, where that can be told without the object.
    pub(super) fn step(self, element: &PathElement<'_>) -> Option<(Type<'s>, bool)> {
        match element {
            PathElement::Field(name) => match self {
                Self::Declared { schema, .. } if !matches!(schema.kind, Kind::Object | Kind::Any | Kind::IntOrString) => None,
                _ => self.field(name),
            },
            PathElement::Key(_) => match self {
                Self::Declared { schema, .. } => schema.items.as_ref().map(|_| (self.items(), false)),
                Self::Deduced | Self::Whole => None,
            },
            PathElement::Value(_) | PathElement::Index(_) => None,
        }
    }

    /// The default of a key field of the items of this list.
    fn key_default(self, name: &str) -> Option<&'s Value> {
        match self {
            Self::Declared { schema, .. } => schema.items.as_ref()?.properties.get(name)?.default.as_ref(),
            Self::Deduced | Self::Whole => None,
        }
    }

    /// What an item of this list is called; the error is the server's text.
    pub(super) fn item_element<'a>(self, relation: Relation<'s>, item: &'a Value) -> Result<PathElement<'a>, String>
    where
        's: 'a,
    {
        match relation {
            Relation::Atomic => Err("invalid indexing of non-associative list".to_owned()),
            Relation::Set => set_element(item),
            Relation::Keyed(keys) => self.keyed_element(keys, item),
        }
    }

    fn keyed_element<'a>(self, keys: &'s [String], item: &'a Value) -> Result<PathElement<'a>, String>
    where
        's: 'a,
    {
        let fields = match item {
            Value::Object(fields) => fields,
            Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
            _ => return Err("associative list with keys may not have non-map elements".to_owned()),
        };
        let mut element = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(value) = fields.get(key).or_else(|| self.key_default(key)) {
                element.push((Cow::Borrowed(key.as_str()), Cow::Borrowed(value)));
            }
        }
        if element.is_empty() {
            let keys: Vec<_> = keys.iter().map(|key| format!("\"{key}\"")).collect();
            return Err(format!(
                "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
                keys.join(" ")
            ));
        }
        element.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(PathElement::Key(element))
    }
}

fn relation(schema: &Schema) -> Relation<'_> {
    match &schema.list_type {
        ListType::Atomic => Relation::Atomic,
        ListType::Set => Relation::Set,
        ListType::Map { keys } => Relation::Keyed(keys),
    }
}

fn set_element(item: &Value) -> Result<PathElement<'_>, String> {
    match item {
        Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
        Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
        Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
        _ => Ok(PathElement::Value(Cow::Borrowed(item))),
    }
}
