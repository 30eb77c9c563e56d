//! Builds requests and reads answers. Sends each once, and waits no longer than the API server itself would.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use kube::{Client, client::Body, core::ApiResource};
use serde_json::Value;
use tokio::time::timeout;

use super::WriteError;
use crate::runtime::{cache::collection_path, key::ObjectKey};

/// The API server gives up after 60 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);

/// How a body changes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Json,
    Apply,
    MergePatch,
    JsonPatch,
}

impl Content {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            // YAML by name; JSON is YAML.
            Self::Apply => "application/apply-patch+yaml",
            Self::MergePatch => "application/merge-patch+json",
            Self::JsonPatch => "application/json-patch+json",
        }
    }
}

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<(Content, Value)>,
}

impl Call {
    /// Sends the request once and returns the answer's JSON.
    pub(super) async fn send(self, client: &Client) -> Result<Value, WriteError> {
        let what = format!("{} {}", self.method, self.path);
        let request = self.request()?;
        match timeout(REQUEST_TIMEOUT, exchange(client, request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(WriteError::Timeout(what)),
        }
    }

    fn request(self) -> Result<Request<Body>, WriteError> {
        let query = self.query.iter().map(|(name, value)| format!("{name}={value}"));
        let query = query.collect::<Vec<_>>().join("&");
        let uri = if query.is_empty() { self.path } else { format!("{}?{query}", self.path) };
        let builder = Request::builder().method(self.method).uri(uri).header(header::ACCEPT, "application/json");
        let request = match self.body {
            Some((content, body)) => {
                builder.header(header::CONTENT_TYPE, content.media_type()).body(Body::from(body.to_string().into_bytes()))
            }
            None => builder.body(Body::empty()),
        };
        request.map_err(|error| WriteError::Invalid(format!("the request cannot be built: {error}")))
    }
}

/// The path of one object.
pub(super) fn object_path(resource: &ApiResource, key: &ObjectKey) -> String {
    format!("{}/{}", kind_path(resource, key), key.name)
}

/// The path of the objects beside `key`.
pub(super) fn kind_path(resource: &ApiResource, key: &ObjectKey) -> String {
    let namespace = (!key.namespace.is_empty()).then_some(&*key.namespace);
    collection_path(resource, namespace)
}

async fn exchange(client: &Client, request: Request<Body>) -> Result<Value, WriteError> {
    let answer = client.send(request).await.map_err(|error| WriteError::of_client(&error))?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| WriteError::of_client(&error))?.to_bytes();
    for warning in head.headers.get_all(header::WARNING) {
        tracing::warn!(warning = warning.to_str().unwrap_or_default(), "the API server warns");
    }
    if head.status.is_client_error() || head.status.is_server_error() {
        return Err(WriteError::of(head.status.as_u16(), &head.headers, &body));
    }
    serde_json::from_slice(&body).map_err(|error| unreadable(head.status, &error))
}

fn unreadable(status: StatusCode, error: &serde_json::Error) -> WriteError {
    WriteError::Other { code: status.as_u16(), message: format!("the answer is no JSON: {error}") }
}
