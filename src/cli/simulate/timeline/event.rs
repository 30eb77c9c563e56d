//! Lines about Events: only those about custom resources; what workloads and pods have to say is told of themselves.

use serde_json::Value;

use super::{Episode, Told};
use crate::cli::simulate::line::{Line, Topic};

pub(super) fn tell(episode: &Episode, told: &mut Told) -> Option<Line> {
    let event = episode.after.as_deref()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text("/involvedObject/apiVersion"), text("/involvedObject/kind"));
    if !told.custom.contains(&(version, kind.clone())) {
        return None;
    }
    let (namespace, name) = (text("/involvedObject/namespace"), text("/involvedObject/name"));
    let object = format!("{}/{name}", kind.to_lowercase());
    let why = text("/message");
    let said = told.why.iter().any(|(key, said)| key.ends_with(&format!("/{namespace}/{name}")) && *said == why);
    if said {
        return None;
    }
    let warning = text("/type") == "Warning";
    let by = [text("/reportingComponent"), text("/source/component"), episode.subject.by.clone()].into_iter().find(|by| !by.is_empty());
    Some(Line { namespace, object, what: text("/reason"), why, warning, by: by.unwrap_or_default(), ..episode.line(Topic::Event) })
}
