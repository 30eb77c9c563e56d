//! What is watched, and what is kept of each object.
//!
//! Children are kept as text without `managedFields`, since most passes need few of them; the kinds of our own are kept
//! decoded; of a pod only what counts is kept.

use std::sync::Arc;

use kube::Resource;
use kube::core::{ApiResource, GroupVersionKind, Selector};
use serde_json::{Value, json};

use crate::api::{Model, ModelDeployment, Rollback};
use crate::resources::{labels, ownership};
use crate::runtime::cache::Watched;
use crate::runtime::intern::Interner;

/// Field manager of everything that we write.
const OURS: &str = "modelward";

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// The index text of everything that belongs to a deployment.
pub fn deployment_index(namespace: &str, deployment: &str) -> String {
    format!("{namespace}/{deployment}")
}

fn managed() -> Selector {
    Selector::from_iter([(labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned())])
}

/// Which namespace is watched; `None`: all.
pub type Scope = Option<String>;

/// Watches one of our kinds.
pub struct Ours<K> {
    scope: Scope,
    kind: std::marker::PhantomData<fn() -> K>,
}

impl<K> Ours<K> {
    /// Watches `scope`.
    pub fn new(scope: Scope) -> Self {
        Self { scope, kind: std::marker::PhantomData }
    }
}

impl Watched for Ours<Model> {
    type Row = Arc<Model>;

    fn resource(&self) -> ApiResource {
        ApiResource::erase::<Model>(&())
    }

    fn namespace(&self) -> Option<String> {
        self.scope.clone()
    }

    fn project(&self, object: &Value) -> Result<Self::Row, String> {
        let mut model: Model = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
        model.meta_mut().managed_fields = None;
        Ok(Arc::new(model))
    }
}

impl Watched for Ours<ModelDeployment> {
    type Row = Arc<ModelDeployment>;

    fn resource(&self) -> ApiResource {
        ApiResource::erase::<ModelDeployment>(&())
    }

    fn namespace(&self) -> Option<String> {
        self.scope.clone()
    }

    fn project(&self, object: &Value) -> Result<Self::Row, String> {
        let mut deployment: ModelDeployment = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
        deployment.meta_mut().managed_fields = None;
        Ok(Arc::new(deployment))
    }

    fn index(&self, object: &Value) -> Vec<String> {
        let namespace = text(object, "/metadata/namespace").unwrap_or_default();
        text(object, "/spec/model").map(|model| deployment_index(namespace, model)).into_iter().collect()
    }
}

impl Watched for Ours<Rollback> {
    type Row = Arc<Rollback>;

    fn resource(&self) -> ApiResource {
        ApiResource::erase::<Rollback>(&())
    }

    fn namespace(&self) -> Option<String> {
        self.scope.clone()
    }

    /// CRDs of an earlier release may lack the kind: what runs goes on without records.
    fn optional(&self) -> bool {
        true
    }

    fn project(&self, object: &Value) -> Result<Self::Row, String> {
        let mut rollback: Rollback = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
        rollback.meta_mut().managed_fields = None;
        Ok(Arc::new(rollback))
    }

    fn index(&self, object: &Value) -> Vec<String> {
        let namespace = text(object, "/metadata/namespace").unwrap_or_default();
        text(object, "/spec/deployment").map(|deployment| deployment_index(namespace, deployment)).into_iter().collect()
    }
}

/// A child object. Two are equal when nothing of it that is kept differs; of most kinds the revision is kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Child {
    /// Uid of its controller, if it has one.
    pub owner_uid: Option<Box<str>>,
    /// The revision that it belongs to; none for the children that a deployment has once.
    pub revision: Option<Box<str>>,
    /// The fields that we own, as JSON: the `fieldsV1` of our entries of `managedFields`. Nearly all children of a kind share
    /// one text.
    owned: Arc<str>,
    /// The object as JSON, without `managedFields`.
    text: Box<str>,
}

