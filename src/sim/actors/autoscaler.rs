//! The horizontal autoscaler of kube-controller-manager 1.35: scales what has a `scale` by metrics.
//!
//! Takes HorizontalPodAutoscalers, the scale of their targets, pods, and the metrics APIs; writes `replicas` through the scale
//! subresource of any kind, the status of autoscalers, and Events. Each autoscaler is looked at every 15 s, first 15 s after it
//! was made, and no change of anything makes it sooner. It never writes a status that is equal to the stored one, and remembers
//! recommendations in memory only. Feature gates are those of 1.35: tolerances per direction are honoured, scaling to zero is
//! refused by the API server.

mod calculator;
mod limits;
mod memory;
mod metric;
mod pods;
mod settled;
mod status;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::calculator::Tolerance;
use self::limits::{Limited, Wanted, limit};
use self::memory::Memory;
use self::metric::{Failed, Found, Scene, no_match};
use self::settled::{Settled, SettledLooks};
use self::status::Status;
use super::client::Client;
use super::events::{Note, Recorder};
use super::labels::{LabelIndex, Selector, SelectorIndex};
use super::object::{self, at, count, int, items, key, labels, name, namespace, seconds_text, text};
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::builtin::quantity::Quantity;
use crate::sim::cluster::{Change, Cluster};
use crate::sim::metrics_api::{MetricsApis, NotInstalled};
use crate::sim::simulation::Schedule;

/// Resource of autoscalers.
pub const AUTOSCALERS: &str = "horizontalpodautoscalers.autoscaling";
/// Time between two looks at an autoscaler.
pub const PERIOD: SignedDuration = SignedDuration::from_secs(15);

const ABLE: &str = "AbleToScale";
const ACTIVE: &str = "ScalingActive";
const LIMITED: &str = "ScalingLimited";

/// The controller.
#[derive(Debug)]
pub struct Autoscalers {
    client: Client,
    recorder: Recorder,
    pods: LabelIndex,
    /// What each autoscaler selected when it last asked for metrics.
    selectors: SelectorIndex,
    memories: BTreeMap<String, Memory>,
    /// Looks that would find what they found before.
    settled: SettledLooks,
    /// What was scaled when last looked at, by key of the autoscaler.
    targets: BTreeMap<String, Target>,
}

impl Default for Autoscalers {
    fn default() -> Self {
        let client = Client::account("kube-system", "horizontal-pod-autoscaler", "kube-controller-manager");
        Self {
            recorder: Recorder::new("horizontal-pod-autoscaler", client.clone()),
            client,
            pods: LabelIndex::default(),
            selectors: SelectorIndex::default(),
            memories: BTreeMap::new(),
            settled: SettledLooks::default(),
            targets: BTreeMap::new(),
        }
    }
}

