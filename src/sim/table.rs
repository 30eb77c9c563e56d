//! Tables: what `kubectl get` shows, rendered by the server.
//!
//! Takes objects, their resource and the present time (for ages); gives `meta.k8s.io/v1` Tables. Custom resources have the
//! columns of their CRD, usual built-ins their own, the rest name and creation time. Never reads the cluster.

pub mod age;
mod builtin;
pub mod jsonpath;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::jsonpath::JsonPath;
use crate::sim::kinds::{Column, Resource};

/// What a row carries beside its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// The metadata of the object.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

/// Renders the rows of one resource.
pub struct Printer {
    headers: Vec<Value>,
    cells: Cells,
}

enum Cells {
    Builtin(builtin::Row),
    Custom(Vec<(String, Option<JsonPath>)>),
}

impl Printer {
    /// The printer of a resource. A column whose path does not parse (the CRD's validation refuses those) stays empty.
    pub fn new(resource: &Resource) -> Self {
        if !resource.custom {
            let (headers, row) = builtin::printer(&resource.id.key());
            let format = |name: &str| if name == "Name" { "name" } else { "" };
            let headers =
                headers.iter().map(|header| header_json(header.name, header.kind, format(header.name), header.name, header.priority));
            return Self { headers: headers.collect(), cells: Cells::Builtin(row) };
        }
        let age = [Column {
            name: "Age".to_owned(),
            kind: "date".to_owned(),
            format: String::new(),
            description: "Time since the object was created.".to_owned(),
            priority: 0,
            json_path: ".metadata.creationTimestamp".to_owned(),
        }];
        let columns: &[Column] = if resource.columns.is_empty() { &age } else { &resource.columns };
        let name = header_json("Name", "string", "name", "Unique among the objects of one kind (and namespace).", 0);
        let others =
            columns.iter().map(|column| header_json(&column.name, &column.kind, &column.format, &column.description, column.priority));
        let paths = columns.iter().map(|column| (column.kind.clone(), JsonPath::parse(&column.json_path).ok())).collect();
        Self { headers: std::iter::once(name).chain(others).collect(), cells: Cells::Custom(paths) }
    }

    /// A Table of `objects` with the list metadata given; `headers`: with column definitions, as in all but the later events
    /// of a watch.
    pub fn table(&self, objects: &[&Value], metadata: Value, include: IncludeObject, headers: bool, now: Timestamp) -> Value {
        let rows: Vec<Value> = objects.iter().map(|object| self.row(object, include, now)).collect();
        json!({
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "columnDefinitions": if headers { Value::Array(self.headers.clone()) } else { Value::Null },
            "rows": rows,
        })
    }

    fn row(&self, object: &Value, include: IncludeObject, now: Timestamp) -> Value {
        let cells = match &self.cells {
            Cells::Builtin(row) => row(object, now),
            Cells::Custom(columns) => {
                let name = object.pointer("/metadata/name").cloned().unwrap_or(json!(""));
                let others = columns.iter().map(|(kind, path)| custom_cell(kind, path.as_ref().and_then(|path| path.first(object)), now));
                std::iter::once(name).chain(others).collect::<Vec<_>>()
            }
        };
        let carried = match include {
            IncludeObject::None => Value::Null,
            IncludeObject::Metadata => partial(object),
            IncludeObject::Object => object.clone(),
        };
        json!({ "cells": cells, "object": carried })
    }
}

fn header_json(name: &str, kind: &str, format: &str, description: &str, priority: i64) -> Value {
    json!({ "name": name, "type": kind, "format": format, "description": description, "priority": priority })
}

/// `PartialObjectMetadata` of an object.
pub fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
    })
}

fn custom_cell(kind: &str, value: Option<&Value>, now: Timestamp) -> Value {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Value::Null };
    match (kind, value) {
        ("string", Value::String(text)) => json!(text),
        ("string", other) => json!(other.to_string()),
        ("integer", Value::Number(number)) => number.as_i64().or_else(|| number.as_f64().map(truncated)).map_or(Value::Null, Value::from),
        ("number", Value::Number(number)) => number.as_f64().map_or(Value::Null, Value::from),
        ("boolean", Value::Bool(flag)) => json!(flag),
        ("date", Value::String(text)) => json!(age::since_text(text, now)),
        _ => Value::Null,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an integer column shows the whole part, as a cast in the server does")]
fn truncated(number: f64) -> i64 {
    number as i64
}

#[cfg(test)]
mod tests;
