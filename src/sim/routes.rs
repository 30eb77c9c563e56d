//! The HTTP surface of the simulated API server, without the transport.
//!
//! Takes an HTTP-shaped request and the cluster; gives status, headers and body, or opens a watch whose frames go to a sink
//! of the caller's. Routing, content negotiation, authorization and discovery are decided here, everything about objects in
//! [`Cluster`]. It runs nothing: after a request the caller lets the actors work.
//!
//! Not served, and refused with 501: `exec`, `attach`, `portforward`, `proxy`. Logs are synthetic and end at once, `follow`
//! or not. Protobuf is read in requests and never written in answers. The older `/watch/` path prefix does not exist.

pub mod access;
mod body;
mod escalation;
mod impersonation;
mod log;
mod measured;
mod negotiate;
mod options;
mod other;
mod policy;
pub mod rbac;
mod read;
mod reply;
mod request;
mod review;
mod stream;
mod token;
mod transport;
mod write;

use std::borrow::Cow;
use std::sync::Arc;

use self::access::{Attributes, Authorizer, Decision, Failure, Interceptor, Observer, RequestRecord};
pub use self::body::{BODY_BYTES_MAX, too_large};
pub use self::impersonation::Impersonation;
pub use self::measured::measured;
use self::policy::Policy;
pub use self::reply::{Answer, Reply};
pub use self::request::{ApiRequest, Query, RequestInfo};
pub use self::stream::{FrameSink, SharedStreamInterceptor, VirtualClock};
pub use self::transport::response;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;
use crate::sim::discovery;
use crate::sim::kinds::{Resource, builtin};
use crate::sim::openapi::OpenApi;
use crate::sim::verbs::errors;

/// The version that the server reports.
pub const VERSION: &str = "v1.35.4";

/// Gives a sink when a request turns out to be a watch.
pub type OpenSink<'a> = &'a mut dyn FnMut() -> Box<dyn FrameSink>;

/// What the HTTP surface keeps between requests.
#[derive(Default)]
pub struct Front {
    /// Decides who may do what; absent: see `roles`.
    pub authorizer: Option<Box<dyn Authorizer + Send>>,
    /// Without an authorizer: the stored roles and bindings decide. Otherwise everybody may do everything.
    pub roles: bool,
    /// Interferes with requests; absent: nobody.
    pub interceptor: Option<Box<dyn Interceptor + Send>>,
    /// Interferes with watches that are opened from now on; absent: nobody.
    pub stream_interceptor: Option<SharedStreamInterceptor>,
    /// Hear of every answered request.
    pub observers: Vec<Box<dyn Observer + Send>>,
    clock: VirtualClock,
    openapi: OpenApi,
    requests: u64,
}

/// An answer, and how much later (virtual time) it is to be delivered.
#[derive(Debug)]
pub struct Served {
    /// The answer.
    pub answer: Answer,
    /// Delay by a fault; zero otherwise.
    pub delay: std::time::Duration,
}

/// A request, taken apart.
struct Asked<'a> {
    request: &'a ApiRequest,
    query: &'a Query,
    info: &'a RequestInfo,
    /// How many changes of its kind a list is behind; 0 ordinarily.
    lag: usize,
    /// What the metrics APIs answer, if it goes to them.
    measured: Option<&'a Measured>,
}

/// The answer of a metrics API.
type Measured = Result<serde_json::Value, ApiError>;

/// A request with everything that was found out about it.
struct Call<'a> {
    request: &'a ApiRequest,
    query: &'a Query,
    info: &'a RequestInfo,
    resource: Arc<Resource>,
    /// Id for the direct door, with the version.
    key: String,
    /// How many changes of its kind a list is behind; 0 ordinarily.
    lag: usize,
    policy: Policy<'a>,
}

impl Front {
    /// The clock that sinks read. Whoever moves the virtual time sets it first.
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// How many requests were served.
    pub fn request_count(&self) -> u64 {
        self.requests
    }

    /// Serves a request. `open` is called at most once, for a watch.
    pub fn handle(&mut self, cluster: &mut Cluster, request: &ApiRequest, open: OpenSink<'_>) -> Served {
        self.handle_measured(cluster, request, None, open)
    }

