//! The two operations on one object: apply, and taking note of another write.
//!
//! Takes objects without `managedFields`, and the managers as read; gives the merged object and the managers as they are
//! afterwards. Knows nothing of the answer's form except the texts of its errors.

use serde_json::Value;

use crate::sim::api_error::ApiError;
use crate::sim::apply::Writer;
use crate::sim::apply::check::{Duplicates, check};
use crate::sim::apply::compare::compare;
use crate::sim::apply::conflict::Conflicts;
use crate::sim::apply::last_applied::{self, KUBECTL};
use crate::sim::apply::managers::{Encoded, Entry, Identity, Managers, Operation};
use crate::sim::apply::merge::merge;
use crate::sim::apply::metadata::unowned;
use crate::sim::apply::own::owned_paths;
use crate::sim::apply::prune::prune;
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::Type;
use crate::sim::apply::value::equal_but_managers;

/// The manager of everything that was there before an object had managers.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// What stays the same during one operation.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) object_type: Type<'a>,
    /// Paths that this door resets: no one gets or loses ownership of them here.
    pub(super) reset: &'a Set<'static>,
    pub(super) writer: &'a Writer<'a>,
    /// What an object of the kind looks like with nothing set.
    pub(super) empty: &'a Value,
}

impl<'a> Setting<'a> {
    fn identity(&self, manager: &str, operation: Operation) -> Identity {
        Identity::new(manager, operation, self.writer.api_version, self.writer.subresource)
    }

    /// Takes note that `manager` turned `old` into `new` by other means than apply.
    pub(super) fn update(&self, managers: &mut Managers<'a>, manager: &str, old: &'a Value, new: &'a Value) {
        let changes = compare(old, new, self.object_type).without(self.reset);
        let (touched, removed) = changes.into_touched_and_removed();
        managers.take_away(&touched, &removed, None);
        let mut own = touched;
        own.subtract(unowned());
        if !own.is_empty() {
            self.add(managers, self.identity(manager, Operation::Update), own);
        }
        managers.cap_updates();
    }

    fn add(&self, managers: &mut Managers<'a>, identity: Identity, own: Set<'a>) {
        let time = Some(self.writer.now);
        match managers.find(&identity) {
            Some(at) => {
                let entry = &mut managers.entries[at];
                entry.set.absorb(own);
                entry.time = time;
                entry.source = None;
            }
            None => {
                let api_version = self.writer.api_version.to_owned();
                managers.entries.push(Entry { identity, api_version, time, set: own, source: None });
            }
        }
    }

    /// Gives all that is set in an object without managers to `before-first-apply`.
    pub(super) fn found(&self, managers: &mut Managers<'a>, live: &'a Value) {
        self.update(managers, BEFORE_FIRST_APPLY, self.empty, live);
    }

    /// Refuses an applied object that cannot be merged, and a stored one that cannot be merged into.
    pub(super) fn check(&self, live: &Value, applied: &Value) -> Result<(), ApiError> {
        if applied.get("metadata").and_then(|metadata| metadata.get("managedFields")).is_some_and(|fields| !fields.is_null()) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        check(applied, self.object_type, Duplicates::Refused).map_err(|error| mistyped("patch", applied, &error))?;
        check(live, self.object_type, Duplicates::Allowed).map_err(|error| mistyped("live", live, &error))
    }

    /// Merges and prunes: what `object`, a copy of the stored one, becomes. `own` is what the applied object owns.
    pub(super) fn merged(&self, managers: &Managers<'a>, mut object: Value, applied: &Value, own: &Set<'a>) -> Value {
        let left_filled = merge(&mut object, applied, self.object_type);
        let Some(at) = managers.find(&self.identity(self.writer.manager, Operation::Apply)) else { return object };
        let entry = &managers.entries[at];
        if entry.set.is_subset(own) && !left_filled {
            // Whatever was applied before is applied again: there is nothing to remove. (A struct that was applied empty
            // and holds nothing but empty lists by now goes all the same.)
            return object;
        }
        prune(object, self.object_type, &entry.set, &owned_by_version(managers, at, own.clone(), self.writer.api_version))
    }

