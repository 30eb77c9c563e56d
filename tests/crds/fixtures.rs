//! The objects and cases under `tests/crds/`.

use serde::Deserialize;
use serde_json::Value;

/// Kinds whose CRDs are looked at.
pub const KINDS: [&str; 3] = ["Model", "ModelDeployment", "Rollback"];

/// A change to an object and what the rules say to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub kind: String,
    pub name: String,
    pub before: Option<Value>,
    pub change: Value,
    pub refused: Option<String>,
}

pub fn cases() -> Vec<Case> {
    serde_saphyr::from_str(include_str!("rules.yaml")).unwrap()
}

/// The object of a kind with every field set.
pub fn full(kind: &str) -> Value {
    let documents: Vec<Value> = serde_saphyr::from_multiple(include_str!("full.yaml")).unwrap();
    documents.into_iter().find(|document| document["kind"] == kind).unwrap()
}

/// The schema of a kind, as it is installed.
pub fn schema(kind: &str) -> Value {
    let crd = modelward::api::crds().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    serde_json::to_value(crd).unwrap().pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap().clone()
}

/// A merge patch, RFC 7386.
pub fn patched(mut target: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    if !target.is_object() {
        target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = &mut target else { return target };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            let before = fields.remove(name).unwrap_or(Value::Null);
            fields.insert(name.clone(), patched(before, change));
        }
    }
    target
}