impl Child {
    /// The object.
    pub fn object(&self) -> Value {
        // It was JSON when it was kept.
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Its kind.
    pub fn kind(&self) -> String {
        text(&self.object(), "/kind").unwrap_or_default().to_owned()
    }

    /// Every field that `wanted` sets is still ours.
    pub fn owns(&self, wanted: &Value) -> bool {
        let fields: Vec<Value> = serde_json::from_str(&self.owned).unwrap_or_default();
        ownership::owns(&fields, wanted)
    }
}

/// Watches a kind of children by our label.
pub struct Children {
    scope: Scope,
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    optional: bool,
    /// Its status is written every few seconds, and matters only when something is wrong.
    talkative: bool,
    owned: Interner,
}

impl Children {
    fn of(group: &'static str, version: &'static str, kind: &'static str, scope: Scope) -> Self {
        Self { scope, group, version, kind, optional: false, talkative: false, owned: Interner::default() }
    }

    /// Deployments.
    pub fn workloads(scope: Scope) -> Self {
        Self::of("apps", "v1", "Deployment", scope)
    }

    /// Services.
    pub fn services(scope: Scope) -> Self {
        Self::of("", "v1", "Service", scope)
    }

    /// PodDisruptionBudgets.
    pub fn budgets(scope: Scope) -> Self {
        Self::of("policy", "v1", "PodDisruptionBudget", scope)
    }

    /// HorizontalPodAutoscalers.
    pub fn autoscalers(scope: Scope) -> Self {
        Self { talkative: true, ..Self::of("autoscaling", "v2", "HorizontalPodAutoscaler", scope) }
    }

    /// ScaledObjects. KEDA may be missing.
    pub fn scaled_objects(scope: Scope) -> Self {
        Self { optional: true, talkative: true, ..Self::of("keda.sh", "v1alpha1", "ScaledObject", scope) }
    }

    /// ControllerRevisions.
    pub fn records(scope: Scope) -> Self {
        Self::of("apps", "v1", "ControllerRevision", scope)
    }

    /// HTTPRoutes. The Gateway API may be missing.
    pub fn routes(scope: Scope) -> Self {
        Self { optional: true, ..Self::of("gateway.networking.k8s.io", "v1", "HTTPRoute", scope) }
    }

    /// GRPCRoutes. The Gateway API may be missing, or be without them.
    pub fn grpc_routes(scope: Scope) -> Self {
        Self { optional: true, ..Self::of("gateway.networking.k8s.io", "v1", "GRPCRoute", scope) }
    }
}

impl Watched for Children {
    type Row = Child;

    fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk(self.group, self.version, self.kind))
    }

    fn selector(&self) -> Selector {
        managed()
    }

    fn namespace(&self) -> Option<String> {
        self.scope.clone()
    }

    fn optional(&self) -> bool {
        self.optional
    }

    fn project(&self, object: &Value) -> Result<Child, String> {
        let mut kept = object.clone();
        let managers = kept.get_mut("metadata").and_then(Value::as_object_mut).and_then(|metadata| metadata.remove("managedFields"));
        let managers = managers.as_ref().and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if self.talkative {
            keep_failures(&mut kept);
        }
        Ok(Child {
            owner_uid: controller(object).map(Box::from),
            revision: label(object, labels::REVISION).map(Box::from),
            owned: self.owned.intern(
                &Value::from_iter(managers.iter().filter(|entry| is_ours(entry)).map(|entry| entry["fieldsV1"].clone())).to_string(),
            ),
            text: kept.to_string().into_boxed_str(),
        })
    }

    fn index(&self, object: &Value) -> Vec<String> {
        // KEDA puts the labels of its ScaledObject on the autoscaler that it makes, which is its child and not ours.
        if controller_kind(object) == Some("ScaledObject") {
            return Vec::new();
        }
        let namespace = text(object, "/metadata/namespace").unwrap_or_default();
        label(object, labels::DEPLOYMENT).map(|deployment| deployment_index(namespace, deployment)).into_iter().collect()
    }
}

