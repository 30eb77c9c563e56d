//! Request bodies: JSON, YAML or protobuf in, one JSON value out, with the duplicate fields that were found on the way.
//!
//! YAML is read as the server reads it, by the rules of YAML 1.1: `yes`, `no`, `on`, `off`, `y`, `n` are booleans and `010`
//! is 8. What differs: floats without fraction stay floats, and only one document is read. For duplicate fields the last
//! one wins; of those in YAML only the first is reported.

mod duplicates;

use bytes::Bytes;
use serde_json::{Value, json};

use super::negotiate::media_type;
use crate::sim::api_error::ApiError;
use crate::sim::protobuf;

/// Largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// A decoded body.
#[derive(Debug, PartialEq)]
pub struct Decoded {
    /// The object.
    pub value: Value,
    /// What the server says of each field that occurs twice, in order.
    pub duplicates: Vec<String>,
}

/// Reads the body of a POST or PUT.
///
/// # Errors
/// 415 for another content type, 413 if too large, 400 if malformed. `kind` is what the resource expects, for the text.
pub fn object(content_type: &str, body: &Bytes, kind: &str, custom: bool) -> Result<Decoded, ApiError> {
    let media_type = media_type(content_type);
    let known =
        matches!(media_type.as_str(), "" | "application/json" | "application/yaml") || media_type == protobuf::MEDIA_TYPE && !custom;
    if !known {
        return Err(unsupported(if custom { CUSTOM_TYPES } else { BUILTIN_TYPES }));
    }
    check_size(body)?;
    match media_type.as_str() {
        "application/yaml" => from_yaml(body).map_err(|text| unrecognized(kind, &text, body)),
        protobuf::MEDIA_TYPE => Ok(Decoded { value: protobuf::decode(body)?, duplicates: Vec::new() }),
        _ => from_json(body).map_err(|text| unrecognized(kind, &text, body)),
    }
}

/// Reads the body of a patch, whose type was checked before.
///
/// # Errors
/// 413 if too large, 400 if malformed.
pub fn patch(body: &Bytes, apply: bool) -> Result<Decoded, ApiError> {
    check_size(body)?;
    if apply {
        let json = from_json(body);
        return json.or_else(|_| from_yaml(body)).map_err(|text| ApiError::bad_request(format!("error decoding YAML: {text}")));
    }
    from_json(body).map_err(|text| ApiError::bad_request(format!("error decoding patch: {text}")))
}

/// Content types of bodies that built-in kinds are sent in.
pub const BUILTIN_TYPES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
/// The same of custom resources.
pub const CUSTOM_TYPES: &str = "application/json, application/yaml";

/// 415 with the types that would do.
pub fn unsupported(types: &str) -> ApiError {
    let message = format!("the body of the request was in an unknown format - accepted media types include: {types}");
    ApiError::new(415, "UnsupportedMediaType", message).with_details(json!({}))
}

/// 413 for bodies over the limit.
pub fn check_size(body: &Bytes) -> Result<(), ApiError> {
    if body.len() <= BODY_BYTES_MAX { Ok(()) } else { Err(too_large()) }
}

/// The refusal of a body over the limit.
pub fn too_large() -> ApiError {
    let message = format!("Request entity too large: limit is {BODY_BYTES_MAX}");
    ApiError::new(413, "RequestEntityTooLarge", message).with_details(json!({}))
}

fn from_json(body: &Bytes) -> Result<Decoded, String> {
    let value = serde_json::from_slice(body).map_err(|error| go_syntax_error(&error, body))?;
    let duplicates = duplicates::of(body).iter().map(|path| format!("duplicate field {path:?}")).collect();
    Ok(Decoded { value, duplicates })
}

fn from_yaml(body: &Bytes) -> Result<Decoded, String> {
    let text = std::str::from_utf8(body).map_err(|_| "yaml: invalid leading UTF-8 octet".to_owned())?;
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins, legacy_octal_numbers: true };
    let value =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| format!("error converting YAML to JSON: yaml: {error}"))?;
    Ok(Decoded { value, duplicates: yaml_duplicate(text).into_iter().collect() })
}

