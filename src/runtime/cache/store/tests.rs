//! The rules one by one, and a model: whatever the order in which watch, lists and responses arrive, the cache shows true
//! states, never goes back behind what a pass has seen or written, and ends at the truth.

use proptest::prelude::*;

use super::*;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("a", name)
}

fn entry(name: &str, uid: &str, revision: u64) -> Entry<u64> {
    Entry {
        key: key(name),
        uid: uid.into(),
        revision: Revision::Number(revision),
        generation: 0,
        deleting: false,
        row: Ok(revision),
        indexed: Box::new([Arc::from(uid)]),
    }
}

fn revision_of(store: &Store<u64>, name: &str) -> Option<u64> {
    store.get(&key(name))?.row.clone().ok()
}

fn listed(entries: impl IntoIterator<Item = Entry<u64>>) -> BTreeMap<ObjectKey, Entry<u64>> {
    entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect()
}

#[test]
fn a_watch_event_older_than_our_own_write_changes_nothing() {
    let mut store = Store::default();
    store.event(entry("x", "u", 5));
    assert!(store.observe_write(entry("x", "u", 9)).is_some());
    assert!(store.event(entry("x", "u", 7)).is_empty());
    assert_eq!(revision_of(&store, "x"), Some(9));
    assert!(store.event(entry("x", "u", 9)).is_empty(), "the echo of our own write is no change");
}

#[test]
fn a_late_answer_does_not_bring_back_what_the_watch_saw_go() {
    let mut store = Store::default();
    store.event(entry("x", "u", 5));
    store.deletion(&key("x"), "u", Revision::Number(8));
    assert!(store.observe_write(entry("x", "u", 7)).is_none());
    assert_eq!(revision_of(&store, "x"), None);
}

#[test]
fn what_we_deleted_stays_away_until_the_watch_has_caught_up() {
    let mut store = Store::default();
    store.event(entry("x", "u", 5));
    assert!(store.observe_delete(&key("x"), "u", None).is_some());
    assert!(store.event(entry("x", "u", 6)).is_empty(), "a change before our delete");
    store.deletion(&key("x"), "u", Revision::Number(7));
    assert!(!store.event(entry("x", "v", 8)).is_empty(), "another object of this name");
    assert!(store.tombstones.is_empty());
}

#[test]
fn a_deletion_older_than_the_object_that_we_made_anew_changes_nothing() {
    let mut store = Store::default();
    store.event(entry("x", "u", 5));
    store.observe_write(entry("x", "v", 9));
    assert!(store.deletion(&key("x"), "u", Revision::Number(8)).is_empty());
    assert_eq!(revision_of(&store, "x"), Some(9));
}

#[test]
fn a_list_keeps_what_we_wrote_after_it_and_drops_what_it_lacks() {
    let mut store = Store::default();
    store.event(entry("kept", "u", 1));
    store.event(entry("gone", "w", 2));
    store.observe_write(entry("ours", "v", 12));
    let changes = store.replace(listed([entry("kept", "u", 1)]), &Revision::Number(10), false).unwrap();
    assert_eq!(changes.iter().map(|change| &*change.key.name).collect::<Vec<_>>(), ["gone"]);
    assert_eq!((revision_of(&store, "ours"), revision_of(&store, "kept")), (Some(12), Some(1)));
}

#[test]
fn a_list_from_before_what_the_watch_delivered_is_refused_unless_the_cluster_went_back() {
    let mut store = Store::default();
    store.event(entry("x", "u", 9));
    assert!(store.replace(listed([entry("x", "u", 3)]), &Revision::Number(5), false).is_err());
    assert_eq!(revision_of(&store, "x"), Some(9));
    let changes = store.replace(listed([entry("x", "u", 3)]), &Revision::Number(5), true).unwrap();
    assert_eq!(revision_of(&store, "x"), Some(3));
    assert!(matches!(&changes[..], [Change { old: Some(_), new: Some(_), .. }]), "one change, not two");
    assert!(!store.event(entry("x", "u", 6)).is_empty(), "and counting goes on from there");
}

