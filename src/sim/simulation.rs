//! A simulated cluster that lives: the cluster, its actors, and their schedule, in virtual time.
//!
//! Takes requests through [`Simulation::cluster`] (call [`Simulation::settle`] after each) and the passing of time
//! ([`Simulation::advance`]); gives what controllers, scheduler, kubelets and gateways of a cluster would make of it. The
//! same seed and the same requests at the same times give the same bytes. When nothing changes, nothing is scheduled.

mod hooks;
mod metrics;
mod metrics_apis;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

pub use self::schedule::{Reaction, Schedule};
pub use self::settings::Settings;
use crate::sim::actors::{self, Actors};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Change, Cluster, Commit, Identity};
use crate::sim::metrics_api::http;
use crate::sim::metrics_api::servers::MetricsServers;
use crate::sim::routes::{ApiRequest, Served};
use crate::sim::service::World;
use crate::sim::traffic::{Traffic, backend};

/// Somebody who wants to see every commit, with the cluster after it.
pub type CommitObserver = Box<dyn FnMut(&Commit, &Cluster) + Send>;

/// A cluster with its actors.
pub struct Simulation {
    /// The cluster itself; requests go to it.
    pub cluster: Cluster,
    actors: Option<Actors>,
    schedule: Schedule,
    observers: Vec<CommitObserver>,
    traffic: Option<Traffic>,
    metrics_fault: Option<backend::Fault>,
    metrics_servers: MetricsServers,
    /// How often machines, profiles, traffic or samples that were set have changed: what pods use follows from them.
    usage_changes: u64,
}

impl World for Simulation {
    fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    fn settle(&mut self) {
        Self::settle(self);
    }

    fn next_due(&mut self) -> Option<Timestamp> {
        Self::next_due(self)
    }

    /// Traffic changes no object: it is caught up with when somebody asks.
    fn next_seen(&mut self) -> Option<Timestamp> {
        [self.schedule.next_due(), self.cluster.next_deadline()].into_iter().flatten().min()
    }

    fn advance(&mut self, to: Timestamp) {
        Self::advance(self, to);
    }

    fn ask_metrics(&mut self, request: &ApiRequest, path: &str) -> Option<Served> {
        Some(Self::ask_metrics(self, request, path))
    }

    fn ask_metrics_apis(&mut self, asked: &http::Asked) -> Option<Result<Value, ApiError>> {
        Self::ask_metrics_apis(self, asked)
    }
}

impl Simulation {
    /// A cluster with all actors and the default machines.
    pub fn new(seed: u64, epoch: Timestamp) -> Self {
        Self::with(seed, epoch, Settings::default())
    }

    /// A cluster with all actors, as described.
    ///
    /// Machines that the server refuses (a malformed quantity) are left out: check [`Settings`] with
    /// [`Simulation::add_nodes`] on data from outside.
    pub fn with(seed: u64, epoch: Timestamp, settings: Settings) -> Self {
        let mut simulation = Self::bare(seed, epoch, settings.reaction);
        let mut actors = Actors::default();
        actors.set_events(settings.events);
        actors.gateways.set_behaviour(settings.gateway);
        if settings.keda {
            actors.keda.enable();
        }
        simulation.actors = Some(actors);
        simulation.cluster.kinds.serve_metrics_apis();
        simulation.adopt_present_objects();
        simulation.set_pod_profiles(settings.pod_profiles);
        for group in &settings.nodes {
            let created = simulation.add_nodes(group);
            debug_assert!(created.is_ok(), "{created:?}");
        }
        simulation
    }

    /// A cluster where nothing happens by itself: the API server alone.
    pub fn without_actors(seed: u64, epoch: Timestamp) -> Self {
        Self::bare(seed, epoch, Reaction::default())
    }

    fn bare(seed: u64, epoch: Timestamp, reaction: Reaction) -> Self {
        let cluster = Cluster::new(seed, epoch);
        let schedule = Schedule::new(*cluster.draws(), epoch, reaction);
        Self {
            cluster,
            actors: None,
            schedule,
            observers: Vec::new(),
            traffic: None,
            metrics_fault: None,
            metrics_servers: MetricsServers::default(),
            usage_changes: 0,
        }
    }

