//! What the benches in virtual time have in common: a simulated cluster with our CRDs and those of the Gateway API, an
//! operator in it, and what this process uses of the machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use modelward::controllers::operator::{Operator, Options};
use modelward::runtime::clock::VirtualClock;
use modelward::runtime::driver::Activity;
use modelward::runtime::telemetry::metrics::Metrics;
use modelward::sim::cluster::{Identity, WriteOptions};
use modelward::sim::gateway_api;
use modelward::sim::service::{SimServer, SimService};
use modelward::sim::simulation::{Settings, Simulation};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Whom ledgers and invariants take for the operator.
pub const OPERATOR: &str = "system:serviceaccount:modelward:modelward";

/// A simulated cluster that is served.
pub struct Stage {
    pub server: Arc<SimServer<Simulation>>,
    pub service: SimService,
    pub clock: Arc<VirtualClock>,
}

/// Where all benches begin.
pub fn epoch() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A single-threaded runtime in virtual time.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

impl Stage {
    /// A cluster with all CRDs, three seconds old; `prepare` sees it before it is served.
    pub async fn set(seed: u64, settings: Settings, prepare: impl FnOnce(&mut Simulation)) -> Self {
        let mut simulation = Simulation::with(seed, epoch(), settings);
        let ours = modelward::api::crds().into_iter().map(|crd| serde_json::to_value(crd).unwrap());
        for definition in ours.chain(gateway_api::definitions()) {
            let (admin, options) = (Identity::user("admin"), WriteOptions::manager("bench"));
            simulation.cluster.create(&admin, "customresourcedefinitions.apiextensions.k8s.io", "", definition, &options).unwrap();
        }
        prepare(&mut simulation);
        let clock = Arc::new(VirtualClock::new(epoch()));
        let (server, service) = SimServer::start(simulation);
        tokio::time::sleep(Duration::from_secs(3)).await;
        Self { server: Arc::new(server), service, clock }
    }

    /// Creates an object by the direct door.
    pub fn create(&self, resource: &str, namespace: &str, object: Value) {
        let options = WriteOptions::manager("bench");
        self.server.with(|state| state.world.cluster.create(&Identity::user("admin"), resource, namespace, object, &options).unwrap());
    }

    /// A namespace with a Model `chat` of these versions and a gateway `public`.
    pub fn make_namespace(&self, namespace: &str, versions: &[String]) {
        self.create("namespaces", "", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        let version = |version: &String| json!({"version": version, "artifact": {"uri": format!("s3://models/chat/{version}")}});
        let versions: Vec<Value> = versions.iter().map(version).collect();
        let model = json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "Model", "metadata": {"name": "chat"},
            "spec": {"versions": versions}});
        self.create("models.modelward.dev", namespace, model);
        let listeners = json!([{"name": "http", "port": 80, "protocol": "HTTP"}]);
        let gateway = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "public"},
            "spec": {"gatewayClassName": "double", "listeners": listeners}});
        self.create("gateways.gateway.networking.k8s.io", namespace, gateway);
    }

    /// The class of all gateways.
    pub fn make_gateway_class(&self) {
        let class = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "double"},
            "spec": {"controllerName": "simulation.modelward.dev/gateway"}});
        self.create("gatewayclasses.gateway.networking.k8s.io", "", class);
    }

    /// Starts an operator.
    pub fn start_operator(&self, options: &Options) -> (JoinHandle<()>, Activity) {
        let client = self.service.identified(Identity::user(OPERATOR)).client("default");
        let operator = Operator::new(client, Arc::clone(&self.clock) as _, Arc::new(Metrics::default()), options);
        let activity = operator.activity();
        (tokio::spawn(async move { operator.run(std::future::pending()).await.unwrap() }), activity)
    }
}

/// Real time.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub fn now() -> Instant {
    Instant::now()
}
