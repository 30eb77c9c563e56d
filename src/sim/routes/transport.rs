//! Between `http` types and the surface: requests in, whole answers out.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, IF_NONE_MATCH, USER_AGENT};

use super::{ApiRequest, Impersonation, Reply};
use crate::sim::cluster::Identity;

impl ApiRequest {
    /// A request from its HTTP parts. `base` is who asks, unless `Impersonate-*` headers say otherwise; the user agent comes
    /// from its header, if there is one.
    pub fn from_http(parts: &http::request::Parts, body: Bytes, base: &Identity) -> Self {
        let mut base = base.clone();
        if let Some(agent) = parts.headers.get_all(USER_AGENT).iter().filter_map(|value| value.to_str().ok()).next_back() {
            agent.clone_into(&mut base.user_agent);
        }
        let impersonation = Impersonation::from_headers(&parts.headers, &base);
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            accept: joined(&parts.headers, &ACCEPT),
            content_type: joined(&parts.headers, &CONTENT_TYPE),
            if_none_match: joined(&parts.headers, &IF_NONE_MATCH),
            identity: impersonation.as_ref().map_or(base, Impersonation::identity),
            bearer: bearer(&parts.headers),
            impersonation: impersonation.map(Box::new),
            body,
            real_time: false,
        }
    }
}

/// The token of `Authorization: Bearer ...`; empty if there is none.
fn bearer(headers: &HeaderMap) -> String {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        _ => String::new(),
    }
}

/// All values of a header as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

impl Reply {
    /// The answer with a body of the transport's.
    pub fn into_http<B>(self, body: impl FnOnce(Bytes) -> B) -> http::Response<B> {
        let Reply { status, headers, body: bytes } = self;
        response(status, &headers, body(bytes))
    }
}

/// A response with these headers; values that HTTP does not allow are left out.
pub fn response<B>(status: u16, headers: &[(&'static str, String)], body: B) -> http::Response<B> {
    let mut response = http::Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let Ok(value) = http::HeaderValue::from_str(value).or_else(|_| http::HeaderValue::from_bytes(value.as_bytes())) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{ApiRequest, Reply};
    use crate::sim::cluster::Identity;

    #[test]
    fn headers_say_who_asks_and_in_which_form() {
        let request = http::Request::get("/api/v1/pods?limit=5")
            .header("accept", "application/yaml")
            .header("accept", "application/json")
            .header("user-agent", "kubectl/v1.32")
            .header("impersonate-user", "bob")
            .header("impersonate-group", "dev")
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let request = ApiRequest::from_http(&parts, Bytes::new(), &Identity::user("admin"));
        assert_eq!((request.path.as_str(), request.query.as_str()), ("/api/v1/pods", "limit=5"));
        assert_eq!(request.accept, "application/yaml,application/json");
        assert_eq!((request.identity.user.as_str(), request.identity.user_agent.as_str()), ("bob", "kubectl/v1.32"));
        assert_eq!(request.identity.groups, ["dev", "system:authenticated"]);
    }

    #[test]
    fn several_warnings_are_several_headers() {
        let reply = Reply::text(200, "ok").with_warnings(&["a".to_owned(), "b".to_owned()]);
        let response = reply.into_http(|body| body);
        assert_eq!(response.headers().get_all("warning").iter().count(), 2);
    }
}
