//! JSON values as CEL sees them under a schema: escaped field names, times, durations, bytes.

use std::sync::Arc;

use kube_cel::cel::Value as Cel;
use kube_cel::cel::functions::{duration, timestamp};
use kube_cel::cel::objects::{Key, Map};
use serde_json::Value;

use crate::sim::schema::validate::lists;
use crate::sim::schema::{Kind, ListType, Schema};

/// Converts a value. `resource` marks the root: of its metadata rules see only the names.
pub fn convert(schema: &Schema, value: &Value, resource: bool) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) if schema.kind == Kind::Number => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        Value::Number(number) => number.as_i64().map_or_else(|| whole_or_float(number, schema.kind), Cel::Int),
        Value::String(text) => convert_text(schema, text),
        Value::Array(items) => list(schema, items),
        Value::Object(fields) => {
            let names_only = resource || schema.embedded_resource;
            let field = |name: &String, field: &Value| -> Option<(Key, Cel)> {
                match schema.properties.get(name) {
                    Some(declared) if names_only && name == "metadata" => Some((key(&escape(name)), names(declared, field))),
                    Some(declared) => Some((key(&escape(name)), convert(declared, field, false))),
                    // Keys of maps are data, not field names; undeclared fields that are kept are invisible to rules.
                    None => schema.additional.as_ref().map(|additional| (key(name), convert(additional, field, false))),
                }
            };
            map(fields.iter().filter_map(|(name, value)| field(name, value)))
        }
    }
}

/// The old value in the order of the new one where the order of a list means nothing, so that `==` ignores it.
pub fn convert_old(schema: &Schema, old: &Value, new: &Value, resource: bool) -> Cel {
    convert(schema, &aligned(schema, old, new), resource)
}

fn aligned(schema: &Schema, old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let field = |name: &String, old: &Value| match (schema.properties.get(name).or(schema.additional.as_ref()), new.get(name)) {
                (Some(schema), Some(new)) => aligned(schema, old, new),
                _ => old.clone(),
            };
            Value::Object(old.iter().map(|(name, value)| (name.clone(), field(name, value))).collect())
        }
        (Value::Array(old), Value::Array(new)) => Value::Array(aligned_items(schema, old, new)),
        _ => old.clone(),
    }
}

fn aligned_items(schema: &Schema, old: &[Value], new: &[Value]) -> Vec<Value> {
    let Some(items) = schema.items.as_ref().filter(|_| schema.list_type != ListType::Atomic) else { return old.to_vec() };
    let key = |item: &Value| lists::key_of(&schema.list_type, &items.properties, item);
    let place = |item: &Value| new.iter().position(|candidate| key(candidate) == key(item));
    let mut ordered: Vec<(usize, Value)> = old
        .iter()
        .map(|item| match place(item) {
            Some(index) => (index, aligned(items, item, &new[index])),
            None => (usize::MAX, item.clone()),
        })
        .collect();
    ordered.sort_by_key(|(index, _)| *index);
    ordered.into_iter().map(|(_, item)| item).collect()
}

fn list(schema: &Schema, items: &[Value]) -> Cel {
    let anything = Schema::default();
    let item_schema = schema.items.as_deref().unwrap_or(&anything);
    Cel::List(Arc::new(items.iter().map(|item| convert(item_schema, item, false)).collect()))
}

fn names(schema: &Schema, metadata: &Value) -> Cel {
    let visible = ["name", "generateName"];
    map(visible.into_iter().filter_map(|name| {
        let field = metadata.get(name)?;
        let declared = schema.properties.get(name)?;
        Some((key(name), convert(declared, field, false)))
    }))
}

fn whole_or_float(number: &serde_json::Number, kind: Kind) -> Cel {
    match (number.as_u64(), number.as_f64()) {
        (Some(unsigned), _) => Cel::UInt(unsigned),
        // `1.0` is an integer where the schema says so.
        (None, Some(float)) if kind == Kind::Integer || kind == Kind::IntOrString => Cel::Int(float as i64),
        (None, float) => Cel::Float(float.unwrap_or(f64::NAN)),
    }
}

fn convert_text(schema: &Schema, text: &str) -> Cel {
    let plain = || Cel::String(Arc::new(text.to_owned()));
    if schema.kind != Kind::String {
        return plain();
    }
    let shared = || Arc::new(text.to_owned());
    match schema.limits.format.as_str() {
        "date-time" | "datetime" => timestamp(shared()).unwrap_or_else(|_| plain()),
        "date" => timestamp(Arc::new(format!("{text}T00:00:00Z"))).unwrap_or_else(|_| plain()),
        "duration" => duration(shared()).unwrap_or_else(|_| plain()),
        "byte" => decode_base64(text).map_or_else(plain, |bytes| Cel::Bytes(Arc::new(bytes))),
        _ => plain(),
    }
}

/// Padded standard base64; `None` for anything else, which validation has already refused.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits: u32 = 0;
    let mut count = 0;
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r' | b'=')) {
        let digit = ALPHABET.iter().position(|candidate| *candidate == byte)?;
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

fn map(entries: impl Iterator<Item = (Key, Cel)>) -> Cel {
    Cel::Map(Map { map: Arc::new(entries.collect()) })
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

/// Words of the language that cannot be field names as they are.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A field name as rules spell it: `foo-bar` is `foo__dash__bar`.
pub fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__").replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__")
}
