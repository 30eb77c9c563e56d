//! Label selectors: equality, sets, existence and comparison.

use std::collections::BTreeSet;

use serde_json::Value;

use super::lexer::{Context, TokenKind, Tokens};
use crate::sim::api_error::ApiError;
use crate::sim::builtin::names;

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label is present with one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// The label is a whole number above the value.
    GreaterThan,
    /// The label is a whole number below the value.
    LessThan,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Label key.
    pub key: String,
    /// Comparison.
    pub operator: Operator,
    /// Values compared with.
    pub values: BTreeSet<String>,
}

/// A conjunction of requirements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// All must hold; none: everything is selected.
    pub requirements: Vec<Requirement>,
    /// Selects nothing at all, whatever the requirements: an absent `LabelSelector`.
    nothing: bool,
}

impl Labels {
    /// Parses the text of `labelSelector`.
    ///
    /// # Errors
    /// 400 with the server's sentence.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        parse(text).map_err(ApiError::bad_request)
    }

    /// A `metav1.LabelSelector`; `null` selects nothing, an empty one everything.
    ///
    /// # Errors
    /// A sentence about an unknown operator.
    pub fn from_selector(selector: &Value) -> Result<Self, String> {
        let Some(selector) = selector.as_object() else { return Ok(Self { requirements: Vec::new(), nothing: true }) };
        let mut labels = Self::from_map(selector.get("matchLabels").unwrap_or(&Value::Null));
        for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let operator = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(format!("\"{other}\" is not a valid label selector operator")),
            };
            let values = expression["values"].as_array().into_iter().flatten();
            labels.requirements.push(Requirement {
                key: expression["key"].as_str().unwrap_or_default().to_owned(),
                operator,
                values: values.filter_map(|value| value.as_str().map(str::to_owned)).collect(),
            });
        }
        Ok(labels)
    }

    /// Equality with every entry of a map; an empty map selects everything.
    pub fn from_map(map: &Value) -> Self {
        let entries = map.as_object().into_iter().flatten();
        let requirements = entries.map(|(key, value)| Requirement {
            key: key.clone(),
            operator: Operator::In,
            values: BTreeSet::from([value.as_str().unwrap_or_default().to_owned()]),
        });
        Self { requirements: requirements.collect(), nothing: false }
    }

    /// Whether an object's labels satisfy all requirements.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(&object["metadata"]["labels"])
    }

    /// Whether a map of labels satisfies all requirements.
    pub fn matches_labels(&self, labels: &Value) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.holds(labels[&requirement.key].as_str()))
    }

    /// Selects everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }
}

impl Requirement {
    fn holds(&self, label: Option<&str>) -> bool {
        match self.operator {
            Operator::In => label.is_some_and(|label| self.values.contains(label)),
            Operator::NotIn => label.is_none_or(|label| !self.values.contains(label)),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => self.compare(label).is_some_and(|(label, bound)| label > bound),
            Operator::LessThan => self.compare(label).is_some_and(|(label, bound)| label < bound),
        }
    }

