//! The status of an autoscaler: read, changed and written as one value, so that an equal one is not written.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sim::actors::conditions::{Condition, set_in_place};
use crate::sim::actors::object::{at, count, items};

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    current: i64,
    /// What was wanted when it was last decided.
    pub desired: i64,
    last_scale: Value,
    metrics: Vec<Value>,
    conditions: Vec<Value>,
}

impl Status {
    /// As it is stored.
    pub fn of(autoscaler: &Value) -> Self {
        Self {
            current: count(autoscaler, &["status", "currentReplicas"]),
            desired: count(autoscaler, &["status", "desiredReplicas"]),
            last_scale: at(autoscaler, &["status", "lastScaleTime"]).cloned().unwrap_or(Value::Null),
            metrics: items(autoscaler, &["status", "currentMetrics"]).to_vec(),
            conditions: items(autoscaler, &["status", "conditions"]).to_vec(),
        }
    }

    /// Sets a condition.
    pub fn say(&mut self, kind: &'static str, holds: bool, reason: &str, message: &str, now: Timestamp) {
        let condition = Condition::new(kind, if holds { "True" } else { "False" }, reason, message);
        set_in_place(&mut self.conditions, &condition, None, now);
    }

    /// Sets everything but conditions; `scaled` says when, if the target was scaled.
    pub fn set(&mut self, current: i64, desired: i64, metrics: Vec<Value>, scaled: Option<String>) {
        (self.current, self.desired, self.metrics) = (current, desired, metrics);
        if let Some(at) = scaled {
            self.last_scale = json!(at);
        }
    }

    /// The wire form.
    pub fn to_json(&self) -> Value {
        let metrics = if self.metrics.is_empty() { Value::Null } else { json!(self.metrics) };
        let mut status = json!({ "desiredReplicas": self.desired, "currentMetrics": metrics });
        let present = [
            ("currentReplicas", json!(self.current), self.current != 0),
            ("lastScaleTime", self.last_scale.clone(), !self.last_scale.is_null()),
            ("conditions", json!(self.conditions), !self.conditions.is_empty()),
        ];
        for (field, value, _) in present.into_iter().filter(|(_, _, present)| *present) {
            status[field] = value;
        }
        status
    }
}
