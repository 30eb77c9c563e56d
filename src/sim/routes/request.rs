//! What a request asks for: its path and query, taken apart.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Impersonation;
use crate::sim::cluster::Identity;

/// An HTTP request without the transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiRequest {
    /// Upper-case method.
    pub method: String,
    /// Path without query, percent-encoded as it came.
    pub path: String,
    /// Query without `?`.
    pub query: String,
    /// `Accept` header; empty if absent.
    pub accept: String,
    /// `Content-Type` header; empty if absent.
    pub content_type: String,
    /// `If-None-Match` header; empty if absent.
    pub if_none_match: String,
    /// Who asks; with impersonation, who is asked for.
    pub identity: Identity,
    /// Who really asks, if somebody else is asked for.
    pub impersonation: Option<Box<Impersonation>>,
    /// Token of the `Authorization` header; empty if absent.
    pub bearer: String,
    /// Body.
    pub body: Bytes,
    /// The client lives in real time: the transport ends its watches, not the virtual clock.
    pub real_time: bool,
}

/// What a request is about, for authorization, logs and interceptors.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for other paths the lower-case method.
    pub verb: String,
    /// Whether the path is one of a resource.
    pub is_resource: bool,
    /// Path as it came, decoded.
    pub path: String,
    /// API group; empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural name.
    pub resource: String,
    /// Subresource; empty if none.
    pub subresource: String,
    /// Namespace; empty for cluster-scoped or all namespaces.
    pub namespace: String,
    /// Name; empty for collections.
    pub name: String,
    /// Path segments behind the subresource: nothing that is served has any.
    pub surplus: bool,
}

impl RequestInfo {
    /// Takes method, path and query apart, as the server's request-info filter does.
    pub fn parse(method: &str, path: &str, query: &Query) -> Self {
        let path = percent_decoded(path, false);
        let mut info = Self { verb: method.to_lowercase(), path: path.clone(), ..Self::default() };
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let rest = match segments.as_slice() {
            ["api", version, rest @ ..] => {
                info.version = (*version).to_owned();
                rest
            }
            ["apis", group, version, rest @ ..] => {
                (info.group, info.version) = ((*group).to_owned(), (*version).to_owned());
                rest
            }
            _ => return info,
        };
        if rest.is_empty() {
            return Self { path, verb: info.verb, ..Self::default() };
        }
        info.read_resource(rest);
        info.verb = info.verb_of(method, query);
        info
    }

    fn read_resource(&mut self, segments: &[&str]) {
        self.is_resource = true;
        let owned = |text: &&str| (*text).to_owned();
        let object = match segments {
            // A namespace itself, and its own subresources.
            ["namespaces", name, subresource @ ("status" | "finalize"), rest @ ..] => {
                (self.namespace, self.resource, self.name) = (owned(name), "namespaces".to_owned(), owned(name));
                self.subresource = owned(subresource);
                self.surplus = !rest.is_empty();
                return;
            }
            ["namespaces", name] => {
                (self.namespace, self.resource, self.name) = (owned(name), "namespaces".to_owned(), owned(name));
                return;
            }
            ["namespaces", namespace, object @ ..] => {
                self.namespace = owned(namespace);
                object
            }
            object => object,
        };
        self.resource = object.first().map(owned).unwrap_or_default();
        self.name = object.get(1).map(owned).unwrap_or_default();
        self.subresource = object.get(2).map(owned).unwrap_or_default();
        self.surplus = object.len() > 3;
    }

    fn verb_of(&self, method: &str, query: &Query) -> String {
        let collection = self.name.is_empty();
        match method {
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" if collection => "deletecollection",
            "DELETE" => "delete",
            "GET" | "HEAD" if collection && query.flag("watch") => "watch",
            "GET" | "HEAD" if collection => "list",
            "GET" | "HEAD" => "get",
            other => return other.to_lowercase(),
        }
        .to_owned()
    }

    /// `plural.group`, for core `plural`.
    pub fn resource_key(&self) -> String {
        if self.group.is_empty() { self.resource.clone() } else { format!("{}.{}", self.resource, self.group) }
    }
}

/// A query, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    parameters: BTreeMap<String, Vec<String>>,
}