    /// Shows the actors what exists already, as if it had just been created.
    fn adopt_present_objects(&mut self) {
        self.cluster.take_commits();
        let resources: Vec<String> = self.cluster.kinds().preferred().map(|resource| resource.storage_key.clone()).collect();
        for resource in resources {
            for object in self.cluster.list(&resource, None) {
                let commit = Commit {
                    revision: self.cluster.revision(),
                    at: self.cluster.now(),
                    resource: resource.clone(),
                    namespace: crate::sim::actors::object::namespace(&object).to_owned(),
                    name: crate::sim::actors::object::name(&object).to_owned(),
                    change: Change::Added,
                    before: None,
                    after: Some(object),
                    who: Identity::default(),
                    manager: String::new(),
                    subresource: None,
                };
                self.show(&commit);
            }
        }
    }

    fn show(&mut self, commit: &Commit) {
        let Some(actors) = &mut self.actors else { return };
        for (number, actor) in actors.all().into_iter().enumerate() {
            self.schedule.set_actor(class(number));
            actor.notice(commit, &self.cluster, &mut self.schedule);
        }
    }

    /// Hands the commits since the last call to the actors; nothing is written by that.
    pub fn settle(&mut self) {
        self.schedule.set_now(self.cluster.now());
        for commit in self.cluster.take_commits() {
            for observer in &mut self.observers {
                observer(&commit, &self.cluster);
            }
            if let Some(traffic) = &mut self.traffic {
                traffic.notice(&commit);
            }
            self.show(&commit);
        }
    }

    /// Shows every commit from now on to `observer`, right after the request or action that made it.
    pub fn observe(&mut self, observer: CommitObserver) {
        self.observers.push(observer);
    }

    /// When something happens next by itself: an actor acts, a watch gets a bookmark, a CRD is established, traffic is served.
    pub fn next_due(&self) -> Option<Timestamp> {
        let traffic = self.traffic.as_ref().and_then(Traffic::next_due);
        [self.schedule.next_due(), self.cluster.next_deadline(), traffic].into_iter().flatten().min()
    }

    /// No actor has anything left to do, and no CRD is on its way: only requests, bookmarks of watches, traffic, which
    /// changes no object, and looks of autoscalers that would change nothing by the same metrics are to come.
    pub fn is_quiet(&self) -> bool {
        self.schedule.is_quiet() && !self.cluster.has_commits() && self.cluster.next_deadline() == self.cluster.watch_deadlines()
    }

    /// Lets time pass up to `to` (the past is now): everything that is due happens, in order.
    pub fn advance(&mut self, to: Timestamp) {
        self.settle();
        loop {
            self.run_traffic(to);
            let Some(due) = self.next_due().filter(|due| *due <= to) else { break };
            self.run_instant(due);
        }
        self.run_instant(to.max(self.cluster.now()));
    }

    /// Lets time pass until nothing is left to do or `limit` is reached; gives the time then.
    pub fn run_until_quiet(&mut self, limit: Timestamp) -> Timestamp {
        self.settle();
        while !self.is_quiet() {
            match self.next_due().filter(|due| *due <= limit) {
                Some(due) => self.run_instant(due),
                None => break,
            }
        }
        self.cluster.now()
    }

    /// Everything that is due at one instant.
    fn run_instant(&mut self, at: Timestamp) {
        self.cluster.set_now(at);
        self.schedule.set_now(at);
        self.cluster.tick();
        self.settle();
        self.run_actors();
        if let (Some(traffic), Some(actors)) = (&mut self.traffic, &self.actors) {
            traffic.run(at, &self.cluster, actors);
        }
    }

    /// The instants up to `to` at which nothing but traffic is due, as far as they come before everything else.
    fn run_traffic(&mut self, to: Timestamp) {
        let (Some(traffic), Some(actors)) = (&mut self.traffic, &self.actors) else { return };
        let other = [self.schedule.next_due(), self.cluster.next_deadline()].into_iter().flatten().min();
        while let Some(due) = traffic.next_due().filter(|due| *due <= to && other.is_none_or(|other| *due < other)) {
            self.cluster.set_now(due);
            self.cluster.tick();
            if self.cluster.has_commits() {
                break;
            }
            traffic.run(due, &self.cluster, actors);
        }
        self.schedule.set_now(self.cluster.now());
    }

    fn run_actors(&mut self) {
        while let Some((number, key)) = self.schedule.pop() {
            let Some(present) = &mut self.actors else { return };
            self.schedule.set_actor(number);
            if [actors::AUTOSCALERS, actors::KEDA].map(class).contains(&number) {
                self.look_with_metrics(number, &key);
            } else if let Some(actor) = present.all().into_iter().nth(usize::from(number)) {
                actor.act(&key, &mut self.cluster, &mut self.schedule);
            }
            self.settle();
        }
    }

    /// The schedule, for reports and tests.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

fn class(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
