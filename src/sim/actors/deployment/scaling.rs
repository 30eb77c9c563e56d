//! Resizing a Deployment that is not at rest: the change is shared out over its ReplicaSets in proportion.
//!
//! Takes sizes and limits; gives the new sizes. Pure.

use super::bounds::Bounds;
use super::sets::{Resize, SetView, Sets};

/// Some ReplicaSet that wants pods was last sized for another number of replicas.
pub fn is_scaling_event(bounds: &Bounds, sets: &Sets) -> bool {
    sets.active().any(|set| set.desired.is_some_and(|desired| desired != bounds.replicas))
}

/// The new sizes; a ReplicaSet that is listed with its old size gets its size annotations renewed.
///
/// `existing` is the Deployment's `status.replicas`, the reference for a ReplicaSet without the max-replicas annotation.
pub fn scale(bounds: &Bounds, sets: &Sets, existing: i64) -> Vec<Resize> {
    if let Some(only) = active_or_latest(sets) {
        return if only.replicas == bounds.replicas { Vec::new() } else { vec![Resize::new(only, bounds.replicas)] };
    }
    if sets.new.as_ref().is_some_and(|new| is_saturated(bounds, new)) {
        return sets.old.iter().filter(|set| set.replicas > 0).map(|set| Resize::new(set, 0)).collect();
    }
    if bounds.rolling { proportional(bounds, sets, existing) } else { Vec::new() }
}

/// The one ReplicaSet that a size belongs to; none if several want pods.
fn active_or_latest(sets: &Sets) -> Option<&SetView> {
    let mut active = sets.active();
    match (active.next(), active.next()) {
        (None, _) => sets.new.as_ref().or(sets.old.last()),
        (Some(only), None) => Some(only),
        (Some(_), Some(_)) => None,
    }
}

fn is_saturated(bounds: &Bounds, new: &SetView) -> bool {
    new.replicas == bounds.replicas && new.desired == Some(bounds.replicas) && new.available == bounds.replicas
}

/// 11 pods wanted, [8,5] of 13 allowed so far: each grows by its share, the rounding rest goes to the largest.
fn proportional(bounds: &Bounds, sets: &Sets, existing: i64) -> Vec<Resize> {
    let allowed = if bounds.replicas > 0 { bounds.most() } else { 0 };
    let change = allowed - sets.total();
    let mut active: Vec<&SetView> = sets.active().collect();
    active.sort_by(|a, b| {
        let by_age = if change > 0 { b.created.cmp(&a.created) } else { a.created.cmp(&b.created) };
        b.replicas.cmp(&a.replicas).then(by_age)
    });
    let mut added = 0;
    let mut sizes = Vec::with_capacity(active.len());
    for set in &active {
        let share = share(bounds, set, existing, change - added);
        added += share;
        sizes.push(set.replicas + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + change - added).max(0);
    }
    active.into_iter().zip(sizes).map(|(set, to)| Resize::new(set, to)).collect()
}

/// What one ReplicaSet gains or loses, clipped to what is left of the change.
fn share(bounds: &Bounds, set: &SetView, existing: i64, left: i64) -> i64 {
    let fair = fair_share(bounds, set, existing);
    match left {
        0 => 0,
        left if left > 0 => fair.min(left),
        left => fair.max(left),
    }
}

fn fair_share(bounds: &Bounds, set: &SetView, existing: i64) -> i64 {
    if bounds.replicas == 0 {
        return -set.replicas;
    }
    let reference = set.maximum.filter(|maximum| *maximum > 0).unwrap_or(existing);
    if reference == 0 {
        return 0;
    }
    // Round half up, in whole numbers: floor((2 a + b) / 2 b) for a / b.
    let scaled = 2 * set.replicas * bounds.most() + reference;
    scaled.div_euclid(2 * reference) - set.replicas
}
