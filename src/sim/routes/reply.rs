//! Answers: objects, lists, tables and refusals as bytes with headers.

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::negotiate::{Form, Shape};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::WatchId;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case, with values.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Bytes,
}

/// What a request gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A whole answer.
    Whole(Reply),
    /// A stream: status 200, frames go to the sink that was opened for it.
    Watch {
        /// Names the watch in the cluster, for ending it.
        id: WatchId,
        /// Headers.
        headers: Vec<(&'static str, String)>,
    },
    /// The connection breaks (fault injection only).
    Broken,
}

impl Answer {
    /// HTTP status; 0 for a broken connection.
    pub fn status(&self) -> u16 {
        match self {
            Self::Whole(reply) => reply.status,
            Self::Watch { .. } => 200,
            Self::Broken => 0,
        }
    }
}

impl Reply {
    /// Text, as the few answers that are no JSON.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned()), ("x-content-type-options", "nosniff".to_owned())];
        Self { status, headers, body: Bytes::from(body.into()) }
    }

    /// No body at all.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// A value as JSON or YAML, with the trailing newline of the server.
    pub fn value(status: u16, form: Form, value: &impl Serialize) -> Self {
        let body = if form.yaml { to_yaml(value) } else { to_json_line(value) };
        Self {
            status,
            headers: vec![("content-type", form.content_type().to_owned()), ("cache-control", "no-cache, private".to_owned())],
            body,
        }
    }

    /// A refusal.
    pub fn error(error: &ApiError) -> Self {
        let mut reply = if error.plain_text {
            Self::text(error.code, error.message.clone())
        } else {
            Self::value(error.code, Form::JSON, &error.to_json())
        };
        if let Some(seconds) = error.retry_after {
            reply.headers.push(("retry-after", seconds.to_string()));
        }
        reply
    }

    /// Adds `Warning` headers, one per text.
    pub fn with_warnings(mut self, warnings: &[String]) -> Self {
        for warning in warnings {
            let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
            self.headers.push(("warning", format!("299 - \"{quoted}\"")));
        }
        self
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One JSON value and a newline.
pub(super) fn to_json_line(value: &impl Serialize) -> Bytes {
    let mut bytes = serde_json::to_vec(value).unwrap_or_else(|error| json!({ "unwritable": error.to_string() }).to_string().into_bytes());
    bytes.push(b'\n');
    Bytes::from(bytes)
}

fn to_yaml(value: &impl Serialize) -> Bytes {
    Bytes::from(serde_saphyr::to_string(value).unwrap_or_else(|error| format!("# unwritable: {error}\n")))
}

/// An item of a built-in list, without the `kind` and `apiVersion` that the list already says.
struct Untyped<'a>(&'a Value);

impl Serialize for Untyped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(fields) = self.0.as_object() else { return self.0.serialize(serializer) };
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in fields.iter().filter(|(key, _)| *key != "kind" && *key != "apiVersion") {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// A list on its way out.
pub(super) struct ListBody<'a> {
    pub(super) kind: &'a str,
    pub(super) api_version: &'a str,
    pub(super) metadata: Value,
    pub(super) items: Vec<&'a Value>,
    /// Items of built-in kinds go without `kind` and `apiVersion`.
    pub(super) typed_items: bool,
}

impl Serialize for ListBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", self.kind)?;
        map.serialize_entry("apiVersion", self.api_version)?;
        map.serialize_entry("metadata", &self.metadata)?;
        if self.typed_items {
            map.serialize_entry("items", &self.items)?;
        } else {
            map.serialize_entry("items", &self.items.iter().map(|item| Untyped(item)).collect::<Vec<_>>())?;
        }
        map.end()
    }
}

/// Whether an answer that carries this value can have another shape: a `Status` never does.
pub(super) fn shape_of(form: Form, value: &Value) -> Shape {
    if value["kind"] == "Status" && value["apiVersion"] == "v1" { Shape::Plain } else { form.shape }
}
