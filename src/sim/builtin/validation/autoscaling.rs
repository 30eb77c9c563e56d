//! Horizontal autoscalers.

use serde_json::{Value, json};

use super::check::{Causes, item, join};
use super::resources::container_resource_name;
use crate::sim::builtin::json::{has, list, text};
use crate::sim::builtin::names::{dns_label, path_segment};
use crate::sim::builtin::quantity::Quantity;

/// `HorizontalPodAutoscaler` v2; `old` is what is stored. Scaling to zero is off by default in 1.35.
pub fn autoscaler(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let spec = &object["spec"];
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64().unwrap_or_default());
    let lowest = i64::from(old.is_none_or(|old| old["spec"]["minReplicas"] != 0));
    if least.is_some_and(|least| least < lowest) {
        c.invalid("spec.minReplicas", &spec["minReplicas"], format!("must be greater than or equal to {lowest}"));
    }
    if most < 1 {
        c.invalid("spec.maxReplicas", &json!(most), "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        c.invalid("spec.maxReplicas", &json!(most), "must be greater than or equal to `minReplicas`");
    }
    let same = |field: &str| old.is_some_and(|old| old["spec"]["scaleTargetRef"][field] == spec["scaleTargetRef"][field]);
    let groups = match text(&spec["scaleTargetRef"], "kind") {
        // What is stored already may stay.
        _ if same("kind") && same("apiVersion") => Groups::Unchecked,
        "ReplicationController" => Groups::MayBeCore,
        _ => Groups::Named,
    };
    reference(c, &spec["scaleTargetRef"], "spec.scaleTargetRef", groups);
    let of_old = old.map_or(&[][..], |old| list(&old["spec"], "metrics"));
    let stored_badly =
        of_old.iter().any(|metric| metric["type"] == "Object" && version_problem(&metric["object"]["describedObject"], true).is_some());
    let groups = if stored_badly { Groups::Unchecked } else { Groups::MayBeCore };
    for (index, metric) in list(spec, "metrics").iter().enumerate() {
        self::metric(c, metric, &item("spec.metrics", index), groups);
    }
    let from_outside = |metric: &Value| ["Object", "External"].contains(&text(metric, "type"));
    if least == Some(0) && !list(spec, "metrics").iter().any(from_outside) {
        c.forbidden("spec.metrics", "must specify at least one Object or External metric to support scaling to zero replicas");
    }
    for direction in ["scaleUp", "scaleDown"] {
        if has(&spec["behavior"], direction) {
            rules(c, &spec["behavior"][direction], &format!("spec.behavior.{direction}"));
        }
    }
}

/// What `apiVersion` of a reference must look like.
#[derive(Clone, Copy)]
enum Groups {
    /// With a group.
    Named,
    /// With or without one.
    MayBeCore,
    /// Anything.
    Unchecked,
}

fn reference(c: &mut Causes, reference: &Value, at: &str, groups: Groups) {
    for field in ["kind", "name"] {
        c.name(reference, at, field, path_segment);
    }
    let problem = match groups {
        Groups::Unchecked => None,
        Groups::Named => version_problem(reference, false),
        Groups::MayBeCore => version_problem(reference, true),
    };
    if let Some(problem) = problem {
        c.invalid(join(at, "apiVersion"), &json!(text(reference, "apiVersion")), problem);
    }
}

fn version_problem(reference: &Value, core: bool) -> Option<String> {
    let version = text(reference, "apiVersion");
    match version.matches('/').count() {
        0 if !core => Some("apiVersion must specify API group".to_owned()),
        1 if version.starts_with('/') && !core => Some("apiVersion must specify API group".to_owned()),
        0 | 1 => None,
        _ => Some(format!("unexpected GroupVersion string: {version}")),
    }
}

/// Types with their fields.
const SOURCES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

