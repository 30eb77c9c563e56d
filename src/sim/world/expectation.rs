//! What a world expects of stored objects: conditions in CEL over `self`.
//!
//! Takes an expression and an object (or none, when it is gone: `self` is then null); gives whether it holds, and if not,
//! what was found in the places that the expression looks at. Values are those of the stored JSON, so times are text. Has
//! the functions that Kubernetes has. Nothing but `self` is defined, and `self` alone decides.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{EntryExpr, Expr, MapExpr, StructExpr};
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::Value;

/// The longest expression, in characters.
const LENGTH_MAX: usize = 4_096;
/// The longest value that is shown as found, in characters.
const SHOWN_MAX: usize = 200;

static LIBRARY: LazyLock<Context<'static>> = LazyLock::new(|| Context::default().with_all());

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Condition {
    source: String,
    program: Arc<Program>,
    /// The fields that it looks at, to be shown when it does not hold.
    looks_at: Vec<(String, Arc<Program>)>,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// What became of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Met,
    /// It does not, or could not be decided: what was found.
    Unmet(String),
}

impl Condition {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(source: &str) -> Result<Self, String> {
        if source.chars().count() > LENGTH_MAX {
            return Err(format!("an expression of more than {LENGTH_MAX} characters is refused"));
        }
        let program = Program::compile(source).map_err(|errors| match errors.errors.first() {
            Some(first) => format!("is no CEL expression: {} (at character {})", plain(&first.msg), first.pos.1 + 1),
            None => "is no CEL expression".to_owned(),
        })?;
        let mut defined = BTreeSet::from(["self"]);
        bound(&program.expression().expr, &mut defined);
        if let Some(name) = program.references().variables().into_iter().filter(|name| !defined.contains(name)).min() {
            return Err(format!("{name} is not defined: the object is called self, text needs quotes"));
        }
        let looks_at = paths(source).into_iter().filter_map(|path| Some((path.clone(), Arc::new(Program::compile(&path).ok()?)))).collect();
        Ok(Self { source: source.to_owned(), program: Arc::new(program), looks_at })
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Decides it for an object; none: it is gone.
    pub fn decide(&self, object: Option<&Value>) -> Outcome {
        let mut scope = LIBRARY.new_inner_scope();
        scope.add_variable_from_value("self", object.map_or(Cel::Null, cel));
        match self.program.execute(&scope) {
            Ok(Cel::Bool(true)) => Outcome::Met,
            Ok(Cel::Bool(false)) => Outcome::Unmet(self.found(object.is_none(), &scope)),
            Ok(_) => Outcome::Unmet("the expression must give true or false, it gave another value".to_owned()),
            Err(_) if object.is_none() => Outcome::Unmet("the object is gone".to_owned()),
            Err(error) => Outcome::Unmet(format!("{}; {}", why(&error), self.found(false, &scope))),
        }
    }

    fn found(&self, gone: bool, scope: &Context<'_>) -> String {
        if gone {
            return "the object is gone".to_owned();
        }
        let shown = |(path, program): &(String, Arc<Program>)| match program.execute(scope) {
            Ok(value) => format!("{path} is {}", show(&value)),
            Err(_) => format!("{path} is absent"),
        };
        let all: Vec<String> = self.looks_at.iter().map(shown).collect();
        if all.is_empty() { "it is false".to_owned() } else { all.join(", ") }
    }
}

/// The parser's message; of one that wraps another, the inner one.
fn plain(message: &str) -> &str {
    message.split("msg: \"").nth(1).and_then(|inner| inner.split('"').next()).unwrap_or(message)
}

/// The variables that macros such as `exists` bind.
fn bound<'a>(expression: &'a Expr, names: &mut BTreeSet<&'a str>) {
    match expression {
        Expr::Comprehension(loops) => {
            names.insert(&loops.iter_var);
            names.extend(loops.iter_var2.as_deref());
            names.insert(&loops.accu_var);
            for part in [&loops.iter_range, &loops.accu_init, &loops.loop_cond, &loops.loop_step, &loops.result] {
                bound(&part.expr, names);
            }
        }
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(|part| bound(&part.expr, names)),
        Expr::List(list) => list.elements.iter().for_each(|part| bound(&part.expr, names)),
        Expr::Select(select) => bound(&select.operand.expr, names),
        Expr::Map(MapExpr { entries }) | Expr::Struct(StructExpr { entries, .. }) => {
            for entry in entries {
                match &entry.expr {
                    EntryExpr::StructField(field) => bound(&field.value.expr, names),
                    EntryExpr::MapEntry(entry) => [&entry.key, &entry.value].into_iter().for_each(|part| bound(&part.expr, names)),
                }
            }
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

/// The field accesses on `self` that an expression writes down, the longest of each: `self.status.phase`, `self.a['b'][0]`.
fn paths(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (start, _) in source.match_indices("self") {
        let before = source[..start].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '.') {
            continue;
        }
        let length = access_length(&source[start + 4..]);
        if length > 0 {
            found.insert(source[start..start + 4 + length].to_owned());
        }
    }
    found
}

/// How much of the text is `.name` and `[...]`; a name that is called is not a field.
fn access_length(text: &str) -> usize {
    let mut length = 0;
    loop {
        let rest = &text[length..];
        let step = if let Some(name) = rest.strip_prefix('.') {
            let letters = name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            if letters == 0 || name[letters..].starts_with('(') { 0 } else { letters + 1 }
        } else if rest.starts_with('[') {
            rest.find(']').map_or(0, |end| end + 1)
        } else {
            0
        };
        if step == 0 {
            return length;
        }
        length += step;
    }
}

/// A JSON value as CEL sees it: whole numbers are integers.
fn cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Cel::Int(whole),
            (None, Some(large)) => Cel::UInt(large),
            (None, None) => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(cel).collect())),
        Value::Object(fields) => {
            let entries = fields.iter().map(|(name, field)| (Key::String(Arc::new(name.clone())), cel(field)));
            Cel::Map(Map { map: Arc::new(entries.collect()) })
        }
    }
}

