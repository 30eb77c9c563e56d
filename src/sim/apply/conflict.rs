//! Conflicts: paths that an applier changes and another manager owns.
//!
//! Takes what the entries own and what would change, gives the conflicts and the 409 about them. Never decides about force.

use serde_json::json;

use crate::sim::api_error::{ApiError, Cause};
use crate::sim::apply::managers::{Identity, Managers};
use crate::sim::apply::path::PathElement;
use crate::sim::apply::set::Set;

/// The contested paths of one manager.
#[derive(Clone, Debug)]
pub(super) struct Conflict<'a> {
    identity: Identity,
    paths: Set<'a>,
}

/// All conflicts, in the order of the managers' identities.
#[derive(Clone, Debug, Default)]
pub(super) struct Conflicts<'a> {
    by_manager: Vec<Conflict<'a>>,
}

impl<'a> Conflicts<'a> {
    /// What entries other than `applier` own of the touched paths.
    pub(super) fn find(managers: &Managers<'a>, touched: &Set<'_>, applier: &Identity) -> Self {
        let others = managers.entries.iter().filter(|entry| entry.identity != *applier);
        let mut by_manager: Vec<_> = others
            .map(|entry| Conflict { identity: entry.identity.clone(), paths: entry.set.intersection(touched) })
            .filter(|conflict| !conflict.paths.is_empty())
            .collect();
        by_manager.sort_by(|left, right| left.identity.cmp(&right.identity));
        Self { by_manager }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_manager.is_empty()
    }

    /// Leaves out what the applier may take over.
    pub(super) fn without(mut self, allowed: &Set<'_>) -> Self {
        for conflict in &mut self.by_manager {
            conflict.paths.subtract(allowed);
        }
        self.by_manager.retain(|conflict| !conflict.paths.is_empty());
        self
    }

    /// The answer 409.
    pub(super) fn to_error(&self) -> ApiError {
        let by_manager: Vec<_> = self
            .by_manager
            .iter()
            .map(|conflict| {
                let paths: Vec<String> = conflict.paths.paths().iter().map(|path| text(path)).collect();
                (conflict.identity.describe(), paths)
            })
            .collect();
        let causes: Vec<_> = by_manager
            .iter()
            .flat_map(|(manager, paths)| paths.iter().map(move |path| (manager, path)))
            .map(|(manager, path)| Cause::new("FieldManagerConflict", path.as_str(), format!("conflict with {manager}")).to_json())
            .collect();
        let message = match by_manager.as_slice() {
            [(manager, paths)] if paths.len() == 1 => format!("Apply failed with 1 conflict: conflict with {manager}: {}", paths.concat()),
            _ => {
                let groups: Vec<_> =
                    by_manager.iter().map(|(manager, paths)| format!("conflicts with {manager}:\n- {}", paths.join("\n- "))).collect();
                format!("Apply failed with {} conflicts: {}", causes.len(), groups.join("\n"))
            }
        };
        ApiError::new(409, "Conflict", message).with_details(json!({ "causes": causes }))
    }
}

fn text(path: &[PathElement<'_>]) -> String {
    path.iter().map(PathElement::to_string).collect()
}
