//! Properties that hold for any objects.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::world::{World, schema};
use crate::sim::apply::fields_v1::{decode, encode};
use crate::sim::apply::merge::merge;
use crate::sim::apply::metadata::unowned;
use crate::sim::apply::own::{owned_paths, with_structs};
use crate::sim::apply::path::PathElement;
use crate::sim::apply::prune::prune;
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::Type;

fn number() -> impl Strategy<Value = Value> {
    (0..3_u8).prop_map(|number| json!(number))
}

fn word() -> impl Strategy<Value = String> {
    "[abc]"
}

fn granular() -> impl Strategy<Value = Value> {
    btree_map(word(), word(), 0..3).prop_map(|map| json!(map))
}

fn item() -> impl Strategy<Value = Map<String, Value>> {
    (option::of(number()), option::of(btree_set(word(), 0..3))).prop_map(|(v, sub)| {
        let fields = [("v", v), ("sub", sub.map(|sub| json!(sub)))];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    })
}

fn items() -> impl Strategy<Value = Value> {
    btree_map(word(), item(), 0..4).prop_map(|items| Value::Array(items.into_iter().map(named).collect())).prop_flat_map(shuffled)
}

fn named((name, mut item): (String, Map<String, Value>)) -> Value {
    item.insert("name".to_owned(), json!(name));
    Value::Object(item)
}

fn shuffled(list: Value) -> impl Strategy<Value = Value> {
    Just(list.as_array().cloned().unwrap_or_default()).prop_shuffle().prop_map(Value::Array)
}

fn port() -> impl Strategy<Value = ((u8, Option<String>), Option<String>)> {
    ((80..82_u8, option::of("TCP|UDP")), option::of(word()))
}

fn ports() -> impl Strategy<Value = Value> {
    vec(port(), 0..4).prop_map(|ports| {
        let mut seen = std::collections::BTreeSet::new();
        let fresh = ports.into_iter().filter(|((port, protocol), _)| seen.insert((*port, protocol.clone().unwrap_or("TCP".to_owned()))));
        fresh
            .map(|((port, protocol), name)| {
                let mut item = json!({ "port": port });
                if let Some(protocol) = protocol {
                    item["protocol"] = json!(protocol);
                }
                if let Some(name) = name {
                    item["name"] = json!(name);
                }
                item
            })
            .collect()
    })
}

fn deduced() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![number(), word().prop_map(Value::String), Just(json!([1, 2])), Just(json!({}))];
    leaf.prop_recursive(3, 8, 3, |inner| btree_map(word(), inner, 0..3).prop_map(|map| json!(map)))
}

fn spec() -> impl Strategy<Value = Value> {
    let st = (option::of(number()), option::of(number())).prop_map(|(a, b)| {
        let fields = [("a", a), ("b", b)];
        Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    });
    let fields = (
        option::of(number()),
        option::of(st),
        option::of(ports()),
        option::of(items()),
        option::of(btree_set(word(), 0..3).prop_map(|tags| json!(tags)).prop_flat_map(shuffled)),
        option::of(vec(word(), 0..3).prop_map(|atoms| json!(atoms))),
        option::of(granular()),
        option::of(granular()),
        option::of(deduced()),
    );
    fields.prop_map(|(replicas, st, ports, items, tags, atoms, am, gm, any)| {
        let fields = [
            ("replicas", replicas),
            ("st", st),
            ("ports", ports),
            ("items", items),
            ("tags", tags),
            ("atoms", atoms),
            ("am", am),
            ("gm", gm),
            ("any", any),
        ];
        Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    })
}

/// A spec without empty lists and maps: those may erase what is around them, so that the next apply finds another object.
fn filled_spec() -> impl Strategy<Value = Value> {
    spec().prop_map(|mut spec| {
        drop_empty(&mut spec);
        spec
    })
}

fn drop_empty(value: &mut Value) {
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_empty);
            fields.retain(|_, value| !is_empty(value));
        }
        _ => {}
    }
}

