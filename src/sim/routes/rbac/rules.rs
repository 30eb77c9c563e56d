//! One rule of a role: what it allows, and whether some rules cover others.
//!
//! Takes rules as JSON (`PolicyRule`); gives answers about them. Knows nothing of bindings and of the cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::access::Attributes;

/// Whether a rule allows a request.
pub(super) fn allows(rule: &Value, attributes: &Attributes<'_>) -> bool {
    if !has(rule, "verbs", attributes.verb) {
        return false;
    }
    if !attributes.path.is_empty() {
        return texts(rule, "nonResourceURLs").any(|pattern| path_matches(pattern, attributes.path));
    }
    has(rule, "apiGroups", attributes.group)
        && texts(rule, "resources").any(|pattern| resource_matches(pattern, attributes.resource, attributes.subresource))
        && (texts(rule, "resourceNames").next().is_none() || texts(rule, "resourceNames").any(|name| name == attributes.name))
}

fn texts<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    rule[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The field names the value, or everything.
fn has(rule: &Value, field: &str, value: &str) -> bool {
    texts(rule, field).any(|pattern| pattern == "*" || pattern == value)
}

fn resource_matches(pattern: &str, resource: &str, subresource: &str) -> bool {
    match (pattern, pattern.split_once('/')) {
        ("*", _) => true,
        (_, None) => subresource.is_empty() && pattern == resource,
        (_, Some((of, below))) => !subresource.is_empty() && below == subresource && (of == "*" || of == resource),
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.strip_suffix('*').is_some_and(|start| path.starts_with(start))
}

/// One thing that may be done, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    group: String,
    resource: String,
    /// Empty: all names.
    name: String,
    /// Empty: a resource is meant.
    path: String,
    verb: String,
}

/// Rights that are not covered; shown as the API server lists them, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim::routes) struct Missing(Vec<Right>);

/// What of `wanted` no rule of `held` covers; `None` if all is covered.
pub(in crate::sim::routes) fn missing(held: &[Value], wanted: &[Value]) -> Option<Missing> {
    let rights = wanted.iter().flat_map(rights_of).filter(|right| !held.iter().any(|rule| covers(rule, right)));
    let rights: Vec<Right> = rights.collect();
    if rights.is_empty() { None } else { Some(Missing(rights)) }
}

fn rights_of(rule: &Value) -> Vec<Right> {
    let mut rights = Vec::new();
    for verb in texts(rule, "verbs") {
        for path in texts(rule, "nonResourceURLs") {
            let nothing = String::new;
            rights.push(Right { group: nothing(), resource: nothing(), name: nothing(), path: path.to_owned(), verb: verb.to_owned() });
        }
        let mut names: Vec<&str> = texts(rule, "resourceNames").collect();
        if names.is_empty() {
            names.push("");
        }
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                rights.extend(names.iter().map(|name| Right {
                    group: group.to_owned(),
                    resource: resource.to_owned(),
                    name: (*name).to_owned(),
                    path: String::new(),
                    verb: verb.to_owned(),
                }));
            }
        }
    }
    rights
}

