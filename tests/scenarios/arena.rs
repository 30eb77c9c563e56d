//! Where a scenario plays: a namespace of a cluster, with the operator at work.
//!
//! A body is written once. It runs in the simulated cluster always, and on a real control plane when
//! `MODELWARD_TEST_KUBECONFIG` names one.

use std::future::Future;
use std::time::Duration;

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway};
use crate::load::Load;
use crate::numbers::Numbers;
use crate::pace::Pace;

/// Who writes as the user does.
const USER: &str = "kubectl";

/// See the module.
pub struct Arena {
    /// A client with all rights.
    pub client: Client,
    /// The scenario's own namespace.
    pub namespace: String,
    /// Holds and deadlines that suit the arm.
    pub pace: Pace,
    /// What the gateway double says of routes.
    pub gateway: Box<dyn Gateway>,
    /// Requests, and what is measured of them.
    pub numbers: Box<dyn Numbers>,
    /// Work that autoscalers see.
    pub load: Box<dyn Load>,
}

/// A request that was not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP code.
    pub code: u16,
    /// The reason, as a word.
    pub reason: String,
    /// What is said to people.
    pub message: String,
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self { code: status.code, reason: status.reason.clone(), message: status.message.clone() },
            other => panic!("no answer: {other}"),
        }
    }
}

/// The kind that a short name stands for.
pub fn kind(short: &str) -> ApiResource {
    let (group, version, kind) = match short {
        "model" => ("modelward.dev", "v1alpha1", "Model"),
        "modeldeployment" => ("modelward.dev", "v1alpha1", "ModelDeployment"),
        "rollback" => ("modelward.dev", "v1alpha1", "Rollback"),
        "deployment" => ("apps", "v1", "Deployment"),
        "replicaset" => ("apps", "v1", "ReplicaSet"),
        "record" => ("apps", "v1", "ControllerRevision"),
        "service" => ("", "v1", "Service"),
        "pod" => ("", "v1", "Pod"),
        "event" => ("events.k8s.io", "v1", "Event"),
        "budget" => ("policy", "v1", "PodDisruptionBudget"),
        "hpa" => ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        "scaledobject" => ("keda.sh", "v1alpha1", "ScaledObject"),
        "definition" => ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
        "quota" => ("", "v1", "ResourceQuota"),
        "node" => ("", "v1", "Node"),
        "slice" => ("discovery.k8s.io", "v1", "EndpointSlice"),
        "route" => ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
        "grpcroute" => ("gateway.networking.k8s.io", "v1", "GRPCRoute"),
        other => panic!("no kind {other}"),
    };
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// A value inside an object, `null` if it is not there.
pub fn at<'a>(object: &'a Value, pointer: &str) -> &'a Value {
    object.pointer(pointer).unwrap_or(&Value::Null)
}

/// A condition of an object, `null` if it is not there.
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = at(object, "/status/conditions").as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

impl Arena {
    /// Nodes belong to no namespace.
    fn api(&self, short: &str) -> Api<DynamicObject> {
        match short {
            "node" => Api::all_with(self.client.clone(), &kind(short)),
            _ => Api::namespaced_with(self.client.clone(), &self.namespace, &kind(short)),
        }
    }

    /// Applies an object as a user would; the answer, or the refusal.
    pub async fn try_apply(&self, short: &str, mut object: Value) -> Result<Value, Refusal> {
        let resource = kind(short);
        object["apiVersion"] = resource.api_version.clone().into();
        object["kind"] = resource.kind.clone().into();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let params = PatchParams { field_validation: Some(kube::api::ValidationDirective::Strict), ..PatchParams::apply(USER).force() };
        let applied = self.api(short).patch(&name, &params, &Patch::Apply(&object)).await;
        applied.map(|object| serde_json::to_value(object).unwrap()).map_err(Refusal::from)
    }

    /// Applies an object that must be taken.
    pub async fn apply(&self, short: &str, object: Value) -> Value {
        self.try_apply(short, object).await.unwrap()
    }

