//! A light type check of rules at registration: undeclared names, undefined fields, operands that never fit.
//!
//! Takes a parsed expression and the schema of `self`; gives the type of the result as far as it is plain. What it cannot
//! tell it calls [`Type::Dyn`] and lets pass: a rule is refused only when it is surely wrong.

use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr};

use super::convert::escape;
use crate::sim::schema::{Kind, Schema};

mod functions;

/// Type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Anything, known only when the rule runs.
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Time,
    Duration,
    Null,
    List,
    Map,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Dyn => "dyn",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::Time => "timestamp",
            Self::Duration => "duration",
            Self::Null => "null",
            Self::List => "list",
            Self::Map => "map",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Whether `==`, `<` and so on can ever hold between the two.
    fn comparable(self, other: Self) -> bool {
        self == other
            || self == Self::Dyn
            || other == Self::Dyn
            || self == Self::Null
            || other == Self::Null
            || self.is_number() && other.is_number()
    }
}

/// Type of an expression, with its schema where it is a part of `self`.
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a> {
    kind: Type,
    schema: Option<&'a Schema>,
    resource: bool,
}

impl<'a> Typed<'a> {
    fn plain(kind: Type) -> Self {
        Self { kind, schema: None, resource: false }
    }

    fn of(schema: &'a Schema) -> Self {
        let kind = match (schema.kind, schema.limits.format.as_str()) {
            (Kind::Boolean, _) => Type::Bool,
            (Kind::Integer, _) => Type::Int,
            (Kind::Number, _) => Type::Double,
            (Kind::String, "date-time" | "datetime" | "date") => Type::Time,
            (Kind::String, "duration") => Type::Duration,
            (Kind::String, "byte") => Type::Bytes,
            (Kind::String, _) => Type::Text,
            (Kind::Array, _) => Type::List,
            (Kind::Object, _) => Type::Map,
            (Kind::Any | Kind::IntOrString, _) => Type::Dyn,
        };
        Self { kind, schema: Some(schema), resource: schema.embedded_resource }
    }

    /// Whether the value may be of this type when the rule runs.
    pub fn may_be(self, kind: Type) -> bool {
        self.kind == kind || self.kind == Type::Dyn
    }
}

/// What a rule is declared on.
pub struct Scope<'a> {
    /// Schema of `self`.
    pub schema: &'a Schema,
    /// `self` is a whole resource, of whose metadata only the names are visible.
    pub resource: bool,
    /// `oldSelf` is an optional value, not simply the old `self`.
    pub optional_old_self: bool,
}

/// Checks an expression.
///
/// # Errors
/// The compiler's message, with line and column.
pub fn check<'a>(source: &str, expression: &Expr, scope: &Scope<'a>) -> Result<Typed<'a>, String> {
    let this = Typed { resource: scope.resource, ..Typed::of(scope.schema) };
    let old = if scope.optional_old_self { Typed::plain(Type::Dyn) } else { this };
    let variables = vec![("self".to_owned(), this), ("oldSelf".to_owned(), old)];
    let mut checker = Checker { source: source.trim(), variables };
    checker.of(expression)
}

