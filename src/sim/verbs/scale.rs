//! The `scale` subresource: a view of three fields of an object, and writes of one of them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Asked, convert, engines, errors, meta, patch};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::{Cluster, Patch, Written};
use crate::sim::kinds::{Resource, ScalePaths};
use crate::sim::selector::{Labels, Operator};

const API_VERSION: &str = "autoscaling/v1";

/// The scale of an object.
///
/// # Errors
/// 500 if a custom resource has no value at its replicas path.
pub(super) fn of(resource: &Resource, object: &Value) -> Result<Value, ApiError> {
    let Some(paths) = &resource.scale else { return Err(errors::no_subresource(resource, meta::text(object, "name"))) };
    let wanted = number_at(object, &paths.spec_replicas);
    if wanted.is_none() && resource.custom {
        let message = format!("Internal error occurred: the spec replicas field {:?} does not exist", paths.spec_replicas);
        return Err(ApiError::new(500, "InternalError", message).with_details(
            json!({ "causes": [{ "message": format!("the spec replicas field {:?} does not exist", paths.spec_replicas) }] }),
        ));
    }
    let mut scale = view(resource, object, paths);
    scale["spec"] = match wanted.unwrap_or(1) {
        0 => json!({}),
        replicas => json!({ "replicas": replicas }),
    };
    Ok(scale)
}

fn view(resource: &Resource, object: &Value, paths: &ScalePaths) -> Value {
    let metadata = &object["metadata"];
    let mut shown = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if !metadata[field].is_null() {
            shown[field] = metadata[field].clone();
        }
    }
    let mut status = json!({ "replicas": number_at(object, &paths.status_replicas).unwrap_or(0) });
    let selector = paths.label_selector.as_deref().map(|path| selector_text(resource, object.pointer(&pointer(path))));
    if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
        status["selector"] = json!(selector);
    }
    json!({ "kind": "Scale", "apiVersion": API_VERSION, "metadata": shown, "status": status })
}

fn pointer(path: &str) -> String {
    path.replace('.', "/")
}

fn number_at(object: &Value, path: &str) -> Option<i64> {
    object.pointer(&pointer(path)).and_then(Value::as_i64)
}

/// Custom resources keep the selector as text; built-ins have a selector or (ReplicationController) a map.
fn selector_text(resource: &Resource, selector: Option<&Value>) -> String {
    let Some(selector) = selector else { return String::new() };
    if resource.custom {
        return selector.as_str().unwrap_or_default().to_owned();
    }
    let labels = if resource.kind == "ReplicationController" { Ok(Labels::from_map(selector)) } else { Labels::from_selector(selector) };
    let requirements = labels.map(|labels| labels.requirements).unwrap_or_default();
    let mut terms: Vec<String> = requirements
        .iter()
        .map(|requirement| {
            let values: Vec<&str> = requirement.values.iter().map(String::as_str).collect();
            let list = values.join(",");
            match requirement.operator {
                Operator::In if values.len() == 1 => format!("{}={list}", requirement.key),
                Operator::In => format!("{} in ({list})", requirement.key),
                Operator::NotIn => format!("{} notin ({list})", requirement.key),
                Operator::Exists => requirement.key.clone(),
                Operator::DoesNotExist => format!("!{}", requirement.key),
                Operator::GreaterThan => format!("{}>{list}", requirement.key),
                Operator::LessThan => format!("{}<{list}", requirement.key),
            }
        })
        .collect();
    terms.sort();
    terms.join(",")
}

impl Cluster {
    /// PUT of a scale.
    pub(super) fn put_scale(&mut self, asked: &Asked<'_>, scale: Value) -> Result<Written, ApiError> {
        check_scale_type(&scale)?;
        let named = meta::text(&scale, "name");
        if !named.is_empty() && named != asked.name {
            let message = format!("the name of the object ({named}) does not match the name on the URL ({})", asked.name);
            return Err(ApiError::bad_request(message));
        }
        let live = self.live_of_scale(asked)?;
        self.track_and_write_scale(asked, &live, &scale)
    }

    /// PATCH of a scale.
    pub(super) fn patch_scale(&mut self, asked: &Asked<'_>, patch: Patch) -> Result<Written, ApiError> {
        let live = self.live_of_scale(asked)?;
        if let Patch::Apply { object, force } = patch {
            return self.apply_scale(asked, &live, &object, force);
        }
        // A missing replicas path is no error here: the patch may set it.
        let mut before = of(&asked.resource, &live).unwrap_or_else(|_| {
            let paths = asked.resource.scale.as_ref();
            paths.map(|paths| view(&asked.resource, &live, paths)).unwrap_or_default()
        });
        if before["spec"].is_null() {
            before["spec"] = json!({});
        }
        let scale = patch::patched(asked, &before, &patch)?;
        check_scale_type(&scale)?;
        self.track_and_write_scale(asked, &live, &scale)
    }

