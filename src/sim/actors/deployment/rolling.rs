//! The steps of a rollout: which ReplicaSet grows or shrinks next.
//!
//! Takes sizes and limits; gives the next sizes. Pure; one call is one pass of the Deployment controller.

use super::bounds::Bounds;
use super::sets::{Resize, SetView, Sets};

/// Size of the new ReplicaSet when it may only grow, also at its creation (`current` 0).
///
/// Everything may have at most `replicas + surge`: 10 old ones at surge 3 give a new one of 3.
pub fn grown(bounds: &Bounds, total: i64, current: i64) -> i64 {
    if !bounds.rolling {
        return bounds.replicas;
    }
    if total >= bounds.most() {
        return current;
    }
    current + (bounds.most() - total).min(bounds.replicas - current)
}

/// One pass of RollingUpdate: first the new ReplicaSet, else the old ones. Empty: nothing to do.
pub fn rolling(bounds: &Bounds, sets: &Sets) -> Vec<Resize> {
    let scaled_new = size_new(bounds, sets);
    if scaled_new.is_empty() { shrink_old(bounds, sets) } else { scaled_new }
}

/// One pass of Recreate before the new ReplicaSet may exist: all old ones to zero.
pub fn recreate_old(sets: &Sets) -> Vec<Resize> {
    sets.old.iter().filter(|set| set.replicas > 0).map(|set| Resize::new(set, 0)).collect()
}

/// The new ReplicaSet's next size, if it changes.
pub fn size_new(bounds: &Bounds, sets: &Sets) -> Vec<Resize> {
    let Some(new) = &sets.new else { return Vec::new() };
    let size = if new.replicas > bounds.replicas { bounds.replicas } else { grown(bounds, sets.total(), new.replicas) };
    if size == new.replicas { Vec::new() } else { vec![Resize::new(new, size)] }
}

/// Old ReplicaSets give up pods that are not available first, then available ones beyond the least that must be.
fn shrink_old(bounds: &Bounds, sets: &Sets) -> Vec<Resize> {
    let new_missing = sets.new.as_ref().map_or(0, |new| new.replicas - new.available);
    let room = sets.total() - bounds.least() - new_missing;
    if room <= 0 {
        return Vec::new();
    }
    let (mut resizes, remaining) = drop_unhealthy(&sets.old, room);
    if let Some(remaining) = remaining {
        resizes.extend(drop_available(&remaining, sets.available() - bounds.least()));
    }
    resizes
}

/// Removes unavailable pods of old ReplicaSets, at most `room`; also gives the old ReplicaSets as they are then.
///
/// None: a ReplicaSet was sized down and its status does not know it yet. Counting those pods as available would take too
/// many away, so this pass ends here.
fn drop_unhealthy(old: &[SetView], mut room: i64) -> (Vec<Resize>, Option<Vec<SetView>>) {
    let mut resizes = Vec::new();
    let mut remaining = old.to_vec();
    for set in remaining.iter_mut().filter(|set| set.replicas > 0) {
        if room <= 0 {
            break;
        }
        if set.available > set.replicas {
            return (resizes, None);
        }
        let drop = (set.replicas - set.available).min(room);
        if drop > 0 {
            room -= drop;
            set.replicas -= drop;
            resizes.push(Resize::new(set, set.replicas));
        }
    }
    (resizes, Some(remaining))
}

/// Removes `spare` pods from the oldest ReplicaSets.
fn drop_available(old: &[SetView], mut spare: i64) -> Vec<Resize> {
    let mut resizes = Vec::new();
    for set in old.iter().filter(|set| set.replicas > 0) {
        let drop = set.replicas.min(spare);
        if drop > 0 {
            spare -= drop;
            resizes.push(Resize::new(set, set.replicas - drop));
        }
    }
    resizes
}

/// Old ReplicaSets that the history limit no longer covers: lowest revision first, and only those at rest.
pub fn beyond_history(sets: &Sets, limit: i64) -> Vec<String> {
    let mut kept: Vec<&SetView> = sets.old.iter().filter(|set| !set.deleting).collect();
    kept.sort_by_key(|set| (set.revision, set.created));
    let excess = usize::try_from(i64::try_from(kept.len()).unwrap_or(0) - limit).unwrap_or(0);
    let at_rest = |set: &&&SetView| set.replicas == 0 && set.existing == 0 && set.observed;
    kept.iter().take(excess).filter(at_rest).map(|set| set.name.clone()).collect()
}
