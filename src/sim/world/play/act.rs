//! What a world does to its simulation when the time of an event has come.

use serde_json::Value;

use super::{Happening, Play, Return, requests};
use crate::sim::actors::labels::Selector;
use crate::sim::actors::object::{labels, name, namespace};
use crate::sim::api_error::ApiError;
use crate::sim::traffic::backend::Fault as MetricsFault;
use crate::sim::world::event::{Action, Event, Fault};
use crate::sim::world::place::Place;
use crate::sim::world::pod::{Behaviour, PodFailure, PodSelector};
use crate::sim::world::serving::ServingWords;
use crate::sim::world::usage;

impl Play {
    /// Lets an event happen.
    pub(super) fn happen(&mut self, event: &Event) {
        match &event.action {
            Action::Apply { place, .. } => {
                let documents = self.applied_later.get(place).cloned().unwrap_or_default();
                for document in &documents {
                    let answer = requests::apply(&mut self.simulation.cluster, document, requests::NAMESPACE);
                    self.answered(event, answer);
                }
            }
            Action::Delete(target) => {
                let answer = requests::delete(&mut self.simulation.cluster, target);
                self.answered(event, answer);
            }
            Action::Patch { target, merge } => {
                let answer = requests::merge(&mut self.simulation.cluster, target, merge.clone());
                self.answered(event, answer);
            }
            Action::Change { selector, behaviour } => {
                self.watch_selector(selector);
                self.profiles.change(selector, behaviour);
                self.simulation.set_pod_profiles(self.profiles.list());
                self.tell("", format!("pods {}", show(selector)), said(behaviour));
            }
            Action::Fault(fault) => self.go_wrong(fault),
        }
        self.simulation.settle();
    }

    /// A request is taken, unless the event says that it must be refused.
    fn answered(&mut self, event: &Event, answer: requests::Answer) {
        match (answer, &event.refused) {
            (Ok(warnings), None) => self.warnings.extend(warnings),
            (Ok(_), Some(wanted)) => {
                let message = format!("the API server was expected to refuse this with {wanted:?}, and took it");
                self.problems.push(event.place.problem(message));
            }
            (Err(problems), None) => self.problems.extend(problems),
            (Err(problems), Some(wanted)) => {
                let said: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
                let said = said.join("; ");
                if said.contains(wanted.as_str()) {
                    self.tell("", "request refused, as expected".to_owned(), said);
                } else {
                    self.problems.push(event.place.problem(format!("expected a refusal with {wanted:?}, found: {said}")));
                }
            }
        }
    }

    fn go_wrong(&mut self, fault: &Fault) {
        let now = self.simulation.cluster.now();
        match fault {
            Fault::Evict(selector) => {
                self.each_pod(selector, "evicted", |play, namespace, name| play.simulation.evict_pod(namespace, name))
            }
            Fault::Kill(selector) => {
                self.each_pod(selector, "deleted", |play, namespace, name| play.simulation.delete_pod(namespace, name, None));
            }
            Fault::NodeLoss { node, place, lasts } => {
                if self.node_exists(node, place) {
                    let done = self.simulation.kill_node(node);
                    self.done_to_node(node, place, "falls silent", done);
                    if let Some(lasts) = lasts {
                        self.returns.insert((now + *lasts, self.done.events), Return::Restore(node.clone(), place.clone()));
                    }
                }
            }
            Fault::Metrics { fault, lasts } => {
                self.simulation.set_metrics_fault(Some(*fault));
                self.metrics_fault = self.done.events;
                self.tell("metrics", told(*fault), "by the world".to_owned());
                if let Some(lasts) = lasts {
                    self.returns.insert((now + *lasts, self.done.events), Return::Metrics(self.done.events));
                }
            }
            Fault::Drain { node, place, lasts } => {
                if self.node_exists(node, place) {
                    let done = self.simulation.drain(node);
                    self.done_to_node(node, place, "is drained", done);
                    if let Some(lasts) = lasts {
                        self.returns.insert((now + *lasts, self.done.events), Return::Uncordon(node.clone(), place.clone()));
                    }
                }
            }
        }
    }

    fn each_pod(&mut self, selector: &PodSelector, what: &str, act: fn(&mut Self, &str, &str) -> Result<(), ApiError>) {
        self.watch_selector(selector);
        let wanted = Selector::of(Some(&selector.labels));
        let pods = self.simulation.cluster.list("pods", selector.namespace.as_deref());
        for pod in pods.iter().filter(|pod| wanted.matches(labels(pod))) {
            let object = format!("pod/{}", name(pod));
            match act(self, namespace(pod), name(pod)) {
                Ok(()) => self.tell_of(namespace(pod), object, what.to_owned(), "by the world".to_owned()),
                // What a budget forbids is part of the play.
                Err(error) => self.tell_of(namespace(pod), object, format!("not {what}"), error.message),
            }
        }
    }

