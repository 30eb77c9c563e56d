//! The building blocks of validation: a list of causes with one method per kind of complaint, and look-ups by path.

use serde_json::{Value, json};

use crate::sim::api_error::Cause;
use crate::sim::builtin::names::Problems;
use crate::sim::schema::text;

/// Causes found so far.
#[derive(Debug, Default)]
pub struct Causes(Vec<Cause>);

/// The sentence for amounts and counts below zero.
pub const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
/// The sentence for fields that may not change.
pub const IMMUTABLE: &str = "field is immutable";

impl Causes {
    /// All causes, in the order they were found.
    pub fn into_vec(self) -> Vec<Cause> {
        self.0
    }

    /// How many causes there are so far.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds a cause made elsewhere.
    pub fn push(&mut self, cause: Cause) {
        self.0.push(cause);
    }

    /// `Invalid value`.
    pub fn invalid(&mut self, field: impl Into<String>, value: &Value, detail: impl AsRef<str>) {
        self.0.push(text::invalid(field, value, detail));
    }

    /// `Required value`.
    pub fn required(&mut self, field: impl Into<String>, detail: &str) {
        self.0.push(text::required(field, detail));
    }

    /// `Forbidden`.
    pub fn forbidden(&mut self, field: impl Into<String>, detail: impl AsRef<str>) {
        self.0.push(text::forbidden(field, detail));
    }

    /// One cause per problem of a text.
    pub fn problems(&mut self, field: &str, value: &Value, problems: Problems) {
        problems.into_iter().for_each(|problem| self.invalid(field, value, problem));
    }

    /// A text that must be there, and then look right.
    pub fn name(&mut self, holder: &Value, at: &str, field: &str, rule: fn(&str) -> Problems) {
        let value = &holder[field];
        match value.as_str().unwrap_or_default() {
            "" => self.required(join(at, field), ""),
            name => self.problems(&join(at, field), value, rule(name)),
        }
    }

    /// A text field that must not be empty. Gives whether it is fine.
    pub fn needs(&mut self, holder: &Value, at: &str, field: &str) -> bool {
        let there = holder[field].as_str().is_some_and(|text| !text.is_empty());
        if !there {
            self.required(join(at, field), "");
        }
        there
    }

    /// Text fields that must not be empty.
    pub fn all_needed(&mut self, holder: &Value, at: &str, fields: &[&str]) {
        for field in fields {
            self.needs(holder, at, field);
        }
    }

    /// A text field with a closed list of values; `required` when it may not be absent or empty.
    pub fn one_of(&mut self, holder: &Value, at: &str, field: &str, supported: &[&str], required: bool) {
        let value = &holder[field];
        match value.as_str().unwrap_or_default() {
            "" if !required => {}
            "" => self.required(join(at, field), ""),
            known if supported.contains(&known) => {}
            _ => self.0.push(text::not_supported(join(at, field), value, supported)),
        }
    }

    /// `Unsupported value`.
    pub fn unsupported(&mut self, field: impl Into<String>, value: &Value, supported: &[&str]) {
        self.0.push(text::not_supported(field, value, supported));
    }

    /// A whole number that is absent or not negative.
    pub fn not_negative(&mut self, holder: &Value, at: &str, field: &str) {
        if holder[field].as_i64().is_some_and(|number| number < 0) {
            self.invalid(join(at, field), &holder[field], NOT_NEGATIVE);
        }
    }

    /// A value that reappears.
    pub fn duplicate(&mut self, field: impl Into<String>, value: &Value) {
        self.0.push(text::duplicate(field, value));
    }

    /// A field that may not differ from the stored one.
    pub fn immutable(&mut self, new: &Value, old: &Value, at: &str) {
        if new != old {
            self.invalid(at, new, IMMUTABLE);
        }
    }

    /// An absolute count or a percentage.
    pub fn count_or_percent(&mut self, holder: &Value, at: &str, field: &str) {
        let value = &holder[field];
        match value {
            Value::String(percent) if !is_percent(percent) => {
                let sentence = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                self.invalid(join(at, field), value, sentence);
            }
            Value::Number(_) => self.not_negative(holder, at, field),
            _ => {}
        }
    }

    /// A percentage of at most a hundred.
    pub fn at_most_all(&mut self, holder: &Value, at: &str, field: &str) {
        if percent(&holder[field]).is_some_and(|percent| percent > 100) {
            self.invalid(join(at, field), &holder[field], "must not be greater than 100%");
        }
    }
}

/// The number in a percentage.
pub fn percent(value: &Value) -> Option<i64> {
    value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|digits| digits.parse().ok())
}

fn is_percent(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a count or percentage is zero.
pub fn is_zero(value: &Value) -> bool {
    value.as_i64().or_else(|| percent(value)) == Some(0)
}

/// `at.field`.
pub fn join(at: &str, field: &str) -> String {
    crate::sim::schema::path::join(at, field)
}

/// `at[index]`.
pub fn item(at: &str, index: usize) -> String {
    format!("{at}[{index}]")
}

/// `at[key]`.
pub fn key(at: &str, key: &str) -> String {
    format!("{at}[{key}]")
}

/// A text as JSON.
pub fn quoted(text: &str) -> Value {
    json!(text)
}
