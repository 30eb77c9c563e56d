//! The part of the Gateway API that the simulated gateway understands, as CRDs: Gateway, GatewayClass, HTTPRoute and GRPCRoute.
//!
//! Own, smaller schemas with the defaults and list semantics of the standard channel (rules, matches, filters, backendRefs
//! and parentRefs have one owner each); what they lack is refused as an unknown field. Retries are only in the experimental
//! channel, as of 1.6, so they come separately ([`with_retry`]). No text of the original.

use serde_json::{Map, Value, json};

/// Group of all of them.
const GROUP: &str = "gateway.networking.k8s.io";

/// The CRDs, to be created like any others.
pub fn definitions() -> Vec<Value> {
    vec![
        definition("GatewayClass", "gatewayclasses", "gatewayclass", "gc", "Cluster", gateway_class()),
        definition("Gateway", "gateways", "gateway", "gtw", "Namespaced", gateway()),
        definition("HTTPRoute", "httproutes", "httproute", "", "Namespaced", route(rule(&filter(true), matching()))),
        definition("GRPCRoute", "grpcroutes", "grpcroute", "", "Namespaced", route(grpc_rule())),
    ]
}

/// The CRD of HTTPRoutes with the field `retry`, as the experimental channel has it.
pub fn with_retry() -> Value {
    let codes = json!({"type": "array", "items": {"type": "integer", "minimum": 400, "maximum": 599}, "x-kubernetes-list-type": "set"});
    let retry = object(&[("codes", codes), ("attempts", json!({"type": "integer", "minimum": 1})), ("backoff", duration())]);
    let mut rule = rule(&filter(true), matching());
    rule["properties"]["retry"] = retry;
    definition("HTTPRoute", "httproutes", "httproute", "", "Namespaced", route(rule))
}

fn definition(kind: &str, plural: &str, singular: &str, short: &str, scope: &str, spec: Value) -> Value {
    let mut names =
        json!({"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular, "categories": ["gateway-api"]});
    if !short.is_empty() {
        names["shortNames"] = json!([short]);
    }
    let schema = object(&[
        ("apiVersion", text(0)),
        ("kind", text(0)),
        ("metadata", json!({"type": "object"})),
        ("spec", spec),
        ("status", status(kind)),
    ]);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{GROUP}"),
            // The API server asks for it on every CRD of a protected group: here it says whose subset this is.
            "annotations": {"api-approved.kubernetes.io": "unapproved, a subset for simulation"},
        },
        "spec": {
            "group": GROUP, "names": names, "scope": scope,
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
                "additionalPrinterColumns": [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
            }],
        },
    })
}

fn object(fields: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "properties": properties})
}

fn required(mut schema: Value, fields: &[&str]) -> Value {
    schema["required"] = json!(fields);
    schema
}

fn with_default(mut schema: Value, value: Value) -> Value {
    schema["default"] = value;
    schema
}

/// Text of at least `least` characters.
fn text(least: u64) -> Value {
    if least == 0 { json!({"type": "string"}) } else { json!({"type": "string", "minLength": least, "maxLength": 253}) }
}

fn choice(values: &[&str]) -> Value {
    json!({"type": "string", "enum": values})
}

fn list(items: Value, most: u64) -> Value {
    json!({"type": "array", "items": items, "maxItems": most, "x-kubernetes-list-type": "atomic"})
}

fn keyed(items: Value, most: u64, keys: &[&str]) -> Value {
    json!({"type": "array", "items": items, "maxItems": most, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys})
}

fn port() -> Value {
    json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535})
}

fn duration() -> Value {
    json!({"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"})
}

fn gateway_class() -> Value {
    required(object(&[("controllerName", text(1)), ("description", text(0))]), &["controllerName"])
}

fn gateway() -> Value {
    let routes = object(&[(
        "namespaces",
        with_default(object(&[("from", with_default(choice(&["All", "Selector", "Same"]), json!("Same")))]), json!({"from": "Same"})),
    )]);
    let listener = object(&[
        ("name", text(1)),
        ("hostname", text(1)),
        ("port", port()),
        ("protocol", text(1)),
        ("allowedRoutes", with_default(routes, json!({"namespaces": {"from": "Same"}}))),
    ]);
    let listeners = keyed(required(listener, &["name", "port", "protocol"]), 64, &["name"]);
    required(object(&[("gatewayClassName", text(1)), ("listeners", listeners)]), &["gatewayClassName", "listeners"])
}

fn parent() -> Value {
    let fields = object(&[
        ("group", with_default(json!({"type": "string", "maxLength": 253}), json!(GROUP))),
        ("kind", with_default(text(1), json!("Gateway"))),
        ("namespace", text(1)),
        ("name", text(1)),
        ("sectionName", text(1)),
        ("port", port()),
    ]);
    required(fields, &["name"])
}

fn route(rule: Value) -> Value {
    let http = rule.pointer("/properties/timeouts").is_some();
    let rules = list(rule, 16);
    let everything = json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]);
    object(&[
        ("parentRefs", list(parent(), 32)),
        ("hostnames", list(text(1), 16)),
        ("rules", if http { with_default(rules, everything) } else { rules }),
    ])
}

