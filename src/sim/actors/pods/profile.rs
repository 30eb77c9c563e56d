//! How pods behave, as data: how long they take to start, and how they fail.
//!
//! A profile describes the pods that its selector takes; the first that matches counts. Pure.

use jiff::SignedDuration;
use serde_json::Value;

use crate::sim::actors::labels::Selector;
use crate::sim::actors::object;
use crate::sim::metrics_api::usage::UsageModel;
use crate::sim::traffic::serving::Serving;

/// The behaviour of the pods that a selector takes.
#[derive(Clone, Debug, PartialEq)]
pub struct PodProfile {
    /// Only pods of this namespace; none: of all.
    pub namespace: Option<String>,
    /// Which pods, by label.
    pub selector: Selector,
    /// How long they take to start.
    pub startup: Startup,
    /// How long containers take to end when asked to; the grace period cuts it short.
    pub shutdown: SignedDuration,
    /// Containers end by themselves, successfully, after so long.
    pub completes_after: Option<SignedDuration>,
    /// How they fail; none: they do not.
    pub failure: Option<Failure>,
    /// How they serve requests.
    pub serving: Serving,
    /// What they use of cpu and memory.
    pub usage: UsageModel,
}

/// How long a pod takes to start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Startup {
    /// Time to pull an image that the node does not have.
    pub pull: SignedDuration,
    /// Time from the start of a container until it can answer: probes fail before. A container without a readiness
    /// probe is ready when it has started, loaded or not, as in any cluster.
    pub load: SignedDuration,
    /// Each time is drawn from its value times 1 - jitter to 1 + jitter; 0 to 1.
    pub jitter: f64,
}

/// How the containers of a pod fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// They run, and never answer a readiness probe (a container without one is unready too).
    NeverReady,
    /// They end so long after each start.
    Crash {
        /// Time from start to end.
        after: SignedDuration,
        /// Exit code, not 0.
        exit_code: i64,
        /// Reason in the status, such as `Error` or `OOMKilled`.
        reason: String,
        /// So many times, then no more; none: always.
        times: Option<u32>,
    },
    /// The image cannot be pulled.
    ImagePull {
        /// What the registry says.
        message: String,
        /// So many times, then it can; none: never.
        times: Option<u32>,
    },
}

impl Default for Startup {
    /// 10 s to pull, 15 s to load, a fifth more or less: a small model on a warm disk.
    fn default() -> Self {
        Self { pull: SignedDuration::from_secs(10), load: SignedDuration::from_secs(15), jitter: 0.2 }
    }
}

impl Default for PodProfile {
    /// All pods, default startup and serving, 1 s to end, no failure.
    fn default() -> Self {
        Self {
            namespace: None,
            selector: Selector::default(),
            startup: Startup::default(),
            shutdown: SignedDuration::from_secs(1),
            completes_after: None,
            failure: None,
            serving: Serving::default(),
            usage: UsageModel::default(),
        }
    }
}

impl PodProfile {
    /// The pods that a label selector takes, with default behaviour.
    pub fn of(selector: &Value) -> Self {
        Self { selector: Selector::of(Some(selector)), ..Self::default() }
    }

    /// The profile is about this pod.
    pub fn describes(&self, pod: &Value) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| namespace == object::namespace(pod)) && self.selector.matches(object::labels(pod))
    }
}

/// `duration` within the jitter; `share` is drawn from 0 to 1.
pub fn jittered(duration: SignedDuration, jitter: f64, share: f64) -> SignedDuration {
    let factor = 1.0 + jitter.clamp(0.0, 1.0) * (2.0 * share - 1.0);
    SignedDuration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
}
