//! With a gateway: an HTTPRoute or a GRPCRoute over the Services of the revisions. All its rules are ours.
//!
//! Takes a decision and the settings of traffic; gives the route, and reads a live one back. Rules are written in full, with
//! what the API server would fill in, so that reading them back is a comparison. Beside the weighted rule, the last, there
//! may be one that pins requests to the candidate, and the weighted one may mirror to it: both only while the decision opens
//! the candidate. Pure.

mod answers;
mod left_out;

pub use self::answers::{acceptance, taken_since, unsupported};
pub use self::left_out::{Feature, LEFT_OUT, LeftOut, lacking};

use serde_json::{Map, Value, json};

use crate::api::model_deployment::{CandidateMatch, GatewayKind, Protocol, Traffic};
use crate::domain::record::Decision;
use crate::domain::revision::RevisionName;
use crate::domain::split::{Share, Split};
use crate::resources::{Owner, labels, service};
use crate::traffic::{DECISION, to_annotation};

const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
const API_VERSION: &str = "gateway.networking.k8s.io/v1";

/// The kind of route for a protocol.
pub fn kind(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "HTTPRoute",
        Protocol::Grpc => "GRPCRoute",
    }
}

/// The route that carries `decision`, without what has to be left out.
pub fn build(owner: &Owner, traffic: &Traffic, decision: &Decision, left_out: &LeftOut) -> Value {
    let mut spec = json!({ "parentRefs": parents(owner, traffic), "rules": rules(traffic, decision, left_out) });
    if !traffic.hostnames.is_empty() {
        spec["hostnames"] = json!(traffic.hostnames);
    }
    let mut route = envelope(owner, kind(traffic.protocol), decision, spec);
    if let Some(note) = left_out.to_annotation(traffic) {
        route["metadata"]["annotations"][LEFT_OUT] = json!(note);
    }
    route
}

