//! What to do next with a deployment: total and pure.
//!
//! Takes everything that was seen at one moment ([`Situation`]); gives a [`Plan`]. A raise of weight takes two passes: the
//! first only remembers the intent, the next acts on what it finds remembered. A way back acts at once. Waiting is a plan
//! with a reason, not an error. What metrics have to be asked for is
//! listed in the plan; the answers come in as values.

mod advance;
mod begin;
mod cleanup;
mod goal;
mod judge;
mod obey;
mod recall;
mod retreat;
mod scalers;
mod steady;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

use crate::domain::analysis::take_in::Answered;
use crate::domain::command::Command;
use crate::domain::record::{Decision, Override, Record};
use crate::domain::revision::{RevisionName, RevisionView, Revisions};
use crate::domain::rollback::Order;
use crate::domain::settings::Settings;
use crate::domain::size::surge_pods;

pub use judge::Due;
pub use scalers::Bounds;

/// What the spec asks to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This revision.
    Revision(RevisionName),
    /// It cannot be said, or must not be: why. What runs goes on.
    Unresolved(Reason),
}

/// A reason: a constant for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// CamelCase constant.
    pub code: &'static str,
    /// In words, with numbers.
    pub message: String,
}

impl Reason {
    /// A reason from its two parts.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Whether the traffic layer took the split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Taken, as last written.
    Accepted,
    /// Not said yet.
    Pending,
    /// Not taken: its words.
    Refused(String),
    /// There is nothing that could take it, in words: the kind of route is not installed.
    Missing(String),
}

/// The split as the cluster has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// The decision that the route or Service carries, if it can be read.
    pub decision: Option<Decision>,
    /// The live rules are what that decision says.
    pub intact: bool,
    /// Whether the traffic layer took it.
    pub acceptance: Acceptance,
}

/// Everything that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The moment.
    pub now: Timestamp,
    /// Generation of the spec.
    pub generation: i64,
    /// The validated spec.
    pub settings: &'a Settings,
    /// What it asks to serve.
    pub wanted: &'a Wanted,
    /// All revisions that have a record or children.
    pub revisions: &'a Revisions,
    /// The split on the cluster.
    pub live: &'a Live,
    /// What status remembers; `None`: a new object, or its status was lost.
    pub record: Option<&'a Record>,
    /// The command in the annotation.
    pub command: Option<&'a Command>,
    /// The Rollback that is to be carried out.
    pub rollback: Option<&'a Order>,
    /// What metrics said.
    pub answers: &'a [Answered],
    /// Up to which moment a metric was asked for, `answers` included, by its name.
    pub asked: &'a BTreeMap<String, Timestamp>,
}

impl Situation<'_> {
    /// The moment as it is remembered.
    fn stamp(&self) -> Timestamp {
        self.after(SignedDuration::ZERO)
    }

    /// The moment after `delay` as it is remembered. Status keeps whole seconds: rounded up, no wait is cut short, and what
    /// is read back is what was written.
    fn after(&self, delay: SignedDuration) -> Timestamp {
        let exact = self.now + delay;
        exact.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil)).unwrap_or(exact)
    }

    fn view(&self, revision: &RevisionName) -> RevisionView {
        self.revisions.get(revision).cloned().unwrap_or_default()
    }

    fn ready(&self, revision: &RevisionName) -> i32 {
        self.revisions.get(revision).map_or(0, |view| view.pods.ready)
    }

    /// Pods that the workload of `revision` asks for; 0 without one.
    fn replicas(&self, revision: &RevisionName) -> i32 {
        self.revisions.get(revision).and_then(|view| view.workload.as_ref()).map_or(0, |workload| workload.replicas)
    }

    /// The wanted number for `revision`, which grows only as far as the surge leaves room beside `others` pods. A surge that
    /// was made smaller takes nothing away.
    fn within_surge(&self, revision: &RevisionName, others: i32) -> i32 {
        let wanted = self.settings.replicas;
        let room = wanted.saturating_add(surge_pods(self.settings.max_surge, wanted)).saturating_sub(others);
        wanted.min(room.max(self.replicas(revision))).max(0)
    }

    /// It never had everything, and nothing of it works now: there is nothing to protect.
    fn never_worked(&self, revision: &RevisionName) -> bool {
        self.revisions.get(revision).is_none_or(|view| !view.served && view.pods.ready == 0)
    }
}

/// How things stand, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing can be done yet; the reason says why.
    Waiting,
    /// The only revision gets its pods.
    Deploying,
    /// What is asked for serves.
    Serving,
    /// A candidate gets its pods or its weight.
    Progressing,
    /// A candidate has its weight, and time or a person decides.
    Holding,
    /// No forward steps, by a person.
    Paused,
    /// A candidate was given up and leaves.
    RollingBack,
    /// Another revision than the spec's serves, by decision.
    RolledBack,
    /// Less works than must.
    Degraded,
}

/// What became of a revision, for its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It got everything.
    Served,
    /// It was given up.
    Failed(String),
    /// It had everything, and was given up afterwards.
    FailedInService(String),
    /// It is tried again.
    Retried,
}

/// Something worth an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// It needs somebody's attention.
    pub warning: bool,
    /// Reason and words.
    pub reason: Reason,
}

