//! What the scheduler says when no node takes a pod.
//!
//! Takes the reasons of every node; gives the text of the condition and the event. Pure.

use std::collections::BTreeMap;

use super::filter::Reason;

/// `0/3 nodes are available: 1 Insufficient cpu, ...`, with what preemption would say.
pub fn unschedulable(refusals: &[Vec<Reason>]) -> String {
    if refusals.is_empty() {
        return "no nodes available to schedule pods".to_owned();
    }
    let nodes = refusals.len();
    let reasons = histogram(refusals.iter().flatten().map(|reason| reason.text.as_str()));
    let preemption = histogram(refusals.iter().map(|reasons| {
        let helpful = reasons.iter().all(|reason| reason.resolvable);
        if helpful { "No preemption victims found for incoming pod" } else { "Preemption is not helpful for scheduling" }
    }));
    format!(
        "0/{nodes} nodes are available: {reasons}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {preemption}."
    )
}

/// `count text` for each text, sorted as strings.
fn histogram<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let mut lines: Vec<String> = counts.into_iter().map(|(text, count)| format!("{count} {text}")).collect();
    lines.sort();
    lines.join(", ")
}
