//! Where a pod's peers are: inter-pod affinity and anti-affinity, topology spread, and not all on one node.
//!
//! Takes a pod, the nodes and the placed pods; gives reasons against nodes, and a score. Preferred inter-pod terms and
//! `ScheduleAnyway` constraints count only through the default spreading by owner.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::filter::{Reason, is_selected};
use crate::sim::actors::labels::Selector;
use crate::sim::actors::object::{self, at, controller, count, int, is_deleting, items, labels, name, namespace, text};
use crate::sim::actors::orphans::dependents;
use crate::sim::actors::replica_set::order::has_ended;
use crate::sim::cluster::Cluster;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// One hard spread constraint, counted.
#[derive(Debug)]
struct Constraint {
    key: String,
    counts: BTreeMap<String, i64>,
    fewest: i64,
    skew_max: i64,
    /// The pod itself counts.
    own: i64,
}

/// Domains of one topology key where matching pods are.
#[derive(Debug)]
struct Domains {
    key: String,
    with_peers: BTreeSet<String>,
    /// No peer anywhere, and the pod matches its own term: it may be the first.
    may_be_first: bool,
}

/// What a pod's peers mean for its placement.
#[derive(Debug, Default)]
pub struct Spread {
    constraints: Vec<Constraint>,
    attracted: Vec<Domains>,
    repelled: Vec<Domains>,
    /// Topology key and domain of pods that keep this one away.
    kept_away: BTreeSet<(String, String)>,
    siblings: BTreeMap<String, i64>,
}

/// The pod keeps others away.
pub fn repels(pod: &Value) -> bool {
    !terms(pod, "podAntiAffinity").is_empty()
}

fn terms<'a>(pod: &'a Value, kind: &str) -> &'a [Value] {
    items(pod, &["spec", "affinity", kind, REQUIRED])
}

impl Spread {
    /// Looks at the placed pods; cheap for a pod that asks for nothing.
    pub fn of(pod: &Value, nodes: &[Arc<Value>], repelling: &BTreeSet<String>, cluster: &Cluster) -> Self {
        let by_name: BTreeMap<&str, &Arc<Value>> = nodes.iter().map(|node| (name(node), node)).collect();
        let domains = |kind: &str| terms(pod, kind).iter().map(|term| peers(pod, term, &by_name, cluster)).collect();
        let hard = items(pod, &["spec", "topologySpreadConstraints"]).iter();
        let hard = hard.filter(|constraint| text(constraint, &["whenUnsatisfiable"]) != "ScheduleAnyway");
        Self {
            constraints: hard.map(|constraint| counted(pod, constraint, &by_name, cluster)).collect(),
            attracted: domains("podAffinity"),
            repelled: domains("podAntiAffinity"),
            kept_away: kept_away(pod, repelling, &by_name, cluster),
            siblings: siblings(pod, cluster),
        }
    }

    /// The reason against a node, if any.
    pub fn refusal(&self, node: &Value) -> Option<Vec<Reason>> {
        self.spread_refusal(node).or_else(|| self.affinity_refusal(node)).map(|reason| vec![reason])
    }

    fn spread_refusal(&self, node: &Value) -> Option<Reason> {
        let text = "node(s) didn't match pod topology spread constraints";
        for constraint in &self.constraints {
            let Some(domain) = domain(node, &constraint.key) else {
                return Some(Reason::lasting(format!("{text} (missing required label)")));
            };
            let there = constraint.counts.get(domain).copied().unwrap_or(0);
            if there + constraint.own - constraint.fewest > constraint.skew_max {
                return Some(Reason::resolvable(text));
            }
        }
        None
    }

    fn affinity_refusal(&self, node: &Value) -> Option<Reason> {
        let has_peers = |domains: &Domains| domain(node, &domains.key).is_some_and(|domain| domains.with_peers.contains(domain));
        let misses = |domains: &Domains| domain(node, &domains.key).is_none() || !(has_peers(domains) || domains.may_be_first);
        if self.attracted.iter().any(misses) {
            return Some(Reason::lasting("node(s) didn't match pod affinity rules"));
        }
        if self.repelled.iter().any(has_peers) {
            return Some(Reason::resolvable("node(s) didn't match pod anti-affinity rules"));
        }
        let is_kept_away = |(key, from): &(String, String)| domain(node, key) == Some(from);
        let kept_away = self.kept_away.iter().any(is_kept_away);
        kept_away.then(|| Reason::resolvable("node(s) didn't satisfy existing pods anti-affinity rules"))
    }

    /// Fewer siblings on the node are better: 0 to 200.
    pub fn score(&self, node: &Value) -> i64 {
        let most = self.siblings.values().copied().max().unwrap_or(0);
        let there = self.siblings.get(name(node)).copied().unwrap_or(0);
        if most == 0 { 200 } else { 200 * (most - there) / most }
    }
}

