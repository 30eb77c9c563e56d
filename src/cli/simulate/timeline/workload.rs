//! Lines about workloads and nodes: how many pods are ready, and what the controller says when it cannot go on.

use serde_json::{Value, json};

use super::{Episode, Usual};
use crate::cli::simulate::difference::{self, Condition};
use crate::cli::simulate::line::{Changed, Line, Topic};

/// Ready and wanted pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    ready: i64,
    wanted: i64,
}

impl Count {
    fn of(object: Option<&Value>) -> Self {
        let number = |pointer: &str| object.and_then(|object| object.pointer(pointer)).and_then(Value::as_i64);
        let ready = number("/status/readyReplicas").or(number("/status/numberReady")).unwrap_or(0);
        let wanted = number("/spec/replicas").or(number("/status/desiredNumberScheduled")).unwrap_or(0);
        Self { ready, wanted }
    }

    fn show(self) -> String {
        format!("{}/{} ready", self.ready, self.wanted)
    }
}

pub(super) fn tell(episode: &Episode) -> Option<(Line, Usual)> {
    let mut line = episode.line(Topic::Change);
    let Some(object) = episode.after.as_deref() else {
        line.what = "removed".to_owned();
        let usual = Usual::change(&line);
        return (!episode.came_and_went()).then_some((line, usual));
    };
    let known = episode.before.as_deref().and_then(trouble);
    if let Some(trouble) = trouble(object).filter(|trouble| known.as_ref().is_none_or(|known| known.reason != trouble.reason)) {
        let line = Line { what: trouble.reason, why: trouble.message, warning: true, ..line };
        let usual = Usual::change(&line);
        return Some((line, usual));
    }
    count(line, episode)
}

/// How many pods are ready, at the turns: the first, all, fewer than before, or another number wanted.
fn count(mut line: Line, episode: &Episode) -> Option<(Line, Usual)> {
    let (before, after) = (Count::of(episode.before.as_deref()), Count::of(episode.after.as_deref()));
    let created = episode.before.is_none();
    let scaled = !created && before.wanted != after.wanted;
    let complete = after.ready == after.wanted && before.ready != after.ready;
    let lost = after.ready < before.ready && after.ready < after.wanted;
    let first = before.ready == 0 && after.ready > 0;
    line.what = match (created, scaled) {
        (true, _) => format!("created, {}", after.show()),
        (_, true) => format!("scaled {} -> {}, {} ready", before.wanted, after.wanted, after.ready),
        _ if complete || lost || first => after.show(),
        _ => return None,
    };
    line.warning = lost;
    line.changes = [("ready", before.ready, after.ready), ("wanted", before.wanted, after.wanted)]
        .into_iter()
        .filter(|(_, from, to)| from != to)
        .map(|(field, from, to)| Changed { field: field.to_owned(), from: if created { Value::Null } else { json!(from) }, to: json!(to) })
        .collect();
    let usual = Usual::change(&line);
    Some((line, usual))
}

/// What the controller says when it cannot go on.
fn trouble(object: &Value) -> Option<Condition> {
    difference::conditions(object).into_iter().find(|condition| match condition.kind.as_str() {
        "ReplicaFailure" => condition.status == "True",
        "Progressing" => condition.status == "False",
        _ => false,
    })
}

pub(super) fn tell_node(episode: &Episode) -> Option<(Line, Usual)> {
    let line = node(episode)?;
    let usual = Usual::change(&line);
    Some((line, usual))
}

fn node(episode: &Episode) -> Option<Line> {
    let mut line = episode.line(Topic::Change);
    let (before, after) = (episode.before.as_deref()?, episode.after.as_deref());
    let Some(after) = after else {
        return Some(Line { what: "removed".to_owned(), warning: true, ..line });
    };
    let ready = |node: &Value| difference::conditions(node).into_iter().find(|condition| condition.kind == "Ready");
    let cordoned = |node: &Value| node.pointer("/spec/unschedulable") == Some(&json!(true));
    if let (Some(old), Some(new)) = (ready(before), ready(after))
        && old.status != new.status
    {
        let changed = Changed { field: "Ready".to_owned(), from: json!(old.status), to: json!(new.status) };
        line.what = difference::say(&changed);
        line.warning = new.status != "True";
        return Some(Line { changes: vec![changed], why: new.message, ..line });
    }
    if cordoned(before) != cordoned(after) {
        line.what = if cordoned(after) { "takes no new pods" } else { "takes new pods again" }.to_owned();
        return Some(line);
    }
    None
}
