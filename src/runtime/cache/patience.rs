//! How long the API server asks us to wait, told where kube reads it.
//!
//! A server that has too much to do says so in plain text, with the time in a header; kube keeps neither. Takes a client, gives
//! one whose refusals with a `Retry-After` are a `Status` with the same time in its details. Touches no other answer.

use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use kube::{
    Client,
    client::Body,
    core::{Status, response::StatusDetails},
};
use tower::{ServiceExt, service_fn};

/// The longest wait that is believed.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// The client. Must be called inside of a tokio runtime.
pub(crate) fn patient(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            let answer = client.send(request).await?;
            match asked(&answer) {
                Some(seconds) => told(answer, seconds).await,
                None => Ok(answer),
            }
        }
    });
    Client::new(send.map_err(tower::BoxError::from), namespace)
}

/// How long a refusal asks to wait; at most five minutes.
pub(super) fn wait(status: &Status) -> Duration {
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    Duration::from_secs(seconds.into()).min(WAIT_MAX)
}

fn asked(answer: &Response<Body>) -> Option<u32> {
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status());
    answer.headers().get(header::RETRY_AFTER).filter(|_| busy)?.to_str().ok()?.parse().ok()
}

async fn told(answer: Response<Body>, seconds: u32) -> Result<Response<Body>, kube::Error> {
    let (head, body) = answer.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    let reason = if head.status == StatusCode::TOO_MANY_REQUESTS { "TooManyRequests" } else { "ServiceUnavailable" };
    let mut status =
        serde_json::from_slice::<Status>(&bytes).unwrap_or_else(|_| Status::failure(text.trim(), reason).with_code(head.status.as_u16()));
    let details = status.details.get_or_insert_with(|| StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: 0,
    });
    details.retry_after_seconds = details.retry_after_seconds.max(seconds);
    let body = serde_json::to_vec(&status).map_err(kube::Error::SerdeError)?;
    Ok(Response::from_parts(head, Body::from(body)))
}
