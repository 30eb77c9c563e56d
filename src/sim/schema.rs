//! Structural schemas: what the fields of a resource are, as plain data.
//!
//! One tree serves validation, pruning, defaulting, server-side apply, strategic merge and OpenAPI. It comes from a CRD's
//! `openAPIV3Schema` or, for built-in kinds, from generated type descriptions plus a table of list keys.

pub mod builtin;
pub mod cel;
pub mod decode;
pub mod default;
pub mod path;
pub mod pattern;
pub mod prune;
pub mod structural;
pub mod text;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// What a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is declared: any value, with deduced ownership (maps granular, lists atomic).
    #[default]
    Any,
    /// A struct (`properties`), a map (`additional`), or both empty.
    Object,
    /// A list of `items`.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `x-kubernetes-int-or-string`, also quantities of built-in kinds.
    IntOrString,
}

/// `x-kubernetes-list-type`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// One owner for the whole list.
    #[default]
    Atomic,
    /// Scalars, each owned by itself.
    Set,
    /// Objects, each owned by itself, told apart by these fields.
    Map {
        /// Names of the key fields, in declared order.
        keys: Vec<String>,
    },
}

/// `x-kubernetes-validations`: one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// CEL expression over `self` and `oldSelf`.
    pub rule: String,
    /// Text for people.
    pub message: String,
    /// CEL expression that gives the text.
    pub message_expression: String,
    /// `FieldValueInvalid` (default), `FieldValueForbidden`, `FieldValueRequired` or `FieldValueDuplicate`.
    pub reason: String,
    /// JSON path of the field that the failure is reported at, relative to the node.
    pub field_path: String,
    /// `optionalOldSelf`.
    pub optional_old_self: bool,
}

/// Value validations, as in OpenAPI v3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Allowed values; empty: any.
    pub enumeration: Vec<Value>,
    /// Lower bound, and whether it is exclusive.
    pub minimum: Option<(f64, bool)>,
    /// Upper bound, and whether it is exclusive.
    pub maximum: Option<(f64, bool)>,
    /// The number is a multiple of this.
    pub multiple_of: Option<f64>,
    /// Least length in characters.
    pub min_length: Option<u64>,
    /// Greatest length in characters.
    pub max_length: Option<u64>,
    /// Regular expression (RE2 syntax), unanchored.
    pub pattern: Option<String>,
    /// `date-time`, `byte`, `int32`, ...; empty: none.
    pub format: String,
    /// Least number of items.
    pub min_items: Option<u64>,
    /// Greatest number of items.
    pub max_items: Option<u64>,
    /// Items are unique.
    pub unique_items: bool,
    /// Least number of entries.
    pub min_properties: Option<u64>,
    /// Greatest number of entries.
    pub max_properties: Option<u64>,
    /// Fields that must be present.
    pub required: Vec<String>,
    /// `allOf`, as value validations only.
    pub all_of: Vec<Schema>,
    /// `anyOf`.
    pub any_of: Vec<Schema>,
    /// `oneOf`.
    pub one_of: Vec<Schema>,
    /// `not`.
    pub not: Option<Box<Schema>>,
}

/// One node of a structural schema. Children are shared, so that the large built-in types cost little.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// What the node holds.
    pub kind: Kind,
    /// Name of the API type, such as `io.k8s.api.core.v1.PodSpec`; empty for inline nodes and custom resources.
    pub type_name: String,
    /// Text for people (`kubectl explain`).
    pub description: String,
    /// `null` is a value.
    pub nullable: bool,
    /// Fields of a struct.
    pub properties: BTreeMap<String, Arc<Schema>>,
    /// Values of a map.
    pub additional: Option<Arc<Schema>>,
    /// Items of a list.
    pub items: Option<Arc<Schema>>,
    /// How the list is owned and merged by server-side apply.
    pub list_type: ListType,
    /// `x-kubernetes-map-type: atomic`: the whole object has one owner.
    pub atomic_map: bool,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub preserve_unknown: bool,
    /// `x-kubernetes-embedded-resource`.
    pub embedded_resource: bool,
    /// Value of an absent field.
    pub default: Option<Value>,
    /// Value validations.
    pub limits: Limits,
    /// CEL rules of this node.
    pub rules: Vec<Rule>,
    /// `x-kubernetes-patch-merge-key` of a list: strategic merge patch merges its items by this field.
    pub patch_merge_key: Option<String>,
    /// `x-kubernetes-patch-strategy`, such as `merge`, `replace`, `retainKeys`, `merge,retainKeys`; empty: none.
    pub patch_strategy: String,
}
