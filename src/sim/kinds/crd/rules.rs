//! Validation of definitions: what is refused with 422.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conditions;
use crate::sim::api_error::Cause;
use crate::sim::builtin::names;
use crate::sim::verbs::engines;

/// What is wrong with a definition; `old` is the one before an update.
pub fn problems(definition: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = names_problems(definition);
    causes.extend(version_problems(definition));
    causes.extend(schema_problems(definition));
    causes.extend(conversion_problems(definition));
    causes.extend(approval_problems(definition));
    if let Some(old) = old {
        causes.extend(immutable_problems(definition, old));
    }
    causes.extend(stored_version_problems(definition));
    causes
}

fn invalid(field: impl Into<String>, shown: &Value, problem: &str) -> Cause {
    Cause::new("FieldValueInvalid", field, format!("Invalid value: {shown}: {problem}"))
}

fn required(field: impl Into<String>, why: &str) -> Cause {
    let why = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
    Cause::new("FieldValueRequired", field, why)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn names_problems(definition: &Value) -> Vec<Cause> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let mut causes = Vec::new();
    let wanted = format!("{}.{}", text(&names["plural"]), text(&spec["group"]));
    if text(&definition["metadata"]["name"]) != wanted {
        causes.push(invalid("metadata.name", &definition["metadata"]["name"], "must be spec.names.plural+\".\"+spec.group"));
    }
    match text(&spec["group"]) {
        "" => causes.push(required("spec.group", "")),
        group if !names::dns_subdomain(group).is_empty() => {
            causes.extend(names::dns_subdomain(group).iter().map(|problem| invalid("spec.group", &spec["group"], problem)));
        }
        group if !group.contains('.') => causes.push(invalid("spec.group", &spec["group"], "should be a domain with at least one dot")),
        _ => {}
    }
    match text(&spec["scope"]) {
        "" => causes.push(required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => causes.push(Cause::new(
            "FieldValueNotSupported",
            "spec.scope",
            format!("Unsupported value: {other:?}: supported values: \"Cluster\", \"Namespaced\""),
        )),
    }
    for (field, lower) in [("plural", true), ("singular", true), ("kind", false), ("listKind", false)] {
        let path = format!("spec.names.{field}");
        let name = text(&names[field]);
        if name.is_empty() {
            causes.push(required(path, ""));
            continue;
        }
        // Kinds are in camel case; only their letters are checked.
        let checked = if lower { name.to_owned() } else { name.to_lowercase() };
        let found = names::dns_1035_label(&checked);
        causes.extend(found.iter().map(|problem| invalid(path.clone(), &names[field], problem)));
    }
    if !text(&names["kind"]).is_empty() && names["kind"] == names["listKind"] {
        causes.push(invalid("spec.names.listKind", &names["listKind"], "kind and listKind may not be the same"));
    }
    causes
}

fn version_problems(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut seen = BTreeSet::new();
    let mut storing = 0;
    for (at, version) in super::versions(definition).enumerate() {
        let path = format!("spec.versions[{at}]");
        let name = text(&version["name"]);
        let found = names::dns_1035_label(name);
        causes.extend(found.iter().map(|problem| invalid(format!("{path}.name"), &version["name"], problem)));
        if !seen.insert(name.to_owned()) {
            let message = format!("Invalid value: {name:?}: must contain unique version names");
            causes.push(Cause::new("FieldValueInvalid", "spec.versions", message));
        }
        storing += usize::from(version["storage"] == true);
        causes.extend(subresource_problems(&version["subresources"]["scale"], &path));
        causes.extend(column_problems(&version["additionalPrinterColumns"], &path));
        causes.extend(selectable_problems(&version["selectableFields"], &path));
    }
    if storing != 1 {
        let shown = definition["spec"]["versions"].clone();
        causes.push(invalid("spec.versions", &shown, "must have exactly one version marked as storage version"));
    }
    causes
}

fn subresource_problems(scale: &Value, path: &str) -> Vec<Cause> {
    if !scale.is_object() {
        return Vec::new();
    }
    let mut causes = Vec::new();
    let path = format!("{path}.subresources.scale");
    for (field, roots, needed) in [
        ("specReplicasPath", &[".spec."][..], true),
        ("statusReplicasPath", &[".status."][..], true),
        ("labelSelectorPath", &[".status.", ".spec."][..], false),
    ] {
        let value = text(&scale[field]);
        if value.is_empty() {
            if needed {
                causes.push(required(format!("{path}.{field}"), ""));
            }
        } else if !roots.iter().any(|root| value.starts_with(root)) {
            let roots: Vec<&str> = roots.iter().map(|root| root.trim_end_matches('.')).collect();
            let problem = format!("should be a json path under {}", roots.join(" or "));
            causes.push(invalid(format!("{path}.{field}"), &scale[field], &problem));
        }
    }
    causes
}

fn column_problems(columns: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (at, column) in columns.as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}.additionalPrinterColumns[{at}]");
        if text(&column["name"]).is_empty() {
            causes.push(required(format!("{path}.name"), ""));
        }
        match text(&column["type"]) {
            "" => causes.push(required(format!("{path}.type"), "must be one of boolean,date,integer,number,string")),
            "boolean" | "date" | "integer" | "number" | "string" => {}
            _ => causes.push(invalid(format!("{path}.type"), &column["type"], "must be one of boolean,date,integer,number,string")),
        }
        match text(&column["jsonPath"]) {
            "" => causes.push(required(format!("{path}.JSONPath"), "")),
            expression if !expression.starts_with('.') => {
                causes.push(invalid(format!("{path}.jsonPath"), &column["jsonPath"], "is not a valid JSONPath: must start with a dot"));
            }
            _ => {}
        }
    }
    causes
}

