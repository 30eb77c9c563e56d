//! One object of a custom resource `W` behind the little of a server that apply needs: defaults, resets, revisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::sim::api_error::ApiError;
use crate::sim::apply::{FieldPath, Writer, apply, keep_times, update};
use crate::sim::schema::{Kind, ListType, Schema};

pub fn scalar(kind: Kind) -> Schema {
    Schema { kind, ..Schema::default() }
}

pub fn object(fields: Vec<(&str, Schema)>) -> Schema {
    let properties: BTreeMap<_, _> = fields.into_iter().map(|(name, schema)| (name.to_owned(), Arc::new(schema))).collect();
    Schema { kind: Kind::Object, properties, ..Schema::default() }
}

pub fn map_of(entry: Schema) -> Schema {
    Schema { kind: Kind::Object, additional: Some(Arc::new(entry)), ..Schema::default() }
}

pub fn list(list_type: ListType, items: Schema) -> Schema {
    Schema { kind: Kind::Array, list_type, items: Some(Arc::new(items)), ..Schema::default() }
}

pub fn keyed(keys: &[&str]) -> ListType {
    ListType::Map { keys: keys.iter().map(|key| (*key).to_owned()).collect() }
}

/// The schema of `W`: every kind of list and map that ownership knows.
pub fn schema() -> Schema {
    let text = || scalar(Kind::String);
    let number = || scalar(Kind::Integer);
    let protocol = Schema { default: Some(json!("TCP")), ..text() };
    let port = object(vec![("port", number()), ("protocol", protocol), ("name", text())]);
    let item = object(vec![("name", text()), ("v", number()), ("sub", list(ListType::Set, text()))]);
    let spec = object(vec![
        ("replicas", Schema { default: Some(json!(1)), ..number() }),
        ("st", object(vec![("a", number()), ("b", number())])),
        ("ports", list(keyed(&["port", "protocol"]), port)),
        ("items", list(keyed(&["name"]), item)),
        ("tags", list(ListType::Set, text())),
        ("atoms", list(ListType::Atomic, text())),
        ("am", Schema { atomic_map: true, ..map_of(text()) }),
        ("gm", map_of(text())),
        ("any", Schema { preserve_unknown: true, ..scalar(Kind::Any) }),
    ]);
    let condition = object(vec![("type", text()), ("status", text())]);
    let status = object(vec![("note", text()), ("conditions", list(keyed(&["type"]), condition))]);
    object(vec![("spec", spec), ("status", status)])
}

/// A server that holds at most one object.
pub struct World {
    pub object: Option<Value>,
    pub schema: Schema,
    pub version: &'static str,
    /// What the server's type looks like with nothing set; `None`: a custom resource.
    pub empty: Option<Value>,
    pub known_versions: Vec<&'static str>,
    pub now: Timestamp,
    pub revision: u64,
}

impl World {
    pub fn new() -> Self {
        Self {
            object: None,
            schema: schema(),
            version: "ex.io/v1",
            empty: None,
            known_versions: vec!["ex.io/v1", "ex.io/v2"],
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            revision: 0,
        }
    }

    pub fn body(&self, content: &Value) -> Value {
        let mut body = json!({ "apiVersion": self.version, "kind": "W", "metadata": { "name": "w" } });
        complete(&mut body, content);
        body
    }

    fn resets(subresource: Option<&str>) -> Vec<FieldPath> {
        vec![FieldPath::of_fields(&[if subresource == Some("status") { "spec" } else { "status" }])]
    }

    fn tick(&mut self) {
        self.now += SignedDuration::from_secs(10);
    }

