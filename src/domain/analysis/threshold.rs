//! Thresholds: how many measurements in a row broke a bound.
//!
//! Takes a state and one measurement, gives the next state and what it means. Never counts a measurement twice, and never takes
//! missing data for good or bad: without a value the state stays as it was. The same measurements in the same order give the same
//! state, so that a verdict can be computed again from its record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a metric has to keep to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Least value that is good.
    pub min: Option<f64>,
    /// Greatest value that is good.
    pub max: Option<f64>,
    /// So many breaches in a row fail the metric; 0 counts as 1.
    pub failure_limit: u32,
}

/// What became of one measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measurement {
    /// A number, from enough events.
    Value(f64),
    /// The source works, but too few events happened.
    NotEnough,
    /// No number.
    NoData,
}

/// The last value that counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastValue {
    /// End of its window.
    pub at: Timestamp,
    /// The value; finite.
    pub value: f64,
}

/// How a metric stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Breaches {
    /// Breaches in a row up to the last value; at most the failure limit.
    #[serde(default)]
    pub breaches: u32,
    /// The last value that counted; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastValue>,
}

/// What a state means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No value counted yet.
    Unknown,
    /// The last value was good.
    Good,
    /// The last values broke a bound, not often enough.
    Breached {
        /// Breaches in a row, below the limit.
        breaches: u32,
        /// The failure limit.
        limit: u32,
    },
    /// The bound was broken `failure_limit` times in a row.
    Failed,
}

impl Threshold {
    /// Whether `value` breaks a bound. The bounds themselves are good; NaN is not asked about.
    #[must_use]
    pub fn is_broken_by(&self, value: f64) -> bool {
        self.min.is_some_and(|min| value < min) || self.max.is_some_and(|max| value > max)
    }

    /// The state after the measurement of the window that ends `at`. A window that is not newer than the last that counted changes
    /// nothing: it was seen before a restart.
    #[must_use]
    pub fn observe(&self, state: Breaches, at: Timestamp, measurement: Measurement) -> Breaches {
        let seen = state.last.is_some_and(|last| at <= last.at);
        match measurement {
            Measurement::Value(value) if value.is_finite() && !seen => {
                let breaches = if self.is_broken_by(value) { state.breaches.saturating_add(1).min(self.limit()) } else { 0 };
                Breaches { breaches, last: Some(LastValue { at, value }) }
            }
            Measurement::Value(_) | Measurement::NotEnough | Measurement::NoData => state,
        }
    }

    /// What `state` means under this threshold.
    #[must_use]
    pub fn standing(&self, state: Breaches) -> Standing {
        match state {
            Breaches { last: None, .. } => Standing::Unknown,
            Breaches { breaches: 0, .. } => Standing::Good,
            Breaches { breaches, .. } if breaches < self.limit() => Standing::Breached { breaches, limit: self.limit() },
            Breaches { .. } => Standing::Failed,
        }
    }

    fn limit(&self) -> u32 {
        self.failure_limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPPER: Threshold = Threshold { min: None, max: Some(0.02), failure_limit: 3 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn play(threshold: Threshold, measurements: &[Measurement]) -> Breaches {
        (1..).zip(measurements).fold(Breaches::default(), |state, (second, measurement)| threshold.observe(state, at(second), *measurement))
    }

    #[test]
    fn the_failure_limit_is_reached_by_breaches_in_a_row_only() {
        use Measurement::Value;
        let two = play(UPPER, &[Value(0.03), Value(0.03)]);
        assert_eq!(UPPER.standing(two), Standing::Breached { breaches: 2, limit: 3 });
        assert_eq!(UPPER.standing(play(UPPER, &[Value(0.03), Value(0.03), Value(0.02), Value(0.03), Value(0.03)])), UPPER.standing(two));
        assert_eq!(UPPER.standing(play(UPPER, &[Value(0.03); 3])), Standing::Failed);
        assert_eq!(play(UPPER, &[Value(0.03); 50]).breaches, 3);
    }

    #[test]
    fn missing_data_neither_raises_nor_resets() {
        use Measurement::{NoData, NotEnough, Value};
        let state = play(UPPER, &[Value(0.03), NoData, NotEnough, Value(f64::NAN), Value(f64::INFINITY), Value(0.03)]);
        assert_eq!(UPPER.standing(state), Standing::Breached { breaches: 2, limit: 3 });
        assert_eq!(UPPER.standing(play(UPPER, &[NoData; 10])), Standing::Unknown);
        assert_eq!(UPPER.standing(play(UPPER, &[NotEnough; 10])), Standing::Unknown);
    }

    #[test]
    fn a_window_that_was_seen_before_a_restart_does_not_count_again() {
        let once = UPPER.observe(Breaches::default(), at(60), Measurement::Value(0.5));
        assert_eq!(UPPER.observe(once, at(60), Measurement::Value(0.5)), once);
        assert_eq!(UPPER.observe(once, at(30), Measurement::Value(0.0)), once);
        assert_eq!(UPPER.observe(once, at(61), Measurement::Value(0.5)).breaches, 2);
    }

    #[test]
    fn both_bounds_count_and_the_bounds_themselves_are_good() {
        let band = Threshold { min: Some(10.0), max: Some(20.0), failure_limit: 0 };
        for (value, broken) in [(9.9, true), (10.0, false), (20.0, false), (20.1, true)] {
            assert_eq!(band.is_broken_by(value), broken, "{value}");
        }
        assert_eq!(band.standing(play(band, &[Measurement::Value(9.0)])), Standing::Failed, "a limit of 0 counts as 1");
    }

    #[test]
    fn a_state_survives_being_stored() {
        let state = play(UPPER, &[Measurement::Value(0.1)]);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<Breaches>(&text).unwrap(), state);
    }
}
