//! The parser of JSON paths.

use serde_json::Value;

use super::{Filter, JsonPath, Operand, Operator, Step};

/// Parses a whole path.
pub(super) fn path(text: &str) -> Result<JsonPath, String> {
    let trimmed = text.trim();
    let inner = match trimmed.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(|| format!("unclosed action in {text:?}"))?,
        None => trimmed,
    };
    let inner = inner.strip_prefix(['$', '@']).unwrap_or(inner);
    let path = steps(inner)?;
    if path.steps.is_empty() {
        return Err(format!("no path in {text:?}"));
    }
    Ok(path)
}

fn steps(text: &str) -> Result<JsonPath, String> {
    let mut rest = text;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = bracket(after)?;
            steps.push(bracket_step(inside)?);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Descendants);
            if after.is_empty() {
                return Err(format!("nothing behind .. in {text:?}"));
            }
            rest = if after.starts_with('[') { after } else { field(after, &mut steps)? };
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = if after.starts_with('[') { after } else { field(after, &mut steps)? };
        } else {
            return Err(format!("unrecognized text at {rest:?}: a path starts with a dot"));
        }
    }
    Ok(JsonPath { steps })
}

/// Reads a field name, gives what is behind it. An empty name (`.` alone) is the value itself.
fn field<'a>(text: &'a str, steps: &mut Vec<Step>) -> Result<&'a str, String> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    let mut end = text.len();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => {
                end = at;
                break;
            }
            ' ' | '&' | '|' | '=' | '<' | '>' | '!' | '(' | ')' | '{' | '}' => {
                return Err(format!("unexpected {character:?} in {text:?}"));
            }
            other => name.push(other),
        }
    }
    match name.as_str() {
        "" if end == text.len() && text.is_empty() && steps.is_empty() => {}
        "" => return Err(format!("empty field name in {text:?}")),
        "*" => steps.push(Step::Wildcard),
        _ => steps.push(Step::Fields(vec![name])),
    }
    Ok(&text[end..])
}

/// Splits at the bracket that closes, minding quotes and inner brackets.
fn bracket(text: &str) -> Result<(&str, &str), String> {
    let mut depth = 0;
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Ok((text[..at].trim(), &text[at + 1..])),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    Err(format!("unterminated bracket in {text:?}"))
}

fn bracket_step(inside: &str) -> Result<Step, String> {
    if inside == "*" {
        return Ok(Step::Wildcard);
    }
    if let Some(filter) = inside.strip_prefix("?(") {
        let condition = filter.strip_suffix(')').ok_or_else(|| format!("unclosed filter in {inside:?}"))?;
        return Ok(Step::Filter(filter_of(condition.trim())?));
    }
    if inside.starts_with(['\'', '"']) {
        let names = inside.split(',').map(|part| quoted(part.trim())).collect::<Result<_, _>>()?;
        return Ok(Step::Fields(names));
    }
    let number = |part: &str| part.trim().parse::<i64>().map_err(|_| format!("invalid array index {inside:?}"));
    if inside.contains(':') {
        let parts: Vec<&str> = inside.split(':').collect();
        let optional = |part: Option<&&str>| part.filter(|part| !part.trim().is_empty()).map(|part| number(part)).transpose();
        let step = optional(parts.get(2))?.unwrap_or(1);
        let step = usize::try_from(step).ok().filter(|step| *step > 0).ok_or_else(|| format!("step must be > 0 in {inside:?}"))?;
        return Ok(Step::Slice { from: optional(parts.first())?, to: optional(parts.get(1))?, step });
    }
    Ok(Step::Indices(inside.split(',').map(number).collect::<Result<_, _>>()?))
}

fn quoted(text: &str) -> Result<String, String> {
    let mut characters = text.chars();
    let (open, close) = (characters.next(), characters.next_back());
    match (open, close) {
        (Some('\''), Some('\'')) | (Some('"'), Some('"')) => Ok(characters.as_str().to_owned()),
        _ => Err(format!("invalid quoted text {text:?}")),
    }
}

fn filter_of(condition: &str) -> Result<Filter, String> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("==", Operator::Equal),
        ("!=", Operator::Different),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let Some((at, text, operator)) = first_operator(condition, &OPERATORS) else {
        return Ok(Filter { left: path(condition)?, comparison: None });
    };
    let (left, right) = (condition[..at].trim(), condition[at + text.len()..].trim());
    Ok(Filter { left: path(left)?, comparison: Some((operator, operand(right)?)) })
}

/// The first operator outside quotes; of two at the same place the longer one.
fn first_operator<'o>(text: &str, operators: &'o [(&'o str, Operator)]) -> Option<(usize, &'o str, Operator)> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            _ => {
                if let Some((sign, operator)) = operators.iter().find(|(sign, _)| text[at..].starts_with(sign)) {
                    return Some((at, sign, *operator));
                }
            }
        }
    }
    None
}

fn operand(text: &str) -> Result<Operand, String> {
    if text.starts_with(['\'', '"']) {
        let inner = quoted(text)?;
        if inner.contains(['\'', '"']) {
            return Err(format!("one comparison per filter: {text:?}"));
        }
        return Ok(Operand::Literal(Value::String(inner)));
    }
    if text.starts_with(['@', '$', '.']) {
        return path(text).map(Operand::Path);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Operand::Literal(value)),
        _ => Err(format!("cannot compare with {text:?}")),
    }
}
