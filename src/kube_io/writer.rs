//! The verbs of the only writer.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use kube::{
    Client,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Map, Value, json};

use super::{
    FIELD_MANAGER, WriteError,
    request::{Call, Content, kind_path, object_path},
};
use crate::runtime::{
    cache::{Entry, Revision, WriteObserver},
    key::ObjectKey,
    pass,
};

/// The state that a write was decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precondition {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
}

impl<R> From<&Entry<R>> for Precondition {
    fn from(entry: &Entry<R>) -> Self {
        Self { uid: entry.uid.to_string(), resource_version: entry.revision.to_string() }
    }
}

/// What an apply does about fields of other managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Answers [`WriteError::OwnedByOthers`] and changes nothing.
    Respect,
    /// Takes them. Only for fields that are on the allow-list of the architecture page (I25).
    TakeOver,
}

/// What a delete does about the objects that the deleted one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They are collected afterwards.
    Background,
    /// The object stays until they are gone.
    Foreground,
    /// They stay.
    Orphan,
}

/// One object of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The kind.
    pub resource: ApiResource,
    /// Namespace and name.
    pub key: ObjectKey,
}

impl Target {
    /// What `object` is, by its apiVersion, kind, namespace and name. The plural is derived from the kind as kube does.
    ///
    /// # Errors
    /// [`WriteError::Invalid`] when one of these is missing.
    pub fn of(object: &Value) -> Result<Self, WriteError> {
        let missing = |what: &str| WriteError::Invalid(format!("the object has no {what}"));
        let key = ObjectKey::of(object).ok_or_else(|| missing("name"))?;
        let api_version = object["apiVersion"].as_str().ok_or_else(|| missing("apiVersion"))?;
        let kind = object["kind"].as_str().ok_or_else(|| missing("kind"))?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Ok(Self { resource, key })
    }
}

type GroupKind = (String, String);
type Observers = Vec<Arc<dyn WriteObserver>>;

/// See [`crate::kube_io`]. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    observers: Arc<BTreeMap<GroupKind, Observers>>,
}

impl Writer {
    /// A writer that tells `observers` what its writes brought about.
    #[must_use]
    pub fn new(client: Client, observers: impl IntoIterator<Item = Arc<dyn WriteObserver>>) -> Self {
        let mut by_kind = BTreeMap::<GroupKind, Observers>::new();
        for observer in observers {
            let resource = observer.observed();
            let kind = (resource.group.clone(), resource.kind.clone());
            by_kind.entry(kind).or_default().push(observer);
        }
        Self { client, observers: Arc::new(by_kind) }
    }

    /// Server-side apply. With a precondition, the object must still be the one that was seen; without, it may be created,
    /// or be a namesake, whose fields [`Ownership::Respect`] protects.
    ///
    /// # Errors
    /// Every [`WriteError`]; `Conflict` also when the object that was seen is gone.
    pub async fn apply(&self, mut object: Value, precondition: Option<&Precondition>, ownership: Ownership) -> Result<Value, WriteError> {
        let target = Target::of(&object)?;
        if let Some(precondition) = precondition {
            object["metadata"]["uid"] = precondition.uid.as_str().into();
            object["metadata"]["resourceVersion"] = precondition.resource_version.as_str().into();
        }
        let mut query = strict();
        query.push(("force", (ownership == Ownership::TakeOver).to_string()));
        let call =
            Call { method: Method::PATCH, path: object_path(&target.resource, &target.key), query, body: Some((Content::Apply, object)) };
        self.write(call).await
    }

    /// Reads an object, past the caches: one that they do not have though it exists.
    ///
    /// # Errors
    /// Every [`WriteError`] that a read can meet; `NotFound` when it is gone.
    pub async fn read(&self, target: &Target) -> Result<Value, WriteError> {
        let call = Call { method: Method::GET, path: object_path(&target.resource, &target.key), query: Vec::new(), body: None };
        call.send(&self.client).await
    }

    /// Creates an object.
    ///
    /// # Errors
    /// Every [`WriteError`]; `AlreadyExists` when there is one of this name: observe it, it may be our own.
    pub async fn create(&self, object: Value) -> Result<Value, WriteError> {
        let target = Target::of(&object)?;
        self.write(creation(&target, object, strict())).await
    }

    /// Replaces an object that was seen; its resourceVersion is part of it. Only for what an apply cannot do: removing what
    /// others added.
    ///
    /// # Errors
    /// Every [`WriteError`]; `Conflict` when the object has changed since.
    pub async fn replace(&self, object: Value) -> Result<Value, WriteError> {
        let target = Target::of(&object)?;
        let path = object_path(&target.resource, &target.key);
        self.write(Call { method: Method::PUT, path, query: strict(), body: Some((Content::Json, object)) }).await
    }

    /// Asks whether a create would be accepted, without making anything. Returns the object as it would be stored.
    ///
    /// # Errors
    /// Every [`WriteError`]; `Invalid` and `Forbidden` say why it would not.
    pub async fn dry_run_create(&self, object: Value) -> Result<Value, WriteError> {
        let target = Target::of(&object)?;
        let mut query = strict();
        query.push(("dryRun", "All".to_owned()));
        creation(&target, object, query).send(&self.client).await
    }