#[test]
fn what_a_watch_lost_is_brought_by_the_next_one() {
    let mut store = Store::default();
    store.replace(listed([entry("changed", "u", 1), entry("gone", "w", 2)]), &Revision::Number(2), false).unwrap();
    assert_eq!(store.open(), Some(&Revision::Number(2)));
    // Lost: a change at 3, an end at 4, a beginning at 5.
    store.event(entry("other", "o", 6));
    assert_eq!(store.open(), Some(&Revision::Number(2)), "the next watch repeats this one");
    assert_eq!(store.event(entry("changed", "u", 3)).len(), 1);
    assert_eq!(store.deletion(&key("gone"), "w", Revision::Number(4)).len(), 1);
    assert!(store.event(entry("new", "v", 5)).is_empty(), "it may have gone since");
    let last = store.event(entry("other", "o", 6));
    assert_eq!(last.iter().map(|change| &*change.key.name).collect::<Vec<_>>(), ["new"]);
    assert_eq!(store.open(), Some(&Revision::Number(6)), "and nothing is repeated twice");
}

#[test]
fn what_is_gone_does_not_come_back_while_its_life_is_repeated() {
    let mut store = Store::default();
    store.replace(BTreeMap::new(), &Revision::Number(1), false).unwrap();
    let life = |store: &mut Store<u64>| {
        let mut changes = store.event(entry("x", "u", 2));
        changes.extend(store.event(entry("x", "u", 3)));
        changes.extend(store.deletion(&key("x"), "u", Revision::Number(4)));
        changes.extend(store.bookmark(Revision::Number(5)));
        changes.len()
    };
    store.open();
    assert_eq!(life(&mut store), 3);
    store.open();
    assert_eq!(life(&mut store), 0);
}

#[test]
fn a_watch_that_ends_early_is_repeated_by_the_next_from_the_same_place() {
    let mut store = Store::default();
    store.replace(BTreeMap::new(), &Revision::Number(1), false).unwrap();
    store.open();
    store.event(entry("x", "u", 4));
    store.open();
    store.event(entry("y", "v", 2));
    assert_eq!(store.open(), Some(&Revision::Number(1)));
    store.event(entry("y", "v", 2));
    assert_eq!(store.end_repetition().len(), 1);
    assert_eq!(store.open(), Some(&Revision::Number(4)));
}

#[test]
fn revisions_that_are_no_numbers_are_taken_as_they_come() {
    let mut store = Store::default();
    let text = |revision: &str| Entry { revision: Revision::parse(revision), ..entry("x", "u", 0) };
    assert!(!store.event(text("b")).is_empty());
    assert!(store.event(text("b")).is_empty());
    assert!(!store.event(text("a")).is_empty());
    assert!(!store.deletion(&key("x"), "u", Revision::parse("c")).is_empty());
    assert_eq!(store.len(), 0);
}

#[test]
fn the_index_follows_every_way_an_entry_can_go() {
    let mut store = Store::default();
    store.event(entry("x", "u", 1));
    store.event(entry("y", "u", 2));
    assert_eq!(store.indexed("u").len(), 2);
    store.deletion(&key("x"), "u", Revision::Number(3));
    store.replace(BTreeMap::new(), &Revision::Number(4), false).unwrap();
    assert!(store.index.is_empty() && store.namespaces.is_empty());
}

