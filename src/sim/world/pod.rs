//! How pods of a world behave: how long they take to start and to end, how they fail, and how
//! they serve.
//!
//! Takes the `pods` of a world, of which the first that matches describes a pod, and later changes of it; gives rules as
//! data. Whether a selector ever matched is known only at the end of a run.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::document::Located;
use super::fields::{self, Fields};
use super::place::{Place, Problems};
use super::serving::{self, ServingWords};
use super::usage;
use crate::sim::metrics_api::usage::UsageModel;

/// Which pods a rule, a change or a fault is about.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSelector {
    /// Where the selector was written.
    pub place: Place,
    /// The namespace; none: all.
    pub namespace: Option<String>,
    /// A `metav1.LabelSelector`; an empty one selects every pod.
    pub labels: Value,
}

/// How the pods that a selector takes behave.
#[derive(Clone, Debug, PartialEq)]
pub struct PodRule {
    /// Which pods.
    pub selector: PodSelector,
    /// How they behave.
    pub behaviour: Behaviour,
}

/// What may be said of pods; what is not said is as usual, or in a change as before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// Time to pull an image that the node does not have.
    pub pull: Option<SignedDuration>,
    /// Time from the start of a container until it answers its probes.
    pub load: Option<SignedDuration>,
    /// Each of these times is drawn from its value times 1 - jitter to 1 + jitter; 0 to 1.
    pub jitter: Option<f64>,
    /// Time that containers take to end when asked to.
    pub shutdown: Option<SignedDuration>,
    /// How they fail.
    pub failure: Option<PodFailure>,
    /// How they serve requests.
    pub serving: Option<ServingWords>,
    /// What they use of cpu and memory.
    pub usage: Option<UsageModel>,
}

/// How the containers of a pod fail.
#[derive(Clone, Debug, PartialEq)]
pub enum PodFailure {
    /// They do not: ends an earlier failure.
    None,
    /// They run and never answer a readiness probe.
    NeverReady,
    /// They end so long after each start.
    Crash {
        /// Time from start to end.
        after: SignedDuration,
        /// Exit code, not 0.
        exit_code: u32,
        /// Reason in the status.
        reason: String,
        /// So many times, then no more; none: always.
        times: Option<u32>,
    },
    /// The image cannot be pulled.
    ImagePull {
        /// What the registry says.
        message: String,
        /// So many times, then it can; none: never.
        times: Option<u32>,
    },
}

/// Reads the rules.
pub fn read(node: &Located, problems: &mut Problems) -> Vec<PodRule> {
    fields::items(node, "pods", problems).iter().filter_map(|item| rule(item, problems)).collect()
}

fn rule(node: &Located, problems: &mut Problems) -> Option<PodRule> {
    let mut fields = Fields::of(node, "an entry of pods", problems)?;
    let selector = selector(&mut fields, problems);
    let behaviour = behaviour(&mut fields, problems);
    fields.finish(problems);
    Some(PodRule { selector: selector?, behaviour })
}

