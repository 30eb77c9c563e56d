//! Schemas of built-in kinds, made from generated type descriptions on first use and kept for the life of the process.
//!
//! Takes group, version and kind; gives a shared tree. List keys, sets, atomic maps and patch strategies come from
//! [`table`], because the type descriptions do not carry them.

mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use k8s_openapi::api::{
    admissionregistration::v1 as admission, apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch,
    coordination::v1 as coordination, core::v1 as core, discovery::v1 as discovery, events::v1 as events, networking::v1 as networking,
    policy::v1 as policy, rbac::v1 as rbac, scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::{Kind, Limits, Schema};

/// Trees by type name; every type is converted once, however many kinds use it.
static TYPES: LazyLock<Mutex<BTreeMap<String, Arc<Schema>>>> = LazyLock::new(Mutex::default);

/// The schema of a kind that is in the table of simulated or stored built-ins.
///
/// # Panics
/// For any other kind: callers take kinds from the registry, which lists only what [`find`] knows.
#[expect(clippy::expect_used, reason = "the registry of built-ins names only kinds that are listed here; a test compares both")]
pub fn schema(group: &str, version: &str, kind: &str) -> Arc<Schema> {
    find(group, version, kind).expect("a built-in kind without a schema")
}

/// The schema of a built-in kind; `None` for kinds that the simulated cluster does not have.
pub fn find(group: &str, version: &str, kind: &str) -> Option<Arc<Schema>> {
    let make = maker(group, version, kind)?;
    Some(make())
}

/// The schema of `metadata`.
pub fn object_meta() -> Arc<Schema> {
    root::<meta::ObjectMeta>()
}

/// Every kind that [`find`] knows: group, version, kind.
pub fn kinds() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    KINDS.iter().map(|(group, version, kind, _)| (*group, *version, *kind))
}

type Maker = fn() -> Arc<Schema>;

fn maker(group: &str, version: &str, kind: &str) -> Option<Maker> {
    KINDS.iter().find(|known| (known.0, known.1, known.2) == (group, version, kind)).map(|known| known.3)
}

const KINDS: &[(&str, &str, &str, Maker)] = &[
    ("", "v1", "Binding", root::<core::Binding>),
    ("", "v1", "Namespace", root::<core::Namespace>),
    ("", "v1", "Node", root::<core::Node>),
    ("", "v1", "Pod", root::<core::Pod>),
    ("", "v1", "PodTemplate", root::<core::PodTemplate>),
    ("", "v1", "Service", root::<core::Service>),
    ("", "v1", "ServiceAccount", root::<core::ServiceAccount>),
    ("", "v1", "ConfigMap", root::<core::ConfigMap>),
    ("", "v1", "Secret", root::<core::Secret>),
    ("", "v1", "Endpoints", root::<core::Endpoints>),
    ("", "v1", "Event", root::<core::Event>),
    ("", "v1", "ResourceQuota", root::<core::ResourceQuota>),
    ("", "v1", "LimitRange", root::<core::LimitRange>),
    ("", "v1", "PersistentVolume", root::<core::PersistentVolume>),
    ("", "v1", "PersistentVolumeClaim", root::<core::PersistentVolumeClaim>),
    ("", "v1", "ReplicationController", root::<core::ReplicationController>),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", root::<admission::ValidatingAdmissionPolicy>),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", root::<admission::ValidatingAdmissionPolicyBinding>),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", root::<extensions::CustomResourceDefinition>),
    ("apps", "v1", "ControllerRevision", root::<apps::ControllerRevision>),
    ("apps", "v1", "DaemonSet", root::<apps::DaemonSet>),
    ("apps", "v1", "Deployment", root::<apps::Deployment>),
    ("apps", "v1", "ReplicaSet", root::<apps::ReplicaSet>),
    ("apps", "v1", "StatefulSet", root::<apps::StatefulSet>),
    ("autoscaling", "v1", "Scale", root::<k8s_openapi::api::autoscaling::v1::Scale>),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", root::<autoscaling::HorizontalPodAutoscaler>),
    ("batch", "v1", "CronJob", root::<batch::CronJob>),
    ("batch", "v1", "Job", root::<batch::Job>),
    ("coordination.k8s.io", "v1", "Lease", root::<coordination::Lease>),
    ("discovery.k8s.io", "v1", "EndpointSlice", root::<discovery::EndpointSlice>),
    ("events.k8s.io", "v1", "Event", root::<events::Event>),
    ("networking.k8s.io", "v1", "Ingress", root::<networking::Ingress>),
    ("networking.k8s.io", "v1", "IngressClass", root::<networking::IngressClass>),
    ("networking.k8s.io", "v1", "NetworkPolicy", root::<networking::NetworkPolicy>),
    ("policy", "v1", "Eviction", root::<policy::Eviction>),
    ("policy", "v1", "PodDisruptionBudget", root::<policy::PodDisruptionBudget>),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", root::<rbac::ClusterRole>),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", root::<rbac::ClusterRoleBinding>),
    ("rbac.authorization.k8s.io", "v1", "Role", root::<rbac::Role>),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", root::<rbac::RoleBinding>),
    ("scheduling.k8s.io", "v1", "PriorityClass", root::<scheduling::PriorityClass>),
    ("storage.k8s.io", "v1", "StorageClass", root::<storage::StorageClass>),
];

