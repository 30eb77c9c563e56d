use jiff::SignedDuration;
use serde_json::json;

use super::*;

fn epoch() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn object(name: &str, value: u64) -> Value {
    json!({ "metadata": { "name": name, "uid": format!("uid-{name}") }, "value": value })
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("things", "t", name)
}

fn state(objects: &BTreeMap<Place, Arc<Value>>) -> Vec<(String, u64)> {
    objects.iter().map(|((_, name), object)| (name.clone(), object["value"].as_u64().unwrap())).collect()
}

#[test]
fn every_past_revision_can_be_listed() {
    let mut store = Store::default();
    let mut model: BTreeMap<String, u64> = BTreeMap::new();
    let mut past = vec![Vec::new()];
    for step in 0..60u64 {
        let name = format!("o{}", step * 7 % 11);
        if step % 3 == 2 && model.remove(&name).is_some() {
            store.remove(&key(&name), epoch()).unwrap();
        } else {
            store.put(&key(&name), object(&name, step), epoch());
            model.insert(name, step);
        }
        past.push(model.clone().into_iter().collect::<Vec<_>>());
    }
    for (revision, expected) in past.iter().enumerate() {
        let found = store.objects_at("things", Some("t"), revision as u64, None).unwrap();
        assert_eq!(state(&found), *expected, "revision {revision}");
        assert!(store.objects_at("things", Some("other"), revision as u64, None).unwrap().is_empty());
    }
}

#[test]
fn namespaces_that_begin_alike_do_not_mix() {
    let mut store = Store::default();
    for namespace in ["a", "a-b", "ab", "b"] {
        store.put(&ObjectKey::new("things", namespace, "x"), object("x", 1), epoch());
    }
    for namespace in ["a", "a-b", "ab", "b"] {
        assert_eq!(store.count("things", namespace), 1, "{namespace}");
    }
    assert_eq!(store.range("things", None).count(), 4);
}

#[test]
fn old_events_are_dropped_only_when_compacted_stale_and_many() {
    let mut store = Store::default();
    let put = |store: &mut Store, count: u64, at: Timestamp| (0..count).for_each(|value| _ = store.put(&key("o"), object("o", value), at));
    put(&mut store, 300, epoch());
    assert!(store.events_after("things", 0).is_ok());
    store.allow_compaction(250);
    put(&mut store, 1, epoch() + SignedDuration::from_secs(10));
    assert!(store.events_after("things", 0).is_ok(), "fresh events stay");
    put(&mut store, 1, epoch() + SignedDuration::from_secs(80));
    assert_eq!(store.events_after("things", 0).unwrap_err(), TooOld { oldest: 202 });
    assert_eq!(store.events_after("things", 202).unwrap().len(), 100);
    assert!(store.objects_at("things", None, 249, None).is_err());
}

#[test]
fn lagging_is_counted_in_changes_of_the_kind() {
    let mut store = Store::default();
    for step in 0..4 {
        store.put(&key("o"), object("o", step), epoch());
        store.put(&ObjectKey::new("others", "t", "x"), object("x", step), epoch());
    }
    let shown = |changes| {
        let revision = store.revision_behind("things", changes);
        (revision, state(&store.objects_at("things", None, revision, None).unwrap()))
    };
    assert_eq!(shown(0), (8, vec![("o".to_owned(), 3)]));
    assert_eq!(shown(1), (6, vec![("o".to_owned(), 2)]));
    assert_eq!(shown(3), (2, vec![("o".to_owned(), 0)]));
    assert_eq!(shown(9), (0, vec![]), "as far back as events go");
    assert_eq!(store.revision_behind("nothing", 3), 8);
}

#[test]
fn the_uid_index_follows_a_name_to_its_next_life() {
    let mut store = Store::default();
    store.put(&key("o"), object("o", 1), epoch());
    let mut second = object("o", 2);
    second["metadata"]["uid"] = json!("uid-2");
    store.remove(&key("o"), epoch()).unwrap();
    store.put(&key("o"), second, epoch());
    assert_eq!(store.by_uid("uid-o"), None);
    assert_eq!(store.by_uid("uid-2"), Some(&key("o")));
}
