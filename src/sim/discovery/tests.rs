use serde_json::{Value, json};

use super::{aggregated_document, api_versions, entity_tag, group, group_list, resource_list, version_order};
use crate::sim::kinds::Kinds;

#[test]
fn stable_versions_come_first() {
    let mut versions = vec!["v1beta1", "foo", "v10", "v2", "v1alpha1", "v1", "v11beta2", "v1beta2", "bar"];
    versions.sort_by(|left, right| version_order(left, right));
    assert_eq!(versions, ["v10", "v2", "v1", "v11beta2", "v1beta2", "v1beta1", "v1alpha1", "bar", "foo"]);
}

#[test]
fn aggregated_discovery_lists_core_apart_and_subresources_below() {
    let kinds = Kinds::builtin();
    let core = aggregated_document(&kinds, true);
    assert_eq!(core["items"].as_array().unwrap().len(), 1);
    assert_eq!(core["items"][0]["metadata"], json!({"creationTimestamp": null}));
    let named = aggregated_document(&kinds, false);
    let apps = named["items"].as_array().unwrap().iter().find(|item| item["metadata"]["name"] == "apps").unwrap();
    let resources = apps["versions"][0]["resources"].as_array().unwrap();
    let deployments = resources.iter().find(|entry| entry["resource"] == "deployments").unwrap();
    assert_eq!(deployments["responseKind"], json!({"group": "", "version": "", "kind": "Deployment"}));
    assert_eq!(deployments["shortNames"], json!(["deploy"]));
    assert_eq!(deployments["scope"], "Namespaced");
    let scale = &deployments["subresources"][0];
    assert_eq!(scale["responseKind"], json!({"group": "autoscaling", "version": "v1", "kind": "Scale"}));
    assert!(named["items"].as_array().unwrap().iter().any(|item| item["metadata"]["name"] == "authorization.k8s.io"));
}

#[test]
fn older_documents_keep_their_oddities() {
    let kinds = Kinds::builtin();
    assert_eq!(api_versions().get("apiVersion"), None);
    assert_eq!(resource_list(&kinds, "", "v1").unwrap().get("apiVersion"), None);
    let apps = resource_list(&kinds, "apps", "v1").unwrap();
    assert_eq!(apps["apiVersion"], "v1");
    let names: Vec<&Value> = apps["resources"].as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
    assert!(names.contains(&&json!("deployments/scale")) && names.contains(&&json!("deployments/status")));
    assert!(resource_list(&kinds, "apps", "v9").is_none());
    assert_eq!(group(&kinds, "apps").unwrap()["preferredVersion"], json!({"groupVersion": "apps/v1", "version": "v1"}));
    assert!(group(&kinds, "example.com").is_none());
    assert!(group_list(&kinds)["groups"].as_array().unwrap().len() > 10);
}

#[test]
fn namespaces_have_no_deletecollection() {
    let core = resource_list(&Kinds::builtin(), "", "v1").unwrap();
    let verbs = |name: &str| core["resources"].as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap()["verbs"].clone();
    assert!(!verbs("namespaces").to_string().contains("deletecollection"));
    assert!(verbs("pods").to_string().contains("deletecollection"));
}

#[test]
fn entity_tags_are_quoted_and_upper_case() {
    let tag = entity_tag(b"x");
    assert_eq!((tag.len(), tag.to_uppercase() == tag), (130, true));
}
