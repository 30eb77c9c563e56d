//! What every schema of ours keeps: it is structural, everything in it is bounded, and it says what it is.

use modelward::api::{Model, ModelDeployment};
use serde_json::Value;

use crate::evaluate::defaulted;
use crate::fixtures::{KINDS, full, schema};

/// Walks a schema and gives each node with its path.
fn nodes(path: &str, node: &Value, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), node.clone()));
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        nodes(&format!("{path}.{name}"), child, found);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if node[key].is_object() {
            nodes(&format!("{path}{mark}"), &node[key], found);
        }
    }
}

fn all_nodes(kind: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for part in ["spec", "status"] {
        nodes(part, &schema(kind)["properties"][part], &mut found);
    }
    found
}

fn preserves(node: &Value) -> bool {
    node["x-kubernetes-preserve-unknown-fields"] == true
}

fn int_or_string(node: &Value) -> bool {
    node["x-kubernetes-int-or-string"] == true
}

/// What is wrong with one node, if anything.
fn fault(node: &Value) -> Option<&'static str> {
    let kind = node["type"].as_str();
    let closed = node["enum"].is_array() || node["format"] == "date-time";
    match kind {
        Some("string") if !closed && node["maxLength"].is_null() => return Some("a text without maxLength"),
        None if int_or_string(node) && node["maxLength"].is_null() => return Some("a number or text without maxLength"),
        Some("array") if node["maxItems"].is_null() => return Some("a list without maxItems"),
        Some("array") if !node["items"].is_object() => return Some("a list of nobody knows what"),
        Some("object") if node["additionalProperties"].is_object() && node["maxProperties"].is_null() => {
            return Some("a map without maxProperties");
        }
        Some("object") if node["properties"].is_null() && !node["additionalProperties"].is_object() && !preserves(node) => {
            return Some("an object without fields");
        }
        None if !int_or_string(node) && !preserves(node) => return Some("no type: not structural"),
        _ => {}
    }
    if node["properties"].is_object() && !node["additionalProperties"].is_null() {
        return Some("fields and a map at once: not structural");
    }
    if ["anyOf", "oneOf", "allOf", "not", "$ref", "nullable"].iter().any(|key| !node[*key].is_null()) {
        return Some("anyOf, oneOf, allOf, not, $ref or nullable");
    }
    let formats = ["int32", "int64", "double", "date-time"];
    if node["format"].as_str().is_some_and(|format| !formats.contains(&format)) {
        return Some("a format that the API server warns about");
    }
    (node["enum"].as_array().is_some_and(|values| values.contains(&Value::Null))).then_some("null in an enum")
}

#[test]
fn every_text_list_and_map_is_bounded_and_every_schema_structural() {
    for kind in KINDS {
        for (path, node) in all_nodes(kind) {
            assert_eq!(fault(&node), None, "{kind}.{path}: {node}");
        }
    }
}

#[test]
fn a_schema_that_breaks_the_rules_of_the_house_is_seen() {
    let bad = [
        serde_json::json!({"type": "string"}),
        serde_json::json!({"type": "array", "items": {"type": "boolean"}}),
        serde_json::json!({"type": "object", "additionalProperties": {"type": "number"}}),
        serde_json::json!({"type": "object"}),
        serde_json::json!({"type": "integer", "format": "uint32"}),
        serde_json::json!({"anyOf": [{"type": "string"}]}),
        serde_json::json!({"type": "string", "enum": ["a", null]}),
        serde_json::json!({"type": "boolean", "nullable": true}),
        serde_json::json!({"type": "object", "properties": {}, "additionalProperties": true}),
    ];
    for node in bad {
        assert!(fault(&node).is_some(), "{node}");
    }
}

#[test]
fn every_field_is_described() {
    for kind in KINDS {
        for (path, node) in all_nodes(kind) {
            let inner = path.ends_with(']') || path.ends_with('}');
            assert!(inner || node["description"].as_str().is_some_and(|text| text.len() > 3), "{kind}.{path} has no description");
        }
    }
}

