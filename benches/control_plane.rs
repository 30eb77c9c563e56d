//! How fast the operator is on a real control plane, against what its API server can write at all.
//!
//! `tests/control-plane/with-cluster cargo bench --bench control_plane -- 100 300` first sends the same kinds of writes by
//! hand, as many at a time as the operator has passes, then lets the operator bring as many ModelDeployments to rest, and
//! prints both rates. The cluster must be one of a test's own: what is made stays.

#![expect(clippy::unwrap_used, reason = "a bench has nobody to report to but its reader")]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use modelward::controllers::operator::{Operator, Options};
use modelward::runtime::clock::SystemClock;
use modelward::runtime::telemetry::metrics::Metrics;
use modelward::runtime::telemetry::requests::counted;
use serde_json::{Value, json};

/// Deployments that share a namespace and a Model.
const PER_NAMESPACE: usize = 50;
/// Writes that the operator needs for one deployment: four children, twice the status, one Event.
const WRITES_EACH: usize = 7;
/// The longest that one size may take.
const TIME_MAX: Duration = Duration::from_secs(600);

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

async fn connect(path: &str) -> Client {
    let file = Kubeconfig::read_from(path).unwrap();
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

fn ours(kind: &str) -> ApiResource {
    resource("modelward.dev", "v1alpha1", kind)
}

/// The objects of one size: a folder of names.
struct Ground {
    client: Client,
    prefix: String,
    deployments: usize,
}

impl Ground {
    fn namespace(&self, number: usize) -> String {
        format!("{}-{}", self.prefix, number / PER_NAMESPACE)
    }

    fn api(&self, resource: &ApiResource, number: usize) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace(number), resource)
    }

    async fn apply(&self, resource: &ApiResource, number: usize, name: &str, object: Value) {
        let parameters = PatchParams::apply("bench").force();
        self.api(resource, number).patch(name, &parameters, &Patch::Apply(object)).await.unwrap();
    }

    /// Namespaces, Models and ModelDeployments, as users make them.
    async fn fill(&self) {
        for number in (0..self.deployments).step_by(PER_NAMESPACE) {
            let namespaces: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource("", "v1", "Namespace"));
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace(number)}});
            namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).unwrap()).await.unwrap();
            let model = json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "Model", "metadata": {"name": "chat"},
                "spec": {"versions": [{"version": "1.0.0", "artifact": {"uri": "s3://models/chat/1.0.0"}}]}});
            self.apply(&ours("Model"), number, "chat", model).await;
        }
        self.each(|number| async move {
            let name = format!("chat-{number}");
            let deployment = json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": name},
                "spec": {"model": "chat", "version": "1.0.0", "container": {"image": "vllm/vllm-openai:v0.11.0"},
                    "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}});
            self.apply(&ours("ModelDeployment"), number, &name, deployment).await;
        })
        .await;
    }

    /// Does `work` for every deployment, as many at a time as the operator does.
    async fn each<F: Future<Output = ()>>(&self, work: impl Fn(usize) -> F) {
        stream::iter(0..self.deployments).map(work).buffer_unordered(Options::default().concurrency).collect::<Vec<()>>().await;
    }

    /// The writes that the operator would send for one deployment, on objects that give the cluster the same work: a pod, and
    /// Services that select it.
    async fn by_hand(&self, number: usize) {
        let name = format!("chat-{number}-by-hand");
        let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"});
        let service = |name: &str| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}})
        };
        let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "model", "image": "vllm/vllm-openai:v0.11.0",
            "ports": [{"name": "http", "containerPort": 8080}], "env": [{"name": "MODEL_NAME", "value": "chat"}]}]}});
        let workload = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}});
        let record = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": name, "labels": labels},
            "revision": 1, "data": {"input": {"model": "chat", "version": "1.0.0"}, "template": template}});
        let workloads = self.api(&resource("apps", "v1", "Deployment"), number);
        workloads.create(&PostParams::default(), &serde_json::from_value(workload).unwrap()).await.unwrap();
        self.apply(&resource("apps", "v1", "ControllerRevision"), number, &name, record).await;
        for service_name in [name.clone(), format!("{name}-2")] {
            self.apply(&resource("", "v1", "Service"), number, &service_name, service(&service_name)).await;
        }
        for phase in ["Pending", "Progressing"] {
            let status = json!({"status": {"phase": phase, "observedGeneration": 0}});
            let own = self.api(&ours("ModelDeployment"), number);
            own.patch_status(&format!("chat-{number}"), &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        }
        let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name}, "reason": "Measured", "action": "Measure",
            "note": "a write", "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "modelward.dev/bench",
            "reportingInstance": "bench", "regarding": {"kind": "ModelDeployment", "name": format!("chat-{number}"), "namespace": self.namespace(number)}});
        let events = self.api(&resource("events.k8s.io", "v1", "Event"), number);
        events.create(&PostParams::default(), &serde_json::from_value(event).unwrap()).await.unwrap();
    }

    /// How many are in `phase`, or beyond having no child left to make.
    async fn in_phase(&self, phases: &[&str]) -> usize {
        let mut found = 0;
        for number in (0..self.deployments).step_by(PER_NAMESPACE) {
            let all = self.api(&ours("ModelDeployment"), number).list(&ListParams::default()).await.unwrap();
            let phase = |object: &DynamicObject| object.data.pointer("/status/phase").and_then(Value::as_str).map(str::to_owned);
            // Our own writes by hand say another generation.
            let ours = |object: &&DynamicObject| object.data.pointer("/status/observedGeneration") == Some(&json!(1));
            found += all.items.iter().filter(ours).filter_map(phase).filter(|phase| phases.contains(&phase.as_str())).count();
        }
        found
    }

    /// Seconds since `start` until all are in one of `phases`.
    async fn reached(&self, phases: &[&str], start: Instant) -> f64 {
        while self.in_phase(phases).await < self.deployments {
            assert!(start.elapsed() < TIME_MAX, "not all are {phases:?} after {TIME_MAX:?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        start.elapsed().as_secs_f64()
    }
}

async fn measure(path: &str, deployments: usize) {
    let client = connect(path).await;
    let ground = Ground { client, prefix: format!("bench-{deployments}-{}", std::process::id()), deployments };
    ground.fill().await;
    let start = now();
    ground.each(|number| ground.by_hand(number)).await;
    let by_hand = start.elapsed().as_secs_f64();

    let metrics = Arc::new(Metrics::default());
    let client = counted(connect(path).await, Arc::clone(&metrics), Arc::new(SystemClock));
    let operator = Operator::new(client, Arc::new(SystemClock), Arc::clone(&metrics), &Options::default());
    let start = now();
    let running = tokio::spawn(async move { operator.run(std::future::pending()).await.unwrap() });
    let written = ground.reached(&["Progressing", "Active"], start).await;
    let serving = ground.reached(&["Active"], start).await;
    running.abort();
    let _aborted = running.await;
    let writes = (WRITES_EACH * deployments) as f64;
    let sent = sent(&metrics.render().unwrap());
    println!(
        "{deployments:>6} deployments: by hand {by_hand:.1} s ({:.0} writes/s); operator: all children and first status {written:.1} s, \
         all serve {serving:.1} s = {:.2} times, {:.2} writes each",
        writes / by_hand,
        serving / by_hand,
        sent / deployments as f64,
    );
}

/// Writes that the operator sent, by its own metrics.
fn sent(metrics: &str) -> f64 {
    let written = |line: &&str| {
        line.starts_with("modelward_api_requests_total{")
            && !["list", "watch", "get"].iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
    };
    metrics.lines().filter(written).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn main() {
    let Some(path) = std::env::var("MODELWARD_TEST_KUBECONFIG").ok().filter(|path| !path.is_empty()) else {
        println!("nothing measured: run it as tests/control-plane/with-cluster cargo bench --bench control_plane");
        return;
    };
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if chosen.is_empty() { vec![100, 300, 1_000] } else { chosen };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        install(&path).await;
        for deployments in sizes {
            measure(&path, deployments).await;
        }
    });
}

/// Applies our CRDs and waits until they are served.
async fn install(path: &str) {
    let client = connect(path).await;
    let definitions: Api<DynamicObject> =
        Api::all_with(client.clone(), &resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    for definition in modelward::api::crds() {
        let object = serde_json::to_value(definition).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        definitions.patch(&name, &PatchParams::apply("bench").force(), &Patch::Apply(&object)).await.unwrap();
    }
    let served = Api::<DynamicObject>::all_with(client, &ours("ModelDeployment"));
    for _ in 0..100 {
        if served.list(&ListParams::default()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