/// Of what a scaler says, what it says to be wrong.
fn keep_failures(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
    }
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let failing = conditions.iter().filter(|condition| condition["status"] == "False");
    let kept = failing.map(
        |condition| json!({ "type": condition["type"], "status": "False", "reason": condition["reason"], "message": condition["message"] }),
    );
    let status = json!({ "conditions": kept.collect::<Vec<Value>>() });
    object["status"] = status;
}

fn is_ours(entry: &Value) -> bool {
    entry["manager"] == OURS && entry["subresource"].as_str().is_none_or(str::is_empty)
}

fn controller(object: &Value) -> Option<&str> {
    controller_reference(object)?["uid"].as_str()
}

fn controller_kind(object: &Value) -> Option<&str> {
    controller_reference(object)?["kind"].as_str()
}

fn controller_reference(object: &Value) -> Option<&Value> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

/// What counts of a pod.
#[derive(Debug, PartialEq, Eq)]
pub struct Pod {
    /// The revision that it belongs to.
    pub revision: Box<str>,
    /// It has ended.
    pub ended: bool,
    /// It is ready and not being deleted.
    pub ready: bool,
    /// No node takes it: the scheduler's words.
    pub unschedulable: Option<Box<str>>,
    /// A container does not come up, in words.
    pub trouble: Option<Box<str>>,
}

/// Watches the pods of model servers.
pub struct Pods {
    scope: Scope,
}

impl Pods {
    /// Watches `scope`.
    pub fn new(scope: Scope) -> Self {
        Self { scope }
    }
}

impl Watched for Pods {
    type Row = Pod;

    fn resource(&self) -> ApiResource {
        ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&())
    }

    fn selector(&self) -> Selector {
        managed()
    }

    fn namespace(&self) -> Option<String> {
        self.scope.clone()
    }

    fn project(&self, object: &Value) -> Result<Pod, String> {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let condition = |kind: &str| conditions.iter().find(|condition| condition["type"] == kind);
        let deleting = object.pointer("/metadata/deletionTimestamp").is_some();
        let unschedulable = condition("PodScheduled").filter(|condition| condition["reason"] == "Unschedulable");
        let phase = text(object, "/status/phase").unwrap_or_default();
        Ok(Pod {
            revision: label(object, labels::REVISION).unwrap_or_default().into(),
            ended: phase == "Succeeded" || phase == "Failed",
            ready: !deleting && condition("Ready").is_some_and(|condition| condition["status"] == "True"),
            unschedulable: unschedulable.map(|condition| clip(condition["message"].as_str().unwrap_or("no node has room"))),
            trouble: trouble(object).map(|words| clip(&words)),
        })
    }

    fn index(&self, object: &Value) -> Vec<String> {
        let namespace = text(object, "/metadata/namespace").unwrap_or_default();
        label(object, labels::DEPLOYMENT).map(|deployment| deployment_index(namespace, deployment)).into_iter().collect()
    }
}

/// Waiting reasons that mean more than "not yet".
const TROUBLES: [&str; 6] =
    ["CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"];

fn trouble(object: &Value) -> Option<String> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = lists.iter().filter_map(|list| object.pointer(list)?.as_array()).flatten();
    statuses.into_iter().find_map(|status| {
        let waiting = status.pointer("/state/waiting")?;
        let reason = waiting["reason"].as_str().filter(|reason| TROUBLES.contains(reason))?;
        let container = status["name"].as_str().unwrap_or_default();
        let message = waiting["message"].as_str().map_or(String::new(), |message| format!(" ({message})"));
        Some(format!("container {container}: {reason}{message}"))
    })
}

fn clip(words: &str) -> Box<str> {
    words.chars().take(200).collect::<String>().into()
}
