//! PATCH: the four patch formats over the newest object, then as PUT.

use serde_json::Value;

use super::{Asked, convert, create, decode, engines, errors, meta, update};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::{Cluster, Identity, Patch, WriteOptions, Written};

/// Longest field manager, in bytes.
const MANAGER_BYTES_MAX: usize = 128;

impl Cluster {
    /// Patches an object, or its `status` or `scale`. An apply of a missing object creates it.
    ///
    /// # Errors
    /// As the server: 415 format, 404 missing, 400/422/500 bad patch, 409 stale or owned by others, 422 invalid.
    #[expect(clippy::too_many_arguments, reason = "one argument per part of the request, as the contract of the direct door names them")]
    pub fn patch(
        &mut self,
        who: &Identity,
        resource: &str,
        namespace: &str,
        name: &str,
        subresource: Option<&str>,
        patch: Patch,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let resource = self.resource(resource)?;
        let asked = Asked { who, resource, namespace, name, subresource, options };
        check_format(&asked, &patch)?;
        update::check_subresource(&asked)?;
        check_manager(&asked, "PatchOptions", matches!(patch, Patch::Apply { .. }))?;
        if subresource == Some("scale") {
            return self.patch_scale(&asked, patch);
        }
        if let Patch::Apply { object, force } = patch {
            return self.apply(&asked, object, force);
        }
        let Some(entry) = self.store.get(&asked.key()) else {
            return Err(errors::not_found(&asked.resource, name));
        };
        let live = convert::from_stored(&asked.resource, &entry.served);
        let patched = patched(&asked, &live, &patch)?;
        let mut warnings = create::usage_warnings(&asked.resource);
        let mut object = decode::decode(&asked, patched, decode::Source::Patched, &mut warnings)?;
        check_identity(&asked, &mut object)?;
        let object = self.track(&asked, &live, object);
        self.write_over(&asked, &live, object, warnings)
    }

    fn apply(&mut self, asked: &Asked<'_>, applied: Value, force: bool) -> Result<Written, ApiError> {
        if !applied.is_object() {
            return Err(ApiError::bad_request("error decoding YAML: the applied configuration is not an object"));
        }
        let mut warnings = create::usage_warnings(&asked.resource);
        let live = self.store.get(&asked.key()).map(|entry| convert::from_stored(&asked.resource, &entry.served));
        if live.is_none() && asked.subresource.is_some() {
            return Err(errors::not_found(&asked.resource, asked.name));
        }
        let merged = engines::apply(asked, live.as_deref(), &applied, &update::reset_fields(asked), self.now(), force)?;
        let mut object = decode::decode(asked, merged, decode::Source::Applied, &mut warnings)?;
        check_identity(asked, &mut object)?;
        let Some(live) = live else {
            return self.apply_missing(asked, object, warnings);
        };
        self.write_over(asked, &live, object, warnings)
    }

    fn apply_missing(&mut self, asked: &Asked<'_>, mut object: Value, warnings: Vec<String>) -> Result<Written, ApiError> {
        let uid = meta::text(&object, "uid");
        if !uid.is_empty() {
            let message = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(errors::conflict(&asked.resource, asked.name, &message));
        }
        create::wipe_system_fields(&mut object);
        // A revision is ignored when an apply creates.
        meta::set(&mut object, "resourceVersion", Value::Null);
        self.create_tracked(asked, object, warnings)
    }
}

/// The object that results from a patch which is not an apply.
pub(super) fn patched(asked: &Asked<'_>, live: &Value, patch: &Patch) -> Result<Value, ApiError> {
    match patch {
        Patch::Json(operations) => engines::json_patch(live, operations),
        Patch::Merge(changes) => engines::merge_patch(live, changes),
        Patch::Strategic(changes) => engines::strategic_patch(live, changes, &asked.resource),
        Patch::Apply { object, .. } => Ok(object.clone()),
    }
}

/// A patched object keeps its name; an absent namespace is filled in from the URL.
fn check_identity(asked: &Asked<'_>, object: &mut Value) -> Result<(), ApiError> {
    create::check_namespace(asked, object)?;
    update::check_name(asked, object)
}

fn check_format(asked: &Asked<'_>, patch: &Patch) -> Result<(), ApiError> {
    if !(asked.resource.custom && matches!(patch, Patch::Strategic(_))) {
        return Ok(());
    }
    Err(ApiError::new(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, \
         application/merge-patch+json, application/apply-patch+yaml",
    ))
}

/// The field manager must be fit to be stored; an apply must name one.
pub(super) fn check_manager(asked: &Asked<'_>, options: &str, needed: bool) -> Result<(), ApiError> {
    let manager = &asked.options.field_manager;
    let cause = if needed && manager.is_empty() {
        Cause::new("FieldValueRequired", "fieldManager", "Required value: is required for apply patch")
    } else if manager.len() > MANAGER_BYTES_MAX {
        let message = format!("Too long: may not be more than {MANAGER_BYTES_MAX} bytes");
        Cause::new("FieldValueTooLong", "fieldManager", message)
    } else if manager.chars().any(char::is_control) {
        let message = format!("Invalid value: {manager:?}: should only contain printable characters");
        Cause::new("FieldValueInvalid", "fieldManager", message)
    } else {
        return Ok(());
    };
    Err(ApiError::invalid(options, "meta.k8s.io", "", &[cause]))
}
