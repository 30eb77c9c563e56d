//! Custom resource definitions as data: defaults, validation, status steps, and the resources that come out of one.
//!
//! Takes CRD objects; gives changed copies, causes of refusal, or [`Resource`]s. Keeps nothing and decides no timing.

mod conditions;
mod names;
mod resources;
mod rules;

pub use self::conditions::{has_condition, marked_for_deletion, with_cleanup_finished, with_cleanup_in_progress, with_established};
pub use self::names::{accepted_names_differ, with_names_decided};
pub use self::resources::resources;
pub use self::rules::problems;

use serde_json::{Value, json};

/// Finalizer that a definition carries while its instances are deleted.
pub const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Group and plural.
pub fn group_and_plural(definition: &Value) -> (String, String) {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&spec["group"]), text(&spec["names"]["plural"]))
}

/// Status of a new definition.
pub fn first_status(definition: &Value) -> Value {
    json!({
        "conditions": null,
        "acceptedNames": { "plural": "", "kind": "" },
        "storedVersions": storage_version(definition).map(|version| vec![version]).unwrap_or_default(),
    })
}

/// Adds the storage version to those that were ever stored.
pub fn note_stored_version(definition: &mut Value) {
    let Some(version) = storage_version(definition) else { return };
    let Some(stored) = definition["status"]["storedVersions"].as_array_mut() else { return };
    if !stored.contains(&json!(version)) {
        stored.push(json!(version));
    }
}

fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    definition["spec"]["versions"].as_array().into_iter().flatten()
}

fn storage_version(definition: &Value) -> Option<String> {
    versions(definition).find(|version| version["storage"] == true).and_then(|version| version["name"].as_str()).map(str::to_owned)
}
