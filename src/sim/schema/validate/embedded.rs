//! Embedded resources: they need `apiVersion` and `kind`, and a name that resources may have.

use serde_json::{Value, json};

use crate::sim::api_error::Cause;
use crate::sim::schema::path::{Path, Step};
use crate::sim::schema::text::{invalid, required};
use crate::sim::schema::{Schema, pattern};

/// Checks every embedded resource below a node, not the node itself unless it is declared as one.
pub fn check(schema: &Schema, value: &Value, path: &Path<'_>, causes: &mut Vec<Cause>) {
    if schema.embedded_resource && value.is_object() {
        resource(value, path, causes);
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if let Some(field_schema) = schema.properties.get(name) {
                    check(field_schema, field, &path.child(Step::Field(name)), causes);
                } else if let Some(additional) = &schema.additional {
                    check(additional, field, &path.child(Step::Key(name)), causes);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if let Some(item_schema) = &schema.items {
                    check(item_schema, item, &path.child(Step::Index(index)), causes);
                }
            }
        }
        _ => {}
    }
}

fn resource(value: &Value, path: &Path<'_>, causes: &mut Vec<Cause>) {
    let place = |name: &str| path.child(Step::Field(name)).bracketed();
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("apiVersion").is_empty() {
        causes.push(required(place("apiVersion"), "must not be empty"));
    } else if text("apiVersion").matches('/').count() > 1 {
        causes.push(invalid(place("apiVersion"), &value["apiVersion"], format!("unexpected GroupVersion string: {}", text("apiVersion"))));
    }
    let kind = text("kind");
    if kind.is_empty() {
        causes.push(required(place("kind"), "must not be empty"));
    } else if !pattern::matches("^[a-z]([-a-z0-9]*[a-z0-9])?$", &kind.to_lowercase()).unwrap_or(false) {
        let why = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
        causes.push(invalid(place("kind"), &json!(kind), format!("may have mixed case, but should otherwise match: {why}")));
    }
}