/// The tree of a Rust type.
fn root<T: JsonSchema>() -> Arc<Schema> {
    let name = T::schema_name();
    let mut types = TYPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = types.get(name.as_ref()) {
        return Arc::clone(known);
    }
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    generator.subschema_for::<T>();
    let definitions = generator.take_definitions(false);
    Converter { definitions: &definitions, types: &mut types }.named(&name)
}

/// Turns the definitions of one generator run into shared trees.
struct Converter<'a> {
    definitions: &'a Map<String, Value>,
    types: &'a mut BTreeMap<String, Arc<Schema>>,
}

impl Converter<'_> {
    fn named(&mut self, name: &str) -> Arc<Schema> {
        if let Some(known) = self.types.get(name) {
            return Arc::clone(known);
        }
        let converted = Arc::new(match opaque(name) {
            Some(schema) => schema,
            None => {
                let mut schema = self.node(self.definitions.get(name).unwrap_or(&Value::Null));
                schema.type_name = name.to_owned();
                if schema.kind == Kind::Object && schema.properties.is_empty() && schema.additional.is_none() {
                    schema.preserve_unknown = true;
                }
                table::refine(name, &mut schema);
                schema
            }
        });
        self.types.insert(name.to_owned(), Arc::clone(&converted));
        converted
    }

    /// A field: a reference (shared, unless it has its own description) or an inline node.
    fn field(&mut self, json: &Value) -> Arc<Schema> {
        let description = json.get("description").and_then(Value::as_str).unwrap_or_default();
        let Some(name) = json.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) else {
            return Arc::new(self.node(json));
        };
        let shared = self.named(name);
        if description.is_empty() { shared } else { Arc::new(Schema { description: description.to_owned(), ..(*shared).clone() }) }
    }

    fn node(&mut self, json: &Value) -> Schema {
        let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = match text("type") {
            "object" => Kind::Object,
            "array" => Kind::Array,
            "string" => Kind::String,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            _ => Kind::Any,
        };
        let properties = json.get("properties").and_then(Value::as_object);
        let required = json.get("required").and_then(Value::as_array);
        Schema {
            kind,
            preserve_unknown: kind == Kind::Any,
            description: text("description").to_owned(),
            properties: properties.into_iter().flatten().map(|(name, field)| (name.clone(), self.field(field))).collect(),
            additional: json.get("additionalProperties").map(|values| self.field(values)),
            items: json.get("items").map(|items| self.field(items)),
            limits: Limits {
                format: text("format").to_owned(),
                required: required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
                ..Limits::default()
            },
            ..Schema::default()
        }
    }
}

/// Types that are described by hand: amounts, numbers-or-names, times, and subtrees that hold anything.
fn opaque(name: &str) -> Option<Schema> {
    let formatted = |kind: Kind, format: &str| Schema {
        kind,
        type_name: name.to_owned(),
        limits: Limits { format: format.to_owned(), ..Limits::default() },
        ..Schema::default()
    };
    let short = name.rsplit('.').next().unwrap_or_default();
    match short {
        "Quantity" => Some(formatted(Kind::IntOrString, "quantity")),
        "IntOrString" => Some(formatted(Kind::IntOrString, "int-or-string")),
        "Time" | "MicroTime" => Some(formatted(Kind::String, "date-time")),
        "JSONSchemaProps" | "JSON" | "RawExtension" | "FieldsV1" => {
            Some(Schema { preserve_unknown: true, type_name: name.to_owned(), ..Schema::default() })
        }
        _ => None,
    }
}
