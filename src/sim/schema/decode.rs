//! The typed decoder in front of built-in kinds: values of the wrong JSON type are refused before validation.
//!
//! Takes an object as it came in, gives the 400 that the server's JSON decoder gives. Unknown fields are not its concern.

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{Kind, Schema};
use crate::sim::api_error::ApiError;
use crate::sim::builtin::quantity::Quantity;

/// Checks a whole object of a built-in kind.
///
/// # Errors
/// 400 `<Kind> in version "<version>" cannot be handled as a <Kind>: json: cannot unmarshal ...`, for the first misfit.
pub fn check_types(schema: &Schema, value: &Value, kind: &str, version: &str) -> Result<(), ApiError> {
    let place = Place { owner: schema, above: None, name: "" };
    match misfit(schema, value, &place) {
        None => Ok(()),
        Some(why) => Err(ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))),
    }
}

/// As [`check_types`] for the metadata of a custom resource, which is typed although the rest is not.
///
/// # Errors
/// 400 as [`check_types`].
pub fn check_metadata(object: &Value, kind: &str, version: &str) -> Result<(), ApiError> {
    let schema = super::builtin::object_meta();
    let place = Place { owner: &schema, above: None, name: "metadata" };
    match object.get("metadata").and_then(|metadata| misfit(&schema, metadata, &place)) {
        None => Ok(()),
        Some(why) => Err(ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))),
    }
}

/// The struct that a field stands in, and the path of the field without indices and map keys, as Go reports both. The path is
/// spelled out for an error only: nearly all objects fit.
struct Place<'a> {
    owner: &'a Schema,
    above: Option<&'a Place<'a>>,
    name: &'a str,
}

impl Place<'_> {
    fn field(&self) -> String {
        self.above.map_or_else(|| self.name.to_owned(), |above| super::path::join(&above.field(), self.name))
    }
}

fn misfit(schema: &Schema, value: &Value, place: &Place<'_>) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let wrong = || Some(unmarshal_error(schema, value, place));
    match (schema.kind, value) {
        (Kind::Any, _) | (Kind::Boolean, Value::Bool(_)) | (Kind::Number, Value::Number(_)) => None,
        (Kind::String, Value::String(text)) => time_misfit(schema, text),
        (Kind::Integer, Value::Number(number)) => {
            let bits32 = schema.limits.format == "int32";
            let fits = number.as_i64().is_some_and(|number| !bits32 || i32::try_from(number).is_ok());
            if fits { None } else { wrong() }
        }
        (Kind::IntOrString, _) => flexible_misfit(schema, value),
        (Kind::Object, Value::Object(fields)) => {
            fields.iter().find_map(|(name, field)| match (schema.properties.get(name), &schema.additional) {
                (Some(declared), _) => misfit(declared, field, &Place { owner: schema, above: Some(place), name }),
                (None, Some(additional)) => misfit(additional, field, place),
                (None, None) => None,
            })
        }
        (Kind::Array, Value::Array(items)) => {
            let declared = schema.items.as_deref()?;
            items.iter().find_map(|item| misfit(declared, item, place))
        }
        _ => wrong(),
    }
}

fn unmarshal_error(schema: &Schema, value: &Value, place: &Place<'_>) -> String {
    let what = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        // Numbers that do not fit are spelled out, numbers in place of something else are not.
        Value::Number(number) if schema.kind == Kind::Integer => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    let go_type = go_type(schema);
    let owner = short_name(&place.owner.type_name);
    let field = place.field();
    if field.is_empty() || owner.is_empty() {
        return format!("json: cannot unmarshal {what} into Go value of type {go_type}");
    }
    format!("json: cannot unmarshal {what} into Go struct field {owner}.{field} of type {go_type}")
}

/// Amounts and numbers-or-names decode themselves and word their own errors.
fn flexible_misfit(schema: &Schema, value: &Value) -> Option<String> {
    if schema.limits.format == "quantity" {
        return match value {
            Value::String(text) if text.is_empty() => None,
            _ => Quantity::from_json(value).err(),
        };
    }
    match value {
        Value::String(_) => None,
        Value::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => None,
        Value::Number(number) => Some(format!("json: cannot unmarshal number {number} into Go value of type int32")),
        Value::Bool(_) => Some("json: cannot unmarshal bool into Go value of type int32".to_owned()),
        Value::Array(_) => Some("json: cannot unmarshal array into Go value of type int32".to_owned()),
        _ => Some("json: cannot unmarshal object into Go value of type int32".to_owned()),
    }
}

fn time_misfit(schema: &Schema, text: &str) -> Option<String> {
    match schema.limits.format.as_str() {
        "date-time" if text.parse::<jiff::Timestamp>().is_err() => {
            let micro = schema.type_name.ends_with(".MicroTime");
            let layout = if micro { "2006-01-02T15:04:05.000000Z07:00" } else { "2006-01-02T15:04:05Z07:00" };
            Some(format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"{text}\" as \"2006\""))
        }
        "byte" if !super::validate::is_base64(text) => {
            let bad = text.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/' | b'\n' | b'\r'));
            Some(format!("illegal base64 data at input byte {}", bad.unwrap_or(text.len())))
        }
        _ => None,
    }
}

/// A type as Go prints it: `int32`, `[]v1.Container`, `map[string]string`.
fn go_type(schema: &Schema) -> String {
    match schema.kind {
        Kind::Boolean => "bool".to_owned(),
        Kind::Integer if schema.limits.format == "int32" => "int32".to_owned(),
        Kind::Integer => "int64".to_owned(),
        Kind::Number => "float64".to_owned(),
        Kind::String if schema.limits.format == "byte" => "[]uint8".to_owned(),
        Kind::String => "string".to_owned(),
        Kind::IntOrString | Kind::Any => short_qualified(&schema.type_name),
        Kind::Array => format!("[]{}", schema.items.as_deref().map_or_else(String::new, go_type)),
        Kind::Object => match &schema.additional {
            Some(values) => format!("map[string]{}", go_type(values)),
            None => short_qualified(&schema.type_name),
        },
    }
}

fn short_name(type_name: &str) -> &str {
    type_name.rsplit('.').next().unwrap_or_default()
}

/// `io.k8s.api.core.v1.PodSpec` is `v1.PodSpec`.
fn short_qualified(type_name: &str) -> String {
    let mut parts = type_name.rsplit('.');
    let (name, package) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if package.is_empty() { name.to_owned() } else { format!("{package}.{name}") }
}
