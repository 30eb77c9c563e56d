//! What is remembered between two passes, and the decision that the route itself carries.
//!
//! The record lives in status; the decision also on the route (or Service), written in the same request as the weights it
//! explains. Together they survive an interruption between any two writes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::analysis::progress::Progress;
use crate::domain::analysis::verdict::Grounds;
use crate::domain::revision::RevisionName;
use crate::domain::split::Split;

/// Why a split was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Forward: the first release, a step, a promotion, or the way back from `NotReady`.
    Advance,
    /// A side has no ready pods, or did not get ready in time.
    NotReady,
    /// A person's `abort`.
    Abort,
    /// Its metrics failed, or somebody asked for an earlier revision.
    Rollback,
    /// The spec asks for something else.
    Superseded,
}

/// One decision about the split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Counts up by one; the greater is the newer.
    pub number: i64,
    /// Generation of the spec that it was made for.
    pub generation: i64,
    /// Who gets how much.
    pub split: Split,
    /// Weight of the stage that the rollout is in, percent; 0 is a preview, 100 the last.
    pub stage_weight: i32,
    /// Why.
    pub cause: Cause,
    /// Why, in words.
    pub reason: String,
    /// Nonce of the last command acknowledged by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The override in force.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub overriding: Option<Override>,
}

impl Decision {
    /// Besides its weight, pinned requests and copies of requests may reach the candidate: it is on its way forward, onto pods
    /// that were ready, and does not have everything.
    pub fn opens_candidate(&self) -> bool {
        self.cause == Cause::Advance && self.split.candidate.as_ref().is_some_and(|share| share.weight < 100)
    }

    /// The way back that this decision is for good: by all causes but `Advance`, and by `NotReady` only with the override that
    /// says so. `None` for a decision that the rollout outlives.
    pub fn way_back(&self) -> Option<Retreat> {
        let for_good = match self.cause {
            Cause::Advance => false,
            Cause::NotReady => self.overriding.is_some(),
            Cause::Abort | Cause::Rollback | Cause::Superseded => true,
        };
        let grounds = self.overriding.as_ref().and_then(|overriding| overriding.grounds.clone());
        for_good.then(|| Retreat { cause: self.cause, reason: self.reason.clone(), grounds })
    }
}

/// Another revision than the spec's must serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// The revision to serve.
    pub revision: RevisionName,
    /// The spec's revision that it stands against; it ends when the spec asks for another.
    pub against: RevisionName,
    /// Who decided: `abort`, `progressDeadline`, `analysis`, or `rollback/` and the name of a Rollback.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// Why, in words.
    pub reason: String,
    /// What it rests on, if metrics decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounds: Option<Grounds>,
    /// The revision that was left for it; empty if an older version of the operator decided.
    #[serde(default)]
    pub left: RevisionName,
    /// Number of the decision that it came with.
    #[serde(default)]
    pub number: i64,
    /// There is a Rollback that records it, or none is needed.
    #[serde(default)]
    pub recorded: bool,
}

/// A rollout's way back.
#[derive(Clone, Debug, PartialEq)]
pub struct Retreat {
    /// Why.
    pub cause: Cause,
    /// Why, in words.
    pub reason: String,
    /// What it rests on, if metrics decided.
    pub grounds: Option<Grounds>,
}

/// The revision that is on its way to take over.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Which.
    pub revision: RevisionName,
    /// Weight of the stage it is in, percent; 0 is a preview, 100 the last.
    pub stage_weight: i32,
    /// Pods that the present decision asks for.
    pub pods: i32,
    /// When the rollout began.
    pub begun: Timestamp,
    /// Since when pods are waited for: the clock of the progress deadline.
    pub waiting_since: Timestamp,
    /// Waiting was interrupted by a lack of room; the clock starts anew when there is some.
    pub blocked: bool,
    /// When the present decision's weight is in effect; `None`: not yet seen accepted.
    pub reached: Option<Timestamp>,
    /// A person ended the hold of this stage.
    pub hold_ended: bool,
    /// It was given up and is on its way out.
    pub retreat: Option<Retreat>,
}

/// What became of the last command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The command's nonce.
    pub nonce: String,
    /// The verb as the user wrote it.
    pub verb: String,
    /// It was carried out (`false`: refused).
    pub done: bool,
    /// What it did, or why it was refused.
    pub message: String,
}

/// A revision's time in full service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Which.
    pub revision: RevisionName,
    /// Version of the model.
    pub version: String,
    /// When it got everything.
    pub since: Timestamp,
}

/// Characters kept of a decision's reason: with an override's it has to fit into the annotation.
pub const REASON_MAX: usize = 256;
/// Longest name that an object can have, in bytes.
const NAME_MAX: usize = 63;
/// Greatest number of a decision that is believed: others count on from it.
const NUMBER_MAX: i64 = i64::MAX / 2;

