//! Between the stored form of an object and the version that was asked for.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::engines;
use crate::sim::kinds::{Conversion, Resource};

/// Fields of core events and what `events.k8s.io/v1` calls them.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// A stored object as this version shows it; the same allocation where nothing differs.
pub(in crate::sim) fn from_stored(resource: &Resource, stored: &Arc<Value>) -> Arc<Value> {
    match resource.conversion {
        Conversion::None if resource.storage => Arc::clone(stored),
        Conversion::None => {
            let mut object = (**stored).clone();
            object["apiVersion"] = json!(resource.api_version());
            engines::drop_unknown(resource, &mut object);
            engines::defaults(resource, &mut object);
            Arc::new(object)
        }
        Conversion::Events => Arc::new(rename(stored, "events.k8s.io/v1", |(core, events)| (*core, *events))),
    }
}

/// An object of this version as it is stored.
pub(in crate::sim) fn to_stored(resource: &Resource, mut object: Value) -> Value {
    match resource.conversion {
        Conversion::None => {
            if !resource.storage {
                object["apiVersion"] = json!(resource.storage_api_version);
            }
            object
        }
        Conversion::Events => rename(&object, "v1", |(core, events)| (*events, *core)),
    }
}

fn rename(object: &Value, api_version: &str, pair: impl Fn(&(&'static str, &'static str)) -> (&'static str, &'static str)) -> Value {
    let mut out = Map::new();
    for (field, value) in object.as_object().into_iter().flatten() {
        let renamed = EVENT_FIELDS.iter().map(&pair).find(|(from, _)| from == field).map_or(field.as_str(), |(_, to)| to);
        out.insert(renamed.to_owned(), value.clone());
    }
    out.insert("apiVersion".to_owned(), json!(api_version));
    Value::Object(out)
}
