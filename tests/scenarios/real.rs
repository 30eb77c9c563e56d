//! The real arm: a control plane that `MODELWARD_TEST_KUBECONFIG` names.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use modelward::controllers::operator::{Operator, Options};
use modelward::runtime::clock::SystemClock;
use modelward::runtime::telemetry::metrics::Metrics;
use serde_json::json;

use crate::arena::Arena;
use crate::{gateway, pace};

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

/// Plays `body` in a namespace of its own; the namespace goes afterwards, also when the body fails.
pub fn play(path: &str, name: &str, body: impl AsyncFnOnce(&Arena)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let admin = client(path).await;
        install_crds(&admin).await;
        let namespace = format!("{}-{}", short(name), std::process::id());
        create_namespace(&admin, &namespace).await;
        let operator = start_operator(path, &namespace).await;
        let gateway = tokio::spawn(gateway::serve(admin.clone(), namespace.clone()));
        let arena = Arena { client: admin.clone(), namespace: namespace.clone(), pace: pace::real_time() };
        let played = tokio::time::timeout(Duration::from_secs(90), body(&arena)).await;
        operator.abort();
        gateway.abort();
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(admin);
        namespaces.delete(&namespace, &kube::api::DeleteParams::background()).await.unwrap();
        assert!(played.is_ok(), "{name} took more than 90 s");
    });
}

/// A namespace name out of a test's name: its first letters would do, but collide; so the last.
fn short(name: &str) -> String {
    let tail: String = name.replace('_', "-").chars().rev().take(40).collect();
    let tail: String = tail.chars().rev().collect();
    format!("t-{}", tail.trim_matches('-'))
}

/// The operator under the chart's own service account if `MODELWARD_TEST_OPERATOR_KUBECONFIG` names its kubeconfig.
async fn start_operator(path: &str, namespace: &str) -> tokio::task::JoinHandle<()> {
    let own = std::env::var("MODELWARD_TEST_OPERATOR_KUBECONFIG").unwrap_or_else(|_| path.to_owned());
    let options = Options { namespace: Some(namespace.to_owned()), ..Options::default() };
    let operator = Operator::new(client(&own).await, Arc::new(SystemClock), Arc::new(Metrics::default()), &options);
    tokio::spawn(async move { operator.run(std::future::pending()).await.unwrap() })
}

async fn create_namespace(client: &Client, name: &str) {
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
}

/// Applies our CRDs and waits until they are served. Several tests may do so at once.
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