/// What Go's YAML decoder says of the first key that stands twice in one mapping.
fn yaml_duplicate(text: &str) -> Option<String> {
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error, legacy_octal_numbers: true };
    let error = serde_saphyr::from_str_with_options::<Value>(text, options).err()?;
    let words = error.without_snippet().to_string();
    let key = words.split("duplicate mapping key: ").nth(1)?.split(", set DuplicateKeyPolicy").next()?;
    let line = error.location().map_or(1, |place| place.line());
    Some(format!("yaml: unmarshal errors:\n  line {line}: key {key:?} already set in map"))
}

/// The complaint of Go's JSON decoder about the same bytes, as near as the position allows.
fn go_syntax_error(error: &serde_json::Error, body: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = body.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or(&[]);
    match line.get(error.column().saturating_sub(1)) {
        Some(byte) => format!("invalid character '{}' looking for beginning of value", char::from(*byte)),
        None => "unexpected end of JSON input".to_owned(),
    }
}

fn unrecognized(kind: &str, complaint: &str, body: &[u8]) -> ApiError {
    let head = &body[..body.len().min(30)];
    let tail = match head {
        [] => "<empty>".to_owned(),
        [b'{', ..] => String::from_utf8_lossy(head).into_owned(),
        other => other.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {complaint} ({tail})"
    ))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::{BODY_BYTES_MAX, object, patch};

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn json_and_yaml_give_the_same_object() {
        let from_json = object("application/json; charset=utf-8", &bytes(r#"{"a": {"b": [1, "x"]}}"#), "ConfigMap", false).unwrap();
        let from_yaml = object("application/yaml", &bytes("a:\n  b:\n  - 1\n  - x\n"), "ConfigMap", false).unwrap();
        assert_eq!(from_json.value, json!({"a": {"b": [1, "x"]}}));
        assert_eq!(from_yaml.value, from_json.value);
        assert_eq!(object("", &bytes("{}"), "ConfigMap", false).unwrap().value, json!({}));
        let old_rules = object("application/yaml", &bytes("a: y\nb: 'y'\nc: 010\na: off\n"), "ConfigMap", false).unwrap();
        assert_eq!(old_rules.value, json!({"a": false, "b": "y", "c": 8}));
    }

    #[test]
    fn duplicate_fields_are_found_and_the_last_wins() {
        let decoded =
            object("", &bytes(r#"{"data": {"a": "1", "a": "2"}, "l": [{"x": 1, "x": 1}], "data": {"a": "3"}}"#), "ConfigMap", false)
                .unwrap();
        assert_eq!(decoded.value["data"], json!({"a": "3"}));
        let sentences = ["duplicate field \"data.a\"", "duplicate field \"l[0].x\"", "duplicate field \"data\""];
        assert_eq!(decoded.duplicates, sentences);
        let decoded = object("application/yaml", &bytes("a: 1\nb:\n  c: 1\n  c: 2\n"), "ConfigMap", false).unwrap();
        assert_eq!(decoded.duplicates, ["yaml: unmarshal errors:\n  line 4: key \"c\" already set in map"]);
    }

    #[test]
    fn malformed_bodies_quote_their_beginning() {
        let text = |body: &str| object("", &bytes(body), "ConfigMap", false).unwrap_err().message;
        let prefix = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: ";
        assert_eq!(text("{"), format!("{prefix}unexpected end of JSON input ({{)"));
        assert_eq!(text(""), format!("{prefix}unexpected end of JSON input (<empty>)"));
        assert_eq!(text("xy"), format!("{prefix}invalid character 'x' looking for beginning of value (7879)"));
    }

    #[test]
    fn other_types_and_large_bodies_are_refused() {
        let error = object("text/plain", &bytes("{}"), "ConfigMap", false).unwrap_err();
        assert_eq!(error.code, 415);
        assert!(error.message.ends_with("application/json, application/yaml, application/vnd.kubernetes.protobuf"));
        assert_eq!(object("application/vnd.kubernetes.protobuf", &bytes(""), "W", true).unwrap_err().code, 415);
        let large = Bytes::from(vec![b' '; BODY_BYTES_MAX + 1]);
        assert_eq!(object("", &large, "ConfigMap", false).unwrap_err().message, "Request entity too large: limit is 3145728");
    }

    #[test]
    fn applied_configurations_may_be_yaml() {
        assert_eq!(patch(&bytes("kind: X\nspec: {a: 1}\n"), true).unwrap().value, json!({"kind": "X", "spec": {"a": 1}}));
        assert_eq!(patch(&bytes("kind: X"), false).unwrap_err().code, 400);
    }
}
