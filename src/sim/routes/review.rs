//! Reviews: what somebody may do, and who one is. They answer and store nothing.

use serde_json::{Value, json};

use super::access::Attributes;
use super::body;
use super::negotiate::{Choice, form};
use super::reply::Reply;
use super::{ApiRequest, Front, RequestInfo, not_served};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::{Cluster, Identity};
use crate::sim::discovery::Review;
use crate::sim::verbs::errors;

impl Front {
    pub(super) fn review(&self, cluster: &Cluster, request: &ApiRequest, info: &RequestInfo, review: &Review) -> Result<Reply, ApiError> {
        if !info.name.is_empty() || review.namespaced == info.namespace.is_empty() {
            return Err(not_served());
        }
        if request.method != "POST" {
            return Err(errors::method_not_allowed());
        }
        let form = form(&request.accept, Choice::Objects { list: false, custom: false })?;
        let mut object = body::object(&request.content_type, &request.body, review.kind, false)?.value;
        if !object.is_object() {
            return Err(ApiError::bad_request(format!("{} in version \"v1\" cannot be handled as a {0}: not an object", review.kind)));
        }
        object["kind"] = json!(review.kind);
        object["apiVersion"] = json!(format!("{}/{}", review.group, review.version));
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        object["status"] = self.verdict(cluster, &request.identity, info, review, &mut object)?;
        Ok(Reply::value(201, form, &object))
    }

    fn verdict(
        &self,
        cluster: &Cluster,
        who: &Identity,
        info: &RequestInfo,
        review: &Review,
        object: &mut Value,
    ) -> Result<Value, ApiError> {
        if review.kind == "SelfSubjectReview" {
            return Ok(json!({ "userInfo": user_info(who) }));
        }
        if review.kind == "SelfSubjectRulesReview" {
            let namespace = text(&object["spec"], "namespace").to_owned();
            if namespace.is_empty() {
                return Err(ApiError::bad_request("no namespace on request"));
            }
            // The server does not repeat the question.
            object["spec"] = json!({});
            return Ok(self.policy().rules(cluster, who, &namespace));
        }
        let kind = review.kind;
        check_metadata(kind, object)?;
        let spec = &object["spec"];
        let about_self = kind == "SelfSubjectAccessReview";
        let user = Identity { user: text(spec, "user").to_owned(), groups: texts(&spec["groups"]), ..Identity::default() };
        if !about_self && user.user.is_empty() && user.groups.is_empty() {
            return Err(invalid("spec.user", "Invalid value: \"\": at least one of user or group must be specified".to_owned()));
        }
        let attributes = attributes(spec)?;
        if kind == "LocalSubjectAccessReview" {
            check_namespace(spec, &info.namespace)?;
        }
        let verdict = self.policy().decide(cluster, if about_self { who } else { &user }, &attributes);
        let mut status = json!({ "allowed": verdict.allowed });
        if !verdict.reason.is_empty() {
            status["reason"] = json!(verdict.reason);
        }
        Ok(status)
    }
}

fn user_info(who: &Identity) -> Value {
    let mut info = json!({ "username": who.user, "groups": who.groups });
    if !who.uid.is_empty() {
        info["uid"] = json!(who.uid);
    }
    if !who.extra.is_empty() {
        info["extra"] = json!(who.extra);
    }
    info
}

/// Reviews about access are no objects: they have no metadata.
fn check_metadata(kind: &str, object: &Value) -> Result<(), ApiError> {
    let metadata = &object["metadata"];
    let local = kind == "LocalSubjectAccessReview";
    let given = metadata.as_object().is_some_and(|fields| {
        fields.iter().any(|(field, value)| !value.is_null() && value != "" && field != "managedFields" && !(local && field == "namespace"))
    });
    let but = if local { " except for namespace" } else { "" };
    if given { Err(invalid("metadata", format!("Invalid value: {metadata}: must be empty{but}"))) } else { Ok(()) }
}

/// What is asked for.
fn attributes<'a>(spec: &'a Value) -> Result<Attributes<'a>, ApiError> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    match (resource.is_object(), path.is_object()) {
        (true, false) => Ok(Attributes {
            verb: text(resource, "verb"),
            group: text(resource, "group"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            namespace: text(resource, "namespace"),
            name: text(resource, "name"),
            path: "",
        }),
        (false, true) => Ok(Attributes { verb: text(path, "verb"), path: text(path, "path"), ..Attributes::default() }),
        (true, true) => {
            let message = format!("Invalid value: {}: cannot be specified in combination with resourceAttributes", as_go_prints(path));
            Err(invalid("spec.nonResourceAttributes", message))
        }
        (false, false) => {
            let message = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
            Err(invalid("spec.resourceAttributes", message.to_owned()))
        }
    }
}

fn check_namespace(spec: &Value, namespace: &str) -> Result<(), ApiError> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if path.is_object() {
        let message = format!("Invalid value: {}: disallowed on this kind of request", as_go_prints(path));
        return Err(invalid("spec.nonResourceAttributes", message));
    }
    let asked = text(resource, "namespace");
    if asked == namespace {
        return Ok(());
    }
    let message = format!("Invalid value: {asked:?}: must match metadata.namespace");
    Err(invalid("spec.resourceAttributes.namespace", message))
}

/// Attributes of a path with the field names of the server's own type.
fn as_go_prints(path: &Value) -> Value {
    json!({ "Path": text(path, "path"), "Verb": text(path, "verb") })
}

/// 422; the server names no kind.
fn invalid(field: &str, message: String) -> ApiError {
    ApiError::invalid("", "authorization.k8s.io", "", &[Cause::new("FieldValueInvalid", field, message)])
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("")
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
