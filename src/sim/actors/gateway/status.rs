//! The status that a gateway writes on routes, gateways and classes.
//!
//! Takes the objects and verdicts; gives the next status. Entries of other controllers are carried over. Pure but for
//! lookups.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::verdict::{GROUP, Lookup, accepted, allows, backend_namespace, resolved};
use super::{GATEWAYS, GatewayBehaviour};
use crate::sim::actors::conditions::{Condition, set_in_place};
use crate::sim::actors::object::{self, generation, items, text};
use crate::sim::cluster::Cluster;

/// The verdict on a route.
pub(super) struct Judged {
    /// Some parent accepts it.
    pub accepted: bool,
    /// The next status; none if the route has no parent of this gateway and none of its words.
    pub status: Option<Value>,
}

/// Judges a route for every parent that `serves` knows.
pub(super) fn parents(
    route: &Value,
    behaviour: &GatewayBehaviour,
    serves: impl Fn(&Value) -> Option<String>,
    cluster: &Cluster,
    lookup: &dyn Lookup,
) -> Judged {
    let former = items(route, &["status", "parents"]);
    let mut entries = Vec::new();
    let mut controllers = vec![behaviour.controller_name.clone()];
    let mut any_accepted = false;
    for parent in items(route, &["spec", "parentRefs"]) {
        let (of, called) = (backend_namespace(route, parent), text(parent, &["name"]));
        let (gateway, controller) = match text(parent, &["kind"]) {
            "Service" => (None, lookup.service(of, called).map(|_| behaviour.controller_name.clone())),
            _ => {
                let gateway = cluster.get(GATEWAYS, of, called);
                let controller = gateway.as_deref().and_then(&serves);
                (gateway, controller)
            }
        };
        let Some(controller) = controller else { continue };
        let verdict = accepted(route, parent, gateway.as_deref(), behaviour, lookup);
        any_accepted |= verdict.status == "True";
        let conditions = [verdict, resolved(route, lookup)];
        entries.push(entry(route, parent, &controller, &conditions, former, cluster.now()));
        controllers.push(controller);
    }
    let others = former.iter().filter(|entry| !controllers.iter().any(|own| own == text(entry, &["controllerName"])));
    let all: Vec<Value> = others.cloned().chain(entries).collect();
    let status = (!all.is_empty() || !former.is_empty()).then(|| {
        let mut status = route.get("status").cloned().unwrap_or_else(|| json!({}));
        status["parents"] = json!(all);
        status
    });
    Judged { accepted: any_accepted, status }
}

fn entry(route: &Value, parent: &Value, controller: &str, conditions: &[Condition], former: &[Value], now: Timestamp) -> Value {
    let same = |entry: &&Value| entry.get("parentRef") == Some(parent) && text(entry, &["controllerName"]) == controller;
    let mut list = former.iter().find(same).map(|entry| items(entry, &["conditions"]).to_vec()).unwrap_or_default();
    for condition in conditions {
        set_in_place(&mut list, condition, Some(generation(route)), now);
    }
    json!({ "parentRef": parent, "controllerName": controller, "conditions": list })
}

/// A class is accepted by whoever serves it.
pub(super) fn class_status(class: &Value, now: Timestamp) -> Value {
    let mut status = class.get("status").cloned().unwrap_or_else(|| json!({}));
    let mut list = items(class, &["status", "conditions"]).to_vec();
    let accepted = Condition::new("Accepted", "True", "Accepted", "Valid GatewayClass");
    set_in_place(&mut list, &accepted, Some(generation(class)), now);
    status["conditions"] = json!(list);
    status
}

/// A gateway is programmed; its listeners count the routes that they take.
pub(super) fn gateway_status(gateway: &Value, attached: &[Arc<Value>], lookup: &dyn Lookup, now: Timestamp) -> Value {
    let mut status = gateway.get("status").cloned().unwrap_or_else(|| json!({}));
    let mut list = items(gateway, &["status", "conditions"]).to_vec();
    let conditions = [
        Condition::new("Accepted", "True", "Accepted", "The gateway is accepted"),
        Condition::new("Programmed", "True", "Programmed", "The gateway is programmed"),
    ];
    for condition in &conditions {
        set_in_place(&mut list, condition, Some(generation(gateway)), now);
    }
    status["conditions"] = json!(list);
    status["addresses"] = json!([{ "type": "IPAddress", "value": "198.51.100.1" }]);
    let listeners = items(gateway, &["spec", "listeners"]).iter();
    status["listeners"] = listeners.map(|listener| listener_status(gateway, listener, attached, lookup, now)).collect();
    status
}

fn listener_status(gateway: &Value, listener: &Value, attached: &[Arc<Value>], lookup: &dyn Lookup, now: Timestamp) -> Value {
    let called = text(listener, &["name"]);
    let former = items(gateway, &["status", "listeners"]).iter().find(|entry| text(entry, &["name"]) == called);
    let mut list = former.map(|entry| items(entry, &["conditions"]).to_vec()).unwrap_or_default();
    let conditions = [
        Condition::new("Accepted", "True", "Accepted", "The listener is accepted"),
        Condition::new("Programmed", "True", "Programmed", "The listener is programmed"),
        Condition::new("ResolvedRefs", "True", "ResolvedRefs", "All references are resolved"),
        Condition::new("Conflicted", "False", "NoConflicts", ""),
    ];
    for condition in &conditions {
        set_in_place(&mut list, condition, Some(generation(gateway)), now);
    }
    let takes = |route: &&Arc<Value>| allows(listener, route, gateway, lookup) && names_listener(route, gateway, called);
    json!({
        "name": called, "attachedRoutes": attached.iter().filter(takes).count(), "conditions": list,
        "supportedKinds": [{ "group": GROUP, "kind": "HTTPRoute" }, { "group": GROUP, "kind": "GRPCRoute" }],
    })
}

/// Some parent reference of the route is about this listener.
fn names_listener(route: &Value, gateway: &Value, listener: &str) -> bool {
    items(route, &["spec", "parentRefs"]).iter().any(|parent| {
        text(parent, &["name"]) == object::name(gateway)
            && backend_namespace(route, parent) == object::namespace(gateway)
            && ["", listener].contains(&text(parent, &["sectionName"]))
    })
}
