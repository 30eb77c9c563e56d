//! A double of KEDA's operator: for tests of those who write ScaledObjects, not a KEDA.
//!
//! Takes ScaledObjects; keeps an autoscaler `keda-hpa-<name>` for each, whose external metrics it answers for, and scales the
//! target between nothing and its least by whether a trigger is active. Triggers are `prometheus` (asked of the simulated
//! Prometheus, whatever `serverAddress` says), `cpu` and `memory`; others are refused in the condition Ready, as KEDA refuses
//! types that it does not know. It honours the annotations for pausing, and the finalizer. Fallbacks, scaling modifiers,
//! authentication and ScaledJobs are not there. Does nothing unless it is switched on.

mod autoscaler;
mod status;
mod trigger;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::status::Status;
pub use self::trigger::{OWNER_LABEL, Queries};
use self::trigger::{Reading, Trigger, triggers};
use super::autoscaler::AUTOSCALERS;
use super::client::Client;
use super::events::{Note, Recorder};
use super::object::{self, seconds_text, text};
use super::object::{
    annotation, annotation_number, at, count, created, has_finalizer, int, is_deleting, items, key, labels, name, namespace,
};
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Change, Cluster};
use crate::sim::metrics_api::{MetricsApis, NotInstalled};
use crate::sim::simulation::Schedule;

/// Resource of ScaledObjects.
pub const SCALED_OBJECTS: &str = "scaledobjects.keda.sh";
const FINALIZER: &str = "finalizer.keda.sh";
const PAUSED: &str = "autoscaling.keda.sh/paused";
const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";
const PAUSED_IN: &str = "autoscaling.keda.sh/paused-scale-in";
const PAUSED_OUT: &str = "autoscaling.keda.sh/paused-scale-out";
/// Seconds between two looks at triggers, and before a target without activity is put to rest, when nothing else is said.
const POLLING: i64 = 30;
const COOLDOWN: i64 = 300;
/// Time after which a refused write is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(POLLING);

/// See the module.
#[derive(Debug)]
pub struct Keda {
    client: Client,
    recorder: Recorder,
    enabled: bool,
    /// When the triggers of each are looked at next.
    loops: BTreeMap<String, Timestamp>,
    queries: Arc<Queries>,
}

impl Default for Keda {
    fn default() -> Self {
        let client = Client::account("keda", "keda-operator", "keda-operator");
        let recorder = Recorder::new("keda-operator", client.clone());
        Self { recorder, client, enabled: false, loops: BTreeMap::new(), queries: Arc::default() }
    }
}

impl Actor for Keda {
    fn name(&self) -> &'static str {
        "keda"
    }

    fn notice(&mut self, commit: &Commit, _: &Cluster, schedule: &mut Schedule) {
        match commit.resource.as_str() {
            SCALED_OBJECTS if self.enabled => self.notice_scaled(commit, schedule),
            AUTOSCALERS if self.enabled => {
                let spec = |object: &Option<Arc<Value>>| object.as_deref().map(|object| object["spec"].clone());
                let owner = commit.before.iter().chain(&commit.after).find_map(|autoscaler| object::controller(autoscaler));
                if let Some(owner) = owner.filter(|owner| text(owner, &["kind"]) == "ScaledObject")
                    && spec(&commit.before) != spec(&commit.after)
                {
                    schedule.soon(&key(&commit.namespace, text(owner, &["name"])));
                }
            }
            _ => {}
        }
    }

    /// Without metrics APIs.
    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        self.look(key, &NotInstalled, cluster, schedule);
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        Some(&mut self.recorder)
    }
}

/// What of a ScaledObject people change.
fn written(scaled: Option<&Arc<Value>>) -> Option<[Option<&Value>; 3]> {
    let metadata = |scaled, field| at(scaled, &["metadata", field]);
    scaled.map(|scaled| [Some(&scaled["spec"]), metadata(scaled, "annotations"), metadata(scaled, "deletionTimestamp")])
}

/// What a boolean annotation says: there without a false value is true.
fn is_set(scaled: &Value, name: &str) -> bool {
    annotation(scaled, name).is_some_and(|value| !["false", "False", "FALSE", "f", "F", "0"].contains(&value))
}

fn is_paused(scaled: &Value) -> bool {
    annotation(scaled, PAUSED_REPLICAS).is_some() || is_set(scaled, PAUSED)
}

/// The work on one ScaledObject.
struct Work<'a> {
    scaled: &'a Arc<Value>,
    key: &'a str,
    status: Status,
    now: Timestamp,
    /// The same metrics would change something at the next look.
    pending: bool,
}

/// What is scaled.
struct Target {
    resource: String,
    scale: Arc<Value>,
}

