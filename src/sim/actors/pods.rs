//! The kubelets: what happens to pods on their nodes.
//!
//! Takes pods with a node, and how pods behave as data ([`profile::PodProfile`]); writes the status of pods and removes
//! those whose graceful deletion has come to its end. Runs no containers. A node that is down does nothing, and a node
//! without a kubelet (an object that somebody else created) neither.

pub mod probes;
pub mod profile;
pub mod run;
pub mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::probes::probe;
use self::profile::{Failure, PodProfile, jittered};
use self::run::{Exit, Remark, RestartPolicy, Run, State, Traits};
use self::status::{Report, full_name};
use super::client::Client;
use super::events::{Note, Recorder};
use super::object::{self, int, is_deleting, items, name, namespace, text, uid};
use super::replica_set::order::has_ended;
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions};
use crate::sim::draw::Draws;
use crate::sim::simulation::Schedule;

/// First address that pods get; every pod has another one until 8 million have run.
const FIRST_ADDRESS: u32 = 0x0a80_0002;
/// Addresses before they are used again.
const ADDRESSES: u32 = (1 << 23) - 4;

/// One machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Machine {
    down: bool,
    address: String,
    images: BTreeSet<String>,
    /// Keys of its pods.
    pods: BTreeSet<String>,
}

/// All kubelets.
#[derive(Debug)]
pub struct Pods {
    recorder: Recorder,
    profiles: Vec<PodProfile>,
    machines: BTreeMap<String, Machine>,
    runs: BTreeMap<String, Run>,
    addresses: u32,
}

impl Default for Pods {
    fn default() -> Self {
        Self {
            recorder: Recorder::new("kubelet", Client::component("node")),
            profiles: Vec::new(),
            machines: BTreeMap::new(),
            runs: BTreeMap::new(),
            addresses: 0,
        }
    }
}

impl Actor for Pods {
    fn name(&self) -> &'static str {
        "pods"
    }

    fn notice(&mut self, commit: &Commit, _cluster: &Cluster, schedule: &mut Schedule) {
        if commit.resource != "pods" {
            return;
        }
        let key = object::key(&commit.namespace, &commit.name);
        let node = |pod: &Option<Arc<Value>>| pod.as_deref().map_or("", |pod| text(pod, &["spec", "nodeName"])).to_owned();
        let (before, after) = (node(&commit.before), node(&commit.after));
        if before != after || commit.after.is_none() {
            self.machines.entry(before).and_modify(|machine| _ = machine.pods.remove(&key));
        }
        if commit.after.is_none() {
            self.runs.remove(&key);
            schedule.cancel(&key);
        } else if !after.is_empty() {
            self.machines.entry(after).and_modify(|machine| _ = machine.pods.insert(key.clone()));
            // What a kubelet reported itself is no news to it.
            if commit.manager != "kubelet" {
                schedule.soon(&key);
            }
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (of, called) = object::split_key(key);
        let Some(pod) = cluster.get("pods", of, called) else { return };
        let node = text(&pod, &["spec", "nodeName"]).to_owned();
        if self.machines.get(&node).is_none_or(|machine| machine.down) {
            return;
        }
        // Ended by itself, or somebody else said so (an eviction): either way its containers do not come back.
        if has_ended(&pod) {
            self.runs.entry(key.to_owned()).and_modify(|run| run.state = State::Ended);
            if is_deleting(&pod) {
                remove(&node, cluster, &pod);
            }
            return;
        }
        self.live(key, &pod, &node, cluster, schedule);
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        Some(&mut self.recorder)
    }
}

impl Pods {
    /// A machine joins: pods on it get a kubelet.
    pub fn add_machine(&mut self, node: &str, address: &str) {
        let machine = Machine { address: address.to_owned(), ..Machine::default() };
        self.machines.entry(node.to_owned()).or_insert(machine);
    }

    /// A machine is gone for good.
    pub fn remove_machine(&mut self, node: &str) {
        self.machines.remove(node);
    }

    /// A machine stops or comes back. Its pods do not change by that: others notice, and it catches up.
    pub fn set_down(&mut self, node: &str, down: bool, schedule: &mut Schedule) {
        let Some(machine) = self.machines.get_mut(node) else { return };
        machine.down = down;
        for key in &machine.pods {
            schedule.soon(key);
        }
    }

    /// The machine is there and runs: what its pods serve can be reached.
    pub fn is_up(&self, node: &str) -> bool {
        self.machines.get(node).is_some_and(|machine| !machine.down)
    }

    /// Replaces all profiles; running pods follow the new ones from now on.
    pub fn set_profiles(&mut self, profiles: Vec<PodProfile>, schedule: &mut Schedule) {
        self.profiles = profiles;
        for key in self.runs.keys() {
            schedule.soon(key);
        }
    }

    /// The profile that describes a pod: the first that matches, else the default.
    pub fn profile(&self, pod: &Value) -> PodProfile {
        self.known_profile(pod).cloned().unwrap_or_default()
    }

