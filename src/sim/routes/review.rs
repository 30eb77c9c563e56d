//! Reviews: what somebody may do, and who one is. They answer and store nothing.

use serde_json::{Value, json};

use super::access::Attributes;
use super::body;
use super::negotiate::{Choice, form};
use super::reply::Reply;
use super::{ApiRequest, Front, RequestInfo, not_served};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::Identity;
use crate::sim::discovery::Review;
use crate::sim::verbs::errors;

impl Front {
    pub(super) fn review(&self, request: &ApiRequest, info: &RequestInfo, review: &Review) -> Result<Reply, ApiError> {
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
        object["status"] = self.verdict(&request.identity, info, review, &object["spec"])?;
        Ok(Reply::value(201, form, &object))
    }

    fn verdict(&self, who: &Identity, info: &RequestInfo, review: &Review, spec: &Value) -> Result<Value, ApiError> {
        let asked_about = Identity { user: text(spec, "user").to_owned(), groups: texts(&spec["groups"]), user_agent: String::new() };
        match review.kind {
            "SelfSubjectReview" => Ok(json!({ "userInfo": { "username": who.user, "groups": who.groups } })),
            "SelfSubjectRulesReview" => Ok(self.rules(who, text(spec, "namespace"))),
            "SelfSubjectAccessReview" => self.access(who, review.kind, spec),
            "LocalSubjectAccessReview" if text(&spec["resourceAttributes"], "namespace") != info.namespace => {
                let message = format!("Invalid value: {:?}: must match metadata.namespace", text(&spec["resourceAttributes"], "namespace"));
                Err(invalid(review.kind, "spec.resourceAttributes.namespace", message))
            }
            _ if asked_about.user.is_empty() && asked_about.groups.is_empty() => {
                Err(invalid(review.kind, "spec.user", "Invalid value: \"\": at least one of user or group must be specified".to_owned()))
            }
            _ => self.access(&asked_about, review.kind, spec),
        }
    }

    fn access(&self, who: &Identity, kind: &str, spec: &Value) -> Result<Value, ApiError> {
        let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
        let attributes = match (resource.is_object(), path.is_object()) {
            (true, false) => Attributes {
                verb: text(resource, "verb"),
                group: text(resource, "group"),
                resource: text(resource, "resource"),
                subresource: text(resource, "subresource"),
                namespace: text(resource, "namespace"),
                name: text(resource, "name"),
                path: "",
            },
            (false, true) => Attributes { verb: text(path, "verb"), path: text(path, "path"), ..Attributes::default() },
            (both, _) => {
                let field = if both { "spec.nonResourceAttributes" } else { "spec.resourceAttributes" };
                let problem = if both {
                    "cannot be specified in combination with resourceAttributes"
                } else {
                    "exactly one of nonResourceAttributes or resourceAttributes must be specified"
                };
                return Err(invalid(kind, field, format!("Invalid value: null: {problem}")));
            }
        };
        let Some(authorizer) = &self.authorizer else {
            return Ok(json!({ "allowed": true, "reason": "the simulated cluster allows everything: no authorizer is set" }));
        };
        Ok(json!({ "allowed": authorizer.allows(who, &attributes) }))
    }

    fn rules(&self, who: &Identity, namespace: &str) -> Value {
        let everything = || vec![json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] })];
        let listed = match &self.authorizer {
            None => Some(everything()),
            Some(authorizer) => authorizer.rules(who, namespace),
        };
        match listed {
            Some(rules) if self.authorizer.is_none() => {
                json!({ "resourceRules": rules, "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }], "incomplete": false })
            }
            Some(rules) => json!({ "resourceRules": rules, "nonResourceRules": [], "incomplete": false }),
            None => json!({
                "resourceRules": [], "nonResourceRules": [], "incomplete": true,
                "evaluationError": "the authorizer does not support rule enumeration",
            }),
        }
    }
}

fn invalid(kind: &str, field: &str, message: String) -> ApiError {
    ApiError::invalid(kind, "authorization.k8s.io", "", &[Cause::new("FieldValueInvalid", field, message)])
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("")
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
