//! Requests from outside, what becomes of them, and the metrics that they leave.
//!
//! Takes demands, the cluster, the routes that the gateway serves and how pods serve; every window of virtual time ([`TICK`]) it draws
//! how many requests arrived, sends them where the stored objects say, and lets pods and gateways count them. A scraper keeps
//! what they expose, and the truth is kept beside it. Everything is counted in aggregates: a window costs as much as there are
//! pods, not as there are requests. Every draw depends on the seed, on whom it is for and on the number of the window, never
//! on the order of events. It writes nothing to the cluster, and without demands it does not exist.

pub mod arrivals;
pub mod backend;
mod books;
mod changes;
pub mod demand;
pub mod facts;
pub mod gateway_meter;
pub mod latency;
mod matching;
mod pod;
mod pod_meter;
mod queue;
mod registry;
pub mod routing;
pub mod sampling;
pub mod scraper;
pub mod serving;
pub mod truth;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::books::Books;
use self::changes::Changes;
use self::demand::Demand;
use self::facts::Facts;
use self::gateway_meter::GatewayFlavour;
use self::pod::Pod;
use self::routing::{Plan, Routes, may_take, plan};
use self::scraper::Scraper;
use self::truth::Truth;
use crate::sim::actors::{Actors, object};
use crate::sim::cluster::{Cluster, Commit};
use crate::sim::promql::Storage;

/// Usual length of a window: requests of one window are drawn and served together.
pub const TICK: SignedDuration = SignedDuration::from_secs(5);
/// What a pod uses is a mean over so long, as the metrics APIs tell it, or over a window if that is longer.
const USE: SignedDuration = SignedDuration::from_secs(15);

/// What traffic is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The demands.
    pub demands: Vec<Demand>,
    /// The names of gateways' metrics.
    pub gateway: GatewayFlavour,
    /// Time between two scrapes of a target.
    pub scrape_interval: SignedDuration,
    /// How long samples are kept.
    pub retention: SignedDuration,
    /// Length of a window. Longer ones than [`TICK`] cost less and show less: what a pod uses, and what it counts, changes at the end
    /// of a window only.
    pub window: SignedDuration,
}