fn selectable_problems(fields: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let fields: Vec<&Value> = fields.as_array().into_iter().flatten().collect();
    if fields.len() > 8 {
        let message = format!("Too many: {}: must have at most 8 items", fields.len());
        causes.push(Cause::new("FieldValueTooMany", format!("{path}.selectableFields"), message));
    }
    for (at, field) in fields.into_iter().enumerate() {
        let path = format!("{path}.selectableFields[{at}].jsonPath");
        match text(&field["jsonPath"]) {
            "" => causes.push(required(path, "")),
            expression if !expression.starts_with('.') || expression.contains(['[', '*']) => {
                causes.push(invalid(path, &field["jsonPath"], "is an invalid path: must be a simple path without arrays"));
            }
            expression if expression.starts_with(".metadata") => {
                causes.push(invalid(path, &field["jsonPath"], "must not point to fields in metadata"));
            }
            _ => {}
        }
    }
    causes
}

/// Schemas must be there and structural; with one version the server reports them at the old single place.
fn schema_problems(definition: &Value) -> Vec<Cause> {
    let several = super::versions(definition).count() > 1;
    let mut causes = Vec::new();
    for (at, version) in super::versions(definition).enumerate() {
        let schema = &version["schema"]["openAPIV3Schema"];
        if !schema.is_object() {
            causes.push(required(format!("spec.versions[{at}].schema.openAPIV3Schema"), "schemas are required"));
            continue;
        }
        let base =
            if several { format!("spec.versions[{at}].schema.openAPIV3Schema") } else { "spec.validation.openAPIV3Schema".to_owned() };
        causes.extend(engines::parse_schema(schema, &base).err().into_iter().flatten());
    }
    causes
}

fn conversion_problems(definition: &Value) -> Vec<Cause> {
    let spec = &definition["spec"];
    let mut causes = Vec::new();
    if spec["preserveUnknownFields"] == true {
        let problem =
            "must be false in order to use apiextensions.k8s.io/v1; set x-kubernetes-preserve-unknown-fields in the schema instead";
        causes.push(invalid("spec.preserveUnknownFields", &spec["preserveUnknownFields"], problem));
    }
    match text(&spec["conversion"]["strategy"]) {
        "None" => {}
        "" => causes.push(required("spec.conversion.strategy", "")),
        // A real server would call the webhook; this one has nobody to call and must not pretend.
        other => causes.push(Cause::new(
            "FieldValueNotSupported",
            "spec.conversion.strategy",
            format!("Unsupported value: {other:?}: supported values: \"None\" (the simulated cluster calls no webhooks)"),
        )),
    }
    causes
}

/// Groups of the Kubernetes project need a link to their approval.
fn approval_problems(definition: &Value) -> Vec<Cause> {
    const ANNOTATION: &str = "api-approved.kubernetes.io";
    let group = text(&definition["spec"]["group"]);
    let protected = ["k8s.io", "kubernetes.io"].iter().any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    let path = format!("metadata.annotations[{ANNOTATION}]");
    let value = text(&definition["metadata"]["annotations"][ANNOTATION]);
    if !protected || value.starts_with("unapproved") || value.starts_with("https://") {
        return Vec::new();
    }
    if value.is_empty() {
        let why = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see \
                   https://github.com/kubernetes/enhancements/pull/1111";
        return vec![required(path, why)];
    }
    let problem = "protected groups must have approval annotation \"api-approved.kubernetes.io\" with either a URL or a reason starting with \
                   \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111";
    vec![invalid(path, &Value::from(value), problem)]
}

fn immutable_problems(definition: &Value, old: &Value) -> Vec<Cause> {
    let mut fields = vec![("spec.group", "/spec/group"), ("spec.names.plural", "/spec/names/plural")];
    if conditions::has_condition(old, "Established", "True") {
        fields.extend([("spec.scope", "/spec/scope"), ("spec.names.kind", "/spec/names/kind")]);
    }
    let changed = fields.into_iter().filter(|(_, pointer)| definition.pointer(pointer) != old.pointer(pointer));
    changed.map(|(path, pointer)| invalid(path, definition.pointer(pointer).unwrap_or(&Value::Null), "field is immutable")).collect()
}

fn stored_version_problems(definition: &Value) -> Vec<Cause> {
    let known: Vec<&str> = super::versions(definition).map(|version| text(&version["name"])).collect();
    let stored = definition["status"]["storedVersions"].as_array().into_iter().flatten().enumerate();
    stored
        .filter(|(_, name)| !known.contains(&text(name)))
        .map(|(at, name)| {
            let plain = text(name);
            let problem = format!(
                "missing from spec.versions; {plain} was previously a storage version, and must remain in spec.versions until a storage \
                 migration ensures no data remains persisted in {plain} and removes {plain} from status.storedVersions"
            );
            invalid(format!("status.storedVersions[{at}]"), name, &problem)
        })
        .collect()
}
