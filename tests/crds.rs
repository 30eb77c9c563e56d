//! The CRDs: that the committed files are what the types give, and that every schema keeps the rules of the house.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests say what is wrong by panicking")]

use std::fs;
use std::path::Path;

use modelward::api;

#[path = "crds/cost.rs"]
mod cost;
#[path = "crds/docs.rs"]
mod docs;
#[path = "crds/evaluate.rs"]
mod evaluate;
#[path = "crds/fixtures.rs"]
mod fixtures;
#[path = "crds/lint.rs"]
mod lint;
#[path = "crds/rules.rs"]
mod rules;
#[path = "../src/cli/crds.rs"]
#[expect(dead_code, reason = "printing is the verb's")]
mod verb;

/// The committed file equals what the types give. `MODELWARD_UPDATE=1` rewrites the files.
#[test]
fn committed_crds_are_what_the_types_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    if std::env::var_os("MODELWARD_UPDATE").is_some() {
        verb::write_files(&folder).unwrap();
    }
    let mut expected = Vec::new();
    for crd in api::crds() {
        let name = verb::file_name(&crd);
        let committed = fs::read_to_string(folder.join(&name)).unwrap_or_default();
        let generated = verb::yaml(&crd).unwrap();
        assert!(committed == generated, "crds/{name} is not what the types give: run MODELWARD_UPDATE=1 cargo test --test crds");
        expected.push(name);
    }
    let mut found: Vec<String> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "crds/ holds a file that no kind gives");
}
