//! Pods and pod templates as a whole.

use serde_json::{Value, json};

use super::check::{Causes, item, join};
use super::containers::{self, Surroundings};
use super::volumes::{self, subdomain_if_any};
use super::{metadata, pod_update, resources, scheduling};
use crate::sim::builtin::json::{entries, has, list, text};
use crate::sim::builtin::names::{dns_label, qualified};

/// `Pod`.
pub fn pod(c: &mut Causes, object: &Value, old: Option<&Value>) {
    if let Some(old) = old {
        pod_update::check(c, object, old);
        return;
    }
    spec(c, &object["spec"], "spec");
    if has(&object["spec"], "ephemeralContainers") {
        c.forbidden("spec.ephemeralContainers", "cannot be set on create");
    }
}

/// A pod template. The restart policies that a workload allows are its own business.
pub fn template(c: &mut Causes, template: &Value, at: &str) {
    let metadata_at = join(at, "metadata");
    metadata::labels(c, &template["metadata"]["labels"], &join(&metadata_at, "labels"));
    metadata::annotations(c, &template["metadata"]["annotations"], &join(&metadata_at, "annotations"));
    let spec_at = join(at, "spec");
    if has(&template["spec"], "ephemeralContainers") {
        c.forbidden(join(&spec_at, "ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
    spec(c, &template["spec"], &spec_at);
}

/// A pod spec.
pub fn spec(c: &mut Causes, spec: &Value, at: &str) {
    let volumes = volumes::all(c, spec, at);
    let around = Surroundings { volumes: &volumes, host_network: spec["hostNetwork"] == true };
    containers::all(c, spec, at, &around);
    if has(spec, "resources") {
        resources::container(c, &spec["resources"], &join(at, "resources"));
    }
    c.one_of(spec, at, "restartPolicy", &["Always", "OnFailure", "Never"], true);
    dns(c, spec, at);
    if !has(spec, "terminationGracePeriodSeconds") {
        c.required(join(at, "terminationGracePeriodSeconds"), "");
    }
    metadata::labels(c, &spec["nodeSelector"], &join(at, "nodeSelector"));
    subdomain_if_any(c, spec, at, "serviceAccountName");
    subdomain_if_any(c, spec, at, "nodeName");
    security(c, &spec["securityContext"], &join(at, "securityContext"));
    containers::pull_secrets(c, spec, at);
    scheduling::affinity(c, &spec["affinity"], &join(at, "affinity"));
    for (index, gate) in list(spec, "readinessGates").iter().enumerate() {
        let place = join(&item(&join(at, "readinessGates"), index), "conditionType");
        c.problems(&place, &gate["conditionType"], qualified(text(gate, "conditionType")));
    }
    scheduling::spread(c, spec, at);
    scheduling::gates(c, spec, at);
    for field in ["hostname", "subdomain"] {
        if !text(spec, field).is_empty() {
            c.problems(&join(at, field), &spec[field], dns_label(text(spec, field)));
        }
    }
    scheduling::tolerations(c, spec, at);
    host_aliases(c, spec, at);
    for field in ["priorityClassName", "runtimeClassName"] {
        subdomain_if_any(c, spec, at, field);
    }
    c.one_of(spec, at, "preemptionPolicy", &["Never", "PreemptLowerPriority"], false);
    if spec["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| !(1..=i64::from(i32::MAX)).contains(&seconds)) {
        c.invalid(join(at, "activeDeadlineSeconds"), &spec["activeDeadlineSeconds"], "must be between 1 and 2147483647, inclusive");
    }
    for (name, amount) in entries(spec, "overhead") {
        resources::checked_amount(c, name, amount, &super::check::key(&join(at, "overhead"), name));
    }
}

fn dns(c: &mut Causes, spec: &Value, at: &str) {
    const POLICIES: [&str; 4] = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
    c.one_of(spec, at, "dnsPolicy", &POLICIES, true);
    let servers = list(&spec["dnsConfig"], "nameservers");
    let servers_at = join(&join(at, "dnsConfig"), "nameservers");
    if text(spec, "dnsPolicy") == "None" {
        if !has(spec, "dnsConfig") {
            c.required(join(at, "dnsConfig"), "must provide `dnsConfig` when `dnsPolicy` is None");
        } else if servers.is_empty() {
            c.required(servers_at.clone(), "must provide at least one DNS nameserver when `dnsPolicy` is None");
        }
    }
    for (index, server) in servers.iter().enumerate() {
        if server.as_str().is_none_or(|server| server.parse::<std::net::IpAddr>().is_err()) {
            c.invalid(item(&servers_at, index), server, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        }
    }
}

fn security(c: &mut Causes, context: &Value, at: &str) {
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        if context[field].as_i64().is_some_and(|id| !(0..=i64::from(i32::MAX)).contains(&id)) {
            c.invalid(join(at, field), &context[field], "must be between 0 and 2147483647, inclusive");
        }
    }
    c.one_of(context, at, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], false);
}

fn host_aliases(c: &mut Causes, spec: &Value, at: &str) {
    for (index, alias) in list(spec, "hostAliases").iter().enumerate() {
        let place = item(&join(at, "hostAliases"), index);
        if text(alias, "ip").parse::<std::net::IpAddr>().is_err() {
            c.invalid(join(&place, "ip"), &json!(text(alias, "ip")), "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        }
        for name in list(alias, "hostnames") {
            let problems = crate::sim::builtin::names::dns_subdomain(name.as_str().unwrap_or_default());
            c.problems(&join(&place, "hostnames"), name, problems);
        }
    }
}
