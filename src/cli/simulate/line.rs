//! One line of a timeline, for people and for programs.
//!
//! Takes what happened to one object; gives text or one JSON object with stable field names. Pure.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Width of the column of times.
const TIME_WIDTH: usize = 9;
/// Width of the column of objects; longer names push the rest to the right.
const OBJECT_WIDTH: usize = 34;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A user asked for something.
    Request,
    /// The world did something.
    World,
    /// An object changed.
    Change,
    /// Somebody recorded an Event about an object.
    Event,
}

impl Topic {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::World => "world",
            Self::Change => "change",
            Self::Event => "event",
        }
    }
}

/// A field that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Name of a printed column, type of a condition, or path of a field.
    pub field: String,
    /// Before; null: absent.
    pub from: Value,
    /// After; null: absent.
    pub to: Value,
}

/// One decision or visible change.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Virtual time since the start.
    pub at: SignedDuration,
    /// What it is about.
    pub topic: Topic,
    /// Namespace of the object; empty: none.
    pub namespace: String,
    /// `kind/name`; empty for the world itself.
    pub object: String,
    /// What happened, in few words.
    pub what: String,
    /// Why, in a sentence; may be empty.
    pub why: String,
    /// Who did it: a user or a field manager.
    pub by: String,
    /// Something is wrong.
    pub warning: bool,
    /// The fields that changed, as far as they are shown.
    pub changes: Vec<Changed>,
    /// The same happens again and again: it is told no more until it has been over for a while.
    pub repetitions_left_out: bool,
}

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without escapes.
    Plain,
    /// With colours of a terminal.
    Coloured,
}

impl Style {
    /// Marks text as something that is wrong.
    pub fn warning(self, text: &str) -> String {
        self.paint(text, "33")
    }

    /// Marks text as less important.
    pub fn dim(self, text: &str) -> String {
        self.paint(text, "2")
    }

    /// Marks a heading.
    pub fn bold(self, text: &str) -> String {
        self.paint(text, "1")
    }

    fn paint(self, text: &str, code: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured if text.is_empty() => String::new(),
            Self::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

impl Line {
    /// As text. Times in the reason are shown as times since `start`.
    pub fn text(&self, start: Timestamp, style: Style) -> String {
        let time = format!("{:>TIME_WIDTH$}", clock(self.at));
        let object = format!("{:<OBJECT_WIDTH$}", self.shown_object());
        let what = if self.warning { style.warning(&self.what) } else { self.what.clone() };
        let why = self.why_since(start);
        let more = if self.repetitions_left_out { " (repetitions are left out)" } else { "" };
        let text = match (what.is_empty(), why.is_empty()) {
            (_, true) => what,
            (true, false) => why,
            (false, false) => format!("{what}: {why}"),
        };
        format!("{}  {object}  {}{more}", style.dim(&time), single_line(&text)).trim_end().to_owned()
    }

    /// As one JSON object. Times in the reason stay as they are.
    pub fn json(&self) -> Value {
        let changes: Vec<Value> =
            self.changes.iter().map(|changed| json!({ "field": changed.field, "from": changed.from, "to": changed.to })).collect();
        json!({
            "type": self.topic.as_str(), "time": clock(self.at), "seconds": self.at.as_secs_f64(), "namespace": self.namespace,
            "object": self.object, "what": self.what, "why": self.why, "by": self.by, "warning": self.warning, "changes": changes,
            "repetitionsLeftOut": self.repetitions_left_out,
        })
    }

    /// The reason, with points in time as times since `start`.
    pub fn why_since(&self, start: Timestamp) -> String {
        relative_times(&self.why, start)
    }

    /// The object, with its namespace unless that is the default one.
    pub fn shown_object(&self) -> String {
        if self.namespace.is_empty() || self.namespace == "default" {
            self.object.clone()
        } else {
            format!("{}/{}", self.namespace, self.object)
        }
    }
}

/// A time since the start in whole seconds: `5s`, `12m01s`, `1h02m00s`.
pub fn clock(at: SignedDuration) -> String {
    let seconds = at.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest:02}s"),
        _ => format!("{hours}h{minutes:02}m{rest:02}s"),
    }
}

/// Replaces points in time such as `2026-01-01T00:12:00Z` by the time since `start`.
fn relative_times(text: &str, start: Timestamp) -> String {
    let word = |word: &str| {
        let trimmed = word.trim_end_matches([',', ';', ')', ':']);
        match trimmed.parse::<Timestamp>() {
            Ok(at) if trimmed.len() >= 20 => format!("{}{}", clock(at.duration_since(start)), &word[trimmed.len()..]),
            _ => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Line feeds and other control characters of messages would break the table.
fn single_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() && letter != '\u{1b}' { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            at: SignedDuration::from_secs(721),
            topic: Topic::Change,
            namespace: "default".to_owned(),
            object: "modeldeployment/chat".to_owned(),
            what: "Weight 0 -> 10".to_owned(),
            why: "holding at 10 % until 2026-01-01T00:22:01Z, then 50 %".to_owned(),
            by: "modelward".to_owned(),
            warning: false,
            changes: vec![Changed { field: "Weight".to_owned(), from: json!(0), to: json!(10) }],
            repetitions_left_out: false,
        }
    }

    fn start() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn text_has_time_object_what_and_why() {
        let text = line().text(start(), Style::Plain);
        assert_eq!(text, "   12m01s  modeldeployment/chat                Weight 0 -> 10: holding at 10 % until 22m01s, then 50 %");
    }

    #[test]
    fn other_namespaces_are_named_and_control_characters_taken_out() {
        let line = Line { namespace: "team".to_owned(), why: "a\nb\tc".to_owned(), what: String::new(), ..line() };
        assert_eq!(line.text(start(), Style::Plain), "   12m01s  team/modeldeployment/chat           a b c");
    }

    #[test]
    fn colours_mark_times_and_warnings() {
        let line = Line { warning: true, ..line() };
        let text = line.text(start(), Style::Coloured);
        let repeated = Line { repetitions_left_out: true, ..line.clone() };
        assert!(repeated.text(start(), Style::Plain).ends_with("50 % (repetitions are left out)"));
        assert!(text.contains("\u{1b}[33mWeight 0 -> 10\u{1b}[0m") && text.starts_with("\u{1b}[2m   12m01s"), "{text:?}");
    }

    #[test]
    fn json_has_stable_names() {
        let expected = json!({
            "type": "change", "time": "12m01s", "seconds": 721.0, "namespace": "default", "object": "modeldeployment/chat",
            "what": "Weight 0 -> 10", "why": "holding at 10 % until 2026-01-01T00:22:01Z, then 50 %", "by": "modelward",
            "warning": false, "changes": [{ "field": "Weight", "from": 0, "to": 10 }], "repetitionsLeftOut": false,
        });
        assert_eq!(line().json(), expected);
    }

    #[test]
    fn times_are_shown_in_seconds() {
        let shown = [0, 59, 60, 3600, 90061].map(|seconds| clock(SignedDuration::from_secs(seconds)));
        assert_eq!(shown, ["0s", "59s", "1m00s", "1h00m00s", "25h01m01s"]);
    }
}