/// A renamed value would make every object that holds the old one impossible to patch.
#[test]
fn status_has_no_enums_but_that_of_conditions() {
    for kind in KINDS {
        for (path, node) in all_nodes(kind).iter().filter(|(path, _)| path.starts_with("status")) {
            assert!(node["enum"].is_null() || path == "status.conditions[].status", "{kind}.{path} is an enum");
        }
    }
}

/// A default that changes with the CRD would change the pods.
#[test]
fn nothing_that_ends_up_in_a_pod_has_a_default() {
    for (path, node) in all_nodes("ModelDeployment") {
        let pod = ["spec.container", "spec.resources", "spec.podTemplate"].iter().any(|part| path.starts_with(part));
        assert!(!pod || node["default"].is_null(), "{path} has a default");
    }
}

/// kstatus takes an object without conditions, or one whose observedGeneration it cannot see, for done.
#[test]
fn an_object_that_the_operator_has_not_seen_is_not_done() {
    for kind in KINDS {
        let object = defaulted(&schema(kind), full(kind));
        assert_eq!(object["status"]["observedGeneration"], -1, "{kind}");
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let said: Vec<_> = conditions.iter().map(|condition| (&condition["type"], &condition["status"])).collect();
        assert_eq!(said, [(&"Ready".into(), &"Unknown".into())], "{kind}");
    }
}

#[test]
fn the_object_with_every_field_has_every_field_of_the_schema() {
    for kind in KINDS {
        let mut missing = Vec::new();
        absent("spec", &schema(kind)["properties"]["spec"], &[&full(kind)["spec"]], &mut missing);
        // One step, one probe, one handler each: these are alternatives, set elsewhere in the same object.
        missing.retain(|path| {
            !path.contains("Probe")
                && !path.ends_with("replaceFullPath")
                && !path.ends_with("blueGreen")
                && !path.ends_with(".keda")
                && path != "spec.toVersion"
        });
        assert_eq!(missing, Vec::<String>::new(), "{kind}: add it to tests/crds/full.yaml");
    }
}

/// Fields of a schema that none of the values has.
fn absent(path: &str, node: &Value, values: &[&Value], missing: &mut Vec<String>) {
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let found: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
        if found.is_empty() {
            missing.push(path);
        } else {
            absent(&path, child, &found, missing);
        }
    }
    if node["items"].is_object() {
        let items: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
        absent(path, &node["items"], &items, missing);
    }
}

#[test]
fn a_spec_is_read_and_written_without_loss() {
    let model = full("Model");
    let read: Model = serde_json::from_value(model.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), model);
    let deployment = full("ModelDeployment");
    let read: ModelDeployment = serde_json::from_value(deployment.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), deployment);
}

#[test]
fn an_object_with_the_defaulted_status_is_read() {
    let model: Model = serde_json::from_value(defaulted(&schema("Model"), full("Model"))).unwrap();
    assert_eq!(model.status.unwrap().observed_generation, Some(-1));
    let deployment: ModelDeployment = serde_json::from_value(defaulted(&schema("ModelDeployment"), full("ModelDeployment"))).unwrap();
    assert_eq!(deployment.status.unwrap().conditions.len(), 1);
}

#[test]
fn the_smallest_objects_are_read_and_nothing_is_written_as_null() {
    let model = serde_json::json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "Model", "metadata": {"name": "m"}, "spec": {}});
    let read: Model = serde_json::from_value(model.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), model);
    let spec = serde_json::json!({"model": "m", "version": "1.0.0"});
    let deployment =
        serde_json::json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "m"}, "spec": spec});
    let read: ModelDeployment = serde_json::from_value(deployment.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), defaulted_spec(deployment));
}

fn defaulted_spec(object: Value) -> Value {
    let mut object = defaulted(&schema("ModelDeployment"), object);
    object.as_object_mut().unwrap().remove("status");
    object
}