/// Reads the fields `selector` and `namespace`.
pub fn selector(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<PodSelector> {
    let namespace = fields.read("namespace", fields::text, problems);
    let Some(selector) = fields.take("selector") else {
        let message = "selector is missing: say which pods, for example {matchLabels: {app: chat}}, or {} for all";
        problems.push(fields.node.place.problem(message));
        return None;
    };
    let labels = label_selector(selector, problems)?;
    Some(PodSelector { place: selector.place.clone(), namespace, labels })
}

/// Reads the fields that say how pods behave.
pub fn behaviour(fields: &mut Fields<'_>, problems: &mut Problems) -> Behaviour {
    let mut behaviour = Behaviour::default();
    if let Some(mut startup) = fields.take("startup").and_then(|startup| Fields::of(startup, "startup", problems)) {
        behaviour.pull = startup.read("pull", fields::time, problems);
        behaviour.load = startup.read("load", fields::time, problems);
        behaviour.jitter = startup.read("jitter", fields::fraction, problems);
        startup.finish(problems);
    }
    behaviour.shutdown = fields.read("shutdown", fields::time, problems);
    behaviour.failure = fields.take("failure").and_then(|failure| read_failure(failure, problems));
    behaviour.serving = fields.take("serving").and_then(|node| serving::read(node, problems));
    behaviour.usage = fields.take("usage").and_then(|node| usage::read(node, problems));
    behaviour
}

fn read_failure(node: &Located, problems: &mut Problems) -> Option<PodFailure> {
    #[derive(Clone, Copy)]
    enum Type {
        None,
        NeverReady,
        Crash,
        ImagePull,
    }
    let types = [("None", Type::None), ("NeverReady", Type::NeverReady), ("Crash", Type::Crash), ("ImagePull", Type::ImagePull)];
    let mut fields = Fields::of(node, "failure", problems)?;
    let Some(kind) = fields.take("type") else {
        problems.push(node.place.problem("type is missing, one of None, NeverReady, Crash, ImagePull"));
        return None;
    };
    let failure = match fields::word(kind, "type", &types, problems)? {
        Type::None => PodFailure::None,
        Type::NeverReady => PodFailure::NeverReady,
        Type::Crash => PodFailure::Crash {
            after: fields.read("after", fields::time, problems).unwrap_or(SignedDuration::from_secs(5)),
            exit_code: fields.read("exitCode", exit_code, problems).unwrap_or(1),
            reason: fields.read("reason", fields::text, problems).unwrap_or_else(|| "Error".to_owned()),
            times: fields.read("times", fields::count, problems),
        },
        Type::ImagePull => PodFailure::ImagePull {
            message: fields.read("message", fields::text, problems).unwrap_or_else(|| "manifest unknown".to_owned()),
            times: fields.read("times", fields::count, problems),
        },
    };
    fields.finish(problems);
    Some(failure)
}

fn exit_code(node: &Located, name: &str, problems: &mut Problems) -> Option<u32> {
    let code = fields::count(node, name, problems)?;
    if (1..=255).contains(&code) {
        return Some(code);
    }
    problems.push(node.place.problem(format!("{name} must be a whole number from 1 to 255, found {code}")));
    None
}

fn label_selector(node: &Located, problems: &mut Problems) -> Option<Value> {
    let before = problems.len();
    let mut fields = Fields::of(node, "selector", problems)?;
    let mut selector = Map::new();
    if let Some(labels) = fields.read("matchLabels", fields::labels, problems) {
        selector.insert("matchLabels".to_owned(), json!(labels));
    }
    if let Some(expressions) = fields.take("matchExpressions") {
        let items = fields::items(expressions, "matchExpressions", problems);
        let read: Vec<Value> = items.iter().filter_map(|item| expression(item, problems)).collect();
        selector.insert("matchExpressions".to_owned(), json!(read));
    }
    fields.finish(problems);
    (problems.len() == before).then_some(Value::Object(selector))
}

fn expression(node: &Located, problems: &mut Problems) -> Option<Value> {
    let operators = [("In", "In"), ("NotIn", "NotIn"), ("Exists", "Exists"), ("DoesNotExist", "DoesNotExist")];
    let mut fields = Fields::of(node, "an entry of matchExpressions", problems)?;
    let key = fields.require("key", fields::text, problems);
    let operator = fields.require("operator", fields::text, problems);
    let operator = operator.and_then(|_| fields::word(node.get("operator")?, "operator", &operators, problems));
    let mut values = Vec::new();
    if let Some(list) = fields.take("values") {
        values = fields::items(list, "values", problems).iter().filter_map(|item| fields::text(item, "a value", problems)).collect();
    }
    fields.finish(problems);
    let wants_values = matches!(operator?, "In" | "NotIn");
    if wants_values == values.is_empty() {
        let rule = if wants_values { "needs at least one of values" } else { "takes no values" };
        problems.push(node.place_of("values").problem(format!("operator {} {rule}", operator?)));
        return None;
    }
    let mut expression = json!({ "key": key?, "operator": operator? });
    if wants_values {
        expression["values"] = json!(values);
    }
    Some(expression)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::read_text;

    fn rules(text: &str) -> (Vec<PodRule>, Vec<String>) {
        read_text(text, read)
    }

    #[test]
    fn a_rule_is_read_with_its_startup_and_failure() {
        let (rules, problems) = rules(
            "- selector: {matchLabels: {app: chat}}\n  startup: {pull: 20s, load: 1m, jitter: 0.1}\n  failure: {type: Crash, after: 30s, exitCode: 137, reason: OOMKilled}\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let behaviour = &rules[0].behaviour;
        assert_eq!((behaviour.pull, behaviour.jitter), (Some(SignedDuration::from_secs(20)), Some(0.1)));
        let crash = PodFailure::Crash { after: SignedDuration::from_secs(30), exit_code: 137, reason: "OOMKilled".to_owned(), times: None };
        assert_eq!(behaviour.failure, Some(crash));
        assert_eq!(rules[0].selector.labels, json!({ "matchLabels": { "app": "chat" } }));
    }

    #[test]
    fn expressions_are_checked() {
        let (_, problems) =
            rules("- selector: {matchExpressions: [{key: a, operator: In}, {key: b, operator: Near}, {key: c, operator: Exists}]}\n");
        assert_eq!(
            problems,
            [
                "w.yaml:1:33: operator In needs at least one of values",
                "w.yaml:1:76: operator must be one of In, NotIn, Exists, DoesNotExist, found \"Near\"",
            ]
        );
    }

    #[test]
    fn fields_of_another_failure_and_unknown_ones_of_serving_are_refused() {
        let (_, problems) = rules("- selector: {}\n  failure: {type: NeverReady, after: 5s}\n  serving: {concurrency: 8, speed: 1}\n");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("unknown field \"after\"") && problems[1].contains("unknown field \"speed\""), "{problems:?}");
    }
}
