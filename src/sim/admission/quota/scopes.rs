//! Scopes of quotas: which pods a quota looks at.

use serde_json::Value;

use crate::sim::kinds::Resource;

/// Whether a quota counts an object at all; quotas with scopes count only pods.
pub(super) fn match_object(quota: &Value, resource: &Resource, object: &Value) -> bool {
    let spec = &quota["spec"];
    let plain = spec["scopes"].as_array().into_iter().flatten();
    let plain_match = plain.into_iter().all(|scope| in_scope(resource, object, scope.as_str().unwrap_or_default(), "Exists", &Value::Null));
    let expressions = spec["scopeSelector"]["matchExpressions"].as_array().into_iter().flatten();
    plain_match
        && expressions.into_iter().all(|expression| {
            let scope = expression["scopeName"].as_str().unwrap_or_default();
            in_scope(resource, object, scope, expression["operator"].as_str().unwrap_or("Exists"), &expression["values"])
        })
}

fn in_scope(resource: &Resource, object: &Value, scope: &str, operator: &str, values: &Value) -> bool {
    if resource.storage_key != "pods" {
        return false;
    }
    let spec = &object["spec"];
    match scope {
        "Terminating" => spec["activeDeadlineSeconds"].is_number(),
        "NotTerminating" => !spec["activeDeadlineSeconds"].is_number(),
        "BestEffort" => object["status"]["qosClass"] == "BestEffort",
        "NotBestEffort" => object["status"]["qosClass"] != "BestEffort",
        "PriorityClass" => {
            let class = spec["priorityClassName"].as_str().filter(|class| !class.is_empty());
            let listed = values.as_array().is_some_and(|values| values.iter().any(|value| value.as_str() == class));
            match operator {
                "In" => class.is_some() && listed,
                "NotIn" => !listed,
                "DoesNotExist" => class.is_none(),
                _ => class.is_some(),
            }
        }
        "CrossNamespacePodAffinity" => crosses_namespaces(&spec["affinity"]),
        _ => false,
    }
}

/// Whether an affinity term names other namespaces.
fn crosses_namespaces(affinity: &Value) -> bool {
    let mentions =
        |term: &Value| term["namespaces"].as_array().is_some_and(|names| !names.is_empty()) || term["namespaceSelector"].is_object();
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let required = affinity[*kind]["requiredDuringSchedulingIgnoredDuringExecution"].as_array().into_iter().flatten();
        let preferred = affinity[*kind]["preferredDuringSchedulingIgnoredDuringExecution"].as_array().into_iter().flatten();
        required.into_iter().any(mentions) || preferred.into_iter().any(|term| mentions(&term["podAffinityTerm"]))
    })
}