    /// What an applied object owns.
    pub(super) fn own(&self, applied: &'a Value) -> Set<'a> {
        let mut own = owned_paths(applied, self.object_type);
        own.subtract_recursively(self.reset);
        own
    }

    /// Settles who owns what once `live` became `merged`, or gives the 409. What its own client-side apply left behind
    /// `kubectl` may take over.
    pub(super) fn settle_as_allowed(
        &self,
        mut managers: Managers<'a>,
        live: &'a Value,
        merged: &'a Value,
        own: Set<'a>,
        force: bool,
    ) -> Result<Vec<Encoded>, ApiError> {
        let changed = !equal_but_managers(live, merged);
        if changed {
            let changes = compare(live, merged, self.object_type).without(self.reset);
            let (touched, removed) = changes.into_touched_and_removed();
            let identity = self.identity(self.writer.manager, Operation::Apply);
            if !force && !touched.is_empty() {
                self.refuse(live, Conflicts::find(&managers, &touched, &identity))?;
            }
            managers.take_away(&touched, &removed, Some(&identity));
        }
        self.replace(&mut managers, own, changed);
        Ok(managers.encode())
    }

    fn refuse(&self, live: &Value, conflicts: Conflicts<'_>) -> Result<(), ApiError> {
        if conflicts.is_empty() {
            return Ok(());
        }
        let last = (self.writer.manager == KUBECTL).then(|| last_applied::read(live, self.writer.api_version)).flatten();
        let allowed = last.as_ref().and_then(|last| last_applied::unchanged_paths(last, live, self.object_type));
        let conflicts = match allowed {
            Some(allowed) => conflicts.without(&allowed),
            None => conflicts,
        };
        if conflicts.is_empty() { Ok(()) } else { Err(conflicts.to_error()) }
    }

    fn replace(&self, managers: &mut Managers<'a>, mut own: Set<'a>, object_changed: bool) {
        own.subtract(unowned());
        let identity = self.identity(self.writer.manager, Operation::Apply);
        let api_version = self.writer.api_version;
        let at = managers.find(&identity);
        if own.is_empty() {
            if let Some(at) = at {
                managers.entries.remove(at);
            }
            return;
        }
        let time = object_changed.then_some(self.writer.now);
        match at.map(|at| &mut managers.entries[at]) {
            Some(entry) if entry.set == own && entry.api_version == api_version && !object_changed => {}
            Some(entry) => {
                *entry = Entry { identity, api_version: api_version.to_owned(), time: time.or(entry.time), set: own, source: None };
            }
            None => {
                managers.entries.push(Entry { identity, api_version: api_version.to_owned(), time, set: own, source: None });
            }
        }
    }
}

/// What all managers own, by apiVersion; the version of the applier's former entry comes first.
fn owned_by_version<'a>(managers: &Managers<'a>, applier: usize, own: Set<'a>, api_version: &str) -> Vec<Set<'a>> {
    let former = managers.entries[applier].api_version.as_str();
    let mut sets = vec![(former, Set::default())];
    let mut add = |version, set| match sets.iter_mut().find(|(known, _)| *known == version) {
        Some((_, sum)) => sum.absorb(set),
        None => sets.push((version, set)),
    };
    for (at, entry) in managers.entries.iter().enumerate() {
        if at != applier {
            add(entry.api_version.as_str(), entry.set.clone());
        }
    }
    add(api_version, own);
    sets.into_iter().map(|(_, set)| set).collect()
}

fn mistyped(what: &str, object: &Value, error: &str) -> ApiError {
    let metadata = |name: &str| object.get("metadata").and_then(|metadata| metadata.get(name)).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (metadata("namespace"), metadata("name"));
    ApiError::new(500, "", format!("failed to create typed {what} object ({namespace}/{name}; {}): {error}", kind_text(object)))
}

/// `group/version, Kind=K`, with an empty group for the core.
pub(super) fn kind_text(object: &Value) -> String {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let version = text("apiVersion");
    let slash = if version.contains('/') { "" } else { "/" };
    format!("{slash}{version}, Kind={}", text("kind"))
}
