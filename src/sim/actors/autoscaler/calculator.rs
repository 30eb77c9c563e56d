//! How many replicas one metric asks for: the arithmetic of the horizontal autoscaler.
//!
//! Takes samples of pods, or one value, with targets and tolerances; gives replicas and what the status shows. Amounts are in
//! thousandths. Pods without a sample and pods that are not ready make a change smaller, never larger: they count as idle when
//! the others ask for more, and as fully used when the others ask for less. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::pods::{Groups, NO_PODS, Sample, count_ready};

/// No sample of a pod that counts.
pub const UNREADY: &str = "did not receive metrics for targeted pods (pods might be unready)";

/// Ratios that are as good as 1: not more than so much below or above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Below 1.
    pub down: f64,
    /// Above 1.
    pub up: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { down: 0.1, up: 0.1 }
    }
}

impl Tolerance {
    fn covers(self, ratio: f64) -> bool {
        (1.0 - self.down) <= ratio && ratio <= (1.0 + self.up)
    }
}

/// What a metric asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Replicas.
    pub replicas: i64,
    /// The value that the status shows, in thousandths: a mean over pods, or the whole.
    pub value: i64,
    /// Percent of requests, where that is the target.
    pub utilization: Option<i64>,
}

/// Samples by the name of the pod.
pub type Samples = BTreeMap<String, Sample>;

/// A target that every pod has for itself.
#[derive(Clone, Copy, Debug)]
pub enum PodTarget<'a> {
    /// Percent of the pods' requests, which are in thousandths by pod.
    Utilization(i64, &'a BTreeMap<String, i64>),
    /// A mean.
    Average(i64),
}

/// Usage over the target, with percent (if that is the target) and mean.
struct Ratio {
    ratio: f64,
    utilization: Option<i64>,
    mean: i64,
}

impl PodTarget<'_> {
    fn ratio(&self, samples: &Samples) -> Result<Ratio, String> {
        match self {
            Self::Average(target) => {
                let mean = samples.values().map(|sample| sample.millis).sum::<i64>() / samples.len() as i64;
                Ok(Ratio { ratio: mean as f64 / *target as f64, utilization: None, mean })
            }
            Self::Utilization(target, requests) => {
                let known: Vec<(i64, i64)> =
                    samples.iter().filter_map(|(pod, sample)| Some((sample.millis, *requests.get(pod)?))).collect();
                let (used, asked) = known.iter().fold((0, 0), |(used, asked), one| (used + one.0, asked + one.1));
                if asked == 0 {
                    return Err("no metrics returned matched known pods".to_owned());
                }
                let percent = used * 100 / asked;
                Ok(Ratio { ratio: percent as f64 / *target as f64, utilization: Some(percent), mean: used / known.len() as i64 })
            }
        }
    }

    /// What a pod without a sample is taken for when the others ask for less.
    fn fully_used(&self, pod: &str) -> i64 {
        match self {
            Self::Average(target) => *target,
            Self::Utilization(target, requests) => requests.get(pod).copied().unwrap_or(0) * (*target).max(100) / 100,
        }
    }
}

/// Replicas for a target per pod. `samples` has those of ready pods only.
///
/// # Errors
/// No sample is left, or none of a pod with a request.
pub fn by_pods(
    current: i64,
    target: &PodTarget<'_>,
    groups: &Groups,
    mut samples: Samples,
    tolerance: Tolerance,
) -> Result<Proposal, String> {
    if samples.is_empty() {
        return Err(UNREADY.to_owned());
    }
    let Ratio { ratio, utilization, mean } = target.ratio(&samples)?;
    let proposal = |replicas: i64| Proposal { replicas, value: mean, utilization };
    let unready_count = !groups.unready.is_empty() && ratio > 1.0;
    if !unready_count && groups.missing.is_empty() {
        let replicas = if tolerance.covers(ratio) { current } else { ceil(ratio * groups.ready as f64) };
        return Ok(proposal(replicas));
    }
    let idle = |millis: i64| Sample { millis, ..Sample::default() };
    for pod in &groups.missing {
        if ratio < 1.0 {
            samples.insert(pod.clone(), idle(target.fully_used(pod)));
        } else if ratio > 1.0 {
            samples.insert(pod.clone(), idle(0));
        }
    }
    if unready_count {
        samples.extend(groups.unready.iter().map(|pod| (pod.clone(), idle(0))));
    }
    let second = target.ratio(&samples)?.ratio;
    let turned = (ratio < 1.0 && second > 1.0) || (ratio > 1.0 && second < 1.0);
    if tolerance.covers(second) || turned {
        return Ok(proposal(current));
    }
    let replicas = ceil(second * samples.len() as f64);
    let against = (second < 1.0 && replicas > current) || (second > 1.0 && replicas < current);
    Ok(proposal(if against { current } else { replicas }))
}

/// Replicas for a value that is compared as a whole.
///
/// # Errors
/// There are no pods to multiply.
pub fn by_value(current: i64, value: i64, target: i64, pods: &[Arc<Value>], tolerance: Tolerance) -> Result<Proposal, String> {
    let ratio = value as f64 / target as f64;
    let replicas = match current {
        0 => ceil(ratio),
        _ if tolerance.covers(ratio) => current,
        _ if pods.is_empty() => return Err(format!("unable to calculate ready pods: {NO_PODS}")),
        _ => ceil(ratio * count_ready(pods) as f64),
    };
    Ok(Proposal { replicas, value, utilization: None })
}

/// Replicas for a value that is shared by the pods; `running` is the target's `status.replicas`.
pub fn by_share(running: i64, value: i64, target: i64, tolerance: Tolerance) -> Proposal {
    let ratio = value as f64 / (target as f64 * running as f64);
    let replicas = if tolerance.covers(ratio) { running } else { ceil(value as f64 / target as f64) };
    let share = (value as f64 / running as f64).ceil();
    // No pods yet: the real controller turns the infinite share into the smallest number that there is, and shows it.
    let share = if share.is_finite() { share as i64 } else { i64::MIN };
    Proposal { replicas, value: share, utilization: None }
}

/// Rounded up, within what a replica count can be.
fn ceil(replicas: f64) -> i64 {
    (replicas.ceil() as i64).min(i64::from(i32::MAX))
}
