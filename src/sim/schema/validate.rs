//! Validation of a value against a schema: types, limits, junctors, list types, embedded resources.
//!
//! Takes the value with defaults already applied and, on updates, the stored one; gives causes in the server's words.
//! Errors on unchanged values are dropped (ratcheting). CEL rules are not run here but by [`super::cel`].

mod embedded;
mod formats;
pub mod lists;
mod scalars;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::path::{Path, Step, join};
use super::text::{invalid, not_supported, required, shown, too_many, type_invalid};
use super::{Kind, Schema};
use crate::sim::api_error::Cause;

/// Everything that is wrong with `value`, placed below `at` (empty for a whole object).
pub fn validate(schema: &Schema, value: &Value, old: Option<&Value>, at: &str) -> Vec<Cause> {
    let mut causes = validate_limits(schema, value, old, at);
    embedded::check(schema, value, &Path::root(at), &mut causes);
    causes.extend(validate_lists(schema, value, old, at));
    causes
}

/// Duplicates in sets and keyed lists only.
pub fn validate_lists(schema: &Schema, value: &Value, old: Option<&Value>, at: &str) -> Vec<Cause> {
    let root = Path::root(at);
    let duplicates = lists::duplicates(schema, value, &root);
    // A list that was stored with duplicates may keep them.
    let tolerated = !duplicates.is_empty() && old.is_some_and(|old| !lists::duplicates(schema, old, &root).is_empty());
    if tolerated { Vec::new() } else { duplicates }
}

/// Whether a text is padded standard base64.
pub fn is_base64(text: &str) -> bool {
    formats::holds("byte", text)
}

/// Types, limits and junctors only. The text names places without `at`, as the server does for `/status`.
pub fn validate_limits(schema: &Schema, value: &Value, old: Option<&Value>, at: &str) -> Vec<Cause> {
    let mut run = Run { at, causes: Vec::new() };
    run.value(schema, value, old, &Path::root(""));
    run.causes
}

/// Whether two values mean the same under the schema: lists with keys compare without regard to order.
pub fn equal(schema: &Schema, left: &Value, right: &Value) -> bool {
    lists::equal(schema, left, right)
}

/// The fields of `metadata` that a schema may restrict; the server looks at all others by itself.
const NAMES: [&str; 2] = ["name", "generateName"];

fn is_metadata(schema: &Schema) -> bool {
    schema.type_name == "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
}

/// One validation under way.
struct Run<'a> {
    at: &'a str,
    causes: Vec<Cause>,
}