fn show(value: &Cel) -> String {
    let text = json(value).to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Back to JSON, for people; keys in order.
fn json(value: &Cel) -> Value {
    match value {
        Cel::Bool(flag) => Value::Bool(*flag),
        Cel::Int(whole) => Value::from(*whole),
        Cel::UInt(whole) => Value::from(*whole),
        Cel::Float(number) => Value::from(*number),
        Cel::String(text) => Value::String(text.to_string()),
        Cel::List(items) => Value::Array(items.iter().map(json).collect()),
        Cel::Map(map) => Value::Object(map.map.iter().map(|(key, value)| (key.to_string(), json(value))).collect()),
        _ => Value::Null,
    }
}

fn why(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => format!("there is no field {name} (use has() where a field may be absent)"),
        ExecutionError::UndeclaredReference(name) => format!("there is no function {name}"),
        ExecutionError::NoSuchOverload | ExecutionError::ValuesNotComparable(..) | ExecutionError::UnsupportedBinaryOperator(..) => {
            "values of different types are compared".to_owned()
        }
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than that".to_owned(),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decide(source: &str, object: Option<Value>) -> Outcome {
        Condition::compile(source).unwrap().decide(object.as_ref())
    }

    fn object() -> Value {
        json!({
            "metadata": { "name": "chat", "namespace": "default", "labels": { "a/b": "c" } },
            "spec": { "replicas": 4 },
            "status": { "stable": { "version": "1.4.0", "weight": 100 }, "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    }

    fn unmet(source: &str) -> String {
        match decide(source, Some(object())) {
            Outcome::Unmet(found) => found,
            Outcome::Met => panic!("{source} is met"),
        }
    }

    #[test]
    fn expressions_look_at_the_stored_object() {
        for source in [
            "self.status.stable.version == '1.4.0'",
            "self.spec.replicas == 4 && self.status.stable.weight >= 100",
            "self.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')",
            "!has(self.status.candidate)",
            "self.metadata.labels['a/b'] == 'c'",
            "self.metadata.namespace == 'default'",
            "self.metadata.name.matches('^ch')",
            "quantity('1Gi').isGreaterThan(quantity('1Mi'))",
        ] {
            assert_eq!(decide(source, Some(object())), Outcome::Met, "{source}");
        }
    }

    #[test]
    fn what_does_not_hold_says_what_was_found() {
        assert_eq!(unmet("self.status.stable.version == '1.5.0'"), "self.status.stable.version is \"1.4.0\"");
        assert_eq!(
            unmet("self.spec.replicas == 3 || self.status.candidate.version == ''"),
            "there is no field candidate (use has() where a field may be absent); self.spec.replicas is 4, self.status.candidate.version is absent"
        );
        assert_eq!(unmet("self.spec.replicas"), "the expression must give true or false, it gave another value");
        assert!(unmet("self.status.conditions.exists(c, c.type == 'Stalled')").starts_with("self.status.conditions is [{"));
    }

    #[test]
    fn an_object_that_is_gone_is_null() {
        assert_eq!(decide("self == null", None), Outcome::Met);
        assert_eq!(decide("self.spec.replicas == 4", None), Outcome::Unmet("the object is gone".to_owned()));
        assert_eq!(unmet("self == null"), "it is false");
    }

    #[test]
    fn wrong_expressions_are_refused_when_they_are_read() {
        for source in ["self.status ==", "", "status.phase == 'Active'", "self.version == v1", "self.a == 'b", "((((", "self..a", "'\\"] {
            assert!(Condition::compile(source).is_err(), "{source}");
        }
        let deep = format!("{}true{}", "(".repeat(1000), ")".repeat(1000));
        assert!(Condition::compile(&deep).is_err_and(|why| why.contains("Recursion limit") && !why.contains("ParseError")));
    }
}
