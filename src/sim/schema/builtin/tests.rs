use std::collections::BTreeSet;

use super::*;
use crate::sim::schema::ListType;

#[test]
fn every_listed_kind_has_a_schema_with_metadata() {
    for (group, version, kind) in kinds() {
        let schema = schema(group, version, kind);
        assert!(schema.properties.contains_key("metadata"), "{kind}");
        assert!(schema.properties.contains_key("apiVersion"), "{kind}");
        assert_eq!(schema.kind, Kind::Object, "{kind}");
    }
    assert!(find("", "v1", "Widget").is_none());
}

#[test]
fn every_entry_of_the_table_meets_a_real_field() {
    kinds().for_each(|(group, version, kind)| drop(schema(group, version, kind)));
    let types = TYPES.lock().unwrap();
    for (type_name, field) in table::entries() {
        let schema = types.get(&format!("io.k8s.{type_name}")).unwrap_or_else(|| panic!("no type {type_name}"));
        assert!(schema.properties.contains_key(field), "{type_name}.{field}");
    }
    for type_name in table::atomic() {
        assert!(types.contains_key(&format!("io.k8s.{type_name}")), "{type_name}");
    }
}

#[test]
fn keys_of_keyed_lists_are_fields_of_their_items() {
    fn walk(schema: &Schema, at: &str) {
        if let ListType::Map { keys } = &schema.list_type {
            let items = schema.items.as_ref().unwrap();
            keys.iter().for_each(|key| assert!(items.properties.contains_key(key), "{at} {key}"));
        }
        schema.properties.iter().for_each(|(name, field)| walk(field, &format!("{at}.{name}")));
        schema.items.iter().chain(&schema.additional).for_each(|inner| walk(inner, &format!("{at}[]")));
    }
    kinds().for_each(|(group, version, kind)| walk(&schema(group, version, kind), kind));
}

#[test]
fn pods_have_keyed_containers_and_ports_with_a_default_protocol() {
    let pod = schema("", "v1", "Pod");
    let containers = &pod.properties["spec"].properties["containers"];
    assert_eq!(containers.list_type, ListType::Map { keys: vec!["name".to_owned()] });
    assert_eq!((containers.patch_strategy.as_str(), containers.patch_merge_key.as_deref()), ("merge", Some("name")));
    let ports = &containers.items.as_ref().unwrap().properties["ports"];
    assert_eq!(ports.items.as_ref().unwrap().properties["protocol"].default, Some("TCP".into()));
    let limits = &containers.items.as_ref().unwrap().properties["resources"].properties["limits"];
    assert_eq!(limits.additional.as_ref().unwrap().limits.format, "quantity");
}

#[test]
fn types_are_shared_between_kinds() {
    let (pod, deployment) = (schema("", "v1", "Pod"), schema("apps", "v1", "Deployment"));
    let template = &deployment.properties["spec"].properties["template"];
    let of_pod = pod.properties["spec"].properties["containers"].items.as_ref().unwrap();
    let of_template = template.properties["spec"].properties["containers"].items.as_ref().unwrap();
    assert!(Arc::ptr_eq(of_pod, of_template));
    let names: BTreeSet<_> = kinds().collect();
    assert_eq!(names.len(), kinds().count());
}
