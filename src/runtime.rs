//! The machinery below the controllers: clock, watch caches, ordered queue, driver, telemetry, probes.
//!
//! Takes a [`kube::Client`], the caches' projections and the reconcilers; gives passes over object keys, at most one per
//! object at a time. It knows no kind of Modelward, never writes to the cluster (that is [`crate::kube_io`]), never reads
//! the wall clock but in [`clock::SystemClock`], and draws nothing at random: with the same requests answered in the same
//! order it behaves the same, on one thread with tokio's paused clock as on many in production.
//!
//! ```text
//!  API server --watch--> cache --listener--> queue --driver--> Reconciler --kube_io::Writer--> API server
//!                          ^                                                    |
//!                          +----------------- response of our own write --------+
//! ```
//!
//! Channels of `tokio::sync::watch` and unbiased selects are absent on purpose: both draw from a thread's random numbers.

pub mod cache;
pub mod clock;
pub mod driver;
pub mod intern;
pub mod key;
pub mod pass;
pub mod probes;
pub mod queue;
pub mod telemetry;

#[cfg(test)]
pub(crate) mod fake;
