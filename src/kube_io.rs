//! The only writer: every change of the cluster goes through here.
//!
//! Takes objects and patches as JSON, with the state they were decided on; gives what the API server made of them, or a
//! [`WriteError`] that says what to do next. The answer to a write enters the caches before the write returns, so that no
//! later pass acts on a state older than our own last write (R08).
//!
//! Nothing is written unconditionally: an update carries a resourceVersion or is a server-side apply (I23), and an apply to
//! an object that was seen carries the uid and resourceVersion it was decided on. Nothing is retried here: a request is sent
//! once, and what went wrong is for the pass, which observes again after its backoff. Clients must therefore be built
//! without kube's own retries (`Config::default_retry = false`; `Client::new` has none): they repeat creates, and hide from
//! the queue's backoff and brake what really happens. The simulated and the real cluster then see the same requests.

mod error;
pub mod events;
pub mod limit;
mod request;
pub mod writer;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod tests;

pub use self::{
    error::WriteError,
    writer::{Ownership, Precondition, Propagation, Target, Writer},
};

/// The name under which all fields of ours are owned.
pub const FIELD_MANAGER: &str = "modelward";
