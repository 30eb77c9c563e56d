//! Whether a pod may run on a node, and how well it would fit.
//!
//! Takes pods and nodes as stored, and what the node's pods reserve; gives the reasons against, or a score. Pure.
//! Inter-pod affinity and hard topology spread live in [`super::spread`].

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::sim::actors::object::{self, flag, items, map, text};
use crate::sim::actors::resources::{self, Amounts};
use crate::sim::builtin::quantity::Quantity;

/// A reason against a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The scheduler's text.
    pub text: String,
    /// Removing other pods could help.
    pub resolvable: bool,
}

impl Reason {
    /// A reason that removing other pods could resolve.
    pub fn resolvable(text: impl Into<String>) -> Self {
        Self { text: text.into(), resolvable: true }
    }

    /// A reason that stays whatever pods are removed.
    pub fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), resolvable: false }
    }
}

/// What the pods of a node take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Their requests.
    pub requests: Amounts,
    /// Their number.
    pub pods: i64,
    /// Their host ports: protocol, address, port.
    pub ports: BTreeSet<HostPort>,
}

/// Protocol, host address, port.
pub type HostPort = (String, String, i64);

/// The reasons of the first filter that refuses; none: the pod may run there.
pub fn refusal(pod: &Value, node: &Value, usage: &Usage) -> Option<Vec<Reason>> {
    let one = |reason: Reason| Some(vec![reason]);
    if flag(node, &["spec", "unschedulable"]) && !tolerates(pod, &unschedulable_taint()) {
        return one(Reason::lasting("node(s) were unschedulable"));
    }
    if let Some(taint) = items(node, &["spec", "taints"]).iter().find(|taint| repels(pod, taint)) {
        return one(Reason::lasting(untolerated(taint)));
    }
    if !is_selected(pod, node) {
        return one(Reason::lasting("node(s) didn't match Pod's node affinity/selector"));
    }
    if host_ports(pod).iter().any(|port| usage.ports.iter().any(|taken| collide(port, taken))) {
        return one(Reason::resolvable("node(s) didn't have free ports for the requested pod ports"));
    }
    let missing = missing_resources(pod, node, usage);
    if missing.is_empty() { None } else { Some(missing) }
}

