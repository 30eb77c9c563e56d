//! PUT, and the common second half of PUT and PATCH: from a proposed object to the store.

use std::sync::Arc;

use serde_json::Value;

use super::patch::check_manager;
use super::{Asked, convert, create, decode, engines, errors, meta, prepare, service, size, status_values, validate};
use crate::sim::admission;
use crate::sim::api_error::ApiError;
use crate::sim::apply::{self, FieldPath};
use crate::sim::cluster::{Cluster, Identity, WriteOptions, Written};
use crate::sim::store::ObjectKey;

/// Subresources that PUT and PATCH can write.
const WRITABLE: [&str; 3] = ["status", "scale", "finalize"];

impl Cluster {
    /// Replaces an object, or its `status`, `scale` or (namespaces) `finalize`.
    ///
    /// # Errors
    /// As the server: 400 undecodable or other name, 404 missing, 409 stale, 422 invalid.
    #[expect(clippy::too_many_arguments, reason = "one argument per part of the request, as the contract of the direct door names them")]
    pub fn update(
        &mut self,
        who: &Identity,
        resource: &str,
        namespace: &str,
        name: &str,
        subresource: Option<&str>,
        object: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let resource = self.resource(resource)?;
        let asked = Asked { who, resource, namespace, name, subresource, options };
        check_manager(&asked, "UpdateOptions", false)?;
        check_subresource(&asked)?;
        if subresource == Some("scale") {
            return self.put_scale(&asked, object);
        }
        let mut warnings = create::usage_warnings(&asked.resource);
        if self.store.get(&asked.key()).is_some_and(|entry| status_values::is_short(&asked, &entry.stored, &object)) {
            let stored = status_values::stamped(object, self.now());
            size::check(&stored)?;
            return Ok(Written { object: self.put(&asked.author(), &asked.key(), stored), code: 200, warnings });
        }
        let mut object = decode::decode(&asked, object, decode::Source::Body, &mut warnings)?;
        create::check_namespace(&asked, &mut object)?;
        check_name(&asked, &mut object)?;
        let Some(entry) = self.store.get(&asked.key()) else {
            return self.put_missing(&asked, object, warnings);
        };
        let live = convert::from_stored(&asked.resource, &entry.served);
        let uid = meta::text(&object, "uid");
        if !uid.is_empty() && uid != meta::text(&live, "uid") {
            return Err(errors::uid_conflict(&asked.resource, namespace, name, uid, meta::text(&live, "uid")));
        }
        let object = self.track(&asked, &live, object);
        self.write_over(&asked, &live, object, warnings)
    }

    /// `managedFields` of a write that is not an apply.
    pub(super) fn track(&self, asked: &Asked<'_>, live: &Value, object: Value) -> Value {
        engines::track(asked, Some(live), object, &reset_fields(asked), self.now())
    }

    /// PUT of an object that does not exist: some kinds create it.
    fn put_missing(&mut self, asked: &Asked<'_>, mut object: Value, warnings: Vec<String>) -> Result<Written, ApiError> {
        if !asked.resource.strategy.put_creates || asked.subresource.is_some() {
            return Err(errors::not_found(&asked.resource, asked.name));
        }
        if !meta::text(&object, "uid").is_empty() {
            let message =
                format!("uid mismatch: the provided object specified uid {}, and no existing object was found", meta::text(&object, "uid"));
            return Err(errors::conflict(&asked.resource, asked.name, &message));
        }
        create::wipe_system_fields(&mut object);
        let object = engines::track(asked, None, object, &reset_fields(asked), self.now());
        self.create_tracked(asked, object, warnings)
    }

