//! Protobuf request bodies of Kubernetes clients, turned into the JSON that the same client would have sent.
//!
//! Takes the bytes of a body (`k8s\0`, an envelope with type, the message), gives the object with `apiVersion` and `kind`.
//! Knows the built-in kinds in `fields.txt`; others are refused with 415. Unknown fields are skipped, as in any protobuf
//! reader. Never encodes: answers are always JSON.

mod fields;
mod wire;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::fields::{Field, Type, message};
use self::wire::{Entry, Malformed, Raw, entries};
use crate::sim::api_error::ApiError;

/// Content type of these bodies.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8] = b"k8s\0";

/// Deepest nesting of messages; Kubernetes types stay far below.
const DEPTH_MAX: usize = 32;

/// The object in `body`.
///
/// # Errors
/// 400 for malformed bytes, 415 for a kind without field table.
pub fn decode(body: &[u8]) -> Result<Value, ApiError> {
    let envelope = body
        .strip_prefix(MAGIC)
        .ok_or_else(|| ApiError::bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"))?;
    let envelope = Envelope::read(envelope).map_err(malformed)?;
    let name = root_message(&envelope.api_version, &envelope.kind).ok_or_else(|| unknown_kind(&envelope))?;
    let mut object = Map::new();
    read_message(name, envelope.raw, 0, &mut object).map_err(malformed)?;
    if !envelope.api_version.is_empty() {
        object.insert("apiVersion".to_owned(), json!(envelope.api_version));
    }
    if !envelope.kind.is_empty() {
        object.insert("kind".to_owned(), json!(envelope.kind));
    }
    Ok(Value::Object(object))
}

fn malformed(error: Malformed) -> ApiError {
    ApiError::bad_request(format!("protobuf body: {}", error.0))
}

fn unknown_kind(envelope: &Envelope<'_>) -> ApiError {
    let Envelope { api_version, kind, .. } = envelope;
    ApiError::new(
        415,
        "UnsupportedMediaType",
        format!("the simulated cluster reads no protobuf bodies of {api_version} {kind}: send application/json"),
    )
    .with_details(json!({}))
}

/// `runtime.Unknown`: what kind of object the bytes are.
struct Envelope<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut envelope = Envelope { api_version: String::new(), kind: String::new(), raw: &[] };
        for entry in entries(bytes) {
            match entry? {
                Entry { number: 1, raw: Raw::Bytes(type_meta) } => {
                    for part in entries(type_meta) {
                        match part? {
                            Entry { number: 1, raw: Raw::Bytes(text) } => envelope.api_version = wire::text(text)?,
                            Entry { number: 2, raw: Raw::Bytes(text) } => envelope.kind = wire::text(text)?,
                            _ => {}
                        }
                    }
                }
                Entry { number: 2, raw: Raw::Bytes(raw) } => envelope.raw = raw,
                _ => {}
            }
        }
        Ok(envelope)
    }
}

/// The name in `fields.txt` of a kind, if it has a table.
fn root_message(api_version: &str, kind: &str) -> Option<&'static str> {
    let prefix = match api_version {
        _ if kind == "DeleteOptions" => "meta",
        "v1" => "core",
        "apps/v1" => "apps",
        "batch/v1" => "batch",
        "autoscaling/v1" => "autoscaling",
        "autoscaling/v2" => "autoscaling2",
        "policy/v1" => "policy",
        "rbac.authorization.k8s.io/v1" => "rbac",
        "coordination.k8s.io/v1" => "coordination",
        "discovery.k8s.io/v1" => "discovery",
        "events.k8s.io/v1" => "events",
        "networking.k8s.io/v1" => "networking",
        "scheduling.k8s.io/v1" => "scheduling",
        "storage.k8s.io/v1" => "storage",
        "authentication.k8s.io/v1" => "authentication",
        "authorization.k8s.io/v1" => "authorization",
        _ => return None,
    };
    message(&format!("{prefix}.{kind}")).map(|(name, _)| name)
}

/// Reads a message into `object`: fields that are present, and the zero values that Go would write.
fn read_message(name: &str, bytes: &[u8], depth: usize, object: &mut Map<String, Value>) -> Result<(), Malformed> {
    let Some((_, table)) = message(name) else { return Err(Malformed(format!("no field table for {name}"))) };
    if depth > DEPTH_MAX {
        return Err(Malformed(format!("more than {DEPTH_MAX} levels")));
    }
    let mut grouped: BTreeMap<u32, Vec<Raw<'_>>> = BTreeMap::new();
    for entry in entries(bytes) {
        let entry = entry?;
        grouped.entry(entry.number).or_default().push(entry.raw);
    }
    for field in table {
        let Some(raws) = grouped.get(&field.number) else { continue };
        if field.inline {
            if let (Type::Message(inner), Some(Raw::Bytes(bytes))) = (&field.kind, raws.last()) {
                read_message(inner, bytes, depth + 1, object)?;
            }
        } else if let Some(value) = read_field(field, raws, depth)? {
            object.insert(field.name.clone(), value);
        }
    }
    Ok(())
}

