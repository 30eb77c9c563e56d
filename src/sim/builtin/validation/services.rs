//! Services and the addresses behind them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::check::{Causes, item, join, quoted};
use super::{metadata, probes};
use crate::sim::builtin::json::{has, list, text};
use crate::sim::builtin::names::{dns_label, dns_subdomain, port_number};

/// `Service`, with addresses allocated or taken over from the stored one.
pub fn service(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let spec = &object["spec"];
    let kind = text(spec, "type");
    c.one_of(spec, "spec", "type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], true);
    let headless = text(spec, "clusterIP") == "None";
    if list(spec, "ports").is_empty() && !headless && kind != "ExternalName" {
        c.required("spec.ports", "");
    }
    by_type(c, spec, kind, headless);
    ports(c, spec, kind);
    metadata::labels(c, &spec["selector"], "spec.selector");
    c.one_of(spec, "spec", "sessionAffinity", &["ClientIP", "None"], true);
    affinity(c, spec);
    if kind != "ExternalName" {
        c.one_of(spec, "spec", "internalTrafficPolicy", &["Cluster", "Local"], true);
    }
    c.one_of(spec, "spec", "externalTrafficPolicy", &["Cluster", "Local"], false);
    for (index, address) in list(spec, "clusterIPs").iter().enumerate() {
        cluster_ip(c, address, &item("spec.clusterIPs", index));
    }
    if let Some(old) = old {
        update(c, spec, &old["spec"]);
    }
}

fn by_type(c: &mut Causes, spec: &Value, kind: &str, headless: bool) {
    match kind {
        "LoadBalancer" | "NodePort" if headless => {
            c.invalid("spec.clusterIPs[0]", &json!("None"), format!("may not be set to 'None' for {kind} services"));
        }
        "ExternalName" => {
            if !text(spec, "clusterIP").is_empty() || !list(spec, "clusterIPs").is_empty() {
                c.forbidden("spec.clusterIPs", "may not be set for ExternalName services");
            }
            let name = text(spec, "externalName").trim_end_matches('.');
            if name.is_empty() {
                c.required("spec.externalName", "");
            } else {
                c.problems("spec.externalName", &spec["externalName"], dns_subdomain(name));
            }
        }
        _ => {}
    }
}

fn ports(c: &mut Causes, spec: &Value, kind: &str) {
    let several = list(spec, "ports").len() > 1;
    let (mut names, mut pairs, mut node_ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (index, port) in list(spec, "ports").iter().enumerate() {
        let at = item("spec.ports", index);
        match text(port, "name") {
            "" if several => c.required(join(&at, "name"), ""),
            "" => {}
            name => {
                c.problems(&join(&at, "name"), &port["name"], dns_label(name));
                if !names.insert(name) {
                    c.duplicate(join(&at, "name"), &quoted(name));
                }
            }
        }
        c.problems(&join(&at, "port"), &port["port"], port_number(port["port"].as_i64().unwrap_or_default()));
        c.one_of(port, &at, "protocol", &["SCTP", "TCP", "UDP"], true);
        probes::port(c, &port["targetPort"], &join(&at, "targetPort"));
        let node_port = port["nodePort"].as_i64().unwrap_or_default();
        if kind == "ClusterIP" && node_port != 0 {
            c.forbidden(join(&at, "nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
        if node_port != 0 && !node_ports.insert((text(port, "protocol"), node_port)) {
            c.duplicate(join(&at, "nodePort"), &json!(node_port));
        }
        if !pairs.insert((text(port, "protocol"), port["port"].as_i64())) {
            c.duplicate(at, &json!({"protocol": port["protocol"], "port": port["port"]}));
        }
    }
}

fn affinity(c: &mut Causes, spec: &Value) {
    const DAY: i64 = 86_400;
    let (config, at) = (&spec["sessionAffinityConfig"], "spec.sessionAffinityConfig");
    match text(spec, "sessionAffinity") {
        "ClientIP" => {
            let seconds = &config["clientIP"]["timeoutSeconds"];
            if !(1..=DAY).contains(&seconds.as_i64().unwrap_or_default()) {
                c.invalid(format!("{at}.clientIP.timeoutSeconds"), seconds, format!("must be greater than 0 and less than {DAY}"));
            }
        }
        "None" if config.is_object() => c.forbidden(at, "must not be set when session affinity is None"),
        _ => {}
    }
}

fn cluster_ip(c: &mut Causes, address: &Value, at: &str) {
    let text = address.as_str().unwrap_or_default();
    if text != "None" && text.parse::<IpAddr>().is_err() {
        c.invalid(at, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
}

/// The address of a service stays while it has one.
fn update(c: &mut Causes, new: &Value, old: &Value) {
    let external = |spec: &Value| text(spec, "type") == "ExternalName";
    let (now, before) = (text(new, "clusterIP"), text(old, "clusterIP"));
    if external(old) || external(new) || before.is_empty() || now == before {
        return;
    }
    if now.is_empty() {
        c.invalid("spec.clusterIPs[0]", &json!(""), "primary clusterIP can not be unset");
    } else {
        c.invalid("spec.clusterIPs[0]", &json!([now]), "may not change once set");
    }
}

/// `Endpoints`.
pub fn endpoints(c: &mut Causes, object: &Value) {
    for (index, subset) in list(object, "subsets").iter().enumerate() {
        let at = item("subsets", index);
        if list(subset, "addresses").is_empty() && list(subset, "notReadyAddresses").is_empty() {
            c.required(at.clone(), "must specify `addresses` or `notReadyAddresses`");
        }
        for kind in ["addresses", "notReadyAddresses"] {
            for (index, address) in list(subset, kind).iter().enumerate() {
                endpoint_ip(c, &address["ip"], &join(&item(&join(&at, kind), index), "ip"));
            }
        }
        for (index, port) in list(subset, "ports").iter().enumerate() {
            let place = item(&join(&at, "ports"), index);
            c.problems(&join(&place, "port"), &port["port"], port_number(port["port"].as_i64().unwrap_or_default()));
            c.one_of(port, &place, "protocol", &["SCTP", "TCP", "UDP"], true);
        }
    }
}

fn endpoint_ip(c: &mut Causes, address: &Value, at: &str) {
    match address.as_str().unwrap_or_default().parse::<IpAddr>() {
        Err(_) => c.invalid(at, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        Ok(ip) if ip.is_loopback() => c.invalid(at, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        Ok(ip) if ip.is_unspecified() => c.invalid(at, address, "may not be unspecified (0.0.0.0 or ::)"),
        Ok(_) => {}
    }
}

/// `EndpointSlice`.
pub fn endpoint_slice(c: &mut Causes, object: &Value, old: Option<&Value>) {
    const MOST: usize = 1000;
    c.one_of(object, "", "addressType", &["FQDN", "IPv4", "IPv6"], true);
    let endpoints = list(object, "endpoints");
    if endpoints.len() > MOST {
        c.push(crate::sim::schema::text::too_many("endpoints", endpoints.len(), MOST as u64));
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let at = join(&item("endpoints", index), "addresses");
        if list(endpoint, "addresses").is_empty() {
            c.required(at.clone(), "must contain at least 1 address");
        }
        for (index, address) in list(endpoint, "addresses").iter().enumerate() {
            slice_address(c, text(object, "addressType"), address, &item(&at, index));
        }
    }
    let mut names = BTreeSet::new();
    for (index, port) in list(object, "ports").iter().enumerate() {
        let at = item("ports", index);
        let name = text(port, "name");
        if !name.is_empty() {
            c.problems(&join(&at, "name"), &port["name"], dns_label(name));
        }
        if !names.insert(name) {
            c.duplicate(join(&at, "name"), &quoted(name));
        }
        c.one_of(port, &at, "protocol", &["SCTP", "TCP", "UDP"], true);
        if has(port, "port") {
            c.problems(&join(&at, "port"), &port["port"], port_number(port["port"].as_i64().unwrap_or_default()));
        }
    }
    if let Some(old) = old {
        c.immutable(&object["addressType"], &old["addressType"], "addressType");
    }
}

fn slice_address(c: &mut Causes, kind: &str, address: &Value, at: &str) {
    let parsed = address.as_str().unwrap_or_default().parse::<IpAddr>();
    match (kind, parsed) {
        ("IPv4", Ok(IpAddr::V4(_))) | ("IPv6", Ok(IpAddr::V6(_))) => endpoint_ip(c, address, at),
        ("IPv4", _) => c.invalid(at, address, "must be a valid IPv4 address"),
        ("IPv6", _) => c.invalid(at, address, "must be a valid IPv6 address"),
        ("FQDN", _) => c.problems(at, address, dns_subdomain(address.as_str().unwrap_or_default())),
        _ => {}
    }
}
