//! Commands: what a person asks for once, by an annotation with a nonce.

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// End the present hold.
    Promote,
    /// Go to 100 %, past all holds, never past readiness.
    PromoteFull,
    /// Back to stable.
    Abort,
    /// No forward steps.
    Pause,
    /// Forward steps again.
    Resume,
    /// Try an aborted or failed revision again.
    Retry,
    /// Replace the pods, one after the other.
    Restart,
}

impl Verb {
    const ALL: [(&'static str, Self); 7] = [
        ("promote", Self::Promote),
        ("promote-full", Self::PromoteFull),
        ("abort", Self::Abort),
        ("pause", Self::Pause),
        ("resume", Self::Resume),
        ("retry", Self::Retry),
        ("restart", Self::Restart),
    ];
}

/// A command as written: `verb:nonce`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The verb as the user wrote it.
    pub text: String,
    /// What it means; an error says what was expected.
    pub verb: Result<Verb, String>,
    /// Tells this request from the one before.
    pub nonce: String,
}

/// Longest nonce that is told apart, in bytes.
const NONCE_MAX: usize = 63;

impl Command {
    /// Reads the annotation's value. Never fails: what makes no sense is a command that will be refused by name.
    pub fn parse(value: &str) -> Self {
        let (text, nonce) = value.split_once(':').unwrap_or((value, ""));
        let known = Verb::ALL.iter().find(|(name, _)| *name == text).map(|(_, verb)| *verb);
        let names: Vec<&str> = Verb::ALL.iter().map(|(name, _)| *name).collect();
        let verb = match known {
            _ if nonce.is_empty() || nonce.len() > NONCE_MAX => {
                Err(format!("write VERB:NONCE with a nonce of 1 to {NONCE_MAX} characters, for example promote:1"))
            }
            Some(verb) => Ok(verb),
            None => Err(format!("no such command; use one of {}", names.join(", "))),
        };
        Self { text: clip(text), verb, nonce: clip(nonce) }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(NONCE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_verb_with_a_nonce_is_read() {
        let command = Command::parse("promote-full:2026-11-21");
        assert_eq!((command.verb, command.nonce.as_str()), (Ok(Verb::PromoteFull), "2026-11-21"));
    }

    #[test]
    fn annotations_that_make_no_sense_are_refused_in_words_and_bounded() {
        for value in ["", "promote", "promote:", ":1", "Promote:1", "a:b:c"] {
            assert!(Command::parse(value).verb.is_err(), "{value}");
        }
        let long = Command::parse(&format!("{}:{}", "x".repeat(10_000), "é".repeat(10_000)));
        assert!(long.verb.is_err() && long.text.len() <= 63 && long.nonce.chars().count() <= 63);
    }
}
