//! The `paths` of a document: which operations exist, on which kind, with which parameters.

use serde_json::{Map, Value, json};

use crate::sim::kinds::Resource;

/// Adds the paths of a resource; `component` is the name of its schema.
pub(super) fn add(paths: &mut Map<String, Value>, resource: &Resource, component: &str) {
    let root = if resource.id.group.is_empty() { "/api" } else { "/apis" };
    let base = format!("{root}/{}", resource.api_version());
    let plural = &resource.id.plural;
    let own = Target { group: &resource.id.group, version: &resource.id.version, kind: &resource.kind, component: Some(component) };
    let scope = if resource.namespaced { format!("{base}/namespaces/{{namespace}}") } else { base.clone() };
    let strategic = !resource.custom;
    let mut collection = json!({
        "get": own.operation("list", LIST_PARAMETERS, None),
        "post": own.operation("post", WRITE_PARAMETERS, Some(BODY_TYPES)),
    });
    if plural != "namespaces" || !resource.id.group.is_empty() {
        collection["delete"] = own.operation("deletecollection", LIST_PARAMETERS, None);
    }
    insert(paths, &format!("{scope}/{plural}"), collection, resource.namespaced, false);
    if resource.namespaced {
        let all = json!({ "get": own.operation("list", LIST_PARAMETERS, None) });
        insert(paths, &format!("{base}/{plural}"), all, false, false);
    }
    let mut item = own.item(strategic);
    item["delete"] = own.operation("delete", DELETE_PARAMETERS, Some(BODY_TYPES));
    insert(paths, &format!("{scope}/{plural}/{{name}}"), item, resource.namespaced, true);
    if resource.status {
        insert(paths, &format!("{scope}/{plural}/{{name}}/status"), own.item(strategic), resource.namespaced, true);
    }
    if resource.scale.is_some() {
        let scale = Target { group: "autoscaling", version: "v1", kind: "Scale", component: None };
        insert(paths, &format!("{scope}/{plural}/{{name}}/scale"), scale.item(strategic), resource.namespaced, true);
    }
}

const LIST_PARAMETERS: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];
const WRITE_PARAMETERS: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
const PATCH_PARAMETERS: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
const DELETE_PARAMETERS: &[&str] = &["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];

const BODY_TYPES: &[&str] = &["application/json", "application/yaml"];

/// What operations act on.
struct Target<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    component: Option<&'a str>,
}

impl Target<'_> {
    /// `get`, `put` and `patch` of one object or subresource.
    fn item(&self, strategic: bool) -> Value {
        let mut patches = vec!["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
        if strategic {
            patches.push("application/strategic-merge-patch+json");
        }
        json!({
            "get": self.operation("get", &[], None),
            "put": self.operation("put", WRITE_PARAMETERS, Some(BODY_TYPES)),
            "patch": self.operation("patch", PATCH_PARAMETERS, Some(&patches)),
        })
    }

    fn operation(&self, action: &str, parameters: &[&str], bodies: Option<&[&str]>) -> Value {
        let schema = match self.component {
            Some(name) if matches!(action, "list" | "deletecollection") => json!({ "$ref": format!("#/components/schemas/{name}List") }),
            Some(name) => json!({ "$ref": format!("#/components/schemas/{name}") }),
            None => json!({ "type": "object" }),
        };
        let mut operation = json!({
            "parameters": parameters.iter().map(|name| query_parameter(name)).collect::<Vec<_>>(),
            "responses": { "200": { "description": "OK", "content": { "application/json": { "schema": schema } } } },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": { "group": self.group, "version": self.version, "kind": self.kind },
        });
        if let Some(types) = bodies {
            // A patch is not an object of the kind: its body is any object.
            let body = if action == "patch" { json!({ "type": "object" }) } else { schema_of_body(self.component, action) };
            let content: Map<String, Value> = types.iter().map(|media| ((*media).to_owned(), json!({ "schema": body }))).collect();
            operation["requestBody"] = json!({ "content": content });
        }
        operation
    }
}

fn schema_of_body(component: Option<&str>, action: &str) -> Value {
    match component {
        Some(name) if action != "delete" => json!({ "$ref": format!("#/components/schemas/{name}") }),
        _ => json!({ "type": "object" }),
    }
}

fn query_parameter(name: &str) -> Value {
    let kind = match name {
        "allowWatchBookmarks" | "force" | "orphanDependents" | "sendInitialEvents" | "watch" => "boolean",
        "gracePeriodSeconds" | "limit" | "timeoutSeconds" => "integer",
        _ => "string",
    };
    json!({ "name": name, "in": "query", "schema": { "type": kind, "uniqueItems": true } })
}

fn insert(paths: &mut Map<String, Value>, path: &str, mut operations: Value, namespaced: bool, named: bool) {
    let in_path = |name: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    let mut parameters = Vec::new();
    if named {
        parameters.push(in_path("name"));
    }
    if namespaced {
        parameters.push(in_path("namespace"));
    }
    operations["parameters"] = Value::Array(parameters);
    paths.insert(path.to_owned(), operations);
}
