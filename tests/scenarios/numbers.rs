//! The numbers of a scenario: requests that come, how versions serve them, and what is wrong with those who are asked about it.
//!
//! Takes rates, shares and latencies by version; gives metrics that the operator finds through its ordinary metric source, in
//! either arm. Never answers the operator itself.

mod door;
mod http;
mod meter;
mod prometheus;
pub mod real;
pub mod simulated;

/// Where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To `chat` as everybody asks it: through its route if it has one, else to its Service.
    Everybody,
    /// To the preview of `chat`.
    Preview,
}

/// What the metric source is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It knows and tells what happened.
    Sound,
    /// Nobody answers.
    Down,
    /// It knows of no series.
    Empty,
    /// No value is a number.
    NaN,
    /// What it answers breaks off.
    Garbage,
    /// It answers later than anybody waits.
    Slow,
    /// It answers for a time long gone.
    Stale,
}

/// See the module.
pub trait Numbers {
    /// Requests come from now on, each second so many. Said once in a scenario.
    fn requests(&self, streams: &[(To, f64)]);
    /// Pods of `version` fail this share of their requests from now on; nobody does before.
    fn fails(&self, version: &str, share: f64);
    /// Pods of `version` take so many milliseconds from now on, at the median and at the 99th percentile; 30 and 90 before.
    fn latency(&self, version: &str, p50: u64, p99: u64);
    /// The metric source is like this from now on.
    fn source(&self, source: Source);
}