fn unschedulable_taint() -> Value {
    serde_json::json!({ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" })
}

fn untolerated(_taint: &Value) -> &'static str {
    "node(s) had untolerated taint(s)"
}

fn repels(pod: &Value, taint: &Value) -> bool {
    ["NoSchedule", "NoExecute"].contains(&text(taint, &["effect"])) && !tolerates(pod, taint)
}

/// Some toleration of the pod covers the taint.
pub fn tolerates(pod: &Value, taint: &Value) -> bool {
    items(pod, &["spec", "tolerations"]).iter().any(|toleration| covers(toleration, taint))
}

/// The toleration covers the taint.
pub fn covers(toleration: &Value, taint: &Value) -> bool {
    let field = |name| text(toleration, &[name]);
    let effect_fits = field("effect").is_empty() || field("effect") == text(taint, &["effect"]);
    let key_fits = field("key") == text(taint, &["key"]) || (field("key").is_empty() && field("operator") == "Exists");
    effect_fits && key_fits && (field("operator") == "Exists" || field("value") == text(taint, &["value"]))
}

/// The node satisfies `nodeSelector` and required node affinity.
pub fn is_selected(pod: &Value, node: &Value) -> bool {
    let labels = object::labels(node);
    let wanted = map(pod, &["spec", "nodeSelector"]);
    let selected = wanted.into_iter().flatten().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let Some(required) = object::at(pod, &path) else { return selected };
    selected && items(required, &["nodeSelectorTerms"]).iter().any(|term| term_matches(term, node))
}

/// One node selector term: its expressions over labels and over `metadata.name`. An empty term matches nothing.
pub fn term_matches(term: &Value, node: &Value) -> bool {
    let labels = object::labels(node);
    let (expressions, fields) = (items(term, &["matchExpressions"]), items(term, &["matchFields"]));
    let label = |key: &str| labels.and_then(|labels: &Map<String, Value>| labels.get(key)).and_then(Value::as_str);
    let field = |key: &str| (key == "metadata.name").then(|| object::name(node));
    !(expressions.is_empty() && fields.is_empty())
        && expressions.iter().all(|expression| requirement_met(expression, label(text(expression, &["key"]))))
        && fields.iter().all(|expression| requirement_met(expression, field(text(expression, &["key"]))))
}

fn requirement_met(expression: &Value, value: Option<&str>) -> bool {
    let values = items(expression, &["values"]);
    let listed = value.is_some_and(|value| values.iter().any(|item| item == value));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let bound = || number(values.first().and_then(Value::as_str));
    match text(expression, &["operator"]) {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => number(value).zip(bound()).is_some_and(|(value, bound)| value > bound),
        "Lt" => number(value).zip(bound()).is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

/// The host ports that a pod's containers ask for.
pub fn host_ports(pod: &Value) -> BTreeSet<HostPort> {
    let containers = items(pod, &["spec", "containers"]).iter();
    let ports = containers.flat_map(|container| items(container, &["ports"]));
    let host_port = |port: &Value| {
        let number = object::count(port, &["hostPort"]);
        let (protocol, address) = (text(port, &["protocol"]), text(port, &["hostIP"]));
        let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
        (number > 0).then(|| (or(protocol, "TCP"), or(address, "0.0.0.0"), number))
    };
    ports.filter_map(host_port).collect()
}

fn collide(a: &HostPort, b: &HostPort) -> bool {
    a.0 == b.0 && a.2 == b.2 && (a.1 == b.1 || a.1 == "0.0.0.0" || b.1 == "0.0.0.0")
}

/// Every resource that is short, the number of pods first.
fn missing_resources(pod: &Value, node: &Value, usage: &Usage) -> Vec<Reason> {
    let allocatable = Amounts::of(map(node, &["status", "allocatable"]));
    let mut reasons = Vec::new();
    if Quantity::from_units(usage.pods + 1) > allocatable.get("pods") {
        reasons.push(Reason::resolvable("Too many pods"));
    }
    for (name, wanted) in &resources::of_pod(pod, "requests").0 {
        let has = allocatable.get(name);
        if !wanted.is_zero() && *wanted + usage.requests.get(name) > has {
            let text = format!("Insufficient {name}");
            reasons.push(if *wanted > has { Reason::lasting(text) } else { Reason::resolvable(text) });
        }
    }
    reasons
}

/// Higher is better, at most about 600: free share of cpu and memory after placing the pod, their balance, preferred
/// affinity, and fewer repelling `PreferNoSchedule` taints, in the weights of the default profile.
pub fn score(pod: &Value, node: &Value, usage: &Usage) -> i64 {
    let free: Vec<i64> = ["cpu", "memory"].iter().map(|name| free_percent(pod, node, usage, name)).collect();
    let least_allocated = free.iter().sum::<i64>() / 2;
    let balanced = 100 - (free[0] - free[1]).abs() / 2;
    let soft_taint = |taint: &&Value| text(taint, &["effect"]) == "PreferNoSchedule" && !tolerates(pod, taint);
    let repelled = items(node, &["spec", "taints"]).iter().any(|taint| soft_taint(&taint));
    least_allocated + balanced + if repelled { 0 } else { 300 } + 2 * preference(pod, node)
}

fn free_percent(pod: &Value, node: &Value, usage: &Usage, name: &str) -> i64 {
    let has = Amounts::of(map(node, &["status", "allocatable"])).get(name);
    let taken = usage.requests.get(name) + resources::of_pod(pod, "requests").get(name);
    if has.is_zero() || taken > has {
        return 0;
    }
    i64::try_from((has - taken).nanos() * 100 / has.nanos()).unwrap_or(0)
}

/// Preferred node affinity, 0 to 100: share of the wanted weight that the node satisfies.
fn preference(pod: &Value, node: &Value) -> i64 {
    let path = ["spec", "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"];
    let weight = |entry: &Value| object::count(entry, &["weight"]);
    let total: i64 = items(pod, &path).iter().map(weight).sum();
    let met = items(pod, &path).iter().filter(|entry| term_matches(&entry["preference"], node)).map(weight).sum::<i64>();
    if total == 0 { 0 } else { met * 100 / total }
}
