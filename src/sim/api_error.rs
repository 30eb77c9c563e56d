//! What the API server answers when it refuses: a `Status` object, or in a few places plain text.
//!
//! Takes code, reason, message and details; gives the JSON body. Never decides whether something is refused.

use serde_json::{Value, json};

/// A refusal, as it goes over the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason such as `NotFound`; empty where the real server sends none.
    pub reason: &'static str,
    /// Sentence for people.
    pub message: String,
    /// `Some(object)` where the real server sends `details` (possibly empty), `None` where it sends none.
    pub details: Option<Value>,
    /// The body is the bare message as `text/plain`, not a `Status`.
    pub plain_text: bool,
    /// Seconds for the `Retry-After` header.
    pub retry_after: Option<u32>,
    /// `metadata.continue`: how to go on after a list whose revision is gone.
    pub continue_token: Option<String>,
}

/// One entry of `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// For example `FieldValueInvalid`.
    pub reason: &'static str,
    /// Text for people, without the path.
    pub message: String,
    /// Path of the field, for example `spec.ports[0].port`; `<nil>` for the object as a whole.
    pub field: String,
}

impl Cause {
    /// A cause from its three parts.
    pub fn new(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: field.into() }
    }

    /// The wire form.
    pub fn to_json(&self) -> Value {
        let mut cause = json!({ "reason": self.reason, "message": self.message });
        if !self.field.is_empty() {
            cause["field"] = json!(self.field);
        }
        cause
    }
}

impl ApiError {
    /// A `Status` failure without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, plain_text: false, retry_after: None, continue_token: None }
    }

    /// A plain-text answer, as the server gives for unknown custom groups.
    pub fn text(code: u16, message: impl Into<String>) -> Self {
        Self { plain_text: true, ..Self::new(code, "", message) }
    }

    /// Adds the `details` object.
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Adds a `Retry-After`, in seconds, to header and details.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        let details = self.details.get_or_insert_with(|| json!({}));
        details["retryAfterSeconds"] = json!(seconds);
        self
    }

    /// 400 with reason `BadRequest`.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 422 `Kind.group "name" is invalid: ...` with its causes; `kind_group` is `Kind` or `Kind.group`.
    ///
    /// A path that occurs in several causes with the same text is said once in the message.
    pub fn invalid(kind: &str, group: &str, name: &str, causes: &[Cause]) -> Self {
        let kind_group = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut lines: Vec<String> = Vec::new();
        for cause in causes {
            let line = format!("{}: {}", cause.field, cause.message);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let what = match lines.as_slice() {
            [single] => single.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let mut details = json!({ "causes": causes.iter().map(Cause::to_json).collect::<Vec<_>>() });
        if !kind.is_empty() {
            details["kind"] = json!(kind);
        }
        if !name.is_empty() {
            details["name"] = json!(name);
        }
        if !group.is_empty() {
            details["group"] = json!(group);
        }
        Self::new(422, "Invalid", format!("{kind_group} \"{name}\" is invalid: {what}")).with_details(details)
    }

    /// The body that the server sends.
    pub fn to_json(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        if let Some(token) = &self.continue_token {
            status["metadata"]["continue"] = json!(token);
        }
        status
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}: {}", self.code, self.reason, self.message)
    }
}

impl std::error::Error for ApiError {}