impl Settings {
    /// These demands, and everything else as usual.
    pub fn of(demands: Vec<Demand>) -> Self {
        Self {
            demands,
            gateway: GatewayFlavour::default(),
            scrape_interval: scraper::INTERVAL,
            retention: scraper::RETENTION,
            window: TICK,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Traffic {
    demands: Vec<Demand>,
    /// What each demand is called in draws.
    identities: Vec<String>,
    start: Timestamp,
    /// Length of a window.
    window: SignedDuration,
    windows: u64,
    plans: Option<Plans>,
    /// What was written since the plans were made.
    changes: Changes,
    /// Demands that something has taken at some time.
    found: Vec<bool>,
    pods: BTreeMap<String, Pod>,
    books: Books,
    scraper: Scraper,
}

/// Plans, and of what they were made.
#[derive(Debug)]
struct Plans {
    revision: u64,
    /// How often routes of the data plane had changed.
    programmed: u64,
    routes: Routes,
    plans: Vec<Plan>,
}

impl Traffic {
    /// Requests come from `start` on.
    pub fn new(settings: Settings, start: Timestamp) -> Self {
        let Settings { demands, gateway, scrape_interval, retention, window } = settings;
        Self {
            identities: demands.iter().enumerate().map(|(index, demand)| format!("{index}/{}", demand.to)).collect(),
            start,
            window,
            windows: 0,
            plans: None,
            changes: Changes::default(),
            found: vec![false; demands.len()],
            pods: BTreeMap::new(),
            books: Books::new(demands.len(), gateway),
            scraper: Scraper::new(start, scrape_interval, retention),
            demands,
        }
    }

    /// What really happened.
    pub fn truth(&self) -> &Truth {
        &self.books.truth
    }

    /// Up to when requests have been served: the truth is complete up to then.
    pub fn served_until(&self) -> Timestamp {
        self.end_of(self.windows).unwrap_or(Timestamp::MAX)
    }

    /// What was scraped.
    pub fn storage(&self) -> &Storage {
        self.scraper.storage()
    }

    /// Whether a route or a Service has taken each demand at some time.
    pub fn found(&self) -> &[bool] {
        &self.found
    }

    /// End of the last window.
    pub fn counted_until(&self) -> Timestamp {
        let elapsed = SignedDuration::from_millis(self.window.as_millis() as i64 * i64::try_from(self.windows).unwrap_or(0));
        self.start.checked_add(elapsed).unwrap_or(self.start)
    }

    /// How many requests a pod (`namespace/name`) worked on at a time, on average over the last windows that make up
    /// [`WINDOW`](crate::sim::metrics_api::WINDOW), or over the last one if it is longer.
    pub fn busy(&self, pod: &str) -> f64 {
        self.pods.get(pod).map_or(0.0, Pod::busy)
    }

    /// When something is next to be done.
    pub fn next_due(&self) -> Option<Timestamp> {
        let scrape = self.scraper.next_due();
        [self.end_of_window(), scrape].into_iter().flatten().min()
    }

    /// The end of the window that runs; none at the end of time.
    fn end_of_window(&self) -> Option<Timestamp> {
        self.end_of(self.windows + 1)
    }

    /// The end of so many windows; none beyond the end of time.
    fn end_of(&self, windows: u64) -> Option<Timestamp> {
        let windows = i64::try_from(windows).ok()?;
        let elapsed = SignedDuration::from_millis(self.window.as_millis() as i64 * windows);
        self.start.checked_add(elapsed).ok()
    }

    /// How pods behave has changed.
    pub fn look_again(&mut self) {
        self.plans = None;
    }

    /// Does what is due at `now`.
    pub fn run(&mut self, now: Timestamp, cluster: &Cluster, actors: &Actors) {
        while self.end_of_window().is_some_and(|end| end <= now) {
            self.refresh(now, cluster, actors);
            self.window(cluster.draws(), actors);
            self.windows += 1;
        }
        while let Some(id) = self.scraper.take_due(now) {
            self.scrape(&id, now, actors);
        }
    }

    /// Hears of everything that is written.
    pub fn notice(&mut self, commit: &Commit) {
        self.changes.notice(commit);
    }

    /// Looks at pods and routes again, as far as something was written since the last look. Every commit must have been shown to
    /// [`Traffic::notice`].
    pub fn refresh(&mut self, now: Timestamp, cluster: &Cluster, actors: &Actors) {
        let programmed = actors.gateways.programmed_changes();
        let changes = std::mem::take(&mut self.changes);
        let known = self.plans.take().filter(|_| !changes.everything);
        let Some(mut known) = known else { return self.look_at_everything(now, cluster, actors) };
        if known.revision != cluster.revision() || known.programmed != programmed {
            self.meet_changed_pods(&changes.pods, now, cluster, actors);
            let again = self.to_plan_again(&mut known, &changes, actors);
            for index in &again {
                known.plans[*index] = plan(&self.demands[*index], cluster, &known.routes);
                self.found[*index] |= known.plans[*index].found;
            }
            self.meet_gateways(again.iter().map(|index| &known.plans[*index]), now, cluster);
            (known.revision, known.programmed) = (cluster.revision(), programmed);
        }
        self.plans = Some(known);
    }

    fn look_at_everything(&mut self, now: Timestamp, cluster: &Cluster, actors: &Actors) {
        self.meet_pods(now, cluster, actors);
        let routes = routes(actors);
        let plans: Vec<Plan> = self.demands.iter().map(|demand| plan(demand, cluster, &routes)).collect();
        for (found, plan) in self.found.iter_mut().zip(&plans) {
            *found |= plan.found;
        }
        self.meet_gateways(plans.iter(), now, cluster);
        self.plans = Some(Plans { revision: cluster.revision(), programmed: actors.gateways.programmed_changes(), routes, plans });
    }

    /// Which demands may go elsewhere now: those of changed routes, and those that a changed Service serves. The routes are
    /// those of now afterwards.
    fn to_plan_again(&self, known: &mut Plans, changes: &Changes, actors: &Actors) -> Vec<usize> {
        let mut changed: Vec<Arc<Value>> = Vec::new();
        if known.programmed != actors.gateways.programmed_changes() {
            let before = std::mem::replace(&mut known.routes, routes(actors));
            let differs = |one: &Routes, key: &String, route: &Arc<Value>| one.get(key).is_none_or(|other| !Arc::ptr_eq(other, route));
            changed.extend(before.iter().filter(|(key, route)| differs(&known.routes, key, route)).map(|(_, route)| Arc::clone(route)));
            changed.extend(known.routes.iter().filter(|(key, route)| differs(&before, key, route)).map(|(_, route)| Arc::clone(route)));
        }
        if changed.is_empty() && changes.services.is_empty() {
            return Vec::new();
        }
        let affected = |index: &usize| {
            let demand = &self.demands[*index];
            changed.iter().any(|route| may_take(route, demand)) || known.plans[*index].rests_on(demand, &changes.services)
        };
        (0..self.demands.len()).filter(affected).collect()
    }

    fn meet_pods(&mut self, now: Timestamp, cluster: &Cluster, actors: &Actors) {
        let present = cluster.list("pods", None);
        let keys: BTreeSet<String> = present.iter().map(|pod| object::key(object::namespace(pod), object::name(pod))).collect();
        let all = keys.into_iter().chain(self.pods.keys().cloned()).collect();
        self.meet_changed_pods(&all, now, cluster, actors);
    }

    /// Over how many windows the use of a pod is a mean.
    fn windows_of_use(&self) -> usize {
        let whole = USE.as_millis() / self.window.as_millis().max(1);
        usize::try_from(whole).unwrap_or(1).max(1)
    }

    /// Pods that are gone first, then those that are there, each in the order of their keys.
    fn meet_changed_pods(&mut self, keys: &BTreeSet<String>, now: Timestamp, cluster: &Cluster, actors: &Actors) {
        let mut present = Vec::new();
        for key in keys {
            let (of, called) = object::split_key(key);
            let pod = cluster.get("pods", of, called);
            let facts = pod.and_then(|pod| Facts::of(&pod, actors.pods.profile(&pod).serving));
            let is_gone = |pod: &Pod| facts.as_ref().is_none_or(|facts| facts.uid != pod.facts.uid);
            if self.pods.get(key).is_some_and(is_gone)
                && let Some(mut pod) = self.pods.remove(key)
            {
                pod.cut_off(&mut self.books);
                self.scraper.forget(&pod_target(&pod.facts), now);
            }
            present.extend(facts);
        }
        let windows = self.windows_of_use();
        for facts in present {
            self.scraper.follow(&pod_target(&facts), &facts.target(), now, cluster.draws());
            match self.pods.get_mut(&facts.key) {
                Some(pod) => pod.follow(facts, &mut self.books),
                None => drop(self.pods.insert(facts.key.clone(), Pod::new(facts, windows))),
            }
        }
    }

    /// Gateways that serve a demand are scraped for as long as they exist.
    fn meet_gateways<'a>(&mut self, plans: impl Iterator<Item = &'a Plan>, now: Timestamp, cluster: &Cluster) {
        for gateway in plans.flat_map(|plan| &plan.branches).filter_map(|branch| branch.via.gateway.as_deref()) {
            let target = self.books.open(gateway).target().to_vec();
            self.scraper.follow(&gateway_target(gateway), &target, now, cluster.draws());
        }
        let exists = |gateway: &str| {
            let (namespace, name) = gateway.split_once('/').unwrap_or(("", gateway));
            cluster.get("gateways.gateway.networking.k8s.io", namespace, name).is_some()
        };
        let gone: Vec<String> = self.books.gateways.keys().filter(|gateway| !exists(gateway)).cloned().collect();
        for gateway in gone {
            self.books.gateways.remove(&gateway);
            self.scraper.forget(&gateway_target(&gateway), now);
        }
    }

    fn scrape(&mut self, id: &str, now: Timestamp, actors: &Actors) {
        let Some((kind, rest)) = id.split_once('/') else { return };
        let (run, exposed) = if kind == "pod" {
            let key = rest.rsplit_once('/').map_or(rest, |(key, _)| key);
            let answering = |pod: &&Pod| !pod.facts.run.is_empty() && actors.pods.is_up(&pod.facts.node);
            let pod = self.pods.get(key).filter(answering);
            (pod.map(Pod::run).unwrap_or_default(), pod.map(|pod| &pod.registry))
        } else {
            (String::new(), self.books.gateways.get(rest))
        };
        self.scraper.keep(id, &run, exposed, now);
    }
}

/// What the data plane serves now.
fn routes(actors: &Actors) -> Routes {
    actors.gateways.all_programmed().map(|(key, route)| (key.to_owned(), Arc::clone(route))).collect()
}

fn pod_target(facts: &Facts) -> String {
    format!("pod/{}/{}", facts.key, facts.uid)
}

fn gateway_target(gateway: &str) -> String {
    format!("gateway/{gateway}")
}

#[cfg(test)]
mod tests;
