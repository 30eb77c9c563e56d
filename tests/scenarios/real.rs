//! The real arm: a control plane that `MODELWARD_TEST_KUBECONFIG` names.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use modelward::controllers::operator::{Operator, Options};
use modelward::metric_source::Sources;
use modelward::runtime::clock::SystemClock;
use modelward::runtime::telemetry::metrics::Metrics;
use serde_json::json;

use crate::arena::Arena;
use crate::gateway::Double;
use crate::numbers::real::Real;
use crate::pace::{self, Pace};

/// The longest that a scenario may take.
const TIME_MAX: Duration = Duration::from_secs(90);

/// The kubeconfig of the real arm, if there is one.
pub fn kubeconfig() -> Option<String> {
    std::env::var("MODELWARD_TEST_KUBECONFIG").ok().filter(|path| !path.is_empty())
}

async fn client(path: &str) -> Client {
    let file = Kubeconfig::read_from(path).unwrap();
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// Plays `body` in a namespace of its own. However it ends, the operator and the gateway have ended before the namespace
/// goes, and it goes also when the body fails.
pub fn play(path: &str, name: &str, body: impl AsyncFnOnce(&Arena)) {
    play_within(path, name, TIME_MAX, body);
}

/// As [`play`], for what takes longer by its nature.
pub fn play_within(path: &str, name: &str, time_max: Duration, body: impl AsyncFnOnce(&Arena)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let admin = client(path).await;
        install_crds_once(&admin).await;
        let namespace = format!("{}-{}", short(name), std::process::id());
        create_namespace(&admin, &namespace).await;
        let gateway = Double::default();
        let answering = tokio::spawn(gateway.clone().serve(admin.clone(), namespace.clone()));
        let numbers = Real::new(&namespace);
        let counting = tokio::spawn(numbers.count(admin.clone()));
        let load = crate::load::Real::new(&namespace);
        let scaling = tokio::spawn(load.clone().serve(admin.clone()));
        let operator = start_operator(path, &namespace, numbers.sources()).await;
        let (gateway, numbers, load) = (Box::new(gateway), Box::new(numbers), Box::new(load));
        let longer = usize::try_from(time_max.as_secs() / TIME_MAX.as_secs()).unwrap();
        let usual = pace::real_time();
        let pace = Pace { polls_max: usual.polls_max * longer, ..usual };
        let arena = Arena { client: admin.clone(), namespace: namespace.clone(), pace, gateway, numbers, load };
        let played = AssertUnwindSafe(tokio::time::timeout(time_max, body(&arena))).catch_unwind().await;
        let crashed = end(operator).await;
        end(answering).await;
        end(counting).await;
        end(scaling).await;
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(admin);
        let deleted = namespaces.delete(&namespace, &kube::api::DeleteParams::background()).await;
        match played {
            Err(panic) => resume_unwind(panic),
            Ok(in_time) => assert!(in_time.is_ok(), "{name} took more than {time_max:?}"),
        }
        assert!(!crashed, "{name}: the operator has ended by itself");
        deleted.unwrap();
    });
}

/// Stops a task and waits for its end; whether it had ended by itself, which no task here may.
async fn end(task: tokio::task::JoinHandle<()>) -> bool {
    task.abort();
    !task.await.is_err_and(|error| error.is_cancelled())
}

/// A namespace name out of a test's name: its first letters would do, but collide; so the last.
fn short(name: &str) -> String {
    let tail: String = name.replace('_', "-").chars().rev().take(40).collect();
    let tail: String = tail.chars().rev().collect();
    format!("t-{}", tail.trim_matches('-'))
}

/// The operator under the chart's own service account if `MODELWARD_TEST_OPERATOR_KUBECONFIG` names its kubeconfig.
async fn start_operator(path: &str, namespace: &str, sources: Sources) -> tokio::task::JoinHandle<()> {
    let own = std::env::var("MODELWARD_TEST_OPERATOR_KUBECONFIG").unwrap_or_else(|_| path.to_owned());
    let options = Options { namespace: Some(namespace.to_owned()), sources, ..Options::default() };
    let operator = Operator::new(client(&own).await, Arc::new(SystemClock), Arc::new(Metrics::default()), &options);
    tokio::spawn(async move { operator.run(std::future::pending()).await.unwrap() })
}

async fn create_namespace(client: &Client, name: &str) {
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
}

/// Applies our CRDs once per process: the first scenario does, the others wait for it.
#[expect(clippy::await_holding_lock, reason = "each scenario has a thread and a runtime of its own, so waiting blocks nobody else")]
async fn install_crds_once(client: &Client) {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*installed {
        install_crds(client).await;
        *installed = true;
    }
}

/// Applies our CRDs and waits until they are served.
async fn install_crds(client: &Client) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    let definitions: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    for definition in modelward::api::crds() {
        let object = serde_json::to_value(definition).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        definitions.patch(&name, &PatchParams::apply("modelward-tests").force(), &Patch::Apply(&object)).await.unwrap();
        for _ in 0..200 {
            let live = definitions.get(&name).await.unwrap();
            let conditions = live.data.pointer("/status/conditions").and_then(|list| list.as_array()).cloned().unwrap_or_default();
            if conditions.iter().any(|condition| condition["type"] == "Established" && condition["status"] == "True") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[test]
fn scenario_that_fails_leaves_no_namespace_behind() {
    let Some(path) = kubeconfig() else { return };
    let seen = Mutex::new(String::new());
    let failed = std::panic::catch_unwind(AssertUnwindSafe(|| {
        play(&path, "that_fails", async |arena| {
            seen.lock().unwrap().clone_from(&arena.namespace);
            panic!("as a failed assertion does");
        });
    }));
    assert!(failed.is_err(), "a failed body must fail the scenario");
    let namespace = seen.into_inner().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client(&path).await);
        let left = namespaces.get_opt(&namespace).await.unwrap();
        assert!(left.is_none_or(|left| left.metadata.deletion_timestamp.is_some()), "{namespace} stays");
    });
}