    fn compare(&self, label: Option<&str>) -> Option<(i64, i64)> {
        Some((label?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

fn parse(text: &str) -> Result<Labels, String> {
    let mut tokens = Tokens::of(text);
    let mut labels = Labels::default();
    loop {
        let first = tokens.peek(Context::Values);
        match first.kind {
            TokenKind::Identifier | TokenKind::Not => {}
            TokenKind::End => return Ok(sorted(labels)),
            _ => return Err(format!("found '{}', expected: !, identifier, or 'end of string'", first.text)),
        }
        let requirement = requirement(&mut tokens).map_err(|error| format!("unable to parse requirement: {error}"))?;
        labels.requirements.push(requirement);
        let separator = tokens.take(Context::Values);
        match separator.kind {
            TokenKind::End => return Ok(sorted(labels)),
            TokenKind::Comma => {}
            _ => return Err(format!("found '{}', expected: ',' or 'end of string'", separator.text)),
        }
        let next = tokens.peek(Context::Values);
        if !matches!(next.kind, TokenKind::Identifier | TokenKind::Not) {
            return Err(format!("found '{}', expected: identifier after ','", next.text));
        }
    }
}

fn sorted(mut labels: Labels) -> Labels {
    labels.requirements.sort_by(|left, right| left.key.cmp(&right.key));
    labels
}

fn requirement(tokens: &mut Tokens) -> Result<Requirement, String> {
    let mut token = tokens.take(Context::Values);
    let negated = token.kind == TokenKind::Not;
    if negated {
        token = tokens.take(Context::Values);
    }
    if token.kind != TokenKind::Identifier {
        return Err(format!("found '{}', expected: identifier", token.text));
    }
    let key = token.text;
    if let Some(problem) = names::qualified(&key).into_iter().next() {
        return Err(format!("<nil>: Invalid value: {key:?}: {problem}"));
    }
    if negated {
        return Ok(Requirement { key, operator: Operator::DoesNotExist, values: BTreeSet::new() });
    }
    if matches!(tokens.peek(Context::Values).kind, TokenKind::End | TokenKind::Comma) {
        return Ok(Requirement { key, operator: Operator::Exists, values: BTreeSet::new() });
    }
    let operator = tokens.take(Context::KeyAndOperator);
    let (operator, values) = match operator.kind {
        TokenKind::In => (Operator::In, value_set(tokens)?),
        TokenKind::NotIn => (Operator::NotIn, value_set(tokens)?),
        TokenKind::Equals | TokenKind::DoubleEquals => (Operator::In, exact_value(tokens)?),
        TokenKind::NotEquals => (Operator::NotIn, exact_value(tokens)?),
        TokenKind::GreaterThan => (Operator::GreaterThan, exact_value(tokens)?),
        TokenKind::LessThan => (Operator::LessThan, exact_value(tokens)?),
        _ => return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", operator.text)),
    };
    check_values(&key, operator, &values)?;
    Ok(Requirement { key, operator, values })
}

fn check_values(key: &str, operator: Operator, values: &BTreeSet<String>) -> Result<(), String> {
    if matches!(operator, Operator::GreaterThan | Operator::LessThan) {
        let number = values.first().is_some_and(|value| value.parse::<i64>().is_ok());
        if !number {
            let shown = values.first().map(String::as_str).unwrap_or_default();
            return Err(format!("values[0]: Invalid value: {shown:?}: for 'Gt', 'Lt' operators, the value must be an integer"));
        }
    }
    for (at, value) in values.iter().enumerate() {
        if let Some(problem) = names::label_value(value).into_iter().next() {
            return Err(format!("values[{at}][{key}]: Invalid value: {value:?}: {problem}"));
        }
    }
    Ok(())
}

fn exact_value(tokens: &mut Tokens) -> Result<BTreeSet<String>, String> {
    if matches!(tokens.peek(Context::Values).kind, TokenKind::End | TokenKind::Comma) {
        return Ok(BTreeSet::from([String::new()]));
    }
    let token = tokens.take(Context::Values);
    if token.kind != TokenKind::Identifier {
        return Err(format!("found '{}', expected: identifier", token.text));
    }
    Ok(BTreeSet::from([token.text]))
}

fn value_set(tokens: &mut Tokens) -> Result<BTreeSet<String>, String> {
    let open = tokens.take(Context::Values);
    if open.kind != TokenKind::Open {
        return Err(format!("found '{}' expected: '('", open.text));
    }
    let mut values = BTreeSet::new();
    let first = tokens.peek(Context::Values);
    match first.kind {
        TokenKind::Identifier | TokenKind::Comma => {}
        // An empty list of values counts as one empty value.
        TokenKind::Close => {
            tokens.take(Context::Values);
            return Ok(BTreeSet::from([String::new()]));
        }
        _ => return Err(format!("found '{}', expected: ',', ')' or identifier", first.text)),
    }
    loop {
        let token = tokens.peek(Context::Values);
        if token.kind == TokenKind::Identifier {
            tokens.take(Context::Values);
            values.insert(token.text);
        } else {
            // Nothing between two separators is the empty value.
            values.insert(String::new());
        }
        let separator = tokens.take(Context::Values);
        match separator.kind {
            TokenKind::Comma => {}
            TokenKind::Close => return Ok(values),
            _ => return Err(format!("found '{}', expected: ',' or ')'", separator.text)),
        }
    }
}
