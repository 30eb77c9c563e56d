//! Minimal objects, varied by what a scenario is about.

use serde_json::{Value, json};

use crate::arena::Arena;

/// A model with versions 1.0.0, 1.1.0 and 1.2.0.
pub fn model() -> Value {
    let version = |version: &str| json!({"version": version, "artifact": {"uri": format!("s3://models/chat/{version}")}});
    json!({"metadata": {"name": "chat"}, "spec": {"versions": [version("1.0.0"), version("1.1.0"), version("1.2.0")]}})
}

/// How traffic is split in a scenario that plays with both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// By ready pods.
    Pods,
    /// By an HTTPRoute.
    Route,
}

/// A deployment `chat` of `version`, with four pods and steps at 25 % and 50 %.
pub fn canary(arena: &Arena, version: &str, split: Split) -> Value {
    let pace = &arena.pace;
    let step = |weight: i64| json!({"weight": weight, "holdFor": pace.hold});
    let mut traffic = json!({"drain": pace.drain, "propagationDelay": pace.propagation});
    if split == Split::Route {
        traffic["gateways"] = json!([{"name": "public"}]);
    }
    json!({
        "metadata": {"name": "chat"},
        "spec": {
            "model": "chat",
            "version": version,
            "replicas": 4,
            "container": {"image": "vllm/vllm-openai:v0.11.0", "args": ["--model", "$(MODEL_URI)"]},
            "progressDeadline": pace.long_deadline,
            "strategy": {"type": "Canary", "canary": {"steps": [step(25), step(50)]}},
            "traffic": traffic,
        },
    })
}

/// Makes the pods of a deployment behave in a way that both arms know (`never`, `slow`, `crash` or `no-image`), and gives
/// them until `deadline`.
pub fn with_startup(mut deployment: Value, startup: &str, deadline: &str) -> Value {
    deployment["spec"]["progressDeadline"] = deadline.into();
    deployment["spec"]["podTemplate"] = json!({"metadata": {"labels": {"simulation.modelward.dev/startup": startup}}});
    deployment
}

/// A first release of 1.0.0 that serves.
pub async fn serving(arena: &Arena, split: Split) {
    arena.apply("model", model()).await;
    arena.apply("modeldeployment", canary(arena, "1.0.0", split)).await;
    arena.phase("chat", "Active").await;
}

/// Selects the children of `chat`.
pub const CHILDREN: &str = "modelward.dev/deployment=chat";

/// The child Deployment of a version, once there is one.
pub async fn workload(arena: &Arena, version: &str) -> Value {
    let selector = format!("{CHILDREN},modelward.dev/version={version}");
    arena.eventually(&format!("a Deployment of {version}"), async || !arena.list("deployment", &selector).await.is_empty()).await;
    arena.list("deployment", &selector).await.remove(0)
}

/// Its name.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// The weights of the route by Service, without those that have none.
pub async fn route_weights(arena: &Arena) -> Value {
    let route = arena.get("route", "chat").await.unwrap_or_default();
    let rules = route.pointer("/spec/rules").and_then(Value::as_array).cloned().unwrap_or_default();
    let backends = rules.iter().filter_map(|rule| rule["backendRefs"].as_array()).flatten();
    let weights: serde_json::Map<String, Value> =
        backends.map(|backend| (backend["name"].as_str().unwrap_or_default().to_owned(), backend["weight"].clone())).collect();
    Value::Object(weights)
}
