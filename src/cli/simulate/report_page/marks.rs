//! What happened in a play, as numbered marks for its plots.
//!
//! Takes the timeline; gives what users asked for, what the world did, and when a release moved on or back. What would lie
//! upon each other in a drawing has one number. Pure.

use jiff::{SignedDuration, Timestamp};

use super::data::{Recording, Subject};
use super::plot::Marker;
use crate::cli::simulate::line::{Line, Topic};

/// Printed columns of a deployment whose change is a decision.
const DECISIONS: [&str; 3] = ["Weight", "Step", "Candidate"];
/// So many marks find room beside each other, their numbers in several rows.
const PLACES: i32 = 80;
/// Texts of one mark.
const TEXTS_MAX: usize = 6;
/// Letters of a text.
const TEXT_MAX: usize = 160;

/// A mark, and whom it concerns.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Since the start.
    pub at: SignedDuration,
    /// From 1, in order of time.
    pub number: usize,
    /// What happened, with the only deployment that it concerns, if it is one.
    pub what: Vec<(Option<Subject>, String)>,
}

/// The first of many texts, and how many more there are.
pub fn shortened(mut what: Vec<String>) -> Vec<String> {
    let more = what.len().saturating_sub(TEXTS_MAX);
    if more > 0 {
        what.truncate(TEXTS_MAX);
        what.push(format!("and {more} more, see the timeline"));
    }
    what
}

/// All marks in order. The start itself has none.
pub fn marks(recording: &Recording) -> Vec<Mark> {
    let room = recording.end.elapsed / PLACES;
    let mut marks: Vec<Mark> = Vec::new();
    for line in recording.lines.iter().filter(|line| line.at > SignedDuration::ZERO && is_mark(line)) {
        let what = (subject(line), told(line, recording.start));
        match marks.last_mut().filter(|last| line.at - last.at < room) {
            Some(last) => last.what.push(what),
            None => marks.push(Mark { at: line.at, number: marks.len() + 1, what: vec![what] }),
        }
    }
    marks
}

/// Those that concern a deployment, or everybody.
pub fn of(marks: &[Mark], subject: &Subject) -> Vec<Marker> {
    let concerns = |whom: &Option<Subject>| whom.as_ref().is_none_or(|whom| whom == subject);
    let marker = |mark: &Mark| {
        let what: Vec<String> = mark.what.iter().filter(|(whom, _)| concerns(whom)).map(|(_, text)| text.clone()).collect();
        (!what.is_empty()).then_some(Marker { at: mark.at, number: mark.number, what: shortened(what) })
    };
    marks.iter().filter_map(marker).collect()
}

fn is_mark(line: &Line) -> bool {
    match line.topic {
        Topic::Request | Topic::World => true,
        Topic::Change => line.changes.iter().any(|changed| DECISIONS.contains(&changed.field.as_str())),
        Topic::Event => false,
    }
}

/// Decisions concern the deployment of that name only.
fn subject(line: &Line) -> Option<Subject> {
    let (_, name) = line.object.split_once('/').filter(|_| line.topic == Topic::Change)?;
    Some(Subject { namespace: line.namespace.clone(), deployment: name.to_owned() })
}

fn told(line: &Line, start: Timestamp) -> String {
    let why = line.why_since(start);
    let said = [line.what.as_str(), why.as_str()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
    let text = if line.object.is_empty() { said } else { format!("{} {said}", line.shown_object()) };
    if text.chars().count() <= TEXT_MAX { text } else { text.chars().take(TEXT_MAX - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::simulate::line::Changed;
    use crate::cli::simulate::report_page::page::tests::recording;

    fn line(seconds: i64, topic: Topic, object: &str, field: &str) -> Line {
        Line {
            at: SignedDuration::from_secs(seconds),
            topic,
            namespace: "default".to_owned(),
            object: object.to_owned(),
            what: format!("{field} changed"),
            why: "until 2026-01-01T00:10:00Z".to_owned(),
            by: "modelward".to_owned(),
            warning: false,
            changes: vec![Changed { field: field.to_owned(), from: json!(0), to: json!(10) }],
            repetitions_left_out: false,
        }
    }

    #[test]
    fn requests_decisions_and_the_world_are_marked_and_neighbours_share_a_number() {
        let mut recording = recording();
        recording.end.elapsed = SignedDuration::from_mins(60);
        recording.lines = vec![
            line(0, Topic::Request, "modeldeployment/chat", "spec"),
            line(600, Topic::Request, "modeldeployment/chat", "spec"),
            line(601, Topic::Change, "modeldeployment/chat", "Candidate"),
            line(900, Topic::Change, "modeldeployment/chat", "Ready"),
            line(950, Topic::Event, "modeldeployment/chat", "Weight"),
            line(1200, Topic::World, "", "node"),
            line(1800, Topic::Change, "modeldeployment/other", "Weight"),
        ];
        let marks = marks(&recording);
        let numbers: Vec<(i64, usize, usize)> = marks.iter().map(|mark| (mark.at.as_secs(), mark.number, mark.what.len())).collect();
        assert_eq!(numbers, [(600, 1, 2), (1200, 2, 1), (1800, 3, 1)]);
        assert_eq!(marks[0].what[0].1, "modeldeployment/chat spec changed: until 10m00s");
        let chat = Subject { namespace: "default".to_owned(), deployment: "chat".to_owned() };
        assert_eq!(of(&marks, &chat).iter().map(|marker| marker.number).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn many_texts_are_counted() {
        let texts = |count: usize| (0..count).map(|text| text.to_string()).collect::<Vec<_>>();
        assert_eq!(shortened(texts(6)), texts(6));
        assert_eq!(shortened(texts(9))[5..], ["5".to_owned(), "and 3 more, see the timeline".to_owned()]);
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let long = Line { what: "ü".repeat(500), ..line(5, Topic::World, "", "x") };
        assert_eq!(told(&long, Timestamp::UNIX_EPOCH).chars().count(), TEXT_MAX);
    }
}
