//! The CustomResourceDefinitions, as they are installed.
//!
//! What the derive macros give, and on top: no `nullable` (a field is left out or has a value; a null would count as present in CEL),
//! and a default for `status`, so that no reader takes an object that the operator has not seen yet for done.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::CustomResourceExt;
use serde_json::{Value, json};

use crate::api::conditions;
use crate::api::{Model, ModelDeployment};

/// One CRD per kind, sorted by name of the kind.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![finished(Model::crd()), finished(ModelDeployment::crd())]
}

fn finished(crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let mut value = json!(crd);
    strip(&mut value);
    if let Some(status) = value.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status") {
        status["default"] = unseen_status();
    }
    serde_json::from_value(value).unwrap_or(crd)
}

/// What status says until the operator has looked: a generation that no object has, and conditions that nobody takes for done.
fn unseen_status() -> Value {
    let unknown = |kind: &str, status: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": conditions::reason::PENDING,
            "message": "waiting for the operator",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        })
    };
    json!({
        "observedGeneration": -1,
        "phase": "Pending",
        "conditions": [unknown(conditions::READY, "Unknown"), unknown(conditions::RECONCILING, "True")],
    })
}

/// Takes `nullable` out of every schema.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("nullable").is_some_and(Value::is_boolean) {
                map.remove("nullable");
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
