//! Probes and lifecycle hooks.

use serde_json::Value;

use super::check::{Causes, join};
use crate::sim::builtin::json::{has, list, text};
use crate::sim::builtin::names::{port_name, port_number};

/// The probes of a container.
pub fn all(c: &mut Causes, container: &Value, at: &str) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if has(container, name) {
            probe(c, &container[name], &join(at, name), name);
        }
    }
    for name in ["postStart", "preStop"] {
        let lifecycle = &container["lifecycle"];
        if has(lifecycle, name) {
            handler(c, &lifecycle[name], &join(&join(at, "lifecycle"), name), &["exec", "httpGet", "tcpSocket", "sleep"]);
        }
    }
}

fn probe(c: &mut Causes, probe: &Value, at: &str, name: &str) {
    handler(c, probe, at, &["exec", "httpGet", "tcpSocket", "grpc"]);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        c.not_negative(probe, at, field);
    }
    let grace = &probe["terminationGracePeriodSeconds"];
    if !grace.is_null() {
        if name == "readinessProbe" {
            c.invalid(join(at, "terminationGracePeriodSeconds"), grace, "must not be set for readinessProbes");
        } else if grace.as_i64().is_some_and(|seconds| seconds <= 0) {
            c.invalid(join(at, "terminationGracePeriodSeconds"), grace, "must be greater than 0");
        }
    }
    // Only readiness comes and goes; the other two succeed once.
    if name != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|threshold| threshold != 1) {
        c.invalid(join(at, "successThreshold"), &probe["successThreshold"], "must be 1");
    }
}

fn handler(c: &mut Causes, handler: &Value, at: &str, kinds: &[&str]) {
    let mut present = kinds.iter().filter(|kind| has(handler, kind));
    let Some(first) = present.next() else {
        c.required(at, "must specify a handler type");
        return;
    };
    for second in present {
        c.forbidden(join(at, second), "may not specify more than 1 handler type");
    }
    let (action, place) = (&handler[*first], join(at, first));
    match *first {
        "exec" if list(action, "command").is_empty() => c.required(join(&place, "command"), ""),
        "httpGet" => {
            c.needs(action, &place, "path");
            port(c, &action["port"], &join(&place, "port"));
            c.one_of(action, &place, "scheme", &["HTTP", "HTTPS"], true);
            for (index, header) in list(action, "httpHeaders").iter().enumerate() {
                if text(header, "name").is_empty() {
                    c.required(format!("{place}.httpHeaders[{index}].name"), "");
                }
            }
        }
        "tcpSocket" => port(c, &action["port"], &join(&place, "port")),
        "grpc" => port(c, &action["port"], &join(&place, "port")),
        "sleep" if action["seconds"].as_i64().is_some_and(|seconds| seconds < 0) => {
            c.invalid(join(&place, "seconds"), &action["seconds"], "must be non-negative and less than terminationGracePeriodSeconds");
        }
        _ => {}
    }
}

/// A port by number or name.
pub fn port(c: &mut Causes, port: &Value, at: &str) {
    match port {
        Value::String(name) => c.problems(at, port, port_name(name)),
        number => c.problems(at, number, port_number(number.as_i64().unwrap_or_default())),
    }
}