    /// Checks, prepares, validates and writes `new` over `live`; `managedFields` of `new` are already computed.
    pub(super) fn write_over(
        &mut self,
        asked: &Asked<'_>,
        live: &Arc<Value>,
        mut new: Value,
        mut warnings: Vec<String>,
    ) -> Result<Written, ApiError> {
        check_revision(asked, &new, live)?;
        prepare::on_update(asked, &mut new, live);
        service::allocate(self, asked, &mut new, Some(live))?;
        validate::on_update(asked, &new, live)?;
        if asked.subresource.is_none() {
            warnings.extend(admission::pod_security::review(self, &asked.resource, asked.namespace, &new, Some(live))?);
        }
        if asked.subresource.is_none() && (asked.is("services") || asked.is("persistentvolumeclaims")) {
            admission::quota::charge(self, asked, &new, Some(live))?;
        }
        warnings.extend(create::finalizer_warnings(&asked.resource, &new));
        meta::copy(&mut new, live, "resourceVersion");
        if new["metadata"]["managedFields"].as_array().is_some_and(Vec::is_empty) {
            meta::set(&mut new, "managedFields", Value::Null);
        }
        meta::normalise(&mut new);
        apply::keep_times(live, &mut new);
        let stored = convert::to_stored(&asked.resource, new);
        size::check(&stored)?;
        let key = asked.key();
        let unchanged = self.store.get(&key).is_some_and(|entry| *entry.stored == stored);
        let answer =
            |object: &Arc<Value>, warnings| Ok(Written { object: convert::from_stored(&asked.resource, object), code: 200, warnings });
        if is_finished(asked, &stored) {
            if !asked.options.dry_run {
                self.remove(&asked.author(), &key);
            }
            return answer(&Arc::new(stored), warnings);
        }
        if unchanged || asked.options.dry_run {
            return answer(&Arc::new(stored), warnings);
        }
        let object = self.put(&asked.author(), &key, stored);
        answer(&object, warnings)
    }
}

impl Cluster {
    /// A status write of the API server itself: no checks, only `managedFields`.
    pub(in crate::sim) fn write_as_server(&mut self, key: &ObjectKey, live: &Value, changed: Value) {
        let Ok(resource) = self.resource(&key.resource) else { return };
        let who = Identity::component("apiserver");
        let options = WriteOptions::manager("kube-apiserver");
        let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
        let asked = Asked { who: &who, resource, namespace, name, subresource: Some("status"), options: &options };
        let tracked = self.track(&asked, live, changed);
        self.put(&asked.author(), key, tracked);
    }
}

/// Fields whose changes do not count for this door.
pub(super) fn reset_fields(asked: &Asked<'_>) -> Vec<FieldPath> {
    let paths: &[&[&str]] = match asked.subresource {
        Some("status") if asked.is("deployments.apps") => &[&["spec"], &["metadata", "labels"]],
        Some("status") if asked.is("pods") => &[&["spec"], &["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]],
        Some("status") => &[&["spec"]],
        None if asked.resource.status => &[&["status"]],
        _ => &[],
    };
    paths.iter().map(|path| FieldPath::of_fields(path)).collect()
}

pub(super) fn check_subresource(asked: &Asked<'_>) -> Result<(), ApiError> {
    let Some(subresource) = asked.subresource else { return Ok(()) };
    if !asked.resource.has_subresource(subresource) {
        return Err(errors::no_subresource(&asked.resource, asked.name));
    }
    if WRITABLE.contains(&subresource) { Ok(()) } else { Err(errors::method_not_allowed()) }
}

/// Body and URL must name the same object.
pub(super) fn check_name(asked: &Asked<'_>, object: &mut Value) -> Result<(), ApiError> {
    let named = meta::text(object, "name");
    if named.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            asked.name
        )));
    }
    if named != asked.name {
        let message = format!("the name of the object ({named}) does not match the name on the URL ({})", asked.name);
        return Err(ApiError::bad_request(message));
    }
    Ok(())
}

fn check_revision(asked: &Asked<'_>, new: &Value, live: &Value) -> Result<(), ApiError> {
    let text = meta::text(new, "resourceVersion");
    let revision = if text.is_empty() { 0 } else { errors_of_revision(text)? };
    if revision == 0 {
        let required = asked.resource.strategy.version_required && asked.subresource != Some("scale");
        return if required { Err(errors::version_required(&asked.resource, asked.name)) } else { Ok(()) };
    }
    if text == meta::text(live, "resourceVersion") { Ok(()) } else { Err(errors::modified(&asked.resource, asked.name)) }
}

fn errors_of_revision(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| errors::internal(format!("strconv.ParseUint: parsing {text:?}: invalid syntax")))
}

/// A deleting object without finalizers is gone with this write.
fn is_finished(asked: &Asked<'_>, stored: &Value) -> bool {
    let grace = stored["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    let held_by_spec = asked.is("namespaces") && stored["spec"]["finalizers"].as_array().is_some_and(|names| !names.is_empty());
    meta::is_deleting(stored) && grace == 0 && meta::finalizers(stored).is_empty() && !held_by_spec
}
