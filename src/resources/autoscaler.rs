//! The scaler of a revision: a HorizontalPodAutoscaler, or a ScaledObject of KEDA. Bounds come in; what is measured is the user's.
//!
//! Placeholders are filled in with names that Kubernetes allows for objects: letters, digits and `-`. They need no escaping in any place.

use serde_json::{Map, Value, json};

use crate::api::model_deployment::{Autoscaling, Keda, KedaTrigger};
use crate::resources::{Owner, labels};

/// What may stand between `{{` and `}}`.
const PLACEHOLDERS: [&str; 4] = ["namespace", "deployment", "revision", "pods"];

/// Who is scaled, and between how many pods.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The revision, which is the name of its Deployment and of the scaler.
    pub name: &'a str,
    /// Name of the Model.
    pub model: &'a str,
    /// Version of the model.
    pub version: &'a str,
    /// Fewest pods.
    pub min: i32,
    /// Most pods.
    pub max: i32,
}

/// Builds the scaler of `target`; `None` when `autoscaling` names nothing to measure by.
pub fn build(owner: &Owner, target: &Target<'_>, autoscaling: &Autoscaling) -> Option<Value> {
    let fill = |value: Value| filled(value, &|text| fill(text, owner, target.name));
    let (kind, mut spec) = match (&autoscaling.hpa, &autoscaling.keda) {
        (Some(hpa), _) => (("autoscaling/v2", "HorizontalPodAutoscaler"), fill(json!(hpa))),
        (None, Some(keda)) => (("keda.sh/v1alpha1", "ScaledObject"), fill(of_keda(keda))),
        (None, None) => return None,
    };
    let (least, most) = if autoscaling.hpa.is_some() { ("minReplicas", "maxReplicas") } else { ("minReplicaCount", "maxReplicaCount") };
    spec[least] = json!(target.min);
    spec[most] = json!(target.max);
    spec["scaleTargetRef"] = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": target.name });
    let labels = labels::of_revision(&owner.name, target.name, target.model, target.version);
    Some(json!({ "apiVersion": kind.0, "kind": kind.1, "metadata": owner.metadata(target.name, &labels), "spec": spec }))
}

fn of_keda(keda: &Keda) -> Value {
    let mut spec = json!({ "triggers": keda.triggers.iter().map(trigger).collect::<Vec<Value>>() });
    for (field, seconds) in [("pollingInterval", keda.polling_interval), ("cooldownPeriod", keda.cooldown_period)] {
        if let Some(seconds) = seconds {
            spec[field] = json!(seconds);
        }
    }
    if let Some(behavior) = &keda.behavior {
        spec["advanced"] = json!({ "horizontalPodAutoscalerConfig": { "behavior": behavior } });
    }
    spec
}

fn trigger(trigger: &KedaTrigger) -> Value {
    let mut object = json!(trigger);
    if let Some(reference) = object.get_mut("authenticationRef").and_then(Value::as_object_mut) {
        // One of the whole cluster would need another kind.
        reference.insert("kind".to_owned(), json!("TriggerAuthentication"));
    }
    object
}

/// Every text in `value`, filled in.
fn filled(value: Value, fill: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(fill(&text)),
        Value::Array(items) => items.into_iter().map(|item| filled(item, fill)).collect(),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(key, value)| (key, filled(value, fill))).collect::<Map<_, _>>()),
        other => other,
    }
}

fn fill(text: &str, owner: &Owner, revision: &str) -> String {
    let pods = format!("{revision}-.+");
    let values = [owner.namespace.as_str(), &owner.name, revision, &pods];
    PLACEHOLDERS.iter().zip(values).fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// The placeholders in the texts of `value`, known or not.
pub fn placeholders(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap_or_default().to_owned()).collect(),
        Value::Array(items) => items.iter().flat_map(placeholders).collect(),
        Value::Object(fields) => fields.values().flat_map(placeholders).collect(),
        _ => Vec::new(),
    }
}

/// A placeholder that would not be filled in.
pub fn is_unknown(placeholder: &str) -> bool {
    !PLACEHOLDERS.contains(&placeholder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { namespace: "shop".to_owned(), name: "chat".to_owned(), uid: "1".to_owned() }
    }

    fn autoscaling(rest: &Value) -> Autoscaling {
        let mut whole = json!({ "minReplicas": 0, "maxReplicas": 9 });
        whole.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn built(rest: &Value) -> Value {
        let target = Target { name: "chat-5f", model: "llama", version: "1.2.0", min: 2, max: 7 };
        build(&owner(), &target, &autoscaling(rest)).unwrap()
    }

    #[test]
    fn an_hpa_is_that_of_the_user_with_bounds_target_and_names() {
        let metric = json!({
            "type": "External",
            "external": {
                "metric": { "name": "queue", "selector": { "matchLabels": { "service": "{{revision}}", "in": "{{namespace}}" } } },
                "target": { "type": "AverageValue", "averageValue": "5" },
            },
        });
        let hpa = built(&json!({ "hpa": { "metrics": [metric], "behavior": { "scaleDown": { "stabilizationWindowSeconds": 60 } } } }));
        assert_eq!((&hpa["apiVersion"], &hpa["kind"]), (&json!("autoscaling/v2"), &json!("HorizontalPodAutoscaler")));
        let spec = &hpa["spec"];
        assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(2), &json!(7)));
        assert_eq!(spec["scaleTargetRef"]["name"], "chat-5f");
        assert_eq!(spec["metrics"][0]["external"]["metric"]["selector"]["matchLabels"], json!({ "service": "chat-5f", "in": "shop" }));
        assert_eq!(spec["behavior"], json!({ "scaleDown": { "stabilizationWindowSeconds": 60 } }));
    }

    #[test]
    fn a_scaled_object_is_that_of_the_user_in_the_words_of_keda() {
        let trigger = json!({
            "type": "prometheus", "metadata": { "query": "sum(rate(x{pod=~\"{{pods}}\"}[1m]))", "threshold": "5" },
            "authenticationRef": { "name": "token" },
        });
        let scaled = built(&json!({ "keda": { "triggers": [trigger], "cooldownPeriod": 60, "behavior": { "scaleUp": {} } } }));
        assert_eq!((&scaled["apiVersion"], &scaled["kind"]), (&json!("keda.sh/v1alpha1"), &json!("ScaledObject")));
        let spec = &scaled["spec"];
        assert_eq!((&spec["minReplicaCount"], &spec["maxReplicaCount"], &spec["cooldownPeriod"]), (&json!(2), &json!(7), &json!(60)));
        assert_eq!(spec["triggers"][0]["metadata"]["query"], "sum(rate(x{pod=~\"chat-5f-.+\"}[1m]))");
        assert_eq!(spec["triggers"][0]["authenticationRef"], json!({ "name": "token", "kind": "TriggerAuthentication" }));
        assert_eq!(spec["advanced"], json!({ "horizontalPodAutoscalerConfig": { "behavior": { "scaleUp": {} } } }));
    }

    #[test]
    fn placeholders_are_found_wherever_they_stand() {
        let value = json!({ "a": ["{{revision}}-x{{pod}}"], "b": { "c": "{{ namespace }}" }, "d": 1 });
        let found = placeholders(&value);
        assert_eq!(found, ["revision", "pod", " namespace "]);
        assert_eq!(found.iter().filter(|found| is_unknown(found)).count(), 2);
    }
}
