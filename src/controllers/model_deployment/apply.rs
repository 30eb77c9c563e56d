//! Carries a plan out, write by write, in the order that is safe to be interrupted.
//!
//! ```text
//! record ─ workloads and their children ─ split ─ scalers ─ scale ─ remove ─ marks ─ old records ─ (status: the driver)
//! ```
//! Every write names what it was decided on; one that finds something else ends the pass, and the next looks again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::Rollback;
use crate::api::rollback::Trigger;
use crate::controllers::model_deployment::decide::Target;
use crate::controllers::model_deployment::observe::{Observed, Seen, SeenRevision};
use crate::controllers::model_deployment::status::analysis::evidence;
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::record::{Decision, Override, Record};
use crate::domain::revision::{Failed, RevisionName};
use crate::domain::rollout::{Mark, Plan};
use crate::domain::settings::TrafficMode;
use crate::domain::split::Split;
use crate::kube_io::{Ownership, Precondition, Propagation, Target as Object, WriteError, Writer};
use crate::resources::revision::{FAILED, Recorded, SERVED};
use crate::resources::rollback::Automatic;
use crate::resources::service::{self, Backend};
use crate::resources::{budget, revision, rollback, workload};
use crate::traffic::{self, ratio};

/// Annotation: hash of what we applied last, so that what we no longer apply is noticed.
pub const APPLIED: &str = "modelward.dev/applied";

/// Carries out plans for one deployment.
pub struct Hands<'a> {
    /// The only way to write.
    pub writer: &'a Writer,
    /// What was seen.
    pub observed: &'a Observed,
    /// What the spec means.
    pub valid: &'a Valid,
    /// The revision that the spec asks for, if it can be said.
    pub target: Option<&'a Target>,
}

