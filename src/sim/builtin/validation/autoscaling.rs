//! Horizontal autoscalers.

use serde_json::Value;

use super::check::{Causes, item, join};
use crate::sim::builtin::json::{has, list, text};
use crate::sim::builtin::names::path_segment;
use crate::sim::builtin::quantity::Quantity;

/// `HorizontalPodAutoscaler` v2.
pub fn autoscaler(c: &mut Causes, object: &Value) {
    let spec = &object["spec"];
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64().unwrap_or_default());
    if least.is_some_and(|least| least < 1) {
        c.invalid("spec.minReplicas", &spec["minReplicas"], "must be greater than or equal to 1");
    }
    if most < 1 {
        c.invalid("spec.maxReplicas", &spec["maxReplicas"], "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        c.invalid("spec.maxReplicas", &spec["maxReplicas"], "must be greater than or equal to `minReplicas`");
    }
    for field in ["kind", "name"] {
        c.name(&spec["scaleTargetRef"], "spec.scaleTargetRef", field, path_segment);
    }
    for (index, metric) in list(spec, "metrics").iter().enumerate() {
        self::metric(c, metric, &item("spec.metrics", index));
    }
    for direction in ["scaleUp", "scaleDown"] {
        if has(&spec["behavior"], direction) {
            rules(c, &spec["behavior"][direction], &format!("spec.behavior.{direction}"));
        }
    }
}

const SOURCES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

fn metric(c: &mut Causes, metric: &Value, at: &str) {
    let kind = text(metric, "type");
    if kind.is_empty() {
        c.required(join(at, "type"), "must specify a metric source type");
        return;
    }
    let Some((_, source)) = SOURCES.iter().find(|(name, _)| *name == kind) else {
        c.one_of(metric, at, "type", &SOURCES.map(|(name, _)| name), true);
        return;
    };
    for (_, other) in SOURCES.iter().filter(|(_, other)| other != source && has(metric, other)) {
        c.forbidden(join(at, other), "must populate the given metric source only");
    }
    if !has(metric, source) {
        c.required(join(at, source), "must populate information for the given metric source");
        return;
    }
    let (source_value, place) = (&metric[*source], join(at, source));
    match kind {
        "Resource" => c.all_needed(source_value, &place, &["name"]),
        "ContainerResource" => c.all_needed(source_value, &place, &["name", "container"]),
        _ => c.name(&source_value["metric"], &join(&place, "metric"), "name", path_segment),
    }
    if kind == "Object" {
        ["kind", "name"]
            .into_iter()
            .for_each(|field| c.name(&source_value["describedObject"], &join(&place, "describedObject"), field, path_segment));
    }
    target(c, &source_value["target"], &join(&place, "target"), kind);
}

fn target(c: &mut Causes, target: &Value, at: &str, kind: &str) {
    c.one_of(target, at, "type", &["AverageValue", "Utilization", "Value"], true);
    for field in ["value", "averageValue"] {
        let not_positive = Quantity::from_json(&target[field]).is_ok_and(|amount| amount.is_zero() || amount.is_negative());
        if has(target, field) && not_positive {
            c.invalid(join(at, field), &target[field], "must be positive");
        }
    }
    if target["averageUtilization"].as_i64().is_some_and(|percent| percent < 1) {
        c.invalid(join(at, "averageUtilization"), &target["averageUtilization"], "must be greater than 0");
    }
    let (value, average, utilization) = (has(target, "value"), has(target, "averageValue"), has(target, "averageUtilization"));
    match kind {
        "Resource" | "ContainerResource" => {
            if !average && !utilization {
                c.required(join(at, "averageUtilization"), "must set either a target raw value or a target utilization");
            }
            if average && utilization {
                c.forbidden(join(at, "averageValue"), "may not set both a target raw value and a target utilization");
            }
        }
        "Pods" if !average => c.required(join(at, "averageValue"), "must specify a positive target averageValue"),
        "Object" | "External" => match (value, average) {
            (false, false) => c.required(join(at, "averageValue"), "must set either a target value for metric or a per-pod target"),
            (true, true) => c.forbidden(join(at, "value"), "may not set both a target value for metric and a per-pod target"),
            _ => {}
        },
        _ => {}
    }
}

fn rules(c: &mut Causes, rules: &Value, at: &str) {
    const HOUR: i64 = 3600;
    const HALF_HOUR: i64 = 1800;
    if let Some(window) = rules["stabilizationWindowSeconds"].as_i64() {
        c.not_negative(rules, at, "stabilizationWindowSeconds");
        if window > HOUR {
            c.invalid(
                join(at, "stabilizationWindowSeconds"),
                &rules["stabilizationWindowSeconds"],
                format!("must be less than or equal to {HOUR}"),
            );
        }
    }
    c.one_of(rules, at, "selectPolicy", &["Disabled", "Max", "Min"], false);
    if Quantity::from_json(&rules["tolerance"]).is_ok_and(Quantity::is_negative) {
        c.invalid(join(at, "tolerance"), &rules["tolerance"], super::check::NOT_NEGATIVE);
    }
    let policies_at = join(at, "policies");
    if list(rules, "policies").is_empty() {
        c.required(policies_at.clone(), "must specify at least one Policy");
    }
    for (index, policy) in list(rules, "policies").iter().enumerate() {
        let place = item(&policies_at, index);
        c.one_of(policy, &place, "type", &["Percent", "Pods"], true);
        if policy["value"].as_i64().unwrap_or_default() <= 0 {
            c.invalid(join(&place, "value"), &policy["value"], "must be greater than zero");
        }
        let period = policy["periodSeconds"].as_i64().unwrap_or_default();
        if period <= 0 {
            c.invalid(join(&place, "periodSeconds"), &policy["periodSeconds"], "must be greater than zero");
        } else if period > HALF_HOUR {
            c.invalid(join(&place, "periodSeconds"), &policy["periodSeconds"], format!("must be less than or equal to {HALF_HOUR}"));
        }
    }
}
