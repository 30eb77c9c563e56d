//! Field paths: how one place in an object is named, in `managedFields` and in messages.
//!
//! Takes and gives path elements as values, as text for people (`.spec.ports[port=80]`) and as `managedFields` keys
//! (`f:spec`, `k:{"port":80}`). Never looks at an object.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use crate::sim::apply::value;

/// One step from a value to a value inside it.
#[derive(Clone, Debug)]
pub enum PathElement<'a> {
    /// A field of a struct or an entry of a map.
    Field(Cow<'a, str>),
    /// An item of a keyed list: its key fields, sorted by name.
    Key(Vec<(Cow<'a, str>, Cow<'a, Value>)>),
    /// An item of a set.
    Value(Cow<'a, Value>),
    /// An item of an atomic list; no one owns it, but stored field sets may hold it.
    Index(i64),
}

/// Why a `managedFields` key is not a path element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadElement {
    /// The letter before the colon is unknown: a later version may know it. Such elements are dropped.
    Unknown,
    /// Not a path element in any version.
    Malformed(String),
}

impl<'a> PathElement<'a> {
    /// A field by its name.
    pub fn field(name: &'a str) -> Self {
        Self::Field(Cow::Borrowed(name))
    }

    /// Reads a `managedFields` key.
    pub(super) fn parse(key: &'a str) -> Result<Self, BadElement> {
        match key.as_bytes() {
            [b'f', b':', ..] => Ok(Self::field(&key[2..])),
            [b'k', b':', ..] => parse_key(&key[2..]),
            [b'v', b':', ..] => match serde_json::from_str(&key[2..]) {
                Ok(value) => Ok(Self::Value(Cow::Owned(value))),
                Err(error) => Err(BadElement::Malformed(error.to_string())),
            },
            [b'i', b':', ..] => match key[2..].parse() {
                Ok(index) => Ok(Self::Index(index)),
                Err(_) => Err(BadElement::Malformed(format!("not an index: {key}"))),
            },
            [_, b':', ..] => Err(BadElement::Unknown),
            [] | [_] => Err(BadElement::Malformed("key must be 2 characters long:".to_owned())),
            _ => Err(BadElement::Malformed(format!("missing colon: {key}"))),
        }
    }

    /// The `managedFields` key.
    pub(super) fn to_key(&self) -> String {
        match self {
            Self::Field(name) => {
                let mut key = String::with_capacity(name.len() + 2);
                key.push_str("f:");
                key.push_str(name);
                key
            }
            Self::Key(fields) => {
                let mut key = "k:{".to_owned();
                for (position, (name, field)) in fields.iter().enumerate() {
                    if position > 0 {
                        key.push(',');
                    }
                    key.push_str(&value::to_json(&Value::String(name.to_string())));
                    key.push(':');
                    key.push_str(&value::to_json(field));
                }
                key.push('}');
                key
            }
            Self::Value(item) => format!("v:{}", value::to_json(item)),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

fn parse_key<'a>(json: &str) -> Result<PathElement<'a>, BadElement> {
    let fields: serde_json::Map<String, Value> = serde_json::from_str(json).map_err(|error| BadElement::Malformed(error.to_string()))?;
    let mut fields: Vec<(Cow<'a, str>, Cow<'a, Value>)> =
        fields.into_iter().map(|(name, value)| (Cow::Owned(name), Cow::Owned(value))).collect();
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(PathElement::Key(fields))
}

impl Ord for PathElement<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(left), Self::Field(right)) => left.as_ref().cmp(right.as_ref()),
            (Self::Key(left), Self::Key(right)) => {
                let pairs = left.iter().zip(right);
                let mut orders = pairs.map(|(left, right)| left.0.cmp(&right.0).then_with(|| value::order(&left.1, &right.1)));
                orders.find(|order| order.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
            }
            (Self::Value(left), Self::Value(right)) => value::order(left, right),
            (Self::Index(left), Self::Index(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for PathElement<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for PathElement<'_> {}

impl fmt::Display for PathElement<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(formatter, ".{name}"),
            Self::Key(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, field)| format!("{name}={}", value::in_path(field))).collect();
                write!(formatter, "[{}]", fields.join(","))
            }
            Self::Value(item) => write!(formatter, "[={}]", value::in_path(item)),
            Self::Index(index) => write!(formatter, "[{index}]"),
        }
    }
}

/// A place in an object, from the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(Vec<PathElement<'static>>);

impl FieldPath {
    /// The path through fields of these names: `["spec", "replicas"]` is `.spec.replicas`.
    pub fn of_fields(names: &[&str]) -> Self {
        Self(names.iter().map(|name| PathElement::Field(Cow::Owned((*name).to_owned()))).collect())
    }

    /// Its steps, from the root.
    pub fn elements(&self) -> &[PathElement<'static>] {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| write!(formatter, "{element}"))
    }
}