fn covers(rule: &Value, right: &Right) -> bool {
    if !has(rule, "verbs", &right.verb) {
        return false;
    }
    if !right.path.is_empty() {
        return texts(rule, "nonResourceURLs").any(|pattern| path_matches(pattern, &right.path));
    }
    let resource = |pattern: &str| {
        let below = |(_, below): (&str, &str)| pattern.strip_prefix("*/") == Some(below);
        pattern == "*" || pattern == right.resource || right.resource.split_once('/').is_some_and(below)
    };
    let names: Vec<&str> = texts(rule, "resourceNames").collect();
    has(rule, "apiGroups", &right.group)
        && texts(rule, "resources").any(resource)
        && (names.is_empty() || !right.name.is_empty() && names.contains(&right.name.as_str()))
}

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut by_target: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
        let mut lines = BTreeSet::new();
        for right in &self.0 {
            if right.path.is_empty() {
                let verbs = by_target.entry((&right.group, &right.resource, &right.name)).or_default();
                if !verbs.contains(&right.verb.as_str()) {
                    verbs.push(&right.verb);
                }
            } else {
                lines.insert(format!("{{NonResourceURLs:[{:?}], Verbs:[{:?}]}}", right.path, right.verb));
            }
        }
        for ((group, resource, name), verbs) in by_target {
            let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
            let names = if name.is_empty() { String::new() } else { format!(", ResourceNames:[{name:?}]") };
            lines.insert(format!("{{APIGroups:[{group:?}], Resources:[{resource:?}]{names}, Verbs:[{}]}}", verbs.join(" ")));
        }
        let lines: Vec<String> = lines.into_iter().collect();
        formatter.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::access::Attributes;
    use super::{allows, missing};

    fn of<'a>(verb: &'a str, group: &'a str, resource: &'a str, subresource: &'a str, name: &'a str) -> Attributes<'a> {
        Attributes { verb, group, resource, subresource, name, ..Attributes::default() }
    }

    #[test]
    fn rules_allow_what_they_name_and_nothing_else() {
        let rule = json!({"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods", "pods/log", "*/scale"]});
        for (attributes, allowed) in [
            (of("get", "", "pods", "", "a"), true),
            (of("list", "apps", "pods", "", ""), true),
            (of("get", "", "pods", "log", "a"), true),
            (of("get", "apps", "deployments", "scale", "a"), true),
            (of("get", "", "pods", "exec", "a"), false),
            (of("get", "apps", "deployments", "", "a"), false),
            (of("watch", "", "pods", "", ""), false),
            (of("get", "batch", "pods", "", "a"), false),
            (Attributes { verb: "get", path: "/version", ..Attributes::default() }, false),
        ] {
            assert_eq!(allows(&rule, &attributes), allowed, "{attributes:?}");
        }
    }

    #[test]
    fn names_limit_a_rule_and_exclude_requests_without_a_name() {
        let rule = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["a"]});
        assert!(allows(&rule, &of("get", "x", "secrets", "status", "a")));
        assert!(!allows(&rule, &of("get", "", "secrets", "", "b")));
        assert!(!allows(&rule, &of("list", "", "secrets", "", "")));
    }

    #[test]
    fn paths_match_exactly_or_by_their_beginning() {
        let rule = json!({"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/version"]});
        let path = |path| allows(&rule, &Attributes { verb: "get", path, ..Attributes::default() });
        assert!(path("/api") && path("/api/v1") && path("/version"));
        assert!(!path("/apis") && !path("/version/") && !path("/"));
    }

    fn lines(held: &Value, wanted: &Value) -> String {
        let held = held.as_array().cloned().unwrap_or_default();
        missing(&held, std::slice::from_ref(wanted)).map(|missing| missing.to_string()).unwrap_or_default()
    }

    #[test]
    fn missing_rights_are_listed_by_target() {
        let wanted = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets", "pods/log"]});
        let all = "{APIGroups:[\"\"], Resources:[\"pods/log\"], Verbs:[\"get\" \"list\"]}\n\
                   {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}";
        assert_eq!(lines(&json!([]), &wanted), all);
        let some = json!([{"verbs": ["get"], "apiGroups": ["*"], "resources": ["secrets"]},
            {"verbs": ["*"], "apiGroups": [""], "resources": ["*/log"]}]);
        assert_eq!(lines(&some, &wanted), "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"list\"]}");
        assert_eq!(lines(&json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]), &wanted), "");
    }

    #[test]
    fn a_right_to_some_names_does_not_cover_all_names() {
        let named = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]});
        let all = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]});
        assert_eq!(lines(&json!([all]), &named), "");
        assert_eq!(lines(&json!([named]), &named), "");
        assert_eq!(lines(&json!([named]), &all), "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\"]}");
        let path = json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"]});
        assert_eq!(lines(&json!([]), &path), "{NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}");
        assert_eq!(lines(&json!([{"verbs": ["*"], "nonResourceURLs": ["/m*"]}]), &path), "");
    }
}
