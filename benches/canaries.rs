//! What many canaries at once cost, behind a gateway and with analysis: all of them are due at the same time.
//!
//! `cargo bench --bench canaries` plays 1,000 ModelDeployments (`-- 50` chooses another number) twice: a release that all
//! metrics find good, and one that fails half of its requests. It prints requests of the operator per step forward, from the
//! deciding sample to the traffic back, and how late each write of a route comes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench has nobody to report to but its reader")]

#[path = "shared/ledger.rs"]
mod ledger;
#[path = "shared/stage.rs"]
mod stage;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelward::cli::embedded::metric_sources;
use modelward::controllers::operator::Options;
use modelward::metric_source::{Answering, MetricSource, Sources};
use modelward::runtime::clock::{Clock, VirtualClock};
use modelward::sim::actors::nodes::machine::NodeGroup;
use modelward::sim::actors::pods::profile::{PodProfile, Startup};
use modelward::sim::cluster::{Identity, Patch, WriteOptions};
use modelward::sim::simulation::Settings;
use modelward::sim::traffic::Settings as Traffic;
use modelward::sim::traffic::demand::{Demand, Destination};
use modelward::sim::traffic::serving::Serving;
use serde_json::{Value, json};

use self::ledger::{Direction, Ledger, Moved, SharedLedger, named};
use self::stage::{Stage, now};

/// Deployments that share a namespace, a Model and a gateway.
const PER_NAMESPACE: usize = 100;
/// Requests per second of each.
const PER_SECOND: f64 = 8.0;
/// Weights of the steps; with four pods each needs another number of them.
const STEPS: [i64; 3] = [25, 50, 75];
/// How long each is held.
const HOLD: SignedDuration = SignedDuration::from_mins(2);
/// Fails half of its requests.
const BAD: &str = "1.2.0";

/// The world's Prometheus; the ledger hears of every answer.
struct Heard {
    source: Arc<dyn MetricSource>,
    clock: Arc<VirtualClock>,
    ledger: SharedLedger,
}

impl MetricSource for Heard {
    fn query<'a>(&'a self, query: &'a str, at: Timestamp) -> Answering<'a> {
        Box::pin(async move {
            let answer = self.source.query(query, at).await;
            if let Some(deployment) = query.split_once("pod=~\"").and_then(|(_, pods)| named(pods)) {
                self.ledger.lock().unwrap().answered(deployment, self.clock.now());
            }
            answer
        })
    }
}

fn settings(deployments: usize) -> Settings {
    let nodes = vec![NodeGroup {
        count: u32::try_from(deployments / 100 + 1).unwrap(),
        pods: 1_000,
        cpu: "4000".to_owned(),
        memory: "4000Gi".to_owned(),
        ..NodeGroup::default()
    }];
    // No jitter: all canaries of a step are due at the same time.
    let startup = Startup { pull: SignedDuration::from_secs(1), load: SignedDuration::from_secs(2), jitter: 0.0 };
    let usual = PodProfile { startup, ..PodProfile::default() };
    let bad = PodProfile {
        startup,
        serving: Serving { error_rate: 0.5, ..Serving::default() },
        ..PodProfile::of(&json!({"matchLabels": {"modelward.dev/version": BAD}}))
    };
    Settings { nodes, pod_profiles: vec![bad, usual], events: false, ..Settings::default() }
}

fn deployment(number: usize) -> Value {
    let hold = format!("{}s", HOLD.as_secs());
    let steps: Vec<Value> = STEPS.iter().map(|weight| json!({"weight": weight, "holdFor": hold})).collect();
    let metrics = json!([{"name": "errorRate", "max": 0.05}, {"name": "latencyP95", "max": 2000}]);
    json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": name(number)},
        "spec": {"model": "chat", "version": "1.0.0", "replicas": 4,
            "container": {"image": "registry.example/chat:1", "args": ["--model", "$(MODEL_URI)"]},
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
            "strategy": {"type": "Canary", "canary": {"steps": steps}},
            "traffic": {"gateways": [{"name": "public"}], "hostnames": [host(number)]},
            "analysis": {"metrics": metrics}}})
}