    fn apply_scale(&mut self, asked: &Asked<'_>, live: &Arc<Value>, applied: &Value, force: bool) -> Result<Written, ApiError> {
        if asked.resource.custom {
            let message = format!("failed to convert CR: request to convert CR to an invalid group/version: {API_VERSION}");
            return Err(errors::internal(message));
        }
        check_scale_type(applied)?;
        let before = view_with_managers(asked, live)?;
        let now = self.now();
        let after = engines::apply_scale(asked, &before, applied, now, force)?;
        self.write_scale(asked, live, applied, &after)
    }

    fn live_of_scale(&self, asked: &Asked<'_>) -> Result<Arc<Value>, ApiError> {
        let entry = self.store.get(&asked.key()).ok_or_else(|| errors::not_found(&asked.resource, asked.name))?;
        Ok(convert::from_stored(&asked.resource, &entry.served))
    }

    /// PUT or patch of a scale: `scale` is what was sent or resulted.
    fn track_and_write_scale(&mut self, asked: &Asked<'_>, live: &Arc<Value>, scale: &Value) -> Result<Written, ApiError> {
        let replicas = replicas_of(scale)?;
        refuse_negative(asked, replicas)?;
        let before = view_with_managers(asked, live)?;
        let mut after = before.clone();
        after["spec"] = json!({ "replicas": replicas });
        let after = engines::track_scale(asked, &before, after, self.now());
        self.write_scale(asked, live, scale, &after)
    }

    /// Writes the replicas and managers of the Scale object `after`; `sent` may name a revision.
    fn write_scale(&mut self, asked: &Asked<'_>, live: &Arc<Value>, sent: &Value, after: &Value) -> Result<Written, ApiError> {
        let replicas = replicas_of(after)?;
        refuse_negative(asked, replicas)?;
        let path = asked.resource.scale.as_ref().map(|paths| paths.spec_replicas.clone()).unwrap_or_default();
        let mut new = (**live).clone();
        set_at(&mut new, &path, json!(replicas));
        meta::set(&mut new, "managedFields", json!(engines::managers_of_parent(asked, live, after)?));
        if !matches!(meta::text(sent, "resourceVersion"), "" | "0") {
            meta::copy(&mut new, sent, "resourceVersion");
        }
        let written = self.write_over(asked, live, new, Vec::new())?;
        let object = of(&asked.resource, &written.object)?;
        Ok(Written { object: Arc::new(object), ..written })
    }
}

/// The Scale object of `live` with the managers of its replicas.
fn view_with_managers(asked: &Asked<'_>, live: &Value) -> Result<Value, ApiError> {
    let Some(paths) = &asked.resource.scale else { return Err(errors::no_subresource(&asked.resource, asked.name)) };
    let mut scale = view(&asked.resource, live, paths);
    if let Some(replicas) = number_at(live, &paths.spec_replicas) {
        scale["spec"] = json!({ "replicas": replicas });
    }
    meta::set(&mut scale, "managedFields", json!(engines::managers_of_scale(asked, live)?));
    Ok(scale)
}

fn replicas_of(scale: &Value) -> Result<i64, ApiError> {
    match &scale["spec"]["replicas"] {
        Value::Null => Ok(0),
        other => other.as_i64().ok_or_else(|| wrong_type(other)),
    }
}

fn check_scale_type(scale: &Value) -> Result<(), ApiError> {
    let (api_version, kind) = (scale["apiVersion"].as_str().unwrap_or(API_VERSION), scale["kind"].as_str().unwrap_or("Scale"));
    if kind == "Scale" && api_version == API_VERSION {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "Scale in version \"v1\" cannot be handled as a Scale: no kind {kind:?} is registered for version {api_version:?}"
    )))
}

fn wrong_type(found: &Value) -> ApiError {
    let kind = match found {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null | Value::Number(_) => "number",
    };
    ApiError::bad_request(format!(
        "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal {kind} into Go struct field ScaleSpec.spec.replicas of \
         type int32"
    ))
}

fn refuse_negative(asked: &Asked<'_>, replicas: i64) -> Result<(), ApiError> {
    if replicas >= 0 {
        return Ok(());
    }
    if asked.resource.custom {
        let message = format!("Invalid value: {replicas}: should be a non-negative integer");
        let cause = Cause::new("FieldValueInvalid", ".spec.replicas", message);
        return Err(errors::invalid(&asked.resource, asked.name, &[cause]));
    }
    let message = format!("Invalid value: {replicas}: must be greater than or equal to 0");
    Err(ApiError::invalid("Scale", "autoscaling", asked.name, &[Cause::new("FieldValueInvalid", "spec.replicas", message)]))
}

/// Sets a value at a dotted path, making objects on the way.
fn set_at(object: &mut Value, path: &str, value: Value) {
    let mut at = object;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = value;
}