#[derive(Clone, Debug)]
enum Write {
    Apply(u8, Value, bool),
    Patch(u8, Value),
}

fn write(spec: BoxedStrategy<Value>) -> impl Strategy<Value = Write> {
    prop_oneof![
        (0..3_u8, spec.clone(), any::<bool>()).prop_map(|(manager, spec, force)| Write::Apply(manager, spec, force)),
        (0..3_u8, spec).prop_map(|(manager, spec)| Write::Patch(manager, spec)),
    ]
}

/// Plays writes; refused applies change nothing. Nulls, which validation would refuse, end the history.
fn play(world: &mut World, writes: &[Write]) {
    for write in writes {
        let before = world.object.clone();
        match write {
            Write::Apply(manager, spec, force) => {
                _ = world.try_apply(&format!("m{manager}"), None, &json!({ "spec": spec }), *force);
            }
            Write::Patch(manager, spec) if world.object.is_some() => _ = world.patch(&format!("m{manager}"), spec.clone()),
            Write::Patch(manager, spec) => _ = world.post(&format!("m{manager}"), &json!({ "spec": spec })),
        }
        if world.object.as_ref().is_some_and(has_null) {
            world.object = before;
        }
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

fn managed_sets(world: &World) -> Vec<(String, Value)> {
    let entries = world.object.as_ref().and_then(|object| object["metadata"].get("managedFields")?.as_array().cloned());
    let name = |entry: &Value| format!("{}/{}", entry["manager"], entry["operation"]);
    entries.unwrap_or_default().iter().map(|entry| (name(entry), entry["fieldsV1"].clone())).collect()
}

fn element() -> impl Strategy<Value = PathElement<'static>> {
    let text = "[a-c<\"é ]{0,3}";
    prop_oneof![
        text.prop_map(|name| PathElement::Field(name.into())),
        (number(), text).prop_map(|(port, name)| PathElement::Key(vec![
            ("a\"".into(), std::borrow::Cow::Owned(json!(name))),
            ("port".into(), std::borrow::Cow::Owned(port)),
        ])),
        text.prop_map(|item| PathElement::Value(std::borrow::Cow::Owned(json!(item)))),
        (0..4_i64).prop_map(PathElement::Index),
    ]
}

fn paths() -> impl Strategy<Value = Vec<Vec<PathElement<'static>>>> {
    vec(vec(element(), 1..4), 0..8)
}

