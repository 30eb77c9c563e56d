//! Lines about custom resources: printed columns, conditions, weights, and the reason in the object's own words.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Episode, Usual, say_all};
use crate::cli::simulate::difference::{self, Condition};
use crate::cli::simulate::line::{Changed, Line, Topic};

/// A condition of this type that is `True` means that somebody must do something.
const STALLED: &str = "Stalled";
/// What programs wait for and what people see from phase and columns anyway.
const FOR_PROGRAMS: [&str; 1] = ["Reconciling"];

pub(super) fn tell(episode: &Episode, at: Timestamp) -> Option<(Line, Usual)> {
    let mut line = episode.line(Topic::Change);
    let Some(after) = episode.after.as_deref() else {
        line.what = "removed".to_owned();
        let usual = Usual::change(&line);
        return (!episode.came_and_went()).then_some((line, usual));
    };
    let nothing = Value::Null;
    let before = episode.before.as_deref().unwrap_or(&nothing);
    let columns = columns(episode, before, after, at);
    let flips = flips(before, after, &columns);
    let weights = weights(before, after);
    let shown: Vec<Changed> = columns.iter().filter(|(_, wide)| !wide).map(|(changed, _)| changed.clone()).collect();
    let mut said: Vec<String> = Vec::new();
    if episode.before.is_none() {
        said.push("created".to_owned());
    }
    said.extend(shown.iter().map(difference::say));
    said.extend(flips.iter().map(difference::say));
    said.extend(weights.iter().map(|changed| format!("{} {}", changed.field, changed.to.as_str().unwrap_or_default())));
    line.changes = shown.into_iter().chain(flips).chain(weights).collect();
    if said.is_empty() {
        let others = other_spec_changes(before, after);
        said.extend((!others.is_empty()).then(|| say_all(&others)));
        line.changes = others;
    }
    let conditions = difference::conditions(after);
    line.warning = conditions.iter().any(|condition| condition.kind == STALLED && condition.status == "True");
    let (word, why) = reason(&difference::conditions(before), &conditions, &columns);
    finish(line, &said, word, why)
}

/// Gives the line unless it says nothing.
fn finish(mut line: Line, said: &[String], word: String, why: String) -> Option<(Line, Usual)> {
    if said.is_empty() && why.is_empty() {
        return None;
    }
    let only_reason = said.is_empty();
    line.what = if only_reason { word } else { said.join(", ") };
    line.why = why;
    let usual = if only_reason { Usual::reason(&line) } else { Usual::change(&line) };
    Some((line, usual))
}

fn columns(episode: &Episode, before: &Value, after: &Value, at: Timestamp) -> Vec<(Changed, bool)> {
    let old = if before.is_null() { Vec::new() } else { difference::cells(&episode.resource, before, at) };
    let new = difference::cells(&episode.resource, after, at);
    difference::changed_cells(&old, &new)
}

/// Conditions whose status changed and which no column shows.
fn flips(before: &Value, after: &Value, columns: &[(Changed, bool)]) -> Vec<Changed> {
    let old = difference::conditions(before);
    let status = |kind: &str| old.iter().find(|condition| condition.kind == kind).map(|condition| condition.status.clone());
    let flip = |condition: Condition| {
        let from = status(&condition.kind).map_or(Value::Null, Value::from);
        Changed { field: condition.kind, from, to: json!(condition.status) }
    };
    let new = difference::conditions(after)
        .into_iter()
        .filter(|condition| !FOR_PROGRAMS.contains(&condition.kind.as_str()))
        .map(flip)
        .filter(|changed| changed.from != changed.to);
    // A new object's conditions are all new: only those that say yes are news.
    let news = new.filter(|changed| !(changed.from.is_null() && changed.to != json!("True")));
    news.filter(|changed| columns.iter().all(|(column, _)| column.field != changed.field)).collect()
}

/// Weights of a route's backends, when they changed: `weights a 90, b 10`.
fn weights(before: &Value, after: &Value) -> Vec<Changed> {
    let (from, to) = (difference::weights(before), difference::weights(after));
    if from == to || to.is_null() { Vec::new() } else { vec![Changed { field: "weights".to_owned(), from, to }] }
}

fn other_spec_changes(before: &Value, after: &Value) -> Vec<Changed> {
    if before.is_null() { Vec::new() } else { difference::fields(&before["spec"], &after["spec"], "spec") }
}

/// The reason in the object's own words: of what is stalled, of `Ready`, of another condition that changed, of a wide column.
fn reason(before: &[Condition], after: &[Condition], columns: &[(Changed, bool)]) -> (String, String) {
    let rank = |condition: &Condition| match (condition.kind.as_str(), condition.status.as_str()) {
        (STALLED, "True") => 0,
        ("Ready", _) => 1,
        _ => 2,
    };
    let news = after.iter().filter(|condition| !before.contains(condition) && !condition.message.is_empty());
    if let Some(best) = news.min_by_key(|condition| rank(condition)) {
        return (best.reason.clone(), best.message.clone());
    }
    let wide = columns.iter().filter(|(_, wide)| *wide).filter_map(|(changed, _)| Some((changed, changed.to.as_str()?)));
    // A sentence, not a word.
    let mut sentence = wide.filter(|(_, text)| text.contains(' ')).map(|(changed, text)| (changed.field.clone(), text.to_owned()));
    sentence.next_back().unwrap_or_default()
}