impl Run<'_> {
    fn value(&mut self, schema: &Schema, value: &Value, old: Option<&Value>, path: &Path<'_>) {
        if old.is_some_and(|old| lists::equal(schema, old, value)) {
            return;
        }
        if value.is_null() && schema.nullable {
            return;
        }
        self.type_of(schema, value, path);
        if value.is_null() {
            self.enumeration(schema, value, path);
            return;
        }
        self.junctors(schema, value, path);
        match value {
            Value::String(text) => scalars::text(self, schema, text, path),
            Value::Number(number) => scalars::number(self, schema, number, path),
            Value::Array(items) => self.list(schema, items, old, path),
            _ => {}
        }
        self.enumeration(schema, value, path);
        if let Value::Object(fields) = value {
            self.object(schema, fields, old, path);
        }
    }

    /// The path of the cause.
    fn field(&self, path: &Path<'_>) -> String {
        let inner = path.dotted();
        if inner.is_empty() { self.at.to_owned() } else { join(self.at, &inner) }
    }

    fn push_invalid(&mut self, path: &Path<'_>, value: &Value, detail: &str) {
        let text = format!("{} in body {detail}", path.dotted());
        self.causes.push(invalid(self.field(path), value, text));
    }

    fn type_of(&mut self, schema: &Schema, value: &Value, path: &Path<'_>) {
        let Some(wanted) = wrong_type(schema.kind, value) else { return };
        let actual = json!(type_name(value));
        let text = format!("{} in body must be of type {wanted}: {}", path.dotted(), shown(&actual));
        self.causes.push(type_invalid(self.field(path), &actual, text));
    }

    fn enumeration(&mut self, schema: &Schema, value: &Value, path: &Path<'_>) {
        let allowed = &schema.limits.enumeration;
        if allowed.is_empty() || allowed.iter().any(|one| same_scalar(one, value)) {
            return;
        }
        let allowed: Vec<String> = allowed.iter().map(|one| one.as_str().map_or_else(|| shown(one), str::to_owned)).collect();
        self.causes.push(not_supported(self.field(path), value, &allowed));
    }

    fn list(&mut self, schema: &Schema, items: &[Value], old: Option<&Value>, path: &Path<'_>) {
        if let Some(item_schema) = &schema.items {
            let old_items = old.and_then(Value::as_array);
            for (index, item) in items.iter().enumerate() {
                let old_item = old_items.and_then(|old| lists::counterpart(&schema.list_type, &item_schema.properties, item, old));
                self.value(item_schema, item, old_item, &path.child(Step::Index(index)));
            }
        }
        let limits = &schema.limits;
        if let Some(min) = limits.min_items.filter(|min| (items.len() as u64) < *min) {
            self.push_invalid(path, &json!(items.len()), &format!("should have at least {min} items"));
        }
        if let Some(max) = limits.max_items.filter(|max| items.len() as u64 > *max) {
            self.causes.push(too_many(self.field(path), items.len(), max));
        }
        if limits.unique_items && items.iter().enumerate().any(|(index, item)| items[..index].contains(item)) {
            self.push_invalid(path, &json!(""), "shouldn't contain duplicates");
        }
    }

    fn object(&mut self, schema: &Schema, fields: &Map<String, Value>, old: Option<&Value>, path: &Path<'_>) {
        let limits = &schema.limits;
        if let Some(min) = limits.min_properties.filter(|min| (fields.len() as u64) < *min) {
            self.push_invalid(path, &json!(fields.len()), &format!("should have at least {min} properties"));
        }
        if let Some(max) = limits.max_properties.filter(|max| fields.len() as u64 > *max) {
            self.causes.push(too_many(self.field(path), fields.len(), max));
        }
        let metadata = is_metadata(schema);
        for (name, value) in fields.iter().filter(|(name, _)| !metadata || NAMES.contains(&name.as_str())) {
            let old = old.and_then(|old| old.get(name));
            if let Some(field) = schema.properties.get(name) {
                self.value(field, value, old, &path.child(Step::Field(name)));
            } else if let Some(additional) = &schema.additional {
                self.value(additional, value, old, &path.child(Step::Key(name)));
            }
        }
        for name in limits.required.iter().filter(|name| !fields.contains_key(*name)) {
            self.causes.push(required(self.field(&path.child(Step::Field(name))), ""));
        }
    }

    /// Causes of one branch, apart from this run's own.
    fn branch(&self, schema: &Schema, value: &Value, path: &Path<'_>) -> Vec<Cause> {
        let mut run = Run { at: self.at, causes: Vec::new() };
        run.value(schema, value, None, path);
        run.causes
    }

    fn junctors(&mut self, schema: &Schema, value: &Value, path: &Path<'_>) {
        let limits = &schema.limits;
        if !limits.any_of.is_empty() {
            self.any_of(&limits.any_of, value, path);
        }
        if !limits.one_of.is_empty() {
            self.one_of(&limits.one_of, value, path);
        }
        if !limits.all_of.is_empty() {
            self.all_of(&limits.all_of, value, path);
        }
        if let Some(not) = &limits.not
            && self.branch(not, value, path).is_empty()
        {
            self.composite(path, "must not validate the schema (not)");
        }
    }

    /// The server reports failed junctors at no field.
    fn composite(&mut self, path: &Path<'_>, detail: &str) {
        let text = format!("{} {detail}", shown(&json!(path.dotted())));
        self.causes.push(invalid("", &json!(""), text));
    }

    fn any_of(&mut self, branches: &[Schema], value: &Value, path: &Path<'_>) {
        let mut first = None;
        for branch in branches {
            let failures = self.branch(branch, value, path);
            if failures.is_empty() {
                return;
            }
            first.get_or_insert(failures);
        }
        self.composite(path, "must validate at least one schema (anyOf)");
        self.causes.extend(first.unwrap_or_default());
    }

    fn one_of(&mut self, branches: &[Schema], value: &Value, path: &Path<'_>) {
        let results: Vec<Vec<Cause>> = branches.iter().map(|branch| self.branch(branch, value, path)).collect();
        let valid = results.iter().filter(|failures| failures.is_empty()).count();
        match valid {
            1 => {}
            0 => {
                self.composite(path, "must validate one and only one schema (oneOf). Found none valid");
                self.causes.extend(results.into_iter().next().unwrap_or_default());
            }
            several => {
                let text = format!("must validate one and only one schema (oneOf). Found {several} valid alternatives");
                self.composite(path, &text);
            }
        }
    }

    fn all_of(&mut self, branches: &[Schema], value: &Value, path: &Path<'_>) {
        let results: Vec<Vec<Cause>> = branches.iter().map(|branch| self.branch(branch, value, path)).collect();
        let valid = results.iter().filter(|failures| failures.is_empty()).count();
        if valid == branches.len() {
            return;
        }
        self.causes.extend(results.into_iter().flatten());
        self.composite(
            path,
            if valid == 0 { "must validate all the schemas (allOf). None validated" } else { "must validate all the schemas (allOf)" },
        );
    }
}

/// Name of the wanted type when the value has another one.
fn wrong_type(kind: Kind, value: &Value) -> Option<&'static str> {
    let whole = |number: &serde_json::Number| !number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0);
    let (fits, name) = match kind {
        Kind::Any => (true, ""),
        Kind::Object => (value.is_object(), "object"),
        Kind::Array => (value.is_array(), "array"),
        Kind::String => (value.is_string(), "string"),
        Kind::Integer => (value.as_number().is_some_and(whole), "integer"),
        Kind::Number => (value.is_number(), "number"),
        Kind::Boolean => (value.is_boolean(), "boolean"),
        Kind::IntOrString => (value.is_string() || value.as_number().is_some_and(whole), "integer,string"),
    };
    // A null reaches this point only when the node is not nullable; a node without a type takes it.
    (!fits).then_some(name)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(|number| number.fract() != 0.0) => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Equality of enum values: numbers by value, everything else exactly.
fn same_scalar(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}
