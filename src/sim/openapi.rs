//! OpenAPI v3: the index and one document per group and version, as `kubectl apply`, `explain` and `diff` read them.
//!
//! Takes the registry of kinds, gives JSON. Types stand inline where a real server refers to named components, except for
//! object metadata. OpenAPI v2 is not served: clients ask for it as protobuf only, and live without it.

mod operations;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::sim::discovery::hash;
use crate::sim::kinds::{Kinds, Resource};
use crate::sim::schema::builtin::object_meta;
use crate::sim::schema::structural::to_openapi;

const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The documents, built when first asked for and kept until their kinds change.
#[derive(Default)]
pub struct OpenApi {
    documents: BTreeMap<String, Document>,
}

/// One document.
pub struct Document {
    resources: Vec<Arc<Resource>>,
    body: Option<Bytes>,
    hash: String,
}

impl OpenApi {
    /// `/openapi/v3`: every document with the hash that its address carries.
    pub fn index(&mut self, kinds: &Kinds) -> Value {
        self.refresh(kinds);
        let paths: Map<String, Value> = self
            .documents
            .iter()
            .map(|(path, document)| (path.clone(), json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash={}", document.hash) })))
            .collect();
        json!({ "paths": paths })
    }

    /// The document at `path` (`api/v1`, `apis/GROUP/VERSION`) and its hash; `None` if it is not served.
    pub fn document(&mut self, kinds: &Kinds, path: &str) -> Option<(Bytes, String)> {
        self.refresh(kinds);
        let document = self.documents.get_mut(path)?;
        let body = document.body.get_or_insert_with(|| Bytes::from(render(&document.resources).to_string())).clone();
        Some((body, document.hash.clone()))
    }

    fn refresh(&mut self, kinds: &Kinds) {
        let mut served: BTreeMap<String, Vec<Arc<Resource>>> = BTreeMap::new();
        for resource in kinds.all() {
            let root = if resource.id.group.is_empty() { "api" } else { "apis" };
            served.entry(format!("{root}/{}", resource.api_version())).or_default().push(Arc::clone(resource));
        }
        self.documents.retain(|path, _| served.contains_key(path));
        for (path, resources) in served {
            let same = |known: &Document| {
                known.resources.len() == resources.len()
                    && known.resources.iter().zip(&resources).all(|(left, right)| Arc::ptr_eq(left, right))
            };
            if !self.documents.get(&path).is_some_and(same) {
                self.documents.insert(path.clone(), Document::new(&path, resources));
            }
        }
    }
}

impl Document {
    /// Built-in documents are large and never change: their hash comes from what they are about, their body later.
    fn new(path: &str, resources: Vec<Arc<Resource>>) -> Self {
        if resources.iter().all(|resource| !resource.custom) {
            let names: Vec<&str> = resources.iter().map(|resource| resource.kind.as_str()).collect();
            let hash = hash(format!("{} {path} {}", env!("CARGO_PKG_VERSION"), names.join(" ")).as_bytes());
            return Self { resources, body: None, hash };
        }
        let body = Bytes::from(render(&resources).to_string());
        Self { resources, hash: hash(&body), body: Some(body) }
    }
}

fn render(resources: &[Arc<Resource>]) -> Value {
    let mut schemas = Map::new();
    let mut paths = Map::new();
    schemas.insert(METADATA.to_owned(), to_openapi(&object_meta()));
    for resource in resources {
        let name = component_name(resource);
        schemas.insert(name.clone(), object_schema(resource));
        schemas.insert(format!("{name}List"), list_schema(resource, &name));
        operations::add(&mut paths, resource, &name);
    }
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes (simulated)", "version": crate::sim::routes::VERSION },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// `io.k8s.api.apps.v1.Deployment`; for custom kinds the group backwards.
fn component_name(resource: &Resource) -> String {
    let (group, version, kind) = (&resource.id.group, &resource.id.version, &resource.kind);
    if resource.custom {
        let backwards: Vec<&str> = group.rsplit('.').collect();
        return format!("{}.{version}.{kind}", backwards.join("."));
    }
    let package = match group.split('.').next() {
        Some("") | None => "core",
        Some(first) => first,
    };
    format!("io.k8s.api.{package}.{version}.{kind}")
}

fn object_schema(resource: &Resource) -> Value {
    let mut schema = to_openapi(resource.schema());
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    let properties = &mut schema["properties"];
    for field in ["apiVersion", "kind"] {
        if properties[field].is_null() {
            properties[field] = json!({ "type": "string", "description": format!("The `{field}` of the object.") });
        }
    }
    properties["metadata"] = json!({ "$ref": format!("#/components/schemas/{METADATA}") });
    schema["type"] = json!("object");
    schema["x-kubernetes-group-version-kind"] = json!([group_version_kind(resource, &resource.kind)]);
    schema
}

fn list_schema(resource: &Resource, name: &str) -> Value {
    json!({
        "type": "object",
        "description": format!("A list of {} objects.", resource.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": { "type": "object" },
            "items": { "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } },
        },
        "x-kubernetes-group-version-kind": [group_version_kind(resource, &resource.list_kind)],
    })
}

fn group_version_kind(resource: &Resource, kind: &str) -> Value {
    json!({ "group": resource.id.group, "version": resource.id.version, "kind": kind })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::OpenApi;
    use crate::sim::kinds::Kinds;

    fn document(path: &str) -> Value {
        let (body, _) = OpenApi::default().document(&Kinds::builtin(), path).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn the_index_names_every_group_with_a_hash_that_its_document_confirms() {
        let kinds = Kinds::builtin();
        let mut openapi = OpenApi::default();
        let index = openapi.index(&kinds);
        let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
        let (_, hash) = openapi.document(&kinds, "apis/apps/v1").unwrap();
        assert_eq!(url, format!("/openapi/v3/apis/apps/v1?hash={hash}"));
        assert!(index["paths"]["api/v1"].is_object());
        assert!(openapi.document(&kinds, "apis/example.com/v1").is_none());
    }

    #[test]
    fn patch_operations_declare_field_validation_and_their_kind() {
        let document = document("apis/apps/v1");
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        assert!(patch["parameters"].as_array().unwrap().iter().any(|parameter| parameter["name"] == "fieldValidation"));
        assert!(patch["requestBody"]["content"].get("application/strategic-merge-patch+json").is_some());
        let scale = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["patch"];
        assert_eq!(scale["x-kubernetes-group-version-kind"]["kind"], "Scale");
    }

    #[test]
    fn components_carry_kind_and_merge_keys() {
        let document = document("apis/apps/v1");
        let deployment = &document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"];
        assert_eq!(deployment["x-kubernetes-group-version-kind"][0]["kind"], "Deployment");
        let containers = deployment.pointer("/properties/spec/properties/template/properties/spec/properties/containers").unwrap();
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    }
}
