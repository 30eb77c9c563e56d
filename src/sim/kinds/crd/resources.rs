//! From a definition to the resources that it serves.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::sim::api_error::Cause;
use crate::sim::kinds::{Column, Conversion, GenerationPolicy, NameRule, Resource, ResourceId, ScalePaths, SelectableField, Strategy};
use crate::sim::verbs::engines;

/// The served versions of a definition.
///
/// # Errors
/// The causes for which a schema is not structural.
pub fn resources(definition: &Value) -> Result<Vec<Arc<Resource>>, Vec<Cause>> {
    let storage = super::storage_version(definition).unwrap_or_default();
    let spec = Arc::new(definition["spec"].clone());
    super::versions(definition)
        .filter(|version| version["served"] == true)
        .map(|version| resource_of(definition, version, &storage, &spec).map(Arc::new))
        .collect()
}

fn resource_of(definition: &Value, version: &Value, storage: &str, spec: &Arc<Value>) -> Result<Resource, Vec<Cause>> {
    let names = &spec["names"];
    let (group, plural) = super::group_and_plural(definition);
    let id = ResourceId { version: text(&version["name"]), group, plural };
    let (schema, rules) = engines::parse_schema(&version["schema"]["openAPIV3Schema"], "")?;
    let status = version["subresources"]["status"].is_object();
    let storage_api_version = format!("{}/{storage}", id.group);
    Ok(Resource {
        kind: text(&names["kind"]),
        list_kind: text(&names["listKind"]),
        singular: text(&names["singular"]),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        status,
        scale: scale_of(&version["subresources"]["scale"]),
        subresources: Vec::new(),
        strategy: Strategy {
            generation: GenerationPolicy::Custom,
            name_rule: NameRule::Subdomain,
            version_required: true,
            status_reset: status,
            ..Strategy::default()
        },
        columns: version["additionalPrinterColumns"].as_array().into_iter().flatten().map(column_of).collect(),
        selectable: version["selectableFields"].as_array().into_iter().flatten().map(selectable_of).collect(),
        storage: id.version == storage,
        deprecation: deprecation_of(version, &id, names),
        custom: true,
        storage_key: id.key(),
        storage_api_version,
        conversion: Conversion::None,
        request_api_version: id.api_version(),
        request_key: id.key(),
        definition_spec: Some(Arc::clone(spec)),
        api_versions: super::versions(definition).map(|version| format!("{}/{}", id.group, text(&version["name"]))).collect(),
        rules: Some(rules),
        schema: OnceLock::from(Arc::new(schema)),
        empty: OnceLock::new(),
        id,
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn scale_of(scale: &Value) -> Option<ScalePaths> {
    scale.is_object().then(|| ScalePaths {
        spec_replicas: text(&scale["specReplicasPath"]),
        status_replicas: text(&scale["statusReplicasPath"]),
        label_selector: scale["labelSelectorPath"].as_str().map(str::to_owned),
    })
}

fn column_of(column: &Value) -> Column {
    Column {
        name: text(&column["name"]),
        kind: text(&column["type"]),
        format: text(&column["format"]),
        description: text(&column["description"]),
        priority: column["priority"].as_i64().unwrap_or(0),
        json_path: text(&column["jsonPath"]),
    }
}

fn selectable_of(field: &Value) -> SelectableField {
    let label = text(&field["jsonPath"]).trim_start_matches('.').to_owned();
    SelectableField { pointer: format!("/{}", label.replace('.', "/")), label }
}

fn deprecation_of(version: &Value, id: &ResourceId, names: &Value) -> Option<String> {
    (version["deprecated"] == true).then(|| {
        let said = version["deprecationWarning"].as_str().map(str::to_owned);
        said.unwrap_or_else(|| format!("{}/{} {} is deprecated", id.group, id.version, text(&names["kind"])))
    })
}
