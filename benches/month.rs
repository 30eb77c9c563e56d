//! A month of many models in virtual time: daily load, autoscaling, a release a week each, everything at work.
//!
//! `cargo bench --bench month -- 20 1` plays 20 models for one day; without arguments 1,000 models for 30 days. It prints a line
//! per virtual day: virtual seconds per second, memory, and what there is; at the end what was violated, if anything, and
//! fails then. Every commit of the run is checked by [`checks`]; with the word `all` behind the numbers by all invariants of the
//! scenarios too, which look at everything in a namespace and so are for few models.

#![expect(clippy::unwrap_used, reason = "a bench has nobody to report to but its reader")]

#[path = "shared/checks.rs"]
mod checks;
#[path = "../tests/scenarios"]
mod scenarios {
    #[allow(dead_code, reason = "scenarios kill operators and limit them, a month does not")]
    pub mod invariants;
}
#[path = "shared/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use modelward::cli::embedded::metric_sources;
use modelward::controllers::operator::Options;
use modelward::sim::actors::nodes::machine::NodeGroup;
use modelward::sim::actors::pods::profile::PodProfile;
use modelward::sim::cluster::{Identity, Patch, WriteOptions};
use modelward::sim::routes::access::{Observer, RequestRecord};
use modelward::sim::simulation::Settings;
use modelward::sim::traffic::Settings as Traffic;
use modelward::sim::traffic::arrivals::Arrivals;
use modelward::sim::traffic::demand::{Demand, Destination};
use modelward::sim::traffic::gateway_meter::GatewayFlavour;
use serde_json::{Value, json};

use self::checks::Checks;
use self::scenarios::invariants::Watchdog;
use self::stage::{Stage, now};

/// Deployments that share a namespace, a Model and a gateway.
const PER_NAMESPACE: usize = 100;
/// Requests per second of each, the mean over a day.
const PER_SECOND: f64 = 40.0;
/// Requests at 14:00 over those at 2:00.
const PEAK_TO_TROUGH: f64 = 4.0;
/// Pods of each: what its autoscaler may choose.
const PODS: (i64, i64) = (1, 4);
/// Time between two scrapes of a pod, and how long samples are kept.
const SCRAPES: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(1), SignedDuration::from_hours(1));
/// Requests are drawn, and what pods use is measured, so often: a metrics server with a resolution of a minute.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// Every model gets another version after so many hours; the hour of its week is its own.
const HOURS_BETWEEN_RELEASES: usize = 7 * 24;

fn settings(models: usize) -> Settings {
    let nodes = vec![NodeGroup {
        count: u32::try_from(models / 100 + 3).unwrap(),
        pods: 1_000,
        cpu: "4000".to_owned(),
        memory: "4000Gi".to_owned(),
        ..NodeGroup::default()
    }];
    Settings { nodes, pod_profiles: vec![PodProfile::default()], ..Settings::default() }
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

fn version(release: usize) -> String {
    format!("1.{release}.0")
}

fn deployment(number: usize) -> Value {
    let steps = json!([{"weight": 10, "holdFor": "10m"}, {"weight": 50, "holdFor": "10m"}]);
    let metrics = json!([{"name": "errorRate", "max": 0.05}, {"name": "latencyP95", "max": 2000}]);
    json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": name(number)},
        "spec": {"model": "chat", "version": version(0), "replicas": PODS.0,
            "container": {"image": "registry.example/chat:1", "args": ["--model", "$(MODEL_URI)"]},
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
            "strategy": {"type": "Canary", "canary": {"steps": steps}},
            "traffic": {"gateways": [{"name": "public"}], "hostnames": [host(number)]},
            "analysis": {"interval": "1m", "metrics": metrics}}})
}

/// Lets the number of pods follow the use of cpu: an autoscaler that writes `spec.replicas` through the deployment's `scale`.
fn autoscale(stage: &Stage, number: usize) {
    let target = json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "name": name(number)});
    let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}});
    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name(number)},
        "spec": {"minReplicas": PODS.0, "maxReplicas": PODS.1, "scaleTargetRef": target, "metrics": [metric]}});
    stage.create("horizontalpodautoscalers.autoscaling", &namespace(number), autoscaler);
}

/// Metrics of pods judge; Envoy's own are counted besides, because their number does not grow with every revision that ever was.
fn traffic(models: usize) -> Traffic {
    let arrivals = Arrivals { peak_to_trough: PEAK_TO_TROUGH, ..Arrivals::steady(PER_SECOND) };
    let demands = (0..models).map(|number| Demand { arrivals, ..Demand::steady(Destination::Host(host(number)), PER_SECOND) });
    Traffic {
        scrape_interval: SCRAPES.0,
        retention: SCRAPES.1,
        window: WINDOW,
        gateway: GatewayFlavour::Envoy,
        ..Traffic::of(demands.collect())
    }
}

/// The version that a model shall have in an hour of the play.
fn release_of(number: usize, hour: usize, models: usize) -> usize {
    // Spread over the week, from its second hour on.
    let own = 1 + number * (HOURS_BETWEEN_RELEASES - 1) / models.max(1);
    (hour + HOURS_BETWEEN_RELEASES - own) / HOURS_BETWEEN_RELEASES
}

