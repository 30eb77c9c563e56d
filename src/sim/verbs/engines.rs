//! The one place through which the verbs call the pure engines: schemas, defaulting, validation, patches, managed fields.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::Asked;
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::apply::{self, FieldPath, Writer};
use crate::sim::builtin;
use crate::sim::kinds::Resource;
use crate::sim::patch;
use crate::sim::schema::{self, Schema, cel, decode, default, prune, structural};

/// Server-side apply of `applied` over `live`.
pub(in crate::sim) fn apply(
    asked: &Asked<'_>,
    live: Option<&Value>,
    applied: &Value,
    reset: &[FieldPath],
    now: Timestamp,
    force: bool,
) -> Result<Value, ApiError> {
    let versions = known_versions(&asked.resource);
    let writer = Writer { kind: &asked.resource.kind, ..writer(asked, &versions, now) };
    apply::apply(live, applied, asked.resource.schema(), reset, &writer, force)
}

/// `new` with `managedFields` recomputed from those of `live`.
pub(in crate::sim) fn track(asked: &Asked<'_>, live: Option<&Value>, new: Value, reset: &[FieldPath], now: Timestamp) -> Value {
    let versions = known_versions(&asked.resource);
    apply::update(live, new, asked.resource.schema(), reset, &writer(asked, &versions, now))
}

fn known_versions(resource: &Resource) -> Vec<&str> {
    resource.api_versions.iter().map(String::as_str).collect()
}

fn writer<'a>(asked: &'a Asked<'_>, known_versions: &'a [&'a str], now: Timestamp) -> Writer<'a> {
    Writer {
        manager: asked.manager(),
        api_version: &asked.resource.request_api_version,
        subresource: asked.subresource,
        now,
        kind: "",
        known_versions,
        empty: asked.resource.empty(),
    }
}

/// The managers of the replicas of `parent`, as managers of its Scale object.
pub(in crate::sim) fn managers_of_scale(asked: &Asked<'_>, parent: &Value) -> Result<Vec<Value>, ApiError> {
    let (versions, path) = scale_paths(asked);
    let paths: Vec<(&str, Option<FieldPath>)> = versions.iter().map(|version| (version.as_str(), path.clone())).collect();
    apply::scale::to_scale(managers_in(parent), &paths)
}

/// The managers of `parent` after its Scale object became `scale`.
pub(in crate::sim) fn managers_of_parent(asked: &Asked<'_>, parent: &Value, scale: &Value) -> Result<Vec<Value>, ApiError> {
    let (versions, path) = scale_paths(asked);
    let paths: Vec<(&str, Option<FieldPath>)> = versions.iter().map(|version| (version.as_str(), path.clone())).collect();
    apply::scale::to_parent(managers_in(parent), managers_in(scale), &paths, &asked.resource.request_api_version)
}

fn managers_in(object: &Value) -> &[Value] {
    object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The versions of the scaled kind and the path of its replicas, which is taken to be the same in all of them.
fn scale_paths(asked: &Asked<'_>) -> (Vec<String>, Option<FieldPath>) {
    let resource = &asked.resource;
    let versions =
        if resource.api_versions.is_empty() { vec![resource.request_api_version.clone()] } else { resource.api_versions.clone() };
    let path = resource.scale.as_ref().map(|paths| {
        let fields: Vec<&str> = paths.spec_replicas.split('.').filter(|field| !field.is_empty()).collect();
        FieldPath::of_fields(&fields)
    });
    (versions, path)
}

/// Tracks a write of a Scale object.
pub(in crate::sim) fn track_scale(asked: &Asked<'_>, before: &Value, after: Value, now: Timestamp) -> Value {
    apply::update(Some(before), after, &scale_schema(), &[], &scale_writer(asked, now))
}

/// Applies a Scale object.
pub(in crate::sim) fn apply_scale(
    asked: &Asked<'_>,
    before: &Value,
    applied: &Value,
    now: Timestamp,
    force: bool,
) -> Result<Value, ApiError> {
    let writer = Writer { kind: "Scale", ..scale_writer(asked, now) };
    apply::apply(Some(before), applied, &scale_schema(), &[], &writer, force)
}

fn scale_schema() -> Arc<Schema> {
    schema::builtin::schema("autoscaling", "v1", "Scale")
}

fn scale_writer<'a>(asked: &'a Asked<'_>, now: Timestamp) -> Writer<'a> {
    Writer { subresource: asked.subresource, ..Writer::new(asked.manager(), "autoscaling/v1", now) }
}

/// The result of a patch that is not an apply.
pub(in crate::sim) fn json_patch(live: &Value, operations: &Value) -> Result<Value, ApiError> {
    patch::json::apply(live, operations)
}

/// RFC 7386.
pub(in crate::sim) fn merge_patch(live: &Value, changes: &Value) -> Result<Value, ApiError> {
    patch::merge::apply(live, changes)
}

/// Strategic merge patch.
pub(in crate::sim) fn strategic_patch(live: &Value, changes: &Value, resource: &Resource) -> Result<Value, ApiError> {
    patch::strategic::apply(live, changes, resource.schema())
}

/// Refuses values of wrong types: everywhere in built-in kinds, in the metadata of custom resources.
pub(in crate::sim) fn check_types(resource: &Resource, object: &Value) -> Result<(), ApiError> {
    if resource.custom {
        decode::check_metadata(object, &resource.kind, &resource.id.version)
    } else {
        decode::check_types(resource.schema(), object, &resource.kind, &resource.id.version)
    }
}

/// Paths of fields that the schema does not know.
pub(in crate::sim) fn unknown_fields(resource: &Resource, object: &Value) -> Vec<String> {
    prune::unknown_fields(resource.schema(), object)
}

/// Drops unknown fields.
pub(in crate::sim) fn drop_unknown(resource: &Resource, object: &mut Value) {
    prune::prune(resource.schema(), object);
}

/// Drops nulls of fields that are not nullable.
pub(in crate::sim) fn drop_nulls(resource: &Resource, object: &mut Value) {
    prune::drop_nulls(resource.schema(), object);
}

/// Fills in defaults: from the schema of custom resources, from the server's code for built-in kinds.
pub(in crate::sim) fn defaults(resource: &Resource, object: &mut Value) {
    if resource.custom {
        default::apply_defaults(resource.schema(), object);
    } else {
        builtin::defaults::apply(&resource.request_key, object);
    }
}

/// What the server adds to a new built-in object once its uid is known.
pub(in crate::sim) fn prepare_for_create(resource: &Resource, object: &mut Value) {
    builtin::defaults::prepare_for_create(&resource.request_key, object);
}

/// What is wrong with the content of an object, apart from its metadata; `status`: it came through `/status`.
pub(in crate::sim) fn problems(resource: &Resource, object: &Value, old: Option<&Value>, status: bool) -> Vec<Cause> {
    match &resource.rules {
        Some(rules) if status => cel::check_status(resource.schema(), rules, object, old),
        Some(rules) => cel::check(resource.schema(), rules, object, old),
        // The server's own rules are about the main door.
        None if status => Vec::new(),
        None => builtin::validation::validate(&resource.request_key, object, old),
    }
}

/// The schema of a CRD version and its compiled rules; `at` is where the schema stands in the CRD.
pub(in crate::sim) fn parse_schema(openapi: &Value, at: &str) -> Result<(Schema, cel::CompiledRules), Vec<Cause>> {
    let schema = structural::parse_at(openapi, at)?;
    let rules = cel::compile(&schema, at)?;
    Ok((schema, rules))
}
