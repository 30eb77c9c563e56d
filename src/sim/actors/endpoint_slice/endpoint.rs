//! What a Service's endpoints are.
//!
//! Takes a Service and the pods that it selects; gives endpoints by port list, for EndpointSlices and for `Endpoints`.
//! Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::sim::actors::object::{self, at, flag, int, is_deleting, items, name, namespace, text, uid};
use crate::sim::actors::replica_set::order::has_ended;

/// Endpoints that share a port list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// `ports` of their slices.
    pub ports: Vec<Value>,
    /// `endpoints` of their slices.
    pub endpoints: Vec<Value>,
}

/// The Service takes pods that are not ready.
fn takes_unready(service: &Value) -> bool {
    flag(service, &["spec", "publishNotReadyAddresses"])
}

/// A pod that a Service may send to: it has an address and has not ended.
pub fn is_endpoint(pod: &Value) -> bool {
    !text(pod, &["status", "podIP"]).is_empty() && !has_ended(pod)
}

/// The Service is one that controllers make endpoints for.
pub fn is_selecting(service: &Value) -> bool {
    text(service, &["spec", "type"]) != "ExternalName" && object::map(service, &["spec", "selector"]).is_some_and(|map| !map.is_empty())
}

/// No cluster address.
pub fn is_headless(service: &Value) -> bool {
    text(service, &["spec", "clusterIP"]) == "None"
}

/// Endpoints by their port list (as text, so that the order is stable). Zones come from the nodes.
pub fn groups(service: &Value, pods: &[Arc<Value>], zone: impl Fn(&str) -> Option<String>) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_endpoint(pod)) {
        let ports = slice_ports(service, pod);
        let group = groups.entry(ports_key(&ports)).or_insert_with(|| Group { ports, endpoints: Vec::new() });
        group.endpoints.push(endpoint(service, pod, zone(text(pod, &["spec", "nodeName"]))));
    }
    groups
}

/// A port list as text, equal for equal lists however their JSON was written.
pub fn ports_key(ports: &[Value]) -> String {
    let field = |port: &Value, name: &str| at(port, &[name]).map(Value::to_string).unwrap_or_default();
    let line = |port: &Value| ["name", "protocol", "port", "appProtocol"].map(|name| field(port, name)).join("/");
    ports.iter().map(line).collect::<Vec<_>>().join(",")
}

/// The ports of a Service as this pod serves them; one that the pod does not name is left out.
pub fn slice_ports(service: &Value, pod: &Value) -> Vec<Value> {
    let port = |port: &Value| {
        let number = target_port(port, pod)?;
        let protocol = Some(text(port, &["protocol"])).filter(|protocol| !protocol.is_empty()).unwrap_or("TCP");
        let mut entry = json!({ "name": text(port, &["name"]), "port": number, "protocol": protocol });
        if let Some(application) = at(port, &["appProtocol"]) {
            entry["appProtocol"] = application.clone();
        }
        Some(entry)
    };
    items(service, &["spec", "ports"]).iter().filter_map(port).collect()
}

/// `targetPort` as a number: by name among the pod's container ports, absent the Service's own.
fn target_port(port: &Value, pod: &Value) -> Option<i64> {
    match at(port, &["targetPort"]) {
        Some(Value::String(wanted)) => {
            let containers = items(pod, &["spec", "initContainers"]).iter().chain(items(pod, &["spec", "containers"]));
            let mut ports = containers.flat_map(|container| items(container, &["ports"]));
            let protocol = |port: &Value| Some(text(port, &["protocol"])).filter(|text| !text.is_empty()).unwrap_or("TCP").to_owned();
            let named = |candidate: &&Value| text(candidate, &["name"]) == wanted && protocol(candidate) == protocol(port);
            ports.find(named).and_then(|found| int(found, &["containerPort"]))
        }
        Some(Value::Number(number)) if number.as_i64() != Some(0) => number.as_i64(),
        _ => int(port, &["port"]),
    }
}

fn endpoint(service: &Value, pod: &Value, zone: Option<String>) -> Value {
    let (serving, terminating) = (object::is_true(pod, "Ready"), is_deleting(pod));
    let ready = takes_unready(service) || (serving && !terminating);
    let mut endpoint = json!({
        "addresses": [text(pod, &["status", "podIP"])],
        "conditions": { "ready": ready, "serving": serving, "terminating": terminating },
        "targetRef": target_reference(pod),
    });
    let mut set = |field: &str, value: &str| {
        if !value.is_empty() {
            endpoint[field] = json!(value);
        }
    };
    set("nodeName", text(pod, &["spec", "nodeName"]));
    set("zone", &zone.unwrap_or_default());
    set("hostname", hostname(service, pod));
    endpoint
}

fn target_reference(pod: &Value) -> Value {
    json!({ "kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod) })
}

/// A pod has a name of its own under a Service that is its subdomain.
fn hostname<'a>(service: &Value, pod: &'a Value) -> &'a str {
    let within = text(pod, &["spec", "subdomain"]) == name(service);
    if within { text(pod, &["spec", "hostname"]) } else { "" }
}

