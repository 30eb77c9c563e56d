//! What pods of a world use of cpu and memory.
//!
//! Takes the `usage` of a rule or of a change; gives what it says, to be laid over what was said before.

use super::document::{Located, Node};
use super::fields::Fields;
use super::place::Problems;
use crate::sim::builtin::quantity::Quantity;
use crate::sim::metrics_api::usage::{Load, UsageModel};

/// Lays what is said over what was said before.
pub fn apply(said: &UsageModel, usage: &mut UsageModel) {
    for (said, load) in [(&said.cpu, &mut usage.cpu), (&said.memory, &mut usage.memory)] {
        load.idle = said.idle.or(load.idle);
        load.per_request = said.per_request.or(load.per_request);
    }
}

/// In words, for people.
pub fn told(usage: &UsageModel) -> Vec<String> {
    let mut words = Vec::new();
    for (resource, load) in [("cpu", &usage.cpu), ("memory", &usage.memory)] {
        words.extend(load.idle.map(|amount| format!("they use {amount} of {resource} when idle")));
        words.extend(load.per_request.map(|amount| format!("each request takes {amount} of {resource}")));
    }
    words
}

/// Reads `usage`.
pub fn read(node: &Located, problems: &mut Problems) -> Option<UsageModel> {
    let mut fields = Fields::of(node, "usage", problems)?;
    let cpu = fields.take("cpu").map(|node| load(node, "cpu", problems));
    let memory = fields.take("memory").map(|node| load(node, "memory", problems));
    fields.finish(problems);
    Some(UsageModel { cpu: cpu.unwrap_or(Some(Load::default()))?, memory: memory.unwrap_or(Some(Load::default()))? })
}

fn load(node: &Located, name: &str, problems: &mut Problems) -> Option<Load> {
    let mut fields = Fields::of(node, name, problems)?;
    let load = Load { idle: fields.read("idle", amount, problems), per_request: fields.read("perRequest", amount, problems) };
    fields.finish(problems);
    Some(load)
}

fn amount(node: &Located, name: &str, problems: &mut Problems) -> Option<Quantity> {
    let read = match &node.node {
        Node::Text(_) | Node::Number(_) => Quantity::from_json(&node.to_json()).ok().filter(|amount| !amount.is_negative()),
        _ => None,
    };
    if read.is_none() {
        problems.push(node.place.problem(format!("{name} must be an amount such as 250m or 64Mi, and not below 0")));
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::read_text;

    #[test]
    fn what_is_said_is_laid_over_what_was_said_before() {
        let (said, problems) = read_text("cpu: {idle: 50m, perRequest: 1}\nmemory: {perRequest: 8Mi}\n", read);
        assert_eq!(problems, Vec::<String>::new());
        let mut usage = UsageModel::default();
        apply(&said.unwrap(), &mut usage);
        let (later, _) = read_text("cpu: {idle: 70m}\n", read);
        apply(&later.unwrap(), &mut usage);
        let shown = |amount: Option<Quantity>| amount.map(|amount| amount.to_string());
        assert_eq!((shown(usage.cpu.idle), shown(usage.cpu.per_request)), (Some("70m".to_owned()), Some("1".to_owned())));
        assert_eq!((shown(usage.memory.idle), shown(usage.memory.per_request)), (None, Some("8Mi".to_owned())));
        assert_eq!(told(&usage).join(", "), "they use 70m of cpu when idle, each request takes 1 of cpu, each request takes 8Mi of memory");
    }

    #[test]
    fn mistakes_are_reported_with_their_places() {
        let (_, problems) = read_text("cpu: {idle: much}\nmemory: {idle: -1}\ngpu: {idle: 1}\n", read);
        let lines: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').nth(1)).collect();
        assert_eq!(lines, ["1", "2", "3"], "{problems:#?}");
    }
}