fn set_of<'a>(paths: &[Vec<PathElement<'a>>]) -> Set<'a> {
    let mut set = Set::default();
    paths.iter().for_each(|path| set.insert(path));
    set
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_twice_changes_nothing_the_second_time(writes in vec(write(filled_spec().boxed()), 0..5), last in filled_spec()) {
        let mut world = World::new();
        play(&mut world, &writes);
        if let Ok(revision) = world.try_apply("m0", None, &json!({ "spec": last }), true)
            && !has_null(world.object.as_ref().unwrap())
        {
            let first = world.object.clone();
            let again = world.try_apply("m0", None, &json!({ "spec": last }), false);
            prop_assert_eq!(again.unwrap(), revision);
            prop_assert_eq!(world.object, first);
        }
    }

    #[test]
    fn forced_apply_is_in_the_result_and_owned(writes in vec(write(filled_spec().boxed()), 0..5), last in filled_spec()) {
        let mut world = World::new();
        play(&mut world, &writes);
        let body = world.body(&json!({ "spec": last }));
        world.try_apply("m0", None, &json!({ "spec": last }), true).unwrap();
        let schema = schema();
        let object_type = Type::of_object(&schema);
        let applied = owned_paths(&body, object_type);
        let object = world.object.clone().unwrap();
        let found = with_structs(owned_paths(&object, object_type), object_type);
        prop_assert!(with_structs(applied, object_type).is_subset(&found), "{} in {}", body, object);
        let mut own = owned_paths(&body, object_type);
        own.subtract(unowned());
        let entry = managed_sets(&world).into_iter().find(|(name, _)| name == "\"m0\"/\"Apply\"");
        prop_assert_eq!(entry.map(|(_, fields)| fields), Some(encode(&own)));
    }

    #[test]
    fn owners_own_only_what_exists(writes in vec(write(spec().boxed()), 1..8)) {
        let mut world = World::new();
        play(&mut world, &writes);
        if let Some(object) = world.object.clone() {
            let schema = schema();
            let object_type = Type::of_object(&schema);
            let there = every_path(&object, object_type);
            for (owner, fields) in managed_sets(&world) {
                let owned = decode(&fields, object_type).unwrap().set;
                prop_assert!(owned.is_subset(&there), "{} owns {:?} of {}", owner, fields, object);
            }
        }
    }

    #[test]
    fn applying_what_is_stored_never_conflicts(writes in vec(write(spec().boxed()), 1..8)) {
        let mut world = World::new();
        play(&mut world, &writes);
        if let Some(object) = world.object.clone() {
            // A spec that is gone comes back with its defaults: then there is nothing to compare with.
            let Some(stored) = object.get("spec").cloned() else { return Ok(()) };
            let answer = world.try_apply("m9", None, &json!({ "spec": stored }), false);
            prop_assert_eq!(answer.map_err(|error| error.message).err(), None);
            prop_assert_eq!(world.spec(), stored);
        }
    }

    #[test]
    fn pruning_removes_nothing_that_is_applied_again(stored in spec(), applied in spec()) {
        let world = World::new();
        let schema = schema();
        let object_type = Type::of_object(&schema);
        let body = world.body(&json!({ "spec": applied }));
        let mut merged = world.body(&json!({ "spec": stored }));
        let left_filled = merge(&mut merged, &body, object_type);
        let own = owned_paths(&body, object_type);
        if !left_filled {
            let pruned = prune(merged.clone(), object_type, &own, std::slice::from_ref(&own));
            prop_assert_eq!(pruned, merged);
        }
    }

    #[test]
    fn fields_v1_survives_a_round_trip(paths in paths()) {
        let set = set_of(&paths);
        let json = encode(&set);
        let back = decode(&json, Type::Deduced).unwrap();
        prop_assert!(back.faithful || set.is_empty());
        prop_assert_eq!(&back.set, &set);
        prop_assert_eq!(encode(&back.set), json);
    }

    #[test]
    fn sets_follow_the_laws_of_sets(left in paths(), right in paths()) {
        let (left, right) = (set_of(&left), set_of(&right));
        let common = left.intersection(&right);
        let mut rest = left.clone();
        let changed = rest.subtract(&right);
        prop_assert_eq!(changed, !common.is_empty());
        prop_assert!(rest.intersection(&right).is_empty());
        prop_assert!(common.is_subset(&left) && common.is_subset(&right));
        let mut sum = rest.clone();
        sum.absorb(common);
        prop_assert_eq!(&sum, &left);
        let mut union = left.clone();
        union.absorb(right.clone());
        prop_assert!(left.is_subset(&union) && right.is_subset(&union));
        for path in union.paths() {
            prop_assert_eq!(union.contains(&path), left.contains(&path) || right.contains(&path));
        }
        let mut pruned = left.clone();
        pruned.subtract_recursively(&right);
        for path in left.paths() {
            let below = (1..=path.len()).any(|length| right.contains(&path[..length]));
            prop_assert_eq!(pruned.contains(&path), !below);
        }
    }
}

/// Every path of an object: as if someone had created all of it.
fn every_path<'a>(object: &'a Value, object_type: Type<'a>) -> Set<'a> {
    static NOTHING: Value = Value::Null;
    crate::sim::apply::compare::compare(&NOTHING, object, object_type).into_touched_and_removed().0
}