    /// Replaces the whole status, if it differs from `current`, on the revision that `current` was seen at. Returns the
    /// object, or `None` when nothing had to be written.
    ///
    /// This is a JSON patch, not a merge patch or an apply: it leaves nothing behind of what others, or an older version of
    /// ours, put into status, and needs neither the spec nor a difference against a status that our types may have cut.
    ///
    /// # Errors
    /// Every [`WriteError`]; `Conflict` when the object has changed since.
    pub async fn apply_status(
        &self,
        target: &Target,
        resource_version: &str,
        current: Option<&Value>,
        wanted: &Value,
    ) -> Result<Option<Value>, WriteError> {
        if current == Some(wanted) {
            return Ok(None);
        }
        let patch = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "add", "path": "/status", "value": wanted},
        ]);
        let call = Call {
            method: Method::PATCH,
            path: format!("{}/status", object_path(&target.resource, &target.key)),
            query: strict(),
            body: Some((Content::JsonPatch, patch)),
        };
        self.write(call).await.map(Some)
    }

    /// Sets the replicas through the scale subresource, on the revision that was seen.
    ///
    /// The answer is a Scale, not the object, so a watched object is read once more for the caches.
    ///
    /// # Errors
    /// Every [`WriteError`]; `Conflict` when the object has changed since.
    pub async fn scale(&self, target: &Target, resource_version: &str, replicas: i32) -> Result<(), WriteError> {
        let path = object_path(&target.resource, &target.key);
        let mut metadata =
            Map::from_iter([("name".to_owned(), json!(&*target.key.name)), ("resourceVersion".to_owned(), json!(resource_version))]);
        if !target.key.namespace.is_empty() {
            metadata.insert("namespace".to_owned(), json!(&*target.key.namespace));
        }
        let scale = json!({
            "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": replicas},
        });
        pass::note_write();
        let call = Call {
            method: Method::PUT,
            path: format!("{path}/scale"),
            query: vec![("fieldManager", FIELD_MANAGER.to_owned())],
            body: Some((Content::Json, scale)),
        };
        call.send(&self.client).await?;
        self.reread(target, path).await;
        Ok(())
    }

    /// Sets (`Some`) or removes (`None`) annotations of the object that was seen.
    ///
    /// # Errors
    /// Every [`WriteError`]; `Conflict` when the object has changed since.
    pub async fn annotate(
        &self,
        target: &Target,
        precondition: &Precondition,
        annotations: &BTreeMap<String, Option<String>>,
    ) -> Result<Value, WriteError> {
        let patch = json!({"metadata": {
            "uid": precondition.uid,
            "resourceVersion": precondition.resource_version,
            "annotations": annotations,
        }});
        let call = Call {
            method: Method::PATCH,
            path: object_path(&target.resource, &target.key),
            query: strict(),
            body: Some((Content::MergePatch, patch)),
        };
        self.write(call).await
    }

    /// Deletes the object that was seen. That it is gone already is success.
    ///
    /// # Errors
    /// Every [`WriteError`] but `NotFound`; `Conflict` when the object has changed since, or is another one.
    pub async fn delete(&self, target: &Target, precondition: &Precondition, propagation: Propagation) -> Result<(), WriteError> {
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "preconditions": {"uid": precondition.uid, "resourceVersion": precondition.resource_version},
            "propagationPolicy": format!("{propagation:?}"),
        });
        pass::note_write();
        let call = Call {
            method: Method::DELETE,
            path: object_path(&target.resource, &target.key),
            query: Vec::new(),
            body: Some((Content::Json, options)),
        };
        match call.send(&self.client).await {
            Ok(answer) => self.tell_deletion(target, precondition, &answer),
            Err(WriteError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn write(&self, call: Call) -> Result<Value, WriteError> {
        pass::note_write();
        let object = call.send(&self.client).await?;
        self.tell(&object);
        Ok(object)
    }

    fn tell(&self, object: &Value) {
        let Ok(target) = Target::of(object) else { return };
        for observer in self.observers_of(&target.resource) {
            observer.wrote(object);
        }
    }

    /// The answer is a Status when the object is gone, or the object: as it was when it went, or marked for deletion.
    fn tell_deletion(&self, target: &Target, precondition: &Precondition, answer: &Value) {
        let metadata = &answer["metadata"];
        if answer["kind"] != "Status" && !metadata["deletionTimestamp"].is_null() {
            return self.tell(answer);
        }
        let revision = metadata["resourceVersion"].as_str().map(Revision::parse);
        for observer in self.observers_of(&target.resource) {
            observer.deleted(&target.key, &precondition.uid, revision.as_ref());
        }
    }

    /// Reads an object for the caches. A failure is not one of the write that went before: the caches are behind until the
    /// watch delivers it, and a write on what they hold is refused for its resourceVersion.
    async fn reread(&self, target: &Target, path: String) {
        if self.observers_of(&target.resource).is_empty() {
            return;
        }
        let call = Call { method: Method::GET, path, query: Vec::new(), body: None };
        match call.send(&self.client).await {
            Ok(object) => self.tell(&object),
            Err(error) => tracing::debug!(key = %target.key, %error, "an object could not be read after its scale"),
        }
    }

    fn observers_of(&self, resource: &ApiResource) -> &[Arc<dyn WriteObserver>] {
        let kind = (resource.group.clone(), resource.kind.clone());
        self.observers.get(&kind).map_or(&[], Vec::as_slice)
    }
}

fn creation(target: &Target, object: Value, query: Vec<(&'static str, String)>) -> Call {
    Call { method: Method::POST, path: kind_path(&target.resource, &target.key), query, body: Some((Content::Json, object)) }
}

/// Whose write it is, and that a field that the server does not know is an error: it would be dropped silently.
fn strict() -> Vec<(&'static str, String)> {
    vec![("fieldManager", FIELD_MANAGER.to_owned()), ("fieldValidation", "Strict".to_owned())]
}
