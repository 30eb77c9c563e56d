//! What must never happen, checked after every committed write and every request of a simulated scenario. Numbers are
//! permanent.
//!
//! A check judges only what we wrote: what others break is not ours, our answer to it is. It judges against the true store;
//! in a run whose fault keeps news from the operator, [`sight`] says against what instead, and until when.

mod bookkeeping;
mod evidence;
mod given_up;
mod ownership;
mod pace_of_requests;
mod phases;
mod reaction;
mod requests;
mod rollbacks;
mod scalers;
pub mod sight;
mod traffic;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use modelward::sim::cluster::{Cluster, Commit};
use modelward::sim::routes::access::RequestRecord;

use self::sight::{Delivered, Sight};

/// Whom the watchdog takes for the operator.
pub const OPERATOR: &str = "system:serviceaccount:modelward:modelward";

/// Namespace and name.
type Place = (String, String);

/// Collects violations while a scenario plays.
#[derive(Default)]
pub struct Watchdog {
    /// Each with the number of its invariant.
    pub violations: Vec<String>,
    /// Weight of each revision after the last commit, and since when it is that. By namespace and revision.
    weights: BTreeMap<Place, (i32, Timestamp)>,
    /// Revisions that had a ready pod.
    worked: BTreeSet<Place>,
    /// Since when a revision with weight has no ready pod although another one has.
    bare_since: BTreeMap<Place, Timestamp>,
    /// Times of our writes by object, of the last 10 s.
    writes: BTreeMap<(String, String, String), Vec<Timestamp>>,
    /// When the wanted number of pods of a deployment changed last.
    resized: BTreeMap<Place, Timestamp>,
    /// What each name that we gave stood for, by kind, namespace and name.
    named: BTreeMap<(String, String, String), String>,
    /// Deployments that are gone, by uid, and when they went.
    deleted: BTreeMap<String, Timestamp>,
    /// Candidates that were given up, by namespace and revision.
    given_up: BTreeMap<Place, String>,
    /// What the request that was just heard applied to without naming it; the commit that it made comes next.
    unbound: Option<Place>,
    /// Deployments whose spec waits for the operator's answer, and since when; `None` while no operator runs.
    unanswered: Option<BTreeMap<Place, Timestamp>>,
    /// Requests in a second that the operator was allowed, if it was limited.
    pub requests_per_second: Option<u32>,
    /// Times of its requests of the last 10 s.
    requests: VecDeque<Timestamp>,
    /// Times of its refused writes of the last 10 s, by object.
    refused: BTreeMap<(String, String, String), Vec<Timestamp>>,
    /// What the operator was not told, in a run whose fault keeps news from it.
    pub delivered: Option<Delivered>,
    /// Nobody has to answer before: the fault that was planted is in the way.
    excused_until: Option<Timestamp>,
}

/// One thing to check.
type Check = fn(&mut Watchdog, &Commit, &dyn Sight) -> Option<String>;

/// What is judged by the pods, weights and sizes that the operator can know, while a fault keeps news from it.
const BY_WHAT_WAS_DELIVERED: [&str; 7] = ["I02", "I03", "I04", "I05", "I06", "I07", "I33"];

/// What is checked after every commit, by number. `R40`: what was given up is not tried again by itself.
const CHECKS: [(&str, Check); 35] = [
    ("I01", traffic::weights_sum_to_100),
    ("I02", traffic::weight_only_to_ready_pods),
    ("I03", traffic::weight_is_covered_by_ready_pods),
    ("I04", traffic::ready_capacity_is_kept),
    ("I05", traffic::pods_within_surge),
    ("I06", traffic::scaled_to_zero_only_after_drain),
    ("I07", traffic::stable_gives_way_last),
    ("I09", evidence::advance_is_about_the_same_revision),
    ("I10", evidence::evidence_stays_with_its_definition),
    ("I11", evidence::advance_has_its_samples),
    ("I11", evidence::rollback_has_its_evidence),
    ("I11", evidence::verdicts_can_be_computed_again),
    ("I13", rollbacks::one_end),
    ("I13", rollbacks::target_served),
    ("I13", rollbacks::what_is_left_gets_no_more),
    ("I14", ownership::one_living_owner),
    ("I15", ownership::only_its_own_namespace_and_children),
    ("I16", ownership::names_fit),
    ("I17", bookkeeping::generation_never_goes_back),
    ("I18", phases::phases_follow_the_graph),
    ("I19", bookkeeping::transition_times_tell_the_truth),
    ("I20", bookkeeping::decisions_count_up),
    ("I21", ownership::spec_is_never_written),
    ("I22", bookkeeping::writes_change_something),
    ("I23", requests::applied_to_what_was_not_seen),
    ("I26", bookkeeping::write_rate_is_bounded),
    ("I28", bookkeeping::status_is_bounded),
    ("I31", reaction::answer_comes_at_once),
    ("I33", scalers::numbers_have_one_writer),
    ("I33", scalers::bounds_are_the_users),
    ("I33", scalers::floors_hold_during_a_release),
    ("I33", scalers::scalers_stay_with_what_serves),
    ("I34", ownership::no_finalizers),
    ("I35", ownership::pod_template_never_changes),
    ("R40", given_up::weight_never_goes_back),
];

