//! How far a Rollback has come. Pure: takes it and what is seen of its deployment, gives its status.
//!
//! ```text
//! (none) ──► InProgress ──► Completed
//!    │            └───────► Failed
//!    └──► NotNeeded, Failed
//! ```

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::conditions::{self, reason};
use crate::api::model_deployment::ModelDeploymentStatus;
use crate::api::rollback::{RevisionReference, Rollback, RollbackPhase, RollbackStatus, Trigger};
use crate::controllers::conditions::{Wanted, merge};
use crate::controllers::model_deployment::observe::Observed;
use crate::controllers::model_deployment::validate::gate_failures;
use crate::controllers::model_deployment::{decide, memory};
use crate::domain::revision::RevisionName;
use crate::domain::rollback::{Resolution, Wish, resolve};
use crate::resources;

/// Time that traffic may take on top of getting pods ready, which may happen twice: a candidate may have to leave first.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// How long the record of a decision may be there before the decision is.
const RECORD_WAIT: SignedDuration = SignedDuration::from_mins(2);

/// Longest evidence that is taken over, in bytes: we write less.
const EVIDENCE_MAX: usize = 16 << 10;

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The status as it should be.
    pub status: RollbackStatus,
    /// When to look again at the latest.
    pub look_at: Option<Timestamp>,
}

/// Judges a Rollback that is not over.
pub fn judge(rollback: &Rollback, generation: i64, observed: Option<&Observed>, now: Timestamp) -> Judged {
    let before = rollback.status.clone().unwrap_or_default();
    let going = before.phase == Some(RollbackPhase::InProgress);
    let pass = Pass { rollback, before, generation, now };
    let named = || rollback.spec.deployment.as_str();
    let Some(observed) = observed else {
        return pass.end(RollbackPhase::Failed, reason::IMPOSSIBLE, format!("there is no ModelDeployment {} in this namespace", named()));
    };
    if rollback.spec.deployment_uid.as_ref().is_some_and(|uid| *uid != observed.owner.uid) {
        let words = format!("ModelDeployment {} is not the one that is meant: it was deleted and made again", named());
        return pass.end(RollbackPhase::NotNeeded, reason::NOT_NEEDED, words);
    }
    match (going, rollback.spec.trigger) {
        (true, _) => pass.follow(observed),
        (false, Trigger::Automatic) => pass.record(observed),
        (false, Trigger::Manual) => pass.begin(observed),
    }
}

struct Pass<'a> {
    rollback: &'a Rollback,
    before: RollbackStatus,
    generation: i64,
    now: Timestamp,
}

