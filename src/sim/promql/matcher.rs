//! Label matchers.
//!
//! Takes what the parser read; gives a predicate over a label's value. Regular expressions are anchored at both ends and their
//! dot matches a line feed, as in Prometheus. Never looks at more than one label.

use promql_parser::label::{MatchOp, Matchers};
use regex::Regex;

use super::query::QueryError;

#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    NotEqual(String),
    Matches(Regex),
    MatchesNot(Regex),
}

/// One condition on one label; an absent label has the empty value.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: String,
    test: Test,
    /// What every accepted value begins with; not empty.
    prefix: Option<String>,
}

/// A regular expression as Prometheus reads it.
pub fn anchored(text: &str) -> Result<Regex, QueryError> {
    Regex::new(&format!("^(?s:{text})$")).map_err(|error| QueryError::bad_data(format!("regular expression {text:?}: {error}")))
}

impl Matcher {
    /// `name="value"`.
    pub fn equal(name: &str, value: &str) -> Self {
        let prefix = (!value.is_empty()).then(|| value.to_owned());
        Self { name: name.to_owned(), test: Test::Equal(value.to_owned()), prefix }
    }

    /// The label it looks at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The only value that it accepts, if it is `=`.
    pub fn exact(&self) -> Option<&str> {
        match &self.test {
            Test::Equal(value) => Some(value),
            _ => None,
        }
    }

    /// What every value that it accepts begins with, if that can be told; never empty.
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Whether a value of its label is accepted.
    pub fn matches(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => wanted == value,
            Test::NotEqual(unwanted) => unwanted != value,
            Test::Matches(pattern) => pattern.is_match(value),
            Test::MatchesNot(pattern) => !pattern.is_match(value),
        }
    }
}

/// What everything that a regular expression takes begins with, as far as it is written plainly; none with alternatives.
fn literal_prefix(pattern: &str) -> Option<&str> {
    if pattern.contains('|') {
        return None;
    }
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_".contains(sign);
    let end = pattern.find(|sign| !plain(sign)).unwrap_or(pattern.len());
    // What follows may say that the last sign need not be there.
    let kept = if pattern[end..].starts_with(['?', '*', '{']) { end.saturating_sub(1) } else { end };
    Some(&pattern[..kept])
}

/// The matchers of a selector; the metric's name is one of them.
pub fn compile(name: Option<&str>, parsed: &Matchers) -> Result<Vec<Matcher>, QueryError> {
    if !parsed.or_matchers.is_empty() {
        return Err(QueryError::bad_data("`or` between label matchers is no PromQL"));
    }
    let named = name.map(|name| Ok(Matcher::equal(super::labels::METRIC_NAME, name)));
    let rest = parsed.matchers.iter().map(|matcher| {
        let test = match matcher.op {
            MatchOp::Equal => Test::Equal(matcher.value.clone()),
            MatchOp::NotEqual => Test::NotEqual(matcher.value.clone()),
            MatchOp::Re(_) => Test::Matches(anchored(&matcher.value)?),
            MatchOp::NotRe(_) => Test::MatchesNot(anchored(&matcher.value)?),
        };
        let prefix = match &test {
            Test::Equal(value) => Some(value.as_str()),
            Test::Matches(_) => literal_prefix(&matcher.value),
            Test::NotEqual(_) | Test::MatchesNot(_) => None,
        };
        let prefix = prefix.filter(|prefix| !prefix.is_empty()).map(str::to_owned);
        Ok(Matcher { name: matcher.name.clone(), test, prefix })
    });
    named.into_iter().chain(rest).collect()
}
