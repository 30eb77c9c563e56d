//! What gateways said of a route: its conditions, read for one generation. Pure.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::rollout::Acceptance;

/// Conditions without which a route is not in effect.
const NEEDED: [&str; 2] = ["Accepted", "ResolvedRefs"];
/// Reasons by which a gateway says that it lacks something that the route asks for.
const UNSUPPORTED: [&str; 2] = ["UnsupportedValue", "IncompatibleFilters"];

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether the parents took the route at its present generation, the worst answer of all.
pub fn acceptance(live: &Value) -> Acceptance {
    let generation = live.pointer("/metadata/generation").cloned().unwrap_or(Value::Null);
    let answers = list(live, "/status/parents");
    let mut worst = Acceptance::Accepted;
    for reference in list(live, "/spec/parentRefs") {
        let answer = answers.iter().find(|answer| same_parent(&answer["parentRef"], reference));
        match answer.map_or(Acceptance::Pending, |answer| answer_of(answer, &generation)) {
            refused @ (Acceptance::Refused(_) | Acceptance::Missing(_)) => return refused,
            Acceptance::Pending => worst = Acceptance::Pending,
            Acceptance::Accepted => {}
        }
    }
    worst
}

/// In whose words a gateway lacks something that the route asks for at its present generation, if one does.
pub fn unsupported(live: &Value) -> Option<String> {
    let generation = live.pointer("/metadata/generation")?;
    let conditions = list(live, "/status/parents").iter().flat_map(|answer| list(answer, "/conditions"));
    let mut lacking = conditions.filter(|condition| {
        let refuses = match condition["type"].as_str() {
            Some("PartiallyInvalid") => condition["status"] == "True",
            Some(_) => condition["status"] == "False",
            None => false,
        };
        refuses && condition["observedGeneration"] == *generation && UNSUPPORTED.iter().any(|reason| condition["reason"] == *reason)
    });
    lacking.next().map(words)
}

/// Since when all parents have taken the route; `None` if one has not.
pub fn taken_since(live: &Value) -> Option<Timestamp> {
    if acceptance(live) != Acceptance::Accepted {
        return None;
    }
    let conditions = list(live, "/status/parents").iter().flat_map(|answer| list(answer, "/conditions"));
    let taken = conditions.filter(|condition| NEEDED.iter().any(|kind| condition["type"] == *kind));
    taken.filter_map(|condition| condition["lastTransitionTime"].as_str()?.parse().ok()).max()
}

fn same_parent(answered: &Value, wanted: &Value) -> bool {
    ["name", "namespace", "sectionName", "port"].iter().all(|field| {
        let (answered, wanted) = (answered.get(*field), wanted.get(*field));
        answered == wanted || (*field == "namespace" && (answered.is_none() || wanted.is_none()))
    })
}

fn answer_of(answer: &Value, generation: &Value) -> Acceptance {
    let mut taken = 0;
    let mut waits = false;
    for condition in list(answer, "/conditions").iter().filter(|condition| condition["observedGeneration"] == *generation) {
        let (kind, status) = (condition["type"].as_str().unwrap_or_default(), condition["status"].as_str().unwrap_or_default());
        let refused = || Acceptance::Refused(format!("{kind}: {}", words(condition)));
        match (kind, status) {
            // `Programmed` is some gateways' own: the data plane has it.
            ("Accepted" | "ResolvedRefs" | "Programmed", "False") | ("PartiallyInvalid", "True") => return refused(),
            ("Accepted" | "ResolvedRefs", "True") => taken += 1,
            ("Programmed", "Unknown") => waits = true,
            _ => {}
        }
    }
    if taken == NEEDED.len() && !waits { Acceptance::Accepted } else { Acceptance::Pending }
}

fn words(condition: &Value) -> String {
    let text = |field: &str| condition[field].as_str().unwrap_or_default();
    let all = format!("{} {}", text("reason"), text("message"));
    all.trim().chars().take(256).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(kind: &str, status: &str, observed: i64) -> Value {
        json!({"type": kind, "status": status, "observedGeneration": observed, "reason": "R", "lastTransitionTime": "2026-01-01T00:00:05Z"})
    }

    fn live(generation: i64, observed: i64, accepted: &str, resolved: &str) -> Value {
        json!({
            "metadata": { "generation": generation },
            "spec": { "parentRefs": [{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public" }] },
            "status": { "parents": [{
                "parentRef": { "name": "public" },
                "conditions": [condition("Accepted", accepted, observed), condition("ResolvedRefs", resolved, observed)],
            }]},
        })
    }

    fn with(mut route: Value, condition: Value) -> Value {
        route["status"]["parents"][0]["conditions"].as_array_mut().unwrap().push(condition);
        route
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
        assert_eq!(taken_since(&route), None);
    }

    #[test]
    fn a_route_of_which_only_a_part_is_served_is_refused_in_the_gateways_words() {
        let mut partial = condition("PartiallyInvalid", "True", 2);
        partial["reason"] = json!("UnsupportedValue");
        partial["message"] = json!("Dropped Rule 1");
        let route = with(live(2, 2, "True", "True"), partial);
        assert_eq!(acceptance(&route), Acceptance::Refused("PartiallyInvalid: UnsupportedValue Dropped Rule 1".to_owned()));
        assert_eq!(unsupported(&route), Some("UnsupportedValue Dropped Rule 1".to_owned()));
        let earlier = with(live(2, 2, "True", "True"), condition("PartiallyInvalid", "True", 1));
        assert_eq!((acceptance(&earlier), unsupported(&earlier)), (Acceptance::Accepted, None));
    }

    #[test]
    fn a_gateway_that_says_whether_its_data_plane_follows_is_believed() {
        let said = |status: &str| acceptance(&with(live(2, 2, "True", "True"), condition("Programmed", status, 2)));
        assert_eq!(said("True"), Acceptance::Accepted);
        assert_eq!(said("Unknown"), Acceptance::Pending);
        assert!(matches!(said("False"), Acceptance::Refused(_)));
    }

    #[test]
    fn refusals_for_other_reasons_are_no_lack_of_support() {
        assert_eq!(unsupported(&live(2, 2, "False", "True")), None);
        assert_eq!(taken_since(&live(2, 2, "True", "True")), Some("2026-01-01T00:00:05Z".parse().unwrap()));
    }
}
