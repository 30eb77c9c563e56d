//! Counts every request to the API server, by verb, resource and code.

use std::sync::Arc;

use http::{Method, Request, Response};
use kube::{Client, client::Body};
use tower::{ServiceExt, service_fn};

use super::metrics::Metrics;
use crate::runtime::clock::{Clock, until};

/// A client that sends through `client` and counts in `metrics`. Nothing is delayed, repeated or changed.
///
/// Must be called inside of a tokio runtime.
#[must_use]
pub fn counted(client: Client, metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, metrics, clock) = (client.clone(), Arc::clone(&metrics), Arc::clone(&clock));
        async move { count(&client, request, &metrics, clock.as_ref()).await }
    });
    Client::new(service.boxed_clone(), namespace)
}

async fn count(client: &Client, request: Request<Body>, metrics: &Metrics, clock: &dyn Clock) -> Result<Response<Body>, kube::Error> {
    let verb = verb(request.method(), request.uri().path(), request.uri().query().unwrap_or_default());
    let resource = resource(request.uri().path());
    let began = clock.now();
    let answer = client.send(request).await;
    let code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
    metrics.request(verb, resource, code, until(began, clock.now()));
    answer
}

/// The parts of an API path: group, and what follows the version and the namespace.
struct Parts<'a> {
    group: &'a str,
    plural: &'a str,
    named: bool,
    subresource: Option<&'a str>,
}

fn parts(path: &str) -> Option<Parts<'_>> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let group = match segments.next()? {
        "api" => "",
        "apis" => segments.next()?,
        _ => return None,
    };
    segments.next()?;
    let rest = segments.collect::<Vec<_>>();
    let rest = match rest.as_slice() {
        // `namespaces/x` alone is the namespace itself, and so are its subresources.
        ["namespaces", _, "status" | "finalize"] => &rest[..],
        ["namespaces", _, plural @ ..] if !plural.is_empty() => &rest[2..],
        all => all,
    };
    Some(Parts { group, plural: rest.first()?, named: rest.len() > 1, subresource: rest.get(2).copied() })
}

/// `deployments.apps/scale`, `pods`; `other` for paths that name no resource.
fn resource(path: &str) -> String {
    let Some(parts) = parts(path) else { return "other".to_owned() };
    let mut text = parts.plural.to_owned();
    for (separator, more) in [(".", parts.group), ("/", parts.subresource.unwrap_or_default())] {
        if !more.is_empty() {
            text = text + separator + more;
        }
    }
    text
}

fn verb(method: &Method, path: &str, query: &str) -> &'static str {
    let named = parts(path).is_some_and(|parts| parts.named);
    let watch = query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1");
    match method.as_str() {
        "GET" if watch => "watch",
        "GET" if named => "get",
        "GET" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if named => "delete",
        "DELETE" => "deletecollection",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_named_without_their_objects() {
        let cases = [
            ("/api/v1/pods", "pods"),
            ("/api/v1/namespaces/a/pods/b", "pods"),
            ("/api/v1/namespaces/a", "namespaces"),
            ("/api/v1/namespaces/a/finalize", "namespaces/finalize"),
            ("/apis/apps/v1/namespaces/a/deployments/b/scale", "deployments.apps/scale"),
            ("/apis/apps/v1/deployments", "deployments.apps"),
            ("/version", "other"),
            ("/apis", "other"),
        ];
        for (path, name) in cases {
            assert_eq!(resource(path), name, "{path}");
        }
    }

    #[test]
    fn verbs_tell_one_object_from_many_and_a_watch_from_a_list() {
        let many = "/apis/apps/v1/namespaces/a/deployments";
        let one = "/apis/apps/v1/namespaces/a/deployments/b";
        assert_eq!(verb(&Method::GET, many, ""), "list");
        assert_eq!(verb(&Method::GET, many, "&watch=true&resourceVersion=5"), "watch");
        assert_eq!(verb(&Method::GET, one, ""), "get");
        assert_eq!(verb(&Method::DELETE, one, ""), "delete");
        assert_eq!(verb(&Method::DELETE, many, ""), "deletecollection");
        assert_eq!(verb(&Method::PATCH, one, "force=false"), "patch");
    }
}
