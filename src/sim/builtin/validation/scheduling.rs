//! Where a pod may run: affinity, tolerations, spreading, gates.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{Causes, item, join};
use super::metadata;
use crate::sim::builtin::json::{has, list, text};
use crate::sim::builtin::names::{label_value, qualified};

/// `affinity`.
pub fn affinity(c: &mut Causes, affinity: &Value, at: &str) {
    node_affinity(c, &affinity["nodeAffinity"], &join(at, "nodeAffinity"));
    for kind in ["podAffinity", "podAntiAffinity"] {
        let (rules, place) = (&affinity[kind], join(at, kind));
        let hard = join(&place, "requiredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in list(rules, "requiredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
            pod_term(c, term, &item(&hard, index));
        }
        let soft = join(&place, "preferredDuringSchedulingIgnoredDuringExecution");
        for (index, weighted) in list(rules, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
            let place = item(&soft, index);
            weight(c, weighted, &place);
            pod_term(c, &weighted["podAffinityTerm"], &join(&place, "podAffinityTerm"));
        }
    }
}

fn weight(c: &mut Causes, weighted: &Value, at: &str) {
    if !(1..=100).contains(&weighted["weight"].as_i64().unwrap_or_default()) {
        c.invalid(join(at, "weight"), &weighted["weight"], "must be in the range 1-100");
    }
}

fn pod_term(c: &mut Causes, term: &Value, at: &str) {
    for selector in ["labelSelector", "namespaceSelector"] {
        metadata::selector(c, &term[selector], &join(at, selector));
    }
    match text(term, "topologyKey") {
        "" => c.required(join(at, "topologyKey"), "can not be empty"),
        key => c.problems(&join(at, "topologyKey"), &term["topologyKey"], qualified(key)),
    }
}

fn node_affinity(c: &mut Causes, affinity: &Value, at: &str) {
    let hard = &affinity["requiredDuringSchedulingIgnoredDuringExecution"];
    if hard.is_object() {
        let place = join(&join(at, "requiredDuringSchedulingIgnoredDuringExecution"), "nodeSelectorTerms");
        if list(hard, "nodeSelectorTerms").is_empty() {
            c.required(place.clone(), "must have at least one node selector term");
        }
        for (index, term) in list(hard, "nodeSelectorTerms").iter().enumerate() {
            node_term(c, term, &item(&place, index));
        }
    }
    let soft = join(at, "preferredDuringSchedulingIgnoredDuringExecution");
    for (index, preferred) in list(affinity, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
        let place = item(&soft, index);
        weight(c, preferred, &place);
        node_term(c, &preferred["preference"], &join(&place, "preference"));
    }
}

fn node_term(c: &mut Causes, term: &Value, at: &str) {
    for (index, requirement) in list(term, "matchExpressions").iter().enumerate() {
        let place = item(&join(at, "matchExpressions"), index);
        let values = list(requirement, "values").len();
        match text(requirement, "operator") {
            "In" | "NotIn" if values == 0 => c.required(join(&place, "values"), "must be specified when `operator` is 'In' or 'NotIn'"),
            "Exists" | "DoesNotExist" if values > 0 => {
                c.forbidden(join(&place, "values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
            }
            "Gt" | "Lt" if values != 1 => {
                c.required(join(&place, "values"), "must be specified single value when `operator` is 'Lt' or 'Gt'")
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            _ => c.invalid(join(&place, "operator"), &requirement["operator"], "not a valid selector operator"),
        }
        c.problems(&join(&place, "key"), &requirement["key"], qualified(text(requirement, "key")));
    }
}

/// `tolerations`.
pub fn tolerations(c: &mut Causes, spec: &Value, at: &str) {
    const EFFECTS: [&str; 3] = ["NoExecute", "NoSchedule", "PreferNoSchedule"];
    for (index, toleration) in list(spec, "tolerations").iter().enumerate() {
        let place = item(&join(at, "tolerations"), index);
        let (key, operator, effect) = (text(toleration, "key"), text(toleration, "operator"), text(toleration, "effect"));
        if !key.is_empty() {
            c.problems(&join(&place, "key"), &toleration["key"], qualified(key));
        } else if operator != "Exists" {
            c.invalid(
                join(&place, "operator"),
                &json!(operator),
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        if has(toleration, "tolerationSeconds") && effect != "NoExecute" {
            c.invalid(join(&place, "effect"), &json!(effect), "effect must be 'NoExecute' when `tolerationSeconds` is set");
        }
        match operator {
            "" | "Equal" => c.problems(&join(&place, "value"), &json!(text(toleration, "value")), label_value(text(toleration, "value"))),
            "Exists" if !text(toleration, "value").is_empty() => {
                c.invalid(join(&place, "operator"), toleration, "value must be empty when `operator` is 'Exists'");
            }
            "Exists" => {}
            _ => c.one_of(toleration, &place, "operator", &["Equal", "Exists"], true),
        }
        c.one_of(toleration, &place, "effect", &EFFECTS, false);
    }
}

/// `topologySpreadConstraints`.
pub fn spread(c: &mut Causes, spec: &Value, at: &str) {
    let mut pairs = BTreeSet::new();
    for (index, constraint) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        let place = item(&join(at, "topologySpreadConstraints"), index);
        if constraint["maxSkew"].as_i64().unwrap_or_default() <= 0 {
            c.invalid(join(&place, "maxSkew"), &constraint["maxSkew"], "must be greater than zero");
        }
        match text(constraint, "topologyKey") {
            "" => c.required(join(&place, "topologyKey"), "can not be empty"),
            key => c.problems(&join(&place, "topologyKey"), &constraint["topologyKey"], qualified(key)),
        }
        c.one_of(constraint, &place, "whenUnsatisfiable", &["DoNotSchedule", "ScheduleAnyway"], true);
        let pair = format!("{{{}, {}}}", text(constraint, "topologyKey"), text(constraint, "whenUnsatisfiable"));
        if !pairs.insert(pair.clone()) {
            c.duplicate(join(&place, "{topologyKey, whenUnsatisfiable}"), &json!(pair));
        }
        metadata::selector(c, &constraint["labelSelector"], &join(&place, "labelSelector"));
    }
}

/// `schedulingGates`.
pub fn gates(c: &mut Causes, spec: &Value, at: &str) {
    let mut names = BTreeSet::new();
    for (index, gate) in list(spec, "schedulingGates").iter().enumerate() {
        let place = item(&join(at, "schedulingGates"), index);
        c.problems(&place, &gate["name"], qualified(text(gate, "name")));
        if !names.insert(text(gate, "name")) {
            c.duplicate(place, &gate["name"]);
        }
    }
}
