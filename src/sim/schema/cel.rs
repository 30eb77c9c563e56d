//! `x-kubernetes-validations`: CEL rules compiled once at registration and run against every write.
//!
//! Takes a parsed schema, gives [`CompiledRules`]; takes a value and, on updates, the stored one, gives causes. The walk over
//! the schema is our own: items of keyed lists meet their old selves by key, transition rules are skipped where there is no
//! old self, failures on unchanged values are dropped. Never runs rules on a value that failed validation with an error
//! that blocks them; [`check`] puts both in order.
//!
//! Known gaps of the evaluator, refused at registration: `self.?field` and `[?key]`, `cel.bind`, two-variable
//! comprehensions, `sortBy`, `authorizer`. Costs are not counted. Types are checked as far as they are plain.

mod compile;
mod convert;
mod run;
#[cfg(test)]
mod tests;
mod typing;

use std::collections::BTreeMap;

use kube_cel::cel::Program;
use serde_json::{Value, json};

use super::{Rule, Schema, validate};
use crate::sim::api_error::Cause;
use crate::sim::schema::text::invalid;

/// The compiled rules of one schema, as a tree that holds only nodes with rules at or below them.
#[derive(Debug, Default)]
pub struct CompiledRules {
    root: Option<Node>,
}

/// Rules of one schema node and below.
#[derive(Debug, Default)]
struct Node {
    rules: Vec<CompiledRule>,
    properties: BTreeMap<String, Node>,
    additional: Option<Box<Node>>,
    items: Option<Box<Node>>,
}

/// One rule, ready to run.
#[derive(Debug)]
struct CompiledRule {
    declared: Rule,
    program: Program,
    message: Option<Program>,
    /// Mentions `oldSelf`.
    transition: bool,
    /// `fieldPath` in the form that goes into causes.
    field_path: Vec<String>,
}

/// Compiles all rules; `at` is where the schema stands in the CRD, as for [`super::structural::parse_at`].
///
/// # Errors
/// The causes with which a server refuses the CRD.
pub fn compile(schema: &Schema, at: &str) -> Result<CompiledRules, Vec<Cause>> {
    compile::tree(schema, at).map(|root| CompiledRules { root })
}

impl CompiledRules {
    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Runs the rules. `old` is the stored value on updates; `at` is put before every path.
    pub fn validate(&self, schema: &Schema, value: &Value, old: Option<&Value>, at: &str) -> Vec<Cause> {
        self.root.as_ref().map(|root| run::tree(root, schema, value, old, at)).unwrap_or_default()
    }
}

/// Everything about a whole custom resource: limits, embedded resources, list types, then rules unless an error blocks them.
pub fn check(schema: &Schema, rules: &CompiledRules, value: &Value, old: Option<&Value>) -> Vec<Cause> {
    let causes = validate::validate(schema, value, old, "");
    with_rules(causes, schema, rules, value, old)
}

/// As [`check`] for a write to `/status`: limits of the status only, list types and rules of the whole object.
pub fn check_status(schema: &Schema, rules: &CompiledRules, value: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let (Some(status), Some(status_schema)) = (value.get("status"), schema.properties.get("status")) {
        let old_status = old.and_then(|old| old.get("status"));
        causes.extend(validate::validate_limits(status_schema, status, old_status, "status"));
    }
    causes.extend(validate::validate_lists(schema, value, old, ""));
    with_rules(causes, schema, rules, value, old)
}

fn with_rules(mut causes: Vec<Cause>, schema: &Schema, rules: &CompiledRules, value: &Value, old: Option<&Value>) -> Vec<Cause> {
    const BLOCKING: [&str; 5] =
        ["FieldValueRequired", "FieldValueTypeInvalid", "FieldValueNotSupported", "FieldValueTooLong", "FieldValueTooMany"];
    if rules.is_empty() {
        return causes;
    }
    if causes.iter().any(|cause| BLOCKING.contains(&cause.reason)) {
        let why =
            "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
        causes.push(invalid("", &json!(null), why));
    } else {
        causes.extend(rules.validate(schema, value, old, ""));
    }
    causes
}