fn name(number: usize) -> String {
    format!("m{number:05}")
}

fn host(number: usize) -> String {
    format!("{}.example.com", name(number))
}

fn namespace(number: usize) -> String {
    format!("team-{}", number / PER_NAMESPACE)
}

struct Play {
    stage: Stage,
    ledger: SharedLedger,
    deployments: usize,
}

impl Play {
    /// All serve version 1.0.0, and requests come.
    async fn begin(deployments: usize) -> Self {
        let ledger: SharedLedger = Arc::new(Mutex::new(Ledger::default()));
        let seen = Arc::clone(&ledger);
        let stage = Stage::set(1, settings(deployments), |simulation| {
            simulation.observe(Box::new(move |commit, _| seen.lock().unwrap().see(commit)));
        })
        .await;
        let heard = ledger::Requests(Arc::clone(&ledger));
        stage.server.with(|state| state.front.observers.push(Box::new(heard)));
        stage.make_gateway_class();
        for number in 0..deployments.div_ceil(PER_NAMESPACE) {
            stage.make_namespace(&format!("team-{number}"), &["1.0.0", "1.1.0", BAD].map(str::to_owned));
        }
        for number in 0..deployments {
            stage.create("modeldeployments.modelward.dev", &namespace(number), deployment(number));
        }
        Self { stage, ledger, deployments }
    }

    fn start_operator(&self) -> tokio::task::JoinHandle<()> {
        let source = Arc::clone(metric_sources(&self.stage.service).get(None).unwrap());
        let heard = Heard { source, clock: Arc::clone(&self.stage.clock), ledger: Arc::clone(&self.ledger) };
        let options = Options { sources: Sources::one("prometheus", Arc::new(heard)), ..Options::default() };
        self.stage.start_operator(&options).0
    }

    fn start_traffic(&self) {
        let demands = (0..self.deployments).map(|number| Demand::steady(Destination::Host(host(number)), PER_SECOND)).collect();
        let settings = Traffic { scrape_interval: SignedDuration::from_secs(10), ..Traffic::of(demands) };
        self.stage.server.with(|state| state.world.set_traffic(settings));
    }

    async fn until_all(&self, phase: &str) {
        for _ in 0..2_000 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            if self.in_phase(phase) == self.deployments {
                return;
            }
        }
        panic!("not all are {phase}: {}", self.in_phase(phase));
    }

    /// How many ModelDeployments are in a phase.
    fn in_phase(&self, phase: &str) -> usize {
        self.stage.server.with(|state| {
            let all = state.world.cluster.list("modeldeployments.modelward.dev", None);
            all.iter().filter(|object| object.pointer("/status/phase").is_some_and(|found| found == phase)).count()
        })
    }

    /// Everybody wants another version, at one instant.
    fn release(&self, version: &str) {
        let (admin, options) = (Identity::user("admin"), WriteOptions::manager("bench"));
        self.stage.server.with(|state| {
            for number in 0..self.deployments {
                let patch = Patch::Merge(json!({"spec": {"version": version}}));
                let cluster = &mut state.world.cluster;
                cluster.patch(&admin, "modeldeployments.modelward.dev", &namespace(number), &name(number), None, patch, &options).unwrap();
            }
        });
    }
}

/// The value below which a share of all lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(place - 1).copied().unwrap_or(f64::NAN)
}

fn lags(moved: &[Moved]) -> String {
    let mut seconds: Vec<f64> = moved.iter().filter_map(|moved| Some(moved.at.duration_since(moved.due?).as_secs_f64())).collect();
    seconds.sort_by(f64::total_cmp);
    if seconds.is_empty() {
        return "not due by the clock".to_owned();
    }
    let of = |share: f64| quantile(&seconds, share) * 1_000.0;
    format!("due to written p50 {:.0} ms, p99 {:.0} ms, last {:.0} ms", of(0.5), of(0.99), of(1.0))
}

