//! Running compiled rules over a value.

use std::sync::{Arc, LazyLock};

use kube_cel::KubeCelExt;
use kube_cel::cel::extractors::This;
use kube_cel::cel::objects::OptionalValue;
use kube_cel::cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::{Value, json};

use super::convert::{convert, convert_old};
use super::{CompiledRule, Node};
use crate::sim::api_error::Cause;
use crate::sim::schema::path::{Path, Step};
use crate::sim::schema::text::{duplicate, forbidden, invalid, required};
use crate::sim::schema::validate::lists;
use crate::sim::schema::{Kind, Schema, pattern};

/// All functions of the server's libraries; registering them takes longer than running a rule.
static LIBRARY: LazyLock<Context<'static>> = LazyLock::new(|| {
    let mut library = Context::default().with_all();
    library.add_function("matches", matches);
    library
});

/// As the evaluator's own, with answers remembered: it would build the automaton anew for every item.
fn matches(This(text): This<Arc<String>>, wanted: Arc<String>) -> Result<bool, ExecutionError> {
    pattern::matches(&wanted, &text).map_err(|why| ExecutionError::function_error("matches", why))
}

/// Runs a tree of rules; causes in the order of the walk: a node before its children, children by name.
pub fn tree(node: &Node, schema: &Schema, value: &Value, old: Option<&Value>, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    walk(node, schema, [Some(value), old], &Path::root(at), true, &mut causes);
    causes
}

fn walk(node: &Node, schema: &Schema, [value, old]: [Option<&Value>; 2], path: &Path<'_>, resource: bool, causes: &mut Vec<Cause>) {
    // Rules see no nulls: they belong to the parent.
    let Some(value) = value.filter(|value| !value.is_null()) else { return };
    let old = old.filter(|old| !old.is_null());
    if !node.rules.is_empty() {
        own_rules(node, schema, value, old, path, resource, causes);
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let old_field = old.and_then(|old| old.get(name));
                if let (Some(inner), Some(declared)) = (node.properties.get(name), schema.properties.get(name)) {
                    walk(inner, declared, [Some(field), old_field], &path.child(Step::Field(name)), false, causes);
                } else if let (Some(inner), Some(declared)) = (&node.additional, &schema.additional)
                    && !schema.properties.contains_key(name)
                {
                    walk(inner, declared, [Some(field), old_field], &path.child(Step::Key(name)), false, causes);
                }
            }
        }
        Value::Array(items) => {
            let (Some(inner), Some(declared)) = (&node.items, &schema.items) else { return };
            let old_items = old.and_then(Value::as_array);
            for (index, item) in items.iter().enumerate() {
                let old_item = old_items.and_then(|old| lists::counterpart(&schema.list_type, &declared.properties, item, old));
                walk(inner, declared, [Some(item), old_item], &path.child(Step::Index(index)), false, causes);
            }
        }
        _ => {}
    }
}

fn own_rules(node: &Node, schema: &Schema, value: &Value, old: Option<&Value>, path: &Path<'_>, resource: bool, causes: &mut Vec<Cause>) {
    let unchanged = old.is_some_and(|old| lists::equal(schema, old, value));
    let mut scope = LIBRARY.new_inner_scope();
    scope.add_variable_from_value("self", convert(schema, value, resource));
    let old_self = old.filter(|_| node.rules.iter().any(|rule| rule.transition)).map(|old| convert_old(schema, old, value, resource));
    for rule in &node.rules {
        if rule.transition && old.is_none() && !rule.declared.optional_old_self {
            continue;
        }
        // An unchanged value keeps failing rules that look at nothing but itself.
        if unchanged && !rule.transition {
            continue;
        }
        if rule.transition {
            scope.add_variable_from_value("oldSelf", bound_old(rule, old_self.clone()));
        }
        match rule.program.execute(&scope) {
            Ok(Cel::Bool(true)) => {}
            Ok(Cel::Bool(false)) => causes.push(failure(rule, schema, value, &scope, path)),
            Ok(_) => causes.push(broken(rule, schema, path, "rule did not evaluate to a bool")),
            Err(error) => causes.push(broken(rule, schema, path, &describe(&error))),
        }
    }
}

fn bound_old(rule: &CompiledRule, old: Option<Cel>) -> Cel {
    if !rule.declared.optional_old_self {
        return old.unwrap_or(Cel::Null);
    }
    Cel::Opaque(Arc::new(old.map_or_else(OptionalValue::none, OptionalValue::of)))
}

fn failure(rule: &CompiledRule, schema: &Schema, value: &Value, scope: &Context<'_>, path: &Path<'_>) -> Cause {
    let message = rule.message.as_ref().and_then(|program| computed_message(program, scope)).unwrap_or_else(|| static_message(rule));
    let field = place(rule, path);
    let scalar = !matches!(schema.kind, Kind::Object | Kind::Array | Kind::Any);
    match rule.declared.reason.as_str() {
        "FieldValueForbidden" => forbidden(field, message),
        "FieldValueRequired" => required(field, &message),
        "FieldValueDuplicate" if scalar => duplicate(field, value),
        "FieldValueDuplicate" => Cause { message: "Duplicate value".to_owned(), ..duplicate(field, value) },
        _ if scalar => invalid(field, value, message),
        // Objects and lists are not shown.
        _ => Cause { message: format!("Invalid value: {message}"), ..invalid(field, value, "") },
    }
}

/// A rule that could not be evaluated fails, and names the type instead of the value.
fn broken(rule: &CompiledRule, schema: &Schema, path: &Path<'_>, why: &str) -> Cause {
    let kind = match schema.kind {
        Kind::Object => "object",
        Kind::Array => "array",
        Kind::String => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::IntOrString | Kind::Any => "",
    };
    let subject = if rule.declared.message.is_empty() { &rule.declared.rule } else { &rule.declared.message };
    invalid(path.bracketed(), &json!(kind), format!("{why} evaluating rule: {subject}"))
}

fn place(rule: &CompiledRule, path: &Path<'_>) -> String {
    let mut text = path.bracketed();
    for step in &rule.field_path {
        text = crate::sim::schema::path::join(&text, step);
    }
    text
}

fn static_message(rule: &CompiledRule) -> String {
    if rule.declared.message.is_empty() { format!("failed rule: {}", rule.declared.rule.trim()) } else { rule.declared.message.clone() }
}

/// `None` when the expression fails or its text is unusable: the static message stands in.
fn computed_message(program: &Program, scope: &Context<'_>) -> Option<String> {
    const LONGEST: usize = 5120;
    let Ok(Cel::String(text)) = program.execute(scope) else { return None };
    let text = text.trim();
    (!text.is_empty() && !text.contains('\n') && text.len() <= LONGEST).then(|| text.to_owned())
}

/// The evaluator's error in the server's words.
fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::NoSuchKey(name) => format!("no such key: {name}"),
        ExecutionError::IndexOutOfBounds(Cel::Int(index)) => format!("index out of bounds: {index}"),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::NoSuchOverload | ExecutionError::ValuesNotComparable(..) | ExecutionError::UnsupportedBinaryOperator(..) => {
            "no such overload".to_owned()
        }
        ExecutionError::FunctionError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}
