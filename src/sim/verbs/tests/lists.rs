//! Lists: selectors, revisions, tokens.

use serde_json::json;

use super::*;
use crate::sim::cluster::tests::{cluster, config_map, create};
use crate::sim::cluster::{DeleteOptions, ListOptions, ListPage};

fn list(cluster: &Cluster, resource: &str, options: ListOptions) -> Result<ListPage, ApiError> {
    cluster.list_page(resource, Some("t"), &options)
}

fn names(page: &ListPage) -> Vec<&str> {
    page.items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

fn at(revision: &str, matching: &str, limit: Option<i64>) -> ListOptions {
    ListOptions { resource_version: revision.into(), resource_version_match: matching.into(), limit, ..ListOptions::default() }
}

fn three() -> (Cluster, Vec<u64>) {
    let mut cluster = cluster();
    let revisions = ["a", "b", "c"].map(|name| revision(&create(&mut cluster, "configmaps", config_map(name))));
    (cluster, revisions.to_vec())
}

#[test]
fn a_revision_with_limit_or_exact_lists_that_moment_and_otherwise_the_newest() {
    let (mut cluster, revisions) = three();
    cluster.delete(&me(), "configmaps", "t", "a", &DeleteOptions::default()).unwrap();
    let second = revisions[1].to_string();
    let exact = list(&cluster, "configmaps", at(&second, "Exact", None)).unwrap();
    assert_eq!((names(&exact), exact.resource_version.as_str()), (vec!["a", "b"], second.as_str()));
    assert_eq!(names(&list(&cluster, "configmaps", at(&second, "", Some(5))).unwrap()), ["a", "b"]);
    assert_eq!(names(&list(&cluster, "configmaps", at(&second, "", None)).unwrap()), ["b", "c"]);
    assert_eq!(names(&list(&cluster, "configmaps", at(&second, "NotOlderThan", Some(5))).unwrap()), ["b", "c"]);
}

#[test]
fn revision_0_ignores_the_limit() {
    let (cluster, _) = three();
    let page = list(&cluster, "configmaps", at("0", "", Some(1))).unwrap();
    assert_eq!((page.items.len(), page.continue_token, page.remaining), (3, None, None));
}

#[test]
fn remaining_items_are_counted_only_without_selectors() {
    let (cluster, _) = three();
    let page = list(&cluster, "configmaps", at("", "", Some(1))).unwrap();
    assert_eq!(page.remaining, Some(2));
    let selected = ListOptions { field_selector: "metadata.name!=x".into(), ..at("", "", Some(1)) };
    let page = list(&cluster, "configmaps", selected).unwrap();
    assert!(page.continue_token.is_some() && page.remaining.is_none());
    let negative = list(&cluster, "configmaps", at("", "", Some(-1))).unwrap();
    assert_eq!(negative.items.len(), 3);
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let (cluster, _) = three();
    let code = |options: ListOptions| list(&cluster, "configmaps", options).unwrap_err().code;
    assert_eq!(code(at("0", "Exact", None)), 422);
    assert_eq!(code(at("", "Exact", None)), 422);
    assert_eq!(code(at("1", "Sometimes", None)), 422);
    assert_eq!(code(at("abc", "", None)), 400);
    assert_eq!(code(ListOptions { send_initial_events: Some(true), ..ListOptions::default() }), 422);
    let token = list(&cluster, "configmaps", at("", "", Some(1))).unwrap().continue_token.unwrap();
    assert_eq!(code(ListOptions { continue_token: token.clone(), ..at("5", "", None) }), 400);
    assert_eq!(code(ListOptions { continue_token: token, ..at("5", "Exact", None) }), 422);
}

#[test]
fn a_revision_of_the_future_is_504() {
    let (cluster, _) = three();
    let error = list(&cluster, "configmaps", at("999", "", None)).unwrap_err();
    assert_eq!((error.code, error.reason), (504, "Timeout"));
    assert_eq!(error.message, format!("Timeout: Too large resource version: 999, current: {}", cluster.revision()));
    assert_eq!(error.details.unwrap()["retryAfterSeconds"], 1);
    assert_eq!(cluster.read("configmaps", "t", "a", None, "999").unwrap_err().code, 504);
    assert_eq!(cluster.read("configmaps", "t", "a", None, "abc").unwrap_err().code, 500);
}

#[test]
fn a_compacted_revision_is_410_and_a_compacted_token_offers_a_new_one() {
    let (mut cluster, revisions) = three();
    let token = list(&cluster, "configmaps", at("", "", Some(1))).unwrap().continue_token.unwrap();
    create(&mut cluster, "configmaps", config_map("d"));
    let now = cluster.revision();
    cluster.compact(now);
    let error = list(&cluster, "configmaps", at(&revisions[1].to_string(), "Exact", None)).unwrap_err();
    assert_eq!((error.code, error.reason, error.continue_token), (410, "Expired", None));
    let error = list(&cluster, "configmaps", ListOptions { continue_token: token, ..ListOptions::default() }).unwrap_err();
    assert_eq!(error.code, 410);
    assert!(error.to_json()["metadata"]["continue"].is_string());
    let inconsistent = ListOptions { continue_token: error.continue_token.unwrap(), ..ListOptions::default() };
    assert_eq!(names(&list(&cluster, "configmaps", inconsistent).unwrap()), ["b", "c", "d"]);
}

#[test]
fn pods_are_selected_by_their_fields_and_unknown_fields_have_three_texts() {
    let mut cluster = cluster();
    create(&mut cluster, "pods", pod("p"));
    create(&mut cluster, "pods", pod("q"));
    cluster.bind(&me(), "t", "q", &json!({ "target": { "name": "n1" } }), &options()).unwrap();
    let select = |resource: &str, selector: &str| {
        list(&cluster, resource, ListOptions { field_selector: selector.into(), ..ListOptions::default() })
    };
    assert_eq!(names(&select("pods", "spec.nodeName=n1").unwrap()), ["q"]);
    assert_eq!(names(&select("pods", "spec.nodeName=,status.phase=Pending").unwrap()), ["p"]);
    assert_eq!(names(&select("pods", "metadata.name!=p,metadata.namespace=t").unwrap()), ["q"]);
    let message = |resource: &str, selector: &str| select(resource, selector).unwrap_err().message;
    assert_eq!(message("pods", "foo=1"), "field label not supported: foo");
    assert_eq!(message("jobs.batch", "foo=1"), "field label \"foo\" not supported for Job");
    let known = "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    assert_eq!(message("configmaps", "foo=1"), known);
    assert_eq!(message("pods", "x"), "invalid selector: 'x'; can't understand 'x'");
    assert_eq!(message("nodes", "metadata.namespace=x"), "field label not supported: metadata.namespace");
}

#[test]
fn annotations_and_objects_have_limits() {
    let mut cluster = cluster();
    let mut object = config_map("a");
    object["metadata"]["annotations"] = json!({ "a": "x".repeat(262_144) });
    let error = cluster.create(&me(), "configmaps", "t", object, &options()).unwrap_err();
    assert!(error.message.ends_with("metadata.annotations: Too long: may not be more than 262144 bytes"), "{}", error.message);
    let deployment = |bytes: usize| {
        let mut large = deployment("web");
        large["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["x".repeat(bytes)]);
        large
    };
    let mut refused = |bytes: usize| cluster.create(&me(), "deployments.apps", "t", deployment(bytes), &options()).unwrap_err();
    assert_eq!(refused(1_600_000).message, "etcdserver: request is too large");
    assert!(refused(2_200_000).message.starts_with("rpc error: code = ResourceExhausted"));
}
