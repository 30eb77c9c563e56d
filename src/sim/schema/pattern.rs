//! Regular expressions of schemas and CEL rules (RE2 syntax, unanchored).
//!
//! Takes a pattern and a text, gives whether it matches. Answers are remembered: the same names and images are checked
//! thousands of times in a run, and building an automaton costs far more than looking it up.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use kube_cel::cel::{Context, Program, Value};

/// Answers kept before starting over; bounds memory, never changes an answer.
const REMEMBERED: usize = 8192;

/// Known answers by pattern and text.
#[derive(Default)]
struct Memory {
    answers: BTreeMap<String, BTreeMap<String, Result<bool, String>>>,
    count: usize,
}

static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

/// The engine is the one that CEL's own `matches` uses, so both agree on the syntax.
static MATCHES: LazyLock<Result<Program, String>> =
    LazyLock::new(|| Program::compile("text.matches(pattern)").map_err(|error| error.to_string()));

/// Whether some part of `text` matches `pattern`.
///
/// # Errors
/// The engine's text when the pattern is malformed.
pub fn matches(pattern: &str, text: &str) -> Result<bool, String> {
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = memory.answers.get(pattern).and_then(|texts| texts.get(text)) {
        return known.clone();
    }
    let answer = run(pattern, text);
    if memory.count >= REMEMBERED {
        *memory = Memory::default();
    }
    memory.count += 1;
    memory.answers.entry(pattern.to_owned()).or_default().insert(text.to_owned(), answer.clone());
    answer
}

fn run(pattern: &str, text: &str) -> Result<bool, String> {
    let program = MATCHES.as_ref().map_err(Clone::clone)?;
    let mut context = Context::default();
    context.add_variable_from_value("text", text.to_owned());
    context.add_variable_from_value("pattern", pattern.to_owned());
    match program.execute(&context) {
        Ok(Value::Bool(answer)) => Ok(answer),
        Ok(other) => Err(format!("matches gave {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_unanchored_and_answers_repeat() {
        for _ in 0..2 {
            assert_eq!(matches("a+", "xaay"), Ok(true));
            assert_eq!(matches("^a+$", "xaay"), Ok(false));
            assert_eq!(matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "my-name"), Ok(true));
            assert!(matches("(", "x").is_err());
        }
    }
}
