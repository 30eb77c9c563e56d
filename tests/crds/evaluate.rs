//! Evaluates the rules of a schema over an object as an API server does: defaults first, then each rule at each value it belongs to.
//! A rule with `oldSelf` runs only where there was a value before; list entries are found again by their keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube_cel::KubeCelExt;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, Program, Value as Cel};
use serde_json::Value;

/// A place in a schema (without indices and keys of maps) and the message that a rule there gave.
pub type Answer = (String, String);

/// What the rules answer; nothing when the object is taken. `old` makes it an update.
pub fn answers(schema: &Value, object: &Value, old: Option<&Value>) -> BTreeSet<Answer> {
    let mut found = BTreeSet::new();
    let old = old.map(|old| defaulted(schema, old.clone()));
    walk(schema, &defaulted(schema, object.clone()), old.as_ref(), "", &mut found);
    found
}

/// Every rule of a schema as (path, rule, message), and how often it can run for one object.
pub fn rules(schema: &Value) -> Vec<Rule> {
    let mut found = Vec::new();
    collect(schema, "", 1, &mut found);
    found
}

/// A rule and where it stands.
pub struct Rule {
    pub path: String,
    pub rule: String,
    pub message: String,
    /// How many values of one object it can apply to.
    pub times: u64,
    /// The schema of the value it applies to.
    pub node: Value,
}

fn collect(node: &Value, path: &str, times: u64, found: &mut Vec<Rule>) {
    for rule in node["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        found.push(Rule { path: path.to_owned(), rule: text("rule"), message: text("message"), times, node: node.clone() });
    }
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        collect(child, &below(path, name), times, found);
    }
    if node["items"].is_object() {
        collect(&node["items"], path, times * node["maxItems"].as_u64().unwrap(), found);
    }
    if node["additionalProperties"].is_object() {
        collect(&node["additionalProperties"], path, times * node["maxProperties"].as_u64().unwrap(), found);
    }
}

fn walk(schema: &Value, value: &Value, old: Option<&Value>, path: &str, found: &mut BTreeSet<Answer>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let text = rule["rule"].as_str().unwrap();
        if let Err(why) = holds(text, schema, value, old) {
            let message = rule["message"].as_str().unwrap_or_default();
            found.insert((path.to_owned(), if why.is_empty() { message.to_owned() } else { format!("{text}: {why}") }));
        }
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let before = old.and_then(|old| old.get(name));
                if let Some(child) = schema["properties"].get(name) {
                    walk(child, field, before, &below(path, name), found);
                } else if schema["additionalProperties"].is_object() {
                    walk(&schema["additionalProperties"], field, before, path, found);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(&schema["items"], item, before(schema, item, old), path, found);
            }
        }
        _ => {}
    }
}

/// The entry of the old list that is the same one by its keys.
fn before<'old>(schema: &Value, item: &Value, old: Option<&'old Value>) -> Option<&'old Value> {
    let keys = schema["x-kubernetes-list-map-keys"].as_array()?;
    old?.as_array()?.iter().find(|other| keys.iter().all(|key| other.get(key.as_str().unwrap()) == item.get(key.as_str().unwrap())))
}

/// An empty error is a rule that says no; any other one is a rule that cannot be evaluated.
fn holds(rule: &str, schema: &Value, value: &Value, old: Option<&Value>) -> Result<(), String> {
    let program = Program::compile(rule).map_err(|error| error.to_string())?;
    let mut context = Context::default().with_all();
    context.add_variable_from_value("self", cel(schema, value));
    match old {
        Some(old) => context.add_variable_from_value("oldSelf", cel(schema, old)),
        None if program.references().variables().contains(&"oldSelf") => return Ok(()),
        None => {}
    }
    match program.execute(&context) {
        Ok(Cel::Bool(true)) => Ok(()),
        Ok(Cel::Bool(false)) => Err(String::new()),
        Ok(other) => Err(format!("gave {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// A value as CEL sees it: a number of type `number` is a double, whatever it looks like.
fn cel(schema: &Value, value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) if schema["type"] == "number" => Cel::Float(number.as_f64().unwrap()),
        Value::Number(number) => number.as_i64().map_or_else(|| Cel::Float(number.as_f64().unwrap()), Cel::Int),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(|item| cel(&schema["items"], item)).collect())),
        Value::Object(fields) => {
            let child = |name: &str| schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
            let entries = fields.iter().map(|(name, field)| (Key::String(Arc::new(name.clone())), cel(child(name), field)));
            Cel::Map(Map { map: Arc::new(entries.collect()) })
        }
    }
}

/// Fills in the defaults of a schema.
pub fn defaulted(schema: &Value, mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, child) in schema["properties"].as_object().into_iter().flatten() {
                if let (false, Some(default)) = (fields.contains_key(name), child.get("default")) {
                    fields.insert(name.clone(), default.clone());
                }
                if let Some(field) = fields.get_mut(name) {
                    *field = defaulted(child, field.take());
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = defaulted(&schema["items"], item.take())),
        _ => {}
    }
    value
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
