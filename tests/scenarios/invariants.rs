//! What must never happen, checked after every committed write of a simulated scenario. Numbers are permanent.

mod bookkeeping;
mod ownership;
mod traffic;
mod view;

use std::collections::BTreeMap;

use jiff::Timestamp;
use modelward::sim::cluster::{Cluster, Commit};

/// Whom the watchdog takes for the operator.
pub const OPERATOR: &str = "system:serviceaccount:modelward:modelward";

/// Collects violations while a scenario plays.
#[derive(Default)]
pub struct Watchdog {
    /// Each with the number of its invariant.
    pub violations: Vec<String>,
    /// Since when a revision has no weight; absent while it has some, or never had any. By namespace and revision.
    zero_since: BTreeMap<(String, String), Timestamp>,
    /// Weight of each revision after the last commit, and since when it is at most that.
    weights: BTreeMap<(String, String), (i32, Timestamp)>,
    /// Revisions that had a ready pod.
    worked: std::collections::BTreeSet<(String, String)>,
    /// Since when a revision with weight has no ready pod although another one has.
    bare_since: BTreeMap<(String, String), Timestamp>,
    /// Times of our writes by object.
    writes: BTreeMap<(String, String, String), Vec<Timestamp>>,
    /// When the wanted number of pods of a deployment changed last.
    resized: BTreeMap<(String, String), Timestamp>,
}

/// One thing to check.
type Check = fn(&mut Watchdog, &Commit, &Cluster) -> Option<String>;

/// All of them, by number.
const CHECKS: [(&str, Check); 19] = [
    ("I01", traffic::weights_sum_to_100),
    ("I02", traffic::weight_only_to_ready_pods),
    ("I04", traffic::ready_capacity_is_kept),
    ("I05", traffic::pods_within_surge),
    ("I06", traffic::scaled_to_zero_only_after_drain),
    ("I07", traffic::stable_gives_way_last),
    ("I14", ownership::one_living_owner),
    ("I15", ownership::only_its_own_namespace_and_children),
    ("I16", ownership::names_fit),
    ("I17", bookkeeping::generation_never_goes_back),
    ("I18", bookkeeping::phases_follow_the_graph),
    ("I19", bookkeeping::transition_times_tell_the_truth),
    ("I20", bookkeeping::decisions_count_up),
    ("I21", ownership::spec_is_never_written),
    ("I22", bookkeeping::writes_change_something),
    ("I26", bookkeeping::write_rate_is_bounded),
    ("I28", bookkeeping::status_is_bounded),
    ("I34", ownership::no_finalizers),
    ("I35", ownership::pod_template_never_changes),
];

impl Watchdog {
    /// Checks one commit against the cluster after it.
    pub fn see(&mut self, commit: &Commit, cluster: &Cluster) {
        for (number, check) in CHECKS {
            if let Some(words) = check(self, commit, cluster) {
                let what = format!("{} {}/{}", commit.resource, commit.namespace, commit.name);
                self.violations.push(format!("{number} at {} by {} on {what}: {words}", commit.at, commit.who.user));
            }
        }
        traffic::remember(self, commit, cluster);
    }

    /// Whether an invariant was seen broken.
    pub fn saw(&self, number: &str) -> bool {
        self.violations.iter().any(|violation| violation.starts_with(number))
    }
}

/// The commit is a write of ours.
fn ours(commit: &Commit) -> bool {
    commit.who.user == OPERATOR
}