impl Keda {
    /// Switches the double on.
    pub fn enable(&mut self) {
        self.enabled = true;
    }

    /// For which external metrics it answers.
    pub fn queries(&self) -> Arc<Queries> {
        Arc::clone(&self.queries)
    }

    fn notice_scaled(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let key = key(&commit.namespace, &commit.name);
        let queries = commit.after.as_deref().and_then(|scaled| triggers(scaled).ok());
        let queries = queries.map(|triggers| trigger::queries(&triggers)).unwrap_or_default();
        let known = (commit.namespace.clone(), commit.name.clone());
        if self.queries.get(&known) != Some(&queries) {
            Arc::make_mut(&mut self.queries).insert(known, queries);
        }
        if commit.change == Change::Deleted {
            self.loops.remove(&key);
            Arc::make_mut(&mut self.queries).remove(&(commit.namespace.clone(), commit.name.clone()));
        } else if written(commit.before.as_ref()) != written(commit.after.as_ref()) {
            // A new specification begins a new loop.
            self.loops.remove(&key);
            schedule.soon(&key);
        }
    }

    /// Looks at a ScaledObject with the metrics APIs at hand.
    pub fn look(&mut self, key: &str, metrics: &dyn MetricsApis, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (of, called) = object::split_key(key);
        let Some(scaled) = cluster.get(SCALED_OBJECTS, of, called) else { return };
        if is_deleting(&scaled) || !has_finalizer(&scaled, FINALIZER) || !is_labelled(&scaled) {
            if self.tend(&scaled, cluster).is_err() {
                schedule.after(RETRY, key);
            }
            // The write comes back as a change of metadata, which begins nothing.
            if is_deleting(&scaled) {
                return;
            }
        }
        let Some(scaled) = cluster.get(SCALED_OBJECTS, of, called) else { return };
        let mut work = Work { scaled: &scaled, key, status: Status::of(&scaled), now: cluster.now(), pending: false };
        let outcome = self.reconcile(&mut work, metrics, cluster);
        if let Err((what, error)) = &outcome {
            let message = format!("{what}: {error}");
            work.status.say("Ready", "False", "ScaledObjectCheckFailed", &message);
            work.status.say("Active", "Unknown", "UnknownState", "ScaledObject check failed");
            self.recorder.record(cluster, &scaled, Note::warning("ScaledObjectCheckFailed", message));
        }
        let written = self.client.update_status(cluster, SCALED_OBJECTS, &scaled, work.status.to_json());
        let next = self.loops.get(key).map(|next| next.duration_since(work.now));
        match next {
            _ if outcome.is_err() || written.is_err() => schedule.poll(RETRY, key),
            Some(next) if work.pending => schedule.after(next, key),
            Some(next) => schedule.poll(next, key),
            None => {}
        }
    }

    /// Finalizer and label, or the end.
    fn tend(&self, scaled: &Arc<Value>, cluster: &mut Cluster) -> Result<(), ApiError> {
        let kept = items(scaled, &["metadata", "finalizers"]).iter().filter(|finalizer| *finalizer != FINALIZER);
        let mut finalizers: Vec<Value> = kept.cloned().collect();
        if is_deleting(scaled) {
            if !has_finalizer(scaled, FINALIZER) {
                return Ok(());
            }
            return self.client.merge(cluster, SCALED_OBJECTS, scaled, json!({ "metadata": { "finalizers": finalizers } }));
        }
        finalizers.push(json!(FINALIZER));
        let metadata = json!({ "finalizers": finalizers, "labels": { OWNER_LABEL: name(scaled) } });
        self.client.merge(cluster, SCALED_OBJECTS, scaled, json!({ "metadata": metadata }))
    }

    /// # Errors
    /// What could not be done, and why.
    fn reconcile(&mut self, work: &mut Work<'_>, metrics: &dyn MetricsApis, cluster: &mut Cluster) -> Result<(), (&'static str, String)> {
        if is_paused(work.scaled) {
            return self.pause(work, cluster);
        }
        let partly = is_set(work.scaled, PAUSED_IN) || is_set(work.scaled, PAUSED_OUT);
        self.say_paused(work, partly, cluster);
        work.status.set_paused_replicas(None);
        let target =
            target(work.scaled, cluster).map_err(|error| ("ScaledObject doesn't have correct scaleTargetRef specification", error))?;
        work.status.set_target(work.scaled, &target.resource, count(&target.scale, &["spec", "replicas"]), cluster.kinds());
        check_bounds(work.scaled)
            .map_err(|error| ("ScaledObject doesn't have correct Idle/Min/Max Replica Counts specification", error))?;
        let found = triggers(work.scaled).map_err(|error| ("ScaledObject doesn't have correct triggers specification", error))?;
        let kept = autoscaler::keep(&self.client, work.scaled, &found, cluster);
        let called = kept.map_err(|error| ("failed to ensure HPA is correctly created for ScaledObject", error.message))?;
        work.status.set_autoscaler(&called, &found);
        work.status.say("Ready", "True", "ScaledObjectReady", "ScaledObject is defined correctly and is ready for scaling");
        work.status.say("Fallback", "False", "NoFallbackFound", "No fallbacks are active on this scaled object");
        if self.loops.get(work.key).is_none_or(|next| *next <= work.now) {
            let period = int(work.scaled, &["spec", "pollingInterval"]).unwrap_or(POLLING).max(1);
            self.loops.insert(work.key.to_owned(), work.now + SignedDuration::from_secs(period));
            self.poll(work, &target, &found, metrics, cluster);
        }
        Ok(())
    }