/// What to do, in this order: workloads, split, scalers, scale, remove, marks, record.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Revisions whose children must exist, with the pods that a new workload starts with.
    pub workloads: Vec<(RevisionName, i32)>,
    /// The decision that the route or Service must carry.
    pub split: Option<Decision>,
    /// Pods to ask for, of those that no scaler owns.
    pub scale: Vec<(RevisionName, i32)>,
    /// Scalers that have to be there, and their bounds; `None`: as they are. All others have to go.
    pub scalers: BTreeMap<RevisionName, Option<Bounds>>,
    /// Revisions whose children must go.
    pub remove: Vec<RevisionName>,
    /// What to write on the records of revisions.
    pub marks: Vec<(RevisionName, Mark)>,
    /// What to remember; `None` while there is nothing.
    pub record: Option<Record>,
    /// How things stand.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// When to look again at the latest, if nothing changes before.
    pub look_at: Option<Timestamp>,
    /// Events.
    pub notes: Vec<Note>,
    /// What to ask of metrics before the next decision.
    pub due: Option<Due>,
    /// The override that a Rollback has to record.
    pub announce: Option<Override>,
}

impl Plan {
    fn new(record: Option<Record>, state: State, reason: Reason) -> Self {
        Self {
            workloads: Vec::new(),
            split: None,
            scale: Vec::new(),
            scalers: BTreeMap::new(),
            remove: Vec::new(),
            marks: Vec::new(),
            record,
            state,
            reason,
            look_at: None,
            notes: Vec::new(),
            due: None,
            announce: None,
        }
    }

    fn note(mut self, warning: bool, reason: Reason) -> Self {
        self.notes.push(Note { warning, reason });
        self
    }

    fn look_at(mut self, at: Timestamp) -> Self {
        self.look_at = Some(self.look_at.map_or(at, |earlier| earlier.min(at)));
        self
    }

    /// Both sides may ask for the room that the other leaves: in the order of the plan, what does not fit waits for a pass
    /// that sees what the first one took.
    fn bounded(mut self, situation: &Situation<'_>) -> Self {
        let wanted = situation.settings.replicas;
        let all: i64 = situation.revisions.keys().map(|name| i64::from(situation.replicas(name))).sum();
        let most = i64::from(wanted) + i64::from(surge_pods(situation.settings.max_surge, wanted));
        let mut room = (most - all).max(0);
        let (scale, workloads) = (&mut self.scale, &mut self.workloads);
        let created = workloads.iter_mut().filter(|(name, _)| situation.revisions.get(name).is_none_or(|view| view.workload.is_none()));
        for (name, pods) in created.chain(scale.iter_mut()) {
            let now = situation.replicas(name);
            let growth = i64::from(*pods - now).clamp(0, room);
            room -= growth;
            *pods = (*pods).min(now.saturating_add(i32::try_from(growth).unwrap_or(i32::MAX)));
        }
        self.scale.retain(|(name, pods)| *pods != situation.replicas(name));
        self
    }

    /// Asks for `pods` of `revision`: by its workload's creation, or by scaling what is there.
    fn size(mut self, situation: &Situation<'_>, revision: &RevisionName, pods: i32) -> Self {
        match situation.revisions.get(revision).and_then(|view| view.workload.as_ref()) {
            Some(workload) if workload.terminating => {}
            Some(workload) => {
                self.workloads.push((revision.clone(), workload.replicas));
                if workload.replicas != pods {
                    self.scale.push((revision.clone(), pods));
                }
            }
            None => self.workloads.push((revision.clone(), pods)),
        }
        self
    }
}

/// What leads is what an override brings back: no person's pause keeps it, and no numbers judge it again.
fn goes_back(record: &Record) -> bool {
    let leads = record.candidate.as_ref().map_or(&record.stable, |candidate| &candidate.revision);
    record.overriding.as_ref().is_some_and(|overriding| overriding.revision == *leads)
}

/// Decides.
pub fn decide(situation: &Situation<'_>) -> Plan {
    let Some(remembered) = recall::record(situation) else {
        return scalers::owned(situation, steady::first_release(situation));
    };
    let (record, mut notes) = obey::command(situation, remembered);
    let record = obey::end_override(situation, record);
    let record = obey::rollback(situation, record, &mut notes);
    let record = judge::take_in(situation, record);
    let plan = match &record.candidate {
        None => retreat::after_promotion(situation, record),
        Some(candidate) => match retreat::cause(situation, &record, candidate) {
            Some(why) => retreat::plan(situation, record, why),
            None => advance::plan(situation, record),
        },
    };
    let mut plan = scalers::owned(situation, cleanup::leftovers(situation, plan).bounded(situation));
    notes.append(&mut plan.notes);
    retreat::announced(judge::ask(situation, Plan { notes, ..plan }))
}

/// The revision that should serve, overrides applied; `None` while the spec cannot be resolved.
fn target<'a>(situation: &'a Situation<'_>, record: &'a Record) -> Option<&'a RevisionName> {
    match (&record.overriding, situation.wanted) {
        (Some(overriding), _) => Some(&overriding.revision),
        (None, Wanted::Revision(revision)) => Some(revision),
        (None, Wanted::Unresolved(_)) => None,
    }
}

/// The decision that the cluster carries, as far as it can be believed.
fn standing<'a>(situation: &Situation<'_>, record: &'a Record) -> &'a Decision {
    if carried(situation, record) { &record.decision } else { &record.settled }
}

/// The weight that the candidate has on the cluster. A split of an earlier rollout, in which others took part, gives it none.
fn stands(situation: &Situation<'_>, record: &Record) -> i32 {
    record.candidate.as_ref().map_or(0, |candidate| standing(situation, record).split.weight_of(&candidate.revision))
}

/// The cluster carries the newest decision, unchanged by others.
fn carried(situation: &Situation<'_>, record: &Record) -> bool {
    let is_newest = |live: &Decision| live.number == record.decision.number && live.split == record.decision.split;
    situation.live.intact && situation.live.decision.as_ref().is_some_and(is_newest)
}
