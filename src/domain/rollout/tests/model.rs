//! A cluster small enough to be read: it carries out plans write by write and checks the invariants at each.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::command::Command;
use crate::domain::record::{Decision, Record};
use crate::domain::revision::{Failed, RevisionName, RevisionView, Revisions, Workload};
use crate::domain::rollout::{Acceptance, Live, Mark, Plan, Situation, State, Wanted, decide};
use crate::domain::settings::{Hold, Settings, Step, Surge, TrafficMode};
use crate::domain::split::Split;

mod invariants;
mod numbers;
mod people;
mod scalers;

const READY_AFTER: i64 = 20;
const ACCEPTED_AFTER: i64 = 2;

pub(super) fn settings(traffic: TrafficMode) -> Settings {
    let hold = Hold::For(SignedDuration::from_mins(10));
    Settings {
        replicas: 4,
        scaler: None,
        steps: vec![Step { weight: 10, hold }, Step { weight: 50, hold }],
        auto_promote: true,
        max_surge: Surge::Percent(100),
        traffic,
        pins: false,
        headroom_percent: 100,
        drain: SignedDuration::from_secs(30),
        propagation_delay: SignedDuration::from_secs(5),
        scale_down_delay: SignedDuration::from_secs(30),
        progress_deadline: SignedDuration::from_mins(10),
        paused: false,
        analysis: None,
        rollback_history_limit: 10,
        revision_history_limit: 10,
    }
}

#[derive(Default)]
struct Set {
    number: i64,
    served: bool,
    failed: Option<Failed>,
    workload: Option<i32>,
    /// Second at which each pod gets ready.
    pods: Vec<i64>,
}

pub(super) struct Model {
    pub(super) settings: Settings,
    pub(super) wanted: Wanted,
    pub(super) room: Option<usize>,
    pub(super) least_ready: Option<i32>,
    pub(super) most_pods: Option<i32>,
    pub(super) record_writes: usize,
    pub(super) split_writes: usize,
    pub(super) scale_writes: usize,
    pub(super) nanoseconds: i32,
    second: i64,
    generation: i64,
    record: Option<Record>,
    live: Option<(Decision, Split)>,
    written_at: i64,
    sets: BTreeMap<RevisionName, Set>,
    broken: BTreeSet<RevisionName>,
    command: Option<Command>,
    seen: BTreeMap<RevisionName, Vec<i32>>,
    last: Option<Plan>,
    dies_after: Option<usize>,
    pub(super) writes: usize,
    pub(super) checks: Checks,
    pub(super) gateway: Acceptance,
    /// Second at which each revision got the weight that it has, and that weight.
    weighted: BTreeMap<RevisionName, (i32, i64)>,
    worked: BTreeSet<RevisionName>,
    /// Revisions that somebody else scaled: putting that right is no change of ours.
    by_hand: BTreeSet<RevisionName>,
    /// Second of the last change of the settings, which may be followed freely.
    edited: i64,
    judged: Option<Settings>,
    pub(super) numbers: numbers::Numbers,
    pub(super) order: Option<crate::domain::rollback::Order>,
    scalers: BTreeMap<RevisionName, scalers::Acting>,
}

/// Which invariants are checked at each write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Checks {
    Weights,
    All,
}