fn domain<'a>(node: &'a Value, key: &str) -> Option<&'a str> {
    labels(node)?.get(key)?.as_str()
}

/// Placed pods that hold their place.
fn placed(cluster: &Cluster, of: &str) -> impl Iterator<Item = Arc<Value>> {
    let pods = cluster.list("pods", Some(of)).into_iter();
    pods.filter(|pod| !text(pod, &["spec", "nodeName"]).is_empty() && !has_ended(pod))
}

/// The namespaces that a term is about.
fn namespaces(pod: &Value, term: &Value, cluster: &Cluster) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = items(term, &["namespaces"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if let Some(selector) = at(term, &["namespaceSelector"]).filter(|selector| selector.is_object()) {
        let selector = Selector::of(Some(selector));
        let all = cluster.list("namespaces", None);
        found.extend(all.iter().filter(|one| selector.matches(labels(one))).map(|one| name(one).to_owned()));
    } else if found.is_empty() {
        found.insert(namespace(pod).to_owned());
    }
    found
}

/// The term's selector, narrowed to the pod's own values of `matchLabelKeys`.
fn selector(pod: &Value, term: &Value) -> Selector {
    let mut selector = term.get("labelSelector").cloned().unwrap_or(Value::Null);
    for key in items(term, &["matchLabelKeys"]).iter().filter_map(Value::as_str) {
        if let Some(value) = labels(pod).and_then(|labels| labels.get(key)) {
            selector["matchLabels"][key] = value.clone();
        }
    }
    Selector::of(Some(&selector))
}

fn peers(pod: &Value, term: &Value, nodes: &BTreeMap<&str, &Arc<Value>>, cluster: &Cluster) -> Domains {
    let key = text(term, &["topologyKey"]).to_owned();
    let selector = selector(pod, term);
    let within = namespaces(pod, term, cluster);
    let mut with_peers = BTreeSet::new();
    let mut found = false;
    for peer in within.iter().flat_map(|of| placed(cluster, of)).filter(|peer| selector.matches(labels(peer))) {
        found = true;
        let node = nodes.get(text(&peer, &["spec", "nodeName"]));
        with_peers.extend(node.and_then(|node| domain(node, &key)).map(str::to_owned));
    }
    let may_be_first = !found && within.contains(namespace(pod)) && selector.matches(labels(pod));
    Domains { key, with_peers, may_be_first }
}

fn counted(pod: &Value, constraint: &Value, nodes: &BTreeMap<&str, &Arc<Value>>, cluster: &Cluster) -> Constraint {
    let key = text(constraint, &["topologyKey"]).to_owned();
    let selector = selector(pod, constraint);
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for node in nodes.values().filter(|node| is_selected(pod, node)) {
        counts.extend(domain(node, &key).map(|domain| (domain.to_owned(), 0)));
    }
    for peer in placed(cluster, namespace(pod)).filter(|peer| !is_deleting(peer) && selector.matches(labels(peer))) {
        let node = nodes.get(text(&peer, &["spec", "nodeName"]));
        if let Some(count) = node.and_then(|node| domain(node, &key)).and_then(|domain| counts.get_mut(domain)) {
            *count += 1;
        }
    }
    let enough = int(constraint, &["minDomains"]).is_none_or(|least| counts.len() as i64 >= least);
    let fewest = if enough { counts.values().copied().min().unwrap_or(0) } else { 0 };
    let own = i64::from(selector.matches(labels(pod)));
    Constraint { key, counts, fewest, skew_max: count(constraint, &["maxSkew"]).max(1), own }
}

/// Domains from which placed pods keep this one away.
fn kept_away(
    pod: &Value,
    repelling: &BTreeSet<String>,
    nodes: &BTreeMap<&str, &Arc<Value>>,
    cluster: &Cluster,
) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for key in repelling {
        let (of, called) = object::split_key(key);
        let Some(other) = cluster.get("pods", of, called) else { continue };
        let Some(node) = nodes.get(text(&other, &["spec", "nodeName"])) else { continue };
        for term in terms(&other, "podAntiAffinity") {
            let about = namespaces(&other, term, cluster).contains(namespace(pod)) && selector(&other, term).matches(labels(pod));
            let topology = text(term, &["topologyKey"]);
            found.extend(domain(node, topology).filter(|_| about).map(|domain| (topology.to_owned(), domain.to_owned())));
        }
    }
    found
}

/// Pods of the same controller by node.
fn siblings(pod: &Value, cluster: &Cluster) -> BTreeMap<String, i64> {
    let mut siblings = BTreeMap::new();
    let Some(owner) = controller(pod) else { return siblings };
    for sibling in dependents(cluster, "pods", text(owner, &["uid"])) {
        let node = text(&sibling, &["spec", "nodeName"]);
        if !node.is_empty() {
            *siblings.entry(node.to_owned()).or_insert(0) += 1;
        }
    }
    siblings
}