    /// Serves a request to which a metrics API behind this server has an answer, for those who may ask it.
    pub fn handle_measured(
        &mut self,
        cluster: &mut Cluster,
        request: &ApiRequest,
        measured: Option<Measured>,
        open: OpenSink<'_>,
    ) -> Served {
        self.clock.set(cluster.now());
        let query = Query::parse(&request.query);
        let info = RequestInfo::parse(&request.method, &request.path, &query);
        let index = self.requests;
        self.requests += 1;
        let (request, stranger) = match self.authenticated(cluster, request) {
            Ok(known) => (known, None),
            Err(error) => (Cow::Borrowed(request), Some(error)),
        };
        let request = request.as_ref();
        let decision = match stranger {
            Some(error) => Decision::FailBefore(Failure::Status(Box::new(error))),
            None => self.interceptor.as_mut().map_or(Decision::Pass, |hook| hook.before(index, &request.identity, &info)),
        };
        let delay = match &decision {
            Decision::Late(delay) | Decision::FailBefore(Failure::Stall(delay)) | Decision::FailAfter(Failure::Stall(delay)) => *delay,
            _ => std::time::Duration::ZERO,
        };
        let revision = cluster.revision();
        let lag = if let Decision::Stale(lag) = &decision { *lag } else { 0 };
        let asked = Asked { request, query: &query, info: &info, lag, measured: measured.as_ref() };
        let (answer, done) = match decision {
            Decision::FailBefore(failure) => (failed(failure), 0),
            Decision::FailAfter(failure) => {
                let lost = self.answer(cluster, &asked, open);
                if let Answer::Watch { id, .. } = lost {
                    cluster.unwatch(id);
                }
                (failed(failure), lost.status())
            }
            Decision::Pass | Decision::Late(_) | Decision::Stale(_) => {
                let answer = self.answer(cluster, &asked, open);
                let done = answer.status();
                (answer, done)
            }
        };
        let created = done == 201 && matches!(info.verb.as_str(), "patch" | "update");
        let record = RequestRecord {
            index,
            at: cluster.now(),
            who: request.identity.clone(),
            info,
            code: answer.status(),
            created,
            query: request.query.clone(),
            content_type: request.content_type.clone(),
            body: request.body.clone(),
            commits: cluster.revision() - revision,
        };
        for observer in &mut self.observers {
            observer.answered(&record);
        }
        Served { answer, delay }
    }

    /// The request with who asks by its token. Tokens count where the stored roles decide; elsewhere nobody needs one.
    fn authenticated<'a>(&self, cluster: &Cluster, request: &'a ApiRequest) -> Result<Cow<'a, ApiRequest>, ApiError> {
        if !self.roles || request.bearer.is_empty() {
            return Ok(Cow::Borrowed(request));
        }
        let mut request = request.clone();
        let by = token::identity(cluster, &request.bearer, &request.identity)?;
        match &mut request.impersonation {
            Some(impersonation) => impersonation.set_by(by),
            None => request.identity = by,
        }
        Ok(Cow::Owned(request))
    }

    fn answer(&mut self, cluster: &mut Cluster, asked: &Asked<'_>, open: OpenSink<'_>) -> Answer {
        let mut answer = self.serve(cluster, asked, open).unwrap_or_else(|error| Answer::Whole(Reply::error(&error)));
        if let Answer::Whole(reply) = &mut answer
            && asked.request.method == "HEAD"
        {
            reply.body = bytes::Bytes::new();
        }
        answer
    }

    fn serve(&mut self, cluster: &mut Cluster, asked: &Asked<'_>, open: OpenSink<'_>) -> Result<Answer, ApiError> {
        let Asked { request, query, info, lag, measured } = *asked;
        let policy = self.policy();
        if let Some(impersonation) = &request.impersonation {
            impersonation.check(|by, attributes| policy.check(cluster, by, attributes))?;
        }
        policy.check(cluster, &request.identity, &Attributes::of(info))?;
        if !info.is_resource {
            return self.other_path(cluster, request, query, info).map(Answer::Whole);
        }
        if let Some(measured) = measured {
            return measured::reply(request, info, measured).map(Answer::Whole);
        }
        if let Some(review) = discovery::review(&info.group, &info.version, &info.resource) {
            return self.review(cluster, request, info, review).map(Answer::Whole);
        }
        let Some(resource) = cluster.kinds().lookup(&info.group, &info.version, &info.resource) else {
            return Err(unknown(&info.group));
        };
        let resource = Arc::clone(resource);
        let key = format!("{}/{}", resource.key(), resource.id.version);
        let call = Call { request, query, info, resource, key, lag, policy: self.policy() };
        call.check_place()?;
        if call.info.verb == "watch" {
            return call.watch(cluster, &self.clock, self.stream_interceptor.as_ref(), open);
        }
        call.respond(cluster).map(Answer::Whole)
    }
}