    fn say_paused(&mut self, work: &mut Work<'_>, paused: bool, cluster: &mut Cluster) {
        if work.status.is_true("Paused") == paused {
            if !paused && !work.status.has("Paused") {
                work.status.say("Paused", "False", "", "");
            }
            return;
        }
        let (status, reason, message) = match paused {
            true => ("True", "ScaledObjectPaused", "ScaledObject is paused"),
            false => ("False", "ScaledObjectUnpaused", "pause annotation removed for ScaledObject"),
        };
        work.status.say("Paused", status, reason, message);
        self.recorder.record(cluster, work.scaled, Note::normal(reason, message));
    }

    /// No autoscaler, and the number of replicas that the annotation names, if it names one.
    fn pause(&mut self, work: &mut Work<'_>, cluster: &mut Cluster) -> Result<(), (&'static str, String)> {
        self.loops.remove(work.key);
        self.say_paused(work, true, cluster);
        let removed = autoscaler::remove(&self.client, work.scaled, cluster);
        removed.map_err(|error| ("failed to delete HPA for paused ScaledObject", error.message))?;
        if let Some(written) = annotation(work.scaled, PAUSED_REPLICAS) {
            let wanted = annotation_number(work.scaled, PAUSED_REPLICAS).filter(|wanted| *wanted >= 0);
            let failed = |error: String| ("failed to scale target to paused replica count", error);
            let wanted = wanted.ok_or_else(|| failed(format!("parsing {written:?}: invalid syntax")))?;
            let target = target(work.scaled, cluster).map_err(failed)?;
            if count(&target.scale, &["spec", "replicas"]) != wanted {
                self.scale(&target, wanted, cluster).map_err(|error| failed(error.message))?;
            }
            work.status.set_paused_replicas(Some(wanted));
        } else {
            work.status.set_paused_replicas(None);
        }
        work.status.say("Ready", "True", "ScaledObjectReady", "ScaledObject is paused");
        Ok(())
    }

    fn scale(&self, target: &Target, replicas: i64, cluster: &mut Cluster) -> Result<(), ApiError> {
        let mut scale = (*target.scale).clone();
        scale["spec"] = json!({ "replicas": replicas });
        self.client.put(cluster, &target.resource, Some("scale"), scale).map(|_| ())
    }

    /// Looks at the triggers, and scales between rest and work.
    fn poll(&mut self, work: &mut Work<'_>, target: &Target, found: &[Trigger], metrics: &dyn MetricsApis, cluster: &mut Cluster) {
        let Reading { active, failed } = trigger::read(work.scaled, found, metrics);
        let current = count(&target.scale, &["spec", "replicas"]);
        let (least, idle) = (count(work.scaled, &["spec", "minReplicaCount"]), int(work.scaled, &["spec", "idleReplicaCount"]));
        if !active.is_empty() {
            work.status.say("Active", "True", "ScalerActive", "Scaling is performed because triggers are active");
            if current == 0 || (idle.is_some() && current < least) {
                self.activate(work, target, least.max(1), &active, cluster);
            } else if failed {
                work.status.say(
                    "Ready",
                    "Unknown",
                    "PartialTriggerError",
                    "Some triggers defined in ScaledObject are not working correctly",
                );
            } else {
                work.status.set_last_active(seconds_text(work.now));
            }
            return;
        }
        work.status.say("Active", "False", "ScalerNotActive", "Scaling is not performed because triggers are not active");
        if failed {
            work.status.say("Ready", "False", "TriggerError", "Triggers defined in ScaledObject are not working correctly");
        } else if idle.is_some_and(|idle| current > idle) || (current > 0 && least == 0) {
            self.rest(work, target, idle.unwrap_or(least), cluster);
        } else if idle.is_none()
            && current < least
            && let Err(error) = self.scale(target, least, cluster)
        {
            let message = format!("error setting ScaleTarget replicas count to ScaledObject minReplicaCount: {}", error.message);
            work.status.say("Ready", "False", "ErrorScalingTarget", &message);
        }
    }

