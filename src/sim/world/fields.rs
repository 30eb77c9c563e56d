//! Strict reading of mappings: every field that is not known is a mistake, and all mistakes are reported, not the first.
//!
//! Takes [`Located`] nodes; gives values, and adds to a list of problems what was expected and what was found. A reader gives
//! none exactly when it has added a problem.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::SignedDuration;
use serde_json::Value;

use super::document::{Entry, Located, Node};
use super::duration;
use super::place::Problems;

/// The fields of one mapping, as they are taken one by one.
pub struct Fields<'a> {
    /// The mapping.
    pub node: &'a Located,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The fields of a mapping; `what` names it in the message when it is something else.
    pub fn of(node: &'a Located, what: &str, problems: &mut Problems) -> Option<Self> {
        let Node::Map(entries) = &node.node else {
            problems.push(node.place.problem(format!("{what} must be a mapping, found {}", node.kind())));
            return None;
        };
        Some(Self { node, entries, known: Vec::new() })
    }

    /// The value of a field; null counts as absent.
    pub fn take(&mut self, name: &'static str) -> Option<&'a Located> {
        self.known.push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        (entry.value.node != Node::Null).then_some(&entry.value)
    }

    /// Reads a field that may be absent.
    pub fn read<T>(&mut self, name: &'static str, read: Reader<T>, problems: &mut Problems) -> Option<T> {
        let value = self.take(name)?;
        read(value, name, problems)
    }

    /// Reads a field that must be there.
    pub fn require<T>(&mut self, name: &'static str, read: Reader<T>, problems: &mut Problems) -> Option<T> {
        match self.take(name) {
            Some(value) => read(value, name, problems),
            None => {
                problems.push(self.node.place.problem(format!("{name} is missing")));
                None
            }
        }
    }

    /// A field that exists in the format and is not simulated: refused with the reason.
    pub fn refuse(&mut self, name: &'static str, why: &str, problems: &mut Problems) {
        self.known.push(name);
        if let Some(entry) = self.entries.iter().find(|entry| entry.key == name) {
            problems.push(entry.place.problem(format!("{name}: {why}")));
        }
    }

    /// Reads a number within bounds, if it is there.
    pub fn number(&mut self, name: &'static str, bounds: RangeInclusive<f64>, problems: &mut Problems) -> Option<f64> {
        let value = self.take(name)?;
        let number = match &value.node {
            Node::Number(number) => number.as_f64().filter(|number| bounds.contains(number)),
            _ => None,
        };
        number.or_else(|| refuse(value, name, &format!("a number from {} to {}", bounds.start(), bounds.end()), problems))
    }

    /// Of several fields the one that is given; a problem if none or more than one is.
    pub fn one_of(&mut self, names: &[&'static str], problems: &mut Problems) -> Option<(&'static str, &'a Located)> {
        let given: Vec<_> = names.iter().filter_map(|name| Some((*name, self.take(name)?))).collect();
        match given.as_slice() {
            [one] => Some(*one),
            [] => {
                problems.push(self.node.place.problem(format!("one of {} is missing", names.join(", "))));
                None
            }
            [_, (second, value), ..] => {
                let all: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
                let message = format!(
                    "only one of {} may be given, found {}: make {second} an entry of its own",
                    names.join(", "),
                    all.join(" and ")
                );
                problems.push(value.place.problem(message));
                None
            }
        }
    }

    /// Reports every field that nobody took.
    pub fn finish(self, problems: &mut Problems) {
        for entry in self.entries {
            if !self.known.contains(&entry.key.as_str()) {
                problems.push(entry.place.problem(unknown(&entry.key, &self.known)));
            }
        }
    }
}

/// Reads a node of a field whose name is given for messages.
pub type Reader<T> = fn(&Located, &str, &mut Problems) -> Option<T>;

fn unknown(key: &str, known: &[&str]) -> String {
    match nearest(key, known) {
        Some(name) => format!("unknown field {key:?}, did you mean {name:?}?"),
        None => format!("unknown field {key:?}, known are {}", known.join(", ")),
    }
}

/// The known word that differs in case or in at most two letters.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = |name: &&&str| distance(&word.to_lowercase(), &name.to_lowercase()) <= if name.len() < 4 { 1 } else { 2 };
    known.iter().filter(close).min_by_key(|name| (distance(word, name), !name.starts_with(word))).copied()
}

/// Number of letters to insert, remove or replace.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

fn refuse<T>(node: &Located, name: &str, expected: &str, problems: &mut Problems) -> Option<T> {
    let found = match &node.node {
        Node::Text(text) => format!("{text:?}"),
        Node::Number(number) => number.to_string(),
        Node::Bool(flag) => flag.to_string(),
        _ => node.kind().to_owned(),
    };
    problems.push(node.place.problem(format!("{name} must be {expected}, found {found}")));
    None
}

/// Text that is not empty. A number is refused: in YAML `1.5` is one, and the text would not be what was written.
pub fn text(node: &Located, name: &str, problems: &mut Problems) -> Option<String> {
    match &node.node {
        Node::Text(text) if !text.is_empty() => Some(text.clone()),
        Node::Number(_) | Node::Bool(_) => refuse(node, name, "text (put it in quotes)", problems),
        _ => refuse(node, name, "text", problems),
    }
}

/// A quantity: text, or a number.
pub fn quantity(node: &Located, name: &str, problems: &mut Problems) -> Option<String> {
    match &node.node {
        Node::Number(number) => Some(number.to_string()),
        Node::Text(text) if !text.is_empty() => Some(text.clone()),
        _ => refuse(node, name, "a quantity such as 64, 500m or 256Gi", problems),
    }
}