fn failed(failure: Failure) -> Answer {
    match failure {
        Failure::Reset | Failure::Stall(_) => Answer::Broken,
        Failure::Status(error) => Answer::Whole(Reply::error(&error)),
    }
}

/// 404 for what no group of this name serves: a `Status` for built-in groups, text for others.
fn unknown(group: &str) -> ApiError {
    let known = builtin::GROUPS.contains(&group) || discovery::REVIEWS.iter().any(|review| review.group == group);
    if known { not_served() } else { ApiError::text(404, "404 page not found\n") }
}

fn not_served() -> ApiError {
    ApiError::new(404, "NotFound", "the server could not find the requested resource").with_details(serde_json::json!({}))
}

impl Call<'_> {
    /// The namespace for the direct door: a namespace itself is in none.
    fn namespace(&self) -> &str {
        if self.resource.namespaced { &self.info.namespace } else { "" }
    }

    fn subresource(&self) -> Option<&str> {
        Some(self.info.subresource.as_str()).filter(|name| !name.is_empty())
    }

    /// Refuses paths that the kind does not have: with a namespace where there is none, an object without, or too long.
    fn check_place(&self) -> Result<(), ApiError> {
        let (info, resource) = (self.info, &self.resource);
        let is_namespace = resource.storage_key == "namespaces";
        let wrong_scope = if resource.namespaced {
            info.namespace.is_empty() && !info.name.is_empty()
        } else {
            !info.namespace.is_empty() && !is_namespace
        };
        if wrong_scope || info.surplus {
            return Err(unknown(&info.group));
        }
        match self.subresource() {
            Some("exec" | "attach" | "portforward" | "proxy") => Err(ApiError::new(
                501,
                "NotImplemented",
                format!("the simulated cluster runs no containers: {} is not available", info.subresource),
            )),
            Some(name) if !resource.has_subresource(name) => Err(errors::no_subresource(resource, &info.name)),
            _ => Ok(()),
        }
    }

    /// Everything but watches.
    fn respond(&self, cluster: &mut Cluster) -> Result<Reply, ApiError> {
        let method = self.request.method.as_str();
        match (self.subresource(), method, self.info.name.is_empty()) {
            (_, "HEAD", _) if !self.resource.custom => Err(errors::method_not_allowed()),
            (Some("log"), "GET", _) => self.log(cluster),
            (Some("eviction" | "binding" | "token"), "POST", _) => self.post_below(cluster),
            (Some(_), "GET" | "HEAD", _) => self.get(cluster),
            (Some(_), "PUT", _) => self.put(cluster),
            (Some("status" | "scale"), "PATCH", _) => self.patch(cluster),
            (Some(_), _, _) => Err(self.method_not_allowed()),
            (None, "GET" | "HEAD", true) => self.list(cluster),
            (None, "GET" | "HEAD", false) => self.get(cluster),
            (None, "POST", true) => self.post(cluster),
            (None, "POST", false) if self.resource.custom => self.post(cluster),
            (None, "PUT" | "PATCH", true) if self.resource.custom => Err(ApiError::bad_request("name must be provided")),
            (None, "PUT", false) => self.put(cluster),
            (None, "PATCH", false) => self.patch(cluster),
            (None, "DELETE", true) => self.delete_collection(cluster),
            (None, "DELETE", false) => self.delete(cluster),
            _ => Err(errors::method_not_allowed()),
        }
    }

    /// 405; custom resources name the verb and themselves.
    fn method_not_allowed(&self) -> ApiError {
        if !self.resource.custom {
            return errors::method_not_allowed();
        }
        let details = serde_json::json!({ "group": self.resource.id.group, "kind": self.resource.id.plural });
        let message = format!("{} is not supported on resources of kind \"{}\"", self.info.verb, self.resource.qualified());
        ApiError::new(405, "MethodNotAllowed", message).with_details(details)
    }
}

#[cfg(test)]
mod tests;