/// One step of the world or of the wire.
#[derive(Debug, Clone)]
enum Step {
    /// Something is written: by us (then an answer is on its way) or by another.
    Commit {
        name: usize,
        delete: bool,
        ours: bool,
    },
    /// The watch delivers its next event, or the last one again.
    Deliver {
        again: bool,
    },
    /// The watch loses its next event, if that is not a repeated one.
    Lose,
    /// The watch ends, and opens again.
    Reopen,
    /// One of the answers that are on their way arrives.
    Answer(usize),
    /// The watch breaks and a list is taken, which arrives with the next `ListArrives`.
    List,
    ListArrives,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..2_usize, any::<bool>(), any::<bool>()).prop_map(|(name, delete, ours)| Step::Commit { name, delete, ours }),
        6 => prop::bool::weighted(0.1).prop_map(|again| Step::Deliver { again }),
        1 => Just(Step::Lose),
        1 => Just(Step::Reopen),
        6 => any::<prop::sample::Index>().prop_map(|index| Step::Answer(index.index(16))),
        1 => Just(Step::List),
        2 => Just(Step::ListArrives),
    ];
    prop::collection::vec(step, 1..80)
}

const NAMES: [&str; 2] = ["x", "y"];

/// The true history of the kind, and what of it is on its way.
#[derive(Default)]
struct World {
    /// By revision - 1: which object, and its uid if it exists from then on.
    history: Vec<(usize, Option<String>)>,
    /// How far the present watch is.
    delivered: usize,
    /// How far any watch was.
    reached: usize,
    answers: Vec<(usize, String)>,
    list: Option<usize>,
    uids: u64,
    /// By object: the least revision that the cache must reflect.
    floor: [usize; 2],
}

impl World {
    /// The revision of the state that `name` has at revision `at`, and its uid if it exists.
    fn state(&self, name: usize, at: usize) -> (usize, Option<&String>) {
        let history = self.history[..at].iter().enumerate().rev();
        let found = history.filter(|(_, (other, _))| *other == name).map(|(index, (_, uid))| (index + 1, uid.as_ref())).next();
        found.unwrap_or((0, None))
    }

    fn step(&mut self, step: &Step, store: &mut Store<u64>) {
        match step {
            Step::Commit { name, delete, ours } => self.commit(*name, *delete, *ours),
            Step::Deliver { again } => self.deliver(*again, store),
            Step::Lose if self.list.is_none() && self.delivered >= self.reached && self.delivered < self.history.len() => {
                self.delivered += 1;
                self.reached = self.delivered;
            }
            Step::Reopen if self.list.is_none() => self.reopen(store),
            Step::Lose | Step::Reopen => {}
            Step::Answer(index) if *index < self.answers.len() => {
                let (revision, uid) = self.answers.remove(*index);
                self.answer(revision, &uid, store);
            }
            Step::Answer(_) => {}
            Step::List => self.list = self.list.or(Some(self.history.len())),
            Step::ListArrives => self.list_arrives(store),
        }
    }

    fn commit(&mut self, name: usize, delete: bool, ours: bool) {
        let live = self.state(name, self.history.len()).1.cloned();
        let uid = match (&live, delete) {
            (None, true) => return,
            (Some(_), true) => None,
            (Some(uid), false) => Some(uid.clone()),
            (None, false) => {
                self.uids += 1;
                Some(format!("u{}", self.uids))
            }
        };
        let subject = uid.clone().or(live).unwrap();
        self.history.push((name, uid));
        if ours {
            self.answers.push((self.history.len(), subject));
        }
    }

    fn reopen(&mut self, store: &mut Store<u64>) {
        self.delivered = store.open().map_or(0, |revision| revision.to_string().parse().unwrap());
    }

    fn deliver(&mut self, again: bool, store: &mut Store<u64>) {
        if self.list.is_some() || (again && self.delivered == 0) || (!again && self.delivered == self.history.len()) {
            return;
        }
        self.delivered += usize::from(!again);
        // What is repeated and was lost before may be held back until the repetition is over.
        let fresh = self.delivered > self.reached;
        self.reached = self.reached.max(self.delivered);
        let (revision, name) = (self.delivered as u64, self.history[self.delivered - 1].0);
        match &self.history[self.delivered - 1].1 {
            Some(uid) => drop(store.event(entry(NAMES[name], uid, revision))),
            None => {
                let uid = self.state(name, self.delivered - 1).1.unwrap();
                drop(store.deletion(&key(NAMES[name]), uid, Revision::Number(revision)));
            }
        }
        if fresh {
            self.floor[name] = self.floor[name].max(self.delivered);
        }
    }

