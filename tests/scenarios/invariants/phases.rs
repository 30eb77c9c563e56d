//! I18: phases follow the graph that the contract page declares. The page is the only place where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use modelward::sim::cluster::Commit;
use serde_json::Value;

use super::sight::Sight;
use super::view::DEPLOYMENTS;
use super::{Watchdog, ours};

const PAGE: &str = include_str!("../../../docs/spec/modeldeployment.md");

/// Phases, and those that may follow each; the empty one is that of a new object, or of a lost status.
fn graph() -> &'static BTreeMap<String, BTreeSet<String>> {
    static GRAPH: OnceLock<BTreeMap<String, BTreeSet<String>>> = OnceLock::new();
    GRAPH.get_or_init(|| {
        let table = PAGE.split("<!-- phases -->").nth(1).unwrap().split("<!-- end of phases -->").next().unwrap();
        let words = |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
        let row = |line: &str| {
            let cells: Vec<&str> = line.split('|').collect();
            (words(cells[1]).into_iter().next().unwrap_or_default(), words(cells[3]))
        };
        rows.map(row).collect()
    })
}

/// I18 phase moves only along the declared graph.
pub fn phases_follow_the_graph(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = (commit.before.as_deref()?, commit.after.as_deref()?);
    if !ours(commit) || commit.resource != DEPLOYMENTS {
        return None;
    }
    let phase = |object: &Value| object.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (from, to) = (phase(before), phase(after));
    let allowed = graph().get(&from).is_some_and(|next| next.contains(&to));
    (from != to && !allowed).then(|| format!("phase goes from {from:?} to {to:?}"))
}

#[test]
fn the_page_declares_what_follows_every_phase_and_names_no_other() {
    let phases: BTreeSet<&String> = graph().keys().collect();
    let named: BTreeSet<&String> = graph().values().flatten().collect();
    let schema = modelward::api::crds()
        .into_iter()
        .map(|crd| serde_json::to_value(crd).unwrap())
        .find(|crd| crd["spec"]["names"]["kind"] == "ModelDeployment");
    let schema = schema.unwrap();
    let phase = schema.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/phase").unwrap();
    let known: BTreeSet<String> = phase["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    assert!(named.is_subset(&phases), "{named:?} {phases:?}");
    assert!(known.iter().all(|phase| phases.contains(phase)), "{known:?} {phases:?}");
    assert!(phases.contains(&String::new()));
}
