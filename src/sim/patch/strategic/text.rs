//! How Go prints JSON values with `%v`: the server quotes patches in its complaints that way.

use serde_json::Value;

/// `map[a:1 b:[x y]]`, keys sorted.
pub(super) fn go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(go).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let mut parts: Vec<(&String, String)> = fields.iter().map(|(key, field)| (key, go(field))).collect();
            parts.sort();
            format!("map[{}]", parts.into_iter().map(|(key, field)| format!("{key}:{field}")).collect::<Vec<_>>().join(" "))
        }
    }
}

/// The Go type of a decoded JSON value.
pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
