//! What there is at the end: custom resources with their printed columns, and workloads.
//!
//! Takes a cluster; gives one table per kind for people, one JSON object per object for programs. Reads only.

use std::collections::BTreeSet;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::difference;
use super::line::Style;
use crate::sim::cluster::Cluster;
use crate::sim::kinds::Resource;

/// Built-in workloads that are shown.
const WORKLOADS: [&str; 3] = ["deployments.apps", "statefulsets.apps", "daemonsets.apps"];
/// Custom resources that are part of the machinery.
const HIDDEN_GROUPS: [&str; 1] = ["apiextensions.k8s.io"];

/// One object at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `plural.group`.
    pub resource: String,
    /// Namespace; empty: none.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Printed columns in order: heading and value.
    pub columns: Vec<(String, Value)>,
}

/// The rows of all shown kinds: custom resources by kind, then workloads. Objects of which nothing but the age is printed are left
/// out.
pub fn rows(cluster: &Cluster) -> Vec<Row> {
    let shown = |resource: &&std::sync::Arc<Resource>| resource.custom && !HIDDEN_GROUPS.contains(&resource.id.group.as_str());
    let customs = cluster.kinds().preferred().filter(shown);
    let workloads = WORKLOADS.iter().filter_map(|key| cluster.kinds().by_key(key));
    customs.chain(workloads).flat_map(|resource| of_kind(cluster, resource)).filter(|row| !row.columns.is_empty()).collect()
}

fn of_kind(cluster: &Cluster, resource: &Resource) -> Vec<Row> {
    let objects = cluster.list(&resource.key(), None);
    objects.iter().map(|object| row(resource, object, cluster.now())).collect()
}

fn row(resource: &Resource, object: &Value, now: Timestamp) -> Row {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let cells = difference::cells(resource, object, now).into_iter().filter(|cell| !cell.wide).map(|cell| (cell.name, cell.value));
    let weights = Some(difference::weights(object)).filter(|weights| !weights.is_null());
    Row {
        resource: resource.key(),
        namespace: text("namespace"),
        name: text("name"),
        columns: cells.chain(weights.map(|weights| ("Weights".to_owned(), weights))).collect(),
    }
}

impl Row {
    /// As one JSON object.
    pub fn json(&self) -> Value {
        let columns: Map<String, Value> = self.columns.iter().cloned().collect();
        json!({ "type": "state", "resource": self.resource, "namespace": self.namespace, "name": self.name, "columns": columns })
    }
}

/// The tables for people, one per kind.
pub fn tables(rows: &[Row], style: Style) -> String {
    let namespaces: BTreeSet<&str> = rows.iter().map(|row| row.namespace.as_str()).filter(|namespace| !namespace.is_empty()).collect();
    let several = namespaces.len() > 1;
    let mut text = String::new();
    for kind in rows.chunk_by(|one, other| one.resource == other.resource) {
        text.push('\n');
        text.push_str(&table(kind, several, style));
    }
    text
}

fn table(rows: &[Row], namespaces: bool, style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let plural = rows[0].resource.split('.').next().unwrap_or_default().to_uppercase();
    let first = if namespaces { vec!["NAMESPACE".to_owned(), plural] } else { vec![plural] };
    let headings = rows[0].columns.iter().map(|(name, _)| name.to_uppercase());
    table.set_header(first.into_iter().chain(headings));
    for row in rows {
        let first = if namespaces { vec![row.namespace.clone(), row.name.clone()] } else { vec![row.name.clone()] };
        table.add_row(first.into_iter().chain(row.columns.iter().map(|(_, value)| show(value))));
    }
    let mut lines = table.lines().map(|line| line.trim().to_owned());
    let heading = lines.next().map(|line| style.bold(&line)).unwrap_or_default();
    std::iter::once(heading).chain(lines).map(|line| line + "\n").collect()
}

/// A value as people read it; null is a dash.
pub fn show(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(resource: &str, namespace: &str, name: &str, columns: &[(&str, Value)]) -> Row {
        let columns = columns.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Row { resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), columns }
    }

    #[test]
    fn tables_align_and_name_namespaces_only_when_there_are_several() {
        let chat = row("modeldeployments.modelward.dev", "default", "chat", &[("Ready", json!("True")), ("Weight", Value::Null)]);
        let work = row("deployments.apps", "default", "chat-5d9f", &[("Ready", json!("4/4"))]);
        let text = tables(&[chat.clone(), work], Style::Plain);
        assert_eq!(text, "\nMODELDEPLOYMENTS  READY  WEIGHT\nchat              True   -\n\nDEPLOYMENTS  READY\nchat-5d9f    4/4\n");
        let other = row("modeldeployments.modelward.dev", "team", "chat", &[("Ready", json!("False")), ("Weight", json!(10))]);
        assert!(tables(&[chat, other], Style::Plain).starts_with("\nNAMESPACE  MODELDEPLOYMENTS  READY  WEIGHT\ndefault    chat"));
    }

    #[test]
    fn rows_are_json_objects() {
        let row = row("models.modelward.dev", "default", "chat", &[("Latest", json!("1.5.0"))]);
        assert_eq!(row.json()["columns"], json!({ "Latest": "1.5.0" }));
    }
}