fn release(stage: &Stage, number: usize, release: usize) {
    let (admin, options) = (Identity::user("admin"), WriteOptions::manager("bench"));
    let patch = Patch::Merge(json!({"spec": {"version": version(release)}}));
    stage.server.with(|state| {
        let cluster = &mut state.world.cluster;
        cluster.patch(&admin, "modeldeployments.modelward.dev", &namespace(number), &name(number), None, patch, &options).unwrap();
    });
}

/// Shows requests to the invariants of the scenarios.
struct Ears(Arc<Mutex<Watchdog>>);

impl Observer for Ears {
    fn answered(&mut self, record: &RequestRecord) {
        self.0.lock().unwrap().hear(record);
    }
}

async fn set(models: usize, days: usize, checks: &Arc<Mutex<Checks>>, watchdog: Option<&Arc<Mutex<Watchdog>>>) -> Stage {
    let (checking, watching) = (Arc::clone(checks), watchdog.cloned());
    let stage = Stage::set(1, settings(models), |simulation| {
        simulation.observe(Box::new(move |commit, cluster| {
            checking.lock().unwrap().see(commit);
            if let Some(watchdog) = &watching {
                watchdog.lock().unwrap().see(commit, cluster);
            }
        }));
    })
    .await;
    if let Some(watchdog) = watchdog {
        let ears = Ears(Arc::clone(watchdog));
        stage.server.with(|state| state.front.observers.push(Box::new(ears)));
    }
    stage.make_gateway_class();
    let versions: Vec<String> = (0..=release_of(0, days * 24, models)).map(version).collect();
    for number in 0..models.div_ceil(PER_NAMESPACE) {
        stage.make_namespace(&format!("team-{number}"), &versions);
    }
    for number in 0..models {
        stage.create("modeldeployments.modelward.dev", &namespace(number), deployment(number));
        autoscale(&stage, number);
    }
    stage.server.with(|state| state.world.set_traffic(traffic(models)));
    stage
}

/// Memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Where a run stands.
struct Progress {
    start: Instant,
    last: Instant,
    models: usize,
}

impl Progress {
    fn day(&mut self, day: usize, stage: &Stage, checks: &Arc<Mutex<Checks>>) {
        let (today, all) = (self.last.elapsed().as_secs_f64(), self.start.elapsed().as_secs_f64());
        self.last = now();
        let (pods, series, samples) = stage.server.with(|state| {
            let storage = state.world.traffic().map(|traffic| (traffic.storage().series_count(), traffic.storage().sample_count()));
            let (series, samples) = storage.unwrap_or_default();
            (state.world.cluster.list("pods", None).len(), series, samples)
        });
        let counts = std::mem::take(&mut checks.lock().unwrap().counts);
        println!(
            "  day {day:>2}: {today:>7.1} s ({:>8.0} virtual seconds per second, {all:.0} s in all), {} MiB; {pods} pods, {series} series, {samples} samples; {} commits, {} resizes, {} releases done",
            86_400.0 / today,
            resident() / 1024,
            counts.commits,
            counts.resizes,
            counts.promotions
        );
    }
}

async fn play(models: usize, days: usize, all: bool) {
    println!("{models} models, {days} days");
    let checks = Arc::new(Mutex::new(Checks::new(PODS)));
    let watchdog = all.then(Arc::<Mutex<Watchdog>>::default);
    let stage = set(models, days, &checks, watchdog.as_ref()).await;
    let options = Options { sources: metric_sources(&stage.service), ..Options::default() };
    let (operator, _) = stage.start_operator(&options);
    let mut progress = Progress { start: now(), last: now(), models };
    let mut released: BTreeMap<usize, usize> = BTreeMap::new();
    for hour in 1..=days * 24 {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        for number in 0..models {
            let wanted = release_of(number, hour, models);
            if released.insert(number, wanted).unwrap_or(0) != wanted {
                release(&stage, number, wanted);
            }
        }
        if hour % 24 == 0 {
            progress.day(hour / 24, &stage, &checks);
        }
    }
    operator.abort();
    let seconds = progress.start.elapsed().as_secs_f64();
    let (truth, phases) = stage.server.with(|state| {
        let truth = state.world.traffic().map(|traffic| traffic.truth().demands.clone()).unwrap_or_default();
        let all = state.world.cluster.list("modeldeployments.modelward.dev", None);
        let mut phases: BTreeMap<String, usize> = BTreeMap::new();
        for object in all {
            *phases.entry(object["status"]["phase"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        (truth, phases)
    });
    let arrived: u64 = truth.iter().map(|tally| tally.arrived).sum();
    let answered: u64 = truth.iter().map(|tally| tally.answered).sum();
    println!(
        "  {seconds:.0} s, {:.0} virtual seconds per second; {answered} of {arrived} requests answered; {phases:?}",
        (days * 86_400) as f64 / seconds
    );
    println!("  1,000 models for 30 days at this pace: {:.0} min", seconds * 30.0 / days as f64 * 1_000.0 / progress.models as f64 / 60.0);
    let mut violations = std::mem::take(&mut checks.lock().unwrap().violations);
    violations.extend(watchdog.iter().flat_map(|watchdog| watchdog.lock().unwrap().violations.clone()));
    assert!(violations.is_empty(), "{} violations, the first: {:#?}", violations.len(), &violations[..violations.len().min(5)]);
    println!("  nothing was violated");
}

fn main() {
    let all = std::env::args().any(|argument| argument == "all");
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (models, days) = (chosen.first().copied().unwrap_or(1_000), chosen.get(1).copied().unwrap_or(30));
    stage::runtime().block_on(play(models, days, all));
}
