//! Ingresses and network policies, which are stored but never act.

use serde_json::Value;

use super::check::{Causes, item, join};
use super::{metadata, probes};
use crate::sim::builtin::json::{has, list, text};
use crate::sim::builtin::names::dns_subdomain;

/// `Ingress`.
pub fn ingress(c: &mut Causes, object: &Value) {
    let spec = &object["spec"];
    if list(spec, "rules").is_empty() && !has(spec, "defaultBackend") {
        c.invalid("spec", &list_of_rules(spec), "either `defaultBackend` or `rules` must be specified");
    }
    if has(spec, "defaultBackend") {
        backend(c, &spec["defaultBackend"], "spec.defaultBackend");
    }
    for (index, rule) in list(spec, "rules").iter().enumerate() {
        let at = item("spec.rules", index);
        let host = text(rule, "host");
        if !host.is_empty() {
            c.problems(&join(&at, "host"), &rule["host"], dns_subdomain(host.strip_prefix("*.").unwrap_or(host)));
        }
        let paths = list(&rule["http"], "paths");
        if has(rule, "http") && paths.is_empty() {
            c.required(join(&at, "http.paths"), "");
        }
        for (index, path) in paths.iter().enumerate() {
            self::path(c, path, &item(&join(&at, "http.paths"), index));
        }
    }
}

fn list_of_rules(spec: &Value) -> Value {
    spec.get("rules").cloned().unwrap_or_default()
}

fn path(c: &mut Causes, path: &Value, at: &str) {
    c.one_of(path, at, "pathType", &["Exact", "ImplementationSpecific", "Prefix"], true);
    let absolute = text(path, "path").starts_with('/');
    if !absolute && (text(path, "pathType") != "ImplementationSpecific" || !text(path, "path").is_empty()) {
        c.invalid(join(at, "path"), &Value::from(text(path, "path")), "must be an absolute path");
    }
    backend(c, &path["backend"], &join(at, "backend"));
}

fn backend(c: &mut Causes, backend: &Value, at: &str) {
    match (has(backend, "service"), has(backend, "resource")) {
        (false, false) => c.required(at, "resource or service backend is required"),
        (true, true) => c.invalid(at, &Value::from(""), "cannot set both resource and service backends"),
        (true, false) => {
            let (service, at) = (&backend["service"], join(at, "service"));
            c.needs(service, &at, "name");
            match (has(&service["port"], "number"), has(&service["port"], "name")) {
                (false, false) => c.required(at, "port name or number is required"),
                (true, true) => c.invalid(at, &Value::from(""), "cannot set both port name & port number"),
                (true, false) => probes::port(c, &service["port"]["number"], &join(&at, "port.number")),
                (false, true) => probes::port(c, &service["port"]["name"], &join(&at, "port.name")),
            }
        }
        (false, true) => {
            c.needs(&backend["resource"], &join(at, "resource"), "kind");
            c.needs(&backend["resource"], &join(at, "resource"), "name");
        }
    }
}

/// `NetworkPolicy`.
pub fn policy(c: &mut Causes, object: &Value) {
    let spec = &object["spec"];
    metadata::selector(c, &spec["podSelector"], "spec.podSelector");
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in list(spec, direction).iter().enumerate() {
            let at = item(&join("spec", direction), index);
            for (index, port) in list(rule, "ports").iter().enumerate() {
                let place = item(&join(&at, "ports"), index);
                c.one_of(port, &place, "protocol", &["SCTP", "TCP", "UDP"], false);
                if has(port, "port") {
                    probes::port(c, &port["port"], &join(&place, "port"));
                }
            }
            for (index, peer) in list(rule, peers).iter().enumerate() {
                self::peer(c, peer, &item(&join(&at, peers), index));
            }
        }
    }
    let types_at = "spec.policyTypes";
    for (index, kind) in list(spec, "policyTypes").iter().enumerate() {
        if kind != "Ingress" && kind != "Egress" {
            c.push(crate::sim::schema::text::not_supported(item(types_at, index), kind, &["Egress", "Ingress"]));
        }
    }
}

fn peer(c: &mut Causes, peer: &Value, at: &str) {
    let selectors = ["podSelector", "namespaceSelector"].into_iter().filter(|kind| has(peer, kind)).count();
    match (selectors, has(peer, "ipBlock")) {
        (0, false) => c.required(at, "must specify a peer"),
        (0, true) => c.all_needed(&peer["ipBlock"], &join(at, "ipBlock"), &["cidr"]),
        (_, true) => c.forbidden(at, "may not specify both ipBlock and another peer"),
        _ => {}
    }
    for kind in ["podSelector", "namespaceSelector"] {
        metadata::selector(c, &peer[kind], &join(at, kind));
    }
}
