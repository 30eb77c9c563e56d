//! Validation of `metadata` on create and update.

use serde_json::Value;

use super::{meta, names};
use crate::sim::api_error::Cause;
use crate::sim::builtin::names as builtin_names;
use crate::sim::kinds::Resource;

/// Bytes that annotation keys and values may take together.
const ANNOTATION_BYTES_MAX: usize = 256 * 1024;
/// Finalizers without a slash that built-in kinds may carry.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What is wrong with the metadata of a new object.
pub(in crate::sim) fn on_create(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = name_causes(resource, object);
    causes.extend(common(resource, object));
    causes
}

/// What is wrong with the metadata of a changed object.
pub(in crate::sim) fn on_update(resource: &Resource, new: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = new_finalizers_while_deleting(new, old);
    for field in ["name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if new["metadata"][field] != old["metadata"][field] {
            let shown = &new["metadata"][field];
            causes.push(invalid(format!("metadata.{field}"), &format!("{shown}"), "field is immutable"));
        }
    }
    causes.extend(common(resource, new));
    causes
}

fn invalid(field: impl Into<String>, shown: &str, problem: &str) -> Cause {
    Cause::new("FieldValueInvalid", field, format!("Invalid value: {shown}: {problem}"))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn name_causes(resource: &Resource, object: &Value) -> Vec<Cause> {
    let (name, base) = (meta::text(object, "name"), meta::text(object, "generateName"));
    let mut causes = Vec::new();
    if !base.is_empty() {
        let problems = names::name_problems(resource.strategy.name_rule, base, true);
        causes.extend(problems.iter().map(|problem| invalid("metadata.generateName", &quoted(base), problem)));
    }
    if name.is_empty() {
        causes.push(Cause::new("FieldValueRequired", "metadata.name", "Required value: name or generateName is required"));
    } else {
        let problems = names::name_problems(resource.strategy.name_rule, name, false);
        causes.extend(problems.iter().map(|problem| invalid("metadata.name", &quoted(name), problem)));
    }
    causes
}

fn new_finalizers_while_deleting(new: &Value, old: &Value) -> Vec<Cause> {
    if !meta::is_deleting(old) {
        return Vec::new();
    }
    let before = meta::finalizers(old);
    let added: Vec<String> = meta::finalizers(new).into_iter().filter(|name| !before.contains(name)).map(quoted).collect();
    if added.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        added.join(", ")
    );
    vec![Cause::new("FieldValueForbidden", "metadata.finalizers", message)]
}

fn common(resource: &Resource, object: &Value) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let mut causes = label_causes(&metadata["labels"]);
    causes.extend(annotation_causes(&metadata["annotations"]));
    causes.extend(owner_causes(&metadata["ownerReferences"]));
    causes.extend(finalizer_causes(resource, object));
    if meta::generation(object) < 0 {
        causes.push(invalid("metadata.generation", &metadata["generation"].to_string(), "must be greater than or equal to 0"));
    }
    causes
}

fn label_causes(labels: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let of_key = builtin_names::qualified(key);
        causes.extend(of_key.iter().map(|problem| invalid("metadata.labels", &quoted(key), problem)));
        let of_value = builtin_names::label_value(value);
        causes.extend(of_value.iter().map(|problem| invalid("metadata.labels", &quoted(value), problem)));
    }
    causes
}

fn annotation_causes(annotations: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut bytes = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        bytes += key.len() + value.as_str().map_or(0, str::len);
        // Annotation keys may have capitals in them; only their shape is checked.
        let problems = builtin_names::qualified(&key.to_lowercase());
        causes.extend(problems.iter().map(|problem| invalid("metadata.annotations", &quoted(key), problem)));
    }
    if bytes > ANNOTATION_BYTES_MAX {
        let message = format!("Too long: may not be more than {ANNOTATION_BYTES_MAX} bytes");
        causes.push(Cause::new("FieldValueTooLong", "metadata.annotations", message));
    }
    causes
}

fn owner_causes(owners: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut controller: Option<&Value> = None;
    for owner in owners.as_array().into_iter().flatten() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            let value = owner[field].as_str().unwrap_or_default();
            if value.is_empty() {
                let problem = if field == "apiVersion" { "version must not be empty" } else { "must not be empty" };
                causes.push(invalid(format!("metadata.ownerReferences.{field}"), "\"\"", problem));
            }
        }
        if owner["apiVersion"] == "v1" && owner["kind"] == "Event" {
            causes.push(invalid("metadata.ownerReferences", "\"v1, Kind=Event\"", "is disallowed from being an owner"));
        }
        if owner["controller"] == true {
            if let Some(first) = controller {
                let problem = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {}/{} and {}/{}",
                    text(first, "kind"),
                    text(first, "name"),
                    text(owner, "kind"),
                    text(owner, "name")
                );
                causes.push(invalid("metadata.ownerReferences", &owners.to_string(), &problem));
            } else {
                controller = Some(owner);
            }
        }
    }
    causes
}

fn text<'a>(owner: &'a Value, field: &str) -> &'a str {
    owner[field].as_str().unwrap_or_default()
}

fn finalizer_causes(resource: &Resource, object: &Value) -> Vec<Cause> {
    let finalizers = meta::finalizers(object);
    let mut causes = Vec::new();
    for (at, name) in finalizers.iter().enumerate() {
        let field = format!("metadata.finalizers[{at}]");
        let problems = builtin_names::qualified(name);
        causes.extend(problems.iter().map(|problem| invalid(field.clone(), &quoted(name), problem)));
        if !resource.custom && !name.contains('/') && !STANDARD_FINALIZERS.contains(name) {
            causes.push(invalid(field, &quoted(name), "name is neither a standard finalizer name nor is it fully qualified"));
        }
    }
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        causes.push(invalid(
            "metadata.finalizers",
            &object["metadata"]["finalizers"].to_string(),
            "finalizer orphan and foregroundDeletion cannot be both set",
        ));
    }
    causes
}