/// First to last write, in virtual milliseconds and in real ones.
fn span(moved: &[Moved]) -> String {
    let (first, last) = (moved.iter().min_by_key(|moved| moved.at), moved.iter().max_by_key(|moved| moved.at));
    let (Some(first), Some(last)) = (first, last) else { return "no write".to_owned() };
    let wall = moved.iter().map(|moved| moved.wall).max().zip(moved.iter().map(|moved| moved.wall).min());
    let wall = wall.map_or(0.0, |(last, first)| (last - first).as_secs_f64());
    format!("first to last {:.2} s of virtual time, {wall:.2} s of real time", last.at.duration_since(first.at).as_secs_f64())
}

/// Prints what a release cost; each deployment took so many steps forward.
fn print(title: &str, ledger: &mut Ledger, deployments: usize, steps: usize) {
    let each = |count: u64, of: usize| count as f64 / (deployments * of.max(1)) as f64;
    println!("  {title}");
    for ((direction, weight), moved) in &ledger.moves {
        let sign = if *direction == Direction::Forward { "up to" } else { "back to" };
        println!("    {sign:<8}{weight:>3} %: {:>5} writes of routes; {}; {}", moved.len(), lags(moved), span(moved));
    }
    if let Some(most) = ledger.before_retreat.iter().map(|retreat| retreat.requests).max() {
        let all: u64 = ledger.before_retreat.iter().map(|retreat| retreat.requests).sum();
        let mut late: Vec<f64> = ledger.before_retreat.iter().map(|retreat| retreat.seconds * 1_000.0).collect();
        late.sort_by(f64::total_cmp);
        println!(
            "    from the deciding answer to the write of the route: {:.2} requests each (most {most}), p99 {:.0} ms of virtual time, last {:.0} ms",
            all as f64 / ledger.before_retreat.len() as f64,
            quantile(&late, 0.99),
            quantile(&late, 1.0)
        );
    }
    let per = if steps > 0 { format!("per step forward ({steps} each)") } else { "per deployment".to_owned() };
    let total: u64 = ledger.requests.values().sum();
    let measured: u64 = ledger.status.get("a measurement").copied().unwrap_or(0);
    println!("    requests {per}: {:.2}, measurements of it {:.2}", each(total, steps), each(measured, steps));
    for (name, count) in &ledger.requests {
        println!("      {:>8.2}  {name}", each(*count, steps));
    }
    for (name, count) in &ledger.status {
        println!("      {:>8.2}  of the writes of status: {name}", each(*count, steps));
    }
    ledger.forget();
}

async fn measure(deployments: usize) {
    println!("{deployments} canaries");
    let start = now();
    let play = Play::begin(deployments).await;
    let operator = play.start_operator();
    play.until_all("Active").await;
    play.start_traffic();
    tokio::time::sleep(Duration::from_secs(60)).await;
    println!("  all serve after {:.1} s", start.elapsed().as_secs_f64());
    play.ledger.lock().unwrap().forget();
    play.release("1.1.0");
    play.until_all("Active").await;
    println!("  all took the good version after {:.1} s", start.elapsed().as_secs_f64());
    // Promotion is a step, too.
    print("the good version", &mut play.ledger.lock().unwrap(), deployments, STEPS.len() + 1);
    tokio::time::sleep(Duration::from_secs(120)).await;
    play.ledger.lock().unwrap().forget();
    play.release(BAD);
    play.until_all("RolledBack").await;
    println!("  all gave the bad version up after {:.1} s", start.elapsed().as_secs_f64());
    print("the bad version", &mut play.ledger.lock().unwrap(), deployments, 0);
    operator.abort();
}

fn main() {
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    for deployments in if chosen.is_empty() { vec![1_000] } else { chosen } {
        stage::runtime().block_on(measure(deployments));
    }
}