impl Query {
    /// Parses `a=1&b=2`; empty pairs are skipped, a name without `=` has an empty value.
    pub fn parse(text: &str) -> Self {
        let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.entry(percent_decoded(name, true)).or_default().push(percent_decoded(value, true));
        }
        Self { parameters }
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    /// Names and values, by name, the values of one name in their order.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.parameters.iter().flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone()))).collect()
    }

    /// The first value, or empty text.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// All values of a parameter.
    pub fn all(&self, name: &str) -> &[String] {
        self.parameters.get(name).map_or(&[], Vec::as_slice)
    }

    /// Everything but `0` and `false` is true, an empty value too.
    pub fn flag(&self, name: &str) -> bool {
        self.optional_flag(name).unwrap_or(false)
    }

    /// As [`Query::flag`]; `None` if absent.
    pub fn optional_flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| !matches!(value.to_lowercase().as_str(), "0" | "false"))
    }
}

/// Decodes `%41`, and `+` as a blank where `plus`; broken escapes stay as they are.
pub(super) fn percent_decoded(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped =
            bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (byte, escaped) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 3;
                continue;
            }
            (b'+', _) if plus => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Query, RequestInfo};

    fn parsed(method: &str, path: &str, query: &str) -> (String, String, String, String, String, String) {
        let info = RequestInfo::parse(method, path, &Query::parse(query));
        (info.verb, info.group, info.resource, info.subresource, info.namespace, info.name)
    }

    fn parts(
        verb: &str,
        group: &str,
        resource: &str,
        subresource: &str,
        namespace: &str,
        name: &str,
    ) -> (String, String, String, String, String, String) {
        (verb.into(), group.into(), resource.into(), subresource.into(), namespace.into(), name.into())
    }

    #[test]
    fn paths_are_taken_apart_like_the_server_does() {
        for (method, path, query, expected) in [
            ("GET", "/api/v1/pods", "", parts("list", "", "pods", "", "", "")),
            ("GET", "/api/v1/pods", "watch=1", parts("watch", "", "pods", "", "", "")),
            ("GET", "/api/v1/pods", "&watch=foo", parts("watch", "", "pods", "", "", "")),
            ("GET", "/api/v1/namespaces/n/pods/p", "watch=true", parts("get", "", "pods", "", "n", "p")),
            ("GET", "/api/v1/namespaces/n", "", parts("get", "", "namespaces", "", "n", "n")),
            ("PUT", "/api/v1/namespaces/n/finalize", "", parts("update", "", "namespaces", "finalize", "n", "n")),
            ("GET", "/api/v1/namespaces/n/status/s", "", parts("get", "", "namespaces", "status", "n", "n")),
            ("PATCH", "/apis/apps/v1/namespaces/n/deployments/d/scale", "", parts("patch", "apps", "deployments", "scale", "n", "d")),
            ("DELETE", "/apis/apps/v1/namespaces/n/deployments", "", parts("deletecollection", "apps", "deployments", "", "n", "")),
            (
                "POST",
                "/apis/rbac.authorization.k8s.io/v1/clusterroles",
                "",
                parts("create", "rbac.authorization.k8s.io", "clusterroles", "", "", ""),
            ),
            (
                "GET",
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/a%3Ab",
                "",
                parts("get", "rbac.authorization.k8s.io", "clusterroles", "", "", "a:b"),
            ),
        ] {
            assert_eq!(parsed(method, path, query), expected, "{method} {path}?{query}");
        }
    }

    #[test]
    fn other_paths_are_no_resources() {
        for path in ["/version", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/openapi/v3/apis/apps/v1", "/"] {
            let info = RequestInfo::parse("GET", path, &Query::default());
            assert!(!info.is_resource, "{path}");
            assert_eq!((info.verb.as_str(), info.path.as_str()), ("get", path));
        }
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("&labelSelector=a%3Db%2Cc+in+%28d%29&dryRun=All&dryRun=x&watch");
        assert_eq!(query.get("labelSelector"), Some("a=b,c in (d)"));
        assert_eq!(query.all("dryRun"), ["All", "x"]);
        assert!(query.flag("watch"));
        assert!(!Query::parse("watch=False").flag("watch"));
        assert_eq!(Query::parse("a=%zz%4").get("a"), Some("%zz%4"));
    }
}
