//! What is there before a world begins.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::profiles::Profiles;
use super::seen::Seen;
use super::{Done, Play, lock, planned, requests};
use crate::sim::cluster::{Identity, WriteOptions};
use crate::sim::gateway_api;
use crate::sim::keda_api;
use crate::sim::simulation::{Settings, Simulation};
use crate::sim::traffic;
use crate::sim::world::document::Located;
use crate::sim::world::place::{Place, Problems};
use crate::sim::world::sources::Sources;

/// Time between the making of the cluster and the start: CRDs get established, kubelets register.
const BEFORE: SignedDuration = SignedDuration::from_mins(1);
/// Resource of CRDs.
const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

impl Play {
    /// Makes the cluster of a world as it is at `start`, with `definitions` installed; nothing has been asked for yet.
    ///
    /// # Errors
    /// Nodes, CRDs and namespaces that the API server refuses.
    pub fn set_up(seed: u64, start: Timestamp, sources: Sources, definitions: &[Value]) -> Result<Self, Problems> {
        Self::set_up_with(Simulation::with, seed, start, sources, definitions)
    }

    /// The same with a cluster that `make` makes, such as one without actors.
    ///
    /// # Errors
    /// As [`Play::set_up`].
    pub fn set_up_with(
        make: fn(u64, Timestamp, Settings) -> Simulation,
        seed: u64,
        start: Timestamp,
        sources: Sources,
        definitions: &[Value],
    ) -> Result<Self, Problems> {
        let Sources { world, objects, applied_later } = sources;
        let profiles = Profiles::of(&world.pods);
        let settings = Settings {
            nodes: Vec::new(),
            pod_profiles: profiles.list(),
            gateway: world.gateway.clone().unwrap_or_default(),
            keda: world.keda,
            ..Settings::default()
        };
        let mut simulation = make(seed, start - BEFORE, settings);
        simulation.set_metric_rules(world.rules.clone());
        let (events, expectations) = planned(&world);
        let (first, objects): (Vec<Located>, Vec<Located>) = objects.into_iter().partition(comes_first);
        let mut play = Self {
            simulation,
            start,
            events,
            expectations,
            done: Done::default(),
            objects,
            applied_later,
            profiles,
            asked: world.traffic.iter().map(|entry| entry.place.clone()).collect(),
            traffic: Some(requests_of(&world)),
            metrics_fault: 0,
            returns: std::collections::BTreeMap::new(),
            seen: Arc::new(Mutex::new(Seen::default())),
            problems: Problems::new(),
            verdicts: Vec::new(),
            happenings: Vec::new(),
            warnings: Vec::new(),
        };
        play.look_out(&world);
        play.add_machines(&world);
        let gateway = if world.gateway.is_some() { gateway_api::definitions() } else { Vec::new() };
        let keda = if world.keda { keda_api::definitions() } else { Vec::new() };
        play.install(definitions.iter().chain(&gateway).chain(&keda));
        play.apply_all(&first);
        play.simulation.advance(start);
        play.result()
    }

    /// Applies the objects of the start. The time must be the start.
    ///
    /// # Errors
    /// Every object that the API server refuses.
    pub fn begin(&mut self) -> Result<(), Problems> {
        let objects = std::mem::take(&mut self.objects);
        self.apply_all(&objects);
        self.simulation.settle();
        if let Some(settings) = self.traffic.take() {
            self.simulation.set_traffic(settings);
        }
        let problems = std::mem::take(&mut self.problems);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Applies a document now, as the world's user would, and gives what the server warned of. `namespace` is that of a document that names
    /// none.
    ///
    /// # Errors
    /// Why the API server refuses it, with the place of every field that it names.
    pub fn apply(&mut self, document: &Located, namespace: &str) -> Result<Vec<String>, Problems> {
        let answer = requests::apply(&mut self.simulation.cluster, document, namespace);
        self.simulation.settle();
        answer
    }

    fn result(mut self) -> Result<Self, Problems> {
        let problems = std::mem::take(&mut self.problems);
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }

    fn look_out(&mut self, world: &super::World) {
        let mut seen = lock(&self.seen);
        seen.ask_for(world.expect.iter().map(|expectation| expectation.object.name.clone()));
        for rule in &world.pods {
            seen.watch(&rule.selector, std::iter::empty());
        }
        drop(seen);
        let seen = Arc::clone(&self.seen);
        self.simulation.observe(Box::new(move |commit, _| lock(&seen).notice(commit)));
    }

    fn add_machines(&mut self, world: &super::World) {
        for machines in &world.nodes {
            if let Err(error) = self.simulation.add_nodes(&machines.group) {
                let place = machines.place.clone().unwrap_or_else(|| Place::start_of("the default world"));
                self.problems.push(place.problem(format!("these nodes are refused: {}", error.message)));
            }
        }
    }

    fn install<'a>(&mut self, definitions: impl Iterator<Item = &'a Value>) {
        let installer = Identity::component("installer");
        for definition in definitions {
            let options = WriteOptions::manager("installer");
            if let Err(error) = self.simulation.cluster.create(&installer, DEFINITIONS, "", definition.clone(), &options) {
                self.problems.push(Place::start_of("the program's own CRDs").problem(error.message));
            }
        }
        self.simulation.settle();
    }

    fn apply_all(&mut self, documents: &[Located]) {
        for document in documents {
            match requests::apply(&mut self.simulation.cluster, document, requests::NAMESPACE) {
                Ok(warnings) => self.warnings.extend(warnings),
                Err(problems) => self.problems.extend(problems),
            }
        }
    }
}

/// The traffic of a world.
fn requests_of(world: &super::World) -> traffic::Settings {
    traffic::Settings {
        demands: world.traffic.iter().map(|entry| entry.demand.clone()).collect(),
        gateway: world.gateway_metrics,
        scrape_interval: world.scraping.interval,
        retention: world.scraping.retention,
        window: traffic::TICK,
    }
}

/// CRDs and namespaces: what other objects need.
fn comes_first(document: &Located) -> bool {
    let id = (document.text(&["apiVersion"]), document.text(&["kind"]));
    matches!(id, ("apiextensions.k8s.io/v1", "CustomResourceDefinition") | ("v1", "Namespace"))
}