    /// The first profile that matches a pod; none: it behaves as by default.
    pub fn known_profile(&self, pod: &Value) -> Option<&PodProfile> {
        self.profiles.iter().find(|profile| profile.describes(pod))
    }

    /// The node evicts a pod for lack of a resource: its containers are gone at once, the object stays as Failed.
    ///
    /// # Errors
    /// 404 for a pod that does not exist; what the server refuses.
    pub fn evict(&mut self, key: &str, resource: &str, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let (of, called) = object::split_key(key);
        let Some(pod) = cluster.get("pods", of, called) else {
            return Err(ApiError::new(404, "NotFound", format!("pods \"{called}\" not found")));
        };
        let node = text(&pod, &["spec", "nodeName"]).to_owned();
        let message = format!("The node was low on resource: {resource}. ");
        self.recorder.record_from(cluster, &node, &pod, Note::warning("Evicted", message.clone()));
        schedule.soon(key);
        let status = evicted_status(&pod, &message, cluster.now());
        Client::kubelet(&node).update_status(cluster, "pods", &pod, status)
    }

    /// Takes all steps that are due, and reports.
    fn live(&mut self, key: &str, pod: &Arc<Value>, node: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let now = cluster.now();
        let mut remarks = Vec::new();
        let mut run = match self.runs.remove(key).filter(|run| run.uid == uid(pod)) {
            Some(run) => run,
            None => {
                let (run, begun) = Run::begin(uid(pod), now, &self.traits(pod, node, None, cluster.draws()));
                remarks = begun;
                run
            }
        };
        let mut traits = self.traits(pod, node, Some(&run), cluster.draws());
        if is_deleting(pod) {
            remarks.extend(run.stop(&traits, now, object::time(pod, &["metadata", "deletionTimestamp"]).unwrap_or(now)));
        }
        while let Some(more) = run.step(&traits, now) {
            remarks.extend(more);
            traits = self.traits(pod, node, Some(&run), cluster.draws());
        }
        let removable = is_deleting(pod) && run.stopped(now);
        if run.has_run && run.address.is_empty() {
            run.address = self.next_address();
        }
        if let Some(machine) = self.machines.get_mut(node).filter(|_| run.has_run) {
            machine.images.extend(images(pod));
        }
        if let Some(due) = run.due(&traits, now) {
            schedule.at(due, key);
        }
        self.report(pod, node, &run, &traits, cluster);
        for remark in remarks {
            self.say(pod, node, remark, cluster);
        }
        self.runs.insert(key.to_owned(), run);
        if removable {
            remove(node, cluster, pod);
        }
    }

    fn report(&self, pod: &Value, node: &str, run: &Run, traits: &Traits, cluster: &mut Cluster) {
        let host = self.machines.get(node).map_or("", |machine| machine.address.as_str());
        let now = cluster.now();
        let report = Report { run, ready: run.is_ready(traits, now), host, draws: cluster.draws(), now };
        let next = status::status(pod, &report);
        // A refusal means that the pod changed or went: the commit of that change wakes the kubelet again.
        drop(Client::kubelet(node).update_status(cluster, "pods", pod, next));
    }

    fn next_address(&mut self) -> String {
        self.addresses = self.addresses % ADDRESSES + 1;
        std::net::Ipv4Addr::from(FIRST_ADDRESS + self.addresses - 1).to_string()
    }

    /// What profile, draws and probes come to for the present attempt of a pod.
    fn traits(&self, pod: &Value, node: &str, run: Option<&Run>, draws: &Draws) -> Traits {
        let profile = self.profile(pod);
        let identity = object::key(namespace(pod), name(pod));
        let restarts = run.map_or(0, |run| run.restarts);
        let drawn = |domain: &str, duration: SignedDuration, n: u32| {
            jittered(duration, profile.startup.jitter, draws.fraction(domain, &identity, u64::from(n)))
        };
        let has_images = self.machines.get(node).is_some_and(|machine| images(pod).all(|image| machine.images.contains(&image)));
        let always = items(pod, &["spec", "containers"]).iter().any(|container| text(container, &["imagePullPolicy"]) == "Always");
        let pull = match (has_images, always) {
            (true, false) => SignedDuration::ZERO,
            // The layers are there, only the digest is asked for.
            (true, true) => SignedDuration::from_millis(500),
            (false, _) => drawn("pull", profile.startup.pull, 0),
        };
        let probed = probe(pod, drawn("load", profile.startup.load, restarts));
        Traits {
            pull,
            ready: (profile.failure != Some(Failure::NeverReady)).then_some(probed.ready),
            end: end(&profile, probed.killed, run),
            pull_error: pull_error(&profile, run),
            shutdown: profile.shutdown + longest_pre_stop(pod),
            restart_policy: restart_policy(pod),
        }
    }

    /// Events of a kubelet about the pod's containers.
    fn say(&mut self, pod: &Value, node: &str, remark: Remark, cluster: &mut Cluster) {
        for container in items(pod, &["spec", "containers"]) {
            for note in notes(pod, container, &remark) {
                self.recorder.record_from(cluster, node, pod, note.of_container(text(container, &["name"])));
            }
        }
    }
}

