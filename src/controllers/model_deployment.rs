//! The controller of ModelDeployments. One pass: observe → validate → decide → apply → status.
//!
//! `observe` reads caches, `apply` and the status write touch the cluster; the rest is pure.

pub mod apply;
pub mod ask;
mod beforehand;
pub mod decide;
pub mod memory;
pub mod observe;
mod routes;
mod scalers;
pub mod scaling;
pub mod status;
pub mod validate;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::api::conditions::reason;
use crate::controllers::inquiries::{Answers, Askings, Inquiries};
use crate::controllers::model_deployment::apply::Hands;
use crate::controllers::model_deployment::beforehand::Beforehand;
use crate::controllers::model_deployment::decide::{Numbers, Target};
use crate::controllers::model_deployment::observe::{Caches, Observed};
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::analysis::profile::Profiles;
use crate::domain::beforehand::probe::{self, Occasion, Probed, Tries};
use crate::domain::rollout::{Plan, Reason, State};
use crate::kube_io::events::{Notice, Recorder, Regarding, Severity};
use crate::kube_io::{Target as Object, WriteError, Writer};
use crate::runtime::clock::Clock;
use crate::runtime::driver::{Next, ReconcileError, Reconciler};
use crate::runtime::key::ObjectKey;

/// When the pods of a new revision are tried again after the API server could not say.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// See the module.
pub struct ModelDeployments {
    /// What is watched.
    pub caches: Arc<Caches>,
    /// The only way to write.
    pub writer: Writer,
    /// Tells people.
    pub recorder: Recorder,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Asks metrics.
    pub inquiries: Inquiries,
    /// How built-in metrics are measured.
    pub profiles: Arc<Profiles>,
    memory: Mutex<BTreeMap<ObjectKey, Remembered>>,
}

/// What is worth knowing of an object as long as the process lives; losing it costs a request or two.
#[derive(Clone, Default)]
struct Remembered {
    /// The new revision whose pods were tried last, and what the API server said.
    tried: Option<(String, Result<(), String>)>,
    /// The new revision of whose pods the API server wants to be asked later, its words, and when.
    untold: Option<(String, String, Timestamp)>,
    /// Since when only numbers and words of the status differ from what is written.
    differs_since: Option<Timestamp>,
    /// When metrics of the stable revision were asked for.
    probed: Tries,
}

impl Reconciler for ModelDeployments {
    const KIND: &'static str = "ModelDeployment";

    async fn reconcile(&self, key: ObjectKey) -> Result<Next, ReconcileError> {
        let Some(observed) = observe::observe(&self.caches, &key, self.clock.now()) else {
            self.forget(&key);
            self.inquiries.forget(&key);
            return Ok(Next::AwaitChange);
        };
        let model = observed.model.as_ref().and_then(|model| model.as_deref().ok());
        let valid = validate::validate(&observed.deployment.spec, model, &self.profiles);
        let remembered = memory::from_status(observed.deployment.status.as_ref(), observed.now);
        let valid = scaling::sized(valid, &observed, remembered.as_ref());
        let target = self.target(&observed, &valid).await;
        let Answers { windows: answers, probes, occasion } = self.inquiries.take(&key);
        let asked = ask::asked(self.inquiries.asked(&key), valid.settings.analysis.as_ref(), &answers);
        let numbers = Numbers { answers, asked };
        let mut plan = decide::decide(&observed, &valid, &target, &numbers, remembered.as_ref());
        let windows = ask::askings(&observed, valid.settings.analysis.as_ref(), plan.due.as_ref());
        let tries = self.probed(&key, occasion.as_ref(), &probes, observed.now);
        let beforehand = beforehand::look(&observed, &valid, &plan, &tries, &probes);
        let hands = Hands { writer: &self.writer, observed: &observed, valid: &valid, target: target.as_ref().ok() };
        match hands.carry_out(&plan).await {
            Ok(()) => {
                let retry = self.announce(&hands, &mut plan).await.or(retry_at(&target, observed.now));
                let retry = [retry, beforehand.next].into_iter().flatten().min();
                let next = self.report(&observed, &valid, &plan, &beforehand, retry).await?;
                self.inquiries.settle(&key, numbers.asked);
                self.inquiries.remind(&key, beforehand.again);
                let Beforehand { askings: probes, occasion, .. } = beforehand;
                self.inquiries.ask(&key, Askings { windows, probes, occasion });
                Ok(next)
            }
            Err(error) => self.report_refusal(&observed, &valid, plan, &beforehand, error).await,
        }
    }
}

