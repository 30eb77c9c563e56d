//! The CustomResourceDefinitions, as they are installed.
//!
//! What the derive macros give, and on top: no `nullable` (a field is left out or has a value; a null would count as present in CEL),
//! and a default for `status`, so that no reader takes an object that the operator has not seen yet for done.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::CustomResourceExt;
use serde_json::{Value, json};

use crate::api::conditions;
use crate::api::{Model, ModelDeployment, Rollback};

/// One CRD per kind, sorted by name.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![finished(ModelDeployment::crd()), finished(Model::crd()), finished(Rollback::crd())]
}

fn finished(crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let mut value = json!(crd);
    tidy(&mut value);
    if let Some(status) = value.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status") {
        status["default"] = unseen_status();
    }
    serde_json::from_value(value).expect("a CRD without nullable and with a default is a CRD")
}

/// What status says until the operator has looked: a generation that no object has, and a condition that nobody takes for done.
///
/// Only what the operator writes with every status: a default that was stored once belongs to nobody, so that a later server-side
/// apply that leaves a condition out would not take it away.
fn unseen_status() -> Value {
    json!({
        "observedGeneration": -1,
        "phase": "Pending",
        "conditions": [{
            "type": conditions::READY,
            "status": "Unknown",
            "reason": conditions::reason::PENDING,
            "message": "waiting for the operator",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    })
}

/// Takes `nullable` out of every schema, and the line breaks of the source out of every description (paragraphs stay).
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("nullable").is_some_and(Value::is_boolean) {
                map.remove("nullable");
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{crds, tidy};

    #[test]
    fn all_kinds_are_served_with_their_subresources() {
        let names: Vec<_> = crds().into_iter().map(|crd| (crd.metadata.name.unwrap(), crd.spec.versions)).collect();
        assert_eq!(names[0].0, "modeldeployments.modelward.dev");
        assert_eq!(names[1].0, "models.modelward.dev");
        assert_eq!(names[2].0, "rollbacks.modelward.dev");
        let scale = names[0].1[0].subresources.clone().unwrap().scale.unwrap();
        assert_eq!(scale.label_selector_path.as_deref(), Some(".status.selector"));
        for (name, versions) in &names {
            assert_eq!(versions.len(), 1, "{name}");
            assert!(versions[0].served && versions[0].storage && versions[0].subresources.as_ref().unwrap().status.is_some(), "{name}");
        }
    }

    #[test]
    fn line_breaks_of_the_source_go_and_paragraphs_stay() {
        let mut schema =
            serde_json::json!({"nullable": true, "description": "one\ntwo\n\nthree", "properties": {"nullable": {"type": "string"}}});
        tidy(&mut schema);
        let expected = serde_json::json!({"description": "one two\n\nthree", "properties": {"nullable": {"type": "string"}}});
        assert_eq!(schema, expected);
    }
}
