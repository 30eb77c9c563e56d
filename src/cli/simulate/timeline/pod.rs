//! Lines about pods: only what keeps them from working, once per owner and reason until it is over for a while.

use serde_json::Value;

use super::{Episode, Usual};
use crate::cli::simulate::line::{Line, Topic};

/// Waiting for these is the usual course.
const USUAL: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// A failed attempt and the wait for the next are one trouble.
const SAME: [(&str, &str); 1] = [("ErrImagePull", "ImagePullBackOff")];
/// Where the messages of kubelet and scheduler go into details that help nobody here.
const DETAILS: [&str; 2] = [" pod=", ". no new claims to deallocate"];

pub(super) fn tell(episode: &Episode) -> Option<(Line, Usual)> {
    let pod = episode.after.as_deref()?;
    let (reason, message) = trouble(pod)?;
    let about = format!("{}/{}", episode.subject.namespace, owner(pod).unwrap_or_else(|| episode.subject.name.clone()));
    let usual = Usual { about, text: reason.clone(), times: 1 };
    Some((Line { what: reason, why: message, warning: true, ..episode.line(Topic::Change) }, usual))
}

fn owner(pod: &Value) -> Option<String> {
    let owners = pod.pointer("/metadata/ownerReferences")?.as_array()?;
    let controller = owners.iter().find(|owner| owner["controller"] == true)?;
    Some(controller["name"].as_str()?.to_owned())
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a Value> {
    pod.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == kind)
}

fn shortened(message: &str) -> &str {
    DETAILS.iter().fold(message, |message, details| message.split(details).next().unwrap_or(message))
}

/// The word and the sentence for what is wrong with a pod.
fn trouble(pod: &Value) -> Option<(String, String)> {
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(scheduled) = condition(pod, "PodScheduled").filter(|scheduled| scheduled["status"] == "False") {
        return Some((text(scheduled, "reason"), shortened(&text(scheduled, "message")).to_owned()));
    }
    if pod.pointer("/status/phase").and_then(Value::as_str) == Some("Failed") {
        let reason = text(&pod["status"], "reason");
        let word = if reason.is_empty() { "Failed".to_owned() } else { reason };
        return Some((word, text(&pod["status"], "message")));
    }
    let containers = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = containers.iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten();
    let mut waiting = statuses.filter_map(|status| Some((status, status.pointer("/state/waiting")?)));
    let (status, waiting) = waiting.rfind(|(_, waiting)| !USUAL.contains(&text(waiting, "reason").as_str()))?;
    let reason = text(waiting, "reason");
    let word = SAME.iter().find(|(first, _)| *first == reason).map_or(reason.as_str(), |(_, then)| then).to_owned();
    let ended = status
        .pointer("/lastState/terminated")
        .map(|ended| format!("; the last run ended with exit code {} ({})", ended["exitCode"], text(ended, "reason")));
    Some((word, shortened(&text(waiting, "message")).to_owned() + &ended.unwrap_or_default()))
}
