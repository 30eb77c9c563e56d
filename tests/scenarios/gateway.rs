//! A small gateway double for the real arm: it takes every route of a namespace, a moment after it was written.

use std::time::Duration;

use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::arena::kind;

/// Answers routes for ever.
pub async fn serve(client: Client, namespace: String) {
    let routes: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &kind("route"));
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let Ok(list) = routes.list(&ListParams::default()).await else { continue };
        for route in list.items {
            let route = serde_json::to_value(route).unwrap();
            if let Some(status) = answer(&route) {
                let name = route["metadata"]["name"].as_str().unwrap().to_owned();
                let patch = json!({"status": status});
                let params = PatchParams { field_manager: Some("gateway-double".to_owned()), ..PatchParams::default() };
                // The route may have gone meanwhile.
                let _gone = routes.patch_status(&name, &params, &Patch::Merge(&patch)).await;
            }
        }
    }
}

/// The status that a route lacks for its present generation.
fn answer(route: &Value) -> Option<Value> {
    let generation = &route["metadata"]["generation"];
    let observed = route.pointer("/status/parents/0/conditions/0/observedGeneration");
    if observed == Some(generation) {
        return None;
    }
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let parents = route["spec"]["parentRefs"].as_array()?.iter().map(|parent| {
        json!({"parentRef": parent, "controllerName": "modelward.dev/gateway-double",
            "conditions": [condition("Accepted"), condition("ResolvedRefs")]})
    });
    Some(json!({"parents": parents.collect::<Vec<_>>()}))
}