fn header() -> Value {
    let header = object(&[
        ("type", with_default(choice(&["Exact", "RegularExpression"]), json!("Exact"))),
        ("name", text(1)),
        ("value", json!({"type": "string", "minLength": 1, "maxLength": 4096})),
    ]);
    required(header, &["name", "value"])
}

fn matching() -> Value {
    let path = object(&[
        ("type", with_default(choice(&["Exact", "PathPrefix", "RegularExpression"]), json!("PathPrefix"))),
        ("value", with_default(json!({"type": "string", "maxLength": 1024}), json!("/"))),
    ]);
    object(&[
        ("path", with_default(path, json!({"type": "PathPrefix", "value": "/"}))),
        ("headers", keyed(header(), 16, &["name"])),
        ("method", choice(&["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"])),
    ])
}

fn rule(filter: &Value, matching: Value) -> Value {
    object(&[
        ("name", text(1)),
        ("matches", with_default(list(matching, 64), json!([{"path": {"type": "PathPrefix", "value": "/"}}]))),
        ("filters", list(filter.clone(), 16)),
        ("backendRefs", list(weighted(filter), 16)),
        ("timeouts", object(&[("request", duration()), ("backendRequest", duration())])),
    ])
}

/// A rule of a GRPCRoute has no path, no timeouts, and no default match.
fn grpc_rule() -> Value {
    let name = json!({"type": "string", "maxLength": 1024});
    let method = object(&[
        ("type", with_default(choice(&["Exact", "RegularExpression"]), json!("Exact"))),
        ("service", name.clone()),
        ("method", name),
    ]);
    let matching = object(&[("method", method), ("headers", keyed(header(), 16, &["name"]))]);
    let filter = filter(false);
    object(&[
        ("name", text(1)),
        ("matches", list(matching, 64)),
        ("filters", list(filter.clone(), 16)),
        ("backendRefs", list(weighted(&filter), 16)),
    ])
}

fn backend() -> Value {
    let fields = object(&[
        ("group", with_default(json!({"type": "string", "maxLength": 253}), json!(""))),
        ("kind", with_default(text(1), json!("Service"))),
        ("name", text(1)),
        ("namespace", text(1)),
        ("port", port()),
    ]);
    required(fields, &["name"])
}

fn weighted(filter: &Value) -> Value {
    let mut backend = backend();
    let weight = json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 1_000_000});
    backend["properties"]["weight"] = with_default(weight, json!(1));
    backend["properties"]["filters"] = list(filter.clone(), 16);
    backend
}

/// A copy of every request, or of a share of them that is given in one of two ways.
fn mirror() -> Value {
    let whole = |least: i64| json!({"type": "integer", "format": "int32", "minimum": least});
    let fraction = required(object(&[("numerator", whole(0)), ("denominator", with_default(whole(1), json!(100)))]), &["numerator"]);
    let percent = json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 100});
    let mut mirror = required(object(&[("backendRef", backend()), ("percent", percent), ("fraction", fraction)]), &["backendRef"]);
    mirror["x-kubernetes-validations"] =
        json!([{"rule": "!(has(self.percent) && has(self.fraction))", "message": "percent and fraction exclude each other"}]);
    mirror
}

fn filter(http: bool) -> Value {
    let header =
        required(object(&[("name", text(1)), ("value", json!({"type": "string", "minLength": 1, "maxLength": 4096}))]), &["name", "value"]);
    let headers = keyed(header, 16, &["name"]);
    let remove = json!({"type": "array", "items": {"type": "string"}, "maxItems": 16, "x-kubernetes-list-type": "set"});
    let modifier = object(&[("set", headers.clone()), ("add", headers), ("remove", remove)]);
    let path = required(
        object(&[
            ("type", choice(&["ReplaceFullPath", "ReplacePrefixMatch"])),
            ("replaceFullPath", json!({"type": "string", "maxLength": 1024})),
            ("replacePrefixMatch", json!({"type": "string", "maxLength": 1024})),
        ]),
        &["type"],
    );
    let mut kinds = vec!["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror"];
    let mut fields = vec![("requestHeaderModifier", modifier.clone()), ("responseHeaderModifier", modifier), ("requestMirror", mirror())];
    if http {
        kinds.push("URLRewrite");
        fields.push(("urlRewrite", object(&[("hostname", text(1)), ("path", path)])));
    }
    fields.push(("type", choice(&kinds)));
    required(object(&fields), &["type"])
}

fn status(kind: &str) -> Value {
    let condition = required(
        object(&[
            ("type", text(1)),
            ("status", choice(&["True", "False", "Unknown"])),
            ("reason", text(1)),
            ("message", text(0)),
            ("lastTransitionTime", json!({"type": "string", "format": "date-time"})),
            ("observedGeneration", json!({"type": "integer", "format": "int64", "minimum": 0})),
        ]),
        &["type", "status", "reason", "message", "lastTransitionTime"],
    );
    let conditions = keyed(condition, 8, &["type"]);
    if !kind.ends_with("Route") {
        return json!({"type": "object", "properties": {"conditions": conditions}, "x-kubernetes-preserve-unknown-fields": true});
    }
    let parents = required(
        object(&[("parentRef", parent()), ("controllerName", text(1)), ("conditions", conditions)]),
        &["parentRef", "controllerName"],
    );
    required(object(&[("parents", list(parents, 32))]), &["parents"])
}
