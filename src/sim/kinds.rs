//! The registry of kinds: what resources are served, and how each is treated.
//!
//! Takes the table of built-ins and the definitions of established CRDs; gives lookups and stable listings. Never holds
//! objects and never decides about a request: the verbs read the flags kept here.

pub mod builtin;
pub mod crd;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::sim::apply;
use crate::sim::schema::cel::CompiledRules;
use crate::sim::schema::{self, Schema};

/// What a resource is called on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId {
    /// API group; empty for core.
    pub group: String,
    /// Version, such as `v1`.
    pub version: String,
    /// Plural name in lower case.
    pub plural: String,
}

impl ResourceId {
    /// `plural.group`, for core `plural`.
    pub fn key(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `group/version`, for core the version.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// JSON paths of the scale subresource, with a leading dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// Wanted replicas, such as `.spec.replicas`.
    pub spec_replicas: String,
    /// Counted replicas, such as `.status.replicas`.
    pub status_replicas: String,
    /// Selector: text for custom resources, a `LabelSelector` or map for built-ins.
    pub label_selector: Option<String>,
}

/// `additionalPrinterColumns` of a custom resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub kind: String,
    /// OpenAPI format; may be empty.
    pub format: String,
    /// Text for people; may be empty.
    pub description: String,
    /// 0 shows always, more only in wide output.
    pub priority: i64,
    /// JSON path with a leading dot.
    pub json_path: String,
}

/// One field selector label and where its value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectableField {
    /// As written in the selector, such as `status.phase`.
    pub label: String,
    /// JSON pointer of the value.
    pub pointer: String,
}

/// When `metadata.generation` rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationPolicy {
    /// The server does not count.
    None,
    /// Anything outside metadata and status.
    Spec,
    /// As `Spec`, and annotations (Deployment).
    SpecOrAnnotations,
    /// Anything outside metadata; status too unless it is a subresource.
    Custom,
}

/// The rule for `metadata.name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// RFC 1123 subdomain, 253 characters.
    Subdomain,
    /// RFC 1123 label, 63 characters.
    Label,
    /// RFC 1035 label, 63 characters (Service).
    Label1035,
    /// Anything that can be one segment of a path (RBAC).
    PathSegment,
    /// A subdomain of at most this many characters (CronJob).
    SubdomainMax(usize),
    /// A subdomain without dots (StatefulSet).
    NoDots,
}

/// How a resource differs from the common course of the verbs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// When the generation rises.
    pub generation: GenerationPolicy,
    /// Rule for names.
    pub name_rule: NameRule,
    /// PUT must carry a `resourceVersion`.
    pub version_required: bool,
    /// PUT of a missing object creates it.
    pub put_creates: bool,
    /// DELETE answers with the object instead of a `Status`.
    pub delete_returns_object: bool,
    /// Without an explicit propagation, dependents are orphaned.
    pub orphan_by_default: bool,
    /// Deletion has a grace period (Pod).
    pub graceful: bool,
    /// Created objects lose their status, and only `/status` writes it.
    pub status_reset: bool,
}

impl Default for Strategy {
    fn default() -> Self {
        Self {
            generation: GenerationPolicy::None,
            name_rule: NameRule::Subdomain,
            version_required: false,
            put_creates: false,
            delete_returns_object: false,
            orphan_by_default: false,
            graceful: false,
            status_reset: false,
        }
    }
}

/// How objects of this version relate to the stored ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// Only `apiVersion` differs.
    None,
    /// `events.k8s.io/v1` over stored core events.
    Events,
}

/// One served version of one resource.
#[derive(Debug)]
pub struct Resource {
    /// Group, version, plural.
    pub id: ResourceId,
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Kind of lists, such as `DeploymentList`.
    pub list_kind: String,
    /// Singular name in lower case.
    pub singular: String,
    /// Short names.
    pub short_names: Vec<String>,
    /// Categories, such as `all`.
    pub categories: Vec<String>,
    /// Objects live in namespaces.
    pub namespaced: bool,
    /// Has `/status`.
    pub status: bool,
    /// Has `/scale`.
    pub scale: Option<ScalePaths>,
    /// Further subresources, such as `eviction`.
    pub subresources: Vec<&'static str>,
    /// Flags for the verbs.
    pub strategy: Strategy,
    /// Printer columns of a custom resource.
    pub columns: Vec<Column>,
    /// Field selectors beyond `metadata.name` and `metadata.namespace`.
    pub selectable: Vec<SelectableField>,
    /// This is the version that is stored.
    pub storage: bool,
    /// Warning for every use of a deprecated version.
    pub deprecation: Option<String>,
    /// Defined by a CRD of this name (`plural.group`).
    pub custom: bool,
    /// Storage key: resources with the same one are views of the same objects.
    pub storage_key: String,
    /// `apiVersion` of the stored objects.
    pub storage_api_version: String,
    /// Relation to the stored objects.
    pub conversion: Conversion,
    /// `group/version`, kept for borrowing.
    pub(in crate::sim) request_api_version: String,
    /// `plural.group`, kept for borrowing.
    pub(in crate::sim) request_key: String,
    /// All apiVersions of a custom resource; none for built-ins.
    pub(in crate::sim) api_versions: Vec<String>,
    /// Compiled rules of a custom resource.
    pub(in crate::sim) rules: Option<CompiledRules>,
    /// `spec` of the definition that this comes from.
    pub(in crate::sim) definition_spec: Option<Arc<Value>>,
    schema: OnceLock<Arc<Schema>>,
    /// A built-in object with nothing set; custom resources have none.
    empty: OnceLock<Option<Value>>,
}

