//! The status of a ScaledObject, edited field by field.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::reference;
use super::trigger::Trigger;
use crate::sim::actors::object::{at, text, time};
use crate::sim::kinds::Kinds;

/// See the module.
#[derive(Clone, Debug)]
pub struct Status(Value);

impl Status {
    /// As it is stored.
    pub fn of(scaled: &Value) -> Self {
        let stored = scaled.get("status").filter(|status| status.is_object());
        Self(stored.cloned().unwrap_or_else(|| json!({})))
    }

    /// The wire form.
    pub fn to_json(&self) -> Value {
        self.0.clone()
    }

    /// Sets a condition; KEDA's have no times.
    pub fn say(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let mut condition = json!({ "type": kind, "status": status });
        for (field, value) in [("reason", reason), ("message", message)] {
            if !value.is_empty() {
                condition[field] = json!(value);
            }
        }
        if !self.0["conditions"].is_array() {
            self.0["conditions"] = json!([]);
        }
        let Some(conditions) = self.0["conditions"].as_array_mut() else { return };
        match conditions.iter_mut().find(|condition| text(condition, &["type"]) == kind) {
            Some(known) => *known = condition,
            None => conditions.push(condition),
        }
    }

    fn condition(&self, kind: &str) -> Option<&Value> {
        self.0["conditions"].as_array()?.iter().find(|condition| text(condition, &["type"]) == kind)
    }

    /// Whether a condition is there.
    pub fn has(&self, kind: &str) -> bool {
        self.condition(kind).is_some()
    }

    /// Whether a condition holds.
    pub fn is_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| text(condition, &["status"]) == "True")
    }

    /// When a trigger was last active.
    pub fn last_active(&self) -> Option<Timestamp> {
        time(&self.0, &["lastActiveTime"])
    }

    /// A trigger is active.
    pub fn set_last_active(&mut self, at: String) {
        self.0["lastActiveTime"] = json!(at);
    }

    /// What it is paused at.
    pub fn set_paused_replicas(&mut self, replicas: Option<i64>) {
        match (replicas, self.0.as_object_mut()) {
            (Some(replicas), _) => self.0["pausedReplicaCount"] = json!(replicas),
            (None, Some(fields)) => drop(fields.remove("pausedReplicaCount")),
            (None, None) => {}
        }
    }

    /// What is scaled, and at what it stood when it was first seen.
    pub fn set_target(&mut self, scaled: &Value, resource: &str, replicas: i64, kinds: &Kinds) {
        let (version, kind) = reference(scaled);
        let Some(known) = kinds.by_key(resource) else { return };
        self.0["scaleTargetKind"] = json!(format!("{version}.{kind}"));
        self.0["scaleTargetGVKR"] =
            json!({ "group": known.id.group, "version": known.id.version, "kind": known.kind, "resource": known.id.plural });
        if at(&self.0, &["originalReplicaCount"]).is_none() {
            self.0["originalReplicaCount"] = json!(replicas);
        }
    }

    /// Kind of what is scaled.
    pub fn target_kind(&self) -> String {
        text(&self.0, &["scaleTargetKind"]).to_owned()
    }

    /// Its autoscaler, and the metrics of that.
    pub fn set_autoscaler(&mut self, called: &str, triggers: &[Trigger]) {
        let (mut external, mut resources) = (Vec::new(), Vec::new());
        for trigger in triggers {
            match trigger {
                Trigger::Query { metric, .. } => external.push(metric.as_str()),
                Trigger::Resource { resource, .. } => resources.push(resource.as_str()),
            }
        }
        self.0["hpaName"] = json!(called);
        for (field, names) in [("externalMetricNames", external), ("resourceMetricNames", resources)] {
            if !names.is_empty() {
                self.0[field] = json!(names);
            } else if let Some(fields) = self.0.as_object_mut() {
                fields.remove(field);
            }
        }
    }
}
