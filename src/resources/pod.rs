//! The pod template of a revision.
//!
//! Rendered once, when the revision is made, and kept in its record: an upgrade of the operator restarts no model.

use serde_json::{Map, Value, json};

use crate::resources::labels;
use crate::resources::overlay;
use crate::resources::revision::Input;

/// Name of the container that serves the model.
pub const CONTAINER: &str = "model";
/// Port that a container listens on if it names none.
pub const DEFAULT_PORT: i64 = 8080;
/// Name of that port.
pub const DEFAULT_PORT_NAME: &str = "http";

/// Renders the pod template of `revision` of `deployment`.
pub fn template(deployment: &str, revision: &str, input: &Input) -> Value {
    let mut spec = Map::new();
    spec.insert("containers".to_owned(), json!([container(input)]));
    let overlaid = input.pod_template.get("spec").and_then(Value::as_object);
    if let Some(overlaid) = overlaid {
        overlay::merge(&mut spec, overlaid);
    }
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            put_model_first(container, input);
        }
    }
    json!({ "metadata": metadata(deployment, revision, input), "spec": spec })
}

fn metadata(deployment: &str, revision: &str, input: &Input) -> Value {
    let given =
        |field: &str| input.pod_template.pointer(&format!("/metadata/{field}")).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut all = given("labels");
    for (key, value) in labels::of_revision(deployment, revision, &input.model, &input.version) {
        all.insert(key, json!(value));
    }
    let annotations = given("annotations");
    if annotations.is_empty() { json!({ "labels": all }) } else { json!({ "labels": all, "annotations": annotations }) }
}

fn container(input: &Input) -> Value {
    let mut container = input.container.clone();
    container.insert("name".to_owned(), json!(CONTAINER));
    container.insert("image".to_owned(), json!(input.image));
    if !input.resources.is_empty() {
        container.insert("resources".to_owned(), Value::Object(input.resources.clone()));
    }
    if container.get("ports").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        container.insert("ports".to_owned(), json!([{ "name": DEFAULT_PORT_NAME, "containerPort": DEFAULT_PORT }]));
    }
    if !container.contains_key("readinessProbe") {
        let port = container["ports"][0]["containerPort"].clone();
        container.insert("readinessProbe".to_owned(), json!({ "tcpSocket": { "port": port } }));
    }
    Value::Object(container)
}

/// What the version is goes to every container, before its own variables, which may refer to it.
fn put_model_first(container: &mut Value, input: &Input) {
    let ours =
        [("MODEL_NAME", &input.model), ("MODEL_VERSION", &input.version), ("MODEL_URI", &input.uri), ("MODEL_DIGEST", &input.digest)];
    let mut env: Vec<Value> = Vec::new();
    env.extend(ours.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| json!({ "name": name, "value": value })));
    let own = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
    env.extend(own.into_iter().filter(|variable| ours.iter().all(|(name, _)| variable["name"] != *name)));
    container["env"] = Value::Array(env);
}

/// The port that Services target: the first of the model's container.
pub fn port(template: &Value) -> Value {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array);
    let container = containers.into_iter().flatten().find(|container| container["name"] == CONTAINER);
    container.and_then(|container| container.pointer("/ports/0/containerPort")).cloned().unwrap_or(json!(DEFAULT_PORT))
}