impl Actor for Autoscalers {
    fn name(&self) -> &'static str {
        "autoscaler"
    }

    fn notice(&mut self, commit: &Commit, _: &Cluster, schedule: &mut Schedule) {
        match commit.resource.as_str() {
            AUTOSCALERS => self.notice_autoscaler(commit, schedule),
            "pods" => {
                let (before, after) = (commit.before.as_deref(), commit.after.as_deref());
                self.unsettle(&commit.namespace, [before, after]);
                if before.and_then(labels) != after.and_then(labels) || before.is_none() || after.is_none() {
                    self.pods.note(&commit.namespace, &commit.name, before, after);
                }
            }
            // What a kind's `scale` says may be another field now.
            "customresourcedefinitions.apiextensions.k8s.io" => {
                self.settled.clear();
                self.targets.clear();
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

/// What of an autoscaler only people change.
fn written(autoscaler: Option<&Arc<Value>>) -> Option<(&Value, Option<&Value>)> {
    autoscaler.map(|autoscaler| (&autoscaler["spec"], at(autoscaler, &["metadata", "annotations"])))
}

/// The work on one autoscaler.
struct Look<'a> {
    autoscaler: &'a Arc<Value>,
    key: &'a str,
    status: Status,
    now: Timestamp,
    /// The same metrics would change something at the next look.
    pending: bool,
    /// What it found, if it did nothing and time alone changes nothing of it.
    settled: Option<Settled>,
}

/// The target as it is scaled.
#[derive(Clone, Debug)]
struct Target {
    resource: String,
    /// The object.
    object: Arc<Value>,
    /// Its scale, which follows from the object alone.
    scale: Arc<Value>,
}

/// What the metrics ask for.
struct Computed {
    replicas: i64,
    metric: String,
    statuses: Vec<Value>,
    /// The same pods with the same samples ask for the same at any later time.
    timeless: bool,
}

impl Autoscalers {
    /// A pod has changed: those who select it look again.
    fn unsettle(&mut self, of: &str, pods: [Option<&Value>; 2]) {
        if self.settled.is_empty() {
            return;
        }
        for pod in pods.into_iter().flatten() {
            for called in self.selectors.selecting(of, labels(pod)) {
                self.settled.forget(&key(of, &called));
            }
        }
    }

    fn notice_autoscaler(&mut self, commit: &Commit, schedule: &mut Schedule) {
        if commit.change == Change::Deleted {
            self.selectors.note(&commit.namespace, &commit.name, None);
            self.settled.clear();
        }
        if written(commit.before.as_ref()) != written(commit.after.as_ref()) {
            schedule.after(PERIOD, &key(&commit.namespace, &commit.name));
        }
    }

    /// Looks at an autoscaler with the metrics APIs at hand.
    pub fn look(&mut self, key: &str, metrics: &dyn MetricsApis, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (of, called) = object::split_key(key);
        let Some(autoscaler) = cluster.get(AUTOSCALERS, of, called) else {
            self.memories.remove(key);
            self.settled.forget(key);
            self.targets.remove(key);
            return;
        };
        if let Some(memory) = self.memories.get_mut(key)
            && let Some(pending) = self.settled.again(key, &autoscaler, metrics.measured(), memory, cluster)
        {
            return if pending { schedule.after(PERIOD, key) } else { schedule.poll(PERIOD, key) };
        }
        self.settled.forget(key);
        let status = Status::of(&autoscaler);
        let mut look = Look { autoscaler: &autoscaler, key, status, now: cluster.now(), pending: false, settled: None };
        let before = look.status.clone();
        let trouble = self.reconcile(&mut look, metrics, cluster);
        let changed = look.status != before;
        let settled = look.settled.take();
        let said = !changed || self.write_status(&autoscaler, &look.status, cluster);
        // Its own words change nothing of what it sees.
        if let (true, Some(settled), Some(written)) = (said, settled, cluster.get(AUTOSCALERS, of, called)) {
            self.settled.keep(key, settled.of(written));
        }
        // Upstream says this last, after the status.
        if let Some(trouble) = trouble {
            self.recorder.record(cluster, &autoscaler, Note::warning("FailedComputeMetricsReplicas", trouble));
        }
        if changed || look.pending {
            schedule.after(PERIOD, key);
        } else {
            schedule.poll(PERIOD, key);
        }
    }

    /// Whether it was taken.
    fn write_status(&mut self, autoscaler: &Arc<Value>, status: &Status, cluster: &mut Cluster) -> bool {
        let written = self.client.update_status(cluster, AUTOSCALERS, autoscaler, status.to_json());
        let refused = written.err();
        let taken = refused.is_none();
        if let Some(error) = refused {
            self.recorder.record(cluster, autoscaler, Note::warning("FailedUpdateStatus", error.message));
        }
        taken
    }

    /// The target, or what is said when there is none.
    fn target(&mut self, look: &Look<'_>, cluster: &Cluster) -> Result<Target, String> {
        let reference = |field| text(look.autoscaler, &["spec", "scaleTargetRef", field]);
        let (version, kind) = (reference("apiVersion"), reference("kind"));
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let Some(resource) = cluster.kinds().by_kind(group, kind) else { return Err(no_match(group, kind)) };
        let (resource, of, called) = (resource.key(), namespace(look.autoscaler), reference("name"));
        let object = cluster.get(&resource, of, called);
        let known = self.targets.get(look.key).filter(|known| known.resource == resource);
        if let Some(known) = known.filter(|known| object.as_ref().is_some_and(|object| Arc::ptr_eq(object, &known.object))) {
            return Ok(known.clone());
        }
        let scale = cluster.read(&resource, of, called, Some("scale"), "").map_err(|error: ApiError| error.message)?;
        let target = Target { resource, object: object.unwrap_or_default(), scale };
        self.targets.insert(look.key.to_owned(), target.clone());
        Ok(target)
    }

    /// Gives what is wrong with all metrics together, if that kept it from deciding.
    fn reconcile(&mut self, look: &mut Look<'_>, metrics: &dyn MetricsApis, cluster: &mut Cluster) -> Option<String> {
        let now = look.now;
        let target = match self.target(look, cluster) {
            Ok(target) => target,
            Err(error) => {
                self.recorder.record(cluster, look.autoscaler, Note::warning("FailedGetScale", error.clone()));
                let message = format!("the HPA controller was unable to get the target's current scale: {error}");
                look.status.say(ABLE, false, "FailedGetScale", &message, now);
                return None;
            }
        };
        let message = "the HPA controller was able to get the target's current scale";
        look.status.say(ABLE, true, "SucceededGetScale", message, now);
        let current = count(&target.scale, &["spec", "replicas"]);
        self.memories.entry(look.key.to_owned()).or_default().begin(current, now);
        let spec = &look.autoscaler["spec"];
        let (least, most) = (int(spec, &["minReplicas"]).unwrap_or(1), count(spec, &["maxReplicas"]));
        let mut statuses = Vec::new();
        let mut desired = current;
        let mut why = String::new();
        let mut found = None;
        if current == 0 && least != 0 {
            let message = "scaling is disabled since the replica count of the target is zero";
            look.status.say(ACTIVE, false, "ScalingDisabled", message, now);
        } else if current > most {
            (desired, why) = (most, "Current number of replicas above Spec.MaxReplicas".to_owned());
        } else if current < least {
            (desired, why) = (least, "Current number of replicas below Spec.MinReplicas".to_owned());
        } else {
            let computed = match self.compute(look, &target, metrics, cluster) {
                Ok(computed) => computed,
                Err((statuses, error)) => {
                    let desired = look.status.desired;
                    look.status.set(current, desired, statuses, None);
                    return Some(error);
                }
            };
            if computed.replicas > current {
                why = format!("{} above target", computed.metric);
            } else if computed.replicas < current {
                "All metrics below target".clone_into(&mut why);
            }
            statuses = computed.statuses;
            let limited = self.limited(look, current, computed.replicas, least);
            desired = limited.replicas;
            found = computed.timeless.then_some((computed.replicas, least, limited));
        }
        if desired == current {
            look.status.set(current, current, statuses, None);
            look.settled = found.and_then(|(replicas, least, limited)| {
                let (measured, object) = (metrics.measured()?, Arc::clone(&target.object));
                Some(Settled::new(look.autoscaler, (&target.resource, object), measured, (replicas, current, least), limited))
            });
        } else {
            self.rescale(look, &target, (desired, &why), statuses, cluster);
        }
        None
    }

    fn limited(&mut self, look: &mut Look<'_>, current: i64, desired: i64, least: i64) -> Limited {
        let wanted = Wanted { spec: &look.autoscaler["spec"], current, desired, least, now: look.now };
        let limited = limit(&wanted, self.memories.entry(look.key.to_owned()).or_default());
        look.status.say(ABLE, limited.able.0, limited.able.1, limited.able.2, look.now);
        look.status.say(LIMITED, limited.limited.0, limited.limited.1, limited.limited.2, look.now);
        look.pending = limited.is_pending();
        limited
    }

    fn rescale(&mut self, look: &mut Look<'_>, target: &Target, (desired, why): (i64, &str), statuses: Vec<Value>, cluster: &mut Cluster) {
        let (now, spec) = (look.now, &look.autoscaler["spec"]);
        let current = count(&target.scale, &["spec", "replicas"]);
        let mut scale = (*target.scale).clone();
        scale["spec"] = json!({ "replicas": desired });
        if let Err(error) = self.client.put(cluster, &target.resource, Some("scale"), scale) {
            let message = format!("New size: {desired}; reason: {why}; error: {}", error.message);
            self.recorder.record(cluster, look.autoscaler, Note::warning("FailedRescale", message));
            let message = format!("the HPA controller was unable to update the target scale: {}", error.message);
            look.status.say(ABLE, false, "FailedUpdateScale", &message, now);
            let before = look.status.desired;
            look.status.set(current, before, statuses, None);
            return;
        }
        let message = format!("the HPA controller was able to update the target scale to {desired}");
        look.status.say(ABLE, true, "SucceededRescale", &message, now);
        let message = format!("New size: {desired}; reason: {why}");
        self.recorder.record(cluster, look.autoscaler, Note::normal("SuccessfulRescale", message));
        limits::remember(spec, current, desired, now, self.memories.entry(look.key.to_owned()).or_default());
        look.status.set(current, desired, statuses, Some(seconds_text(now)));
    }

    /// The highest proposal of all metrics. Failed metrics keep it from scaling down, and all together from scaling at all.
    fn compute(
        &mut self,
        look: &mut Look<'_>,
        target: &Target,
        metrics: &dyn MetricsApis,
        cluster: &mut Cluster,
    ) -> Result<Computed, (Vec<Value>, String)> {
        let pods = self.selected(look, target, cluster).map_err(|error| (Vec::new(), error))?;
        let current = count(&target.scale, &["spec", "replicas"]);
        let scene = Scene {
            metrics,
            kinds: cluster.kinds(),
            namespace: namespace(look.autoscaler),
            pods: &pods,
            current,
            running: count(&target.scale, &["status", "replicas"]),
            tolerance: tolerance(&look.autoscaler["spec"]),
            now: look.now,
        };
        let answers: Vec<Result<Found, Failed>> =
            items(look.autoscaler, &["spec", "metrics"]).iter().map(|spec| metric::ask(spec, &scene)).collect();
        let timeless = metric::is_timeless(items(look.autoscaler, &["spec", "metrics"]), &scene) && answers.iter().all(Result::is_ok);
        let mut best = Computed { replicas: 0, metric: String::new(), statuses: Vec::new(), timeless };
        let mut failures = Vec::new();
        for answer in &answers {
            match answer {
                Ok(found) => {
                    if best.replicas == 0 || found.replicas > best.replicas {
                        (best.replicas, best.metric) = (found.replicas, found.name.clone());
                    }
                    best.statuses.push(found.status.clone());
                }
                Err(failed) => {
                    self.recorder.record(cluster, look.autoscaler, Note::warning(failed.reason, failed.said.clone()));
                    failures.push(failed);
                    best.statuses.push(json!({ "type": "" }));
                }
            }
        }
        if let Some(first) = failures.first()
            && (failures.len() == answers.len() || best.replicas < current)
        {
            let message = format!("the HPA was unable to compute the replica count: {}", first.said);
            look.status.say(ACTIVE, false, first.reason, &message, look.now);
            let (failed, all) = (failures.len(), answers.len());
            return Err((best.statuses, format!("invalid metrics ({failed} invalid out of {all}), first error is: {}", first.error)));
        }
        let message = format!("the HPA was able to successfully calculate a replica count from {}", best.metric);
        look.status.say(ACTIVE, true, "ValidMetricFound", &message, look.now);
        Ok(best)
    }

    /// The pods that the target's selector takes, unless another autoscaler takes some of them too.
    fn selected(&mut self, look: &mut Look<'_>, target: &Target, cluster: &mut Cluster) -> Result<Vec<Arc<Value>>, String> {
        let written = text(&target.scale, &["status", "selector"]);
        let mut refuse = |reason: &'static str, event: &'static str, said: &str, message: String| {
            self.recorder.record(cluster, look.autoscaler, Note::warning(event, message.clone()));
            look.status.say(ACTIVE, false, reason, said, look.now);
            message
        };
        if written.is_empty() {
            let said = "the HPA target's scale is missing a selector";
            return Err(refuse("InvalidSelector", "SelectorRequired", said, "selector is required".to_owned()));
        }
        let selector = match Selector::parse(written) {
            Ok(selector) => selector,
            Err(error) => {
                let message = format!("couldn't convert selector into a corresponding internal selector object: {error}");
                return Err(refuse("InvalidSelector", "InvalidSelector", &message.clone(), message));
            }
        };
        let (of, own) = (namespace(look.autoscaler), name(look.autoscaler));
        let candidates = self.pods.candidates(of, &selector);
        let found = candidates.iter().filter_map(|pod| cluster.get("pods", of, pod)).filter(|pod| selector.matches(labels(pod)));
        let pods: Vec<Arc<Value>> = found.collect();
        if self.selectors.selector(of, own) != Some(&selector) {
            // Others may share pods with it now, or no longer.
            self.settled.clear();
            self.selectors.note(of, own, Some(selector));
        }
        let mut others: Vec<String> = pods.iter().flat_map(|pod| self.selectors.selecting(of, labels(pod))).collect();
        others.sort();
        others.dedup();
        if others.len() > 1 {
            let all: Vec<String> = others.iter().map(|other| format!("{{{other} {of}}}")).collect();
            let message = format!("pods by selector {written} are controlled by multiple HPAs: [{}]", all.join(" "));
            self.recorder.record(cluster, look.autoscaler, Note::warning("AmbiguousSelector", message.clone()));
            look.status.say(ACTIVE, false, "AmbiguousSelector", &message, look.now);
            return Err(message);
        }
        Ok(pods)
    }
}

/// What counts as on target, for each direction.
fn tolerance(spec: &Value) -> Tolerance {
    let usual = Tolerance::default();
    let said = |direction: &str| {
        let quantity = Quantity::from_json(&spec["behavior"][direction]["tolerance"]).ok()?;
        Some(quantity.nanos() as f64 / 1e9)
    };
    Tolerance { down: said("scaleDown").unwrap_or(usual.down), up: said("scaleUp").unwrap_or(usual.up) }
}
