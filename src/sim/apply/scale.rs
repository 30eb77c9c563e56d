//! Ownership across the `/scale` door: `Scale.spec.replicas` stands for a field of the scaled object.
//!
//! Takes and gives `managedFields` lists. A write to `/scale` goes in three steps: [`to_scale`] gives the Scale object its
//! managers, [`crate::sim::apply::update`] or [`crate::sim::apply::apply`] works on the Scale object, [`to_parent`] brings
//! the managers back. Entries that came through this door have no time, as on the real server.

use std::borrow::Cow;

use serde_json::Value;

use crate::sim::api_error::ApiError;
use crate::sim::apply::managers::{Entry, Identity, Managers, assemble};
use crate::sim::apply::path::{FieldPath, PathElement};
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::Type;

/// The apiVersion of Scale objects.
const SCALE_VERSION: &str = "autoscaling/v1";

fn decode(list: &[Value]) -> Result<Managers<'_>, ApiError> {
    Managers::decode(list, Type::Deduced).map_err(|error| ApiError::new(500, "", error))
}

fn path_of<'p>(paths: &'p [(&str, Option<FieldPath>)], api_version: &str) -> Option<&'p Option<FieldPath>> {
    paths.iter().find(|(version, _)| *version == api_version).map(|(_, path)| path)
}

fn scale_path() -> [PathElement<'static>; 2] {
    [PathElement::field("spec"), PathElement::field("replicas")]
}

fn single<'a>(path: &[PathElement<'a>]) -> Set<'a> {
    let mut set = Set::default();
    set.insert(path);
    set
}

/// The managers of the replicas, as managers of a Scale object. `paths` says where the replicas are in each apiVersion of
/// the scaled kind, `None` in a version without `/scale`; entries of other versions are dropped. Errors: 500 if the list is malformed.
pub fn to_scale(parent: &[Value], paths: &[(&str, Option<FieldPath>)]) -> Result<Vec<Value>, ApiError> {
    let mut managers = decode(parent)?;
    managers.entries.retain_mut(|entry| {
        let Some(Some(path)) = path_of(paths, &entry.api_version) else { return false };
        if !entry.set.contains(path.elements()) {
            return false;
        }
        entry.set = single(&scale_path());
        SCALE_VERSION.clone_into(&mut entry.api_version);
        entry.source = None;
        true
    });
    Ok(assemble(managers.encode(), Cow::Borrowed(parent)))
}

/// The managers of the scaled object after its Scale object was written with these managers; `api_version` is that of
/// the scaled object at this door. Errors: 500 if a list is malformed.
pub fn to_parent(
    parent: &[Value],
    scale: &[Value],
    paths: &[(&str, Option<FieldPath>)],
    api_version: &str,
) -> Result<Vec<Value>, ApiError> {
    let mut managers = decode(parent)?;
    let mut scale = decode(scale)?;
    let times: Vec<_> = managers.entries.iter().map(|entry| (entry.identity.clone(), entry.time)).collect();
    managers.entries.retain_mut(|entry| {
        let Some(path) = path_of(paths, &entry.api_version) else { return false };
        let Some(path) = path.as_ref().filter(|path| entry.set.contains(path.elements())) else { return true };
        if let Some(at) = scale.entries.iter().position(|scaled| same_writer(&scaled.identity, &entry.identity)) {
            scale.entries.remove(at);
            return true;
        }
        entry.set.subtract(&single(path.elements()));
        entry.source = None;
        !entry.set.is_empty()
    });
    let Some(Some(path)) = path_of(paths, api_version) else {
        return Ok(assemble(managers.encode(), Cow::Borrowed(parent)));
    };
    for scaled in scale.entries {
        if !scaled.set.contains(&scale_path()) {
            continue;
        }
        let identity = Identity::new(&scaled.identity.manager, scaled.identity.operation, api_version, Some(&scaled.identity.subresource));
        let time = times.iter().find(|(known, _)| *known == identity).and_then(|(_, time)| *time);
        let entry = Entry { identity, api_version: api_version.to_owned(), time, set: single(path.elements()), source: None };
        managers.entries.push(entry);
    }
    Ok(assemble(managers.encode(), Cow::Borrowed(parent)))
}

/// The Scale object's entries carry its own apiVersion; everything else tells writers apart.
fn same_writer(scaled: &Identity, parent: &Identity) -> bool {
    (&scaled.manager, scaled.operation, &scaled.subresource) == (&parent.manager, parent.operation, &parent.subresource)
}
