//! POST: a new object, from the body to the store.

use std::sync::Arc;

use serde_json::{Value, json};

use super::patch::check_manager;
use super::{Asked, convert, decode, engines, errors, meta, prepare, service, size, update, validate};
use crate::sim::admission;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Identity, WriteOptions, Written};
use crate::sim::kinds::Resource;
use crate::sim::store::ObjectKey;

/// How often a generated name is drawn before the server gives up.
const NAME_TRIES: u64 = 8;
/// Characters of `generateName` that survive.
const NAME_BASE_MAX: usize = 58;

impl Cluster {
    /// Creates an object. `namespace` is empty for cluster-scoped resources.
    ///
    /// # Errors
    /// As the server: 400 undecodable, 403 admission, 404 namespace, 409 exists, 422 invalid, 500 with a revision.
    pub fn create(
        &mut self,
        who: &Identity,
        resource: &str,
        namespace: &str,
        object: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let resource = self.resource(resource)?;
        let asked = Asked { who, resource, namespace, name: "", subresource: None, options };
        check_manager(&asked, "CreateOptions", false)?;
        let mut warnings = usage_warnings(&asked.resource);
        let mut object = decode::decode(&asked, object, decode::Source::Body, &mut warnings)?;
        check_namespace(&asked, &mut object)?;
        wipe_system_fields(&mut object);
        let object = engines::track(&asked, None, object, &update::reset_fields(&asked), self.now());
        self.create_tracked(&asked, object, warnings)
    }

    /// The rest of a create, after `managedFields` are computed; shared with apply and PUT of missing objects.
    pub(super) fn create_tracked(&mut self, asked: &Asked<'_>, mut object: Value, mut warnings: Vec<String>) -> Result<Written, ApiError> {
        admission::on_create(self, &asked.resource, asked.namespace, &mut object)?;
        let name = self.name_of(asked, &mut object)?;
        let asked = &Asked {
            name: &name,
            who: asked.who,
            resource: Arc::clone(&asked.resource),
            namespace: asked.namespace,
            subresource: None,
            options: asked.options,
        };
        let key = asked.key();
        self.stamp_new(&key, asked.options.dry_run, &mut object);
        prepare::on_create(&asked.resource, &mut object);
        validate::on_create(&asked.resource, &object)?;
        warnings.extend(finalizer_warnings(&asked.resource, &object));
        service::allocate(self, asked, &mut object, None)?;
        warnings.extend(admission::pod_security::review(self, &asked.resource, asked.namespace, &object, None)?);
        admission::quota::charge(self, asked, &object, None)?;
        refuse_revision(&object)?;
        if let Some(entry) = self.store.get(&key) {
            return Err(errors::already_exists(&asked.resource, &name, meta::is_deleting(&entry.served)));
        }
        meta::set(&mut object, "resourceVersion", Value::Null);
        meta::normalise(&mut object);
        let stored = convert::to_stored(&asked.resource, object);
        size::check(&stored)?;
        let object = if asked.options.dry_run { Arc::new(stored) } else { self.put(&asked.author(), &key, stored) };
        Ok(Written { object: convert::from_stored(&asked.resource, &object), code: 201, warnings })
    }

    /// The given name, or a free generated one; a taken last try is left for the store to refuse.
    fn name_of(&mut self, asked: &Asked<'_>, object: &mut Value) -> Result<String, ApiError> {
        let (name, base) = (meta::text(object, "name").to_owned(), meta::text(object, "generateName").to_owned());
        if !name.is_empty() || base.is_empty() {
            return Ok(name);
        }
        let cut: String = base.chars().take(NAME_BASE_MAX).collect();
        let identity = format!("{}/{}/{cut}", asked.resource.storage_key, asked.namespace);
        let mut generated = String::new();
        for _ in 0..NAME_TRIES {
            let number = self.draw_number(&format!("name {identity}"));
            generated = format!("{cut}{}", self.draws.suffix("generate-name", &identity, number));
            if self.store.get(&ObjectKey::new(&asked.resource.storage_key, asked.namespace, &generated)).is_none() {
                break;
            }
        }
        meta::set(object, "name", json!(generated));
        Ok(generated)
    }

    fn stamp_new(&mut self, key: &ObjectKey, dry_run: bool, object: &mut Value) {
        let identity = format!("{}/{}/{}", key.resource, key.namespace, key.name);
        // A dry run takes no number, so that it does not shift what comes after it.
        let number = if dry_run { u64::MAX } else { self.draw_number(&format!("uid {identity}")) };
        meta::set(object, "uid", json!(self.draws.uid("uid", &identity, number)));
        meta::set(object, "creationTimestamp", json!(meta::time(self.now())));
    }
}

/// Warnings that every use of a resource brings.
pub(super) fn usage_warnings(resource: &Resource) -> Vec<String> {
    resource.deprecation.iter().cloned().collect()
}

/// Body and URL must name the same namespace; an empty one in the body is filled in.
pub(super) fn check_namespace(asked: &Asked<'_>, object: &mut Value) -> Result<(), ApiError> {
    let named = meta::text(object, "namespace");
    if !named.is_empty() && named != asked.namespace {
        return Err(ApiError::bad_request("the namespace of the provided object does not match the namespace sent on the request"));
    }
    if asked.resource.namespaced && asked.namespace.is_empty() {
        return Err(ApiError::bad_request("an empty namespace may not be set during creation"));
    }
    if !asked.resource.namespaced && !asked.namespace.is_empty() {
        return Err(ApiError::bad_request("namespace is not allowed on this type"));
    }
    let namespace = if asked.namespace.is_empty() { Value::Null } else { json!(asked.namespace) };
    meta::set(object, "namespace", namespace);
    Ok(())
}

/// What a client cannot give a new object; a uid or times in the body are dropped silently.
pub(super) fn wipe_system_fields(object: &mut Value) {
    for field in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        meta::set(object, field, Value::Null);
    }
}

/// A revision on a new object is a 500; a text that is no number counts as none.
fn refuse_revision(object: &Value) -> Result<(), ApiError> {
    match meta::text(object, "resourceVersion").parse::<u64>() {
        Ok(revision) if revision != 0 => Err(errors::internal("resourceVersion should not be set on objects to be created")),
        _ => Ok(()),
    }
}

/// Custom resources may carry any finalizer; unqualified ones bring a warning.
pub(super) fn finalizer_warnings(resource: &Resource, object: &Value) -> Vec<String> {
    if !resource.custom {
        return Vec::new();
    }
    let plain =
        meta::finalizers(object).into_iter().filter(|name| !name.contains('/') && !matches!(*name, "orphan" | "foregroundDeletion"));
    plain
        .map(|name| {
            format!(
                "metadata.finalizers: {name:?}: prefer a domain-qualified finalizer name including a path (/) to avoid accidental \
                 conflicts with other finalizer writers"
            )
        })
        .collect()
}
