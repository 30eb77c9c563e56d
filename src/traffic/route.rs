//! With a gateway: an HTTPRoute over the Services of the revisions. All its rules are ours.
//!
//! Rules are written in full, with what the API server would fill in, so that reading them back is a comparison.

use serde_json::{Map, Value, json};

use crate::api::model_deployment::{GatewayKind, Traffic};
use crate::domain::record::Decision;
use crate::domain::rollout::Acceptance;
use crate::domain::split::Split;
use crate::resources::{Owner, labels, service};
use crate::traffic::{DECISION, to_annotation};

const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// The HTTPRoute that carries `decision`.
pub fn build(owner: &Owner, traffic: &Traffic, decision: &Decision) -> Value {
    let mut metadata = owner.metadata(&owner.name, &labels::of_deployment(&owner.name));
    metadata["annotations"] = json!({ DECISION: to_annotation(decision) });
    let mut spec = json!({ "parentRefs": parents(owner, traffic), "rules": [rule(traffic, &decision.split)] });
    if !traffic.hostnames.is_empty() {
        spec["hostnames"] = json!(traffic.hostnames);
    }
    json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec })
}

fn parents(owner: &Owner, traffic: &Traffic) -> Vec<Value> {
    let parent = |gateway: &crate::api::model_deployment::Gateway| {
        let (group, kind) = match gateway.kind {
            GatewayKind::Gateway => (GATEWAY_GROUP, "Gateway"),
            GatewayKind::Service => ("", "Service"),
        };
        let mut reference = json!({ "group": group, "kind": kind, "name": gateway.name });
        let namespace = gateway.namespace.as_ref().filter(|namespace| **namespace != owner.namespace);
        let optional =
            [("namespace", namespace.map(|text| json!(text))), ("sectionName", gateway.section_name.as_ref().map(|text| json!(text)))];
        for (field, value) in optional.into_iter().chain([("port", gateway.port.map(|port| json!(port)))]) {
            if let Some(value) = value {
                reference[field] = value;
            }
        }
        reference
    };
    traffic.gateways.iter().map(parent).collect()
}

fn rule(traffic: &Traffic, split: &Split) -> Value {
    let path = traffic.path.as_deref().unwrap_or("/");
    let mut rule = Map::new();
    rule.insert("matches".to_owned(), json!([{ "path": { "type": "PathPrefix", "value": path } }]));
    rule.insert("backendRefs".to_owned(), json!(backends(split)));
    if let Some(http) = &traffic.http {
        if let Some(timeouts) = &http.timeouts {
            rule.insert("timeouts".to_owned(), json!(timeouts));
        }
        if !http.filters.is_empty() {
            rule.insert("filters".to_owned(), json!(http.filters));
        }
    }
    Value::Object(rule)
}

/// Revisions without weight are left out: their Services may go at any time, and a missing backend breaks the route.
fn backends(split: &Split) -> Vec<Value> {
    let weighted = split.entries().into_iter().filter(|(_, weight)| *weight > 0);
    let backend = |(revision, weight): (&crate::domain::revision::RevisionName, i32)| json!({ "group": "", "kind": "Service", "name": revision.as_str(), "port": service::PORT, "weight": weight });
    weighted.map(backend).collect()
}

/// The live route has one rule, with exactly the weights of `split`.
pub fn is_intact(live: &Value, split: &Split) -> bool {
    let Some([rule]) = live.pointer("/spec/rules").and_then(Value::as_array).map(Vec::as_slice) else { return false };
    rule.get("backendRefs") == Some(&json!(backends(split)))
}

/// Whether the parents took the route at its present generation, the worst answer of all.
pub fn acceptance(live: &Value) -> Acceptance {
    let generation = live.pointer("/metadata/generation").cloned().unwrap_or(Value::Null);
    let wanted = live.pointer("/spec/parentRefs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let answers = live.pointer("/status/parents").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut worst = Acceptance::Accepted;
    for reference in wanted {
        let answer = answers.iter().find(|answer| same_parent(&answer["parentRef"], reference));
        match answer.map_or(Acceptance::Pending, |answer| answer_of(answer, &generation)) {
            refused @ Acceptance::Refused(_) => return refused,
            Acceptance::Pending => worst = Acceptance::Pending,
            Acceptance::Accepted => {}
        }
    }
    worst
}

fn same_parent(answered: &Value, wanted: &Value) -> bool {
    ["name", "namespace", "sectionName", "port"].iter().all(|field| {
        let (answered, wanted) = (answered.get(*field), wanted.get(*field));
        answered == wanted || (*field == "namespace" && (answered.is_none() || wanted.is_none()))
    })
}

fn answer_of(answer: &Value, generation: &Value) -> Acceptance {
    let conditions = answer.get("conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut taken = 0;
    for kind in ["Accepted", "ResolvedRefs"] {
        let Some(condition) = conditions.iter().find(|condition| condition["type"] == kind) else { continue };
        if condition["observedGeneration"] != *generation {
            continue;
        }
        match condition["status"].as_str() {
            Some("True") => taken += 1,
            Some("False") => return Acceptance::Refused(format!("{kind}: {}", words(condition))),
            _ => {}
        }
    }
    if taken == 2 { Acceptance::Accepted } else { Acceptance::Pending }
}

fn words(condition: &Value) -> String {
    let text = |field: &str| condition[field].as_str().unwrap_or_default();
    let all = format!("{} {}", text("reason"), text("message"));
    all.trim().chars().take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(generation: i64, observed: i64, accepted: &str, resolved: &str) -> Value {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "observedGeneration": observed, "reason": "R"});
        json!({
            "metadata": { "generation": generation },
            "spec": { "parentRefs": [{ "group": GATEWAY_GROUP, "kind": "Gateway", "name": "public" }] },
            "status": { "parents": [{
                "parentRef": { "name": "public" },
                "conditions": [condition("Accepted", accepted), condition("ResolvedRefs", resolved)],
            }]},
        })
    }

    #[test]
    fn a_route_counts_as_taken_only_at_its_own_generation_and_with_both_conditions() {
        assert_eq!(acceptance(&live(2, 2, "True", "True")), Acceptance::Accepted);
        assert_eq!(acceptance(&live(2, 1, "True", "True")), Acceptance::Pending);
        assert_eq!(acceptance(&live(2, 2, "True", "Unknown")), Acceptance::Pending);
        assert!(matches!(acceptance(&live(2, 2, "True", "False")), Acceptance::Refused(_)));
        assert!(matches!(acceptance(&live(2, 2, "False", "True")), Acceptance::Refused(_)));
    }

    #[test]
    fn a_route_without_an_answer_is_pending() {
        let mut route = live(1, 1, "True", "True");
        route["status"] = json!({});
        assert_eq!(acceptance(&route), Acceptance::Pending);
    }
}
