//! What can become of a write, told apart by what to do next.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use crate::runtime::driver::{ReconcileError, Retry};

/// A write that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The object is no longer what was decided on (409, or 422 on its uid): observe again.
    #[error("the object has changed: {0}")]
    Conflict(String),
    /// An unforced apply would take fields from another manager (409): a namesake, or a person who edits our object.
    #[error("fields belong to another manager: {0}")]
    OwnedByOthers(String),
    /// A create found an object of this name.
    #[error("the object exists: {0}")]
    AlreadyExists(String),
    /// The object or its namespace is gone.
    #[error("not found: {0}")]
    NotFound(String),
    /// The API server rejects the content; the same content will be rejected again.
    #[error("rejected: {0}")]
    Invalid(String),
    /// Not allowed: by RBAC, a policy, a quota, or because the namespace is ending.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The API server is busy.
    #[error("too many requests")]
    TooManyRequests {
        /// The delay it asked for.
        retry_after: Option<Duration>,
    },
    /// The API server failed or could not be reached. The write may have happened.
    #[error("the API server is unavailable: {0}")]
    Unavailable(String),
    /// No answer in time. The write may have happened.
    #[error("no answer in time: {0}")]
    Timeout(String),
    /// Anything else.
    #[error("unexpected answer {code}: {message}")]
    Other {
        /// The HTTP code; 0 when the answer could not be read.
        code: u16,
        /// In the server's words.
        message: String,
    },
}

impl WriteError {
    /// The variant as a fixed word, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "Conflict",
            Self::OwnedByOthers(_) => "OwnedByOthers",
            Self::AlreadyExists(_) => "AlreadyExists",
            Self::NotFound(_) => "NotFound",
            Self::Invalid(_) => "Invalid",
            Self::Forbidden(_) => "Forbidden",
            Self::TooManyRequests { .. } => "TooManyRequests",
            Self::Unavailable(_) => "Unavailable",
            Self::Timeout(_) => "Timeout",
            Self::Other { .. } => "Other",
        }
    }

    /// Whether nothing failed, but the world is not as it was seen: the pass should end and look again soon.
    #[must_use]
    pub fn observe_again(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::AlreadyExists(_) | Self::NotFound(_))
    }

    /// Reads an error answer.
    pub(super) fn of(code: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let status = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let message = match status["message"].as_str() {
            Some(message) => message.to_owned(),
            None => String::from_utf8_lossy(body).trim().to_owned(),
        };
        match code {
            409 if status["reason"] == "AlreadyExists" => Self::AlreadyExists(message),
            409 if has_cause(&status, "reason", "FieldManagerConflict") => Self::OwnedByOthers(message),
            409 => Self::Conflict(message),
            422 if has_cause(&status, "field", "metadata.uid") => Self::Conflict(message),
            404 => Self::NotFound(message),
            403 => Self::Forbidden(message),
            429 => Self::TooManyRequests { retry_after: retry_after(headers, &status) },
            // The API server answers an apply with an unknown field so.
            500 if message.starts_with("failed to create typed patch object") => Self::Invalid(message),
            504 | 408 => Self::Timeout(message),
            500..=599 => Self::Unavailable(message),
            400 | 405 | 413 | 415 | 422 => Self::Invalid(message),
            code => Self::Other { code, message },
        }
    }

    /// Reads a request that got no answer.
    pub(super) fn of_client(error: &kube::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<WriteError> for ReconcileError {
    fn from(error: WriteError) -> Self {
        let retry = match &error {
            error if error.observe_again() => Retry::Again,
            WriteError::TooManyRequests { retry_after: Some(delay) } => Retry::After(*delay),
            _ => Retry::Backoff,
        };
        Self { reason: error.reason(), message: error.to_string(), retry }
    }
}

/// The API server names a cause's kind `reason` in its JSON, and its place `field`.
fn has_cause(status: &Value, property: &str, value: &str) -> bool {
    let causes = status.pointer("/details/causes").and_then(Value::as_array);
    causes.into_iter().flatten().any(|cause| cause[property] == value)
}

fn retry_after(headers: &HeaderMap, status: &Value) -> Option<Duration> {
    let header = headers.get(http::header::RETRY_AFTER);
    let header = header.and_then(|value| value.to_str().ok()?.parse().ok());
    let detail = status.pointer("/details/retryAfterSeconds").and_then(Value::as_u64);
    header.or(detail).map(Duration::from_secs)
}
