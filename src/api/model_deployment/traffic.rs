//! How requests reach the pods.

mod candidate;

pub use self::candidate::{CandidateMatch, HeaderMatch, HeaderMatchType, Mirror, Retry};

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;
use crate::api::schema;

/// `headroom` when the spec gives none, percent.
pub const DEFAULT_HEADROOM: i32 = 100;
/// `drain` when the spec gives none.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(30);
/// `propagationDelay` when the spec gives none.
pub const DEFAULT_PROPAGATION_DELAY: Duration = Duration::from_secs(5);

/// How requests reach the pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.hostnames) || (has(self.gateways) && self.gateways.exists(gateway, gateway.kind == 'Gateway'))")
        .message("hostnames need a gateway of kind Gateway: add one to traffic.gateways, or remove hostnames"),
    validation = Rule::new("!has(self.path) || has(self.gateways)")
        .message("path needs a gateway: add one to traffic.gateways, or remove path"),
    validation = Rule::new("!has(self.http) || has(self.gateways)")
        .message("http needs a gateway: add one to traffic.gateways, or remove http"),
    validation = Rule::new("!has(self.candidateMatches) || has(self.gateways)")
        .message("candidateMatches need a gateway: add one to traffic.gateways, or remove candidateMatches"),
    validation = Rule::new("!has(self.mirror) || has(self.gateways)")
        .message("mirror needs a gateway: add one to traffic.gateways, or remove mirror"),
    validation = Rule::new("self.protocol != 'GRPC' || !has(self.http)")
        .message("http is for protocol HTTP: remove http, or protocol GRPC"),
    validation = Rule::new("self.protocol != 'GRPC' || !has(self.path)")
        .message("path is for protocol HTTP, a GRPCRoute has none: remove path, or protocol GRPC")
)]
pub struct Traffic {
    /// Gateways that the route attaches to, at most 16; `kind: Service` is for meshes. Without any, the split is made by ready pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub gateways: Vec<Gateway>,

    /// Host names that the route answers to, at most 16. Needs a gateway of kind Gateway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::hostnames")]
    pub hostnames: Vec<String>,

    /// What the pods speak: HTTP, by an HTTPRoute, or GRPC, by a GRPCRoute. Default HTTP.
    #[serde(default)]
    pub protocol: Protocol,

    /// Path prefix that the route answers to. Default /. Needs gateways, and protocol HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::path")]
    pub path: Option<String>,

    /// Passed through to the route. Needs gateways, and protocol HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpTraffic>,

    /// Requests that go to the new version whatever its weight, while it has ready pods, at most 8 alternatives. Needs gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8))]
    pub candidate_matches: Vec<CandidateMatch>,

    /// Copies of requests for the new version, while it has ready pods and not yet all traffic. Needs gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,

    /// Size of the new version in a step, in percent of what its weight asks for, 100 to 1000. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1000))]
    pub headroom: Option<i32>,

    /// How long pods go on running after their traffic was taken away. Default 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Duration>,

    /// How long a gateway takes to act on a route it has accepted. Default 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation_delay: Option<Duration>,
}

/// What the pods speak.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP, by an HTTPRoute.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// gRPC without TLS, by a GRPCRoute.
    #[serde(rename = "GRPC")]
    Grpc,
}

/// Something a route attaches to.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.group) || self.group == (self.kind == 'Service' ? '' : 'gateway.networking.k8s.io')")
        .message("group does not go with kind: leave group out, or use gateway.networking.k8s.io for a Gateway and an empty group for a Service")
)]
pub struct Gateway {
    /// API group: gateway.networking.k8s.io for a Gateway, empty for a Service. Follows from `kind`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub group: Option<String>,

    /// Gateway, or Service for a mesh.
    #[serde(default)]
    pub kind: GatewayKind,

    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,

    /// Its namespace. Default: this one. Another one must allow routes from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::environment")]
    pub namespace: Option<String>,

    /// One listener of it (or one port name of a Service).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub section_name: Option<String>,

    /// One port of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
}

/// What a route can attach to.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatewayKind {
    /// A Gateway.
    #[default]
    Gateway,
    /// A Service of a mesh.
    Service,
}