impl Model {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            wanted: Wanted::Unresolved(crate::domain::rollout::Reason::new("ModelNotFound", "no model")),
            room: None,
            least_ready: None,
            most_pods: None,
            record_writes: 0,
            split_writes: 0,
            scale_writes: 0,
            nanoseconds: 0,
            second: 0,
            generation: 1,
            record: None,
            live: None,
            written_at: 0,
            sets: BTreeMap::new(),
            broken: BTreeSet::new(),
            command: None,
            seen: BTreeMap::new(),
            last: None,
            dies_after: None,
            writes: 0,
            checks: Checks::Weights,
            gateway: Acceptance::Accepted,
            weighted: BTreeMap::new(),
            worked: BTreeSet::new(),
            by_hand: BTreeSet::new(),
            edited: 0,
            judged: None,
            numbers: numbers::Numbers::default(),
            order: None,
            scalers: BTreeMap::new(),
        }
    }

    pub(super) fn want(&mut self, revision: &str) {
        let name = RevisionName::new(revision);
        let number = i64::try_from(self.sets.len()).unwrap() + 1;
        self.sets.entry(name.clone()).or_default().number = number;
        self.wanted = Wanted::Revision(name);
        self.generation += 1;
    }

    pub(super) fn command(&mut self, text: &str) {
        self.command = Some(Command::parse(text));
    }

    pub(super) fn never_ready(&mut self, revision: &str) {
        self.broken.insert(RevisionName::new(revision));
    }

    pub(super) fn ready_again(&mut self, revision: &str) {
        self.broken.remove(&RevisionName::new(revision));
        self.lose_pods(revision);
    }

    pub(super) fn lose_pods(&mut self, revision: &str) {
        self.sets.get_mut(&RevisionName::new(revision)).unwrap().pods.clear();
        self.kubelet();
    }

    pub(super) fn lose_one(&mut self, revision: &str) {
        self.sets.get_mut(&RevisionName::new(revision)).unwrap().pods.pop();
        self.kubelet();
    }

    pub(super) fn lose_status(&mut self) {
        self.record = None;
    }

    pub(super) fn meddle(&mut self, revision: &str, weight: i32) {
        let (_, split) = self.live.as_mut().unwrap();
        *split = Split::between(split.stable.clone(), RevisionName::new(revision), weight);
    }

    pub(super) fn die_after(&mut self, writes: usize) {
        self.dies_after = Some(writes);
        self.writes = 0;
    }

    pub(super) fn state(&self) -> State {
        self.plan().state
    }

    pub(super) fn plan(&self) -> &Plan {
        self.last.as_ref().unwrap()
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::new(self.second, self.nanoseconds).unwrap()
    }

    /// The decision that the cluster carries.
    pub(super) fn carried(&self) -> Option<&Decision> {
        self.live.as_ref().map(|(decision, _)| decision)
    }

    pub(super) fn record(&self) -> &Record {
        self.record.as_ref().unwrap()
    }

    pub(super) fn failed(&self, revision: &str) -> bool {
        self.sets[&RevisionName::new(revision)].failed.is_some()
    }

    pub(super) fn pods(&self, revision: &str) -> i32 {
        self.sets.get(&RevisionName::new(revision)).map_or(0, |set| i32::try_from(set.pods.len()).unwrap())
    }

    pub(super) fn weight_of(&self, revision: &str) -> i32 {
        self.live.as_ref().map_or(0, |(_, split)| split.weight_of(&RevisionName::new(revision)))
    }

    /// Different weights that a revision had one after the other, as written.
    pub(super) fn weights_seen(&self, revision: &str) -> Vec<i32> {
        self.seen.get(&RevisionName::new(revision)).cloned().unwrap_or_default()
    }

    pub(super) fn run(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.tick();
        }
    }

    pub(super) fn run_until(&mut self, reached: impl Fn(&Self) -> bool) {
        for _ in 0..36_000 {
            self.tick();
            if reached(self) {
                return;
            }
        }
        panic!("not reached: {:?}", self.plan());
    }

    pub(super) fn tick(&mut self) {
        self.second += 1;
        if self.second % 3 == 0 {
            self.scale_by_themselves();
        }
        self.kubelet();
        let ready: Vec<RevisionName> = self.sets.keys().filter(|name| self.ready(name) > 0).cloned().collect();
        self.worked.extend(ready);
        self.pass();
        self.pass();
    }

    fn kubelet(&mut self) {
        let mut room = self.room.map_or(usize::MAX, |room| room.saturating_sub(self.sets.values().map(|set| set.pods.len()).sum()));
        for (name, set) in &mut self.sets {
            let wanted = usize::try_from(set.workload.unwrap_or(0)).unwrap();
            room = room.saturating_add(set.pods.len().saturating_sub(wanted));
            set.pods.truncate(wanted);
            let ready = if self.broken.contains(name) { i64::MAX } else { self.second + READY_AFTER };
            while set.pods.len() < wanted && room > 0 {
                set.pods.push(ready);
                room -= 1;
            }
        }
        self.check_capacity();
    }

    fn check_capacity(&self) {
        let ready: i32 = self.sets.keys().map(|name| self.ready(name)).sum();
        assert!(self.least_ready.is_none_or(|least| ready >= least), "ready {ready} at {}", self.second);
        let asked: i32 = self.sets.values().map(|set| set.workload.unwrap_or(0)).sum();
        assert!(self.most_pods.is_none_or(|most| asked <= most), "asked {asked} at {}", self.second);
    }

    fn ready(&self, name: &RevisionName) -> i32 {
        let ready = self.sets[name].pods.iter().filter(|at| **at <= self.second).count();
        i32::try_from(ready).unwrap()
    }

    fn revisions(&self) -> Revisions {
        let view = |(name, set): (&RevisionName, &Set)| {
            let workload = set.workload.map(|replicas| Workload { replicas, ..Workload::default() });
            let total = i32::try_from(set.pods.len()).unwrap();
            let short = set.workload.is_some_and(|wanted| wanted > total);
            let pods = crate::domain::revision::Pods {
                total,
                ready: self.ready(name),
                unschedulable: short.then(|| "Insufficient nvidia.com/gpu".to_owned()),
                trouble: None,
            };
            let (version, failed) = (name.to_string(), set.failed.clone());
            (
                name.clone(),
                RevisionView {
                    number: set.number,
                    version,
                    served: set.served || self.in_history(name),
                    failed,
                    workload,
                    scaler: self.scaler_of(name),
                    pods,
                },
            )
        };
        self.sets.iter().map(view).collect()
    }

    fn in_history(&self, name: &RevisionName) -> bool {
        self.record.as_ref().is_some_and(|record| record.history.iter().any(|served| served.revision == *name))
    }

    fn live(&self) -> Live {
        let by_pods = self.settings.traffic == TrafficMode::ReplicaRatio;
        let taken = self.live.is_some() && self.second >= self.written_at + ACCEPTED_AFTER;
        Live {
            decision: self.live.as_ref().map(|(decision, _)| decision.clone()),
            intact: self.live.as_ref().is_some_and(|(decision, split)| decision.split == *split),
            acceptance: match &self.gateway {
                _ if by_pods => Acceptance::Accepted,
                Acceptance::Accepted if !taken => Acceptance::Pending,
                answer => answer.clone(),
            },
        }
    }

    pub(super) fn pass(&mut self) {
        self.size();
        if self.judged.as_ref() != Some(&self.settings) {
            (self.edited, self.judged) = (self.second, Some(self.settings.clone()));
        }
        let revisions = self.revisions();
        let live = self.live();
        let plan = decide(&Situation {
            now: self.now(),
            generation: self.generation,
            settings: &self.settings,
            wanted: &self.wanted,
            revisions: &revisions,
            live: &live,
            record: self.record.as_ref(),
            command: self.command.as_ref(),
            rollback: self.order.as_ref(),
            answers: &self.numbers.answers,
            asked: &self.numbers.until,
        });
        self.last = Some(plan.clone());
        self.carry_out(plan.clone());
        self.answer(&plan);
    }

    /// Counts a write; `false` when the operator dies before it.
    fn alive(&mut self) -> bool {
        self.writes += 1;
        if self.dies_after.is_some_and(|index| self.writes > index) {
            self.dies_after = None;
            return false;
        }
        true
    }

    fn carry_out(&mut self, plan: Plan) {
        // `None` once the operator is dead.
        let _ = self.write_all(plan);
    }

    fn write_all(&mut self, plan: Plan) -> Option<()> {
        for (name, pods) in &plan.workloads {
            if self.sets[name].workload.is_none() {
                self.alive().then_some(())?;
                self.resize(name, Some(*pods), &plan);
            }
        }
        if let Some(decision) = &plan.split
            && self.live.as_ref() != Some(&(decision.clone(), decision.split.clone()))
        {
            self.alive().then_some(())?;
            self.write_split(decision);
        }
        self.write_scalers(&plan)?;
        for (name, pods) in &plan.scale {
            assert!(!self.scalers.contains_key(name), "{name} is scaled beside its scaler");
            self.alive().then_some(())?;
            self.scale_writes += 1;
            self.resize(name, Some(*pods), &plan);
        }
        for name in &plan.remove {
            self.alive().then_some(())?;
            assert_eq!(self.live.as_ref().map_or(0, |(_, split)| split.weight_of(name)), 0, "{name} is removed with weight");
            self.scalers.remove(name);
            self.resize(name, None, &plan);
        }
        self.write_marks(&plan)?;
        if plan.record.is_some() && plan.record != self.record {
            self.alive().then_some(())?;
            self.record_writes += 1;
            self.record = plan.record;
        }
        Some(())
    }

    fn resize(&mut self, name: &RevisionName, pods: Option<i32>, plan: &Plan) {
        if self.checks == Checks::All && !self.by_hand.remove(name) {
            self.check_resize(name, pods.unwrap_or(0), plan);
        }
        self.sets.get_mut(name).unwrap().workload = pods;
        self.kubelet();
    }

    fn write_marks(&mut self, plan: &Plan) -> Option<()> {
        for (name, mark) in &plan.marks {
            self.alive().then_some(())?;
            let set = self.sets.get_mut(name).unwrap();
            match mark {
                Mark::Served => set.served = true,
                Mark::Failed(reason) => set.failed = Some(Failed { reason: reason.clone(), generation: self.generation }),
                Mark::FailedInService(reason) => {
                    set.served = true;
                    set.failed = Some(Failed { reason: reason.clone(), generation: self.generation });
                }
                Mark::Retried => set.failed = None,
            }
        }
        Some(())
    }

    /// Pinned requests count as weight.
    fn check_pins(&self, decision: &Decision) {
        let opened = self.live.as_ref().is_some_and(|(live, _)| live.opens_candidate() && live.split.stable == decision.split.stable);
        let Some(share) = decision.split.candidate.as_ref().filter(|_| self.settings.pins && decision.opens_candidate()) else { return };
        let others: i32 = self.sets.keys().filter(|other| **other != share.revision).map(|other| self.ready(other)).sum();
        assert!(
            opened || self.ready(&share.revision) > 0 || others == 0,
            "I02: {} is pinned to without pods: {}",
            share.revision,
            decision.reason
        );
    }

    fn write_split(&mut self, decision: &Decision) {
        let before = self.live.as_ref().map(|(_, split)| split.clone());
        for (name, weight) in decision.split.entries() {
            let was = before.as_ref().map_or(weight, |split| split.weight_of(name));
            let others_ready: i32 = self.sets.keys().filter(|other| *other != name).map(|other| self.ready(other)).sum();
            // A widened Service gives traffic to ready pods only, whatever its weights say.
            let widened = self.settings.traffic == TrafficMode::ReplicaRatio && weight < 100;
            let ours = self.live.as_ref().is_none_or(|(decision, split)| decision.split == *split);
            assert!(
                !ours || widened || weight <= was || self.ready(name) > 0 || others_ready == 0,
                "I02: {name} from {was} to {weight} without pods: {:?} {}",
                decision.cause,
                decision.reason
            );
        }
        self.check_pins(decision);
        if let Some(share) = &decision.split.candidate {
            let seen = self.seen.entry(share.revision.clone()).or_default();
            if seen.last() != Some(&share.weight) && !(seen.is_empty() && share.weight == 0) {
                seen.push(share.weight);
            }
        }
        self.split_writes += 1;
        self.written_at = self.second;
        self.live = Some((decision.clone(), decision.split.clone()));
        self.note_weights();
    }
}
