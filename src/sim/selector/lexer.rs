//! Tokens of label selectors.

/// One token with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Identifier,
    In,
    NotIn,
    Equals,
    DoubleEquals,
    NotEquals,
    GreaterThan,
    LessThan,
    Open,
    Close,
    Comma,
    Not,
    Error,
    End,
}

/// Whether `in` and `notin` are operators or plain words at this point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    KeyAndOperator,
    Values,
}

/// Splits a selector; look-ahead of one.
pub(super) struct Tokens {
    tokens: Vec<Token>,
    at: usize,
}

impl Tokens {
    pub(super) fn of(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (token, length) = next(rest);
            tokens.push(token);
            rest = rest[length..].trim_start();
        }
        Self { tokens, at: 0 }
    }

    pub(super) fn peek(&self, context: Context) -> Token {
        let Some(token) = self.tokens.get(self.at) else { return Token { kind: TokenKind::End, text: String::new() } };
        let mut token = token.clone();
        if context == Context::Values && matches!(token.kind, TokenKind::In | TokenKind::NotIn) {
            token.kind = TokenKind::Identifier;
        }
        token
    }

    pub(super) fn take(&mut self, context: Context) -> Token {
        let token = self.peek(context);
        self.at += 1;
        token
    }
}

fn is_special(letter: char) -> bool {
    matches!(letter, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

/// The first token of a text that is not empty and does not begin with a space, and its length in bytes.
fn next(text: &str) -> (Token, usize) {
    let special: usize = text.chars().take_while(|letter| is_special(*letter)).map(char::len_utf8).sum();
    if special > 0 {
        return special_token(&text[..special]);
    }
    let length = text.find(|letter: char| letter.is_whitespace() || is_special(letter)).unwrap_or(text.len());
    let word = &text[..length];
    let kind = match word {
        "in" => TokenKind::In,
        "notin" => TokenKind::NotIn,
        _ => TokenKind::Identifier,
    };
    (Token { kind, text: word.to_owned() }, length)
}

/// The longest operator at the start of a run of special characters.
fn special_token(run: &str) -> (Token, usize) {
    const OPERATORS: [(&str, TokenKind); 9] = [
        ("==", TokenKind::DoubleEquals),
        ("!=", TokenKind::NotEquals),
        ("=", TokenKind::Equals),
        (">", TokenKind::GreaterThan),
        ("<", TokenKind::LessThan),
        ("(", TokenKind::Open),
        (")", TokenKind::Close),
        (",", TokenKind::Comma),
        ("!", TokenKind::Not),
    ];
    for (text, kind) in OPERATORS {
        if run.starts_with(text) {
            return (Token { kind, text: text.to_owned() }, text.len());
        }
    }
    (Token { kind: TokenKind::Error, text: run.to_owned() }, run.len())
}