impl Decision {
    /// It is one that we could have written. Anybody who may write the route may write the annotation, and what is read
    /// from there must neither overflow a counter nor be longer than status takes.
    pub fn is_sound(&self) -> bool {
        let named = |name: &RevisionName| (1..=NAME_MAX).contains(&name.as_str().len());
        let short = |text: &str| text.chars().count() <= REASON_MAX;
        let candidate = self.split.candidate.as_ref();
        let overriding = self.overriding.as_ref();
        (1..=NUMBER_MAX).contains(&self.number)
            && (0..=100).contains(&self.stage_weight)
            && candidate
                .is_none_or(|share| named(&share.revision) && (0..=100).contains(&share.weight) && share.revision != self.split.stable)
            && named(&self.split.stable)
            && short(&self.reason)
            && self.nonce.as_ref().is_none_or(|nonce| nonce.chars().count() <= NAME_MAX)
            && overriding.is_none_or(|given| {
                named(&given.revision)
                    && named(&given.against)
                    && given.left.as_str().len() <= NAME_MAX
                    && (0..=NUMBER_MAX).contains(&given.number)
                    && given.grounds.as_ref().is_none_or(Grounds::is_sound)
                    && short(&given.by)
                    && short(&given.reason)
            })
    }
}

/// Entries kept in [`Record::history`].
pub const HISTORY_MAX: usize = 10;

/// Everything that is remembered of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The newest decision. On the cluster already, or wanted there as soon as it is safe.
    pub decision: Decision,
    /// The last decision that was seen in effect, or that took effect by being a way back.
    pub settled: Decision,
    /// The revision that can take everything.
    pub stable: RevisionName,
    /// The revision on its way.
    pub candidate: Option<Candidate>,
    /// Since when no other revision than these two has weight.
    pub zero_since: Option<Timestamp>,
    /// The override in force.
    pub overriding: Option<Override>,
    /// Paused by command.
    pub paused: bool,
    /// Pods were last asked to restart.
    pub restarted_at: Option<Timestamp>,
    /// The last command.
    pub command: Option<Acknowledged>,
    /// Revisions that served, newest first.
    pub history: Vec<Served>,
    /// Since when the present state holds.
    pub since: Timestamp,
    /// Uid of the last Rollback that was carried out.
    pub rollback: Option<String>,
    /// The analysis of the revision that is, or last was, judged.
    pub analysis: Option<Progress>,
    /// Pods that the sizes of the present rollout are computed from, while a scaler decides.
    pub replicas: Option<i32>,
}

impl Record {
    /// The record of a first release: everything to the only revision.
    pub fn first(revision: RevisionName, generation: i64, nonce: Option<String>, now: Timestamp) -> Self {
        let decision = Decision {
            number: 1,
            generation,
            split: Split::all(revision.clone()),
            stage_weight: 100,
            cause: Cause::Advance,
            reason: "first release".to_owned(),
            nonce,
            overriding: None,
        };
        Self {
            settled: decision.clone(),
            decision,
            stable: revision,
            candidate: None,
            zero_since: None,
            overriding: None,
            paused: false,
            restarted_at: None,
            command: None,
            history: Vec::new(),
            since: now,
            rollback: None,
            analysis: None,
            replicas: None,
        }
    }

    /// A newer decision is waiting to be put on the cluster.
    pub fn pending(&self) -> bool {
        self.decision.number > self.settled.number
    }

    /// The weight that the candidate was last seen to have, percent; 0 without one.
    pub fn settled_weight(&self) -> i32 {
        self.candidate.as_ref().map_or(0, |candidate| self.settled.split.weight_of(&candidate.revision))
    }

    /// The next decision, built on this record's number, nonce and override.
    pub fn next_decision(&self, generation: i64, split: Split, cause: Cause, reason: impl Into<String>) -> Decision {
        Decision {
            number: self.decision.number + 1,
            generation,
            split,
            stage_weight: self.candidate.as_ref().map_or(100, |candidate| candidate.stage_weight),
            cause,
            reason: reason.into().chars().take(REASON_MAX).collect(),
            nonce: self.command.as_ref().map(|command| command.nonce.clone()),
            overriding: self.overriding.clone(),
        }
    }

    /// Notes that `revision` got everything.
    pub fn note_served(&mut self, revision: &RevisionName, version: &str, now: Timestamp) {
        if self.history.first().is_some_and(|newest| newest.revision == *revision) {
            return;
        }
        self.history.insert(0, Served { revision: revision.clone(), version: version.to_owned(), since: now });
        self.history.truncate(HISTORY_MAX);
    }
}
