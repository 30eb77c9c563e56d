//! Rules about `allOf`, `anyOf`, `oneOf` and `not`: they may restrict what the structure declares, never declare more.

use serde_json::Value;

use super::super::{entries, flag};
use crate::sim::api_error::Cause;
use crate::sim::schema::path::{Path, Step};
use crate::sim::schema::text::{forbidden, required};

/// Keys that describe structure and hence are not allowed inside a branch, with the server's demand.
const STRUCTURE: [(&str, &str); 13] = [
    ("type", "must be empty to be structural"),
    ("default", "must be undefined to be structural"),
    ("nullable", "must be false to be structural"),
    ("description", "must be empty to be structural"),
    ("title", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
];

/// Checks the branches of one node.
pub fn check(openapi: &Value, at: &Path<'_>, causes: &mut Vec<Cause>) {
    for name in ["allOf", "anyOf", "oneOf"] {
        let place = at.child(Step::Field(name));
        for (index, branch) in openapi.get(name).and_then(Value::as_array).into_iter().flatten().enumerate() {
            let types_allowed = flag(openapi, "x-kubernetes-int-or-string");
            branch_node(branch, openapi, types_allowed, [&place.child(Step::Index(index)), at], causes);
        }
    }
    if let Some(not) = openapi.get("not") {
        branch_node(not, openapi, false, [&at.child(Step::Field("not")), at], causes);
    }
}

/// `here` is the place in the branch, `there` that of the structure it restricts.
fn branch_node(branch: &Value, structure: &Value, types_allowed: bool, [here, there]: [&Path<'_>; 2], causes: &mut Vec<Cause>) {
    for (key, demand) in STRUCTURE {
        let harmless = matches!(branch.get(key), None | Some(Value::Bool(false)));
        let int_or_string = types_allowed && key == "type" && (branch[key] == "integer" || branch[key] == "string");
        if !harmless && !int_or_string {
            causes.push(forbidden(here.child(Step::Field(key)).bracketed(), demand));
        }
    }
    let (here_properties, there_properties) = (here.child(Step::Field("properties")), there.child(Step::Field("properties")));
    for (name, field) in entries(branch.get("properties")) {
        let (here, there) = (here_properties.child(Step::Key(name)), there_properties.child(Step::Key(name)));
        match structure.get("properties").and_then(|properties| properties.get(name)) {
            Some(declared) => branch_node(field, declared, false, [&here, &there], causes),
            None => causes.push(required(there.bracketed(), &format!("because it is defined in {}", here.bracketed()))),
        }
    }
    if let Some(items) = branch.get("items") {
        let (here, there) = (here.child(Step::Field("items")), there.child(Step::Field("items")));
        match structure.get("items") {
            Some(declared) => branch_node(items, declared, false, [&here, &there], causes),
            None => causes.push(required(there.bracketed(), &format!("because it is defined in {}", here.bracketed()))),
        }
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        let place = here.child(Step::Field(name));
        for (index, inner) in branch.get(name).and_then(Value::as_array).into_iter().flatten().enumerate() {
            branch_node(inner, structure, types_allowed, [&place.child(Step::Index(index)), there], causes);
        }
    }
    if let Some(not) = branch.get("not") {
        branch_node(not, structure, false, [&here.child(Step::Field("not")), there], causes);
    }
}
