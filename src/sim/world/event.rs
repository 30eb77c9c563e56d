//! What happens in a world, and when.
//!
//! Takes the `events` and `expect` of a world; gives them in order of time, the order of writing kept within one instant. Files
//! that events apply are named here and read by [`super::sources`].

use jiff::SignedDuration;
use serde_json::Value;

use super::document::Located;
use super::expectation::Condition;
use super::fields::{self, Fields};
use super::place::{Place, Problems};
use super::pod::{self, Behaviour, PodSelector};
use crate::sim::traffic::backend::Fault as MetricsFault;

/// How old the answers of a stale metrics backend are, when nothing else is said.
const AGE: SignedDuration = SignedDuration::from_mins(10);
/// How late a slow metrics backend answers, when nothing else is said.
const DELAY: SignedDuration = SignedDuration::from_secs(30);

/// Something that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it was written.
    pub place: Place,
    /// Time since the start.
    pub at: SignedDuration,
    /// What happens.
    pub action: Action,
    /// The API server must refuse it, with a message that contains this; none: it must not.
    pub refused: Option<String>,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A user applies the documents of a file.
    Apply {
        /// The file as written, relative to the world's file.
        file: String,
        /// Where it was written.
        place: Place,
    },
    /// A user deletes an object.
    Delete(Target),
    /// A user changes an object with a JSON merge patch.
    Patch {
        /// Which.
        target: Target,
        /// The patch.
        merge: Value,
    },
    /// Pods behave differently from now on.
    Change {
        /// Which pods.
        selector: PodSelector,
        /// What is said of them; the rest stays.
        behaviour: Box<Behaviour>,
    },
    /// Something goes wrong.
    Fault(Fault),
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Pods are evicted through the API, which honours disruption budgets.
    Evict(PodSelector),
    /// A node takes no new pods, and its pods are evicted, again and again until budgets allow it.
    Drain {
        /// Its name.
        node: String,
        /// Where the name was written.
        place: Place,
        /// It takes pods again after so long; none: never.
        lasts: Option<SignedDuration>,
    },
    /// Pods are deleted without asking, as by somebody with `kubectl delete pod`.
    Kill(PodSelector),
    /// A node is gone: its pods stop answering.
    NodeLoss {
        /// Its name.
        node: String,
        /// Where the name was written.
        place: Place,
        /// It comes back after so long; none: never.
        lasts: Option<SignedDuration>,
    },
    /// The metrics backend fails.
    Metrics {
        /// How.
        fault: MetricsFault,
        /// It works again after so long; none: never.
        lasts: Option<SignedDuration>,
    },
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it was written.
    pub place: Place,
    /// Kind, plural or short name as written, with or without group.
    pub resource: String,
    /// Namespace for kinds that have one.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.resource, self.name)
    }
}

/// Something that must be so.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Where it was written.
    pub place: Place,
    /// Time since the start; none: at the end.
    pub at: Option<SignedDuration>,
    /// Of which object.
    pub object: Target,
    /// What.
    pub that: Condition,
}

/// Reads the events.
pub fn read(node: &Located, problems: &mut Problems) -> Vec<Event> {
    let mut events: Vec<Event> = fields::items(node, "events", problems).iter().filter_map(|item| event(item, problems)).collect();
    events.sort_by_key(|event| event.at);
    events
}

fn event(node: &Located, problems: &mut Problems) -> Option<Event> {
    let mut fields = Fields::of(node, "an event", problems)?;
    let at = fields.require("at", fields::time, problems);
    let refused = fields.read("refused", fields::text, problems);
    let action = match fields.one_of(&["apply", "delete", "patch", "change", "fault"], problems) {
        Some(("apply", node)) => fields::text(node, "apply", problems).map(|file| Action::Apply { file, place: node.place.clone() }),
        Some(("delete", node)) => delete(node, problems),
        Some(("patch", node)) => patch(node, problems),
        Some(("change", node)) => change(node, problems),
        Some((_, node)) => fault(node, problems).map(Action::Fault),
        None => None,
    };
    fields.finish(problems);
    let by_user = matches!(action, Some(Action::Apply { .. } | Action::Delete(_) | Action::Patch { .. }));
    if refused.is_some() && action.is_some() && !by_user {
        problems.push(node.place_of("refused").problem("refused: only apply, delete and patch are requests that can be refused"));
    }
    Some(Event { place: node.place.clone(), at: at?, action: action?, refused })
}

