//! The simulated arm: the operator and a simulated cluster on one thread, in virtual time.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use modelward::cli::embedded::metric_sources;
use modelward::controllers::operator::{Operator, Options};
use modelward::runtime::clock::{Clock, VirtualClock};
use modelward::runtime::driver::Activity;
use modelward::runtime::telemetry::metrics::Metrics;
use modelward::sim::actors::gateway::{GatewayBehaviour, Rejection};
use modelward::sim::actors::labels::Selector;
use modelward::sim::actors::pods::profile::{Failure, PodProfile, Startup};
use modelward::sim::cluster::{Cluster, Identity, WriteOptions};
use modelward::sim::gateway_api;
use modelward::sim::routes::access::{Observer, RequestRecord};
use modelward::sim::service::{SimServer, SimService};
use modelward::sim::simulation::{Settings, Simulation};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::arena::Arena;
use crate::gateway::{Answer, Gateway};
use crate::invariants::{OPERATOR, Watchdog};
use crate::load;
use crate::numbers::simulated::Simulated as SimulatedNumbers;
use crate::pace;
use crate::rbac::ShippedRole;

/// Where scenarios begin.
pub fn epoch() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A simulated cluster with what scenarios need: our CRDs, the Gateway API, machines, and a watchdog.
pub struct Stage {
    pub server: Arc<SimServer<Simulation>>,
    pub service: SimService,
    pub clock: Arc<VirtualClock>,
    pub watchdog: Arc<Mutex<Watchdog>>,
    pub metrics: Arc<Metrics>,
    /// Every answered request, of everybody.
    pub log: Arc<Mutex<Vec<RequestRecord>>>,
}

/// Shows every request to the watchdog, and keeps it.
struct Ears {
    watchdog: Arc<Mutex<Watchdog>>,
    log: Arc<Mutex<Vec<RequestRecord>>>,
}

impl Observer for Ears {
    fn answered(&mut self, record: &RequestRecord) {
        self.watchdog.lock().unwrap().hear(record);
        self.log.lock().unwrap().push(record.clone());
    }
}

/// Pods that carry the label which the real arm's stages know too.
fn profiles() -> Vec<PodProfile> {
    let of = |label: &str, value: &str| PodProfile::of(&json!({"matchLabels": {format!("simulation.modelward.dev/{label}"): value}}));
    let labelled = |startup: &str| of("startup", startup);
    let slow = Startup { load: SignedDuration::from_mins(2), ..Startup::default() };
    vec![
        PodProfile { failure: Some(Failure::NeverReady), ..labelled("never") },
        PodProfile {
            failure: Some(Failure::Crash { after: SignedDuration::from_secs(2), times: None, exit_code: 1, reason: "Error".to_owned() }),
            ..labelled("crash")
        },
        PodProfile { failure: Some(Failure::ImagePull { times: None, message: "manifest unknown".to_owned() }), ..labelled("no-image") },
        PodProfile { startup: slow, ..labelled("slow") },
        PodProfile { failure: Some(Failure::NeverReady), ..of("fault", "unready") },
        PodProfile { shutdown: SignedDuration::from_secs(5), ..of("stop-seconds", "5") },
    ]
}

/// The gateway double of the simulated cluster.
struct Simulated(Arc<SimServer<Simulation>>);

impl Gateway for Simulated {
    fn answers(&self, answer: Answer) {
        let mut behaviour = GatewayBehaviour::default();
        match answer {
            Answer::Accept => {}
            Answer::Reject(reason, message) => {
                let rejection = Rejection { routes: Selector::default(), reason: reason.to_owned(), message: message.to_owned() };
                behaviour.rejections.push(rejection);
            }
            Answer::Lack(feature) => drop(behaviour.lacks.insert(feature.to_owned())),
            Answer::Silence => behaviour.silent = true,
        }
        self.0.with(|state| state.world.set_gateway_behaviour(behaviour));
    }
}

impl Stage {
    /// Sets the stage on the current runtime.
    pub async fn set(seed: u64) -> Self {
        Self::with(seed, Settings::default()).await
    }

    /// Sets the stage on the current runtime; the pods' profiles are always those that both arms know.
    pub async fn with(seed: u64, settings: Settings) -> Self {
        let mut simulation = Simulation::with(seed, epoch(), Settings { pod_profiles: profiles(), keda: true, ..settings });
        let clock = Arc::new(VirtualClock::new(epoch()));
        let watchdog = Arc::new(Mutex::new(Watchdog::default()));
        let seeing = Arc::clone(&watchdog);
        simulation.observe(Box::new(move |commit, cluster| seeing.lock().unwrap().see(commit, cluster)));
        let admin = Identity::user("admin");
        let ours = modelward::api::crds().into_iter().map(|crd| serde_json::to_value(crd).unwrap());
        for definition in ours.chain(gateway_api::definitions()) {
            let options = WriteOptions::manager("kubectl");
            simulation.cluster.create(&admin, "customresourcedefinitions.apiextensions.k8s.io", "", definition, &options).unwrap();
        }
        let (server, service) = SimServer::start(simulation);
        let log = Arc::new(Mutex::new(Vec::new()));
        let ears = Ears { watchdog: Arc::clone(&watchdog), log: Arc::clone(&log) };
        let role = ShippedRole(Arc::clone(&watchdog));
        server.with(|state| {
            state.front.observers.push(Box::new(ears));
            state.front.authorizer = Some(Box::new(role));
        });
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        Self { server: Arc::new(server), service, clock, watchdog, metrics: Arc::new(Metrics::default()), log }
    }

