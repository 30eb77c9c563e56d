//! From a request body to an object of the resource: version, kind, unknown fields, types, defaults.

use serde_json::{Value, json};

use super::{Asked, engines, meta};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::FieldValidation;
use crate::sim::kinds::Resource;

/// How problems with unknown fields are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Source {
    /// The body of POST or PUT.
    Body,
    /// The result of a patch.
    Patched,
    /// The result of a server-side apply: its nulls are findings for validation, not absences.
    Applied,
}

/// Decodes, prunes and defaults; adds warnings about what was dropped.
pub(in crate::sim) fn decode(asked: &Asked<'_>, mut object: Value, source: Source, warnings: &mut Vec<String>) -> Result<Value, ApiError> {
    let resource = &asked.resource;
    check_type_meta(resource, &mut object)?;
    if meta::ensure(&mut object).is_none() {
        return Err(cannot_be_handled(resource, "json: cannot unmarshal value into Go struct field .metadata of type v1.ObjectMeta"));
    }
    report_unknown(asked, &object, source, warnings)?;
    engines::check_types(resource, &object).map_err(|error| as_patch_error(error, &object, source))?;
    engines::drop_unknown(resource, &mut object);
    if !(resource.custom && source == Source::Applied) {
        engines::drop_nulls(resource, &mut object);
    }
    add_defaults(resource, &mut object);
    if meta::dedup_owners(&mut object) {
        warnings.push(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests \
             as early as 1.24; please fix your requests; duplicate UID(s) observed"
                .to_owned(),
        );
    }
    Ok(object)
}

/// Drops what the schema does not know and adds what it defaults.
pub(in crate::sim) fn prune_and_default(resource: &Resource, object: &mut Value) {
    engines::drop_unknown(resource, object);
    engines::drop_nulls(resource, object);
    add_defaults(resource, object);
}

fn add_defaults(resource: &Resource, object: &mut Value) {
    meta::normalise(object);
    engines::defaults(resource, object);
}

fn cannot_be_handled(resource: &Resource, why: &str) -> ApiError {
    let (kind, version) = (&resource.kind, &resource.id.version);
    ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
}

/// `apiVersion` and `kind`: required of custom resources, filled in for built-ins, refused if they say something else.
fn check_type_meta(resource: &Resource, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(cannot_be_handled(resource, &format!("json: cannot unmarshal into Go value of type {}", resource.kind)));
    }
    for (field, title) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
        if object[field].as_str().is_none_or(str::is_empty) {
            if resource.custom {
                return Err(ApiError::bad_request(format!("Object '{title}' is missing in '{object}'")));
            }
            object[field] = json!(if field == "kind" { resource.kind.clone() } else { resource.api_version() });
        }
    }
    let (api_version, kind) = (object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str().unwrap_or_default());
    let expected = resource.api_version();
    // A built-in of another kind is refused below, with a sentence about the conversion.
    if api_version != expected && (resource.custom || kind == resource.kind) {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected})"
        )));
    }
    if kind != resource.kind {
        if resource.custom {
            let cause = crate::sim::api_error::Cause::new(
                "FieldValueInvalid",
                "kind",
                format!("Invalid value: {kind:?}: must be {}", resource.kind),
            );
            return Err(super::errors::invalid(resource, meta::text(object, "name"), &[cause]));
        }
        let package = |api_version: &str| api_version.split_once('/').map_or("core", |(group, _)| first_part(group)).to_owned();
        let version = api_version.rsplit('/').next().unwrap_or_default();
        let why = format!("converting ({version}.{kind}) to ({}.{}): unknown conversion", package(&expected), resource.kind);
        return Err(cannot_be_handled(resource, &why));
    }
    Ok(())
}

fn first_part(group: &str) -> &str {
    group.split('.').next().unwrap_or(group)
}

fn report_unknown(asked: &Asked<'_>, object: &Value, source: Source, warnings: &mut Vec<String>) -> Result<(), ApiError> {
    if asked.options.field_validation == FieldValidation::Ignore || source == Source::Applied {
        return Ok(());
    }
    let unknown = engines::unknown_fields(&asked.resource, object);
    let duplicates = asked.options.duplicate_fields.iter().cloned();
    let sentences: Vec<String> = duplicates.chain(unknown.iter().map(|path| format!("unknown field {path:?}"))).collect();
    match asked.options.field_validation {
        FieldValidation::Strict if !sentences.is_empty() => Err(strict_error(&asked.resource, object, source, &sentences)),
        _ => {
            warnings.extend(sentences);
            Ok(())
        }
    }
}

/// What is a 400 for a body is a 422 for the result of a patch.
fn as_patch_error(error: ApiError, object: &Value, source: Source) -> ApiError {
    if source == Source::Patched { unreadable_patch(object, &error.message) } else { error }
}

fn unreadable_patch(object: &Value, why: &str) -> ApiError {
    let message = format!("Invalid value: {}: {why}", Value::from(object.to_string()));
    let cause = crate::sim::api_error::Cause::new("FieldValueInvalid", "patch", message);
    let mut error = ApiError::invalid("", "", "", std::slice::from_ref(&cause));
    error.details = Some(json!({ "causes": [cause.to_json()] }));
    error
}

fn strict_error(resource: &Resource, object: &Value, source: Source, sentences: &[String]) -> ApiError {
    let what = format!("strict decoding error: {}", sentences.join(", "));
    match source {
        Source::Body => cannot_be_handled(resource, &what),
        Source::Patched | Source::Applied => unreadable_patch(object, &what),
    }
}
