//! Causes in the words of the API server: one builder per kind of field error.
//!
//! Takes places and values, gives [`Cause`]s. Never decides whether something is wrong.

use serde_json::Value;

use crate::sim::api_error::Cause;

/// `Invalid value: <value>: <detail>`.
pub fn invalid(field: impl Into<String>, value: &Value, detail: impl AsRef<str>) -> Cause {
    Cause::new("FieldValueInvalid", place(field), with_detail(format!("Invalid value: {}", shown(value)), detail.as_ref()))
}

/// As [`invalid`], for a value of the wrong JSON type.
pub fn type_invalid(field: impl Into<String>, value: &Value, detail: impl AsRef<str>) -> Cause {
    Cause { reason: "FieldValueTypeInvalid", ..invalid(field, value, detail) }
}

/// `Required value`, with an optional detail.
pub fn required(field: impl Into<String>, detail: &str) -> Cause {
    Cause::new("FieldValueRequired", place(field), with_detail("Required value".to_owned(), detail))
}

/// `Forbidden: <detail>`.
pub fn forbidden(field: impl Into<String>, detail: impl AsRef<str>) -> Cause {
    Cause::new("FieldValueForbidden", place(field), with_detail("Forbidden".to_owned(), detail.as_ref()))
}

/// `Duplicate value: <value>`.
pub fn duplicate(field: impl Into<String>, value: &Value) -> Cause {
    Cause::new("FieldValueDuplicate", place(field), format!("Duplicate value: {}", shown(value)))
}

/// `Not found: <value>`.
pub fn not_found(field: impl Into<String>, value: &Value) -> Cause {
    Cause::new("FieldValueNotFound", place(field), format!("Not found: {}", shown(value)))
}

/// `Unsupported value: <value>: supported values: ...`.
pub fn not_supported<S: AsRef<str>>(field: impl Into<String>, value: &Value, supported: &[S]) -> Cause {
    let supported: Vec<String> = supported.iter().map(|one| quoted(one.as_ref())).collect();
    let mut message = format!("Unsupported value: {}", shown(value));
    if !supported.is_empty() {
        message.push_str(&format!(": supported values: {}", supported.join(", ")));
    }
    Cause::new("FieldValueNotSupported", place(field), message)
}

/// `Too long: may not be more than <max> bytes`.
pub fn too_long(field: impl Into<String>, max: u64) -> Cause {
    let unit = if max == 1 { "byte" } else { "bytes" };
    Cause::new("FieldValueTooLong", place(field), format!("Too long: may not be more than {max} {unit}"))
}

/// `Too many: <actual>: must have at most <max> items`.
pub fn too_many(field: impl Into<String>, actual: usize, max: u64) -> Cause {
    let unit = if max == 1 { "item" } else { "items" };
    Cause::new("FieldValueTooMany", place(field), format!("Too many: {actual}: must have at most {max} {unit}"))
}

/// A value as it stands in messages: quoted text, bare scalars, anything else as JSON.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) if number.is_f64() => number.as_f64().map_or_else(|| number.to_string(), float),
        other => other.to_string(),
    }
}

/// Text in double quotes with escapes.
pub fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// A float as Go prints it: shortest digits, with an exponent below 10^-4 and from 10^6 on.
pub fn float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    if number == 0.0 || (-4..6).contains(&power) {
        return format!("{number}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", power.abs())
}

/// The path of a cause; the object as a whole is `<nil>`.
fn place(field: impl Into<String>) -> String {
    let field = field.into();
    if field.is_empty() { "<nil>".to_owned() } else { field }
}

fn with_detail(head: String, detail: &str) -> String {
    if detail.is_empty() { head } else { format!("{head}: {detail}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn causes_read_like_those_of_the_server() {
        let table = [
            (invalid("a.b", &json!("x"), "no"), "FieldValueInvalid", "Invalid value: \"x\": no"),
            (invalid("a", &json!(3), "no"), "FieldValueInvalid", "Invalid value: 3: no"),
            (required("a", ""), "FieldValueRequired", "Required value"),
            (required("a", "name it"), "FieldValueRequired", "Required value: name it"),
            (forbidden("a", "no"), "FieldValueForbidden", "Forbidden: no"),
            (duplicate("a", &json!({"k": "1"})), "FieldValueDuplicate", "Duplicate value: {\"k\":\"1\"}"),
            (
                not_supported("a", &json!("C"), &["A", "B"]),
                "FieldValueNotSupported",
                "Unsupported value: \"C\": supported values: \"A\", \"B\"",
            ),
            (too_long("a", 4), "FieldValueTooLong", "Too long: may not be more than 4 bytes"),
            (too_many("a", 4, 3), "FieldValueTooMany", "Too many: 4: must have at most 3 items"),
        ];
        for (cause, reason, message) in table {
            assert_eq!((cause.reason, cause.message.as_str()), (reason, message));
        }
        assert_eq!(invalid("", &json!(null), "x").field, "<nil>");
    }

    #[test]
    fn floats_print_as_in_go() {
        for (number, text) in
            [(1.5, "1.5"), (0.0, "0"), (100.0, "100"), (1e6, "1e+06"), (0.00001, "1e-05"), (2.0, "2"), (123456.5, "123456.5")]
        {
            assert_eq!(float(number), text);
        }
    }
}