    /// An object, if it exists.
    pub async fn get(&self, short: &str, name: &str) -> Option<Value> {
        let found = self.api(short).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// Objects by label selector, by name.
    pub async fn list(&self, short: &str, selector: &str) -> Vec<Value> {
        let params = ListParams::default().labels(selector);
        let list = self.api(short).list(&params).await.unwrap();
        list.items.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// Merges `patch` into an object.
    pub async fn merge(&self, short: &str, name: &str, patch: Value) -> Value {
        let params = PatchParams { field_manager: Some(USER.to_owned()), ..PatchParams::default() };
        let merged = self.api(short).patch(name, &params, &Patch::Merge(&patch)).await;
        serde_json::to_value(merged.unwrap()).unwrap()
    }

    /// JSON patch on the status of an object.
    pub async fn wipe_status(&self, short: &str, name: &str) {
        let patch: json_patch::Patch = serde_json::from_value(serde_json::json!([{"op": "remove", "path": "/status"}])).unwrap();
        let params = PatchParams::default();
        self.api(short).patch_status(name, &params, &Patch::Json::<()>(patch)).await.unwrap();
    }

    /// Deletes an object as kubectl does.
    pub async fn delete(&self, short: &str, name: &str) {
        self.delete_with(short, name, PropagationPolicy::Background).await;
    }

    /// Deletes an object, and says what becomes of those that it owns.
    pub async fn delete_with(&self, short: &str, name: &str, propagation: PropagationPolicy) {
        let params = DeleteParams { propagation_policy: Some(propagation), ..DeleteParams::default() };
        self.api(short).delete(name, &params).await.unwrap();
    }

    /// Creates an object that must be taken.
    pub async fn create(&self, short: &str, object: Value) -> Value {
        let resource = kind(short);
        let mut object = object;
        object["apiVersion"] = resource.api_version.clone().into();
        object["kind"] = resource.kind.clone().into();
        let params = PostParams { field_manager: Some(USER.to_owned()), ..PostParams::default() };
        let created = self.api(short).create(&params, &serde_json::from_value(object).unwrap()).await;
        serde_json::to_value(created.unwrap()).unwrap()
    }

    /// JSON patch on an object, by operations.
    pub async fn patch(&self, short: &str, name: &str, operations: Value) -> Value {
        let patch: json_patch::Patch = serde_json::from_value(operations).unwrap();
        let params = PatchParams { field_manager: Some(USER.to_owned()), ..PatchParams::default() };
        let patched = self.api(short).patch(name, &params, &Patch::Json::<()>(patch)).await;
        serde_json::to_value(patched.unwrap()).unwrap()
    }

    /// What `kubectl scale` does; the refusal if it is not granted.
    pub async fn try_scale(&self, short: &str, name: &str, replicas: i64) -> Result<(), Refusal> {
        let params = PatchParams { field_manager: Some(USER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        self.api(short).patch_scale(name, &params, &patch).await.map(drop).map_err(Refusal::from)
    }

    /// What `kubectl scale` does.
    pub async fn scale(&self, short: &str, name: &str, replicas: i64) {
        self.try_scale(short, name, replicas).await.unwrap();
    }

    /// A request as somebody writes it by hand; the code and the answer.
    pub async fn raw(&self, method: &str, path: &str, content_type: &str, body: &str) -> (u16, Value) {
        let request = http::Request::builder().method(method).uri(path).header("content-type", content_type);
        let request = request.header("accept", "application/json").body(kube::client::Body::from(body.as_bytes().to_vec()));
        let response = self.client.send(request.unwrap()).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await.unwrap();
        (code, serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into()))
    }

    /// Lets the gateway double answer like this from now on.
    pub fn gateway(&self, answer: Answer) {
        self.gateway.answers(answer);
    }

    /// Sets (`Some`) or removes a label of an object.
    pub async fn label(&self, short: &str, name: &str, key: &str, value: Option<&str>) {
        self.merge(short, name, json!({"metadata": {"labels": {key: value}}})).await;
    }

    /// Gives a command.
    pub async fn command(&self, name: &str, command: &str) {
        let patch = serde_json::json!({"metadata": {"annotations": {"modelward.dev/command": command}}});
        self.merge("modeldeployment", name, patch).await;
    }

    /// Waits in the arm's own time.
    pub async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until `reached` says so of the object.
    pub async fn until(&self, what: &str, short: &str, name: &str, reached: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..self.pace.polls_max {
            last = self.get(short, name).await.unwrap_or(Value::Null);
            if reached(&last) {
                return last;
            }
            self.sleep(self.pace.poll).await;
        }
        panic!("never happened: {what}; {short} {name} is {}", serde_json::to_string_pretty(&last).unwrap());
    }

    /// The ModelDeployment, once a condition has `reason`.
    pub async fn reason(&self, name: &str, kind: &str, reason: &str) -> Value {
        let what = format!("{kind} for reason {reason}");
        self.until(&what, "modeldeployment", name, |object| condition(object, kind)["reason"] == reason).await
    }

    /// Waits until `reached` answers true.
    pub async fn eventually<F: Future<Output = bool>>(&self, what: &str, reached: impl Fn() -> F) {
        for _ in 0..self.pace.polls_max {
            if reached().await {
                return;
            }
            self.sleep(self.pace.poll).await;
        }
        panic!("never happened: {what}");
    }

    /// The ModelDeployment, once it is in `phase`.
    pub async fn phase(&self, name: &str, phase: &str) -> Value {
        self.until(phase, "modeldeployment", name, |object| {
            let current = at(object, "/status/observedGeneration") == at(object, "/metadata/generation");
            current && at(object, "/status/phase") == phase
        })
        .await
    }

    /// The ModelDeployment, once the candidate has `weight` and it is in effect.
    pub async fn holding_at(&self, name: &str, weight: i64) -> Value {
        self.until(&format!("holding at {weight}"), "modeldeployment", name, |object| {
            at(object, "/status/phase") == "Holding" && at(object, "/status/candidate/weight") == weight
        })
        .await
    }
}
