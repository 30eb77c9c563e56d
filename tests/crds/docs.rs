//! The contract pages: that they name every field, every value and every reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::fixtures::{KINDS, schema};

/// The words of a kind's page.
fn words(kind: &str) -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/spec/{}.md", kind.to_lowercase()));
    let text = fs::read_to_string(page).unwrap();
    text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect()
}

/// Names of fields and values of enums.
fn names(node: &Value, found: &mut BTreeSet<String>) {
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        found.insert(name.clone());
        names(child, found);
    }
    found.extend(node["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    if node["items"].is_object() {
        names(&node["items"], found);
    }
}

/// Values of the constants in a source file.
fn constants(source: &str) -> BTreeSet<String> {
    let file = syn::parse_file(source).unwrap();
    let items = file.items.iter().flat_map(|item| match item {
        syn::Item::Mod(module) => module.content.iter().flat_map(|(_, items)| items).collect(),
        other => vec![other],
    });
    let text = |item: &syn::Item| match item {
        syn::Item::Const(constant) => match constant.expr.as_ref() {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    items.filter_map(text).collect()
}

#[test]
fn the_page_of_a_kind_names_every_field_and_value() {
    for kind in KINDS {
        let mut found = BTreeSet::new();
        for part in ["spec", "status"] {
            names(&schema(kind)["properties"][part], &mut found);
        }
        // Values that every reader of Kubernetes objects knows.
        let known = ["True", "False", "Unknown", "HTTP", "HTTPS"].map(str::to_owned).into();
        let missing: Vec<_> = found.difference(&words(kind)).filter(|name| !BTreeSet::contains(&known, *name)).cloned().collect();
        assert_eq!(missing, Vec::<String>::new(), "docs/spec/{}.md does not name these", kind.to_lowercase());
    }
}

#[test]
fn the_pages_name_every_condition_and_reason() {
    let constants = constants(include_str!("../../src/api/conditions.rs"));
    assert!(constants.len() > 20, "{constants:?}");
    let words: BTreeSet<String> = KINDS.iter().flat_map(|kind| words(kind)).collect();
    let missing: Vec<_> = constants.difference(&words).collect();
    assert_eq!(missing, Vec::<&String>::new(), "docs/spec does not name these");
}

#[test]
fn the_manifests_on_the_pages_are_read() {
    for kind in KINDS {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/spec/{}.md", kind.to_lowercase()));
        let text = fs::read_to_string(page).unwrap();
        let manifests: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!manifests.is_empty(), "{kind}");
        for manifest in manifests {
            let object: Value = serde_saphyr::from_str(manifest).unwrap();
            assert_eq!(object["kind"], kind);
            assert_eq!(crate::evaluate::answers(&schema(kind), &object, None), BTreeSet::new());
            let mut unknown = BTreeSet::new();
            unlisted("", &schema(kind), &object, &mut unknown);
            assert_eq!(unknown, BTreeSet::new(), "{kind}: fields that do not exist");
        }
    }
}

/// Fields of an object that the schema does not have.
fn unlisted(path: &str, node: &Value, value: &Value, found: &mut BTreeSet<String>) {
    for (name, field) in value.as_object().into_iter().flatten().filter(|_| node["properties"].is_object()) {
        match node["properties"].get(name) {
            Some(child) => unlisted(&format!("{path}.{name}"), child, field, found),
            None if path.is_empty() => {}
            None => _ = found.insert(format!("{path}.{name}")),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        unlisted(path, &node["items"], item, found);
    }
}
