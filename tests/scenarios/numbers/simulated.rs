//! The numbers of the simulated arm: the world's traffic, its pods' behaviour, and the faults of its metrics backend.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use modelward::sim::actors::pods::profile::PodProfile;
use modelward::sim::service::SimServer;
use modelward::sim::simulation::Simulation;
use modelward::sim::traffic::Settings;
use modelward::sim::traffic::backend::Fault;
use modelward::sim::traffic::demand::{Demand, Destination};
use modelward::sim::traffic::serving::{Quantiles, Serving};
use serde_json::json;

use super::{Numbers, Source, To};

/// Time between two scrapes: two fit into the shortest interval of an analysis.
pub const SCRAPE_INTERVAL: SignedDuration = SignedDuration::from_secs(5);

/// See the module.
pub struct Simulated {
    server: Arc<SimServer<Simulation>>,
    namespace: String,
    /// Profiles that come before those of versions.
    first: Vec<PodProfile>,
    servings: Mutex<BTreeMap<String, Serving>>,
}

impl Simulated {
    /// For `chat` in `namespace`; `first` are the profiles that pods have anyway.
    pub fn new(server: Arc<SimServer<Simulation>>, namespace: &str, first: Vec<PodProfile>) -> Self {
        let versions = ["1.0.0", "1.1.0", "1.2.0"].map(|version| (version.to_owned(), faultless()));
        Self { server, namespace: namespace.to_owned(), first, servings: Mutex::new(versions.into()) }
    }

    fn change(&self, version: &str, change: impl FnOnce(&mut Serving)) {
        change(self.servings.lock().unwrap().get_mut(version).unwrap());
        self.tell();
    }

    fn tell(&self) {
        let servings = self.servings.lock().unwrap();
        let of_version = |(version, serving): (&String, &Serving)| PodProfile {
            namespace: Some(self.namespace.clone()),
            serving: serving.clone(),
            ..PodProfile::of(&json!({"matchLabels": {"modelward.dev/version": version}}))
        };
        let profiles = self.first.iter().cloned().chain(servings.iter().map(of_version)).collect();
        self.server.with(|state| state.world.set_pod_profiles(profiles));
    }

    fn destination(&self, to: To) -> Destination {
        let namespace = self.namespace.clone();
        match to {
            To::Everybody if self.has_route() => Destination::Host("chat.example.com".to_owned()),
            To::Everybody => Destination::Service { namespace, name: "chat".to_owned() },
            To::Preview => Destination::Service { namespace, name: "chat-preview".to_owned() },
        }
    }

    fn has_route(&self) -> bool {
        let routes = "httproutes.gateway.networking.k8s.io";
        self.server.with(|state| state.world.cluster.get(routes, &self.namespace, "chat").is_some())
    }
}

/// Small and quick, and nothing fails.
fn faultless() -> Serving {
    let latency = Quantiles { p50: SignedDuration::from_millis(30), p99: SignedDuration::from_millis(90) };
    Serving { latency, error_rate: 0.0, ..Serving::default() }
}

impl Numbers for Simulated {
    fn requests(&self, streams: &[(To, f64)]) {
        self.tell();
        let demands = streams.iter().map(|(to, per_second)| Demand::steady(self.destination(*to), *per_second)).collect();
        let settings = Settings { scrape_interval: SCRAPE_INTERVAL, ..Settings::of(demands) };
        self.server.with(|state| state.world.set_traffic(settings));
    }

    fn fails(&self, version: &str, share: f64) {
        self.change(version, |serving| serving.error_rate = share);
    }

    fn latency(&self, version: &str, p50: u64, p99: u64) {
        let millis = |given: u64| SignedDuration::from_millis(i64::try_from(given).unwrap());
        self.change(version, |serving| serving.latency = Quantiles { p50: millis(p50), p99: millis(p99) });
    }

    fn source(&self, source: Source) {
        let fault = match source {
            Source::Sound => None,
            Source::Down => Some(Fault::Unavailable),
            Source::Empty => Some(Fault::Empty),
            Source::NaN => Some(Fault::NaN),
            Source::Garbage => Some(Fault::Garbage),
            Source::Slow => Some(Fault::Slow(SignedDuration::from_secs(40))),
            Source::Stale => Some(Fault::Stale(SignedDuration::from_mins(20))),
        };
        self.server.with(|state| state.world.set_metrics_fault(fault));
    }
}