    fn node_exists(&mut self, node: &str, place: &Place) -> bool {
        if self.simulation.cluster.get("nodes", "", node).is_some() {
            return true;
        }
        let nodes = self.simulation.cluster.list("nodes", None);
        let names: Vec<&str> = nodes.iter().map(|node| name(node)).take(10).collect();
        self.problems.push(place.problem(format!("there is no node {node:?}, there are {}", names.join(", "))));
        false
    }

    fn done_to_node(&mut self, node: &str, place: &Place, what: &str, done: Result<(), ApiError>) {
        match done {
            Ok(()) => self.tell_of("", format!("node/{node}"), what.to_owned(), "by the world".to_owned()),
            Err(error) => self.problems.push(place.problem(format!("node {node}: {}", error.message))),
        }
    }

    /// A node comes back.
    pub(super) fn bring_back(&mut self, returned: &Return) {
        match returned {
            Return::Restore(node, place) => {
                let done = self.simulation.restore_node(node);
                self.done_to_node(node, place, "reports again", done);
            }
            Return::Uncordon(node, place) => {
                let done = self.simulation.cordon(node, false);
                self.done_to_node(node, place, "takes pods again", done);
            }
            // A later fault has its own end.
            Return::Metrics(number) if *number == self.metrics_fault => {
                self.simulation.set_metrics_fault(None);
                self.tell("metrics", "answered again".to_owned(), "by the world".to_owned());
            }
            Return::Metrics(_) => {}
        }
    }

    fn tell(&mut self, object: &str, what: String, why: String) {
        self.tell_of("", object.to_owned(), what, why);
    }

    fn tell_of(&mut self, namespace: &str, object: String, what: String, why: String) {
        let at = self.simulation.cluster.now();
        self.happenings.push(Happening { at, namespace: namespace.to_owned(), object, what, why });
    }
}

/// What is wrong with the metrics backend, in words.
fn told(fault: MetricsFault) -> String {
    let show = super::super::duration::show;
    match fault {
        MetricsFault::Unavailable => "refuse connections".to_owned(),
        MetricsFault::Empty => "are empty".to_owned(),
        MetricsFault::NaN => "are not numbers".to_owned(),
        MetricsFault::Stale(age) => format!("are {} old", show(age)),
        MetricsFault::Slow(delay) => format!("come {} late", show(delay)),
        MetricsFault::Error5xx => "answer with 503".to_owned(),
        MetricsFault::Garbage => "break off".to_owned(),
        MetricsFault::Huge => "are 100 MiB long".to_owned(),
    }
}

/// A selector as kubectl writes it.
fn show(selector: &PodSelector) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (key, value) in selector.labels.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        parts.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    for expression in selector.labels.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let values = expression.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let values: Vec<&str> = values.collect();
        let text = |field: &str| expression.get(field).and_then(Value::as_str).unwrap_or_default();
        parts.push(format!("{} {} ({})", text("key"), text("operator"), values.join(", ")));
    }
    if parts.is_empty() { "(all)".to_owned() } else { parts.join(",") }
}

/// What is said of pods, in words.
fn said(behaviour: &Behaviour) -> String {
    let Behaviour { pull, load, jitter, shutdown, failure, serving, usage } = behaviour;
    let mut words: Vec<String> = Vec::new();
    for (name, time) in [("pull", pull), ("load", load), ("shutdown", shutdown)] {
        words.extend(time.map(|time| format!("{name} takes {}", super::super::duration::show(time))));
    }
    words.extend(jitter.map(|jitter| format!("times vary by {jitter}")));
    words.extend(failure.as_ref().map(|failure| match failure {
        PodFailure::None => "they fail no more".to_owned(),
        PodFailure::NeverReady => "they are not ready".to_owned(),
        PodFailure::Crash { exit_code, reason, .. } => format!("they crash with exit code {exit_code} ({reason})"),
        PodFailure::ImagePull { message, .. } => format!("their image cannot be pulled: {message}"),
    }));
    words.extend(serving.iter().flat_map(ServingWords::told));
    words.extend(usage.iter().flat_map(usage::told));
    words.join(", ")
}