impl Pass<'_> {
    /// Resolves what a person asks for; says so before anything moves.
    fn begin(self, observed: &Observed) -> Judged {
        let spec = &self.rollback.spec;
        let Some(record) = memory::from_status(observed.deployment.status.as_ref(), self.now) else {
            return self.end(
                RollbackPhase::Failed,
                reason::IMPOSSIBLE,
                format!("nothing of ModelDeployment {} was released yet", spec.deployment),
            );
        };
        let wish = Wish {
            to_version: spec.to_version.clone(),
            to_revision: spec.to_revision.as_deref().map(RevisionName::new),
            from: spec.from.as_deref().map(RevisionName::new),
        };
        match resolve(&wish, &record, &decide::revisions(observed)) {
            Resolution::NotNeeded(words) => self.end(RollbackPhase::NotNeeded, reason::NOT_NEEDED, words),
            Resolution::Impossible(words) => self.end(RollbackPhase::Failed, reason::IMPOSSIBLE, words),
            Resolution::Go { from, to } => match forbidden(observed, &to) {
                Some(words) => self.end(RollbackPhase::Failed, reason::GATE_FAILED, words),
                None => {
                    let weight = record.settled.split.weight_of(&from);
                    self.go(observed, &from, &to, weight)
                }
            },
        }
    }

    /// What the operator did by itself is recorded, if it did it.
    fn record(self, observed: &Observed) -> Judged {
        let status = observed.deployment.status.as_ref();
        let given = status.and_then(|status| status.serving_override.as_ref());
        let expected = given.map(|given| resources::rollback::name(&observed.owner, &given.left, given.decision));
        let (Some(given), true) = (given, expected.is_some() && expected == self.rollback.metadata.name) else {
            // It is made just before the status that it records.
            let made = self.rollback.metadata.creation_timestamp.as_ref().map_or(self.now, |time| time.0);
            if self.now < made + RECORD_WAIT {
                return self.status(
                    RollbackPhase::Pending,
                    reason::PENDING,
                    "waiting for the decision that it records".to_owned(),
                    Some(made + RECORD_WAIT),
                );
            }
            let words = "automatic rollbacks are records of the operator: this one records nothing that it did";
            return self.end(RollbackPhase::NotNeeded, reason::NOT_NEEDED, words.to_owned());
        };
        let weights = status.map_or(&[][..], |status| &status.current_weights);
        let had = weights.iter().find(|share| share.revision == given.left).map_or(0, |share| share.weight);
        let (from, to) = (RevisionName::new(given.left.as_str()), RevisionName::new(given.revision.as_str()));
        self.go(observed, &from, &to, had)
    }

    fn go(self, observed: &Observed, from: &RevisionName, to: &RevisionName, weight: i32) -> Judged {
        let reference = |name: &RevisionName| RevisionReference { revision: name.to_string(), version: version(observed, name) };
        let evidence = self.rollback.metadata.annotations.as_ref().and_then(|annotations| annotations.get(resources::rollback::EVIDENCE));
        let ours = |text: &&String| self.rollback.spec.trigger == Trigger::Automatic && text.len() <= EVIDENCE_MAX;
        let trusted = evidence.filter(ours);
        let started = match self.rollback.spec.trigger {
            Trigger::Automatic => {
                observed.deployment.status.as_ref().and_then(|status| Some(status.serving_override.as_ref()?.since.clone()))
            }
            Trigger::Manual => None,
        };
        let words = format!("goes back from {} to {}", reference(from).version, reference(to).version);
        let begun = RollbackStatus {
            from: Some(reference(from)),
            to: Some(reference(to)),
            traffic_redirected: Some(weight),
            evidence: trusted.and_then(|text| serde_json::from_str(text).ok()),
            started_at: Some(started.unwrap_or(Time(whole_seconds(self.now)))),
            ..self.before.clone()
        };
        let pass = Self { before: begun, ..self };
        pass.status(RollbackPhase::InProgress, reason::IN_PROGRESS, words, None)
    }

    /// What came of it so far.
    fn follow(self, observed: &Observed) -> Judged {
        let (Some(from), Some(to)) = (self.before.from.clone(), self.before.to.clone()) else {
            return self.end(
                RollbackPhase::Failed,
                reason::IMPOSSIBLE,
                "its status was changed by others: it says no revisions".to_owned(),
            );
        };
        let status = observed.deployment.status.clone().unwrap_or_default();
        if arrived(&status, &from.revision, &to.revision) {
            return self.end(RollbackPhase::Completed, reason::COMPLETED, format!("version {} has all of the traffic", to.version));
        }
        if let Some(words) = self.overtaken(observed, &status) {
            return self.end(RollbackPhase::Failed, reason::OVERTAKEN, words);
        }
        let deadline = SignedDuration::try_from(observed.deployment.spec.progress_deadline().as_std()).unwrap_or(SignedDuration::MAX);
        let due = self.before.started_at.as_ref().map_or(self.now, |time| time.0) + deadline.saturating_mul(2).saturating_add(MARGIN);
        if self.now >= due {
            let waits = status.next_action.map_or(String::new(), |next| format!(": {}", next.reason));
            let words = format!("not done within its time; the deployment goes on trying{waits}");
            return self.end(RollbackPhase::Failed, reason::DEADLINE_EXCEEDED, words);
        }
        let words = self.before.message.clone().unwrap_or_default();
        self.status(RollbackPhase::InProgress, reason::IN_PROGRESS, words, Some(due))
    }

    /// Why this one is no longer followed by the deployment, if it is not.
    fn overtaken(&self, observed: &Observed, status: &ModelDeploymentStatus) -> Option<String> {
        let metadata = &self.rollback.metadata;
        let newer = observed.rollbacks.iter().find(|other| other.is_going() && other.asked() > self.rollback.asked());
        if let Some(newer) = newer {
            return Some(format!("Rollback {} was asked for later", newer.metadata.name.as_deref().unwrap_or_default()));
        }
        let ours = match (self.rollback.spec.trigger, &status.serving_override) {
            (_, None) => false,
            (Trigger::Manual, Some(given)) => given.by.strip_prefix("rollback/") == metadata.name.as_deref(),
            (Trigger::Automatic, Some(given)) => {
                Some(resources::rollback::name(&observed.owner, &given.left, given.decision)) == metadata.name
            }
        };
        let obeyed = self.rollback.spec.trigger == Trigger::Automatic || (metadata.uid.is_some() && status.last_rollback == metadata.uid);
        let by = status
            .serving_override
            .as_ref()
            .map_or("the spec asks for something else".to_owned(), |given| format!("{} decided: {}", given.by, given.reason));
        (obeyed && !ours).then(|| format!("another decision came in between: {by}"))
    }

    fn end(self, phase: RollbackPhase, code: &'static str, message: String) -> Judged {
        let ended = Some(Time(whole_seconds(self.now)));
        let judged = self.status(phase, code, message, None);
        Judged { status: RollbackStatus { completed_at: ended, ..judged.status }, look_at: None }
    }

    fn status(self, phase: RollbackPhase, code: &'static str, message: String, look_at: Option<Timestamp>) -> Judged {
        let message: String = message.chars().take(1000).collect();
        let done = matches!(phase, RollbackPhase::Completed | RollbackPhase::NotNeeded);
        let failed = phase == RollbackPhase::Failed;
        let wanted = vec![
            Wanted::new(conditions::READY, done, code, &message),
            Wanted::new(conditions::RECONCILING, !done && !failed, if done || failed { reason::DONE } else { code }, ""),
            Wanted::new(conditions::STALLED, failed, if failed { code } else { reason::NOT_STALLED }, if failed { &message } else { "" }),
        ];
        let conditions = merge(&self.before.conditions, wanted, self.generation, self.now);
        let status = RollbackStatus {
            phase: Some(phase),
            observed_generation: Some(self.generation),
            conditions,
            message: Some(message),
            ..self.before
        };
        Judged { status, look_at }
    }
}

