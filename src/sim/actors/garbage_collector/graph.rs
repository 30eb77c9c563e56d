//! What becomes of an object, given what became of its owners.
//!
//! Takes the object and the state of each owner; gives the collector's verdict. Pure.

use serde_json::Value;

use crate::sim::actors::object::{flag, has_finalizer, is_deleting, items, text};

/// Finalizer of an owner that waits for its dependents.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an owner whose dependents are to be left alone.
pub const ORPHAN: &str = "orphan";

/// How an owner reference stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerState {
    /// The owner lives.
    Solid,
    /// No object of that kind and name has that uid.
    Absent,
    /// The owner is being deleted in the foreground.
    Waiting,
}

/// How a deletion by the collector goes on to the object's own dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cascade {
    /// Object first.
    Background,
    /// Dependents first.
    Foreground,
    /// Dependents stay.
    Orphan,
}

/// What the collector does with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Keep,
    /// Another owner lives: only the references with these uids go.
    Release(Vec<String>),
    /// Deletion. `unblock`: a dependent already waits for this object, so its own references stop blocking.
    Delete {
        /// How it goes on.
        cascade: Cascade,
        /// The object's references lose `blockOwnerDeletion` first, so that a cycle cannot wait for itself.
        unblock: bool,
    },
}

/// The object is an owner that waits for its dependents.
pub fn waits_for_dependents(object: &Value) -> bool {
    is_deleting(object) && has_finalizer(object, FOREGROUND)
}

/// The object is an owner whose dependents must be released first.
pub fn orphans_dependents(object: &Value) -> bool {
    is_deleting(object) && has_finalizer(object, ORPHAN)
}

/// The reference to this owner holds up its deletion.
pub fn blocks(dependent: &Value, owner_uid: &str) -> bool {
    references(dependent).any(|reference| text(reference, &["uid"]) == owner_uid && flag(reference, &["blockOwnerDeletion"]))
}

/// `metadata.ownerReferences`.
pub fn references(object: &Value) -> impl Iterator<Item = &Value> {
    items(object, &["metadata", "ownerReferences"]).iter()
}

/// Judges an object by its owners, given as uid and state.
///
/// `dependents` are the object's own, as "is it waiting for its dependents itself".
pub fn judge(object: &Value, owners: &[(String, OwnerState)], dependents: &[bool]) -> Verdict {
    if owners.is_empty() || is_deleting(object) {
        return Verdict::Keep;
    }
    let with = |state: OwnerState| owners.iter().filter(move |(_, of)| *of == state);
    if with(OwnerState::Solid).next().is_some() {
        let gone = owners.iter().filter(|(_, state)| *state != OwnerState::Solid).map(|(uid, _)| uid.clone());
        let gone: Vec<String> = gone.collect();
        return if gone.is_empty() { Verdict::Keep } else { Verdict::Release(gone) };
    }
    if with(OwnerState::Waiting).next().is_some() && !dependents.is_empty() {
        return Verdict::Delete { cascade: Cascade::Foreground, unblock: dependents.contains(&true) };
    }
    let cascade = match (has_finalizer(object, ORPHAN), has_finalizer(object, FOREGROUND)) {
        (true, _) => Cascade::Orphan,
        (false, true) => Cascade::Foreground,
        (false, false) => Cascade::Background,
    };
    Verdict::Delete { cascade, unblock: false }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::OwnerState::{Absent, Solid, Waiting};
    use super::*;

    fn owners(states: &[OwnerState]) -> Vec<(String, OwnerState)> {
        states.iter().enumerate().map(|(index, state)| (format!("u{index}"), *state)).collect()
    }

    fn verdict(states: &[OwnerState], dependents: &[bool]) -> Verdict {
        judge(&json!({ "metadata": {} }), &owners(states), dependents)
    }

    fn delete(cascade: Cascade) -> Verdict {
        Verdict::Delete { cascade, unblock: false }
    }

    #[test]
    fn an_object_goes_when_all_its_owners_are_absent() {
        assert_eq!(verdict(&[Absent, Absent], &[]), delete(Cascade::Background));
        assert_eq!(verdict(&[], &[]), Verdict::Keep);
    }

    #[test]
    fn a_living_owner_saves_it_and_the_other_references_go() {
        assert_eq!(verdict(&[Solid, Absent, Waiting], &[]), Verdict::Release(vec!["u1".to_owned(), "u2".to_owned()]));
        assert_eq!(verdict(&[Solid], &[]), Verdict::Keep);
    }

    #[test]
    fn under_a_waiting_owner_those_with_dependents_go_in_the_foreground() {
        assert_eq!(verdict(&[Waiting], &[]), delete(Cascade::Background));
        assert_eq!(verdict(&[Waiting, Absent], &[false]), delete(Cascade::Foreground));
    }

    #[test]
    fn a_cycle_is_unblocked() {
        assert_eq!(verdict(&[Waiting], &[true]), Verdict::Delete { cascade: Cascade::Foreground, unblock: true });
    }

    #[test]
    fn finalizers_on_the_object_choose_the_cascade() {
        let object = json!({ "metadata": { "finalizers": ["orphan"] } });
        assert_eq!(judge(&object, &owners(&[Absent]), &[]), delete(Cascade::Orphan));
        let object = json!({ "metadata": { "finalizers": ["foregroundDeletion"] } });
        assert_eq!(judge(&object, &owners(&[Absent]), &[]), delete(Cascade::Foreground));
    }

    #[test]
    fn an_object_that_is_going_already_is_left_alone() {
        let object = json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x/y"] } });
        assert_eq!(judge(&object, &owners(&[Absent]), &[]), Verdict::Keep);
    }
}
