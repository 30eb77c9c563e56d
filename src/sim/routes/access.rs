//! Who may do what, who sees what was done, and who may interfere: the hooks around a request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::request::RequestInfo;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{EventKind, Identity, WatchEvent};

/// Decides whether a request is allowed. Without one everything is.
pub trait Authorizer {
    /// Whether `who` may do what `attributes` say.
    fn allows(&self, who: &Identity, attributes: &Attributes<'_>) -> bool;

    /// The rules of `who` in a namespace, as `resourceRules` of a `SelfSubjectRulesReview`; `None` if they cannot be listed.
    fn rules(&self, who: &Identity, namespace: &str) -> Option<Vec<Value>> {
        let _ = (who, namespace);
        None
    }
}

/// What is asked of an [`Authorizer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// Verb, such as `get`.
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural; empty for paths that are no resources.
    pub resource: &'a str,
    /// Subresource; empty if none.
    pub subresource: &'a str,
    /// Namespace; empty for cluster-scoped or all.
    pub namespace: &'a str,
    /// Name; empty for collections and creates.
    pub name: &'a str,
    /// The path, if it is no resource.
    pub path: &'a str,
}

impl<'a> Attributes<'a> {
    /// The attributes of a request.
    pub fn of(info: &'a RequestInfo) -> Self {
        if !info.is_resource {
            return Self { verb: &info.verb, path: &info.path, ..Self::default() };
        }
        Self {
            verb: &info.verb,
            group: &info.group,
            resource: &info.resource,
            subresource: &info.subresource,
            namespace: &info.namespace,
            name: &info.name,
            path: "",
        }
    }

    /// The 403 that the server gives.
    pub fn refusal(&self, who: &Identity) -> ApiError {
        let user = &who.user;
        if self.resource.is_empty() {
            let message = format!("forbidden: User \"{user}\" cannot {} path \"{}\"", self.verb, self.path);
            return ApiError::new(403, "Forbidden", message).with_details(json!({}));
        }
        let qualified = if self.group.is_empty() { self.resource.to_owned() } else { format!("{}.{}", self.resource, self.group) };
        let what = if self.subresource.is_empty() { self.resource.to_owned() } else { format!("{}/{}", self.resource, self.subresource) };
        let place =
            if self.namespace.is_empty() { "at the cluster scope".to_owned() } else { format!("in the namespace \"{}\"", self.namespace) };
        let subject = if self.name.is_empty() { qualified } else { format!("{qualified} \"{}\"", self.name) };
        let verb = self.verb;
        let message =
            format!("{subject} is forbidden: User \"{user}\" cannot {verb} resource \"{what}\" in API group \"{}\" {place}", self.group);
        let details: Map<String, Value> = [("name", self.name), ("group", self.group), ("kind", self.resource)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(field, value)| (field.to_owned(), json!(value)))
            .collect();
        ApiError::new(403, "Forbidden", message).with_details(Value::Object(details))
    }
}

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Number of the request, from 0.
    pub index: u64,
    /// Virtual time.
    pub at: Timestamp,
    /// Who asked.
    pub who: Identity,
    /// For what.
    pub info: RequestInfo,
    /// HTTP status; 0 if the connection was broken instead.
    pub code: u16,
    /// A patch or update made an object that was not there: whoever asked needed the right to create, too.
    pub created: bool,
    /// Query without `?`.
    pub query: String,
    /// `Content-Type` header; empty if absent.
    pub content_type: String,
    /// Body as it came.
    pub body: Bytes,
    /// Writes that it committed.
    pub commits: u64,
}

/// Hears of every answered request.
pub trait Observer {
    /// Called once per request, in order.
    fn answered(&mut self, record: &RequestRecord);
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It takes its course.
    Pass,
    /// It is answered with the failure, and nothing is done.
    FailBefore(Failure),
    /// It is carried out, and its answer is replaced by the failure.
    FailAfter(Failure),
    /// It is carried out, and its answer comes this much later (virtual time).
    Late(Duration),
    /// A list is answered by a server that lags behind by this many changes of the kind that is listed, as far as history
    /// goes; other requests take their course.
    Stale(usize),
}

/// How a request fails.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The connection breaks.
    Reset,
    /// The connection hangs for so long (virtual time), and then breaks.
    Stall(Duration),
    /// The server answers this.
    Status(Box<ApiError>),
}

/// Interferes with requests: faults, crash sweeps.
pub trait Interceptor {
    /// Called before each request is served; `index` counts all requests from 0.
    fn before(&mut self, index: u64, who: &Identity, info: &RequestInfo) -> Decision;
}

/// Interferes with watches: hidden, repeated, late and invented events, streams that break or fall silent.
pub trait StreamInterceptor {
    /// Called for each event of each stream, bookmarks and initial events included; `who` opened it by `info`.
    fn event(&mut self, who: &Identity, info: &RequestInfo, event: WatchEvent) -> Delivery;
}

/// What a stream delivers in place of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// These events, in order; none: the event is hidden.
    pub events: Vec<WatchEvent>,
    /// This much later (virtual time). What follows on the stream is never delivered earlier.
    pub delay: Duration,
    /// Afterwards the stream ends.
    pub ends: bool,
}

impl Delivery {
    /// The event, as if nobody interfered.
    pub fn pass(event: WatchEvent) -> Self {
        Self { events: vec![event], delay: Duration::ZERO, ends: false }
    }

    /// A 410 inside of the stream, which then ends: the client has to list again.
    pub fn expired() -> Self {
        let status = ApiError::new(410, "Expired", "too old resource version: 1 (2)").to_json();
        Self { events: vec![WatchEvent { kind: EventKind::Error, object: Arc::new(status) }], delay: Duration::ZERO, ends: true }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Attributes;
    use crate::sim::cluster::Identity;

    #[test]
    fn refusals_name_verb_resource_group_and_place() {
        let who = Identity::user("bob");
        let attributes =
            Attributes { verb: "patch", group: "ex.io", resource: "ws", subresource: "status", namespace: "t", name: "aa", path: "" };
        let error = attributes.refusal(&who);
        let text =
            "ws.ex.io \"aa\" is forbidden: User \"bob\" cannot patch resource \"ws/status\" in API group \"ex.io\" in the namespace \"t\"";
        assert_eq!((error.code, error.message.as_str()), (403, text));
        assert_eq!(error.details, Some(json!({"name": "aa", "group": "ex.io", "kind": "ws"})));
        let list = Attributes { verb: "list", resource: "pods", ..Attributes::default() }.refusal(&who);
        assert_eq!(list.message, "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" at the cluster scope");
        let path = Attributes { verb: "get", path: "/foo", ..Attributes::default() }.refusal(&who);
        assert_eq!((path.message.as_str(), path.details), ("forbidden: User \"bob\" cannot get path \"/foo\"", Some(json!({}))));
    }
}