    fn answer(&mut self, revision: usize, uid: &str, store: &mut Store<u64>) {
        let (name, state) = &self.history[revision - 1];
        let (name, number) = (*name, Revision::Number(revision as u64));
        let told = revision.is_multiple_of(2);
        // A delete, at an untold revision, of what the cache does not hold is nothing that it could remember.
        let held = store.get(&key(NAMES[name])).is_some_and(|entry| *entry.uid == *uid);
        match state {
            Some(uid) => drop(store.observe_write(entry(NAMES[name], uid, revision as u64))),
            // Some kinds tell the revision of a deletion, others do not.
            None => drop(store.observe_delete(&key(NAMES[name]), uid, told.then_some(&number))),
        }
        // Of what is not there and what the watch should have shown nobody can say whether it came and went, or was lost.
        let doubtful = revision <= self.reached && store.get(&key(NAMES[name])).is_none();
        let known = if state.is_some() { !doubtful } else { told || held };
        if known {
            self.floor[name] = self.floor[name].max(revision);
        }
    }

    fn list_arrives(&mut self, store: &mut Store<u64>) {
        let Some(at) = self.list.take() else { return };
        let entries = (0..2).filter_map(|name| {
            let (revision, uid) = self.state(name, at);
            Some(entry(NAMES[name], uid?, revision as u64))
        });
        let entries = listed(entries);
        // The watch stood still since the list was taken.
        store.replace(entries, &Revision::Number(at as u64), false).unwrap();
        self.reached = self.reached.max(at);
        self.reopen(store);
        for name in 0..2 {
            self.floor[name] = self.floor[name].max(self.state(name, at).0);
        }
    }

    /// The cache shows, of each object, a true state no older than the floor.
    fn check(&self, store: &Store<u64>) {
        for (name, floor) in self.floor.iter().enumerate() {
            let (name, floor) = (name, *floor);
            match store.get(&key(NAMES[name])) {
                Some(shown) => {
                    let revision = usize::try_from(*shown.row.as_ref().unwrap()).unwrap();
                    assert_eq!(self.history[revision - 1], (name, Some(shown.uid.to_string())), "a state that never was");
                    assert!(revision >= floor, "{revision} is shown, {floor} was known");
                }
                None => {
                    let ends = (floor..=self.history.len()).any(|at| self.state(name, at).1.is_none());
                    assert!(ends, "nothing is shown of an object that was there at {floor} and ever since");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_of_arrival_the_cache_never_goes_back_and_ends_at_the_truth(steps in steps()) {
        let (mut world, mut store) = (World::default(), Store::default());
        store.replace(BTreeMap::new(), &Revision::Number(0), false).unwrap();
        world.reopen(&mut store);
        for step in &steps {
            world.step(step, &mut store);
            world.check(&store);
        }
        world.list_arrives(&mut store);
        // The second of these repeats what any watch may have lost.
        for _ in 0..2 {
            while world.delivered < world.history.len() {
                world.deliver(false, &mut store);
                world.check(&store);
            }
            store.end_repetition();
            world.check(&store);
            world.reopen(&mut store);
        }
        for (revision, uid) in std::mem::take(&mut world.answers) {
            world.answer(revision, &uid, &mut store);
        }
        for (name, text) in NAMES.iter().enumerate() {
            let (revision, uid) = world.state(name, world.history.len());
            prop_assert_eq!(revision_of(&store, text), uid.map(|_| revision as u64));
        }
        prop_assert!(store.tombstones.is_empty(), "{:?}", store.tombstones);
    }
}