impl ModelDeployments {
    /// A controller that reads `caches` and writes through `writer`.
    pub fn new(
        caches: Arc<Caches>,
        writer: Writer,
        recorder: Recorder,
        clock: Arc<dyn Clock>,
        inquiries: Inquiries,
        profiles: Arc<Profiles>,
    ) -> Self {
        Self { caches, writer, recorder, clock, inquiries, profiles, memory: Mutex::default() }
    }

    fn remembered(&self, key: &ObjectKey) -> Remembered {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }

    fn remember(&self, key: &ObjectKey, change: impl FnOnce(&mut Remembered)) {
        change(self.memory.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default());
    }

    fn forget(&self, key: &ObjectKey) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// When metrics of the stable revision were asked for, those answers included.
    fn probed(&self, key: &ObjectKey, occasion: Option<&Occasion>, answers: &[Probed], now: Timestamp) -> Tries {
        let before = self.remembered(key).probed;
        let Some(occasion) = occasion.filter(|_| !answers.is_empty()) else { return before };
        let tries = probe::tried(before, occasion, answers, now);
        self.remember(key, |memory| memory.probed.clone_from(&tries));
        tries
    }

    /// Records a way back that the operator took by itself. That it cannot be recorded keeps nothing else; returns when to try again.
    async fn announce(&self, hands: &Hands<'_>, plan: &mut Plan) -> Option<Timestamp> {
        let overriding = plan.announce.take()?;
        let error = hands.announce(&overriding).await.err()?;
        tracing::warn!(%error, deployment = %hands.observed.entry.key, "a rollback could not be recorded");
        if let Some(overriding) = plan.record.as_mut().and_then(|record| record.overriding.as_mut()) {
            overriding.recorded = false;
        }
        Some(self.clock.now() + RETRY_AFTER)
    }

    /// The revision that the spec asks for. The pods of a new one are shown to the API server before anything moves; of a
    /// first release there is nothing that could move, and its create is the check.
    async fn target(&self, observed: &Observed, valid: &Valid) -> Result<Target, Reason> {
        if let Some(Err(why)) = &observed.model {
            let words = format!("Model {} cannot be read: {why}", observed.deployment.spec.model);
            return Err(Reason::new(reason::MODEL_NOT_FOUND, words));
        }
        let input = valid.input.as_ref().map_err(Clone::clone)?;
        if let Some(changed) = decide::changed(observed, input) {
            return Err(changed);
        }
        let target = decide::target(observed, input);
        let first = observed.deployment.status.as_ref().is_none_or(|status| status.decision.is_none());
        if !target.new || first {
            return Ok(target);
        }
        self.try_pods(observed, &target).await.map(|()| target)
    }

    /// That the question cannot be answered now must not keep the pass from what is safe: what runs is looked after, and a
    /// candidate on its way back goes on.
    async fn try_pods(&self, observed: &Observed, target: &Target) -> Result<(), Reason> {
        let refused = |why: &str| Reason::new(reason::INVALID_POD_TEMPLATE, format!("its pods would be refused: {why}"));
        let key = &observed.entry.key;
        let untried = |words: &str| Reason::new(reason::REFUSED_BY_API_SERVER, format!("its pods could not be tried: {words}"));
        let remembered = self.remembered(key);
        if let Some((_, answer)) = remembered.tried.filter(|(name, _)| name == target.name.as_str()) {
            return answer.map_err(|why| refused(&why));
        }
        // Whatever wakes this object meanwhile, the server is not asked before it wants to be.
        let waits = |(name, _, until): &(String, String, Timestamp)| name == target.name.as_str() && observed.now < *until;
        if let Some((_, words, _)) = remembered.untold.filter(waits) {
            return Err(untried(&words));
        }
        let answer = match self.writer.dry_run_create(apply::probe(observed, target)).await {
            // It exists: it was taken once.
            Ok(_) | Err(WriteError::AlreadyExists(_)) => Ok(()),
            Err(WriteError::Invalid(why)) => Err(why),
            Err(error) => {
                let words = error.to_string();
                if let WriteError::TooManyRequests { retry_after: Some(asked) } = error {
                    let until = self.clock.now() + SignedDuration::try_from(asked).unwrap_or(RETRY_AFTER);
                    self.remember(key, |memory| memory.untold = Some((target.name.to_string(), words.clone(), until)));
                }
                return Err(untried(&words));
            }
        };
        self.remember(key, |memory| memory.tried = Some((target.name.to_string(), answer.clone())));
        answer.map_err(|why| refused(&why))
    }

