//! A bound on how many requests one process sends.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Request;
use kube::{Client, client::Body};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// A client that sends through `client`, at most `per_second` requests in each second that begins with a request. What is
/// beyond waits in the order of arrival; nothing is refused. A watch counts once, when it is opened.
///
/// Must be called inside of a tokio runtime.
#[must_use]
pub fn limited(client: Client, per_second: NonZeroU32) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move { client.send(request).await }
    });
    let service = ServiceBuilder::new().rate_limit(u64::from(per_second.get()), Duration::from_secs(1)).service(send);
    Client::new(service.map_err(tower::BoxError::from), namespace)
}
