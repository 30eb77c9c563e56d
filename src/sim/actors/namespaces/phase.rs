//! What a namespace that is going says of itself.
//!
//! Takes what is left in it; gives its conditions. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::sim::actors::conditions::{Condition, set_in_place};

/// What is left in a namespace after a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Objects by resource (`plural.group`, with the dot also for core).
    pub objects: BTreeMap<String, usize>,
    /// Objects by finalizer.
    pub finalizers: BTreeMap<String, usize>,
    /// First refusal of a deletion.
    pub error: Option<String>,
}

/// The five conditions, edited in place; gives whether anything changed.
pub fn note(conditions: &mut Vec<Value>, remaining: &Remaining, now: Timestamp) -> bool {
    let mut changed = false;
    for condition in wanted(remaining) {
        changed |= set_in_place(conditions, &condition, None, now);
    }
    changed
}

fn wanted(remaining: &Remaining) -> [Condition; 5] {
    let well = |kind, reason: &str, message: &str| Condition::new(kind, "False", reason, message);
    let failure = match &remaining.error {
        None => {
            well("NamespaceDeletionContentFailure", "ContentDeleted", "All content successfully deleted, may be waiting on finalization")
        }
        Some(error) => Condition::new("NamespaceDeletionContentFailure", "True", "ContentDeletionFailed", error.clone()),
    };
    [
        well("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
        well("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
        failure,
        content(&remaining.objects),
        finalizers(&remaining.finalizers),
    ]
}

fn content(objects: &BTreeMap<String, usize>) -> Condition {
    if objects.is_empty() {
        return Condition::new("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed");
    }
    let list: Vec<String> = objects.iter().map(|(resource, count)| format!("{resource} has {count} resource instances")).collect();
    let message = format!("Some resources are remaining: {}", list.join(", "));
    Condition::new("NamespaceContentRemaining", "True", "SomeResourcesRemain", message)
}

fn finalizers(finalizers: &BTreeMap<String, usize>) -> Condition {
    let kind = "NamespaceFinalizersRemaining";
    if finalizers.is_empty() {
        return Condition::new(kind, "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished");
    }
    let list: Vec<String> = finalizers.iter().map(|(finalizer, count)| format!("{finalizer} in {count} resource instances")).collect();
    let message = format!("Some content in the namespace has finalizers remaining: {}", list.join(", "));
    Condition::new(kind, "True", "SomeFinalizersRemain", message)
}

/// Seconds until the next look while pods remain, from the longest time that they may take.
pub fn wait_seconds(estimate_seconds: i64) -> i64 {
    estimate_seconds / 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(conditions: &'a [Value], kind: &str) -> (&'a str, &'a str, &'a str) {
        let found = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
        (found["status"].as_str().unwrap(), found["reason"].as_str().unwrap(), found["message"].as_str().unwrap())
    }

    #[test]
    fn with_nothing_left_all_five_are_false() {
        let mut conditions = Vec::new();
        assert!(note(&mut conditions, &Remaining::default(), Timestamp::UNIX_EPOCH));
        assert_eq!(conditions.len(), 5);
        assert!(conditions.iter().all(|condition| condition["status"] == "False"));
        assert!(!note(&mut conditions, &Remaining::default(), "2026-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn row_54_a_finalizer_is_named_with_its_count() {
        let mut remaining = Remaining::default();
        remaining.objects.insert("configmaps.".to_owned(), 1);
        remaining.finalizers.insert("x.io/hold".to_owned(), 1);
        let mut conditions = Vec::new();
        note(&mut conditions, &remaining, Timestamp::UNIX_EPOCH);
        let (status, reason, message) = find(&conditions, "NamespaceFinalizersRemaining");
        assert_eq!((status, reason), ("True", "SomeFinalizersRemain"));
        assert_eq!(message, "Some content in the namespace has finalizers remaining: x.io/hold in 1 resource instances");
        let (_, reason, message) = find(&conditions, "NamespaceContentRemaining");
        assert_eq!((reason, message), ("SomeResourcesRemain", "Some resources are remaining: configmaps. has 1 resource instances"));
    }

    #[test]
    fn the_wait_is_half_the_estimate_and_a_second() {
        assert_eq!((wait_seconds(15), wait_seconds(30), wait_seconds(0)), (8, 16, 1));
    }
}
