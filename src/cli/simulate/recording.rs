//! Records a play for its page, while it runs.
//!
//! Takes the commits of a cluster and, now and then, what really happened to requests; gives a [`Recording`], bounded in size
//! however long the play is; beside it, some counters of every pod are remembered. Pods are told apart by labels that the caller names. Watches only: a recorded play is the same as
//! one that is not.

mod judging;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::line::Line;
use super::report_page::data::{Bin, Bins, Counts, Ended, Group, LINES_MAX, Recording, Subject, Workload};
use crate::sim::cluster::Commit;
use crate::sim::traffic::truth::{Tally, Truth};
use crate::sim::traffic::{TICK, Traffic};

/// Labels of pods and workloads, and where weights stand.
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    /// Names the deployment.
    pub deployment: &'static str,
    /// Names the version.
    pub version: &'static str,
    /// Names the revision.
    pub revision: &'static str,
    /// Storage key of the deployments, whose status has weights (`stable` and `candidate` with `version` and `weight`) and an
    /// `analysis`.
    pub deployments: &'static str,
}

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    labels: Labels,
    recording: Recording,
    /// The version of every pod that ever was, by `namespace/name`.
    pods: BTreeMap<String, Group>,
    seen: Seen,
}

/// What requests had come to when the last interval ended.
#[derive(Debug, Default)]
struct Seen {
    until: SignedDuration,
    sent: u64,
    unserved: u64,
    pods: BTreeMap<String, Counts>,
}

impl Recorder {
    /// Nothing has happened yet.
    pub fn new(world: &str, seed: u64, start: Timestamp, labels: Labels) -> Self {
        let recording = Recording {
            world: world.to_owned(),
            seed,
            start,
            end: Ended::default(),
            lines: Vec::new(),
            lines_left_out: 0,
            warnings: Vec::new(),
            requests: None,
            weights: BTreeMap::new(),
            replicas: BTreeMap::new(),
            judgements: BTreeMap::new(),
        };
        Self { labels, recording, pods: BTreeMap::new(), seen: Seen::default() }
    }

    /// What was recorded so far; how it ended is for the caller to say.
    pub fn recording(&mut self) -> &mut Recording {
        &mut self.recording
    }

    /// Takes the next commit.
    pub fn notice(&mut self, commit: &Commit) {
        let Some(object) = commit.after.as_deref().or(commit.before.as_deref()) else { return };
        let at = commit.at.duration_since(self.recording.start);
        let there = commit.after.is_some();
        match commit.resource.as_str() {
            "pods" => {
                let group = self.group(object);
                self.pods.insert(format!("{}/{}", commit.namespace, commit.name), group);
            }
            "deployments.apps" => self.workload(at, object, there),
            key if key == self.labels.deployments => {
                self.weights(at, object, there);
                judging::judge(&mut self.recording, at, object);
            }
            _ => {}
        }
    }

    /// Takes lines of the timeline.
    pub fn lines(&mut self, lines: &[Line]) {
        let room = LINES_MAX.saturating_sub(self.recording.lines.len()).min(lines.len());
        self.recording.lines.extend_from_slice(&lines[..room]);
        self.recording.lines_left_out += lines.len() - room;
    }

    /// Looks at the requests, if an interval is over.
    pub fn look(&mut self, traffic: Option<&Traffic>) {
        self.look_at(traffic, false);
    }

    /// Looks at the requests for the last time: the last interval may be shorter than the others.
    pub fn look_last(&mut self, traffic: Option<&Traffic>) {
        self.look_at(traffic, true);
    }

    fn look_at(&mut self, traffic: Option<&Traffic>, last: bool) {
        let Some(traffic) = traffic else { return };
        let until = traffic.served_until().duration_since(self.recording.start);
        let bins = self.recording.requests.get_or_insert_with(|| Bins::new(TICK));
        let is_over = until >= bins.next_end() || last;
        if is_over && until > self.seen.until {
            bins.push(self.seen.bin(until, traffic.truth(), &self.pods));
        }
    }

    fn group(&self, object: &Value) -> Group {
        Group { subject: self.subject(object), version: label(object, self.labels.version) }
    }

    fn subject(&self, object: &Value) -> Subject {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        Subject { namespace, deployment: label(object, self.labels.deployment) }
    }

    fn workload(&mut self, at: SignedDuration, object: &Value, there: bool) {
        let Group { subject, version } = self.group(object);
        let name = || object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let revision = Some(label(object, self.labels.revision)).filter(|label| !label.is_empty()).unwrap_or_else(name);
        let replicas = self.recording.replicas.entry(Workload { subject, revision, version }).or_default();
        let number = |value: &Value, absent: f64| there.then(|| value.as_f64().unwrap_or(absent));
        replicas.asked.set(at, number(&object["spec"]["replicas"], 1.0));
        replicas.ready.set(at, number(&object["status"]["readyReplicas"], 0.0));
    }

    fn weights(&mut self, at: SignedDuration, object: &Value, there: bool) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let subject = Subject { namespace: text("namespace"), deployment: text("name") };
        let mut weights: BTreeMap<Group, f64> = BTreeMap::new();
        for part in ["stable", "candidate"].iter().filter(|_| there).map(|part| &object["status"][part]) {
            if let (Some(version), Some(weight)) = (part["version"].as_str(), part["weight"].as_f64()) {
                *weights.entry(Group { subject: subject.clone(), version: version.to_owned() }).or_default() += weight;
            }
        }
        let known: BTreeSet<Group> = self.recording.weights.keys().filter(|group| group.subject == subject).cloned().collect();
        for group in known.into_iter().chain(weights.keys().cloned().collect::<Vec<_>>()) {
            let weight = weights.get(&group).copied();
            self.recording.weights.entry(group).or_default().set(at, weight);
        }
    }
}

fn label(object: &Value, key: &str) -> String {
    object["metadata"]["labels"][key].as_str().unwrap_or_default().to_owned()
}

impl Seen {
    /// What has come since.
    fn bin(&mut self, until: SignedDuration, truth: &Truth, versions: &BTreeMap<String, Group>) -> Bin {
        let sum = |part: fn(&Tally) -> u64| truth.demands.iter().map(part).sum::<u64>();
        let sent = sum(|tally| tally.arrived);
        let unserved = sum(|tally| tally.unrouted + tally.unserved + tally.misrouted);
        let mut bin = Bin { from: self.until, to: until, sent: sent - self.sent, unserved: unserved - self.unserved, ..Bin::default() };
        (self.until, self.sent, self.unserved) = (until, sent, unserved);
        for (pod, tally) in &truth.pods {
            let counts = counts(tally, truth.durations.get(pod));
            let before = self.pods.get(pod);
            if before == Some(&counts) {
                continue;
            }
            if let Some(group) = versions.get(pod) {
                bin.groups.entry(group.clone()).or_default().add(&before.map_or_else(|| counts.clone(), |before| counts.since(before)));
            }
            self.pods.insert(pod.clone(), counts);
        }
        bin
    }
}

fn counts(tally: &Tally, durations: Option<&Vec<u64>>) -> Counts {
    Counts {
        arrived: tally.arrived,
        answered: tally.answered,
        errors: tally.failed + tally.refused + tally.timed_out + tally.broken,
        durations: durations.cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
pub(in crate::cli::simulate) mod tests;
