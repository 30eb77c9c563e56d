//! Reads a template: finds strings, comments and placeholders, and checks that each placeholder stands where its value can.

use super::{Part, Place, Placeholder, TEMPLATE_BYTES_MAX};

/// A mistake in a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct TemplateError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub kind: TemplateErrorKind,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateErrorKind {
    /// Nothing but space.
    #[error("the query is empty")]
    Empty,
    /// More than [`TEMPLATE_BYTES_MAX`] bytes.
    #[error("the query is longer than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
    /// No placeholder has this name.
    #[error("there is no placeholder {{{{{name}}}}}; known are {}", known())]
    Unknown {
        /// What stands between the braces, cut to 40 characters.
        name: String,
    },
    /// Opened by `{{`, never closed.
    #[error("{{{{ is not closed by }}}}")]
    OpenPlaceholder,
    /// A name outside of a string could be anything.
    #[error("{0} has to stand in a string, such as namespace=\"{0}\"")]
    OutsideOfString(Placeholder),
    /// A regular expression where none is expected.
    #[error("{0} is a regular expression and has to stand in a string behind =~ or !~, such as pod=~\"{0}\"")]
    NotBehindRegexMatcher(Placeholder),
    /// A duration in a string.
    #[error("{0} is a duration and cannot stand in a string; write it as in [{0}] or offset {0}")]
    InsideOfString(Placeholder),
    /// Comments are not part of a query.
    #[error("{0} cannot stand in a comment")]
    InComment(Placeholder),
    /// The string's end is missing, or comes behind a line break.
    #[error("the string is not closed")]
    OpenString,
    /// `\x`, `\u`, `\U` or an octal escape without all of its digits.
    #[error("the escape in the string lacks digits")]
    ShortEscape,
}

fn known() -> String {
    Placeholder::ALL.map(|placeholder| placeholder.to_string()).join(", ")
}

/// Splits the text into fixed parts and holes.
pub(super) fn parts(source: &str) -> Result<Vec<Part>, TemplateError> {
    let mut reader = Reader { source, at: 0, start: 0, before: ['\0', '\0'], parts: Vec::new() };
    if source.len() > TEMPLATE_BYTES_MAX {
        return Err(reader.error(0, TemplateErrorKind::TooLong));
    }
    if source.trim().is_empty() {
        return Err(reader.error(0, TemplateErrorKind::Empty));
    }
    while let Some(letter) = reader.peek() {
        match letter {
            '"' | '\'' | '`' => reader.literal(letter)?,
            '#' => reader.comment()?,
            _ if reader.opens_placeholder() => reader.hole(Place::Code)?,
            _ => reader.code(letter),
        }
    }
    reader.flush();
    Ok(reader.parts)
}

struct Reader<'a> {
    source: &'a str,
    /// The next byte to be read.
    at: usize,
    /// Where the fixed part that is being read began.
    start: usize,
    /// The last two letters of code that are not space.
    before: [char; 2],
    parts: Vec<Part>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn opens_placeholder(&self) -> bool {
        self.rest().starts_with("{{")
    }

    fn code(&mut self, letter: char) {
        if !letter.is_whitespace() {
            self.before = [self.before[1], letter];
        }
        self.at += letter.len_utf8();
    }

    fn literal(&mut self, quote: char) -> Result<(), TemplateError> {
        let opened = self.at;
        let place = Place::Literal { quote, regex: matches!(self.before, ['=' | '!', '~']) };
        self.code(quote);
        loop {
            match self.peek() {
                None => return Err(self.error(opened, TemplateErrorKind::OpenString)),
                Some('\n') if quote != '`' => return Err(self.error(opened, TemplateErrorKind::OpenString)),
                Some(letter) if letter == quote => {
                    self.code(letter);
                    return Ok(());
                }
                Some('\\') if quote != '`' => self.escape(opened)?,
                Some(_) if self.opens_placeholder() => self.hole(place)?,
                Some(letter) => self.at += letter.len_utf8(),
            }
        }
    }

    /// Steps over a backslash and what belongs to it: a value must not become part of an escape.
    fn escape(&mut self, opened: usize) -> Result<(), TemplateError> {
        let backslash = self.at;
        let mut letters = self.rest().chars().skip(1);
        let kind = letters.next().ok_or_else(|| self.error(opened, TemplateErrorKind::OpenString))?;
        let (digits, radix) = match kind {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => (2, 8),
            _ => (0, 10),
        };
        if letters.take(digits).filter(|letter| letter.is_digit(radix)).count() < digits {
            return Err(self.error(backslash, TemplateErrorKind::ShortEscape));
        }
        self.at += 1 + kind.len_utf8() + digits;
        Ok(())
    }

    fn comment(&mut self) -> Result<(), TemplateError> {
        while let Some(letter) = self.peek().filter(|letter| *letter != '\n') {
            if self.opens_placeholder() {
                let (placeholder, _) = self.placeholder()?;
                return Err(self.error(self.at, TemplateErrorKind::InComment(placeholder)));
            }
            self.at += letter.len_utf8();
        }
        Ok(())
    }

    fn hole(&mut self, place: Place) -> Result<(), TemplateError> {
        let (placeholder, length) = self.placeholder()?;
        let misplaced = match (placeholder, place) {
            (Placeholder::Window, Place::Literal { .. }) => Some(TemplateErrorKind::InsideOfString(placeholder)),
            (Placeholder::Window, Place::Code) => None,
            (Placeholder::Pods, Place::Code | Place::Literal { regex: false, .. }) => {
                Some(TemplateErrorKind::NotBehindRegexMatcher(placeholder))
            }
            (_, Place::Code) => Some(TemplateErrorKind::OutsideOfString(placeholder)),
            (_, Place::Literal { .. }) => None,
        };
        if let Some(kind) = misplaced {
            return Err(self.error(self.at, kind));
        }
        self.flush();
        self.parts.push(Part::Hole { placeholder, place });
        self.at += length;
        self.start = self.at;
        if place == Place::Code {
            self.before = ['\0', '\0'];
        }
        Ok(())
    }

    /// The placeholder that begins here, and its length with braces.
    fn placeholder(&self) -> Result<(Placeholder, usize), TemplateError> {
        let inside = &self.rest()[2..];
        let end = inside.find("}}").ok_or_else(|| self.error(self.at, TemplateErrorKind::OpenPlaceholder))?;
        let name = inside[..end].trim();
        let found = Placeholder::ALL.into_iter().find(|placeholder| placeholder.name() == name);
        let unknown = || TemplateErrorKind::Unknown { name: name.chars().take(40).collect() };
        Ok((found.ok_or_else(|| self.error(self.at, unknown()))?, end + 4))
    }

    fn flush(&mut self) {
        if self.start < self.at {
            self.parts.push(Part::Text(self.source[self.start..self.at].to_owned()));
        }
        self.start = self.at;
    }

    fn error(&self, at: usize, kind: TemplateErrorKind) -> TemplateError {
        let before = &self.source[..at];
        let line = before.rsplit('\n').next().unwrap_or_default();
        TemplateError { line: before.matches('\n').count() + 1, column: line.chars().count() + 1, kind }
    }
}
