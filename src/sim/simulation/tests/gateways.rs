//! The gateway double: routes are accepted, with lag, rejection and missing features on demand.

use serde_json::{Value, json};

use super::play::*;
use crate::sim::actors::gateway::{GatewayBehaviour, Rejection};
use crate::sim::actors::labels::Selector;

const ROUTES: &str = "httproutes.gateway.networking.k8s.io";
const GROUP: &str = "gateway.networking.k8s.io";

fn definition(kind: &str, plural: &str, scope: &str) -> Value {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {
            "name": format!("{plural}.{GROUP}"),
            "annotations": { "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1" },
        },
        "spec": {
            "group": GROUP, "scope": scope, "names": { "kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List") },
            "versions": [{ "name": "v1", "served": true, "storage": true, "subresources": { "status": {} }, "schema": { "openAPIV3Schema": schema } }],
        },
    })
}

fn with_gateway() -> Play {
    let mut play = Play::quick();
    let kinds =
        [("HTTPRoute", "httproutes", "Namespaced"), ("Gateway", "gateways", "Namespaced"), ("GatewayClass", "gatewayclasses", "Cluster")];
    for (kind, plural, scope) in kinds {
        play.create("customresourcedefinitions.apiextensions.k8s.io", definition(kind, plural, scope));
    }
    play.rest();
    let gateway = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "Gateway", "metadata": { "name": "public", "namespace": "default" },
        "spec": { "gatewayClassName": "any", "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }] },
    });
    play.create("gateways.gateway.networking.k8s.io", gateway);
    play.create("services", service("web", "web"));
    play.rest();
    play
}

fn route(backend: &str) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "HTTPRoute",
        "metadata": { "name": "web", "namespace": "default", "labels": { "app": "web" } },
        "spec": { "parentRefs": [{ "name": "public" }], "rules": [{ "backendRefs": [{ "name": backend, "port": 80, "weight": 1 }] }] },
    })
}

/// Status and reason of a condition of the only parent, with its observed generation.
fn said(play: &Play, kind: &str) -> (String, String, i64) {
    let route = play.get(ROUTES, "web");
    let conditions = route["status"]["parents"][0]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == kind).cloned().unwrap_or_default();
    let text = |field: &str| found[field].as_str().unwrap_or("").to_owned();
    (text("status"), text("reason"), found["observedGeneration"].as_i64().unwrap_or(0))
}

fn verdict(status: &str, reason: &str, generation: i64) -> (String, String, i64) {
    (status.to_owned(), reason.to_owned(), generation)
}

fn programmed_weight(play: &Play) -> Option<i64> {
    let route = play.simulation.programmed_route(ROUTES, "default", "web")?;
    route["spec"]["rules"][0]["backendRefs"][0]["weight"].as_i64()
}

#[test]
fn a_route_is_accepted_after_the_lag_at_every_generation() {
    let mut play = with_gateway();
    play.create(ROUTES, route("web"));
    assert_eq!((said(&play, "Accepted"), programmed_weight(&play)), (verdict("", "", 0), None));
    play.pass(2);
    assert_eq!(said(&play, "Accepted"), verdict("True", "Accepted", 1));
    assert_eq!(said(&play, "ResolvedRefs"), verdict("True", "ResolvedRefs", 1));
    let mut next = route("web");
    next["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(7);
    play.patch(ROUTES, "web", json!({ "spec": next["spec"] }));
    assert_eq!((said(&play, "Accepted").2, programmed_weight(&play)), (1, Some(1)));
    play.pass(2);
    assert_eq!((said(&play, "Accepted").2, programmed_weight(&play)), (2, Some(7)));
    let gateway = play.get("gateways.gateway.networking.k8s.io", "public");
    assert_eq!((is(&gateway, "Programmed"), &gateway["status"]["listeners"][0]["attachedRoutes"]), ("True", &json!(1)));
    play.rest();
}

#[test]
fn a_missing_backend_is_found_when_it_comes() {
    let mut play = with_gateway();
    play.create(ROUTES, route("later"));
    play.rest();
    assert_eq!(said(&play, "ResolvedRefs"), verdict("False", "BackendNotFound", 1));
    assert_eq!(said(&play, "Accepted").0, "True");
    play.create("services", service("later", "web"));
    play.rest();
    assert_eq!(said(&play, "ResolvedRefs").0, "True");
}

#[test]
fn rejection_missing_features_and_silence_come_on_demand() {
    let mut play = with_gateway();
    let rejection = Rejection { routes: Selector::default(), reason: "Refused".to_owned(), message: "not today".to_owned() };
    play.simulation.set_gateway_behaviour(GatewayBehaviour { rejections: vec![rejection], ..GatewayBehaviour::default() });
    play.create(ROUTES, route("web"));
    play.rest();
    assert_eq!((said(&play, "Accepted"), programmed_weight(&play)), (verdict("False", "Refused", 1), None));
    let lacks = ["retry".to_owned()].into();
    play.simulation.set_gateway_behaviour(GatewayBehaviour { lacks, ..GatewayBehaviour::default() });
    play.rest();
    assert_eq!(said(&play, "Accepted").0, "True");
    let mut retrying = route("web")["spec"].clone();
    retrying["rules"][0]["retry"] = json!({ "attempts": 2 });
    play.patch(ROUTES, "web", json!({ "spec": retrying }));
    play.rest();
    assert_eq!(said(&play, "Accepted"), verdict("False", "UnsupportedValue", 2));
    play.simulation.set_gateway_behaviour(GatewayBehaviour { silent: true, ..GatewayBehaviour::default() });
    play.patch(ROUTES, "web", json!({ "spec": { "hostnames": ["a.example.com"] } }));
    play.rest();
    assert_eq!(said(&play, "Accepted").2, 2);
    play.simulation.set_gateway_behaviour(GatewayBehaviour::default());
    play.rest();
    assert_eq!(said(&play, "Accepted"), verdict("True", "Accepted", 3));
}

#[test]
fn a_route_of_another_namespace_needs_leave_of_the_listener() {
    let mut play = with_gateway();
    play.create("namespaces", json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "t" } }));
    play.rest();
    let mut foreign = route("web");
    foreign["metadata"]["namespace"] = json!("t");
    foreign["spec"]["parentRefs"][0]["namespace"] = json!("default");
    play.create(ROUTES, foreign);
    play.rest();
    let reason = |play: &Play| {
        let route = play.simulation.cluster.get(ROUTES, "t", "web").unwrap();
        route["status"]["parents"][0]["conditions"][0]["reason"].as_str().unwrap_or("").to_owned()
    };
    assert_eq!(reason(&play), "NotAllowedByListeners");
    let open = json!([{ "name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": { "namespaces": { "from": "All" } } }]);
    play.patch("gateways.gateway.networking.k8s.io", "public", json!({ "spec": { "listeners": open } }));
    play.rest();
    assert_eq!(reason(&play), "Accepted");
}

#[test]
fn a_route_to_no_gateway_hears_nothing() {
    let mut play = with_gateway();
    let mut lost = route("web");
    lost["spec"]["parentRefs"][0]["name"] = json!("nobody");
    play.create(ROUTES, lost);
    play.rest();
    assert!(play.get(ROUTES, "web").get("status").is_none());
}