fn delete(node: &Located, problems: &mut Problems) -> Option<Action> {
    let mut fields = Fields::of(node, "delete", problems)?;
    let target = target(&mut fields, problems);
    fields.finish(problems);
    target.map(Action::Delete)
}

fn patch(node: &Located, problems: &mut Problems) -> Option<Action> {
    let mut fields = Fields::of(node, "patch", problems)?;
    let target = target(&mut fields, problems);
    let merge = fields.require("merge", fields::object, problems);
    fields.finish(problems);
    Some(Action::Patch { target: target?, merge: merge? })
}

fn change(node: &Located, problems: &mut Problems) -> Option<Action> {
    let mut fields = Fields::of(node, "change", problems)?;
    let selector = pod::selector(&mut fields, problems);
    let behaviour = pod::behaviour(&mut fields, problems);
    fields.finish(problems);
    if behaviour == Behaviour::default() && selector.is_some() {
        problems.push(node.place.problem("change says nothing new of the pods: give startup, shutdown, failure or serving"));
        return None;
    }
    Some(Action::Change { selector: selector?, behaviour: Box::new(behaviour) })
}

fn fault(node: &Located, problems: &mut Problems) -> Option<Fault> {
    let mut fields = Fields::of(node, "fault", problems)?;
    let fault = match fields.one_of(&["evict", "kill", "nodeLoss", "drain", "metrics"], problems) {
        Some(("metrics", kind)) => metrics(kind, &mut fields, problems),
        Some(("evict", node)) => pods(node, problems).map(Fault::Evict),
        Some(("kill", node)) => pods(node, problems).map(Fault::Kill),
        Some((fault, name)) => {
            let lasts = fields.read("for", fields::time, problems);
            let place = name.place.clone();
            let node = fields::text(name, fault, problems);
            node.map(|node| if fault == "drain" { Fault::Drain { node, place, lasts } } else { Fault::NodeLoss { node, place, lasts } })
        }
        None => None,
    };
    fields.finish(problems);
    fault
}

