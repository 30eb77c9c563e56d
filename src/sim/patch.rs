//! The patch formats of the API server, as pure functions over JSON: [`json`], [`merge`] and [`strategic`].
//!
//! Takes the live object and the decoded patch body, gives the patched object or the server's refusal. Never stores,
//! validates or defaults anything; server-side apply is elsewhere (`sim::apply`).

pub mod json;
pub mod merge;
pub mod strategic;

use serde_json::Value;

/// How Go's JSON decoder names the kind of a value in its complaints.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
