//! How many pods a Deployment may have at once, and how many of them may be missing.
//!
//! Takes the Deployment's spec; gives the resolved numbers. Pure.

use serde_json::Value;

use crate::sim::actors::object::{at, count, int, text};

/// Resolved size limits of a Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Wanted pods.
    pub replicas: i64,
    /// Pods allowed above `replicas`.
    pub surge: i64,
    /// Pods that may be unavailable.
    pub unavailable: i64,
    /// The strategy is RollingUpdate (else Recreate).
    pub rolling: bool,
}

impl Bounds {
    /// Resolves the strategy of a Deployment: surge rounds up, unavailable down, both zero give one unavailable.
    ///
    /// 10 replicas at 25 %/25 %: surge 3, unavailable 2. 1 replica: surge 1, unavailable 0.
    pub fn of(deployment: &Value) -> Self {
        let replicas = int(deployment, &["spec", "replicas"]).unwrap_or(1);
        if text(deployment, &["spec", "strategy", "type"]) == "Recreate" {
            return Self { replicas, surge: 0, unavailable: 0, rolling: false };
        }
        let field = |name| at(deployment, &["spec", "strategy", "rollingUpdate", name]);
        let surge = resolve(field("maxSurge"), replicas, Rounding::Up);
        let mut unavailable = resolve(field("maxUnavailable"), replicas, Rounding::Down);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self { replicas, surge, unavailable: unavailable.min(replicas), rolling: true }
    }

    /// The most pods that may exist.
    pub fn most(&self) -> i64 {
        self.replicas + self.surge
    }

    /// The fewest pods that must be available.
    pub fn least(&self) -> i64 {
        self.replicas - self.unavailable
    }
}

/// Seconds until a rollout without progress has failed; none when the Deployment has no deadline.
pub fn progress_deadline(deployment: &Value) -> Option<i64> {
    int(deployment, &["spec", "progressDeadlineSeconds"]).filter(|seconds| *seconds != i64::from(i32::MAX))
}

/// `spec.minReadySeconds`.
pub fn min_ready_seconds(object: &Value) -> i64 {
    count(object, &["spec", "minReadySeconds"])
}

/// Which way a percentage that is not whole goes.
#[derive(Clone, Copy)]
pub enum Rounding {
    /// To the next whole number.
    Up,
    /// To the previous whole number.
    Down,
}

/// An int-or-percent of `total`; absent is the API server's default of 25 %.
fn resolve(value: Option<&Value>, total: i64, rounding: Rounding) -> i64 {
    match value {
        None | Some(Value::Null) => percent_of(25, total, rounding),
        Some(value) => int_or_percent(value, total, rounding),
    }
}

/// An int-or-percent of `total`. Text that is no percentage counts as 0: the API server does not let it through.
pub fn int_or_percent(value: &Value, total: i64, rounding: Rounding) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|digits| digits.parse().ok());
    percent.map_or(0, |percent: i64| percent_of(percent, total, rounding))
}

fn percent_of(percent: i64, total: i64, rounding: Rounding) -> i64 {
    let hundredths = percent * total;
    match rounding {
        Rounding::Up => (hundredths + 99).div_euclid(100),
        Rounding::Down => hundredths.div_euclid(100),
    }
}