impl Watchdog {
    /// Checks one commit against the cluster after it.
    pub fn see(&mut self, commit: &Commit, cluster: &Cluster) {
        let mut delivered = self.delivered.take();
        if let Some(delivered) = &mut delivered {
            delivered.see(commit);
        }
        for (number, check) in CHECKS {
            if let Some(words) = self.judge(number, check, delivered.as_ref(), commit, cluster) {
                let what = format!("{} {}/{}", commit.resource, commit.namespace, commit.name);
                self.violations.push(format!("{number} at {} by {} on {what}: {words}", commit.at, commit.who.user));
            }
        }
        self.delivered = delivered;
        traffic::remember(self, commit, cluster);
        ownership::remember(self, commit);
        given_up::remember(self, commit);
    }

    /// One check, by what the operator could know.
    fn judge(&mut self, number: &str, check: Check, delivered: Option<&Delivered>, commit: &Commit, cluster: &Cluster) -> Option<String> {
        let by_view = |delivered: &&Delivered| delivered.is_behind(commit.at) && BY_WHAT_WAS_DELIVERED.contains(&number);
        let Some(delivered) = delivered.filter(by_view) else { return check(self, commit, cluster) };
        let words = check(self, commit, &delivered.view(cluster, commit.at))?;
        if delivered.has_just_caught_up(commit.at) { check(self, commit, cluster) } else { Some(words) }
    }

    /// Checks one answered request.
    pub fn hear(&mut self, record: &RequestRecord) {
        if record.who.user != OPERATOR {
            return;
        }
        // Nobody can know that a write changes nothing, or what it was decided on, of an object that was never shown.
        let known = self.delivered.as_ref().is_none_or(|delivered| requests::is_known(record, delivered));
        self.unbound = requests::unbound(record).filter(|_| known);
        let checks = [
            ("I22", requests::write_changes_something(record).filter(|_| known)),
            ("I23", requests::write_says_what_it_was_decided_on(record)),
            ("I26", pace_of_requests::within_the_limit(self, record)),
            ("I26", pace_of_requests::retries_are_spaced(self, record)),
        ];
        for (number, words) in checks {
            if let Some(words) = words {
                let info = &record.info;
                self.violations.push(format!("{number} at {}: {} {}: {words}", record.at, info.verb, info.path));
            }
        }
    }

    /// An operator process runs from now on.
    pub fn operator_started(&mut self) {
        self.unanswered = Some(BTreeMap::new());
    }

    /// No operator process runs: nobody can be late.
    pub fn operator_stopped(&mut self) {
        self.unanswered = None;
    }

    /// A fault was planted that keeps the operator from answering until then.
    pub fn excuse(&mut self, until: Timestamp) {
        self.excused_until = self.excused_until.max(Some(until));
    }

    /// Checks what only the end of a scenario shows.
    pub fn end(&mut self, cluster: &Cluster) {
        let orphans = ownership::orphans(self, cluster).into_iter().map(|words| format!("I14 at the end: {words}"));
        let late = reaction::late(self, cluster.now()).into_iter().map(|words| format!("I31 at the end: {words}"));
        let found: Vec<String> = orphans.chain(late).collect();
        self.violations.extend(found);
    }
}

/// The commit is a write of ours.
fn ours(commit: &Commit) -> bool {
    commit.who.user == OPERATOR
}
