//! YAML documents in which every value knows where it was written.
//!
//! Takes the text of a file; gives its documents as trees of [`Located`] nodes, or the place of the mistake. Types are those
//! of YAML 1.2 (`yes` is text, `true` is a boolean); a duplicate key, an anchor without end and a number that JSON has not
//! are mistakes. Empty documents are left out.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::place::{Place, Problem};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Where it begins.
    pub place: Place,
    /// The value.
    pub node: Node,
}

/// A value of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Located>),
    /// A mapping in the order in which it was written.
    Map(Vec<Entry>),
}

/// An entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Where the key begins.
    pub place: Place,
    /// Its value.
    pub value: Located,
}

impl Located {
    /// As JSON, without places.
    pub fn to_json(&self) -> Value {
        match &self.node {
            Node::Null => Value::Null,
            Node::Bool(flag) => Value::Bool(*flag),
            Node::Number(number) => Value::Number(number.clone()),
            Node::Text(text) => Value::String(text.clone()),
            Node::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Node::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect::<Map<_, _>>())
            }
        }
    }

    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        let Node::Map(entries) = &self.node else { return None };
        entries.iter().find(|entry| entry.key == key)
    }

    /// The text under a path of keys; empty if there is none.
    pub fn text(&self, path: &[&str]) -> &str {
        let found = path.iter().try_fold(self, |node, key| node.get(key));
        match found.map(|found| &found.node) {
            Some(Node::Text(text)) => text,
            _ => "",
        }
    }

    /// The place of a field as the API server names it (`spec.steps[1].weight`): of its key, or of the nearest thing above
    /// it that was written.
    pub fn place_of(&self, field: &str) -> &Place {
        let mut place = &self.place;
        let mut node = self;
        for step in steps(field) {
            let found = match &node.node {
                Node::Map(_) => node.entry(step).map(|entry| (&entry.place, &entry.value)),
                Node::List(items) => item(items, step).map(|item| (&item.place, item)),
                _ => None,
            };
            match found {
                Some(found) => (place, node) = found,
                None => return place,
            }
        }
        place
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.node {
            Node::Null => "nothing",
            Node::Bool(_) => "a boolean",
            Node::Number(_) => "a number",
            Node::Text(_) => "text",
            Node::List(_) => "a list",
            Node::Map(_) => "a mapping",
        }
    }
}

/// Splits `a.b[2].c[key]`; what stands in brackets may contain dots.
fn steps(field: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        let (step, tail) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        steps.extend(Some(step.trim_matches('"')).filter(|step| !step.is_empty()));
        rest = tail.strip_prefix('.').unwrap_or(tail);
    }
    steps
}

/// An item by its place in the list, or by its keys as in `name="web"` and `port=80,protocol="TCP"`.
fn item<'a>(items: &'a [Located], step: &str) -> Option<&'a Located> {
    if let Ok(index) = step.parse::<usize>() {
        return items.get(index);
    }
    let keys: Vec<(&str, &str)> = step.split(',').map(|pair| pair.split_once('=')).collect::<Option<_>>()?;
    let written = |item: &Located, (key, value): &(&str, &str)| match item.get(key).map(|field| &field.node) {
        Some(Node::Text(text)) => Some(text == value.trim_matches('"')),
        Some(Node::Number(number)) => Some(number.to_string() == *value),
        // A key with its default value need not be written.
        _ => None,
    };
    let equal = |item: &Located| keys.iter().filter(|pair| written(item, pair) == Some(true)).count();
    let may_be = items.iter().filter(|item| keys.iter().all(|pair| written(item, pair) != Some(false)));
    may_be.rev().max_by_key(|item| equal(item)).filter(|item| equal(item) > 0)
}

/// What `read` makes of the first document of a text, with its mistakes as they are told.
#[cfg(test)]
pub(crate) fn read_text<T>(text: &str, read: impl FnOnce(&Located, &mut Vec<Problem>) -> T) -> (T, Vec<String>) {
    let document = parse("w.yaml", text).unwrap().remove(0);
    let mut problems = Vec::new();
    let value = read(&document, &mut problems);
    (value, problems.iter().map(ToString::to_string).collect())
}