fn notes(pod: &Value, container: &Value, remark: &Remark) -> Vec<Note> {
    let (called, image) = (text(container, &["name"]), text(container, &["image"]));
    match remark {
        Remark::Pulling => vec![Note::normal("Pulling", format!("Pulling image \"{image}\""))],
        Remark::Present => vec![Note::normal("Pulled", format!("Container image \"{image}\" already present on machine"))],
        Remark::Pulled(took) => {
            let took = format!("{}ms", took.as_millis());
            vec![Note::normal("Pulled", format!("Successfully pulled image \"{image}\" in {took} ({took} including waiting)"))]
        }
        Remark::PullFailed(error) => vec![
            Note::warning("Failed", format!("Failed to pull image \"{image}\": {error}")),
            Note::warning("Failed", "Error: ErrImagePull"),
        ],
        Remark::PullBackOff => {
            vec![Note::normal("BackOff", format!("Back-off pulling image \"{image}\"")), Note::warning("Failed", "Error: ImagePullBackOff")]
        }
        Remark::Started => vec![
            Note::normal("Created", format!("Created container: {called}")),
            Note::normal("Started", format!("Started container {called}")),
        ],
        Remark::Unhealthy(which) => vec![
            Note::warning("Unhealthy", format!("{which} probe failed")),
            Note::normal("Killing", format!("Container {called} failed {} probe, will be restarted", which.to_lowercase())),
        ],
        Remark::BackOff => {
            vec![Note::warning("BackOff", format!("Back-off restarting failed container {called} in pod {}", full_name(pod)))]
        }
        Remark::Killing => vec![Note::normal("Killing", format!("Stopping container {called}"))],
    }
}

/// The earlier of the profile's end and the kill by a probe.
fn end(profile: &PodProfile, killed: Option<(SignedDuration, &'static str)>, run: Option<&Run>) -> Option<(SignedDuration, Exit)> {
    let exit = |code: i64, reason: &str, killed_by| Exit { code, reason: reason.to_owned(), killed_by };
    let crash = match &profile.failure {
        Some(Failure::Crash { after, exit_code, reason, times }) if !used_up(*times, run.map_or(0, |run| run.restarts)) => {
            Some((*after, exit(*exit_code, reason, None)))
        }
        _ => None,
    };
    let completion = profile.completes_after.map(|after| (after, exit(0, "Completed", None)));
    let kill = killed.map(|(after, which)| (after, exit(137, "Error", Some(which))));
    [crash, completion, kill].into_iter().flatten().min_by_key(|(after, _)| *after)
}

fn used_up(times: Option<u32>, so_far: u32) -> bool {
    times.is_some_and(|times| so_far >= times)
}

fn pull_error(profile: &PodProfile, run: Option<&Run>) -> Option<String> {
    match &profile.failure {
        Some(Failure::ImagePull { message, times }) if !used_up(*times, run.map_or(0, |run| run.failed_pulls)) => Some(message.clone()),
        _ => None,
    }
}

/// A `preStop` sleep comes before the end of a container.
fn longest_pre_stop(pod: &Value) -> SignedDuration {
    let sleep = |container: &Value| int(container, &["lifecycle", "preStop", "sleep", "seconds"]).unwrap_or(0);
    SignedDuration::from_secs(items(pod, &["spec", "containers"]).iter().map(sleep).max().unwrap_or(0))
}

fn restart_policy(pod: &Value) -> RestartPolicy {
    match text(pod, &["spec", "restartPolicy"]) {
        "Never" => RestartPolicy::Never,
        "OnFailure" => RestartPolicy::OnFailure,
        _ => RestartPolicy::Always,
    }
}

fn images(pod: &Value) -> impl Iterator<Item = String> {
    let containers = items(pod, &["spec", "initContainers"]).iter().chain(items(pod, &["spec", "containers"]));
    containers.map(|container| text(container, &["image"]).to_owned())
}

/// The last word of a kubelet: the pod's containers have ended, the object may go.
fn remove(node: &str, cluster: &mut Cluster, pod: &Value) {
    let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    // A refusal means that it is gone or another one: both are what was wanted.
    drop(Client::kubelet(node).delete(cluster, "pods", pod, options));
}

/// The status and condition of a pod that its node evicts for lack of a resource.
pub fn evicted_status(pod: &Value, message: &str, now: Timestamp) -> Value {
    let mut status = pod.get("status").cloned().unwrap_or_else(|| json!({}));
    status["phase"] = json!("Failed");
    status["reason"] = json!("Evicted");
    status["message"] = json!(message);
    let mut list = items(pod, &["status", "conditions"]).to_vec();
    for entry in list.iter_mut().filter(|entry| ["Ready", "ContainersReady"].contains(&text(entry, &["type"]))) {
        entry["status"] = json!("False");
        entry["reason"] = json!("PodFailed");
        entry["lastTransitionTime"] = json!(object::seconds_text(now));
    }
    let target = super::conditions::Condition::new("DisruptionTarget", "True", "TerminationByKubelet", message);
    super::conditions::set_workload(&mut list, &target, now, false);
    status["conditions"] = json!(list);
    status
}
