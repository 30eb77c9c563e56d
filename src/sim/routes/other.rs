//! Paths that are no resources: version, health, discovery, OpenAPI.

use serde_json::{Value, json};

use super::negotiate::{Discovery, Form, accepts, discovery as negotiated};
use super::reply::Reply;
use super::{ApiRequest, Front, Query, RequestInfo, VERSION, unknown};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;
use crate::sim::discovery;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

impl Front {
    pub(super) fn other_path(
        &mut self,
        cluster: &Cluster,
        request: &ApiRequest,
        query: &Query,
        info: &RequestInfo,
    ) -> Result<Reply, ApiError> {
        let kinds = cluster.kinds();
        let segments: Vec<&str> = info.path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.as_slice() {
            [] => Ok(Reply::value(200, Form::JSON, &json!({ "paths": PATHS }))),
            ["version"] => Ok(version()),
            [check @ ("healthz" | "livez" | "readyz"), rest @ ..] => Ok(health(check, rest, query)),
            ["api"] | ["apis"] => aggregated(
                request,
                segments[0] == "api",
                || match segments[0] {
                    "api" => discovery::api_versions(),
                    _ => discovery::group_list(kinds),
                },
                |legacy| discovery::aggregated_document(kinds, legacy),
            ),
            ["api", version] => plain(request, discovery::resource_list(kinds, "", version), ""),
            ["apis", group] => plain(request, discovery::group(kinds, group), group),
            ["apis", group, version] => plain(request, discovery::resource_list(kinds, group, version), group),
            ["openapi", "v2"] => Ok(Reply::empty(406)),
            ["openapi", "v3"] => Ok(self.openapi_index(cluster, request)),
            ["openapi", "v3", rest @ ..] => Ok(self.openapi_document(cluster, request, query, &rest.join("/"))),
            _ => Err(ApiError::text(404, "404 page not found\n")),
        }
    }

    fn openapi_index(&mut self, cluster: &Cluster, request: &ApiRequest) -> Reply {
        if !accepts(&request.accept, "application/json") && !accepts(&request.accept, "text/plain") {
            return Reply::empty(406);
        }
        let index = self.openapi.index(cluster.kinds());
        let mut reply = Reply::text(200, index.to_string());
        reply.headers.retain(|(name, _)| *name == "content-type");
        reply
    }

    /// A document is immutable under the hash of its address; another hash is sent to the right one.
    fn openapi_document(&mut self, cluster: &Cluster, request: &ApiRequest, query: &Query, path: &str) -> Reply {
        if !accepts(&request.accept, "application/json") {
            return Reply::empty(406);
        }
        let Some((body, hash)) = self.openapi.document(cluster.kinds(), path) else { return Reply::empty(404) };
        let tag = format!("\"{hash}\"");
        let caching = match query.get("hash") {
            Some(asked) if asked != hash => {
                return Reply::empty(301).with_header("location", format!("/openapi/v3/{path}?hash={hash}"));
            }
            Some(_) => "public, immutable",
            None => "no-cache, private",
        };
        if request.if_none_match == tag {
            return Reply::empty(304).with_header("etag", tag);
        }
        let headers = vec![("content-type", "application/json".to_owned()), ("etag", tag), ("cache-control", caching.to_owned())];
        Reply { status: 200, headers, body }
    }
}

const PATHS: &[&str] = &["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"];

/// The one document that is indented.
fn version() -> Reply {
    let document = json!({
        "major": "1", "minor": "35", "emulationMajor": "1", "emulationMinor": "35", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "34", "gitVersion": VERSION, "gitCommit": "simulated", "gitTreeState": "clean",
        "buildDate": "2026-04-15T00:00:00Z", "goVersion": "none", "compiler": "rustc", "platform": "simulated/amd64",
    });
    let body = serde_json::to_vec_pretty(&document).unwrap_or_default();
    let headers = vec![("content-type", "application/json".to_owned()), ("cache-control", "no-cache, private".to_owned())];
    Reply { status: 200, headers, body: body.into() }
}

const CHECKS: &[&str] = &["ping", "log", "etcd", "informer-sync"];

fn health(check: &str, rest: &[&str], query: &Query) -> Reply {
    match rest {
        [] if query.get("verbose").is_some() => {
            let lines: String = CHECKS.iter().map(|name| format!("[+]{name} ok\n")).collect();
            Reply::text(200, format!("{lines}{check} check passed\n"))
        }
        [] => Reply::text(200, "ok"),
        [name] if CHECKS.contains(name) => Reply::text(200, "ok"),
        _ => Reply::text(404, "404 page not found\n"),
    }
}

/// `/api` and `/apis`, in either form. The aggregated one carries an entity tag.
fn aggregated(
    request: &ApiRequest,
    legacy: bool,
    plain: impl FnOnce() -> Value,
    document: impl FnOnce(bool) -> Value,
) -> Result<Reply, ApiError> {
    match negotiated(&request.accept) {
        None => Err(not_acceptable()),
        Some(Discovery::Plain) => Ok(Reply::value(200, Form::JSON, &plain()).with_header("vary", "Accept")),
        Some(Discovery::Aggregated) => {
            let mut reply = Reply::value(200, Form::JSON, &document(legacy));
            let tag = discovery::entity_tag(&reply.body);
            reply.headers = vec![("content-type", AGGREGATED.to_owned()), ("etag", tag.clone())];
            reply.headers.extend([("cache-control", "public".to_owned()), ("vary", "Accept".to_owned())]);
            if request.if_none_match == tag {
                (reply.status, reply.body) = (304, bytes::Bytes::new());
            }
            Ok(reply)
        }
    }
}

fn plain(request: &ApiRequest, document: Option<Value>, group: &str) -> Result<Reply, ApiError> {
    if negotiated(&request.accept) != Some(Discovery::Plain) {
        return Err(not_acceptable());
    }
    document.map(|document| Reply::value(200, Form::JSON, &document)).ok_or_else(|| unknown(group))
}

fn not_acceptable() -> ApiError {
    let message = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    ApiError::new(406, "NotAcceptable", message).with_details(json!({}))
}
