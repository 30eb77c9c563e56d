//! How a new version takes over.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;
use crate::api::schema;

/// How long a step is held when it says nothing.
pub const DEFAULT_HOLD: Duration = Duration::from_secs(600);
/// How long a replaced version keeps its pods when nothing is said.
pub const DEFAULT_SCALE_DOWN_DELAY: Duration = Duration::from_secs(30);
/// Weights of the steps of a canary that names none.
pub const DEFAULT_STEP_WEIGHTS: [i32; 2] = [10, 50];

/// How a new version takes over.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.canary) || self.type == 'Canary'")
        .message("canary is only for type Canary: set strategy.type to Canary, or remove strategy.canary"),
    validation = Rule::new("!has(self.blueGreen) || self.type == 'BlueGreen'")
        .message("blueGreen is only for type BlueGreen: set strategy.type to BlueGreen, or remove strategy.blueGreen"),
    validation = Rule::new("self.type != 'BlueGreen' || !has(self.maxSurge) || string(self.maxSurge) == '100%'")
        .message("blue/green needs room for all pods of both versions: remove strategy.maxSurge, or choose type Canary")
)]
pub struct Strategy {
    /// Immediate: all new pods, then all traffic. Canary: traffic moves in steps. BlueGreen: all new pods, without traffic, until a
    /// person or the clock switches everything at once.
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

    /// When to switch, for type BlueGreen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<BlueGreen>,

    /// How long the replaced version keeps its pods once it has no traffic, so that going back to it is quick. At least `traffic.drain`;
    /// ends early when the next release begins. Default 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down_delay: Option<Duration>,
}

/// The ways a new version can take over.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrategyType {
    /// All new pods, then all traffic.
    #[default]
    Immediate,
    /// Traffic moves in steps.
    Canary,
    /// All new pods without traffic, then all traffic at once.
    BlueGreen,
}

/// When the new version of a blue/green release gets the traffic.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.holdFor) || (has(self.autoPromote) && self.autoPromote)")
        .message("holdFor is how long a preview lasts that promotes itself: set autoPromote to true, or remove holdFor")
)]
pub struct BlueGreen {
    /// Whether the new version gets the traffic by itself after `holdFor`; false waits for the command promote. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_promote: Option<bool>,

    /// How long the new version is previewed, with all its pods ready, before it promotes itself. Default 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_for: Option<Duration>,
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
    /// The steps to take before all traffic moves, with defaults filled in; none for `Immediate`, a preview of weight 0 for
    /// `BlueGreen`.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        match (self.r#type, &self.canary) {
            (StrategyType::Immediate, _) => Vec::new(),
            (StrategyType::BlueGreen, _) => vec![self.preview()],
            (StrategyType::Canary, Some(canary)) if !canary.steps.is_empty() => canary.steps.clone(),
            (StrategyType::Canary, _) => DEFAULT_STEP_WEIGHTS.map(|weight| Step { weight, ..Step::default() }).to_vec(),
        }
    }

    fn preview(&self) -> Step {
        let hold_for = self.blue_green.as_ref().and_then(|given| given.hold_for);
        let hold_until = (!self.auto_promote()).then_some(HoldUntil::Promoted);
        Step { weight: 0, hold_for, hold_until }
    }

    /// Whether the last step is followed by 100 percent without a command.
    #[must_use]
    pub fn auto_promote(&self) -> bool {
        match self.r#type {
            StrategyType::BlueGreen => self.blue_green.as_ref().and_then(|given| given.auto_promote).unwrap_or(false),
            StrategyType::Immediate | StrategyType::Canary => self.canary.as_ref().and_then(|given| given.auto_promote).unwrap_or(true),
        }
    }

    /// `scaleDownDelay` with the default filled in.
    #[must_use]
    pub fn scale_down_delay(&self) -> Duration {
        self.scale_down_delay.unwrap_or(DEFAULT_SCALE_DOWN_DELAY)
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
    use super::{BlueGreen, Canary, DEFAULT_HOLD, HoldUntil, Step, Strategy, StrategyType};
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
    fn a_blue_green_release_is_a_preview_that_waits_unless_it_promotes_itself() {
        let waits = Strategy { r#type: StrategyType::BlueGreen, ..Strategy::default() };
        assert_eq!(waits.steps().iter().map(|step| (step.weight, step.hold())).collect::<Vec<_>>(), [(0, None)]);
        assert!(!waits.auto_promote());
        let given = |hold_for| Some(BlueGreen { auto_promote: Some(true), hold_for });
        let promotes = Strategy { blue_green: given(None), ..waits.clone() };
        assert_eq!(promotes.steps()[0].hold(), Some(DEFAULT_HOLD));
        let soon = Strategy { blue_green: given(Some(Duration::from_secs(60))), ..waits };
        assert_eq!(soon.steps()[0].hold(), Some(Duration::from_secs(60)));
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