impl Resource {
    /// The structural schema of the kind, metadata included for built-ins; built-ins build theirs at first use.
    pub fn schema(&self) -> &Arc<Schema> {
        self.schema.get_or_init(|| schema::builtin::schema(&self.id.group, &self.id.version, &self.kind))
    }

    /// For built-ins an object with nothing set, as the server's own type encodes it.
    pub(in crate::sim) fn empty(&self) -> Option<&Value> {
        let make = || (!self.custom).then(|| apply::empty_object(&self.id.group, &self.kind));
        self.empty.get_or_init(make).as_ref()
    }

    /// `plural.group`.
    pub fn key(&self) -> String {
        self.id.key()
    }

    /// `group/version`.
    pub fn api_version(&self) -> String {
        self.id.api_version()
    }

    /// The name of this resource in messages: `plural.group`, without the dot for core.
    pub fn qualified(&self) -> String {
        self.id.key()
    }

    /// Whether a subresource of this name is served.
    pub fn has_subresource(&self, name: &str) -> bool {
        match name {
            "status" => self.status,
            "scale" => self.scale.is_some(),
            other => self.subresources.contains(&other),
        }
    }
}

/// All served resources.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    /// By group, plural and version.
    versions: BTreeMap<(String, String, String), Arc<Resource>>,
    /// `plural.group` to the version that is used when none is named.
    preferred: BTreeMap<String, Arc<Resource>>,
    metrics_apis: bool,
}

impl Kinds {
    /// The built-ins.
    pub fn builtin() -> Self {
        let mut kinds = Self::default();
        for resource in builtin::all() {
            kinds.add(resource, true);
        }
        kinds
    }

    /// The metrics APIs stand behind this server from now on.
    pub fn serve_metrics_apis(&mut self) {
        self.metrics_apis = true;
    }

    /// Whether the metrics APIs stand behind this server.
    pub fn has_metrics_apis(&self) -> bool {
        self.metrics_apis
    }

    /// Adds (or replaces) one version.
    pub fn add(&mut self, resource: Arc<Resource>, preferred: bool) {
        let id = resource.id.clone();
        if preferred {
            self.preferred.insert(id.key(), Arc::clone(&resource));
        }
        self.versions.insert((id.group, id.plural, id.version), resource);
    }

    /// Takes all versions of a resource away.
    pub fn remove(&mut self, group: &str, plural: &str) {
        self.versions.retain(|(of_group, of_plural, _), _| of_group != group || of_plural != plural);
        self.preferred.retain(|_, resource| resource.id.group != group || resource.id.plural != plural);
    }

    /// By group, version and plural.
    pub fn lookup(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.versions.get(&(group.to_owned(), plural.to_owned(), version.to_owned()))
    }

    /// By the short id of the direct door: `plural.group` (preferred version) or `plural.group/version`.
    pub fn by_key(&self, key: &str) -> Option<&Arc<Resource>> {
        let Some((key, version)) = key.split_once('/') else { return self.preferred.get(key) };
        let (plural, group) = key.split_once('.').unwrap_or((key, ""));
        self.lookup(group, version, plural)
    }

    /// By group and kind, in any version; the preferred version if it is among them.
    pub fn by_kind(&self, group: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.preferred.values().find(|resource| resource.id.group == group && resource.kind == kind)
    }

    /// By `apiVersion` and kind, as an object or an owner reference names them.
    pub fn by_api_version(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.versions.values().find(|resource| resource.id.group == group && resource.id.version == version && resource.kind == kind)
    }

    /// Whether any resource of this group is served.
    pub fn has_group(&self, group: &str) -> bool {
        self.versions.keys().any(|(of, _, _)| of == group)
    }

    /// Every served version of every resource, by group, plural, version.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.versions.values()
    }

    /// One resource per storage key, in the preferred version, by key: what controllers that handle all kinds walk over.
    pub fn preferred(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.preferred.values().filter(|resource| resource.key() == resource.storage_key)
    }
}
