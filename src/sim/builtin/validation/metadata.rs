//! Labels and label selectors, wherever they stand inside a spec.

use serde_json::{Value, json};

use super::check::{Causes, item, join};
use crate::sim::builtin::json::{entries, list, text};
use crate::sim::builtin::names::{label_value, qualified};

/// Labels of a template, node selectors and the like: the bad key or value is shown, at the place of the whole map.
pub fn labels(c: &mut Causes, labels: &Value, at: &str) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        c.problems(at, &json!(key), qualified(key));
        c.problems(at, value, label_value(value.as_str().unwrap_or_default()));
    }
}

/// Keys of annotations.
pub fn annotations(c: &mut Causes, annotations: &Value, at: &str) {
    for (key, _) in annotations.as_object().into_iter().flatten() {
        c.problems(at, &json!(key), qualified(&key.to_lowercase()));
    }
}

/// A label selector with both its forms.
pub fn selector(c: &mut Causes, selector: &Value, at: &str) {
    let matched = join(at, "matchLabels");
    for (key, value) in entries(selector, "matchLabels") {
        c.problems(&matched, &json!(key), qualified(key));
        let problems = label_value(value.as_str().unwrap_or_default());
        c.problems(&super::check::key(&matched, key), value, problems);
    }
    for (index, expression) in list(selector, "matchExpressions").iter().enumerate() {
        self::expression(c, expression, &item(&join(at, "matchExpressions"), index));
    }
}

fn expression(c: &mut Causes, expression: &Value, at: &str) {
    let values = list(expression, "values");
    match text(expression, "operator") {
        "In" | "NotIn" if values.is_empty() => c.required(join(at, "values"), "must be specified when `operator` is 'In' or 'NotIn'"),
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            c.forbidden(join(at, "values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => c.invalid(join(at, "operator"), &expression["operator"], "not a valid selector operator"),
    }
    c.problems(&join(at, "key"), &expression["key"], qualified(text(expression, "key")));
    for (index, value) in values.iter().enumerate() {
        c.problems(&item(&join(at, "values"), index), value, label_value(value.as_str().unwrap_or_default()));
    }
}

/// Whether a selector selects everything.
pub fn is_empty_selector(selector: &Value) -> bool {
    entries(selector, "matchLabels").next().is_none() && list(selector, "matchExpressions").is_empty()
}

/// Whether a valid selector matches labels.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    entries(selector, "matchLabels").all(|(key, value)| labels.get(key) == Some(value))
        && list(selector, "matchExpressions").iter().all(|expression| {
            let actual = labels.get(text(expression, "key"));
            let listed = actual.is_some_and(|actual| list(expression, "values").contains(actual));
            match text(expression, "operator") {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => actual.is_some(),
                "DoesNotExist" => actual.is_none(),
                _ => false,
            }
        })
}
