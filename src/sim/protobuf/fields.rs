//! The field tables of `fields.txt`, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a field holds.
#[derive(Debug, PartialEq)]
pub(super) enum Type {
    Text,
    Bool,
    Integer,
    Number,
    Bytes,
    Raw,
    Time,
    MicroTime,
    Duration,
    Quantity,
    IntOrString,
    Message(&'static str),
    List(Box<Type>),
    Map(Box<Type>),
    /// A message whose field 1 is the value.
    Wrapped(Box<Type>),
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) kind: Type,
    /// Its fields belong to the parent in JSON.
    pub(super) inline: bool,
    /// Zero is a value, or always written.
    pub(super) zero_kept: bool,
}

static TABLE: LazyLock<BTreeMap<&'static str, Vec<Field>>> =
    LazyLock::new(|| include_str!("fields.txt").lines().filter(|line| !line.starts_with('#')).filter_map(parse_line).collect());

/// The fields of a message, with its name as in the table.
pub(super) fn message(name: &str) -> Option<(&'static str, &'static [Field])> {
    TABLE.get_key_value(name).map(|(name, fields)| (*name, fields.as_slice()))
}

fn parse_line(line: &'static str) -> Option<(&'static str, Vec<Field>)> {
    let (name, fields) = line.split_once(" =")?;
    Some((name, fields.split(',').filter_map(parse_field).collect()))
}

fn parse_field(text: &'static str) -> Option<Field> {
    let (number, rest) = text.trim().split_once(' ')?;
    let (name, kind) = rest.split_once(':')?;
    let zero_kept = kind.ends_with(['?', '!']);
    Some(Field {
        number: number.parse().ok()?,
        inline: name.starts_with('^'),
        name: name.trim_start_matches('^').to_owned(),
        kind: parse_type(kind.trim_end_matches(['?', '!'])),
        zero_kept,
    })
}

fn parse_type(text: &'static str) -> Type {
    if let Some(item) = text.strip_prefix('[') {
        return Type::List(Box::new(parse_type(item)));
    }
    if let Some(item) = text.strip_prefix('{') {
        return Type::Map(Box::new(parse_type(item)));
    }
    if let Some(inner) = text.strip_prefix('@') {
        return Type::Wrapped(Box::new(parse_type(inner)));
    }
    match text {
        "s" => Type::Text,
        "b" => Type::Bool,
        "i" => Type::Integer,
        "f" => Type::Number,
        "x" => Type::Bytes,
        "raw" => Type::Raw,
        "time" => Type::Time,
        "microtime" => Type::MicroTime,
        "duration" => Type::Duration,
        "quantity" => Type::Quantity,
        "intstr" => Type::IntOrString,
        name => Type::Message(name),
    }
}

#[cfg(test)]
mod tests {
    use super::{TABLE, Type};

    fn inner(kind: &Type) -> &Type {
        match kind {
            Type::List(item) | Type::Map(item) | Type::Wrapped(item) => inner(item),
            other => other,
        }
    }

    #[test]
    fn every_message_that_a_field_names_has_a_table() {
        assert!(TABLE.len() > 300);
        for (name, fields) in TABLE.iter() {
            for field in fields {
                if let Type::Message(target) = inner(&field.kind) {
                    assert!(TABLE.contains_key(target), "{name}.{} is a {target}", field.name);
                }
            }
        }
    }
}
