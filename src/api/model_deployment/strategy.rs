//! How a new version takes over.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;
use crate::api::schema;

/// How long a step is held when it says nothing.
pub const DEFAULT_HOLD: Duration = Duration::from_secs(600);
/// Weights of the steps of a canary that names none.
pub const DEFAULT_STEP_WEIGHTS: [i32; 2] = [10, 50];

/// How a new version takes over.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.canary) || self.type == 'Canary'")
        .message("canary is only for type Canary: set strategy.type to Canary, or remove strategy.canary")
)]
pub struct Strategy {
    /// Immediate: all new pods, then all traffic. Canary: traffic moves in steps.
    #[serde(default)]
    pub r#type: StrategyType,

    /// How many pods there may be above `replicas` during a release: a number, or a percent of `replicas` (rounded up, at least 1).
    /// Default 100%: the old version keeps its full size until the new one has all traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::surge")]
    pub max_surge: Option<IntOrString>,

    /// The steps, for type Canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
}

/// The ways a new version can take over.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrategyType {
    /// All new pods, then all traffic.
    #[default]
    Immediate,
    /// Traffic moves in steps.
    Canary,
}

/// The steps of a canary.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// Steps with rising weights, at most 50. Default: 10 percent, then 50 percent, ten minutes each. After the last one comes 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(
        validation = Rule::new("self.map(step, step.weight).isSorted() && self.all(step, self.exists_one(other, other.weight == step.weight))")
            .message("weights must rise from step to step: sort the steps by weight and name each weight once")
    )]
    pub steps: Vec<Step>,

    /// Whether the new version gets all traffic by itself after the last step; false waits for the command promote. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_promote: Option<bool>,
}

/// One step of a canary.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.holdFor) && has(self.holdUntil))")
        .message("a step has holdFor or holdUntil, not both: remove one")
)]
pub struct Step {
    /// Percent of the traffic that the new version takes in this step, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub weight: i32,

    /// How long the step is held once its weight is applied. Default 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_for: Option<Duration>,

    /// Held until somebody says `promote`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_until: Option<HoldUntil>,
}

/// `Promoted`: held until the command `promote` or `promote-full`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldUntil {
    /// The command `promote` or `promote-full`.
    Promoted,
}

impl Strategy {
    /// The steps to take before all traffic moves, with defaults filled in; none for `Immediate`.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        if self.r#type == StrategyType::Immediate {
            return Vec::new();
        }
        match &self.canary {
            Some(canary) if !canary.steps.is_empty() => canary.steps.clone(),
            _ => DEFAULT_STEP_WEIGHTS.map(|weight| Step { weight, ..Step::default() }).to_vec(),
        }
    }

    /// Whether the last step is followed by 100 percent without a command.
    #[must_use]
    pub fn auto_promote(&self) -> bool {
        self.canary.as_ref().and_then(|canary| canary.auto_promote).unwrap_or(true)
    }

    /// `maxSurge` with the default filled in.
    #[must_use]
    pub fn max_surge(&self) -> IntOrString {
        self.max_surge.clone().unwrap_or_else(|| IntOrString::String("100%".to_owned()))
    }
}

impl Step {
    /// How long the step is held; nothing when it waits for a command.
    #[must_use]
    pub fn hold(&self) -> Option<Duration> {
        match self.hold_until {
            Some(HoldUntil::Promoted) => None,
            None => Some(self.hold_for.unwrap_or(DEFAULT_HOLD)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Canary, DEFAULT_HOLD, HoldUntil, Step, Strategy, StrategyType};
    use crate::api::Duration;

    fn canary(canary: Option<Canary>) -> Strategy {
        Strategy { r#type: StrategyType::Canary, canary, ..Strategy::default() }
    }

    #[test]
    fn a_canary_without_steps_takes_10_then_50_percent_ten_minutes_each() {
        for strategy in [canary(None), canary(Some(Canary::default()))] {
            let steps: Vec<_> = strategy.steps().iter().map(|step| (step.weight, step.hold())).collect();
            assert_eq!(steps, [(10, Some(Duration::from_secs(600))), (50, Some(Duration::from_secs(600)))]);
            assert!(strategy.auto_promote());
        }
    }

    #[test]
    fn an_immediate_strategy_has_no_steps() {
        assert_eq!(Strategy::default().steps(), []);
    }

    #[test]
    fn a_step_that_waits_for_promotion_has_no_end_of_its_own() {
        let waits = Step { weight: 5, hold_for: None, hold_until: Some(HoldUntil::Promoted) };
        assert_eq!(waits.hold(), None);
        assert_eq!(Step { weight: 5, ..Step::default() }.hold(), Some(DEFAULT_HOLD));
        let short = Step { weight: 5, hold_for: Some(Duration::from_secs(0)), hold_until: None };
        assert_eq!(short.hold(), Some(Duration::from_secs(0)));
    }
}