    fn activate(&mut self, work: &mut Work<'_>, target: &Target, wanted: i64, active: &[String], cluster: &mut Cluster) {
        if is_set(work.scaled, PAUSED_OUT) {
            return;
        }
        let current = count(&target.scale, &["spec", "replicas"]);
        let what =
            format!("{} {}/{}", work.status.target_kind(), namespace(work.scaled), text(work.scaled, &["spec", "scaleTargetRef", "name"]));
        match self.scale(target, wanted, cluster) {
            Ok(()) => {
                let message = format!("Scaled {what} from {current} to {wanted}, triggered by {}", active.join(";"));
                self.recorder.record(cluster, work.scaled, Note::normal("KEDAScaleTargetActivated", message));
                work.status.set_last_active(seconds_text(work.now));
            }
            Err(error) => {
                work.status.say("Ready", "False", "ErrorScalingTarget", &format!("error activating ScaleTarget: {}", error.message));
                let message = format!("Failed to scale {what} from {current} to {wanted}: {}", error.message);
                self.recorder.record(cluster, work.scaled, Note::warning("KEDAScaleTargetActivationFailed", message));
            }
        }
    }

    /// Puts the target to rest once nothing was active for as long as the cooldown says.
    fn rest(&mut self, work: &mut Work<'_>, target: &Target, wanted: i64, cluster: &mut Cluster) {
        if is_set(work.scaled, PAUSED_IN) {
            return;
        }
        let seconds = |field: &str, usual: i64| SignedDuration::from_secs(int(work.scaled, &["spec", field]).unwrap_or(usual));
        let over = match work.status.last_active() {
            Some(active) => active + seconds("cooldownPeriod", COOLDOWN) < work.now,
            None => created(work.scaled).is_none_or(|created| created + seconds("initialCooldownPeriod", 0) < work.now),
        };
        if !over {
            work.pending = true;
            work.status.say("Active", "False", "ScalerCooldown", "Scaler cooling down because triggers are not active");
            return;
        }
        let current = count(&target.scale, &["spec", "replicas"]);
        let what =
            format!("{} {}/{}", work.status.target_kind(), namespace(work.scaled), text(work.scaled, &["spec", "scaleTargetRef", "name"]));
        match self.scale(target, wanted, cluster) {
            Ok(()) => {
                let message = format!("Deactivated {what} from {current} to {wanted}");
                self.recorder.record(cluster, work.scaled, Note::normal("KEDAScaleTargetDeactivated", message));
            }
            Err(error) => {
                work.status.say("Ready", "False", "ErrorScalingTarget", &format!("error deactivating ScaleTarget: {}", error.message));
                let message = format!("Failed to deactivate {what} from {current} to {wanted}: {}", error.message);
                self.recorder.record(cluster, work.scaled, Note::warning("KEDAScaleTargetDeactivationFailed", message));
            }
        }
    }
}

fn is_labelled(scaled: &Value) -> bool {
    labels(scaled).and_then(|labels| labels.get(OWNER_LABEL)).and_then(Value::as_str) == Some(name(scaled))
}

/// `apiVersion` and `kind` of the target; a Deployment when nothing is said.
fn reference(scaled: &Value) -> (&str, &str) {
    let said = |field| text(scaled, &["spec", "scaleTargetRef", field]);
    (
        if said("apiVersion").is_empty() { "apps/v1" } else { said("apiVersion") },
        if said("kind").is_empty() { "Deployment" } else { said("kind") },
    )
}

fn target(scaled: &Value, cluster: &Cluster) -> Result<Target, String> {
    let (version, kind) = reference(scaled);
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let Some(resource) = cluster.kinds().by_kind(group, kind) else {
        return Err(format!("no matches for kind {kind:?} in version {version:?}"));
    };
    let resource = resource.key();
    let scale = cluster.read(&resource, namespace(scaled), text(scaled, &["spec", "scaleTargetRef", "name"]), Some("scale"), "");
    scale.map(|scale| Target { resource, scale }).map_err(|error| error.message)
}

fn check_bounds(scaled: &Value) -> Result<(), String> {
    let number = |field| int(scaled, &["spec", field]);
    let least = number("minReplicaCount").map_or(0, |least| least.max(1));
    let most = number("maxReplicaCount").unwrap_or(autoscaler::MOST);
    if least > most {
        return Err(format!("MinReplicaCount={least} must be less than MaxReplicaCount={most}"));
    }
    match number("idleReplicaCount").filter(|idle| *idle >= least) {
        Some(idle) => Err(format!("IdleReplicaCount={idle} must be less than MinReplicaCount={least}")),
        None => Ok(()),
    }
}
