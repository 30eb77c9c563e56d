//! How many pods a PodDisruptionBudget lets go.
//!
//! Takes the budget's spec and counts; gives the counts of its status. Pure.

use serde_json::Value;

use crate::sim::actors::deployment::bounds::{Rounding, int_or_percent};
use crate::sim::actors::object::at;

/// The counts of a budget's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Pods that the budget is about.
    pub expected: i64,
    /// Pods that must stay healthy.
    pub desired: i64,
    /// Healthy pods.
    pub healthy: i64,
    /// Pods that may be evicted now.
    pub allowed: i64,
}

impl Budget {
    /// `matching` is the number of selected pods, `scale` the sum of what their controllers want.
    ///
    /// 50 % of 7 with 6 healthy: 4 must stay, 2 may go.
    pub fn of(budget: &Value, matching: i64, scale: i64, healthy: i64) -> Self {
        let (expected, desired) = match (at(budget, &["spec", "maxUnavailable"]), at(budget, &["spec", "minAvailable"])) {
            (Some(most), _) => (scale, (scale - int_or_percent(most, scale, Rounding::Up)).max(0)),
            (None, Some(least)) if least.is_string() => (scale, int_or_percent(least, scale, Rounding::Up)),
            (None, least) => (matching, least.and_then(Value::as_i64).unwrap_or(0)),
        };
        let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
        Self { expected, desired, healthy, allowed }
    }

    /// Whether the sum of scales is needed at all: an integer minimum counts the pods themselves.
    pub fn needs_scale(budget: &Value) -> bool {
        at(budget, &["spec", "maxUnavailable"]).is_some() || at(budget, &["spec", "minAvailable"]).is_some_and(Value::is_string)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn budget(spec: Value) -> Value {
        json!({ "spec": spec })
    }

    #[test]
    fn row_50_half_of_seven_with_six_ready_lets_two_go() {
        let counts = Budget::of(&budget(json!({ "minAvailable": "50%" })), 7, 7, 6);
        assert_eq!(counts, Budget { expected: 7, desired: 4, healthy: 6, allowed: 2 });
    }

    #[test]
    fn row_51_at_most_thirty_percent_of_seven_may_be_away() {
        let counts = Budget::of(&budget(json!({ "maxUnavailable": "30%" })), 7, 7, 6);
        assert_eq!(counts, Budget { expected: 7, desired: 4, healthy: 6, allowed: 2 });
    }

    #[test]
    fn row_52_of_three_with_two_ready() {
        let rows = [
            (json!({ "minAvailable": "34%" }), 2, 0),
            (json!({ "maxUnavailable": "10%" }), 2, 0),
            (json!({ "minAvailable": "100%" }), 3, 0),
            (json!({ "minAvailable": 1 }), 1, 1),
            (json!({ "minAvailable": 5 }), 5, 0),
        ];
        for (spec, desired, allowed) in rows {
            let counts = Budget::of(&budget(spec.clone()), 3, 3, 2);
            assert_eq!((counts.desired, counts.allowed), (desired, allowed), "{spec}");
        }
    }

    #[test]
    fn pods_without_a_controller_add_nothing_to_a_percentage() {
        let counts = Budget::of(&budget(json!({ "minAvailable": "50%" })), 3, 0, 3);
        assert_eq!(counts, Budget { expected: 0, desired: 0, healthy: 3, allowed: 0 });
    }
}
