//! How a pod serves requests, as data.
//!
//! Every default is a small model on one GPU behind a plain HTTP server. Pure.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::latency::LogNormal;

/// Whose names a pod's metrics have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// OpenTelemetry's semantic conventions for HTTP servers.
    #[default]
    OpenTelemetry,
    /// vLLM.
    Vllm,
    /// NVIDIA Triton.
    Triton,
}

/// Two quantiles of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// The median.
    pub p50: SignedDuration,
    /// The 99th percentile, not below the median.
    pub p99: SignedDuration,
}

impl Quantiles {
    /// The log-normal duration with these quantiles.
    pub fn distribution(&self) -> LogNormal {
        LogNormal::of(self.p50.as_secs_f64(), self.p99.as_secs_f64())
    }
}

/// How a pod serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Serving {
    /// Requests that are worked on at the same time.
    pub concurrency: u32,
    /// Requests that may wait; one more is refused with 503.
    pub queue: u32,
    /// How long a request is worked on, alone.
    pub latency: Quantiles,
    /// Share of requests that end in status 500.
    pub error_rate: f64,
    /// Of vLLM, time to the first token without waiting; none: a quarter of `latency`.
    pub first_token: Option<Quantiles>,
    /// Of vLLM, tokens of an answer, at least 2.
    pub output_tokens: u32,
    /// Share of answered requests after which a counter of this name goes up.
    pub outcomes: BTreeMap<String, f64>,
    /// The names of its metrics.
    pub metrics: Flavour,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            concurrency: 8,
            queue: 64,
            latency: Quantiles { p50: SignedDuration::from_millis(120), p99: SignedDuration::from_millis(480) },
            error_rate: 0.001,
            first_token: None,
            output_tokens: 128,
            outcomes: BTreeMap::new(),
            metrics: Flavour::OpenTelemetry,
        }
    }
}

impl Serving {
    /// Time to the first token.
    pub fn first_token(&self) -> Quantiles {
        self.first_token.unwrap_or(Quantiles { p50: self.latency.p50 / 4, p99: self.latency.p99 / 4 })
    }

    /// Time from one token to the next, from the medians; half as long again at the 99th percentile.
    pub fn between_tokens(&self) -> LogNormal {
        let rest = (self.latency.p50 - self.first_token().p50).as_secs_f64().max(1e-4);
        let each = rest / f64::from(self.output_tokens.max(2) - 1);
        LogNormal::of(each, 1.5 * each)
    }
}
