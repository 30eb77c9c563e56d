//! The work that autoscalers see: a queue for each revision. In the simulated cluster its own metrics and its double of KEDA; on the real
//! arm the real autoscaler reads external metrics from files (`tests/control-plane/autoscalers/with-metrics`), and KEDA, which is not
//! there, is played by a double of what its contract says of numbers of pods.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use modelward::sim::actors::keda::OWNER_LABEL;
use modelward::sim::keda_api;
use modelward::sim::service::SimServer;
use modelward::sim::simulation::Simulation;
use serde_json::{Value, json};

use crate::arena::{Arena, at, kind};

/// Work that waits for one pod, by the threshold of all triggers and targets in scenarios.
pub const PER_POD: i64 = 10;

/// See the module.
pub trait Load {
    /// So much work waits for `revision` from now on.
    fn queue(&self, revision: &str, waiting: i64);
}

/// The metric that an autoscaler finds the queue of its revision by.
pub fn metric() -> Value {
    json!({
        "type": "External",
        "external": {
            "metric": {"name": "queue-{{revision}}"},
            "target": {"type": "AverageValue", "averageValue": PER_POD.to_string()},
        },
    })
}

/// The trigger that KEDA finds it by.
pub fn trigger() -> Value {
    let query = "sum(queue{revision=\"{{revision}}\"})";
    json!({"type": "prometheus", "metadata": {"serverAddress": "http://prometheus", "query": query, "threshold": PER_POD.to_string()}})
}

/// The simulated arm.
pub struct Simulated {
    pub server: Arc<SimServer<Simulation>>,
    pub namespace: String,
}

impl Load for Simulated {
    fn queue(&self, revision: &str, waiting: i64) {
        let millis = Some(waiting * 1000);
        self.server.with(|state| {
            let world = &mut state.world;
            world.set_external_metric(&self.namespace, &format!("queue-{revision}"), &[], millis);
            world.set_external_metric(&self.namespace, "s0-prometheus", &[(OWNER_LABEL, revision)], millis);
        });
    }
}

/// The real arm.
#[derive(Clone)]
pub struct Real {
    namespace: String,
    waiting: Arc<Mutex<BTreeMap<String, i64>>>,
}

impl Real {
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), waiting: Arc::default() }
    }

    /// Plays KEDA for ever.
    pub async fn serve(self, client: Client) {
        let scaled: Api<DynamicObject> = Api::namespaced_with(client.clone(), &self.namespace, &kind("scaledobject"));
        let workloads: Api<DynamicObject> = Api::namespaced_with(client, &self.namespace, &kind("deployment"));
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let Ok(list) = scaled.list(&ListParams::default()).await else { continue };
            for object in list.items.iter().filter(|object| object.metadata.deletion_timestamp.is_none()) {
                self.scale(&workloads, &object.data["spec"]).await;
            }
        }
    }

    async fn scale(&self, workloads: &Api<DynamicObject>, spec: &Value) {
        let target = at(spec, "/scaleTargetRef/name").as_str().unwrap_or_default();
        let number = |field: &str, otherwise: i64| at(spec, field).as_i64().unwrap_or(otherwise);
        let (least, most) = (number("/minReplicaCount", 0), number("/maxReplicaCount", 100));
        let waiting = self.waiting.lock().unwrap().get(target).copied().unwrap_or(0);
        let wanted = (waiting + PER_POD - 1) / PER_POD;
        let wanted = wanted.clamp(least, most);
        let Ok(Some(workload)) = workloads.get_opt(target).await else { return };
        if workload.data["spec"]["replicas"] != wanted {
            let patch = Patch::Merge(json!({"spec": {"replicas": wanted}}));
            let _asked = workloads.patch_scale(target, &PatchParams::default(), &patch).await;
        }
    }
}

impl Load for Real {
    fn queue(&self, revision: &str, waiting: i64) {
        self.waiting.lock().unwrap().insert(revision.to_owned(), waiting);
        let folder = std::env::var("MODELWARD_TEST_EXTERNAL_METRICS").expect("run it below autoscalers/with-metrics");
        let folder = PathBuf::from(folder).join(&self.namespace);
        std::fs::create_dir_all(&folder).unwrap();
        // Whoever reads it meanwhile sees the old value or the new one.
        let (file, part) = (folder.join(format!("queue-{revision}")), folder.join(format!("queue-{revision}.part")));
        std::fs::write(&part, waiting.to_string()).unwrap();
        std::fs::rename(part, file).unwrap();
    }
}

impl Arena {
    /// So much work waits for `version` from now on, once it has a workload.
    pub async fn queue(&self, version: &str, waiting: i64) {
        let workload = crate::fixtures::workload(self, version).await;
        self.load.queue(crate::fixtures::name(&workload), waiting);
    }

    /// Installs the kind ScaledObject.
    pub async fn install_keda(&self) {
        let definitions: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind("definition"));
        for definition in keda_api::definitions() {
            let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
            definitions.create(&PostParams::default(), &serde_json::from_value(definition).unwrap()).await.unwrap();
            let served = async || {
                let live = definitions.get_opt(&name).await.unwrap();
                let live = live.map_or(Value::Null, |live| serde_json::to_value(live).unwrap());
                crate::arena::condition(&live, "Established")["status"] == "True"
            };
            self.eventually("KEDA's kind is served", served).await;
        }
    }

    /// Removes the kind ScaledObject, if it is there, and with it every object of it.
    pub async fn remove_keda(&self) {
        let definitions: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind("definition"));
        let name = "scaledobjects.keda.sh";
        if definitions.get_opt(name).await.unwrap().is_none() {
            return;
        }
        // A finalizer of a KEDA that is gone would keep its objects for ever: whoever removes KEDA removes it.
        for object in self.list("scaledobject", "").await {
            let finalized = object["metadata"]["finalizers"].is_array();
            if finalized {
                self.merge("scaledobject", crate::fixtures::name(&object), json!({"metadata": {"finalizers": null}})).await;
            }
        }
        definitions.delete(name, &kube::api::DeleteParams::background()).await.unwrap();
        self.eventually("KEDA's kind is gone", async || definitions.get_opt(name).await.unwrap().is_none()).await;
    }
}
