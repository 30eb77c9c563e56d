//! Requests of the world's user, as kubectl sends them: server-side apply, merge patch, delete.
//!
//! Takes documents and targets; gives what the server warned of, or its refusal with the place of every field that it names.

use serde_json::Value;

use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions, FieldValidation, Identity, Patch, Propagation, WriteOptions};
use crate::sim::kinds::{Kinds, Resource};
use crate::sim::world::document::Located;
use crate::sim::world::event::Target;
use crate::sim::world::fields::nearest;
use crate::sim::world::place::{Problem, Problems};

/// The name under which the world's user asks.
pub const USER: &str = "you";
/// The field manager of the world's user.
const MANAGER: &str = "kubectl";
/// Namespace of objects that name none.
pub(super) const NAMESPACE: &str = "default";

/// What came of a request: texts that the server warned with, or why it refused.
pub(super) type Answer = Result<Vec<String>, Problems>;

fn user() -> Identity {
    let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
    Identity { user: USER.to_owned(), groups, user_agent: MANAGER.to_owned(), ..Identity::default() }
}

fn options() -> WriteOptions {
    WriteOptions { field_validation: FieldValidation::Strict, ..WriteOptions::manager(MANAGER) }
}

/// Applies a document; `default` is the namespace of one that names none.
pub(super) fn apply(cluster: &mut Cluster, document: &Located, default: &str) -> Answer {
    let (version, kind, name) = (document.text(&["apiVersion"]), document.text(&["kind"]), document.text(&["metadata", "name"]));
    let Some(resource) = cluster.kinds().by_api_version(version, kind).cloned() else {
        return Err(vec![document.place_of("kind").problem(no_such_kind(version, kind))]);
    };
    let namespace = match (resource.namespaced, document.text(&["metadata", "namespace"])) {
        (false, _) => "",
        (true, "") => default,
        (true, given) => given,
    };
    let mut object = document.to_json();
    if resource.namespaced {
        object["metadata"]["namespace"] = Value::from(namespace);
    }
    let key = format!("{}/{}", resource.key(), resource.id.version);
    let patch = Patch::Apply { object, force: false };
    let written = cluster.patch(&user(), &key, namespace, name, None, patch, &options());
    written.map(|written| written.warnings).map_err(|error| refused(&error, document, &format!("{}/{name}", resource.singular)))
}

fn no_such_kind(version: &str, kind: &str) -> String {
    let hint = if version.starts_with("gateway.networking.k8s.io/") {
        "the Gateway API is not installed: give the world a field gateway, {} is enough"
    } else {
        "apply its CustomResourceDefinition too, or correct the name"
    };
    format!("no kind {kind} in version {version} in this cluster; {hint}")
}

/// A refusal, as one problem for each field that it names.
fn refused(error: &ApiError, document: &Located, object: &str) -> Problems {
    let causes = error.details.as_ref().and_then(|details| details.get("causes")?.as_array()).map_or(&[][..], Vec::as_slice);
    let text = |cause: &Value, field: &str| cause.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut named: Vec<(String, String)> = causes.iter().map(|cause| (text(cause, "field"), text(cause, "message"))).collect();
    // What says no more than that there are other causes.
    if named.len() > 1 {
        named.retain(|(field, _)| field != "<nil>");
    }
    named.extend(unknown_fields(&error.message).into_iter().map(|field| (field, "unknown field".to_owned())));
    if named.is_empty() {
        return vec![document.place.problem(format!("{object} is refused: {}", error.message))];
    }
    let problem = |(field, message): (String, String)| {
        let said = if field.is_empty() || field == "<nil>" { message } else { format!("{field}: {message}") };
        document.place_of(&field).problem(format!("{object} is refused: {said}"))
    };
    named.into_iter().map(problem).collect()
}

/// The paths in `unknown field "spec.a"` (strict decoding) and `.spec.a: field not declared in schema` (server-side apply).
fn unknown_fields(message: &str) -> Vec<String> {
    let decoded = message.split("unknown field \"").skip(1).filter_map(|rest| rest.split('"').next());
    let parts: Vec<&str> = message.split(": field not declared in schema").collect();
    let applied = parts[..parts.len() - 1].iter().filter_map(|before| before.rsplit(char::is_whitespace).next());
    decoded.chain(applied).map(|path| path.trim_start_matches('.').to_owned()).collect()
}

/// Changes an object by a merge patch.
pub(super) fn merge(cluster: &mut Cluster, target: &Target, patch: Value) -> Answer {
    let (resource, namespace) = resolve(cluster.kinds(), target)?;
    let written = cluster.patch(&user(), &resource.key(), namespace, &target.name, None, Patch::Merge(patch), &options());
    written.map(|written| written.warnings).map_err(|error| vec![refused_at(target, &error)])
}

/// Deletes an object, in the background.
pub(super) fn delete(cluster: &mut Cluster, target: &Target) -> Answer {
    let (resource, namespace) = resolve(cluster.kinds(), target)?;
    let options = DeleteOptions::propagation(Propagation::Background);
    let deleted = cluster.delete(&user(), &resource.key(), namespace, &target.name, &options);
    deleted.map(|deleted| deleted.warnings).map_err(|error| vec![refused_at(target, &error)])
}

fn refused_at(target: &Target, error: &ApiError) -> Problem {
    target.place.problem(format!("{target} is refused: {}", error.message))
}

/// The resource that a target names by plural, singular, kind or short name, with or without group; and its namespace.
pub(super) fn resolve<'a>(kinds: &Kinds, target: &'a Target) -> Result<(std::sync::Arc<Resource>, &'a str), Problems> {
    let (name, group) = target.resource.split_once('.').map_or((target.resource.as_str(), None), |(name, group)| (name, Some(group)));
    let called = |resource: &Resource| {
        let names = [resource.id.plural.as_str(), resource.singular.as_str()];
        let short = resource.short_names.iter().map(String::as_str);
        names.into_iter().chain(short).any(|known| known == name) || resource.kind.to_lowercase() == name
    };
    let of_group = |resource: &Resource| group.is_none_or(|group| resource.id.group == group);
    let found = kinds.preferred().find(|resource| called(resource) && of_group(resource));
    match found {
        Some(resource) => Ok((std::sync::Arc::clone(resource), if resource.namespaced { &target.namespace } else { "" })),
        None => {
            let known: Vec<&str> = kinds.preferred().map(|resource| resource.singular.as_str()).collect();
            let hint = nearest(name, &known).map(|name| format!(", did you mean {name}?")).unwrap_or_default();
            Err(vec![target.place.problem(format!("there is no kind {:?} in this cluster{hint}", target.resource))])
        }
    }
}