fn metrics(kind: &Located, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Fault> {
    let kinds = [
        ("Unavailable", MetricsFault::Unavailable),
        ("Empty", MetricsFault::Empty),
        ("NaN", MetricsFault::NaN),
        ("Stale", MetricsFault::Stale(AGE)),
        ("Slow", MetricsFault::Slow(DELAY)),
        ("Error5xx", MetricsFault::Error5xx),
        ("Garbage", MetricsFault::Garbage),
        ("Huge", MetricsFault::Huge),
    ];
    let lasts = fields.read("for", fields::time, problems);
    let fault = match fields::word(kind, "metrics", &kinds, problems)? {
        MetricsFault::Stale(usual) => MetricsFault::Stale(fields.read("age", fields::time, problems).unwrap_or(usual)),
        MetricsFault::Slow(usual) => MetricsFault::Slow(fields.read("delay", fields::time, problems).unwrap_or(usual)),
        other => other,
    };
    Some(Fault::Metrics { fault, lasts })
}

fn pods(node: &Located, problems: &mut Problems) -> Option<PodSelector> {
    let mut fields = Fields::of(node, "the pods of a fault", problems)?;
    let selector = pod::selector(&mut fields, problems);
    fields.finish(problems);
    selector
}

/// Reads `object: TYPE/NAME` and `namespace`.
fn target(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Target> {
    let namespace = fields.read("namespace", fields::text, problems).unwrap_or_else(|| "default".to_owned());
    let text = fields.require("object", fields::text, problems)?;
    let place = fields.node.get("object").map_or(&fields.node.place, |object| &object.place).clone();
    match text.split_once('/') {
        Some((resource, name)) if !resource.is_empty() && !name.is_empty() && !name.contains('/') => {
            Some(Target { place, resource: resource.to_lowercase(), namespace, name: name.to_owned() })
        }
        _ => {
            problems.push(place.problem(format!("object must be TYPE/NAME such as deployment/chat, found {text:?}")));
            None
        }
    }
}

/// Reads the expectations, in the order in which they are judged.
pub fn read_expectations(node: &Located, problems: &mut Problems) -> Vec<Expectation> {
    let items = fields::items(node, "expect", problems);
    let mut expectations: Vec<Expectation> = items.iter().filter_map(|item| expectation(item, problems)).collect();
    expectations.sort_by_key(|expectation| expectation.at.unwrap_or(SignedDuration::MAX));
    expectations
}

fn expectation(node: &Located, problems: &mut Problems) -> Option<Expectation> {
    let mut fields = Fields::of(node, "an expectation", problems)?;
    let at = fields.read("at", fields::time, problems);
    let object = target(&mut fields, problems);
    let source = fields.require("that", fields::text, problems);
    fields.finish(problems);
    let that = match Condition::compile(&source?) {
        Ok(that) => that,
        Err(why) => {
            problems.push(node.get("that").unwrap_or(node).place.problem(format!("that: {why}")));
            return None;
        }
    };
    Some(Expectation { place: node.place.clone(), at, object: object?, that })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::{parse, read_text};

    fn events(text: &str) -> (Vec<Event>, Vec<String>) {
        read_text(text, read)
    }

    #[test]
    fn events_come_in_order_of_time() {
        let (events, problems) = events(
            "- {at: 10m, apply: b.yaml}\n- {at: 5m, delete: {object: Pod/a}}\n- {at: 10m, fault: {nodeLoss: node-1, for: 5m}}\n- {at: 10m, patch: {object: md/x, namespace: n, merge: {spec: {a: 1}}}, refused: no such}\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let places: Vec<u64> = events.iter().map(|event| event.place.line).collect();
        assert_eq!(places, [2, 1, 3, 4]);
        assert!(matches!(&events[0].action, Action::Delete(target) if target.resource == "pod" && target.namespace == "default"));
    }

    #[test]
    fn mistakes_in_events_are_reported() {
        let (events, problems) = events(
            "- {at: 10, apply: b.yaml}\n- {at: 1m, apply: a, delete: {object: pod/a}}\n- {at: 1m, fault: {metrics: Unavailable, age: 5m}}\n- {at: 1m, change: {selector: {}}}\n- {at: 1m, delete: {object: pod}}\n- {at: 1m, fault: {kill: {selector: {}}}, refused: x}\n",
        );
        assert!(events.len() == 2, "{events:?}");
        let lines: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').nth(1)).collect();
        assert_eq!(lines, ["1", "2", "3", "4", "5", "6"], "{problems:#?}");
    }

    #[test]
    fn the_metrics_backend_fails_as_it_is_told() {
        let (events, problems) = events(
            "- {at: 1m, fault: {metrics: Unavailable, for: 5m}}\n- {at: 2m, fault: {metrics: Stale, age: 3m}}\n- {at: 3m, fault: {metrics: Slow}}\n- {at: 4m, fault: {metrics: NaN, delay: 1s}}\n- {at: 4m, fault: {metrics: Odd}}\n",
        );
        let faults: Vec<MetricsFault> = events
            .iter()
            .filter_map(|event| match &event.action {
                Action::Fault(Fault::Metrics { fault, .. }) => Some(*fault),
                _ => None,
            })
            .collect();
        let wanted =
            [MetricsFault::Unavailable, MetricsFault::Stale(SignedDuration::from_mins(3)), MetricsFault::Slow(DELAY), MetricsFault::NaN];
        assert_eq!(faults, wanted);
        assert_eq!(problems.len(), 2, "{problems:#?}");
        assert!(problems[0].contains("unknown field \"delay\"") && problems[1].contains("one of Unavailable, Empty"), "{problems:#?}");
    }

    #[test]
    fn expectations_are_compiled_and_judged_in_order_of_time() {
        let document = parse(
            "w.yaml",
            "- {object: md/a, that: 'true'}\n- {at: 5m, object: md/a, that: self.x == 1}\n- {object: md/a, that: x == 1}\n",
        )
        .unwrap();
        let mut problems = Problems::new();
        let read = read_expectations(&document[0], &mut problems);
        let lines: Vec<u64> = read.iter().map(|expectation| expectation.place.line).collect();
        assert_eq!(lines, [2, 1]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().starts_with("w.yaml:3:24: that: x is not defined"), "{problems:?}");
    }
}