    fn writer<'a>(&'a self, manager: &'a str, subresource: Option<&'a str>) -> Writer<'a> {
        Writer {
            subresource,
            kind: "W",
            known_versions: &self.known_versions,
            empty: self.empty.as_ref(),
            ..Writer::new(manager, self.version, self.now)
        }
    }

    /// Applies `content` laid over a minimal body; gives the revision.
    pub fn try_apply(&mut self, manager: &str, subresource: Option<&str>, content: &Value, force: bool) -> Result<u64, ApiError> {
        self.tick();
        let body = self.body(content);
        let writer = self.writer(manager, subresource);
        let result = apply(self.object.as_ref(), &body, &self.schema, &Self::resets(subresource), &writer, force)?;
        Ok(self.store(result, subresource))
    }

    pub fn apply(&mut self, manager: &str, spec: Value) -> u64 {
        self.try_apply(manager, None, &json!({ "spec": spec }), false).unwrap()
    }

    pub fn force(&mut self, manager: &str, spec: Value) -> u64 {
        self.try_apply(manager, None, &json!({ "spec": spec }), true).unwrap()
    }

    pub fn refused(&mut self, manager: &str, spec: Value) -> ApiError {
        let before = self.object.clone();
        let error = self.try_apply(manager, None, &json!({ "spec": spec }), false).unwrap_err();
        assert_eq!(self.object, before);
        error
    }

    /// POST of a new object.
    pub fn post(&mut self, manager: &str, content: &Value) -> u64 {
        assert!(self.object.is_none());
        self.tick();
        let mut body = self.body(content);
        set_defaults(&mut body);
        let result = update(None, body, &self.schema, &Self::resets(None), &self.writer(manager, None));
        self.store(result, None)
    }

    /// Merge patch of the stored object.
    pub fn patch_at(&mut self, manager: &str, subresource: Option<&str>, patch: &Value) -> u64 {
        self.tick();
        let live = self.object.clone().unwrap();
        let mut new = live.clone();
        overlay(&mut new, patch);
        set_defaults(&mut new);
        let result = update(Some(&live), new, &self.schema, &Self::resets(subresource), &self.writer(manager, subresource));
        self.store(result, subresource)
    }

    pub fn patch(&mut self, manager: &str, spec: Value) -> u64 {
        self.patch_at(manager, None, &json!({ "spec": spec }))
    }

    /// What the rest of the pipeline does to a written object; gives the revision.
    fn store(&mut self, mut new: Value, subresource: Option<&str>) -> u64 {
        let fields = new.as_object_mut().unwrap();
        let live = self.object.as_ref();
        let mut restore = |name: &str| match live.and_then(|live| live.get(name)) {
            Some(value) => _ = fields.insert(name.to_owned(), value.clone()),
            None => _ = fields.remove(name),
        };
        if subresource == Some("status") {
            restore("spec");
            let managed = fields["metadata"].get("managedFields").cloned();
            let mut metadata = live.map_or_else(|| json!({}), |live| live["metadata"].clone());
            match managed {
                Some(managed) => metadata["managedFields"] = managed,
                None => _ = metadata.as_object_mut().unwrap().remove("managedFields"),
            }
            fields.insert("metadata".to_owned(), metadata);
        } else {
            restore("status");
        }
        set_defaults(&mut new);
        new["metadata"]["uid"] = json!("11111111-1111-4111-8111-111111111111");
        if let Some(live) = live {
            keep_times(live, &mut new);
        }
        if live != Some(&new) {
            self.revision += 1;
        }
        self.object = Some(new);
        self.revision
    }

    pub fn spec(&self) -> Value {
        self.object.as_ref().unwrap().get("spec").cloned().unwrap_or(Value::Null)
    }

    /// The stored object's managers in short form, sorted.
    pub fn owners(&self) -> Vec<String> {
        let mut owners = self.owners_in_order();
        owners.sort();
        owners
    }

    pub fn owners_in_order(&self) -> Vec<String> {
        owners_of(self.object.as_ref().unwrap())
    }

    #[track_caller]
    pub fn assert_owners(&self, expected: &[&str]) {
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        expected.sort();
        assert_eq!(self.owners(), expected);
    }
}

pub fn owners_of(object: &Value) -> Vec<String> {
    object["metadata"].get("managedFields").and_then(Value::as_array).into_iter().flatten().map(short_entry).collect()
}

/// `~m/A/status:{spec{st{a}}}`: `~` no time, `A`pply or `U`pdate; `[..]` list items by key, `=x` set values, `.` the node itself.
pub fn short_entry(entry: &Value) -> String {
    let subresource = entry.get("subresource").map_or_else(String::new, |name| format!("/{}", name.as_str().unwrap()));
    let time = if entry.get("time").is_some() { "" } else { "~" };
    let operation = &entry["operation"].as_str().unwrap()[..1];
    format!("{time}{}/{operation}{subresource}:{}", entry["manager"].as_str().unwrap(), short_set(&entry["fieldsV1"]))
}

fn short_set(set: &Value) -> String {
    let mut parts = Vec::new();
    for (key, below) in set.as_object().unwrap() {
        let name = match key.split_once(':') {
            Some(("k", json)) => {
                let fields: Map<String, Value> = serde_json::from_str(json).unwrap();
                let values: Vec<_> = fields.values().map(plain).collect();
                format!("[{}]", values.join(","))
            }
            Some(("v", json)) => format!("={}", plain(&serde_json::from_str(json).unwrap())),
            Some((_, name)) => name.to_owned(),
            None => key.clone(),
        };
        let empty = below.as_object().unwrap().is_empty();
        parts.push(if empty { name } else { format!("{name}{}", short_set(below)) });
    }
    format!("{{{}}}", parts.join(" "))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Lays `content` over a body; nulls are values like others.
fn complete(body: &mut Value, content: &Value) {
    match (body, content) {
        (Value::Object(fields), Value::Object(content)) => {
            for (name, value) in content {
                complete(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (body, content) => body.clone_from(content),
    }
}

/// JSON merge patch.
pub fn overlay(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let fields = target.as_object_mut().unwrap();
    for (name, change) in patch {
        if change.is_null() {
            fields.remove(name);
        } else {
            overlay(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

fn set_defaults(object: &mut Value) {
    let Some(Value::Object(spec)) = object.get_mut("spec") else { return };
    spec.entry("replicas").or_insert(json!(1));
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        port.as_object_mut().unwrap().entry("protocol").or_insert(json!("TCP"));
    }
}

/// Messages of the causes with their fields.
pub fn causes(error: &ApiError) -> Vec<(String, String)> {
    let causes = error.details.as_ref().unwrap()["causes"].as_array().unwrap();
    let text = |cause: &Value, name: &str| cause[name].as_str().unwrap().to_owned();
    causes
        .iter()
        .map(|cause| {
            assert_eq!(cause["reason"], "FieldManagerConflict");
            (text(cause, "message"), text(cause, "field"))
        })
        .collect()
}
