//! From declared rules to programs, with the server's words for rules that do not compile.

use kube_cel::cel::Program;
use serde_json::json;

use super::typing::{self, Scope};
use super::{CompiledRule, Node};
use crate::sim::api_error::Cause;
use crate::sim::schema::path::{Path, Step};
use crate::sim::schema::text::invalid;
use crate::sim::schema::{ListType, Rule, Schema};

/// Compiles a node and all below it; `None` when there are no rules.
pub fn tree(schema: &Schema, at: &str) -> Result<Option<Node>, Vec<Cause>> {
    let mut causes = Vec::new();
    let node = node(schema, &Path::root(at), None, true, &mut causes);
    if causes.is_empty() { Ok(node) } else { Err(causes) }
}

/// `uncorrelated` is the list above within which items have no old self.
fn node(schema: &Schema, at: &Path<'_>, uncorrelated: Option<&str>, resource: bool, causes: &mut Vec<Cause>) -> Option<Node> {
    let rules_at = at.child(Step::Field("x-kubernetes-validations"));
    let mut compiled = Node::default();
    for (index, declared) in schema.rules.iter().enumerate() {
        let resource = resource || schema.embedded_resource;
        let scope = Scope { schema, resource, optional_old_self: declared.optional_old_self };
        match rule(declared, &scope, uncorrelated) {
            Ok(rule) => compiled.rules.push(rule),
            Err((field, detail)) => {
                causes.push(invalid(
                    rules_at.child(Step::Index(index)).child(Step::Field(field)).bracketed(),
                    &declared_json(declared, field),
                    detail,
                ));
            }
        }
    }
    let properties = at.child(Step::Field("properties"));
    for (name, field) in &schema.properties {
        if let Some(inner) = node(field, &properties.child(Step::Key(name)), uncorrelated, false, causes) {
            compiled.properties.insert(name.clone(), inner);
        }
    }
    if let Some(additional) = &schema.additional {
        compiled.additional = node(additional, &at.child(Step::Field("additionalProperties")), uncorrelated, false, causes).map(Box::new);
    }
    if let Some(items) = &schema.items {
        let here = at.bracketed();
        let keyed = matches!(schema.list_type, ListType::Map { .. });
        let uncorrelated = uncorrelated.or((!keyed).then_some(here.as_str()));
        compiled.items = node(items, &at.child(Step::Field("items")), uncorrelated, false, causes).map(Box::new);
    }
    let empty = compiled.rules.is_empty() && compiled.properties.is_empty() && compiled.additional.is_none() && compiled.items.is_none();
    (!empty).then_some(compiled)
}

/// What the server shows as the bad value: the whole declaration for the rule itself, the text otherwise.
fn declared_json(rule: &Rule, field: &str) -> serde_json::Value {
    let optional = |text: &str| if text.is_empty() { json!(null) } else { json!(text) };
    match field {
        "messageExpression" => json!(rule.message_expression),
        "fieldPath" => json!(rule.field_path),
        _ => json!({
            "Rule": rule.rule, "Message": rule.message, "MessageExpression": rule.message_expression,
            "Reason": optional(&rule.reason), "FieldPath": rule.field_path, "OptionalOldSelf": if rule.optional_old_self { json!(true) } else { json!(null) },
        }),
    }
}

/// On failure the field of the declaration and the detail.
fn rule(declared: &Rule, scope: &Scope<'_>, uncorrelated: Option<&str>) -> Result<CompiledRule, (&'static str, String)> {
    let program = program(&declared.rule).map_err(|why| ("rule", why))?;
    let transition = program.references().has_variable("oldSelf");
    let kind = typing::check(&declared.rule, &program.expression().expr, scope).map_err(|why| ("rule", compilation_failed(&why)))?;
    if !kind.may_be(typing::Type::Bool) {
        return Err(("rule", "cel expression must evaluate to a bool".to_owned()));
    }
    if let Some(list) = uncorrelated.filter(|_| transition) {
        return Err(("rule", format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {list}")));
    }
    if declared.optional_old_self && !transition {
        return Err(("optionalOldSelf", "may not be set if oldSelf is not used in rule".to_owned()));
    }
    Ok(CompiledRule {
        message: message_expression(declared, scope)?,
        field_path: field_path(declared, scope.schema)?,
        declared: declared.clone(),
        program,
        transition,
    })
}

fn message_expression(declared: &Rule, scope: &Scope<'_>) -> Result<Option<Program>, (&'static str, String)> {
    let source = &declared.message_expression;
    if source.is_empty() {
        return Ok(None);
    }
    let failed = |why: String| ("messageExpression", format!("messageExpression {why}"));
    let program = program(source).map_err(failed)?;
    let kind = typing::check(source, &program.expression().expr, scope).map_err(|why| failed(compilation_failed(&why)))?;
    if !kind.may_be(typing::Type::Text) {
        return Err(("messageExpression", "messageExpression must evaluate to a string".to_owned()));
    }
    Ok(Some(program))
}

fn program(source: &str) -> Result<Program, String> {
    Program::compile(source.trim()).map_err(|errors| compilation_failed(&errors.to_string()))
}

fn compilation_failed(why: &str) -> String {
    format!("compilation failed: {why}")
}

/// Reads `.a.b['c']` and checks that every step is a declared field or map entry.
fn field_path(declared: &Rule, schema: &Schema) -> Result<Vec<String>, (&'static str, String)> {
    let bad = |why: String| ("fieldPath", why);
    let steps = steps(&declared.field_path).map_err(bad)?;
    let mut here = schema;
    for step in &steps {
        here = match (here.properties.get(step), &here.additional) {
            (Some(field), _) => field,
            (None, Some(additional)) => additional,
            (None, None) => {
                return Err(bad(format!("fieldPath must be a valid path: does not refer to a valid field: {}", declared.field_path)));
            }
        };
    }
    Ok(steps)
}

fn steps(path: &str) -> Result<Vec<String>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = if let Some(quoted) = rest.strip_prefix("['") {
            quoted.split_once("']").ok_or("fieldPath must be a valid path: unclosed bracket")?
        } else if let Some(named) = rest.strip_prefix('.') {
            named.split_at(named.find(['.', '[']).unwrap_or(named.len()))
        } else {
            return Err("fieldPath must be a valid path: must start with '.' or '[' and name fields only".to_owned());
        };
        if step.is_empty() {
            return Err("fieldPath must be a valid path: empty field name".to_owned());
        }
        steps.push(step.to_owned());
        rest = after;
    }
    Ok(steps)
}
