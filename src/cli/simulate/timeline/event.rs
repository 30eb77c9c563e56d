//! Lines about Events: only those about custom resources; what workloads and pods have to say is told of themselves.

use serde_json::Value;

use super::{Episode, Told, Usual};
use crate::cli::simulate::line::{Line, Topic};

pub(super) fn tell(episode: &Episode, told: &Told) -> Option<(Line, Usual)> {
    let event = episode.after.as_deref()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text("/involvedObject/apiVersion"), text("/involvedObject/kind"));
    if !told.is_custom(&version, &kind) {
        return None;
    }
    let object = format!("{}/{}", kind.to_lowercase(), text("/involvedObject/name"));
    let by = [text("/reportingComponent"), text("/source/component"), episode.subject.by.clone()].into_iter().find(|by| !by.is_empty());
    let line = Line {
        namespace: text("/involvedObject/namespace"),
        object,
        what: text("/reason"),
        why: text("/message"),
        warning: text("/type") == "Warning",
        by: by.unwrap_or_default(),
        ..episode.line(Topic::Event)
    };
    let usual = Usual::words(&line);
    (!told.has_said(&line)).then_some((line, usual))
}
