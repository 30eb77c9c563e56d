//! The remaining kinds: budgets, leases, quotas, claims, classes, access rules, admission policies.

use serde_json::{Value, json};

use super::check::{Causes, IMMUTABLE, item, join, key};
use super::{metadata, resources};
use crate::sim::builtin::json::{entries, has, list, text};
use crate::sim::builtin::names::{dns_subdomain, path_segment};
use crate::sim::builtin::quantity::Quantity;

/// `PodDisruptionBudget`.
pub fn disruption_budget(c: &mut Causes, object: &Value) {
    let spec = &object["spec"];
    if has(spec, "minAvailable") && has(spec, "maxUnavailable") {
        c.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in ["minAvailable", "maxUnavailable"] {
        c.count_or_percent(spec, "spec", field);
        c.at_most_all(spec, "spec", field);
    }
    c.one_of(spec, "spec", "unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"], false);
    metadata::selector(c, &spec["selector"], "spec.selector");
}

/// `Lease`.
pub fn lease(c: &mut Causes, object: &Value) {
    let spec = &object["spec"];
    if spec["leaseDurationSeconds"].as_i64().is_some_and(|seconds| seconds <= 0) {
        c.invalid("spec.leaseDurationSeconds", &spec["leaseDurationSeconds"], "must be greater than 0");
    }
    c.not_negative(spec, "spec", "leaseTransitions");
    if has(spec, "strategy") {
        c.one_of(spec, "spec", "strategy", &["OldestEmulationVersion"], true);
        if spec["preferredHolder"] == "" {
            c.invalid("spec.preferredHolder", &json!(""), "must not be empty");
        }
    }
}

/// `ResourceQuota`.
pub fn quota(c: &mut Causes, object: &Value, old: Option<&Value>) {
    const SCOPES: [&str; 7] = [
        "BestEffort",
        "CrossNamespacePodAffinity",
        "NotBestEffort",
        "NotTerminating",
        "PriorityClass",
        "Terminating",
        "VolumeAttributesClass",
    ];
    let spec = &object["spec"];
    for (name, amount) in entries(spec, "hard") {
        let at = key("spec.hard", name);
        resources::quota_resource_name(c, name, &at);
        resources::checked_amount(c, name, amount, &at);
    }
    for (index, scope) in list(spec, "scopes").iter().enumerate() {
        if !SCOPES.iter().any(|known| known == scope) {
            c.invalid(item("spec.scopes", index), scope, "unsupported scope");
        }
    }
    if let Some(old) = old {
        c.immutable(&spec["scopes"], &old["spec"]["scopes"], "spec.scopes");
    }
}

/// `LimitRange`: least, default request, default and greatest are in this order.
pub fn limit_range(c: &mut Causes, object: &Value) {
    const ORDER: [&str; 4] = ["min", "defaultRequest", "default", "max"];
    for (index, limit) in list(&object["spec"], "limits").iter().enumerate() {
        let at = item("spec.limits", index);
        c.needs(limit, &at, "type");
        for kind in ORDER {
            for (name, amount) in entries(limit, kind) {
                resources::checked_amount(c, name, amount, &key(&join(&at, kind), name));
            }
        }
        for (position, lower) in ORDER.iter().enumerate() {
            for upper in &ORDER[position + 1..] {
                ordered(c, limit, &at, [lower, upper]);
            }
        }
    }
}

fn ordered(c: &mut Causes, limit: &Value, at: &str, [lower, upper]: [&str; 2]) {
    for (name, least) in entries(limit, lower) {
        let (Ok(least), Some(Ok(most))) = (Quantity::from_json(least), limit[upper].get(name).map(Quantity::from_json)) else { continue };
        if least > most {
            let sentence = format!("{lower} value {least} is greater than {upper} value {most}");
            c.invalid(key(&join(at, lower), name), &json!(least.to_string()), sentence);
        }
    }
}

/// `PersistentVolumeClaim`.
pub fn claim(c: &mut Causes, object: &Value, old: Option<&Value>) {
    const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    let spec = &object["spec"];
    if list(spec, "accessModes").is_empty() {
        c.required("spec.accessModes", "at least 1 access mode is required");
    }
    for mode in list(spec, "accessModes").iter().filter(|mode| !MODES.iter().any(|known| known == *mode)) {
        c.push(crate::sim::schema::text::not_supported("spec.accessModes", mode, &MODES));
    }
    let storage = spec.pointer("/resources/requests/storage");
    match storage.map(Quantity::from_json) {
        None => c.required("spec.resources[storage]", ""),
        Some(Ok(amount)) if amount.is_zero() || amount.is_negative() => {
            c.invalid("spec.resources[storage]", &json!(amount.to_string()), "must be greater than zero");
        }
        Some(_) => {}
    }
    let Some(old) = old else { return };
    let fixed = |object: &Value| {
        let mut spec = object["spec"].clone();
        if let Some(fields) = spec.as_object_mut() {
            ["resources", "volumeAttributesClassName", "volumeName"].into_iter().for_each(|name| drop(fields.remove(name)));
        }
        spec
    };
    let renamed = has(&old["spec"], "volumeName") && old["spec"]["volumeName"] != spec["volumeName"];
    if fixed(object) != fixed(old) || renamed {
        c.forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims");
    }
}