fn read_field(field: &Field, raws: &[Raw<'_>], depth: usize) -> Result<Option<Value>, Malformed> {
    match &field.kind {
        Type::List(item) => read_list(item, raws, depth).map(Some),
        Type::Map(item) => {
            let mut map = Map::new();
            for raw in raws {
                let (key, value) = read_map_entry(item, raw.bytes()?, depth)?;
                map.insert(key, value);
            }
            Ok(Some(Value::Object(map)))
        }
        single => {
            let Some(raw) = raws.last() else { return Ok(None) };
            let value = read_single(single, raw, depth)?;
            Ok(Some(value).filter(|value| field.zero_kept || !is_zero(value)))
        }
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn read_list(item: &Type, raws: &[Raw<'_>], depth: usize) -> Result<Value, Malformed> {
    let mut list = Vec::new();
    for raw in raws {
        match (item, raw) {
            (Type::Integer, Raw::Bytes(packed)) => {
                let mut rest = *packed;
                while !rest.is_empty() {
                    let (number, after) = wire::varint(rest)?;
                    list.push(json!(number.cast_signed()));
                    rest = after;
                }
            }
            _ => list.push(read_single(item, raw, depth)?),
        }
    }
    Ok(Value::Array(list))
}

fn read_map_entry(item: &Type, bytes: &[u8], depth: usize) -> Result<(String, Value), Malformed> {
    let mut key = String::new();
    let mut value = None;
    for entry in entries(bytes) {
        match entry? {
            Entry { number: 1, raw } => key = wire::text(raw.bytes()?)?,
            Entry { number: 2, raw } => value = Some(read_single(item, &raw, depth)?),
            _ => {}
        }
    }
    // An absent value is the type's zero value; only texts and bytes occur that way.
    Ok((key, value.unwrap_or_else(|| json!(""))))
}

fn read_single(kind: &Type, raw: &Raw<'_>, depth: usize) -> Result<Value, Malformed> {
    Ok(match kind {
        Type::Text => json!(wire::text(raw.bytes()?)?),
        Type::Bool => json!(raw.number()? != 0),
        Type::Integer => json!(raw.number()?.cast_signed()),
        Type::Number => json!(raw.double()?),
        Type::Bytes => json!(base64(raw.bytes()?)),
        Type::Quantity => json!(first_text(raw.bytes()?, 1)?),
        Type::Raw => embedded_json(raw.bytes()?)?,
        Type::Time => timestamp(raw.bytes()?, 0)?,
        Type::MicroTime => timestamp(raw.bytes()?, 6)?,
        Type::Duration => duration(raw.bytes()?)?,
        Type::IntOrString => int_or_string(raw.bytes()?)?,
        Type::Wrapped(inner) => {
            let items: Vec<Raw<'_>> = entries(raw.bytes()?)
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .filter(|entry| entry.number == 1)
                .map(|entry| entry.raw)
                .collect();
            match inner.as_ref() {
                Type::List(item) => read_list(item, &items, depth + 1)?,
                other => return Err(Malformed(format!("wrapped {other:?}"))),
            }
        }
        Type::Message(name) => {
            let mut object = Map::new();
            read_message(name, raw.bytes()?, depth + 1, &mut object)?;
            Value::Object(object)
        }
        Type::List(_) | Type::Map(_) => return Err(Malformed("a list of lists or maps".to_owned())),
    })
}

fn first_text(bytes: &[u8], number: u32) -> Result<String, Malformed> {
    for entry in entries(bytes) {
        let entry = entry?;
        if entry.number == number {
            return wire::text(entry.raw.bytes()?);
        }
    }
    Ok(String::new())
}

fn embedded_json(bytes: &[u8]) -> Result<Value, Malformed> {
    for entry in entries(bytes) {
        let entry = entry?;
        if entry.number == 1 {
            return serde_json::from_slice(entry.raw.bytes()?).map_err(|error| Malformed(format!("embedded JSON: {error}")));
        }
    }
    Ok(Value::Null)
}

fn varint_fields(bytes: &[u8]) -> Result<BTreeMap<u32, i64>, Malformed> {
    let mut numbers = BTreeMap::new();
    for entry in entries(bytes) {
        let entry = entry?;
        if let Raw::Varint(number) = entry.raw {
            numbers.insert(entry.number, number.cast_signed());
        }
    }
    Ok(numbers)
}

/// RFC 3339 with `decimals` of the second; null for the zero time, which is an empty message.
fn timestamp(bytes: &[u8], decimals: u8) -> Result<Value, Malformed> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let numbers = varint_fields(bytes)?;
    let part = |number: u32| numbers.get(&number).copied().unwrap_or(0);
    let nanoseconds = i32::try_from(part(2)).map_err(|_| Malformed("time out of range".to_owned()))?;
    let time = jiff::Timestamp::new(part(1), nanoseconds).map_err(|error| Malformed(format!("time: {error}")))?;
    Ok(json!(format!("{time:.precision$}", precision = usize::from(decimals))))
}

/// Go's text of a duration in nanoseconds, in seconds: enough for the few fields that have one.
fn duration(bytes: &[u8]) -> Result<Value, Malformed> {
    let nanoseconds = varint_fields(bytes)?.get(&1).copied().unwrap_or(0);
    let (seconds, rest) = (nanoseconds / 1_000_000_000, (nanoseconds % 1_000_000_000).unsigned_abs());
    let fraction = if rest == 0 { String::new() } else { format!(".{}", format!("{rest:09}").trim_end_matches('0')) };
    Ok(json!(format!("{seconds}{fraction}s")))
}

fn int_or_string(bytes: &[u8]) -> Result<Value, Malformed> {
    let numbers = varint_fields(bytes)?;
    if numbers.get(&1).copied().unwrap_or(0) == 0 {
        return Ok(json!(numbers.get(&2).copied().unwrap_or(0)));
    }
    Ok(json!(first_text(bytes, 3)?))
}

/// Standard base64 with padding, as JSON carries bytes.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| (group << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let index = (group >> (18 - 6 * position)) & 63;
            text.push(if position <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests;
