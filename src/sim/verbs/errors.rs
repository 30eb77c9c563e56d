//! Refusals that several verbs share, with the server's texts and details.

use serde_json::{Map, Value, json};

use crate::sim::api_error::{ApiError, Cause};
use crate::sim::kinds::{Resource, builtin};

/// Details naming an object: name, group and the plural as `kind`.
fn details(resource: &Resource, name: &str) -> Value {
    let mut details = Map::new();
    for (field, value) in [("name", name), ("group", resource.id.group.as_str()), ("kind", resource.id.plural.as_str())] {
        if !value.is_empty() {
            details.insert(field.to_owned(), json!(value));
        }
    }
    Value::Object(details)
}

/// 404 for a resource that is not served: a `Status` in built-in groups, plain text elsewhere.
pub fn unknown_resource(key: &str) -> ApiError {
    let key = key.split('/').next().unwrap_or(key);
    let group = key.split_once('.').map_or("", |(_, group)| group);
    if builtin::GROUPS.contains(&group) {
        ApiError::new(404, "NotFound", "the server could not find the requested resource").with_details(json!({}))
    } else {
        ApiError::text(404, "404 page not found\n")
    }
}

/// 404 for an object.
pub fn not_found(resource: &Resource, name: &str) -> ApiError {
    ApiError::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified())).with_details(details(resource, name))
}

/// 404 for a subresource that is not served.
pub fn no_subresource(resource: &Resource, name: &str) -> ApiError {
    if resource.custom {
        return not_found(resource, name);
    }
    ApiError::new(404, "NotFound", "the server could not find the requested resource").with_details(json!({}))
}

/// 405.
pub fn method_not_allowed() -> ApiError {
    ApiError::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource").with_details(json!({}))
}

/// 409 on create.
pub fn already_exists(resource: &Resource, name: &str, deleting: bool) -> ApiError {
    let prefix = if deleting { "object is being deleted: " } else { "" };
    ApiError::new(409, "AlreadyExists", format!("{prefix}{} \"{name}\" already exists", resource.qualified()))
        .with_details(details(resource, name))
}

/// 409 with a sentence of the caller's.
pub fn conflict(resource: &Resource, name: &str, message: &str) -> ApiError {
    ApiError::new(409, "Conflict", format!("Operation cannot be fulfilled on {} \"{name}\": {message}", resource.qualified()))
        .with_details(details(resource, name))
}

/// 409 because somebody wrote in between.
pub fn modified(resource: &Resource, name: &str) -> ApiError {
    conflict(resource, name, "the object has been modified; please apply your changes to the latest version and try again")
}

/// 409 of a delete precondition; names the kind, not the plural.
pub fn precondition(resource: &Resource, name: &str, message: &str) -> ApiError {
    let kind = if resource.id.group.is_empty() { resource.kind.clone() } else { format!("{}.{}", resource.kind, resource.id.group) };
    let mut of = details(resource, name);
    of["kind"] = json!(resource.kind);
    ApiError::new(409, "Conflict", format!("Operation cannot be fulfilled on {kind} \"{name}\": {message}")).with_details(of)
}

/// 409 of a PUT with a foreign uid.
pub fn uid_conflict(resource: &Resource, namespace: &str, name: &str, asked: &str, live: &str) -> ApiError {
    let place = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
    let group = if resource.custom { format!("{}/", resource.id.group) } else { String::new() };
    let message = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{place}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {asked}, UID in object meta: {live}",
        resource.id.plural
    );
    conflict(resource, name, &message)
}

/// 403 of admission.
pub fn forbidden(resource: &Resource, name: &str, message: &str) -> ApiError {
    ApiError::new(403, "Forbidden", format!("{} \"{name}\" is forbidden: {message}", resource.qualified()))
        .with_details(details(resource, name))
}

/// 403: creates in a namespace that ends.
pub fn namespace_terminating(resource: &Resource, name: &str, namespace: &str) -> ApiError {
    let message = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut error = forbidden(resource, name, &message);
    let cause = Cause::new("NamespaceTerminating", "metadata.namespace", format!("namespace {namespace} is being terminated"));
    if let Some(details) = &mut error.details {
        details["causes"] = json!([cause.to_json()]);
    }
    error
}

/// 422 with the causes of an object of this resource.
pub fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> ApiError {
    ApiError::invalid(&resource.kind, &resource.id.group, name, causes)
}

/// 422 of a PUT without `resourceVersion`; names the plural as kind.
pub fn version_required(resource: &Resource, name: &str) -> ApiError {
    let cause = Cause::new("FieldValueInvalid", "metadata.resourceVersion", "Invalid value: 0: must be specified for an update");
    ApiError::invalid(&resource.id.plural, &resource.id.group, name, &[cause])
}

/// 500 without a reason.
pub fn internal(message: impl Into<String>) -> ApiError {
    ApiError::new(500, "", message)
}

/// 410 `Expired` for a watch.
pub fn too_old_revision(asked: u64, oldest: u64) -> ApiError {
    ApiError::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
}

/// 410 `Expired` for a list at a revision.
pub fn expired_list() -> ApiError {
    ApiError::new(410, "Expired", "The resourceVersion for the provided list is too old.")
}

/// 504 for a revision that does not exist yet.
pub fn too_large_revision(asked: u64, current: u64) -> ApiError {
    let cause = Cause::new("ResourceVersionTooLarge", "", "Too large resource version");
    ApiError::new(504, "Timeout", format!("Timeout: Too large resource version: {asked}, current: {current}"))
        .with_details(json!({ "causes": [cause.to_json()], "retryAfterSeconds": 1 }))
}

/// Parses a revision of a get or watch; a text that is no number is a 500 without reason.
pub fn parse_revision(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| internal(bad_revision(text)))
}

/// The sentence about a revision that is no number.
pub fn bad_revision(text: &str) -> String {
    format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
}

/// The `Status` of a removal; it carries no code.
pub fn success(resource: &Resource, name: &str, uid: &str) -> Value {
    let mut of = details(resource, name);
    if !uid.is_empty() {
        of["uid"] = json!(uid);
    }
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": of })
}
