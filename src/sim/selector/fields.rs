//! Field selectors: equality on the few fields that a kind declares.

use serde_json::Value;

use crate::sim::api_error::ApiError;
use crate::sim::kinds::Resource;

/// A conjunction of equalities on fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    pointer: String,
    value: String,
    equal: bool,
}

impl Fields {
    /// Parses the text of `fieldSelector` against the fields of a resource.
    ///
    /// # Errors
    /// 400 with the server's sentence: malformed, or an unknown field.
    pub fn parse(text: &str, resource: &Resource) -> Result<Self, ApiError> {
        let mut terms = Vec::new();
        for part in split_unescaped(text).into_iter().filter(|part| !part.is_empty()) {
            let (label, value, equal) =
                split_term(&part).ok_or_else(|| ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'")))?;
            let value = unescape(value)
                .ok_or_else(|| ApiError::bad_request(format!("invalid field selector: invalid escape sequence in value: {value:?}")))?;
            terms.push(Term { pointer: pointer_of(label, resource)?, value, equal });
        }
        Ok(Self { terms })
    }

    /// Whether an object (in its stored form) is selected.
    pub fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|term| (text_at(object, &term.pointer) == term.value) == term.equal)
    }

    /// Selects everything.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The name, if exactly one name can match.
    pub fn exact_name(&self) -> Option<&str> {
        self.exact("/metadata/name")
    }

    /// The namespace, if exactly one namespace can match.
    pub fn exact_namespace(&self) -> Option<&str> {
        self.exact("/metadata/namespace")
    }

    fn exact(&self, pointer: &str) -> Option<&str> {
        self.terms.iter().find(|term| term.equal && term.pointer == pointer).map(|term| term.value.as_str())
    }
}

/// Absent fields compare as the text a server gives for their zero value.
fn text_at(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => zero_of(pointer).to_owned(),
        Some(other) => other.to_string(),
    }
}

fn zero_of(pointer: &str) -> &'static str {
    match pointer {
        "/spec/unschedulable" | "/spec/hostNetwork" => "false",
        "/status/replicas" | "/status/succeeded" => "0",
        _ => "",
    }
}

fn pointer_of(label: &str, resource: &Resource) -> Result<String, ApiError> {
    match label {
        "metadata.name" => return Ok("/metadata/name".to_owned()),
        "metadata.namespace" if resource.namespaced || !names_only(resource) => return Ok("/metadata/namespace".to_owned()),
        _ => {}
    }
    let known = resource.selectable.iter().find(|field| field.label == label);
    known.map(|field| field.pointer.clone()).ok_or_else(|| ApiError::bad_request(unknown_field(label, resource)))
}

/// Kinds whose own table of fields leaves `metadata.namespace` out.
fn names_only(resource: &Resource) -> bool {
    resource.id.group.is_empty() && matches!(resource.kind.as_str(), "Namespace" | "Node")
}

fn unknown_field(label: &str, resource: &Resource) -> String {
    if resource.custom || (!resource.selectable.is_empty() && resource.kind != "Job") {
        return format!("field label not supported: {label}");
    }
    if resource.kind == "Job" {
        return format!("field label {label:?} not supported for Job");
    }
    format!("{label:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
}

fn split_term(part: &str) -> Option<(&str, &str, bool)> {
    for (at, _) in part.char_indices() {
        let rest = &part[at..];
        for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
            if let Some(value) = rest.strip_prefix(operator) {
                return Some((&part[..at], value, equal));
            }
        }
    }
    None
}

fn split_unescaped(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for letter in text.chars() {
        if letter == ',' && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = letter == '\\' && !escaped;
        if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts
}

fn unescape(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.push(letters.next().filter(|next| matches!(next, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            other => out.push(other),
        }
    }
    Some(out)
}
