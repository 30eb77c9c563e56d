//! What preflight found, and how it is shown. Pure.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::cli::simulate::line::Style;

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and not as somebody may think; or it could not be looked at.
    Warning,
    /// It cannot work, or is not taken.
    Refused,
}

impl Verdict {
    /// As it is shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Refused => "refused",
        }
    }
}

/// One line of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, as `modeldeployment/chat`.
    pub object: String,
    /// Its namespace; empty: none.
    pub namespace: String,
    /// Where it was written.
    pub place: String,
    /// What was looked at, as one word.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// The reason as one word, as conditions have it; empty: none.
    pub reason: String,
    /// In words, with what to do.
    pub message: String,
}

/// What findings are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// As `modeldeployment/chat`.
    pub object: String,
    /// Its namespace; empty: none.
    pub namespace: String,
    /// Where it was written.
    pub place: String,
}

impl About {
    /// A finding about it.
    pub fn finding(&self, check: &'static str, verdict: Verdict, reason: &str, message: impl Into<String>) -> Finding {
        let Self { object, namespace, place } = self.clone();
        Finding { object, namespace, place, check, verdict, reason: reason.to_owned(), message: message.into() }
    }

    /// It is as it should be.
    pub fn ok(&self, check: &'static str, message: impl Into<String>) -> Finding {
        self.finding(check, Verdict::Ok, "", message)
    }

    /// A warning.
    pub fn warning(&self, check: &'static str, reason: &str, message: impl Into<String>) -> Finding {
        self.finding(check, Verdict::Warning, reason, message)
    }

    /// A refusal.
    pub fn refused(&self, check: &'static str, reason: &str, message: impl Into<String>) -> Finding {
        self.finding(check, Verdict::Refused, reason, message)
    }
}

impl Finding {
    /// As one JSON object.
    pub fn json(&self) -> Value {
        let Self { object, namespace, place, check, verdict, reason, message } = self;
        let mut value = json!({ "object": object, "place": place, "check": check, "verdict": verdict.word(), "message": message });
        for (field, text) in [("namespace", namespace), ("reason", reason)] {
            if !text.is_empty() {
                value[field] = json!(text);
            }
        }
        value
    }
}

/// The table for people.
pub fn table(findings: &[Finding], style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["OBJECT", "CHECK", "VERDICT", "WHAT"]);
    for finding in findings {
        let reason = if finding.reason.is_empty() { String::new() } else { format!("{}: ", finding.reason) };
        table.add_row([finding.object.as_str(), finding.check, finding.verdict.word(), &format!("{reason}{}", finding.message)]);
    }
    let mut lines = table.lines().map(|line| line.trim().to_owned());
    let heading = lines.next().map(|line| style.bold(&line)).unwrap_or_default();
    std::iter::once(heading).chain(lines).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat() -> About {
        About { object: "modeldeployment/chat".to_owned(), namespace: "team".to_owned(), place: "a.yaml:1:1".to_owned() }
    }

    #[test]
    fn findings_are_a_table_for_people() {
        let findings = [chat().ok("schema", "taken"), chat().refused("release", "VersionNotFound", "add it")];
        let text = table(&findings, Style::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "OBJECT                CHECK    VERDICT  WHAT");
        assert_eq!(lines[2], "modeldeployment/chat  release  refused  VersionNotFound: add it");
    }

    #[test]
    fn findings_are_json_objects_without_empty_fields() {
        let value = chat().ok("schema", "taken").json();
        assert_eq!(
            value,
            json!({
                "object": "modeldeployment/chat", "namespace": "team", "place": "a.yaml:1:1", "check": "schema", "verdict": "ok",
                "message": "taken",
            })
        );
        assert_eq!(chat().warning("share", "A", "b").json()["reason"], "A");
    }
}
