//! Requests from outside, what becomes of them, and the metrics that they leave.
//!
//! Takes demands, the cluster, the routes that the gateway serves and how pods serve; every [`TICK`] of virtual time it draws
//! how many requests arrived, sends them where the stored objects say, and lets pods and gateways count them. A scraper keeps
//! what they expose, and the truth is kept beside it. Everything is counted in aggregates: a window costs as much as there are
//! pods, not as there are requests. Every draw depends on the seed, on whom it is for and on the number of the window, never
//! on the order of events. It writes nothing to the cluster, and without demands it does not exist.

pub mod arrivals;
pub mod backend;
mod books;
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

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::books::Books;
use self::demand::Demand;
use self::facts::Facts;
use self::gateway_meter::GatewayFlavour;
use self::pod::Pod;
use self::routing::{Plan, plan};
use self::scraper::Scraper;
use self::truth::Truth;
use crate::sim::actors::Actors;
use crate::sim::cluster::Cluster;
use crate::sim::promql::Storage;

/// Length of a window: requests of one window are drawn and served together.
pub const TICK: SignedDuration = SignedDuration::from_secs(5);

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
}

impl Settings {
    /// These demands, and everything else as usual.
    pub fn of(demands: Vec<Demand>) -> Self {
        Self { demands, gateway: GatewayFlavour::default(), scrape_interval: scraper::INTERVAL, retention: scraper::RETENTION }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Traffic {
    demands: Vec<Demand>,
    /// What each demand is called in draws.
    identities: Vec<String>,
    start: Timestamp,
    windows: u64,
    plans: Option<Plans>,
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
    routes: Vec<Arc<Value>>,
    plans: Vec<Plan>,
}

impl Traffic {
    /// Requests come from `start` on.
    pub fn new(settings: Settings, start: Timestamp) -> Self {
        let Settings { demands, gateway, scrape_interval, retention } = settings;
        Self {
            identities: demands.iter().enumerate().map(|(index, demand)| format!("{index}/{}", demand.to)).collect(),
            start,
            windows: 0,
            plans: None,
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
        let elapsed = SignedDuration::from_millis(TICK.as_millis() as i64 * i64::try_from(self.windows).unwrap_or(0));
        self.start.checked_add(elapsed).unwrap_or(self.start)
    }

    /// How many requests a pod (`namespace/name`) worked on at a time, on average over the last windows that make up
    /// [`WINDOW`](crate::sim::metrics_api::WINDOW).
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
        let elapsed = SignedDuration::from_millis(TICK.as_millis() as i64 * windows);
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

    /// Looks at pods and routes again if anything was written since the last look.
    pub fn refresh(&mut self, now: Timestamp, cluster: &Cluster, actors: &Actors) {
        let routes: Vec<Arc<Value>> = actors.gateways.all_programmed().map(|(_, route)| Arc::clone(route)).collect();
        let same = |plans: &Plans| {
            let mut pairs = plans.routes.iter().zip(&routes);
            plans.revision == cluster.revision() && plans.routes.len() == routes.len() && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
        };
        if self.plans.as_ref().is_some_and(same) {
            return;
        }
        self.meet_pods(now, cluster, actors);
        let plans: Vec<Plan> = self.demands.iter().map(|demand| plan(demand, cluster, &actors.gateways)).collect();
        for (found, plan) in self.found.iter_mut().zip(&plans) {
            *found |= plan.found;
        }
        self.meet_gateways(&plans, now, cluster);
        self.plans = Some(Plans { revision: cluster.revision(), routes, plans });
    }

    fn meet_pods(&mut self, now: Timestamp, cluster: &Cluster, actors: &Actors) {
        let facts = |pod: &Arc<Value>| Facts::of(pod, actors.pods.profile(pod).serving);
        let present: BTreeMap<String, Facts> =
            cluster.list("pods", None).iter().filter_map(facts).map(|facts| (facts.key.clone(), facts)).collect();
        let is_gone = |pod: &Pod| present.get(&pod.facts.key).is_none_or(|facts| facts.uid != pod.facts.uid);
        let gone: Vec<String> = self.pods.iter().filter(|(_, pod)| is_gone(pod)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            if let Some(mut pod) = self.pods.remove(&key) {
                pod.cut_off(&mut self.books);
                self.scraper.forget(&pod_target(&pod.facts), now);
            }
        }
        for (key, facts) in present {
            self.scraper.follow(&pod_target(&facts), &facts.target(), now, cluster.draws());
            match self.pods.get_mut(&key) {
                Some(pod) => pod.follow(facts, &mut self.books),
                None => drop(self.pods.insert(key, Pod::new(facts))),
            }
        }
    }

    /// Gateways that serve a demand are scraped for as long as they exist.
    fn meet_gateways(&mut self, plans: &[Plan], now: Timestamp, cluster: &Cluster) {
        for gateway in plans.iter().flat_map(|plan| &plan.branches).filter_map(|branch| branch.via.gateway.as_deref()) {
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

fn pod_target(facts: &Facts) -> String {
    format!("pod/{}/{}", facts.key, facts.uid)
}

fn gateway_target(gateway: &str) -> String {
    format!("gateway/{gateway}")
}

#[cfg(test)]
mod tests;
