//! The numbers of the real arm: a Prometheus scrapes what a task counts, and a door in front of it can be broken.
//!
//! Pods of the control plane do not run, so nobody serves requests: every quarter of a second the task gives as many as have come
//! to the pods that the route or the Services lead to, and counts what the versions make of them. The operator asks through
//! its ordinary HTTP client, whose provider is the door.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client};
use modelward::metric_source::Sources;
use modelward::metric_source::config::OperatorConfiguration;
use serde_json::Value;
use tokio::time::Instant;

use super::door::Door;
use super::meter::{self, Serving};
use super::{Numbers, Source, To};
use crate::arena::{at, kind};

/// Time between two looks at where requests go.
const TICK: Duration = Duration::from_millis(250);

/// See the module.
pub struct Real {
    namespace: String,
    door: Door,
    told: Arc<Mutex<Told>>,
}

/// What the scenario said.
#[derive(Default)]
struct Told {
    streams: Vec<(To, f64)>,
    servings: BTreeMap<String, Serving>,
}

impl Real {
    /// For `chat` in `namespace`.
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), door: Door::open(), told: Arc::default() }
    }

    /// The door, as an administrator configures it.
    pub fn sources(&self) -> Sources {
        let text = format!(
            "apiVersion: config.modelward.dev/v1alpha1\nkind: OperatorConfiguration\nmetricProviders:\n- {{name: prometheus, type: \
             Prometheus, url: 'http://{}', timeout: 3s}}\n",
            self.door.address()
        );
        let configuration = OperatorConfiguration::parse(&text).unwrap();
        Sources::from_configuration(&configuration, &std::collections::BTreeSet::new()).unwrap()
    }

    /// Counts requests for ever.
    pub fn count(&self, client: Client) -> impl Future<Output = ()> + Send + use<> {
        let crowd = Crowd { client, namespace: self.namespace.clone(), told: Arc::clone(&self.told), owed: BTreeMap::new(), turn: 0 };
        crowd.come()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        meter::forget(&self.namespace);
    }
}

impl Numbers for Real {
    fn requests(&self, streams: &[(To, f64)]) {
        self.door.prepare();
        self.told.lock().unwrap().streams = streams.to_vec();
    }

    fn fails(&self, version: &str, share: f64) {
        self.told.lock().unwrap().servings.entry(version.to_owned()).or_default().fails = share;
    }

    fn latency(&self, version: &str, p50: u64, p99: u64) {
        let mut told = self.told.lock().unwrap();
        let serving = told.servings.entry(version.to_owned()).or_default();
        (serving.p50, serving.p99) = (p50 as f64 / 1000.0, p99 as f64 / 1000.0);
    }

    fn source(&self, source: Source) {
        self.door.set(source);
    }
}

/// Those who ask.
struct Crowd {
    client: Client,
    namespace: String,
    told: Arc<Mutex<Told>>,
    /// Parts of requests that are still to come, by stream and backend.
    owed: BTreeMap<(usize, String), f64>,
    /// Pods take turns.
    turn: usize,
}

/// A pod that takes requests.
struct Pod {
    name: String,
    labels: Value,
}

impl Pod {
    fn label(&self, key: &str) -> &str {
        self.labels[key].as_str().unwrap_or_default()
    }
}

impl Crowd {
    async fn come(mut self) {
        let mut before = Instant::now();
        loop {
            tokio::time::sleep(TICK).await;
            let seconds = before.elapsed().as_secs_f64();
            before = Instant::now();
            let streams = self.told.lock().unwrap().streams.clone();
            if !streams.is_empty() {
                // What cannot be read now comes with the next look.
                if let Some(pods) = self.pods().await {
                    self.ask(&streams, &pods, seconds).await;
                }
            }
        }
    }

    async fn ask(&mut self, streams: &[(To, f64)], pods: &[Pod], seconds: f64) {
        for (number, (to, per_second)) in streams.iter().enumerate() {
            for (selector, share) in self.backends(*to, pods).await {
                let takers: Vec<&Pod> = pods.iter().filter(|pod| selects(&selector, pod)).collect();
                let owed = self.owed.entry((number, selector.to_string())).or_insert(0.0);
                *owed += per_second * share * seconds;
                let whole = owed.floor();
                *owed -= whole;
                self.serve(&takers, whole as usize);
            }
        }
    }

    fn serve(&mut self, takers: &[&Pod], requests: usize) {
        if takers.is_empty() {
            return;
        }
        let told = self.told.lock().unwrap();
        for _ in 0..requests {
            self.turn += 1;
            let pod = takers[self.turn % takers.len()];
            let serving = told.servings.get(pod.label("modelward.dev/version")).cloned().unwrap_or_default();
            meter::count(&self.namespace, &pod.name, &serving);
        }
    }

    /// Selectors of pods, and the share of a stream that goes there.
    async fn backends(&self, to: To, pods: &[Pod]) -> Vec<(Value, f64)> {
        let service = match to {
            To::Everybody => {
                if let Some(route) = self.get("route", "chat").await {
                    return by_weight(&route);
                }
                self.get("service", "chat").await
            }
            To::Preview => self.get("service", "chat-preview").await,
        };
        let selector = service.map(|service| at(&service, "/spec/selector").clone());
        selector.filter(|selector| pods.iter().any(|pod| selects(selector, pod))).map(|selector| (selector, 1.0)).into_iter().collect()
    }

    async fn get(&self, short: &str, name: &str) -> Option<Value> {
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind(short));
        let found = objects.get_opt(name).await.ok().flatten()?;
        Some(serde_json::to_value(found).unwrap())
    }

    /// Ready pods of `chat`; what the others have counted is gone with them.
    async fn pods(&self) -> Option<Vec<Pod>> {
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind("pod"));
        let list = objects.list(&ListParams::default().labels("modelward.dev/deployment=chat")).await.ok()?;
        let all: Vec<Value> = list.items.into_iter().map(|pod| serde_json::to_value(pod).unwrap()).collect();
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
        meter::keep(&self.namespace, &all.iter().map(name).collect());
        let ready = all.iter().filter(|pod| is_ready(pod));
        Some(ready.map(|pod| Pod { name: name(pod), labels: pod["metadata"]["labels"].clone() }).collect())
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = at(pod, "/status/conditions").as_array();
    let ready = conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    ready && pod["metadata"]["deletionTimestamp"].is_null()
}

fn selects(selector: &Value, pod: &Pod) -> bool {
    selector.as_object().is_some_and(|labels| labels.iter().all(|(key, value)| pod.labels[key] == *value))
}

/// Backends of a route: each is the Service of a revision.
fn by_weight(route: &Value) -> Vec<(Value, f64)> {
    let backends = at(route, "/spec/rules/0/backendRefs").as_array().cloned().unwrap_or_default();
    let weight = |backend: &Value| backend["weight"].as_f64().unwrap_or(1.0);
    let all: f64 = backends.iter().map(weight).sum();
    let selector = |backend: &Value| serde_json::json!({"modelward.dev/revision": backend["name"]});
    backends.iter().filter(|backend| weight(backend) > 0.0).map(|backend| (selector(backend), weight(backend) / all)).collect()
}
