//! What a controller is to the driver.

use std::{future::Future, time::Duration};

use jiff::Timestamp;

use crate::runtime::{key::ObjectKey, queue::Verdict};

/// Brings one object closer to what it should be, one pass at a time.
pub trait Reconciler: Send + Sync + 'static {
    /// The kind, for logs and metrics.
    const KIND: &'static str;

    /// Does one pass over the object of this key, which may be gone. Passes of different objects overlap, those of one object
    /// never. It may be dropped wherever it waits, like in a crash.
    fn reconcile(&self, key: ObjectKey) -> impl Future<Output = Result<Next, ReconcileError>> + Send;
}

/// What a pass wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing until something changes.
    AwaitChange,
    /// A pass at this time at the latest. A time that has passed means soon (200 ms).
    At(Timestamp),
}

/// When a failed pass is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After the object's backoff.
    Backoff,
    /// Soon: nothing failed, what was decided on had changed.
    Again,
    /// After the object's backoff, but no sooner than the server asked for.
    After(Duration),
}

/// Why a pass failed. Waiting is not a failure: it is [`Next`], with its reason in status.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ReconcileError {
    /// A fixed word, for the metric.
    pub reason: &'static str,
    /// In plain words, for the log.
    pub message: String,
    /// When to try again.
    pub retry: Retry,
}

impl ReconcileError {
    /// A failure that backs off.
    #[must_use]
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry: Retry::Backoff }
    }

    /// What was decided on had changed: look again.
    #[must_use]
    pub fn again(reason: &'static str, message: impl Into<String>) -> Self {
        Self { retry: Retry::Again, ..Self::new(reason, message) }
    }
}

impl From<Next> for Verdict {
    fn from(next: Next) -> Self {
        match next {
            Next::AwaitChange => Self::Done,
            Next::At(due) => Self::DoneUntil(due),
        }
    }
}

impl From<Retry> for Verdict {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::Backoff => Self::Failed { after: None },
            Retry::Again => Self::Again,
            Retry::After(delay) => Self::Failed { after: Some(delay) },
        }
    }
}
