//! Defaults of the remaining kinds, each a few fields.

use serde_json::{Map, Value, json};

use super::{fill_spec, name_of};
use crate::sim::builtin::json::{fill, fill_text, items_mut, object_at, object_made, text};

/// `Secret`: the type, and `stringData` moved into `data`.
pub fn secret(object: &mut Value) {
    let Some(secret) = object.as_object_mut() else { return };
    fill_text(secret, "type", "Opaque");
    let Some(Value::Object(texts)) = secret.remove("stringData") else { return };
    if let Some(data) = object_made(object, &["data"]) {
        for (name, text) in texts {
            data.insert(name, json!(base64(text.as_str().unwrap_or_default().as_bytes())));
        }
    }
}

/// Padded standard base64.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (index, byte)| bits | u32::from(*byte) << (16 - 8 * index));
        for index in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * index) & 0x3f) as usize];
            out.push(if index <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// `Namespace`: the label with its name.
pub fn namespace(object: &mut Value) {
    let name = name_of(object);
    if name.is_empty() {
        return;
    }
    if let Some(labels) = object_made(object, &["metadata", "labels"]) {
        labels.insert("kubernetes.io/metadata.name".to_owned(), json!(name));
    }
}

/// `LimitRange`: for containers, defaults follow the greatest and requests follow defaults and the least.
pub fn limit_range(object: &mut Value) {
    let Some(spec) = object_made(object, &["spec"]) else { return };
    for item in items_mut(spec, "limits").filter(|item| item.get("type") == Some(&json!("Container"))) {
        for (to, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
            let source = item.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
            if source.is_empty() {
                continue;
            }
            let target = item.entry(to).or_insert_with(|| json!({}));
            if let Some(target) = target.as_object_mut() {
                source.into_iter().for_each(|(name, amount)| fill(target, &name, amount));
            }
        }
    }
}

/// `PersistentVolumeClaim`.
pub fn claim(object: &mut Value) {
    fill_spec(object, "volumeMode", "Filesystem");
    if let Some(status) = object_made(object, &["status"]) {
        fill_text(status, "phase", "Pending");
    }
}

/// `PersistentVolume`.
pub fn volume(object: &mut Value) {
    fill_spec(object, "volumeMode", "Filesystem");
    fill_spec(object, "persistentVolumeReclaimPolicy", "Retain");
    if let Some(status) = object_made(object, &["status"]) {
        fill_text(status, "phase", "Pending");
    }
}

/// `HorizontalPodAutoscaler`.
pub fn autoscaler(object: &mut Value) {
    fill_spec(object, "minReplicas", 1);
    let cpu = json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]);
    fill_spec(object, "metrics", cpu);
    if let Some(status) = object_at(object, &["status"]) {
        // These two are always there, even with nothing in them.
        fill(status, "desiredReplicas", 0);
        status.entry("currentMetrics").or_insert(Value::Null);
    }
    let Some(behavior) = object_at(object, &["spec", "behavior"]) else { return };
    let fast = json!([{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]);
    let halving = json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]);
    scaling_rules(behavior, "scaleUp", fast);
    scaling_rules(behavior, "scaleDown", halving);
    if let Some(up) = behavior.get_mut("scaleUp").and_then(Value::as_object_mut) {
        fill(up, "stabilizationWindowSeconds", 0);
    }
}

/// The directions of an autoscaler's behavior in which the list of policies is there and empty.
pub fn directions_without_policies(object: &Value) -> Vec<&'static str> {
    let empty = |direction: &&str| object["spec"]["behavior"][*direction]["policies"].as_array().is_some_and(Vec::is_empty);
    ["scaleUp", "scaleDown"].into_iter().filter(empty).collect()
}

fn scaling_rules(behavior: &mut Map<String, Value>, direction: &str, policies: Value) {
    let rules = behavior.entry(direction).or_insert_with(|| json!({}));
    if let Some(rules) = rules.as_object_mut() {
        fill(rules, "selectPolicy", "Max");
        fill(rules, "policies", policies);
    }
}

/// `PriorityClass`.
pub fn priority_class(object: &mut Value) {
    if let Some(class) = object.as_object_mut() {
        fill(class, "preemptionPolicy", "PreemptLowerPriority");
    }
}

/// `StorageClass`.
pub fn storage_class(object: &mut Value) {
    if let Some(class) = object.as_object_mut() {
        fill(class, "reclaimPolicy", "Delete");
        fill(class, "volumeBindingMode", "Immediate");
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// `RoleBinding` and `ClusterRoleBinding`.
pub fn role_binding(object: &mut Value) {
    if let Some(role) = object_at(object, &["roleRef"]) {
        fill_text(role, "apiGroup", RBAC);
    }
    let Some(binding) = object.as_object_mut() else { return };
    for subject in items_mut(binding, "subjects") {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            fill_text(subject, "apiGroup", RBAC);
        }
    }
}

/// `ValidatingAdmissionPolicy`.
pub fn admission_policy(object: &mut Value) {
    fill_spec(object, "failurePolicy", "Fail");
    if let Some(resources) = object_at(object, &["spec", "matchConstraints"]) {
        match_resources(resources);
    }
}

/// `ValidatingAdmissionPolicyBinding`.
pub fn admission_binding(object: &mut Value) {
    if let Some(resources) = object_at(object, &["spec", "matchResources"]) {
        match_resources(resources);
    }
}

fn match_resources(resources: &mut Map<String, Value>) {
    fill(resources, "matchPolicy", "Equivalent");
    fill(resources, "namespaceSelector", json!({}));
    fill(resources, "objectSelector", json!({}));
    for rules in ["resourceRules", "excludeResourceRules"] {
        items_mut(resources, rules).for_each(|rule| fill(rule, "scope", "*"));
    }
}

/// `CustomResourceDefinition`: derived names and conversion.
pub fn custom_resource_definition(object: &mut Value) {
    if let Some(spec) = object_made(object, &["spec"]) {
        fill(spec, "conversion", json!({"strategy": "None"}));
    }
    let Some(names) = object.pointer_mut("/spec/names") else { return };
    let kind = text(names, "kind").to_owned();
    if let Some(names) = names.as_object_mut().filter(|_| !kind.is_empty()) {
        fill_text(names, "singular", &kind.to_lowercase());
        fill_text(names, "listKind", &format!("{kind}List"));
    }
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_padded() {
        for (plain, coded) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("hello", "aGVsbG8=")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