    /// A client of somebody with all rights.
    pub fn admin(&self) -> Client {
        self.service.identified(Identity::user("admin")).client("default")
    }

    /// A client that is taken for the operator.
    pub fn impostor(&self) -> Client {
        self.service.identified(Identity::user(OPERATOR)).client("default")
    }

    /// A namespace as scenarios see it.
    pub fn arena(&self, namespace: &str) -> Arena {
        Arena {
            client: self.admin(),
            namespace: namespace.to_owned(),
            pace: pace::virtual_time(),
            gateway: Box::new(Simulated(Arc::clone(&self.server))),
            numbers: Box::new(SimulatedNumbers::new(Arc::clone(&self.server), namespace, profiles())),
            load: Box::new(load::Simulated { server: Arc::clone(&self.server), namespace: namespace.to_owned() }),
        }
    }

    /// Starts an operator process that asks the world's Prometheus; it runs until it is aborted.
    pub fn start_operator(&self, namespace: Option<&str>) -> (JoinHandle<()>, Activity) {
        let sources = metric_sources(&self.service);
        self.start_operator_with(&Options { namespace: namespace.map(str::to_owned), sources, ..Options::default() })
    }

    /// Starts an operator process that runs with `options`.
    pub fn start_operator_with(&self, options: &Options) -> (JoinHandle<()>, Activity) {
        self.watchdog.lock().unwrap().operator_started();
        let client = self.service.identified(Identity::user(OPERATOR)).client("default");
        let operator = Operator::new(client, Arc::clone(&self.clock) as _, Arc::clone(&self.metrics), options);
        let activity = operator.activity();
        (tokio::spawn(async move { operator.run(std::future::pending()).await.unwrap() }), activity)
    }

    /// Makes a namespace with a gateway in it.
    pub fn make_namespace(&self, name: &str) {
        let admin = Identity::user("admin");
        let options = WriteOptions::manager("kubectl");
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "public", "namespace": name},
            "spec": {"gatewayClassName": "double", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        });
        let class = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "double"},
            "spec": {"controllerName": "simulation.modelward.dev/gateway"},
        });
        self.server.with(|state| {
            let cluster = &mut state.world.cluster;
            cluster
                .create(&admin, "namespaces", "", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}), &options)
                .unwrap();
            let _there = cluster.create(&admin, "gatewayclasses.gateway.networking.k8s.io", "", class, &options);
            cluster.create(&admin, "gateways.gateway.networking.k8s.io", name, gateway, &options).unwrap();
        });
    }

    /// Access to the cluster as it is now: what is due has happened.
    pub fn cluster<R>(&self, access: impl FnOnce(&mut Cluster) -> R) -> R {
        self.server.with(|state| {
            state.world.advance(self.clock.now());
            access(&mut state.world.cluster)
        })
    }

    /// Ends an operator process where it stands, as a crash does.
    pub fn stop_operator(&self, operator: &JoinHandle<()>) {
        operator.abort();
        self.watchdog.lock().unwrap().operator_stopped();
    }

    /// Violations so far, with those that only the end of a scenario shows; a panic in the operator is one.
    pub fn violations(&self) -> Vec<String> {
        self.cluster(|cluster| self.watchdog.lock().unwrap().end(cluster));
        let mut violations = self.watchdog.lock().unwrap().violations.clone();
        let panics = ["Model", "ModelDeployment"].iter().map(|kind| self.metrics.passes(kind, "panic")).sum::<u64>();
        if panics > 0 {
            violations.push(format!("I31: {panics} panics"));
        }
        violations
    }

    /// Fails if anything was violated.
    pub fn check(&self, name: &str) {
        self.check_but(&[], name);
    }

    /// Fails if anything was violated but what `broken` numbers.
    pub fn check_but(&self, broken: &[&str], name: &str) {
        let mut violations = self.violations();
        violations.retain(|violation| !broken.iter().any(|number| violation.starts_with(number)));
        let first = violations.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
        assert!(violations.is_empty(), "{name}: {} violations, the first: {first}", violations.len());
    }
}

/// A single-threaded runtime in virtual time.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Plays `body` in a simulated cluster, and checks the invariants after every write.
pub fn play(broken: &[&str], name: &str, body: impl AsyncFnOnce(&Arena)) {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        body(&stage.arena("play")).await;
        stage.check_but(broken, name);
        stage.stop_operator(&operator);
    });
}
