//! Defaults of services and what belongs to the network.

use serde_json::{Map, Value, json};

use super::fill_spec;
use crate::sim::builtin::json::{fill, fill_text, items_mut, object_made};

/// `Service`, without cluster IPs and node ports, which need allocation.
pub fn service(object: &mut Value) {
    let Some(spec) = object_made(object, &["spec"]) else { return };
    fill_text(spec, "sessionAffinity", "None");
    fill_text(spec, "type", "ClusterIP");
    let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if spec.get("sessionAffinity") == Some(&json!("None")) {
        spec.remove("sessionAffinityConfig");
    } else {
        affinity_timeout(spec);
    }
    items_mut(spec, "ports").for_each(port);
    let has_addresses = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|addresses| !addresses.is_empty());
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") || kind == "ClusterIP" && has_addresses {
        fill_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        fill(spec, "internalTrafficPolicy", "Cluster");
        families(spec);
    }
    if kind == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
    }
}

/// Address families of a cluster that has IPv4 only. Headless services without a selector may point anywhere.
fn families(spec: &mut Map<String, Value>) {
    let headless = spec.get("clusterIP") == Some(&json!("None"));
    let selects = spec.get("selector").and_then(Value::as_object).is_some_and(|selector| !selector.is_empty());
    if headless {
        fill(spec, "clusterIPs", json!(["None"]));
    }
    if headless && !selects {
        fill(spec, "ipFamilies", json!(["IPv4", "IPv6"]));
        fill(spec, "ipFamilyPolicy", "RequireDualStack");
    } else {
        fill(spec, "ipFamilies", json!(["IPv4"]));
        fill(spec, "ipFamilyPolicy", "SingleStack");
    }
}

fn affinity_timeout(spec: &mut Map<String, Value>) {
    const THREE_HOURS: i64 = 10_800;
    let config = spec.entry("sessionAffinityConfig").or_insert_with(|| json!({}));
    if let Some(client) = object_made(config, &["clientIP"]) {
        fill(client, "timeoutSeconds", THREE_HOURS);
    }
}

fn port(port: &mut Map<String, Value>) {
    fill_text(port, "protocol", "TCP");
    if port.get("targetPort").is_none_or(|target| target.is_null() || target == 0 || target == "")
        && let Some(number) = port.get("port").cloned()
    {
        port.insert("targetPort".to_owned(), number);
    }
}

/// `Endpoints`.
pub fn endpoints(object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    for subset in items_mut(object, "subsets") {
        items_mut(subset, "ports").for_each(|port| fill_text(port, "protocol", "TCP"));
    }
}

/// `EndpointSlice`.
pub fn endpoint_slice(object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    for port in items_mut(object, "ports") {
        fill(port, "name", "");
        fill(port, "protocol", "TCP");
    }
}

/// `NetworkPolicy`.
pub fn network_policy(object: &mut Value) {
    let has_egress = object.pointer("/spec/egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    let types = if has_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    fill_spec(object, "policyTypes", types);
    let Some(spec) = object_made(object, &["spec"]) else { return };
    for direction in ["ingress", "egress"] {
        for rule in items_mut(spec, direction) {
            items_mut(rule, "ports").for_each(|port| fill(port, "protocol", "TCP"));
        }
    }
}