fn metric(c: &mut Causes, metric: &Value, at: &str, groups: Groups) {
    let kind = text(metric, "type");
    let wanted = SOURCES.iter().find(|(name, _)| *name == kind).map(|(_, field)| *field);
    if kind.is_empty() {
        c.required(join(at, "type"), "must specify a metric source type");
    }
    // The server looks twice at a type that it does not know, and says so twice.
    let unknown = |c: &mut Causes| c.unsupported(join(at, "type"), &json!(kind), &SOURCES.map(|(name, _)| name));
    if wanted.is_none() {
        unknown(c);
    }
    // Only the first source that is there is looked at, in this order.
    let order = ["object", "external", "pods", "resource", "containerResource"];
    let present: Vec<&str> = order.into_iter().filter(|field| has(metric, field)).collect();
    if let Some(first) = present.first() {
        source(c, &metric[*first], &join(at, first), first, groups);
    }
    match wanted {
        None => unknown(c),
        Some(wanted) if !present.contains(&wanted) => {
            c.required(join(at, wanted), "must populate information for the given metric source");
        }
        Some(_) => {}
    }
    if present.len() > 1 {
        for other in present.into_iter().filter(|field| Some(*field) != wanted) {
            c.forbidden(join(at, other), "must populate the given metric source only");
        }
    }
}

fn source(c: &mut Causes, source: &Value, at: &str, kind: &str, groups: Groups) {
    match kind {
        "resource" | "containerResource" => names(c, source, at, kind == "containerResource"),
        _ => {
            if kind == "object" {
                reference(c, &source["describedObject"], &join(at, "describedObject"), groups);
            }
            let place = join(&join(at, "metric"), "name");
            match text(&source["metric"], "name") {
                "" => c.required(place, "must specify a metric name"),
                name => c.problems(&place, &json!(name), path_segment(name)),
            }
        }
    }
    target(c, &source["target"], &join(at, "target"), kind);
}

/// Resource, and container where it is one of a container.
fn names(c: &mut Causes, source: &Value, at: &str, of_container: bool) {
    match text(source, "name") {
        "" => c.required(join(at, "name"), "must specify a resource name"),
        name if of_container => container_resource_name(c, name, &join(at, "name")),
        _ => {}
    }
    if of_container {
        match text(source, "container") {
            "" => c.required(join(at, "container"), "must specify a container"),
            name => c.problems(&join(at, "container"), &json!(name), dns_label(name)),
        }
    }
}

fn target(c: &mut Causes, target: &Value, at: &str, kind: &str) {
    let of_type = text(target, "type");
    if of_type.is_empty() {
        c.required(join(at, "type"), "must specify a metric target type");
    }
    if !["AverageValue", "Utilization", "Value"].contains(&of_type) {
        c.invalid(join(at, "type"), &json!(of_type), "must be either Utilization, Value, or AverageValue");
    }
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
    match (kind, value, average) {
        ("resource" | "containerResource", _, _) => {
            if !average && !utilization {
                c.required(join(at, "averageUtilization"), "must set either a target raw value or a target utilization");
            }
            if average && utilization {
                c.forbidden(join(at, "averageValue"), "may not set both a target raw value and a target utilization");
            }
        }
        ("pods", _, false) => c.required(join(at, "averageValue"), "must specify a positive target averageValue"),
        ("object", false, false) => c.required(join(at, "averageValue"), "must set either a target value or averageValue"),
        ("external", false, false) => {
            c.required(join(at, "averageValue"), "must set either a target value for metric or a per-pod target");
        }
        ("external", true, true) => c.forbidden(join(at, "value"), "may not set both a target value for metric and a per-pod target"),
        _ => {}
    }
}

fn rules(c: &mut Causes, rules: &Value, at: &str) {
    const HOUR: i64 = 3600;
    const HALF_HOUR: i64 = 1800;
    if let Some(window) = rules["stabilizationWindowSeconds"].as_i64() {
        if window < 0 {
            let sentence = "must be greater than or equal to zero";
            c.invalid(join(at, "stabilizationWindowSeconds"), &rules["stabilizationWindowSeconds"], sentence);
        }
        if window > HOUR {
            c.invalid(
                join(at, "stabilizationWindowSeconds"),
                &rules["stabilizationWindowSeconds"],
                format!("must be less than or equal to {HOUR}"),
            );
        }
    }
    c.one_of(rules, at, "selectPolicy", &["Disabled", "Max", "Min"], false);
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
    if Quantity::from_json(&rules["tolerance"]).is_ok_and(Quantity::is_negative) {
        c.invalid(join(at, "tolerance"), &rules["tolerance"], super::check::NOT_NEGATIVE);
    }
}
