//! The schema of `metadata`, the same for every kind, and which of its fields no one can own.
//!
//! Gives constants only.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::sim::apply::path::PathElement;
use crate::sim::apply::set::Set;
use crate::sim::schema::{Kind, ListType, Schema};

/// `ObjectMeta`: labels and annotations entry by entry, finalizers item by item, owner references one by one (each whole).
pub fn metadata_schema() -> &'static Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    SCHEMA.get_or_init(|| Arc::new(build()))
}

/// The schema of a plain text field.
pub(super) fn text_schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| scalar(Kind::String))
}

/// Top-level and metadata fields that the server owns and no `managedFields` entry ever names.
pub(super) fn unowned() -> &'static Set<'static> {
    static UNOWNED: OnceLock<Set<'static>> = OnceLock::new();
    UNOWNED.get_or_init(|| {
        let mut set = Set::default();
        for name in ["apiVersion", "kind", "metadata"] {
            set.insert(&[PathElement::field(name)]);
        }
        let server_owned =
            ["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion"];
        for name in server_owned {
            set.insert(&[PathElement::field("metadata"), PathElement::field(name)]);
        }
        set
    })
}

fn scalar(kind: Kind) -> Schema {
    Schema { kind, ..Schema::default() }
}

fn time() -> Schema {
    let mut schema = scalar(Kind::String);
    schema.limits.format = "date-time".to_owned();
    schema
}

fn map_of_text() -> Schema {
    Schema { kind: Kind::Object, additional: Some(Arc::new(scalar(Kind::String))), ..Schema::default() }
}

fn list(list_type: ListType, items: Schema) -> Schema {
    Schema { kind: Kind::Array, list_type, items: Some(Arc::new(items)), ..Schema::default() }
}

fn properties(fields: Vec<(&str, Schema)>) -> BTreeMap<String, Arc<Schema>> {
    fields.into_iter().map(|(name, schema)| (name.to_owned(), Arc::new(schema))).collect()
}

fn owner_reference() -> Schema {
    let fields = vec![
        ("apiVersion", scalar(Kind::String)),
        ("blockOwnerDeletion", scalar(Kind::Boolean)),
        ("controller", scalar(Kind::Boolean)),
        ("kind", scalar(Kind::String)),
        ("name", scalar(Kind::String)),
        ("uid", scalar(Kind::String)),
    ];
    Schema { kind: Kind::Object, properties: properties(fields), atomic_map: true, ..Schema::default() }
}

fn managed_fields_entry() -> Schema {
    let fields = vec![
        ("apiVersion", scalar(Kind::String)),
        ("fieldsType", scalar(Kind::String)),
        ("fieldsV1", scalar(Kind::Any)),
        ("manager", scalar(Kind::String)),
        ("operation", scalar(Kind::String)),
        ("subresource", scalar(Kind::String)),
        ("time", time()),
    ];
    Schema { kind: Kind::Object, properties: properties(fields), ..Schema::default() }
}

fn build() -> Schema {
    let fields = vec![
        ("annotations", map_of_text()),
        ("creationTimestamp", time()),
        ("deletionGracePeriodSeconds", scalar(Kind::Integer)),
        ("deletionTimestamp", time()),
        ("finalizers", Schema { patch_strategy: "merge".to_owned(), ..list(ListType::Set, scalar(Kind::String)) }),
        ("generateName", scalar(Kind::String)),
        ("generation", scalar(Kind::Integer)),
        ("labels", map_of_text()),
        ("managedFields", list(ListType::Atomic, managed_fields_entry())),
        ("name", scalar(Kind::String)),
        ("namespace", scalar(Kind::String)),
        (
            "ownerReferences",
            Schema {
                patch_strategy: "merge".to_owned(),
                patch_merge_key: Some("uid".to_owned()),
                ..list(ListType::Map { keys: vec!["uid".to_owned()] }, owner_reference())
            },
        ),
        ("resourceVersion", scalar(Kind::String)),
        ("selfLink", scalar(Kind::String)),
        ("uid", scalar(Kind::String)),
    ];
    Schema { kind: Kind::Object, properties: properties(fields), ..Schema::default() }
}