/// Reads all documents of a file.
///
/// # Errors
/// The first place where the text is not YAML that JSON could hold.
pub fn parse(file: &str, text: &str) -> Result<Vec<Located>, Problem> {
    let file: Arc<str> = Arc::from(file);
    let options = serde_saphyr::options! { strict_booleans: true };
    let documents = serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(text, options).map_err(|error| {
        let place = error.location().map_or_else(|| Place::new(&file, 1, 1), |at| Place::new(&file, at.line(), at.column()));
        place.problem(message(&error))
    })?;
    Ok(documents.into_iter().map(|document| located(document, &file)).collect())
}

/// The parser's message in one line, without the place that is said before.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    // The hint about options of the parser is no help for a user.
    line.split(", set DuplicateKeyPolicy").next().unwrap_or(line).to_owned()
}

fn located(raw: Spanned<Raw>, file: &Arc<str>) -> Located {
    let place = |at: serde_saphyr::Location| Place::new(file, at.line(), at.column());
    let node = match raw.value {
        Raw::Null => Node::Null,
        Raw::Bool(flag) => Node::Bool(flag),
        Raw::Number(number) => Node::Number(number),
        Raw::Text(text) => Node::Text(text),
        Raw::List(items) => Node::List(items.into_iter().map(|item| located(item, file)).collect()),
        Raw::Map(entries) => Node::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry { place: place(key.referenced), key: key.value, value: located(value, file) })
                .collect(),
        ),
    };
    Located { place: place(raw.referenced), node }
}

/// A value as the parser gives it.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value that JSON can hold")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Raw, E> {
        Number::from_f64(number).map(Raw::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str =
        "# said first\nkind: A\nspec:\n  steps:\n  - {weight: 5, on: yes}\n  - weight: 10\n---\n---\nkind: B\nversion: 1.4.0\n";

    fn at(place: &Place) -> String {
        place.to_string()
    }

    #[test]
    fn documents_become_json_and_empty_ones_are_left_out() {
        let documents = parse("a.yaml", TEXT).unwrap();
        let values: Vec<Value> = documents.iter().map(Located::to_json).collect();
        let first = json!({ "kind": "A", "spec": { "steps": [{ "weight": 5, "on": "yes" }, { "weight": 10 }] } });
        assert_eq!(values, [first, json!({ "kind": "B", "version": "1.4.0" })]);
    }

    #[test]
    fn every_value_knows_its_place() {
        let documents = parse("a.yaml", TEXT).unwrap();
        assert_eq!(at(&documents[0].place), "a.yaml:2:1");
        assert_eq!(at(&documents[1].place), "a.yaml:9:1");
        assert_eq!(at(documents[0].place_of("spec.steps[0].on")), "a.yaml:5:17");
        assert_eq!(at(documents[0].place_of("spec.steps[1].weight")), "a.yaml:6:5");
    }

    #[test]
    fn a_field_that_was_not_written_is_at_the_nearest_one_above() {
        let documents = parse("a.yaml", TEXT).unwrap();
        assert_eq!(at(documents[0].place_of("spec.steps[7].weight")), "a.yaml:4:3");
        assert_eq!(at(documents[0].place_of("spec.replicas")), "a.yaml:3:1");
        assert_eq!(at(documents[0].place_of("<nil>")), "a.yaml:2:1");
    }

    #[test]
    fn items_are_found_by_their_keys() {
        let text = "ports:\n- {port: 80}\n- {port: 81, name: a.b}\nannotations:\n  x.dev/y: 1\n";
        let document = parse("a.yaml", text).unwrap().remove(0);
        assert_eq!(at(document.place_of(".ports[port=81,protocol=\"TCP\"].name")), "a.yaml:3:14");
        assert_eq!(at(document.place_of("ports[name=\"a.b\"].port")), "a.yaml:3:4");
        assert_eq!(at(document.place_of("annotations[x.dev/y]")), "a.yaml:5:3");
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_place() {
        let problem = |text: &str| parse("a.yaml", text).unwrap_err().to_string();
        assert_eq!(problem("a: 1\na: 2\n"), "a.yaml:2:1: duplicate mapping key: a");
        assert!(problem("a: [1\nb: 2\n").starts_with("a.yaml:2:2: "), "{}", problem("a: [1\nb: 2\n"));
        assert!(problem("a: .inf\n").starts_with("a.yaml:1:4: "));
        assert!(problem("a: *nowhere\n").starts_with("a.yaml:1:4: "));
    }
}
