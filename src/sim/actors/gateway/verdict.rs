//! What a gateway says of a route.
//!
//! Takes routes, gateways and lookups; gives the conditions of one parent. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::GatewayBehaviour;
use crate::sim::actors::conditions::Condition;
use crate::sim::actors::labels::Selector;
use crate::sim::actors::object::{at, int, items, labels, namespace, text};

/// API group of gateways and routes.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// What the verdict looks up in the cluster.
pub trait Lookup {
    /// A Service.
    fn service(&self, namespace: &str, name: &str) -> Option<Value>;
    /// The labels of a namespace, as an object.
    fn namespace(&self, name: &str) -> Option<Value>;
    /// A ReferenceGrant in `to` lets routes of this kind from `from` use the Service.
    fn granted(&self, kind: &str, from: &str, to: &str, service: &str) -> bool;
}

/// `Accepted` for one parent reference; `gateway` is none for a Service parent (a mesh).
pub fn accepted(route: &Value, parent: &Value, gateway: Option<&Value>, behaviour: &GatewayBehaviour, lookup: &dyn Lookup) -> Condition {
    let refused = |reason: &str, message: String| Condition::new("Accepted", "False", reason, message);
    if let Some(rejection) = behaviour.rejections.iter().find(|rejection| rejection.routes.matches(labels(route))) {
        return refused(&rejection.reason, rejection.message.clone());
    }
    let missing: Vec<String> = used_features(route).intersection(&behaviour.lacks).cloned().collect();
    if !missing.is_empty() {
        return refused("UnsupportedValue", format!("This gateway does not support: {}", missing.join(", ")));
    }
    match gateway.map(|gateway| listener_refusal(route, parent, gateway, lookup)) {
        Some(Some((reason, message))) => refused(reason, message.to_owned()),
        _ => Condition::new("Accepted", "True", "Accepted", "Route is accepted"),
    }
}

/// Names of fields and filter types in the route's rules: what a gateway may lack.
pub fn used_features(route: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rule in items(route, &["spec", "rules"]) {
        collect(rule, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                found.insert(field.clone());
                found.extend(value.as_str().filter(|_| field == "type").map(str::to_owned));
                collect(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// Why no listener takes the route, if none does.
fn listener_refusal(route: &Value, parent: &Value, gateway: &Value, lookup: &dyn Lookup) -> Option<(&'static str, &'static str)> {
    let section = text(parent, &["sectionName"]);
    let port = int(parent, &["port"]);
    let wanted = |listener: &&Value| {
        (section.is_empty() || text(listener, &["name"]) == section) && port.is_none_or(|port| int(listener, &["port"]) == Some(port))
    };
    let named: Vec<&Value> = items(gateway, &["spec", "listeners"]).iter().filter(wanted).collect();
    if named.is_empty() {
        return Some(("NoMatchingParent", "No listener of the gateway matches the parent reference"));
    }
    let open: Vec<&&Value> = named.iter().filter(|listener| allows(listener, route, gateway, lookup)).collect();
    if open.is_empty() {
        return Some(("NotAllowedByListeners", "No listener of the gateway allows this route"));
    }
    let meets = open.iter().any(|listener| hostnames_meet(text(listener, &["hostname"]), route));
    (!meets).then_some(("NoMatchingListenerHostname", "No listener of the gateway has a hostname of this route"))
}

/// `allowedRoutes` of a listener: namespaces (default the gateway's own) and kinds.
pub fn allows(listener: &Value, route: &Value, gateway: &Value, lookup: &dyn Lookup) -> bool {
    let rule = at(listener, &["allowedRoutes", "namespaces"]);
    let from = rule.map_or("", |rule| text(rule, &["from"]));
    let namespace_fits = match from {
        "All" => true,
        "None" => false,
        "Selector" => {
            let selector = Selector::of(rule.and_then(|rule| rule.get("selector")));
            lookup.namespace(namespace(route)).is_some_and(|object| selector.matches(labels(&object)))
        }
        _ => namespace(route) == namespace(gateway),
    };
    let kinds = items(listener, &["allowedRoutes", "kinds"]);
    let kind_fits = kinds.is_empty() || kinds.iter().any(|kind| text(kind, &["kind"]) == text(route, &["kind"]));
    let protocol = text(listener, &["protocol"]);
    namespace_fits && kind_fits && ["HTTP", "HTTPS", ""].contains(&protocol)
}

/// A listener without hostname takes all, and so does a route without.
fn hostnames_meet(listener: &str, route: &Value) -> bool {
    let hostnames = items(route, &["spec", "hostnames"]);
    listener.is_empty() || hostnames.is_empty() || hostnames.iter().filter_map(Value::as_str).any(|host| hosts_meet(listener, host))
}

fn hosts_meet(a: &str, b: &str) -> bool {
    let wild = |pattern: &str, host: &str| pattern.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix));
    a == b || wild(a, b) || wild(b, a)
}

/// `ResolvedRefs`: every backend exists, may be used, and is a Service with that port.
pub fn resolved(route: &Value, lookup: &dyn Lookup) -> Condition {
    let problem = backends(route).find_map(|backend| backend_problem(route, backend, lookup));
    match problem {
        Some((reason, message)) => Condition::new("ResolvedRefs", "False", reason, message),
        None => Condition::new("ResolvedRefs", "True", "ResolvedRefs", "All references are resolved"),
    }
}

/// Every backend reference of a route: of rules, and of mirrors in their filters.
pub fn backends(route: &Value) -> impl Iterator<Item = &Value> {
    let rules = items(route, &["spec", "rules"]).iter();
    rules.flat_map(|rule| {
        let direct = items(rule, &["backendRefs"]);
        let filters = items(rule, &["filters"]).iter().chain(direct.iter().flat_map(|backend| items(backend, &["filters"])));
        let mirrors = filters.filter_map(|filter| at(filter, &["requestMirror", "backendRef"]));
        direct.iter().chain(mirrors)
    })
}

/// Namespace of a backend: its own, or the route's.
pub fn backend_namespace<'a>(route: &'a Value, backend: &'a Value) -> &'a str {
    match text(backend, &["namespace"]) {
        "" => namespace(route),
        named => named,
    }
}

/// What is wrong with one backend: reason and message.
pub fn backend_problem(route: &Value, backend: &Value, lookup: &dyn Lookup) -> Option<(&'static str, String)> {
    let (group, kind, name) = (text(backend, &["group"]), text(backend, &["kind"]), text(backend, &["name"]));
    if !group.is_empty() && group != "core" || !["", "Service"].contains(&kind) {
        return Some(("InvalidKind", format!("Backend {name} is a {kind}, only Services are supported")));
    }
    let of = backend_namespace(route, backend);
    if of != namespace(route) && !lookup.granted(text(route, &["kind"]), namespace(route), of, name) {
        return Some(("RefNotPermitted", format!("Backend {of}/{name} is not permitted by any ReferenceGrant")));
    }
    let Some(service) = lookup.service(of, name) else {
        return Some(("BackendNotFound", format!("Service {of}/{name} not found")));
    };
    let port = int(backend, &["port"]);
    let has_port = items(&service, &["spec", "ports"]).iter().any(|entry| int(entry, &["port"]) == port);
    (!has_port).then(|| ("BackendNotFound", format!("Service {of}/{name} has no port {}", port.unwrap_or(0))))
}
