//! How much it costs to bring many ModelDeployments to rest in the simulated cluster.
//!
//! `cargo bench --bench convergence` prints for 100, 1,000 and 10,000 deployments: requests of the operator per deployment,
//! wall time per deployment, and the memory that another operator takes to know them all. `-- 100 1000` chooses the numbers.

#![expect(clippy::unwrap_used, reason = "a bench has nobody to report to but its reader")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelward::controllers::operator::{Operator, Options};
use modelward::runtime::clock::VirtualClock;
use modelward::runtime::driver::Activity;
use modelward::runtime::telemetry::metrics::Metrics;
use modelward::sim::actors::nodes::machine::NodeGroup;
use modelward::sim::actors::pods::profile::{PodProfile, Startup};
use modelward::sim::cluster::{Identity, WriteOptions};
use modelward::sim::routes::access::{Observer, RequestRecord};
use modelward::sim::service::{SimServer, SimService};
use modelward::sim::simulation::{Settings, Simulation};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const OPERATOR: &str = "operator";
/// Deployments that share a namespace and a Model.
const PER_NAMESPACE: usize = 100;

/// Requests of the operator by verb and resource.
#[derive(Clone, Default)]
struct Counter(Arc<Mutex<BTreeMap<String, u64>>>);

impl Observer for Counter {
    fn answered(&mut self, record: &RequestRecord) {
        if record.who.user == OPERATOR {
            let slash = if record.info.subresource.is_empty() { "" } else { "/" };
            let name = format!("{} {}{slash}{}", record.info.verb, record.info.resource, record.info.subresource);
            *self.0.lock().unwrap().entry(name).or_default() += 1;
        }
    }
}

struct World {
    server: SimServer<Simulation>,
    service: SimService,
    clock: Arc<VirtualClock>,
    counter: Counter,
}

fn epoch() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

impl World {
    async fn new(deployments: usize) -> Self {
        let nodes = vec![NodeGroup {
            count: u32::try_from(deployments / 100 + 1).unwrap(),
            pods: 1_000,
            cpu: "4000".to_owned(),
            memory: "4000Gi".to_owned(),
            ..NodeGroup::default()
        }];
        let startup = Startup { pull: SignedDuration::from_secs(1), load: SignedDuration::from_secs(2), jitter: 0.5 };
        let settings =
            Settings { nodes, pod_profiles: vec![PodProfile { startup, ..PodProfile::default() }], events: false, ..Settings::default() };
        let mut simulation = Simulation::with(1, epoch(), settings);
        for definition in modelward::api::crds() {
            let options = WriteOptions::manager("bench");
            let definition = serde_json::to_value(definition).unwrap();
            simulation
                .cluster
                .create(&Identity::user("admin"), "customresourcedefinitions.apiextensions.k8s.io", "", definition, &options)
                .unwrap();
        }
        let clock = Arc::new(VirtualClock::new(epoch()));
        let (server, service) = SimServer::start(simulation);
        let counter = Counter::default();
        server.with(|state| state.front.observers.push(Box::new(counter.clone())));
        tokio::time::sleep(Duration::from_secs(3)).await;
        Self { server, service, clock, counter }
    }

    fn create(&self, resource: &str, namespace: &str, object: Value) {
        let options = WriteOptions::manager("bench");
        self.server.with(|state| state.world.cluster.create(&Identity::user("admin"), resource, namespace, object, &options).unwrap());
    }

    fn fill(&self, deployments: usize) {
        for number in 0..deployments.div_ceil(PER_NAMESPACE) {
            let namespace = format!("team-{number}");
            self.create("namespaces", "", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
            let model = json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "Model", "metadata": {"name": "chat"},
                "spec": {"versions": [{"version": "1.0.0", "artifact": {"uri": "s3://models/chat/1.0.0"}}]}});
            self.create("models.modelward.dev", &namespace, model);
        }
        for number in 0..deployments {
            let deployment = json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": format!("chat-{number}")},
                "spec": {"model": "chat", "version": "1.0.0", "container": {"image": "vllm/vllm-openai:v0.11.0", "args": ["--model", "$(MODEL_URI)"]},
                    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}});
            self.create("modeldeployments.modelward.dev", &format!("team-{}", number / PER_NAMESPACE), deployment);
        }
    }

    fn operator(&self) -> (JoinHandle<()>, Activity) {
        let client = self.service.identified(Identity::user(OPERATOR)).client("default");
        let operator = Operator::new(client, Arc::clone(&self.clock) as _, Arc::new(Metrics::default()), &Options::default());
        let activity = operator.activity();
        (tokio::spawn(async move { operator.run(std::future::pending()).await.unwrap() }), activity)
    }

    fn serving(&self) -> usize {
        self.server.with(|state| {
            let all = state.world.cluster.list("modeldeployments.modelward.dev", None);
            all.iter().filter(|object| object.pointer("/status/phase").is_some_and(|phase| phase == "Active")).count()
        })
    }
}

/// Waits until nothing is left to do.
async fn rest(activity: &Activity) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        if activity.is_ready() && activity.is_idle() && activity.next_due().is_none() {
            return;
        }
    }
}

/// Memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

async fn measure(deployments: usize) {
    let world = World::new(deployments).await;
    world.fill(deployments);
    let start = now();
    let (operator, activity) = world.operator();
    rest(&activity).await;
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(world.serving(), deployments, "all serve");
    let counts = std::mem::take(&mut *world.counter.0.lock().unwrap());
    let writes: u64 =
        counts.iter().filter(|(name, _)| !name.starts_with("list") && !name.starts_with("watch")).map(|(_, count)| count).sum();
    // The first stays, at rest: what it would free, the second would take without growing.
    let before = resident();
    let (second, second_activity) = world.operator();
    rest(&second_activity).await;
    let grown = resident().saturating_sub(before);
    let again: u64 = world.counter.0.lock().unwrap().values().sum();
    operator.abort();
    second.abort();
    let each = |total: f64| total / deployments as f64;
    println!(
        "{deployments:>7} deployments: {:.2} requests each, {:.3} ms each, {seconds:.2} s in all; another operator: {again} requests, {:.1} KiB each",
        each(writes as f64),
        each(seconds * 1_000.0),
        each(grown as f64)
    );
    for (name, count) in &counts {
        println!("          {:>8.2} each  {name}", each(*count as f64));
    }
}

fn main() {
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if chosen.is_empty() { vec![100, 1_000, 10_000] } else { chosen };
    for deployments in sizes {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(measure(deployments));
    }
}