impl Hands<'_> {
    /// Carries out `plan`, all but its record, which is status.
    ///
    /// # Errors
    /// The first write that fails; those before it stand, and the next pass goes on from there.
    pub async fn carry_out(&self, plan: &Plan) -> Result<(), WriteError> {
        // What takes traffic away waits for nothing, whatever else the API server refuses.
        if let Some(decision) = plan.split.as_ref().filter(|decision| self.lowers(decision)) {
            self.ensure_split(decision, plan.record.as_ref()).await?;
        }
        for (name, replicas) in &plan.workloads {
            self.ensure_revision(name, *replicas, plan).await?;
        }
        self.record_target(plan).await?;
        if let Some(decision) = plan.split.as_ref().filter(|decision| !self.lowers(decision)) {
            self.ensure_split(decision, plan.record.as_ref()).await?;
        }
        self.ensure_preview(plan).await?;
        self.ensure_scalers(plan).await?;
        for (name, replicas) in &plan.scale {
            self.scale(name, *replicas).await?;
        }
        for name in &plan.remove {
            self.remove(name).await?;
        }
        self.sweep(plan).await?;
        for (name, mark) in &plan.marks {
            self.mark(name, mark).await?;
        }
        self.prune_records(plan).await?;
        self.prune_rollbacks().await
    }

    /// Records a way back that the operator took by itself.
    ///
    /// # Errors
    /// The write failed; nothing of what serves depends on it.
    pub async fn announce(&self, overriding: &Override) -> Result<(), WriteError> {
        let automatic = Automatic {
            from: overriding.left.as_str(),
            to: overriding.revision.as_str(),
            decision: overriding.number,
            reason: &overriding.reason,
            evidence: overriding.grounds.as_ref().map(|grounds| json!(evidence(grounds))),
        };
        match self.writer.create(rollback::build(&self.observed.owner, &automatic)).await {
            Ok(_) | Err(WriteError::AlreadyExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Rollbacks that the operator made, beyond the limit, go oldest first once they are over.
    async fn prune_rollbacks(&self) -> Result<(), WriteError> {
        let made = self.observed.rollbacks.iter().filter(|rollback| rollback.spec.trigger == Trigger::Automatic && rollback.is_over());
        let mut made: Vec<&Arc<Rollback>> = made.filter(|rollback| rollback.metadata.deletion_timestamp.is_none()).collect();
        made.sort_by(|one, other| one.asked().cmp(&other.asked()));
        let surplus = made.len().saturating_sub(self.valid.settings.rollback_history_limit);
        for rollback in made.into_iter().take(surplus) {
            let object = json!(**rollback);
            let metadata = &rollback.metadata;
            let (Some(uid), Some(resource_version)) = (metadata.uid.clone(), metadata.resource_version.clone()) else { continue };
            self.writer.delete(&Object::of(&object)?, &Precondition { uid, resource_version }, Propagation::Background).await?;
        }
        Ok(())
    }

    fn seen(&self, name: &RevisionName) -> Option<&SeenRevision> {
        self.observed.revisions.get(name)
    }

    pub(super) fn recorded(&self, name: &RevisionName) -> Option<&Recorded> {
        let known = self.seen(name).and_then(|seen| seen.record.as_ref()).map(|(_, recorded)| recorded);
        known.or_else(|| self.target.filter(|target| target.name == *name).map(|target| &target.recorded))
    }

    /// A new revision is recorded before a rollout to it begins, and after the first release's workload was taken: that
    /// create is the check of its pods.
    async fn record_target(&self, plan: &Plan) -> Result<(), WriteError> {
        match self.target.filter(|target| target.new && plan.record.is_some()) {
            Some(target) => {
                let record = revision::record(&self.observed.owner, target.name.as_str(), target.number, &target.recorded);
                self.create_once(noted(record)).await
            }
            None => Ok(()),
        }
    }

    async fn ensure_revision(&self, name: &RevisionName, replicas: i32, plan: &Plan) -> Result<(), WriteError> {
        let Some(recorded) = self.recorded(name) else { return Ok(()) };
        let owner = &self.observed.owner;
        let (model, version) = (&recorded.input.model, &recorded.input.version);
        let seen = self.seen(name);
        let options = workload::Options {
            replicas: None,
            restarted_at: plan.record.as_ref().and_then(|record| record.restarted_at),
            progress_deadline_seconds: self.valid.settings.progress_deadline.as_secs().clamp(1, i64::from(i32::MAX)),
        };
        match seen.and_then(|seen| seen.workload.as_ref()) {
            None => {
                let object = workload::build(owner, name.as_str(), recorded, workload::Options { replicas: Some(replicas), ..options });
                self.create_once(noted(object)).await?;
            }
            Some(live) => self.keep(live, workload::build(owner, name.as_str(), recorded, options)).await?,
        }
        let object = service::of_revision(owner, name.as_str(), model, version, self.backend(&recorded.template));
        self.ensure(seen.and_then(|seen| seen.service.as_ref()), object).await?;
        let live = seen.and_then(|seen| seen.budget.as_ref());
        let most = self.valid.settings.scaler.map_or(self.valid.settings.replicas, |scaler| scaler.max);
        match most >= budget::REPLICAS_MIN {
            true => self.ensure(live, budget::build(owner, name.as_str(), model, version)).await,
            false => self.delete(live).await,
        }
    }

    /// The object that carries the decision, and the one that follows it.
    async fn ensure_split(&self, decision: &Decision, record: Option<&Record>) -> Result<(), WriteError> {
        let stable = record.map_or(&decision.split.stable, |record| &record.stable);
        let Some(template) = self.recorded(stable).map(|recorded| &recorded.template) else { return Ok(()) };
        let owner = &self.observed.owner;
        let live = self.observed.service.as_ref();
        match self.valid.settings.traffic {
            TrafficMode::ReplicaRatio => {
                self.ensure(live, ratio::build(owner, decision, self.backend(template))).await?;
                self.delete(self.observed.route.as_ref()).await?;
                self.delete(self.observed.former_route.as_ref()).await
            }
            TrafficMode::Gateway => {
                self.ensure_routes(decision).await?;
                let selector = ratio::selector(&owner.name, &Split::all(stable.clone()));
                self.ensure(live, service::stable(owner, &selector, self.backend(template))).await
            }
        }
    }

    /// What Services of these pods lead to.
    fn backend<'b>(&self, template: &'b Value) -> Backend<'b> {
        Backend { template, protocol: self.valid.traffic.protocol }
    }

    /// The preview Service is there as long as a blue/green release has a candidate that may still get the traffic.
    async fn ensure_preview(&self, plan: &Plan) -> Result<(), WriteError> {
        let Some(record) = &plan.record else { return Ok(()) };
        let candidate = record.candidate.as_ref().filter(|candidate| self.valid.settings.previews() && candidate.retreat.is_none());
        let live = self.observed.preview.as_ref();
        match candidate.and_then(|candidate| Some((&candidate.revision, self.recorded(&candidate.revision)?))) {
            Some((name, recorded)) => {
                let backend = self.backend(&recorded.template);
                self.ensure(live, service::preview(&self.observed.owner, name.as_str(), backend)).await
            }
            None => self.delete(live).await,
        }
    }

    async fn scale(&self, name: &RevisionName, replicas: i32) -> Result<(), WriteError> {
        let Some(live) = self.seen(name).and_then(|seen| seen.workload.as_ref()) else { return Ok(()) };
        let resource_version = live.entry.revision.to_string();
        self.writer.scale(&Object::of(&live.object)?, &resource_version, replicas).await
    }

    /// The workload goes last: while it is there, a removal that was interrupted is known to be unfinished.
    async fn remove(&self, name: &RevisionName) -> Result<(), WriteError> {
        let Some(seen) = self.seen(name) else { return Ok(()) };
        for child in [&seen.scaled_object, &seen.autoscaler, &seen.service, &seen.budget, &seen.workload] {
            self.delete(child.as_ref()).await?;
        }
        Ok(())
    }

    /// Children of revisions whose workload somebody else took away.
    async fn sweep(&self, plan: &Plan) -> Result<(), WriteError> {
        let Some(record) = &plan.record else { return Ok(()) };
        let in_use = |name: &RevisionName| {
            let planned = plan.workloads.iter().any(|(planned, _)| planned == name);
            let candidate = record.candidate.as_ref().is_some_and(|candidate| candidate.revision == *name);
            planned || candidate || *name == record.stable || record.settled.split.weight_of(name) > 0
        };
        for (_, seen) in self.observed.revisions.iter().filter(|(name, seen)| seen.workload.is_none() && !in_use(name)) {
            for child in [&seen.scaled_object, &seen.autoscaler, &seen.service, &seen.budget] {
                self.delete(child.as_ref()).await?;
            }
        }
        Ok(())
    }

    /// The decision takes traffic from the candidate that the cluster sends it to now.
    fn lowers(&self, decision: &Decision) -> bool {
        let carrier = match self.valid.settings.traffic {
            TrafficMode::Gateway => &self.observed.route,
            TrafficMode::ReplicaRatio => &self.observed.service,
        };
        let live = carrier.as_ref().and_then(|seen| traffic::from_object(&seen.object));
        live.is_some_and(|live| {
            let closes = live.opens_candidate() && !decision.opens_candidate();
            decision.split.lowers(&live.split) && (closes || decision.split.candidate_weight() < live.split.candidate_weight())
        })
    }

    async fn mark(&self, name: &RevisionName, mark: &Mark) -> Result<(), WriteError> {
        let annotations: BTreeMap<String, Option<String>> = match mark {
            Mark::Served => BTreeMap::from([(SERVED.to_owned(), Some("true".to_owned())), (FAILED.to_owned(), None)]),
            Mark::FailedInService(reason) => {
                let failed = Failed { reason: reason.clone(), generation: self.observed.entry.generation };
                BTreeMap::from([(SERVED.to_owned(), Some("true".to_owned())), (FAILED.to_owned(), Some(json!(failed).to_string()))])
            }
            Mark::Retried => BTreeMap::from([(FAILED.to_owned(), None)]),
            Mark::Failed(reason) => {
                let failed = Failed { reason: reason.clone(), generation: self.observed.entry.generation };
                BTreeMap::from([(FAILED.to_owned(), Some(json!(failed).to_string()))])
            }
        };
        // A record made in this very pass is marked by the next, which sees it.
        let Some((live, _)) = self.seen(name).and_then(|seen| seen.record.as_ref()) else { return Ok(()) };
        let differs = |(key, value): (&String, &Option<String>)| live.annotation(key) != value.as_deref();
        if annotations.iter().any(differs) {
            self.writer.annotate(&Object::of(&live.object)?, &Precondition::from(&*live.entry), &annotations).await?;
        }
        Ok(())
    }

    /// Records beyond the limit go, oldest first; never one that serves, may have to, is asked for, or still has pods.
    async fn prune_records(&self, plan: &Plan) -> Result<(), WriteError> {
        let Some(record) = &plan.record else { return Ok(()) };
        let needed = |name: &RevisionName, seen: &SeenRevision| {
            let candidate = record.candidate.as_ref().is_some_and(|candidate| candidate.revision == *name);
            let target = self.target.is_some_and(|target| target.name == *name);
            *name == record.stable || candidate || target || seen.workload.is_some() || !seen.pods.is_empty()
        };
        let idle = self.observed.revisions.iter().filter(|(name, seen)| !needed(name, seen));
        let mut idle: Vec<&Seen> = idle.filter_map(|(_, seen)| seen.record.as_ref().map(|(seen, _)| seen)).collect();
        idle.sort_by_key(|seen| seen.object["revision"].as_i64());
        let surplus = idle.len().saturating_sub(self.valid.settings.revision_history_limit);
        for seen in idle.into_iter().take(surplus) {
            self.delete(Some(seen)).await?;
        }
        Ok(())
    }

    /// Makes a child, or keeps it as it should be.
    pub(super) async fn ensure(&self, live: Option<&Seen>, object: Value) -> Result<(), WriteError> {
        match live {
            Some(live) => self.keep(live, object).await,
            None => self.create(object).await,
        }
    }

    /// Creates what is not applied again as a whole: a Deployment with its replicas, a record with its number. One that is
    /// there unseen is only new to us, or has lost our labels: then it gets them back if it is ours, and else is a namesake.
    async fn create_once(&self, object: Value) -> Result<(), WriteError> {
        self.refuse_unowned(&object)?;
        match self.writer.create(object.clone()).await {
            Err(WriteError::AlreadyExists(words)) => self.relabel(object, words).await,
            answer => answer.map(drop),
        }
    }

    async fn relabel(&self, mut object: Value, words: String) -> Result<(), WriteError> {
        let live = self.writer.read(&Object::of(&object)?).await?;
        let owners = live.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let ours = |owner: &Value| owner["controller"] == true && owner["uid"] == self.observed.owner.uid.as_str();
        if !owners.into_iter().flatten().any(ours) {
            return Err(WriteError::OwnedByOthers(words));
        }
        let labelled = object["metadata"]["labels"]
            .as_object()
            .is_some_and(|labels| labels.iter().all(|(key, value)| live["metadata"]["labels"].get(key) == Some(value)));
        let (Some(uid), Some(revision)) = (live["metadata"]["uid"].as_str(), live["metadata"]["resourceVersion"].as_str()) else {
            return Err(WriteError::Conflict(words));
        };
        // With its labels, it is only new to us: the watch will deliver it.
        if labelled || live["metadata"].get("deletionTimestamp").is_some() {
            return Err(WriteError::Conflict(words));
        }
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            spec.remove("replicas");
        }
        // Its number was given when it was made.
        if let Some(number) = live.get("revision") {
            object["revision"] = number.clone();
        }
        let precondition = Precondition { uid: uid.to_owned(), resource_version: revision.to_owned() };
        self.writer.apply(object, Some(&precondition), Ownership::TakeOver).await.map(drop)
    }

    /// What has our labels and no owner may be somebody's by now: it is not taken over, and not written past.
    fn refuse_unowned(&self, object: &Value) -> Result<(), WriteError> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        if !self.observed.unowned.contains(&(kind.clone(), name.clone())) {
            return Ok(());
        }
        let words = format!("{kind} {name} has our labels but no owner: give its ownerReference back, or delete it");
        Err(WriteError::OwnedByOthers(words))
    }

    /// An unforced apply: a namesake of somebody else answers with a conflict.
    async fn create(&self, object: Value) -> Result<(), WriteError> {
        self.refuse_unowned(&object)?;
        self.writer.apply(noted(object), None, Ownership::Respect).await.map(|_| ())
    }

    /// Applies again what changed, here or by others. Children are ours by their owner reference, so fields that others
    /// took are taken back; what others added stays, except where it would take traffic.
    async fn keep(&self, live: &Seen, mut object: Value) -> Result<(), WriteError> {
        if live.entry.deleting {
            return Err(WriteError::Conflict(format!("{} is being deleted", live.entry.key)));
        }
        let foreign_addresses = live.object.pointer("/spec/externalIPs").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        if foreign_addresses {
            object["spec"]["externalIPs"] = json!([]);
        }
        let object = noted(object);
        let same = live.annotation(APPLIED) == object["metadata"]["annotations"][APPLIED].as_str();
        if same && live.owns(&object) {
            return self.expel_containers(live, &object).await;
        }
        self.writer.apply(object, Some(&Precondition::from(&*live.entry)), Ownership::TakeOver).await.map(|_| ())
    }

    /// Containers that others put into a pod template: an apply cannot remove what it does not own.
    async fn expel_containers(&self, live: &Seen, object: &Value) -> Result<(), WriteError> {
        let mut kept = live.object.clone();
        let mut expelled = false;
        for list in ["containers", "initContainers"] {
            let path = format!("/spec/template/spec/{list}");
            let ours = object.pointer(&path).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let Some(Value::Array(live)) = kept.pointer_mut(&path) else { continue };
            let before = live.len();
            live.retain(|container| ours.iter().any(|own| own["name"] == container["name"]));
            expelled |= live.len() != before;
        }
        if expelled { self.writer.replace(kept).await.map(|_| ()) } else { Ok(()) }
    }

    pub(super) async fn delete(&self, live: Option<&Seen>) -> Result<(), WriteError> {
        match live.filter(|live| !live.entry.deleting) {
            Some(live) => {
                let target = Object::of(&live.object)?;
                self.writer.delete(&target, &Precondition::from(&*live.entry), Propagation::Background).await
            }
            None => Ok(()),
        }
    }
}

/// Notes on an object what is applied of it.
fn noted(mut object: Value) -> Value {
    let mut hashed = object.clone();
    if let Some(spec) = hashed.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("replicas");
    }
    let digest = Sha256::digest(hashed.to_string().as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    object["metadata"]["annotations"][APPLIED] = json!(hash);
    object
}

/// The workload of a new revision, to ask the API server about before anything moves.
pub fn probe(observed: &Observed, target: &Target) -> Value {
    let options = workload::Options { replicas: Some(0), restarted_at: None, progress_deadline_seconds: 600 };
    noted(workload::build(&observed.owner, target.name.as_str(), &target.recorded, options))
}