/// `PriorityClass`.
pub fn priority_class(c: &mut Causes, object: &Value, old: Option<&Value>) {
    const HIGHEST: i64 = 1_000_000_000;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if name.starts_with("system-") && !matches!(name, "system-node-critical" | "system-cluster-critical") {
        c.forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for system use only");
    } else if !name.starts_with("system-") && object["value"].as_i64().is_some_and(|value| value > HIGHEST) {
        c.forbidden("value", format!("maximum allowed value of a user defined priority is {HIGHEST}"));
    }
    c.one_of(object, "", "preemptionPolicy", &["Never", "PreemptLowerPriority"], false);
    if let Some(old) = old {
        if object["value"].as_i64().unwrap_or_default() != old["value"].as_i64().unwrap_or_default() {
            c.forbidden("value", "may not be changed in an update.");
        }
        if object["preemptionPolicy"] != old["preemptionPolicy"] {
            c.invalid("preemptionPolicy", &object["preemptionPolicy"], IMMUTABLE);
        }
    }
}

/// `Role` and `ClusterRole`.
pub fn role(c: &mut Causes, object: &Value, namespaced: bool) {
    for (index, rule) in list(object, "rules").iter().enumerate() {
        let at = item("rules", index);
        if list(rule, "verbs").is_empty() {
            c.required(join(&at, "verbs"), "verbs must contain at least one value");
        }
        if !list(rule, "nonResourceURLs").is_empty() {
            if namespaced {
                c.invalid(join(&at, "nonResourceURLs"), &rule["nonResourceURLs"], "namespaced rules cannot apply to non-resource URLs");
            }
            if !list(rule, "apiGroups").is_empty() || !list(rule, "resources").is_empty() || !list(rule, "resourceNames").is_empty() {
                c.invalid(
                    join(&at, "nonResourceURLs"),
                    &rule["nonResourceURLs"],
                    "rules cannot apply to both regular resources and non-resource URLs",
                );
            }
            continue;
        }
        if list(rule, "apiGroups").is_empty() {
            c.required(join(&at, "apiGroups"), "resource rules must supply at least one api group");
        }
        if list(rule, "resources").is_empty() {
            c.required(join(&at, "resources"), "resource rules must supply at least one resource");
        }
    }
}

/// `RoleBinding` and `ClusterRoleBinding`.
pub fn role_binding(c: &mut Causes, object: &Value, old: Option<&Value>, namespaced: bool) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let role = &object["roleRef"];
    c.one_of(role, "roleRef", "apiGroup", &[GROUP], true);
    c.one_of(role, "roleRef", "kind", if namespaced { &["ClusterRole", "Role"] } else { &["ClusterRole"] }, true);
    c.name(role, "roleRef", "name", path_segment);
    for (index, subject) in list(object, "subjects").iter().enumerate() {
        let at = item("subjects", index);
        c.needs(subject, &at, "name");
        match text(subject, "kind") {
            "ServiceAccount" => {
                if !text(subject, "name").is_empty() {
                    c.problems(&join(&at, "name"), &subject["name"], dns_subdomain(text(subject, "name")));
                }
                if !text(subject, "apiGroup").is_empty() {
                    c.one_of(subject, &at, "apiGroup", &[""], true);
                }
                c.needs(subject, &at, "namespace");
            }
            "User" | "Group" => c.one_of(subject, &at, "apiGroup", &[GROUP], true),
            _ => c.one_of(subject, &at, "kind", &["Group", "ServiceAccount", "User"], true),
        }
    }
    if let Some(old) = old
        && old["roleRef"] != *role
    {
        c.invalid("roleRef", role, "cannot change roleRef");
    }
}

/// `ValidatingAdmissionPolicy`.
pub fn admission_policy(c: &mut Causes, object: &Value) {
    let spec = &object["spec"];
    c.one_of(spec, "spec", "failurePolicy", &["Fail", "Ignore"], true);
    if !has(spec, "matchConstraints") {
        c.required("spec.matchConstraints", "");
    } else if list(&spec["matchConstraints"], "resourceRules").is_empty() {
        c.required("spec.matchConstraints.resourceRules", "");
    }
    if list(spec, "validations").is_empty() && list(spec, "auditAnnotations").is_empty() {
        let sentence = "validations or auditAnnotations must contain at least one item";
        c.required("spec.validations", sentence);
        c.required("spec.auditAnnotations", sentence);
    }
    for (index, validation) in list(spec, "validations").iter().enumerate() {
        let at = join(&item("spec.validations", index), "expression");
        let source = text(validation, "expression").trim();
        if source.is_empty() {
            c.required(at, "expression is not specified");
        } else if let Err(errors) = kube_cel::cel::Program::compile(source) {
            c.invalid(at, &json!(source), format!("compilation failed: {errors}"));
        }
    }
}

/// `ValidatingAdmissionPolicyBinding`.
pub fn admission_binding(c: &mut Causes, object: &Value) {
    let spec = &object["spec"];
    c.name(spec, "spec", "policyName", dns_subdomain);
    let actions = list(spec, "validationActions");
    if actions.is_empty() {
        c.required("spec.validationActions", "");
    }
    for (index, action) in actions.iter().enumerate() {
        if !matches!(action.as_str(), Some("Audit" | "Deny" | "Warn")) {
            c.push(crate::sim::schema::text::not_supported("spec.validationActions", action, &["Audit", "Deny", "Warn"]));
        }
        if actions[..index].contains(action) {
            c.duplicate(item("spec.validationActions", index), action);
        }
    }
    if actions.contains(&json!("Deny")) && actions.contains(&json!("Warn")) {
        c.invalid("spec.validationActions", &spec["validationActions"], "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)");
    }
}