/// Status keeps whole seconds.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// The revision to go back to has everything, and the one that was left is out.
fn arrived(status: &ModelDeploymentStatus, from: &str, to: &str) -> bool {
    let stable = status.stable.as_ref().is_some_and(|stable| stable.revision == to);
    let out = status.candidate.as_ref().is_none_or(|candidate| candidate.revision != from && candidate.revision != to);
    let without_weight = status.current_weights.iter().all(|share| share.revision != from || share.weight == 0);
    stable && out && without_weight
}

fn version(observed: &Observed, name: &RevisionName) -> String {
    let recorded = observed.revisions.get(name).and_then(|seen| seen.record.as_ref());
    recorded.map_or_else(|| name.to_string(), |(_, recorded)| recorded.input.version.clone())
}

/// Why the version of `to` may no longer run, by its Model. A Model that is gone forbids nothing: what served is recorded.
fn forbidden(observed: &Observed, to: &RevisionName) -> Option<String> {
    let (_, recorded) = observed.revisions.get(to)?.record.as_ref()?;
    let model =
        observed.model.as_ref()?.as_ref().ok().filter(|model| model.metadata.name.as_deref() == Some(recorded.input.model.as_str()))?;
    let entry = model.spec.version(&recorded.input.version)?;
    if entry.archived {
        return Some(format!("version {} is archived: name another one", entry.version));
    }
    let environment = &observed.deployment.spec.environment;
    let failures = gate_failures(model.spec.gate(environment), entry);
    let words = || format!("version {} may no longer go to {environment}: {}", entry.version, failures.join("; "));
    (!failures.is_empty()).then(words)
}