/// A duration.
pub fn time(node: &Located, name: &str, problems: &mut Problems) -> Option<SignedDuration> {
    let parsed = match &node.node {
        Node::Text(text) => duration::parse(text),
        Node::Number(number) if number.as_i64() == Some(0) => Some(SignedDuration::ZERO),
        _ => None,
    };
    parsed.or_else(|| refuse(node, name, "a duration of whole numbers with h, m, s or ms, such as 30s, 10m or 1h30m", problems))
}

/// A whole number from 0 to a million.
pub fn count(node: &Located, name: &str, problems: &mut Problems) -> Option<u32> {
    let number = match &node.node {
        Node::Number(number) => number.as_u64().filter(|number| *number <= 1_000_000),
        _ => None,
    };
    number.and_then(|number| u32::try_from(number).ok()).or_else(|| refuse(node, name, "a whole number from 0 to 1000000", problems))
}

/// `true` or `false`.
pub fn flag(node: &Located, name: &str, problems: &mut Problems) -> Option<bool> {
    match node.node {
        Node::Bool(flag) => Some(flag),
        _ => refuse(node, name, "true or false", problems),
    }
}

/// A number from 0 to 1.
pub fn fraction(node: &Located, name: &str, problems: &mut Problems) -> Option<f64> {
    let number = match &node.node {
        Node::Number(number) => number.as_f64().filter(|number| (0.0..=1.0).contains(number)),
        _ => None,
    };
    number.or_else(|| refuse(node, name, "a number from 0 to 1", problems))
}

/// A mapping from text to text, such as labels.
pub fn labels(node: &Located, name: &str, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let Node::Map(entries) = &node.node else { return refuse(node, name, "a mapping of text to text", problems) };
    let before = problems.len();
    let read: BTreeMap<String, String> = entries
        .iter()
        .filter_map(|entry| match &entry.value.node {
            Node::Text(value) => Some((entry.key.clone(), value.clone())),
            _ => refuse(&entry.value, &format!("{name}.{}", entry.key), "text (put it in quotes)", problems),
        })
        .collect();
    (problems.len() == before).then_some(read)
}

/// Any mapping, as JSON.
pub fn object(node: &Located, name: &str, problems: &mut Problems) -> Option<Value> {
    match &node.node {
        Node::Map(_) => Some(node.to_json()),
        _ => refuse(node, name, "a mapping", problems),
    }
}

/// The items of a list.
pub fn items<'a>(node: &'a Located, name: &str, problems: &mut Problems) -> &'a [Located] {
    match &node.node {
        Node::List(items) => items,
        _ => {
            refuse::<()>(node, name, "a list", problems);
            &[]
        }
    }
}

/// Reads one word of a fixed set.
pub fn word<T: Copy>(node: &Located, name: &str, words: &[(&str, T)], problems: &mut Problems) -> Option<T> {
    let given = match &node.node {
        Node::Text(text) => text.as_str(),
        _ => "",
    };
    let found = words.iter().find(|(word, _)| *word == given).map(|(_, value)| *value);
    found.or_else(|| {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        refuse(node, name, &format!("one of {}", all.join(", ")), problems)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::parse;

    fn read(text: &str) -> (Option<u32>, Option<String>, Vec<String>) {
        let document = parse("w.yaml", text).unwrap().remove(0);
        let mut problems = Problems::new();
        let mut fields = Fields::of(&document, "the thing", &mut problems).unwrap();
        let count = fields.require("count", count, &mut problems);
        let name = fields.read("name", text_reader, &mut problems);
        fields.refuse("traffic", "not simulated", &mut problems);
        fields.finish(&mut problems);
        (count, name, problems.iter().map(ToString::to_string).collect())
    }

    fn text_reader(node: &Located, name: &str, problems: &mut Problems) -> Option<String> {
        super::text(node, name, problems)
    }

    #[test]
    fn known_fields_are_read() {
        assert_eq!(read("count: 3\nname: a\n"), (Some(3), Some("a".to_owned()), vec![]));
        assert_eq!(read("count: 3\nname: ~\n"), (Some(3), None, vec![]));
    }

    #[test]
    fn all_mistakes_are_reported_with_their_places() {
        let (_, _, problems) = read("cuont: 3\nname: 1.5\nzebra: 1\ntraffic: []\n");
        assert_eq!(
            problems,
            [
                "w.yaml:1:1: count is missing",
                "w.yaml:2:7: name must be text (put it in quotes), found 1.5",
                "w.yaml:4:1: traffic: not simulated",
                "w.yaml:1:1: unknown field \"cuont\", did you mean \"count\"?",
                "w.yaml:3:1: unknown field \"zebra\", known are count, name, traffic",
            ]
        );
    }

    #[test]
    fn exactly_one_of_several_fields_must_be_given() {
        let given = |text: &str| {
            let document = parse("w.yaml", text).unwrap().remove(0);
            let mut problems = Problems::new();
            let mut fields = Fields::of(&document, "the thing", &mut problems).unwrap();
            let name = fields.one_of(&["apply", "delete"], &mut problems).map(|(name, _)| name);
            (name, problems.len())
        };
        assert_eq!(given("apply: a\n"), (Some("apply"), 0));
        assert_eq!(given("apply: a\ndelete: b\n"), (None, 1));
        assert_eq!(given("other: a\n"), (None, 1));
    }

    #[test]
    fn the_nearest_word_is_suggested() {
        assert_eq!(nearest("Duration", &["duration", "nodes"]), Some("duration"));
        assert_eq!(nearest("node", &["duration", "nodes"]), Some("nodes"));
        assert_eq!(nearest("zebra", &["duration", "nodes"]), None);
    }
}