struct Checker<'a, 's> {
    source: &'s str,
    variables: Vec<(String, Typed<'a>)>,
}

impl<'a> Checker<'a, '_> {
    fn of(&mut self, expression: &Expr) -> Result<Typed<'a>, String> {
        match expression {
            Expr::Literal(literal) => Ok(Typed::plain(literal_type(literal))),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                list.elements.iter().try_for_each(|element| self.of(&element.expr).map(drop))?;
                Ok(Typed::plain(Type::List))
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    match &entry.expr {
                        EntryExpr::MapEntry(entry) => {
                            self.of(&entry.key.expr)?;
                            self.of(&entry.value.expr)?;
                        }
                        EntryExpr::StructField(field) => {
                            self.of(&field.value.expr)?;
                        }
                    }
                }
                Ok(Typed::plain(Type::Map))
            }
            Expr::Struct(made) => {
                Err(self.error(&made.type_name, 0, &format!("undeclared reference to '{}' (in container '')", made.type_name)))
            }
            Expr::Unspecified => Ok(Typed::plain(Type::Dyn)),
        }
    }

    fn variable(&self, name: &str) -> Result<Typed<'a>, String> {
        let known = self.variables.iter().rev().find(|(variable, _)| variable == name);
        known.map(|(_, kind)| *kind).ok_or_else(|| self.error(name, 0, &format!("undeclared reference to '{name}' (in container '')")))
    }

    fn select(&mut self, select: &SelectExpr) -> Result<Typed<'a>, String> {
        let operand = self.of(&select.operand.expr)?;
        let field = self.field(operand, &select.field)?;
        Ok(if select.test { Typed::plain(Type::Bool) } else { field })
    }

    fn field(&self, operand: Typed<'a>, name: &str) -> Result<Typed<'a>, String> {
        if !operand.may_be(Type::Map) {
            return Err(self.error(&format!(".{name}"), 0, &format!("type '{}' does not support field selection", operand.kind.name())));
        }
        let Some(schema) = operand.schema else { return Ok(Typed::plain(Type::Dyn)) };
        if schema.kind == Kind::Any {
            return Err(self.error(&format!(".{name}"), 0, &format!("undefined field '{name}'")));
        }
        if let Some(additional) = &schema.additional {
            return Ok(Typed::of(additional));
        }
        let visible = |declared: &str| !operand.resource || declared != "metadata";
        match schema.properties.iter().find(|(declared, _)| escape(declared) == name) {
            Some((declared, field)) if visible(declared) => Ok(Typed::of(field)),
            // Names only, whatever else metadata has.
            Some(_) => Ok(Typed::plain(Type::Dyn)),
            None => Err(self.error(&format!(".{name}"), 0, &format!("undefined field '{name}'"))),
        }
    }

    fn call(&mut self, call: &CallExpr) -> Result<Typed<'a>, String> {
        // `sets.contains(..)` is a function with a dotted name, unless `sets` is a variable.
        let qualified = match call.target.as_ref().map(|target| &target.expr) {
            Some(Expr::Ident(name)) if !self.variables.iter().any(|(variable, _)| variable == name) => {
                Some(format!("{name}.{}", call.func_name))
            }
            _ => None,
        };
        let qualified = qualified.filter(|name| functions::result(name).is_some());
        let target = match (&call.target, &qualified) {
            (Some(target), None) => Some(self.of(&target.expr)?),
            _ => None,
        };
        let arguments = call.args.iter().map(|argument| self.of(&argument.expr)).collect::<Result<Vec<_>, _>>()?;
        if call.func_name.starts_with(['_', '!', '-', '@']) && qualified.is_none() {
            return self.operator(&call.func_name, &arguments);
        }
        let name = qualified.as_deref().unwrap_or(&call.func_name);
        let Some(result) = functions::result(name) else {
            return Err(self.error(&call.func_name, 0, &format!("undeclared reference to '{name}' (in container '')")));
        };
        if let Some(target) = target.filter(|target| !functions::takes(name, target.kind)) {
            let applied = format!("{}.({})", target.kind.name(), names(&arguments));
            return Err(self.error(&call.func_name, 0, &format!("found no matching overload for '{name}' applied to '{applied}'")));
        }
        Ok(Typed::plain(result))
    }

    fn operator(&self, name: &str, arguments: &[Typed<'a>]) -> Result<Typed<'a>, String> {
        let mismatch = || {
            let sign = name.trim_matches('_').trim_start_matches('@');
            self.error(sign, 0, &format!("found no matching overload for '{name}' applied to '({})'", names(arguments)))
        };
        match (name, arguments) {
            ("_&&_" | "_||_", [left, right]) if left.may_be(Type::Bool) && right.may_be(Type::Bool) => Ok(Typed::plain(Type::Bool)),
            ("!_" | "@not_strictly_false", [only]) if only.may_be(Type::Bool) => Ok(Typed::plain(Type::Bool)),
            ("_==_" | "_!=_", [left, right]) if left.kind.comparable(right.kind) => Ok(Typed::plain(Type::Bool)),
            ("_<_" | "_<=_" | "_>_" | "_>=_", [left, right])
                if left.kind.comparable(right.kind) && ordered(left.kind) && ordered(right.kind) =>
            {
                Ok(Typed::plain(Type::Bool))
            }
            ("_?_:_", [condition, then, otherwise]) if condition.may_be(Type::Bool) => {
                Ok(if then.kind == otherwise.kind { *then } else { Typed::plain(Type::Dyn) })
            }
            ("_[_]", [container, _]) if container.may_be(Type::List) || container.may_be(Type::Map) => Ok(element(*container)),
            ("@in", [_, container]) if container.may_be(Type::List) || container.may_be(Type::Map) => Ok(Typed::plain(Type::Bool)),
            ("-_", [only]) if only.kind == Type::Dyn || only.kind.is_number() || only.kind == Type::Duration => Ok(*only),
            ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [left, right]) => {
                arithmetic(name, left.kind, right.kind).map(Typed::plain).ok_or_else(mismatch)
            }
            ("_?._" | "_[?_]", _) => Err(self.error("?", 0, "optional field selection is not supported by this server")),
            _ => Err(mismatch()),
        }
    }

    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Result<Typed<'a>, String> {
        let range = self.of(&comprehension.iter_range.expr)?;
        if !range.may_be(Type::List) && !range.may_be(Type::Map) {
            let why =
                format!("expression of type '{}' cannot be range of a comprehension (must be list, map, or dynamic)", range.kind.name());
            return Err(self.error(".", 0, &why));
        }
        if let Some(second) = &comprehension.iter_var2 {
            return Err(self.error(second, 0, "two-variable comprehensions are not supported by this server"));
        }
        // Maps are walked by key.
        let item = if range.kind == Type::Map { Typed::plain(Type::Text) } else { element(range) };
        let start = self.of(&comprehension.accu_init.expr)?;
        let depth = self.variables.len();
        self.variables.push((comprehension.accu_var.clone(), start));
        self.variables.push((comprehension.iter_var.clone(), item));
        let inner = self.of(&comprehension.loop_cond.expr).and_then(|_| self.of(&comprehension.loop_step.expr));
        self.variables.truncate(depth + 1);
        inner?;
        let result = self.of(&comprehension.result.expr);
        self.variables.truncate(depth);
        result
    }

    /// A compiler message that points at the `occurrence`-th place where `needle` stands in the source.
    fn error(&self, needle: &str, occurrence: usize, why: &str) -> String {
        let offset = self.source.match_indices(needle).nth(occurrence).map_or(0, |(offset, _)| offset);
        let before = &self.source[..offset];
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let text = self.source.lines().nth(line).unwrap_or_default();
        format!("ERROR: <input>:{}:{}: {why}\n | {text}\n | {}^", line + 1, column + 1, ".".repeat(column))
    }
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