/// One subset in the making.
#[derive(Default)]
struct Subset {
    ports: Vec<Value>,
    ready: Vec<Value>,
    unready: Vec<Value>,
}

/// `subsets` of the v1 `Endpoints` object; terminating pods are not in it.
pub fn subsets(service: &Value, pods: &[Arc<Value>]) -> Vec<Value> {
    let mut subsets: BTreeMap<String, Subset> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_endpoint(pod) && (takes_unready(service) || !is_deleting(pod))) {
        let ports = slice_ports(service, pod);
        let subset = subsets.entry(ports_key(&ports)).or_insert_with(|| Subset { ports, ..Subset::default() });
        let ready = takes_unready(service) || object::is_true(pod, "Ready");
        if ready { &mut subset.ready } else { &mut subset.unready }.push(address(service, pod));
    }
    subsets.into_values().map(Subset::into_json).collect()
}

impl Subset {
    /// The wire form: addresses in their order, absent lists left out, unnamed ports without a name.
    fn into_json(self) -> Value {
        let mut subset = json!({});
        for (field, mut addresses) in [("addresses", self.ready), ("notReadyAddresses", self.unready)] {
            addresses.sort_by_key(|address| address["ip"].as_str().and_then(|ip| ip.parse::<std::net::IpAddr>().ok()));
            if !addresses.is_empty() {
                subset[field] = json!(addresses);
            }
        }
        let unnamed = |mut port: Value| {
            if let Some(fields) = port.as_object_mut().filter(|fields| fields.get("name").is_some_and(|name| name == "")) {
                fields.remove("name");
            }
            port
        };
        if !self.ports.is_empty() {
            subset["ports"] = self.ports.into_iter().map(unnamed).collect();
        }
        subset
    }
}

fn address(service: &Value, pod: &Value) -> Value {
    let mut address = json!({ "ip": text(pod, &["status", "podIP"]), "targetRef": target_reference(pod) });
    for (field, value) in [("nodeName", text(pod, &["spec", "nodeName"])), ("hostname", hostname(service, pod))] {
        if !value.is_empty() {
            address[field] = json!(value);
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ip: &str, ready: bool) -> Arc<Value> {
        Arc::new(json!({
            "metadata": { "name": name, "namespace": "t", "uid": name },
            "spec": { "nodeName": "n", "containers": [{ "ports": [{ "name": "web", "containerPort": 8080 }] }] },
            "status": { "podIP": ip, "phase": "Running", "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] },
        }))
    }

    fn service(port: Value) -> Value {
        json!({ "metadata": { "name": "s" }, "spec": { "selector": { "a": "b" }, "ports": [port] } })
    }

    #[test]
    fn named_target_ports_are_looked_up_in_the_pod() {
        let named = service(json!({ "port": 80, "targetPort": "web" }));
        assert_eq!(slice_ports(&named, &pod("a", "10.0.0.1", true)), [json!({ "name": "", "port": 8080, "protocol": "TCP" })]);
        assert!(slice_ports(&service(json!({ "port": 80, "targetPort": "other" })), &pod("a", "10.0.0.1", true)).is_empty());
        assert_eq!(slice_ports(&service(json!({ "port": 80 })), &pod("a", "10.0.0.1", true))[0]["port"], 80);
    }

    #[test]
    fn conditions_tell_ready_serving_and_terminating_apart() {
        let mut going = Value::clone(&pod("c", "10.0.0.3", true));
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let pods = [pod("a", "10.0.0.1", true), pod("b", "10.0.0.2", false), Arc::new(going)];
        let service = service(json!({ "port": 80 }));
        let groups = groups(&service, &pods, |_| Some("z".to_owned()));
        let endpoints = &groups.values().next().unwrap().endpoints;
        let conditions: Vec<[&Value; 3]> =
            endpoints.iter().map(|endpoint| ["ready", "serving", "terminating"].map(|field| &endpoint["conditions"][field])).collect();
        assert_eq!(
            conditions,
            [[true, true, false], [false, false, false], [false, true, true]].map(|row| row.map(|flag| if flag {
                &Value::Bool(true)
            } else {
                &Value::Bool(false)
            }))
        );
        assert_eq!(endpoints[0]["zone"], "z");
        let subsets = subsets(&service, &pods);
        assert_eq!(subsets[0]["addresses"].as_array().unwrap().len(), 1);
        assert_eq!(subsets[0]["notReadyAddresses"][0]["ip"], "10.0.0.2");
    }

    #[test]
    fn pods_without_address_or_that_have_ended_are_left_out() {
        let mut ended = Value::clone(&pod("a", "10.0.0.1", true));
        ended["status"]["phase"] = json!("Failed");
        let pods = [Arc::new(ended), pod("b", "", true)];
        assert!(groups(&service(json!({ "port": 80 })), &pods, |_| None).is_empty());
    }
}
