//! Which names of a definition are accepted: first come, first served within a group.

use serde_json::Value;

use super::conditions;

/// Whether the accepted names are not those of the spec.
pub fn accepted_names_differ(definition: &Value) -> bool {
    definition["status"]["acceptedNames"] != definition["spec"]["names"]
}

/// The definition with its names accepted or refused; `others` are all other definitions.
pub fn with_names_decided(definition: &Value, others: &[&Value], now: &str) -> Value {
    let mut decided = definition.clone();
    let taken = Taken::of(definition, others);
    let wanted = &definition["spec"]["names"];
    let mut accepted = definition["status"]["acceptedNames"].clone();
    let mut problem: Option<(&str, String)> = None;
    let mut decide = |field: &str, reason: &'static str, in_use: &dyn Fn(&str) -> bool| {
        let name = wanted[field].as_str().unwrap_or_default();
        if !name.is_empty() && in_use(name) {
            problem = Some((reason, format!("{name:?} is already in use")));
        } else if !wanted[field].is_null() {
            accepted[field] = wanted[field].clone();
        }
    };
    decide("plural", "PluralConflict", &|name| taken.resources.iter().any(|known| known == name));
    decide("singular", "SingularConflict", &|name| taken.resources.iter().any(|known| known == name));
    decide("kind", "KindConflict", &|name| taken.kinds.iter().any(|known| known == name));
    decide("listKind", "ListKindConflict", &|name| taken.kinds.iter().any(|known| known == name));
    let clashing: Vec<&str> = short_names(wanted).filter(|name| taken.resources.iter().any(|known| known == name)).collect();
    if clashing.is_empty() {
        for field in ["shortNames", "categories"] {
            if !wanted[field].is_null() {
                accepted[field] = wanted[field].clone();
            }
        }
    } else {
        let sentences: Vec<String> = clashing.iter().map(|name| format!("{name:?} is already in use")).collect();
        problem = Some(("ShortNamesConflict", sentences.join(", ")));
    }
    decided["status"]["acceptedNames"] = accepted;
    set_conditions(&mut decided, problem, now);
    decided
}

fn set_conditions(decided: &mut Value, problem: Option<(&str, String)>, now: &str) {
    let established = conditions::has_condition(decided, "Established", "True");
    match problem {
        Some((reason, message)) => {
            conditions::set(decided, now, "NamesAccepted", "False", reason, &message);
            if !established {
                conditions::set(decided, now, "Established", "False", "NotAccepted", "not all names are accepted");
            }
        }
        None => {
            conditions::set(decided, now, "NamesAccepted", "True", "NoConflicts", "no conflicts found");
            if !established {
                conditions::set(decided, now, "Established", "False", "Installing", "the initial names have been accepted");
            }
        }
    }
}

/// Names that other definitions of the group hold.
struct Taken {
    resources: Vec<String>,
    kinds: Vec<String>,
}

impl Taken {
    fn of(definition: &Value, others: &[&Value]) -> Self {
        let mut taken = Self { resources: Vec::new(), kinds: Vec::new() };
        for other in others.iter().filter(|other| other["spec"]["group"] == definition["spec"]["group"]) {
            let names = &other["status"]["acceptedNames"];
            let text = |field: &str| names[field].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
            taken.resources.extend(["plural", "singular"].into_iter().filter_map(text));
            taken.resources.extend(short_names(names).map(str::to_owned));
            taken.kinds.extend(["kind", "listKind"].into_iter().filter_map(text));
        }
        taken
    }
}

fn short_names(names: &Value) -> impl Iterator<Item = &str> {
    names["shortNames"].as_array().into_iter().flatten().filter_map(|name| name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holding(group: &str, names: Value) -> Value {
        json!({ "spec": { "group": group, "names": names.clone() }, "status": { "acceptedNames": names } })
    }

    #[test]
    fn names_that_another_definition_holds_are_refused() {
        let first = holding("ex.io", json!({ "plural": "vs", "singular": "v", "kind": "V", "listKind": "VList" }));
        let names = json!({ "plural": "ws", "singular": "w", "kind": "W", "listKind": "VList" });
        let second = json!({ "spec": { "group": "ex.io", "names": names }, "status": { "acceptedNames": { "plural": "", "kind": "" } } });
        let decided = with_names_decided(&second, &[&first], "2026-01-01T00:00:00Z");
        let accepted = &decided["status"]["conditions"][0];
        assert_eq!(accepted["reason"], "ListKindConflict");
        assert_eq!(accepted["message"], "\"VList\" is already in use");
        assert!(conditions::has_condition(&decided, "Established", "False"));
        assert_eq!(decided["status"]["acceptedNames"]["plural"], "ws");
        assert!(decided["status"]["acceptedNames"]["listKind"].is_null());
    }

    #[test]
    fn the_same_names_in_another_group_do_not_clash() {
        let first = holding("other.io", json!({ "plural": "ws", "kind": "W" }));
        let second = json!({ "spec": { "group": "ex.io", "names": { "plural": "ws", "kind": "W" } }, "status": {} });
        let decided = with_names_decided(&second, &[&first], "2026-01-01T00:00:00Z");
        assert!(conditions::has_condition(&decided, "NamesAccepted", "True"));
        assert!(!accepted_names_differ(&decided));
    }
}