/// Type of what a list or map holds.
fn element<'a>(container: Typed<'a>) -> Typed<'a> {
    let inner = container.schema.and_then(|schema| schema.items.as_deref().or(schema.additional.as_deref()));
    inner.map_or(Typed::plain(Type::Dyn), Typed::of)
}

fn ordered(kind: Type) -> bool {
    !matches!(kind, Type::List | Type::Map | Type::Null)
}

/// Type of an arithmetic operation; `None` when there is none for these operands.
fn arithmetic(name: &str, left: Type, right: Type) -> Option<Type> {
    match (left, right) {
        (Type::Dyn, _) | (_, Type::Dyn) => Some(Type::Dyn),
        (left, right) if left.is_number() && left == right => (name != "_%_" || left != Type::Double).then_some(left),
        (Type::Text, Type::Text) | (Type::List, Type::List) | (Type::Bytes, Type::Bytes) => (name == "_+_").then_some(left),
        (Type::Time, Type::Duration) => matches!(name, "_+_" | "_-_").then_some(Type::Time),
        (Type::Duration, Type::Time) => (name == "_+_").then_some(Type::Time),
        (Type::Time, Type::Time) => (name == "_-_").then_some(Type::Duration),
        (Type::Duration, Type::Duration) => matches!(name, "_+_" | "_-_").then_some(Type::Duration),
        _ => None,
    }
}

fn names(arguments: &[Typed<'_>]) -> String {
    arguments.iter().map(|argument| argument.kind.name()).collect::<Vec<_>>().join(", ")
}
