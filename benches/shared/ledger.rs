//! What the operator asked and wrote, by deployment: requests by verb and resource, moves of weight with their times, and what
//! writes of status were for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::Timestamp;
use modelward::domain::record::Cause;
use modelward::sim::cluster::Commit;
use modelward::sim::routes::access::{Observer, RequestRecord};
use modelward::traffic::from_object;
use serde_json::Value;

use super::stage::{OPERATOR, now};

/// A ledger that observers share.
pub type SharedLedger = Arc<Mutex<Ledger>>;

/// Where weight went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// To the candidate.
    Forward,
    /// From it.
    Back,
}

/// A write of a route.
pub struct Moved {
    /// Virtual time of the write.
    pub at: Timestamp,
    /// Real time of the write.
    pub wall: Instant,
    /// When the hold before was over, by the status that the operator itself had written, and the last pod was ready.
    pub due: Option<Timestamp>,
}

/// From the last answer of the metric source to the write that gave traffic back.
pub struct Retreat {
    /// Requests of the operator about this deployment, the write among them.
    pub requests: u64,
    /// Virtual time.
    pub seconds: f64,
}

/// See the module.
#[derive(Default)]
pub struct Ledger {
    /// By verb and resource.
    pub requests: BTreeMap<String, u64>,
    /// Writes of status by what they were for.
    pub status: BTreeMap<&'static str, u64>,
    /// By the weight of the candidate afterwards.
    pub moves: BTreeMap<(Direction, i64), Vec<Moved>>,
    /// One for every move back.
    pub before_retreat: Vec<Retreat>,
    /// When each deployment's last answer came, and how many requests followed.
    answers: BTreeMap<String, (Timestamp, u64)>,
    /// Weight of each deployment's candidate.
    weights: BTreeMap<String, i64>,
    /// When the hold of each deployment's step is over, as its status said before it went on.
    holds: BTreeMap<String, Timestamp>,
    /// When a pod of each deployment was last found ready.
    ready: BTreeMap<String, Timestamp>,
}

/// The deployment that a name of one of its children begins with: `m` and five digits.
pub fn named(text: &str) -> Option<&str> {
    let name = text.get(..6)?;
    let digits = name.strip_prefix('m')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(name)
}

impl Ledger {
    /// Begins anew; what is known of weights stays.
    pub fn forget(&mut self) {
        let weights = std::mem::take(&mut self.weights);
        *self = Self { weights, ..Self::default() };
    }

    /// The metric source has answered about a deployment.
    pub fn answered(&mut self, deployment: &str, at: Timestamp) {
        self.answers.insert(deployment.to_owned(), (at, 0));
    }

    /// A commit.
    pub fn see(&mut self, commit: &Commit) {
        if commit.resource == "pods" {
            return self.pod(commit);
        }
        if commit.who.user != OPERATOR {
            return;
        }
        match commit.resource.as_str() {
            "httproutes.gateway.networking.k8s.io" => self.route(commit),
            "modeldeployments.modelward.dev" => {
                let purpose = purpose(commit.before.as_deref(), commit.after.as_deref());
                *self.status.entry(purpose).or_default() += 1;
                let until = commit.after.as_deref().and_then(|after| after.pointer("/status/step/holdUntil")?.as_str()?.parse().ok());
                self.holds.extend(until.map(|until| (commit.name.clone(), until)));
            }
            _ => {}
        }
    }

    fn pod(&mut self, commit: &Commit) {
        let ready = |pod: Option<&Value>| pod.is_some_and(is_ready);
        let (before, after) = (commit.before.as_deref(), commit.after.as_deref());
        if !ready(before)
            && ready(after)
            && let Some(deployment) = named(&commit.name)
        {
            self.ready.insert(deployment.to_owned(), commit.at);
        }
    }

    fn route(&mut self, commit: &Commit) {
        let Some(decision) = commit.after.as_deref().and_then(from_object) else { return };
        // What is last asked for has its full weight once it is stable and nobody is on its way.
        let candidate = match &decision.split.candidate {
            Some(share) => i64::from(share.weight),
            None if decision.stage_weight == 100 && decision.cause == Cause::Advance => 100,
            None => 0,
        };
        let before = self.weights.insert(commit.name.clone(), candidate).unwrap_or(0) % 100;
        if candidate == before {
            return;
        }
        let due = self.holds.remove(&commit.name).max(self.ready.remove(&commit.name));
        let direction = if candidate > before { Direction::Forward } else { Direction::Back };
        let moved = Moved { at: commit.at, wall: now(), due: due.filter(|_| direction == Direction::Forward) };
        self.moves.entry((direction, candidate)).or_default().push(moved);
        if direction == Direction::Back
            && let Some((answered, requests)) = self.answers.get(&commit.name)
        {
            let seconds = commit.at.duration_since(*answered).as_secs_f64();
            self.before_retreat.push(Retreat { requests: *requests, seconds });
        }
    }

    fn hear(&mut self, record: &RequestRecord) {
        let info = &record.info;
        if record.who.user != OPERATOR || ["list", "watch"].contains(&info.verb.as_str()) {
            return;
        }
        let slash = if info.subresource.is_empty() { "" } else { "/" };
        let refused = if record.code < 400 { String::new() } else { format!(" ({})", record.code) };
        let name = format!("{} {}{slash}{}{refused}", info.verb, info.resource, info.subresource);
        *self.requests.entry(name).or_default() += 1;
        if let Some((_, requests)) = named(&info.name).and_then(|deployment| self.answers.get_mut(deployment)) {
            *requests += 1;
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// What a write of status was for, by what it changed.
fn purpose(before: Option<&Value>, after: Option<&Value>) -> &'static str {
    let part = |object: Option<&Value>, field: &str| object.map(|object| object["status"][field].clone()).unwrap_or_default();
    let changed = |field: &str| part(before, field) != part(after, field);
    if changed("decision") {
        "the weight is in effect"
    } else if changed("intent") {
        "intent"
    } else if changed("stable") || changed("retiring") {
        "the release has begun or ended"
    } else if changed("analysis") {
        "a measurement"
    } else {
        "words: pods take longer than 10 s"
    }
}

/// Hears requests for a ledger.
pub struct Requests(pub SharedLedger);

impl Observer for Requests {
    fn answered(&mut self, record: &RequestRecord) {
        self.0.lock().unwrap().hear(record);
    }
}