fn envelope(owner: &Owner, kind: &str, decision: &Decision, spec: Value) -> Value {
    let mut metadata = owner.metadata(&owner.name, &labels::of_deployment(&owner.name));
    metadata["annotations"] = json!({ DECISION: to_annotation(decision) });
    json!({ "apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec })
}

fn parents(owner: &Owner, traffic: &Traffic) -> Vec<Value> {
    let parent = |gateway: &crate::api::model_deployment::Gateway| {
        let (group, kind) = match gateway.kind {
            GatewayKind::Gateway => (GATEWAY_GROUP, "Gateway"),
            GatewayKind::Service => ("", "Service"),
        };
        let mut reference = json!({ "group": group, "kind": kind, "name": gateway.name });
        let namespace = gateway.namespace.as_ref().filter(|namespace| **namespace != owner.namespace);
        let optional =
            [("namespace", namespace.map(|text| json!(text))), ("sectionName", gateway.section_name.as_ref().map(|text| json!(text)))];
        for (field, value) in optional.into_iter().chain([("port", gateway.port.map(|port| json!(port)))]) {
            if let Some(value) = value {
                reference[field] = value;
            }
        }
        reference
    };
    traffic.gateways.iter().map(parent).collect()
}

/// The pins, if there are any, come before the weights.
fn rules(traffic: &Traffic, decision: &Decision, left_out: &LeftOut) -> Vec<Value> {
    let candidate = candidate(decision).map(|share| &share.revision);
    let pinned = candidate.filter(|_| !traffic.candidate_matches.is_empty() && !left_out.has(Feature::CandidateMatches));
    let pins = pinned.map(|revision| {
        let matches = traffic.candidate_matches.iter().map(|pin| matching(traffic, Some(pin))).collect();
        rule(traffic, matches, vec![pin(revision)], None, left_out)
    });
    let mirror = traffic.mirror.as_ref().filter(|_| !left_out.has(Feature::Mirror));
    let mirror = mirror.and_then(|mirror| Some(mirror_to(candidate?, mirror.percent)));
    let everything = if traffic.protocol == Protocol::Http { vec![matching(traffic, None)] } else { Vec::new() };
    let weights = rule(traffic, everything, backends(&decision.split), mirror, left_out);
    pins.into_iter().chain([weights]).collect()
}

/// The candidate that more than its weight may lead to.
fn candidate(decision: &Decision) -> Option<&Share> {
    decision.split.candidate.as_ref().filter(|_| decision.opens_candidate())
}

fn rule(traffic: &Traffic, matches: Vec<Value>, backends: Vec<Value>, mirror: Option<Value>, left_out: &LeftOut) -> Value {
    let mut rule = Map::new();
    if !matches.is_empty() {
        rule.insert("matches".to_owned(), json!(matches));
    }
    rule.insert("backendRefs".to_owned(), json!(backends));
    let http = traffic.http.as_ref();
    if let Some(timeouts) = http.and_then(|http| http.timeouts.as_ref()) {
        rule.insert("timeouts".to_owned(), json!(timeouts));
    }
    if let Some(retry) = http.and_then(|http| http.retry.as_ref()).filter(|_| !left_out.has(Feature::Retry)) {
        rule.insert("retry".to_owned(), json!(retry));
    }
    let filters = http.map_or(&[][..], |http| &http.filters).iter().map(|filter| json!(filter));
    let filters: Vec<Value> = filters.chain(mirror).collect();
    if !filters.is_empty() {
        rule.insert("filters".to_owned(), json!(filters));
    }
    Value::Object(rule)
}

/// Requests below the path, of a pin those with its headers. A GRPCRoute knows no path.
fn matching(traffic: &Traffic, pin: Option<&CandidateMatch>) -> Value {
    let mut wanted = Map::new();
    if traffic.protocol == Protocol::Http {
        let path = traffic.path.as_deref().unwrap_or("/");
        wanted.insert("path".to_owned(), json!({ "type": "PathPrefix", "value": path }));
    }
    if let Some(pin) = pin {
        let headers = pin.headers.iter().map(|header| json!({ "type": header.r#type, "name": header.name, "value": header.value }));
        wanted.insert("headers".to_owned(), headers.collect());
    }
    Value::Object(wanted)
}

fn mirror_to(revision: &RevisionName, percent: i32) -> Value {
    let backend = json!({ "group": "", "kind": "Service", "name": revision.as_str(), "port": service::PORT });
    json!({ "type": "RequestMirror", "requestMirror": { "backendRef": backend, "percent": percent } })
}

fn pin(revision: &RevisionName) -> Value {
    backend(revision, 100)
}

fn backend(revision: &RevisionName, weight: i32) -> Value {
    json!({ "group": "", "kind": "Service", "name": revision.as_str(), "port": service::PORT, "weight": weight })
}

/// Revisions without weight are left out: their Services may go at any time, and a missing backend breaks the route.
fn backends(split: &Split) -> Vec<Value> {
    let weighted = split.entries().into_iter().filter(|(_, weight)| *weight > 0);
    weighted.map(|(revision, weight)| backend(revision, weight)).collect()
}

/// The live route leads where `decision` says: exactly its weights, and beside them to its candidate at most, if it opens it.
/// How requests are matched is not looked at: settings may have changed since it was written.
pub fn is_intact(live: &Value, decision: &Decision) -> bool {
    let Some((weights, pins)) = rules_of(live).split_last() else { return false };
    let candidate = candidate(decision).map(|share| &share.revision);
    let pinned = candidate.map(|revision| json!([pin(revision)]));
    let mirrored = |filter: &Value| match filter.pointer("/requestMirror/backendRef/name") {
        Some(name) => candidate.is_some_and(|revision| name == revision.as_str()),
        None => true,
    };
    let filters = |rule: &Value| rule.get("filters").and_then(Value::as_array).into_iter().flatten().all(mirrored);
    weights.get("backendRefs") == Some(&json!(backends(&decision.split)))
        && pins.len() <= 1
        && pins.iter().all(|rule| pinned.is_some() && rule.get("backendRefs") == pinned.as_ref())
        && rules_of(live).iter().all(filters)
}

fn rules_of(live: &Value) -> &[Value] {
    live.pointer("/spec/rules").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// More than its weight leads to the candidate on the live route: a pin or a mirror.
pub fn has_extras(live: &Value) -> bool {
    let mirrors = |rule: &Value| {
        rule.get("filters").and_then(Value::as_array).into_iter().flatten().any(|filter| filter.get("requestMirror").is_some())
    };
    rules_of(live).len() > 1 || rules_of(live).iter().any(mirrors)
}

/// A route of the other protocol that gives way, led where `decision` says in all else as it is: until it goes, requests still
/// come by it. It never carries more than the route that takes over.
pub fn in_step(owner: &Owner, live: &Value, decision: &Decision) -> Option<Value> {
    let kind = live["kind"].as_str()?;
    let mut weights = rules_of(live).last()?.clone();
    weights["backendRefs"] = json!(backends(&decision.split));
    if let Some(filters) = weights.get_mut("filters").and_then(Value::as_array_mut) {
        filters.retain(|filter| filter.get("requestMirror").is_none());
    }
    if weights.get("filters").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        weights.as_object_mut()?.remove("filters");
    }
    let mut spec = json!({ "parentRefs": live.pointer("/spec/parentRefs")?, "rules": [weights] });
    if let Some(hostnames) = live.pointer("/spec/hostnames") {
        spec["hostnames"] = hostnames.clone();
    }
    Some(envelope(owner, kind, decision, spec))
}

#[cfg(test)]
mod tests;
