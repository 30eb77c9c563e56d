//! Small steps through JSON objects that defaulting and validation share.

use serde_json::{Map, Value};

/// The object at a path of fields; `None` when something on the way is absent or no object.
pub fn object_at<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let mut here = value;
    for name in path {
        here = here.get_mut(name)?;
    }
    here.as_object_mut()
}

/// As [`object_at`], creating absent (or null) objects on the way. `None` when something is there that is no object.
pub fn object_made<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let mut here = value;
    for name in path {
        let slot = here.as_object_mut()?.entry(*name).or_insert(Value::Null);
        if slot.is_null() {
            *slot = Value::Object(Map::new());
        }
        here = slot;
    }
    here.as_object_mut()
}

/// Puts a value where there is none or null.
pub fn fill(object: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if object.get(name).is_none_or(Value::is_null) {
        object.insert(name.to_owned(), value.into());
    }
}

/// As [`fill`], also in place of an empty text: fields that are not pointers in the server.
pub fn fill_text(object: &mut Map<String, Value>, name: &str, text: &str) {
    if object.get(name).is_none_or(|value| value.is_null() || value == "") {
        object.insert(name.to_owned(), text.into());
    }
}

/// The objects in a list field.
pub fn items_mut<'a>(object: &'a mut Map<String, Value>, name: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    object.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A text field, empty when absent.
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A list field, empty when absent.
pub fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The entries of an object field, none when absent.
pub fn entries<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.get(name).and_then(Value::as_object).into_iter().flatten()
}

/// Whether a field is there and not null.
pub fn has(object: &Value, name: &str) -> bool {
    object.get(name).is_some_and(|value| !value.is_null())
}