    /// Writes what the plan came to, if it is news, and tells people.
    async fn report(
        &self,
        observed: &Observed,
        valid: &Valid,
        plan: &Plan,
        beforehand: &Beforehand,
        retry: Option<Timestamp>,
    ) -> Result<Next, ReconcileError> {
        let wait = self.write_status(observed, valid, plan, &beforehand.known).await?;
        for (place, note) in plan.notes.iter().enumerate() {
            self.recorder.publish(&notice(observed, plan, place, note));
        }
        let due = [plan.look_at, wait, retry, routes::handover_due(observed, valid)].into_iter().flatten().min();
        Ok(due.map_or(Next::AwaitChange, Next::At))
    }

    /// Returns when to look again for numbers and words that wait for their turn.
    async fn write_status(
        &self,
        observed: &Observed,
        valid: &Valid,
        plan: &Plan,
        known: &[Probed],
    ) -> Result<Option<Timestamp>, ReconcileError> {
        let wanted = status::status(observed, valid, plan, known);
        let current = observed.deployment.status.as_ref();
        let key = &observed.entry.key;
        if current == Some(&wanted) {
            self.remember(key, |memory| memory.differs_since = None);
            return Ok(None);
        }
        if current.is_some_and(|current| status::without_details(current) == status::without_details(&wanted)) {
            let since = self.remembered(key).differs_since.unwrap_or(observed.now);
            let due = status::details_due(since);
            if due > observed.now {
                self.remember(key, |memory| memory.differs_since = Some(since));
                return Ok(Some(due));
            }
        }
        let target = Object { resource: kube::core::ApiResource::erase::<crate::api::ModelDeployment>(&()), key: key.clone() };
        let revision = observed.entry.revision.to_string();
        self.writer.apply_status(&target, &revision, current.map(|status| json!(status)).as_ref(), &json!(wanted)).await?;
        self.remember(key, |memory| memory.differs_since = None);
        Ok(None)
    }

    /// A write was refused. What the API server will refuse again is said in status; nothing of the plan is remembered, so
    /// that the next pass decides anew.
    async fn report_refusal(
        &self,
        observed: &Observed,
        valid: &Valid,
        plan: Plan,
        beforehand: &Beforehand,
        error: WriteError,
    ) -> Result<Next, ReconcileError> {
        let first = observed.deployment.status.as_ref().is_none_or(|status| status.decision.is_none());
        let code = match &error {
            WriteError::Invalid(_) if first => reason::INVALID_POD_TEMPLATE,
            WriteError::Invalid(_) | WriteError::Forbidden(_) => reason::REFUSED_BY_API_SERVER,
            WriteError::OwnedByOthers(_) => reason::NAME_TAKEN,
            _ => return Err(error.into()),
        };
        let record = memory::from_status(observed.deployment.status.as_ref(), observed.now);
        let said = Plan {
            record,
            state: State::Waiting,
            reason: Reason::new(code, error.to_string()),
            look_at: None,
            notes: Vec::new(),
            due: None,
            announce: None,
            ..plan
        };
        let said = Plan { scale: Vec::new(), scalers: BTreeMap::new(), workloads: Vec::new(), ..said };
        self.write_status(observed, valid, &said, &beforehand.known).await?;
        Err(ReconcileError::new(error.reason(), error.to_string()))
    }
}

/// Nothing that is watched changes when the API server takes what it refused.
fn retry_at(target: &Result<Target, Reason>, now: Timestamp) -> Option<Timestamp> {
    let refused = target.as_ref().is_err_and(|why| why.code == reason::REFUSED_BY_API_SERVER);
    refused.then(|| now + RETRY_AFTER)
}

fn notice(observed: &Observed, plan: &Plan, place: usize, note: &crate::domain::rollout::Note) -> Notice {
    let number = plan.record.as_ref().map_or(0, |record| record.decision.number);
    Notice {
        regarding: Regarding {
            api_version: crate::api::API_VERSION.to_owned(),
            kind: "ModelDeployment".to_owned(),
            key: observed.entry.key.clone(),
            uid: observed.owner.uid.clone(),
        },
        severity: if note.warning { Severity::Warning } else { Severity::Normal },
        reason: note.reason.code,
        action: "Release",
        note: note.reason.message.clone(),
        occasion: format!("{number}-{place}"),
    }
}
