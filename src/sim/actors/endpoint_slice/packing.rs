//! Which endpoints go into which EndpointSlice, with as few writes as upstream makes.
//!
//! Takes the slices of one Service that share a port list, and the wanted endpoints; gives what becomes of the slices.
//! Never moves an endpoint from one slice to another to balance them. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

/// Most endpoints in one slice.
pub const SLICE_ENDPOINTS_MAX: usize = 100;

/// An existing slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// `metadata.name`.
    pub name: String,
    /// Its endpoints, in stored order.
    pub endpoints: Vec<Value>,
}

/// What becomes of the slices of one port list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packing {
    /// Endpoints of slices to be made.
    pub create: Vec<Vec<Value>>,
    /// New endpoints of existing slices.
    pub update: Vec<Slice>,
    /// Slices that stay as they are.
    pub keep: Vec<Slice>,
    /// Slices that are no longer needed.
    pub delete: Vec<String>,
}

/// Two endpoints with the same identity are the same endpoint in another condition.
pub fn identity(endpoint: &Value) -> String {
    let target = &endpoint["targetRef"];
    format!("{}|{}|{}|{}", endpoint["addresses"], endpoint["hostname"], target["namespace"], target["name"])
}

/// Packs `wanted` into `existing`: 105 endpoints and no slice give slices of 100 and 5.
pub fn pack(existing: Vec<Slice>, wanted: Vec<Value>) -> Packing {
    let mut packing = Packing::default();
    let mut missing: BTreeMap<String, Value> = BTreeMap::new();
    let mut order = Vec::with_capacity(wanted.len());
    for endpoint in wanted {
        let id = identity(&endpoint);
        if missing.insert(id.clone(), endpoint).is_none() {
            order.push(id);
        }
    }
    for slice in existing {
        retain(slice, &mut missing, &mut packing);
    }
    let mut left: Vec<Value> = order.iter().filter_map(|id| missing.remove(id)).collect();
    left.reverse();
    fill_updated(&mut packing, &mut left);
    while !left.is_empty() {
        place_rest(&mut packing, &mut left);
    }
    packing
}

/// Keeps those endpoints of a slice that are still wanted, in their newest condition.
fn retain(slice: Slice, missing: &mut BTreeMap<String, Value>, packing: &mut Packing) {
    let endpoints: Vec<Value> = slice.endpoints.iter().filter_map(|endpoint| missing.remove(&identity(endpoint))).collect();
    if endpoints.is_empty() {
        packing.delete.push(slice.name);
    } else if endpoints == slice.endpoints {
        packing.keep.push(slice);
    } else {
        packing.update.push(Slice { name: slice.name, endpoints });
    }
}

/// Slices that are written anyway take new endpoints first, the fullest before the others.
fn fill_updated(packing: &mut Packing, left: &mut Vec<Value>) {
    packing.update.sort_by_key(|slice| std::cmp::Reverse(slice.endpoints.len()));
    for slice in &mut packing.update {
        fill(&mut slice.endpoints, left);
    }
}

/// The rest goes into the unchanged slice that it fills best if it fits whole, else into a new one.
fn place_rest(packing: &mut Packing, left: &mut Vec<Value>) {
    let fits = |slice: &Slice| slice.endpoints.len() + left.len() <= SLICE_ENDPOINTS_MAX;
    let candidates = packing.keep.iter().enumerate().filter(|(_, slice)| fits(slice));
    let fullest = candidates.max_by_key(|(index, slice)| (slice.endpoints.len(), std::cmp::Reverse(*index)));
    match fullest.map(|(index, _)| index) {
        Some(index) => {
            let mut slice = packing.keep.remove(index);
            fill(&mut slice.endpoints, left);
            packing.update.push(slice);
        }
        None => {
            let mut endpoints = Vec::new();
            fill(&mut endpoints, left);
            packing.create.push(endpoints);
        }
    }
}

/// Moves endpoints from the end of `left` until the slice is full.
fn fill(endpoints: &mut Vec<Value>, left: &mut Vec<Value>) {
    while endpoints.len() < SLICE_ENDPOINTS_MAX {
        let Some(endpoint) = left.pop() else { return };
        endpoints.push(endpoint);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoints(range: std::ops::Range<usize>) -> Vec<Value> {
        range.map(|index| json!({ "addresses": [format!("10.0.{}.{}", index / 250, index % 250)] })).collect()
    }

    fn slice(name: &str, range: std::ops::Range<usize>) -> Slice {
        Slice { name: name.to_owned(), endpoints: endpoints(range) }
    }

    #[test]
    fn a_hundred_and_five_endpoints_make_slices_of_100_and_5() {
        let packing = pack(Vec::new(), endpoints(0..105));
        let sizes: Vec<usize> = packing.create.iter().map(Vec::len).collect();
        assert_eq!(sizes, [100, 5]);
    }

    #[test]
    fn two_gone_from_the_big_slice_leave_98_and_5_with_one_write() {
        let packing = pack(vec![slice("a", 0..100), slice("b", 100..105)], endpoints(2..105));
        assert_eq!((packing.update.len(), packing.update[0].endpoints.len()), (1, 98));
        assert_eq!(packing.keep, [slice("b", 100..105)]);
        assert!(packing.create.is_empty() && packing.delete.is_empty());
    }

    #[test]
    fn one_more_goes_into_the_fullest_slice_that_takes_it() {
        let packing = pack(vec![slice("a", 2..100), slice("b", 100..105)], endpoints(2..106));
        assert_eq!((packing.update[0].name.as_str(), packing.update[0].endpoints.len()), ("a", 99));
        assert_eq!(packing.keep.len(), 1);
    }

    #[test]
    fn a_changed_condition_is_an_update_in_place() {
        let mut wanted = endpoints(0..3);
        wanted[1]["conditions"] = json!({ "ready": false });
        let packing = pack(vec![slice("a", 0..3)], wanted.clone());
        assert_eq!(packing.update, [Slice { name: "a".to_owned(), endpoints: wanted }]);
    }

    #[test]
    fn a_disjoint_set_drops_one_slice_and_makes_one() {
        let packing = pack(vec![slice("a", 0..3)], endpoints(10..13));
        assert_eq!((packing.create.len(), packing.delete.as_slice()), (1, ["a".to_owned()].as_slice()));
    }

    #[test]
    fn the_same_endpoints_write_nothing() {
        let packing = pack(vec![slice("a", 0..100), slice("b", 100..105)], endpoints(0..105));
        assert_eq!(packing.keep.len(), 2);
        assert!(packing.update.is_empty() && packing.create.is_empty() && packing.delete.is_empty());
    }
}
