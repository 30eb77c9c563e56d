//! Query templates: PromQL with placeholders such as `{{namespace}}`.
//!
//! Takes a text once and says where its mistakes are; gives, for the values of one revision, the text to send. A value is escaped
//! for the place where it stands, so that no name of an object can change what a query asks: in a string it stays inside the
//! string, behind `=~` and `!~` it matches itself only. What has no safe form in its place is refused. Never checks PromQL
//! beyond strings and comments; Prometheus does.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub use self::parse::{TemplateError, TemplateErrorKind};

/// The longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 8192;

/// The longest text value, in characters.
const VALUE_LENGTH_MAX: usize = 253;

/// What may stand between `{{` and `}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// `{{namespace}}`: the deployment's namespace.
    Namespace,
    /// `{{deployment}}`: the name of the ModelDeployment.
    Deployment,
    /// `{{revision}}`: the name of the revision's child objects, `<deployment>-<hash>`.
    Revision,
    /// `{{service}}`: the name of the revision's Service.
    Service,
    /// `{{model}}`: the name of the Model.
    Model,
    /// `{{version}}`: the version of the model.
    Version,
    /// `{{pods}}`: a regular expression that matches the names of the revision's pods; stands behind `=~` or `!~`.
    Pods,
    /// `{{window}}`: how far the query looks back, such as `30s`; stands outside of strings.
    Window,
}

impl Placeholder {
    /// Every placeholder, in the order in which they are documented.
    pub const ALL: [Self; 8] =
        [Self::Namespace, Self::Deployment, Self::Revision, Self::Service, Self::Model, Self::Version, Self::Pods, Self::Window];

    /// The word between the braces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Deployment => "deployment",
            Self::Revision => "revision",
            Self::Service => "service",
            Self::Model => "model",
            Self::Version => "version",
            Self::Pods => "pods",
            Self::Window => "window",
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{}}}}}", self.name())
    }
}

/// The values of one revision and one look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Namespace of the deployment.
    pub namespace: String,
    /// Name of the ModelDeployment.
    pub deployment: String,
    /// Name of the revision's child objects, `<deployment>-<hash>`.
    pub revision: String,
    /// Name of the revision's Service.
    pub service: String,
    /// Name of the Model.
    pub model: String,
    /// Version of the model.
    pub version: String,
    /// How far the query looks back from the moment it is asked for; whole milliseconds, at least one.
    pub window: Duration,
}

impl Parameters {
    /// Those of one revision of `llama` in `shop`, for tests.
    #[cfg(test)]
    pub(crate) fn of_llama(window: Duration) -> Self {
        Self {
            namespace: "shop".to_owned(),
            deployment: "llama".to_owned(),
            revision: "llama-6fd8".to_owned(),
            service: "llama-6fd8".to_owned(),
            model: "llama".to_owned(),
            version: "1.2.0".to_owned(),
            window,
        }
    }

    fn text(&self, placeholder: Placeholder) -> Option<&str> {
        match placeholder {
            Placeholder::Namespace => Some(&self.namespace),
            Placeholder::Deployment => Some(&self.deployment),
            Placeholder::Revision | Placeholder::Pods => Some(&self.revision),
            Placeholder::Service => Some(&self.service),
            Placeholder::Model => Some(&self.model),
            Placeholder::Version => Some(&self.version),
            Placeholder::Window => None,
        }
    }
}

/// A value that cannot stand where the template has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of {placeholder} {reason}")]
pub struct RenderError {
    /// Whose value it is.
    pub placeholder: Placeholder,
    /// What is wrong with it, to be read behind "the value of ...".
    pub reason: &'static str,
}

/// A template that was read without mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole { placeholder: Placeholder, place: Place },
}

/// Where a placeholder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Code,
    Literal { quote: char, regex: bool },
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// An unknown placeholder, one in a place where its value could not stand, a string that is not closed, a text that is too
    /// long; each with its line and column.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Ok(Self { source: source.to_owned(), parts: parse::parts(source)? })
    }

    /// The text as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether `placeholder` occurs.
    #[must_use]
    pub fn uses(&self, placeholder: Placeholder) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Hole { placeholder: found, .. } if *found == placeholder))
    }

    /// The query for these values.
    ///
    /// # Errors
    /// A value that is empty, too long, or has characters that no escape makes safe in its place.
    pub fn render(&self, parameters: &Parameters) -> Result<String, RenderError> {
        let mut query = String::with_capacity(self.source.len() + 64);
        for part in &self.parts {
            match part {
                Part::Text(text) => query.push_str(text),
                Part::Hole { placeholder, place } => query.push_str(&value(*placeholder, *place, parameters)?),
            }
        }
        Ok(query)
    }
}

fn value(placeholder: Placeholder, place: Place, parameters: &Parameters) -> Result<String, RenderError> {
    let refused = |reason| RenderError { placeholder, reason };
    let Some(text) = parameters.text(placeholder) else {
        return window(parameters.window).ok_or_else(|| refused("is not a whole number of milliseconds, at least one"));
    };
    let Place::Literal { quote, regex } = place else { return Err(refused("cannot stand outside of a string")) };
    if text.is_empty() {
        return Err(refused("is empty"));
    }
    if text.chars().count() > VALUE_LENGTH_MAX {
        return Err(refused("is longer than 253 characters"));
    }
    // Prometheus takes U+FFFD for broken UTF-8.
    if text.chars().any(|letter| letter.is_control() || letter == char::REPLACEMENT_CHARACTER) {
        return Err(refused("has control characters"));
    }
    let text = match (placeholder, regex) {
        (Placeholder::Pods, _) => format!("{}-.+", quoted_for_regex(text)),
        (_, true) => quoted_for_regex(text),
        (_, false) => text.to_owned(),
    };
    escaped(&text, quote).ok_or_else(|| refused("has a backtick and stands in a string of backticks"))
}

/// A PromQL duration in the largest unit of which it is a whole number.
fn window(window: Duration) -> Option<String> {
    let milliseconds = window.as_millis();
    let whole = milliseconds > 0 && Duration::from_millis(u64::try_from(milliseconds).ok()?) == window;
    let text = if milliseconds.is_multiple_of(1000) { format!("{}s", milliseconds / 1000) } else { format!("{milliseconds}ms") };
    whole.then_some(text)
}

/// A regular expression (RE2) that matches this text only.
fn quoted_for_regex(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted
}

/// The inside of a string that stands for this text; none if these quotes have no way to write it.
fn escaped(text: &str, quote: char) -> Option<String> {
    if quote == '`' {
        return (!text.contains('`')).then(|| text.to_owned());
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if letter == quote || letter == '\\' {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    Some(escaped)
}
