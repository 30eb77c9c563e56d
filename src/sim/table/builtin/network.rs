//! Rows of services and what is around them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Header, age_of, labels, list, name, none_if_empty, number, or_else, plain_text, selector, string, text, wide};

pub(super) const SERVICE: &[Header] =
    &[text("Name"), text("Type"), text("Cluster-IP"), text("External-IP"), text("Port(s)"), text("Age"), wide("Selector")];

pub(super) fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = list(object, "/spec/ports")
        .iter()
        .map(|port| {
            let (number_of, protocol) = (number(port, "/port"), or_else(string(port, "/protocol").to_owned(), "TCP"));
            match number(port, "/nodePort") {
                0 => format!("{number_of}/{protocol}"),
                node => format!("{number_of}:{node}/{protocol}"),
            }
        })
        .collect();
    vec![
        name(object),
        json!(or_else(string(object, "/spec/type").to_owned(), "ClusterIP")),
        none_if_empty(string(object, "/spec/clusterIP").to_owned()),
        json!(external_address(object)),
        none_if_empty(ports.join(",")),
        age_of(object, now),
        json!(labels(object.pointer("/spec/selector"))),
    ]
}

fn external_address(service: &Value) -> String {
    let fixed: Vec<&str> = list(service, "/spec/externalIPs").iter().filter_map(Value::as_str).collect();
    let assigned = list(service, "/status/loadBalancer/ingress").iter().map(|point| match string(point, "/ip") {
        "" => string(point, "/hostname"),
        address => address,
    });
    match string(service, "/spec/type") {
        "ExternalName" => string(service, "/spec/externalName").to_owned(),
        "LoadBalancer" => or_else(assigned.chain(fixed).collect::<Vec<_>>().join(","), "<pending>"),
        _ => or_else(fixed.join(","), "<none>"),
    }
}

pub(super) const ENDPOINTS: &[Header] = &[text("Name"), text("Endpoints"), text("Age")];

pub(super) fn endpoints(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in list(object, "/subsets") {
        for port in list(subset, "/ports") {
            all.extend(list(subset, "/addresses").iter().map(|address| format!("{}:{}", string(address, "/ip"), number(port, "/port"))));
        }
    }
    vec![name(object), json!(first_three(&all, "<none>")), age_of(object, now)]
}

pub(super) const ENDPOINT_SLICE: &[Header] = &[text("Name"), text("AddressType"), text("Ports"), text("Endpoints"), text("Age")];

pub(super) fn endpoint_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = list(object, "/ports").iter().map(|port| or_else(plain_text(port.get("port")), "*")).collect();
    let addresses: Vec<String> = list(object, "/endpoints")
        .iter()
        .flat_map(|endpoint| list(endpoint, "/addresses").iter().filter_map(Value::as_str).map(str::to_owned))
        .collect();
    vec![
        name(object),
        json!(string(object, "/addressType")),
        json!(first_three(&ports, "<unset>")),
        json!(first_three(&addresses, "<unset>")),
        age_of(object, now),
    ]
}

fn first_three(all: &[String], empty: &str) -> String {
    let shown = all.iter().take(3).cloned().collect::<Vec<_>>().join(",");
    match all.len() {
        0 => empty.to_owned(),
        1..=3 => shown,
        more => format!("{shown} + {} more...", more - 3),
    }
}

pub(super) const INGRESS: &[Header] = &[text("Name"), text("Class"), text("Hosts"), text("Address"), text("Ports"), text("Age")];

pub(super) fn ingress(object: &Value, now: Timestamp) -> Vec<Value> {
    let hosts: Vec<String> =
        list(object, "/spec/rules").iter().map(|rule| string(rule, "/host").to_owned()).filter(|host| !host.is_empty()).collect();
    let addresses: Vec<&str> = list(object, "/status/loadBalancer/ingress")
        .iter()
        .map(|point| match string(point, "/ip") {
            "" => string(point, "/hostname"),
            address => address,
        })
        .collect();
    vec![
        name(object),
        none_if_empty(string(object, "/spec/ingressClassName").to_owned()),
        json!(first_three(&hosts, "*")),
        json!(addresses.join(",")),
        json!(if list(object, "/spec/tls").is_empty() { "80" } else { "80, 443" }),
        age_of(object, now),
    ]
}

pub(super) const INGRESS_CLASS: &[Header] = &[text("Name"), text("Controller"), text("Parameters"), text("Age")];

pub(super) fn ingress_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let parameters = object.pointer("/spec/parameters").map(|parameters| {
        let (group, kind) = (string(parameters, "/apiGroup"), string(parameters, "/kind"));
        let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        format!("{kind}/{}", string(parameters, "/name"))
    });
    vec![name(object), json!(string(object, "/spec/controller")), none_if_empty(parameters.unwrap_or_default()), age_of(object, now)]
}

pub(super) const NETWORK_POLICY: &[Header] = &[text("Name"), text("Pod-Selector"), text("Age")];

pub(super) fn network_policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(selector(object, "/spec/podSelector")), age_of(object, now)]
}