/// Fields of an HTTPRoute rule that are passed through.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct HttpTraffic {
    /// How long a request may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,

    /// When the gateway sends a request again. Left out, and said, where the installed HTTPRoute has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,

    /// Changes to requests and responses, at most 3: one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    #[x_kube(
        validation = Rule::new("self.all(filter, self.exists_one(other, other.type == filter.type))")
            .message("each type of filter can be given once: merge the ones of equal type")
    )]
    pub filters: Vec<HttpFilter>,
}

/// How long a request may take. `0s` switches a limit off.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.request) || !has(self.backendRequest) || [self.request, self.backendRequest].exists(text, !text.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')) || duration(self.request) == duration('0s') || duration(self.backendRequest) <= duration(self.request)")
        .message("backendRequest must not be longer than request, which covers it")
)]
pub struct Timeouts {
    /// From the first byte of the request to the last of the answer, as the client sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Duration>,

    /// One attempt at the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_request: Option<Duration>,
}

/// A change to requests or responses.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.requestHeaderModifier) == (self.type == 'RequestHeaderModifier')")
        .message("type RequestHeaderModifier and the field requestHeaderModifier go together: set both or neither"),
    validation = Rule::new("has(self.responseHeaderModifier) == (self.type == 'ResponseHeaderModifier')")
        .message("type ResponseHeaderModifier and the field responseHeaderModifier go together: set both or neither"),
    validation = Rule::new("has(self.urlRewrite) == (self.type == 'URLRewrite')")
        .message("type URLRewrite and the field urlRewrite go together: set both or neither")
)]
pub struct HttpFilter {
    /// Which change.
    pub r#type: HttpFilterType,

    /// For type RequestHeaderModifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_header_modifier: Option<HeaderModifier>,

    /// For type ResponseHeaderModifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_header_modifier: Option<HeaderModifier>,

    /// For type URLRewrite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_rewrite: Option<UrlRewrite>,
}

/// The changes that are passed through.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpFilterType {
    /// Changes headers on the way to the pod.
    RequestHeaderModifier,
    /// Changes headers on the way back.
    ResponseHeaderModifier,
    /// Changes host or path on the way to the pod.
    #[serde(rename = "URLRewrite")]
    UrlRewrite,
}

/// Headers to set, add or remove.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HeaderModifier {
    /// Replaced, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub set: Vec<Header>,

    /// Added, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub add: Vec<Header>,

    /// Removed, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::text_set::<16, 256>")]
    pub remove: Vec<String>,
}

/// A header.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Its name.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,

    /// Its value.
    #[schemars(length(min = 1, max = 4096))]
    pub value: String,
}

/// A new host, path or both.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct UrlRewrite {
    /// The host name that the pod sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub hostname: Option<String>,

    /// The path that the pod sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathModifier>,
}

/// A new path.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.replaceFullPath) == (self.type == 'ReplaceFullPath')")
        .message("type ReplaceFullPath and the field replaceFullPath go together: set both or neither"),
    validation = Rule::new("has(self.replacePrefixMatch) == (self.type == 'ReplacePrefixMatch')")
        .message("type ReplacePrefixMatch and the field replacePrefixMatch go together: set both or neither")
)]
pub struct PathModifier {
    /// What is replaced.
    pub r#type: PathModifierType,

    /// For type ReplaceFullPath.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub replace_full_path: Option<String>,

    /// For type ReplacePrefixMatch: what stands in place of `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub replace_prefix_match: Option<String>,
}

/// What of a path is replaced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathModifierType {
    /// All of it.
    ReplaceFullPath,
    /// The prefix that `path` names.
    ReplacePrefixMatch,
}

impl Traffic {
    /// `headroom` in percent, with the default filled in.
    #[must_use]
    pub fn headroom(&self) -> i32 {
        self.headroom.unwrap_or(DEFAULT_HEADROOM)
    }

    /// Something beside its weight leads to the new version: a header, or copies of requests.
    #[must_use]
    pub fn reaches_candidates(&self) -> bool {
        !self.candidate_matches.is_empty() || self.mirror.is_some()
    }

    /// `drain` with the default filled in.
    #[must_use]
    pub fn drain(&self) -> Duration {
        self.drain.unwrap_or(DEFAULT_DRAIN)
    }

    /// `propagationDelay` with the default filled in.
    #[must_use]
    pub fn propagation_delay(&self) -> Duration {
        self.propagation_delay.unwrap_or(DEFAULT_PROPAGATION_DELAY)
    }
}
