//! Limits of text and numbers.

use serde_json::{Number, Value, json};

use super::{Run, formats};
use crate::sim::schema::path::Path;
use crate::sim::schema::text::{float, shown, too_long, type_invalid};
use crate::sim::schema::{Schema, pattern};

/// Length, pattern and format.
pub fn text(run: &mut Run<'_>, schema: &Schema, text: &str, path: &Path<'_>) {
    let limits = &schema.limits;
    let value = json!(text);
    let length = text.chars().count() as u64;
    if let Some(max) = limits.max_length.filter(|max| length > *max) {
        run.causes.push(too_long(run.field(path), max));
    }
    if let Some(min) = limits.min_length.filter(|min| length < *min) {
        run.push_invalid(path, &value, &format!("should be at least {min} chars long"));
    }
    if let Some(wanted) = &limits.pattern {
        match pattern::matches(wanted, text) {
            Ok(true) => {}
            Ok(false) => run.push_invalid(path, &value, &format!("should match '{wanted}'")),
            Err(why) => run.push_invalid(path, &value, &format!("pattern '{wanted}' is invalid: {why}")),
        }
    }
    if !limits.format.is_empty() && !formats::holds(&limits.format, text) {
        let detail = format!("{} in body must be of type {}: {}", path.dotted(), limits.format, shown(&value));
        run.causes.push(type_invalid(run.field(path), &value, detail));
    }
}

/// Bounds and multiples.
pub fn number(run: &mut Run<'_>, schema: &Schema, number: &Number, path: &Path<'_>) {
    let limits = &schema.limits;
    let Some(actual) = number.as_f64() else { return };
    let value = Value::Number(number.clone());
    if let Some((max, exclusive)) = limits.maximum
        && (actual > max || exclusive && actual >= max)
    {
        let words = if exclusive { "less than" } else { "less than or equal to" };
        run.push_invalid(path, &value, &format!("should be {words} {}", float(max)));
    }
    if let Some((min, exclusive)) = limits.minimum
        && (actual < min || exclusive && actual <= min)
    {
        let words = if exclusive { "greater than" } else { "greater than or equal to" };
        run.push_invalid(path, &value, &format!("should be {words} {}", float(min)));
    }
    if let Some(step) = limits.multiple_of.filter(|step| *step != 0.0 && (actual / step).fract() != 0.0) {
        run.push_invalid(path, &value, &format!("should be a multiple of {}", float(step)));
    }
}
