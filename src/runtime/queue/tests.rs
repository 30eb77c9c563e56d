//! The rules one by one, and a model of the promises at the top of the module.

use proptest::prelude::*;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_000_000_000 + millis).unwrap()
}

fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new(namespace, name)
}

fn queue(concurrency: usize, per_namespace: usize) -> Queue {
    Queue::new(Limits { per_namespace, ..Limits::with_concurrency(concurrency) })
}

fn pop_all(queue: &mut Queue, now: Timestamp) -> Vec<String> {
    std::iter::from_fn(|| queue.pop(now)).map(|key| key.to_string()).collect()
}

const FAILED: Verdict = Verdict::Failed { after: None };

#[test]
fn objects_come_in_the_order_of_their_due_times_then_of_their_arrival() {
    let mut queue = queue(10, 10);
    queue.add_at(key("a", "late"), at(50), at(0));
    queue.add(key("a", "second"), at(0));
    queue.add(key("a", "first"), at(0));
    assert_eq!(pop_all(&mut queue, at(0)), ["a/second", "a/first"]);
    assert_eq!(queue.next_due(), Some(at(50)));
    assert_eq!(pop_all(&mut queue, at(50)), ["a/late"]);
}

#[test]
fn an_object_has_one_entry_and_the_earliest_wish_wins() {
    let mut queue = queue(10, 10);
    queue.add_at(key("a", "x"), at(500), at(0));
    queue.add_at(key("a", "x"), at(100), at(0));
    queue.add_at(key("a", "x"), at(900), at(0));
    assert_eq!((queue.len(), queue.next_due()), (1, Some(at(100))));
    queue.add(key("a", "x"), at(10));
    assert_eq!((queue.len(), queue.next_due()), (1, Some(at(10))));
}

#[test]
fn an_object_that_changes_during_its_pass_gets_another_one_after_it() {
    let mut queue = queue(10, 10);
    let x = key("a", "x");
    queue.add(x.clone(), at(0));
    assert_eq!(queue.pop(at(0)), Some(x.clone()));
    queue.add(x.clone(), at(1));
    assert_eq!(queue.pop(at(2)), None, "never two passes of one object");
    assert_eq!(queue.finish(&x, Verdict::DoneUntil(at(9000)), false, at(3)), Some(at(3)));
    assert_eq!(queue.pop(at(3)), Some(x.clone()));
    assert_eq!(queue.finish(&x, Verdict::Done, false, at(4)), None);
    assert!(queue.is_empty() && queue.is_idle(at(4)));
}

#[test]
fn namespaces_take_turns_and_none_takes_every_place() {
    let mut queue = queue(4, 2);
    for number in 0..100 {
        queue.add(key("hostile", &format!("{number:03}")), at(0));
    }
    queue.add(key("b", "x"), at(1));
    queue.add(key("c", "x"), at(1));
    assert_eq!(pop_all(&mut queue, at(1)), ["b/x", "c/x", "hostile/000", "hostile/001"]);
    queue.finish(&key("b", "x"), Verdict::Done, false, at(2));
    assert_eq!(queue.pop(at(2)), None, "the hostile one has its share");
    queue.add(key("b", "y"), at(2));
    assert_eq!(queue.pop(at(2)), Some(key("b", "y")));
}

#[test]
fn one_namespace_alone_is_served_in_order_of_arrival() {
    let mut queue = queue(1, 1);
    for name in ["c", "a", "b"] {
        queue.add(key("n", name), at(0));
    }
    let mut order = Vec::new();
    while let Some(next) = queue.pop(at(1)) {
        queue.finish(&next, Verdict::Done, false, at(1));
        order.push(next.name.to_string());
    }
    assert_eq!(order, ["c", "a", "b"]);
}

#[test]
fn failures_double_the_delay_to_five_minutes_and_success_clears_it() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    let (mut now, mut delays) = (at(0), Vec::new());
    queue.add(x.clone(), now);
    for _ in 0..11 {
        queue.pop(now).unwrap();
        let due = queue.finish(&x, FAILED, false, now).unwrap();
        delays.push(due.duration_since(now).as_secs());
        now = due;
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(queue.failures(&x), 11);
    queue.pop(now).unwrap();
    queue.finish(&x, Verdict::Done, false, now);
    assert_eq!(queue.failures(&x), 0);
    queue.add(x.clone(), now);
    queue.pop(now).unwrap();
    assert_eq!(queue.finish(&x, FAILED, false, now), Some(after(now, Duration::from_secs(1))));
}

#[test]
fn a_change_cuts_a_long_backoff_to_ten_seconds_and_a_short_one_not_at_all() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    let mut now = at(0);
    queue.add(x.clone(), now);
    for failures in 1..=8 {
        queue.pop(now).unwrap();
        let due = queue.finish(&x, FAILED, true, now).unwrap();
        queue.add(x.clone(), now);
        let after_change = queue.next_due().unwrap();
        let backoff = 1_i64 << (failures - 1);
        assert_eq!(after_change.duration_since(now).as_secs(), backoff.min(10));
        now = due;
    }
}

#[test]
fn a_new_wish_ends_the_backoff() {
    let mut queue = queue(10, 10);
    let x = key("a", "x");
    let mut now = at(0);
    queue.add(x.clone(), now);
    for _ in 0..6 {
        queue.pop(now).unwrap();
        now = queue.finish(&x, FAILED, false, now).unwrap();
    }
    queue.pop(now).unwrap();
    queue.finish(&x, FAILED, false, now);
    queue.add(x.clone(), now);
    assert_eq!(queue.pop(now), None, "a change alone does not end it");
    queue.add_afresh(x.clone(), now);
    assert_eq!(queue.pop(now), Some(x.clone()));
    queue.finish(&x, FAILED, false, now);
    assert_eq!(queue.failures(&x), 1);
    let later = queue.next_due().unwrap();
    queue.pop(later).unwrap();
    queue.add_afresh(x.clone(), later);
    queue.finish(&x, FAILED, false, later);
    assert_eq!(queue.pop(later), Some(x), "what was asked during a pass is not what failed in it");
}

#[test]
fn a_change_during_a_failing_pass_does_not_defeat_its_backoff() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    queue.add(x.clone(), at(0));
    queue.pop(at(0)).unwrap();
    queue.add(x.clone(), at(1));
    assert_eq!(queue.finish(&x, FAILED, true, at(2)), Some(at(1002)));
}

#[test]
fn the_delay_that_a_server_asks_for_is_kept_also_when_the_object_changes() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    queue.add(x.clone(), at(0));
    queue.pop(at(0)).unwrap();
    let asked = Verdict::Failed { after: Some(Duration::from_secs(30)) };
    assert_eq!(queue.finish(&x, asked, false, at(0)), Some(at(30_000)));
    queue.add(x, at(5));
    assert_eq!(queue.next_due(), Some(at(30_000)));
}

#[test]
fn looking_again_is_soon_and_becomes_a_failure_when_it_never_ends() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    let (mut now, mut delays) = (at(0), Vec::new());
    queue.add(x.clone(), now);
    for _ in 0..13 {
        queue.pop(now).unwrap();
        let due = queue.finish(&x, Verdict::Again, false, now).unwrap();
        delays.push(due.duration_since(now).as_millis());
        now = due;
    }
    assert_eq!(delays, [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 1000, 2000, 4000]);
}

#[test]
fn a_change_cuts_looking_again_short_for_it_is_what_was_missed() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    queue.add(x.clone(), at(0));
    queue.pop(at(0)).unwrap();
    queue.finish(&x, Verdict::Again, true, at(0));
    queue.add(x.clone(), at(3));
    assert_eq!(queue.pop(at(3)), Some(x));
}

#[test]
fn a_time_that_has_passed_is_soon_and_no_loop() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    queue.add(x.clone(), at(1000));
    queue.pop(at(1000)).unwrap();
    assert_eq!(queue.finish(&x, Verdict::DoneUntil(at(900)), false, at(1000)), Some(at(1200)));
}

#[test]
fn the_eleventh_writing_pass_waits_until_the_first_is_ten_seconds_old() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    for number in 0..10 {
        queue.add(x.clone(), at(number));
        queue.pop(at(number)).unwrap();
        queue.finish(&x, Verdict::Done, true, at(number));
    }
    queue.add(x.clone(), at(20));
    assert_eq!(queue.next_due(), Some(at(10_000)));
    assert_eq!(queue.pop(at(9_999)), None);
    assert_eq!(queue.pop(at(10_000)), Some(x));
}

#[test]
fn passes_that_do_not_write_are_not_braked() {
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    for number in 0..100 {
        queue.add(x.clone(), at(number));
        assert!(queue.pop(at(number)).is_some());
        queue.finish(&x, Verdict::Done, false, at(number));
    }
}

#[test]
fn a_clock_that_is_set_back_stretches_no_delay() {
    let hour = 3_600_000;
    let mut queue = queue(1, 1);
    let x = key("a", "x");
    queue.add(x.clone(), at(hour));
    queue.pop(at(hour)).unwrap();
    queue.finish(&x, FAILED, true, at(hour));
    assert_eq!(queue.pop(at(0)), Some(x), "it would wait an hour else");
    queue.add(key("a", "y"), at(500));
    assert_eq!(queue.next_due(), Some(at(500)));
}

#[test]
fn a_small_correction_of_the_clock_moves_nothing() {
    let mut queue = queue(1, 1);
    queue.add_at(key("a", "x"), at(5000), at(1000));
    assert_eq!(queue.pop(at(500)), None);
    assert_eq!(queue.next_due(), Some(at(5000)));
}

#[derive(Debug, Clone)]
enum Step {
    Add(usize, i64),
    Pop,
    Finish(usize, Verdict, bool),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict =
        prop_oneof![Just(Verdict::Done), Just(Verdict::Again), Just(FAILED), (0..20_000_i64).prop_map(|due| Verdict::DoneUntil(at(due)))];
    let step = prop_oneof![
        3 => (0..6_usize, 0..3000_i64).prop_map(|(object, delay)| Step::Add(object, delay)),
        4 => Just(Step::Pop),
        3 => (0..6_usize, verdict, any::<bool>()).prop_map(|(object, verdict, wrote)| Step::Finish(object, verdict, wrote)),
        3 => (0..2000_i64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_hold_no_wish_is_lost_and_nothing_runs_early(steps in steps()) {
        let keys = (0..6).map(|number| key(["a", "b", "c"][number % 3], &number.to_string())).collect::<Vec<_>>();
        let mut queue = queue(3, 2);
        let mut now = 0;
        let mut running = BTreeMap::<ObjectKey, ()>::new();
        // The objects that still want a pass, and the writing passes of each.
        let mut wanted = BTreeMap::<ObjectKey, i64>::new();
        let mut writes = BTreeMap::<ObjectKey, Vec<i64>>::new();
        for step in steps {
            match step {
                Step::Wait(span) => now += span,
                Step::Add(object, delay) => {
                    let due = wanted.entry(keys[object].clone()).or_insert(now + delay);
                    *due = (*due).min(now + delay);
                    queue.add_at(keys[object].clone(), at(now + delay), at(now));
                }
                Step::Pop => if let Some(popped) = queue.pop(at(now)) {
                    prop_assert!(running.insert(popped.clone(), ()).is_none(), "two passes of {}", popped);
                    prop_assert!(running.len() <= 3);
                    prop_assert!(running.keys().filter(|key| key.namespace == popped.namespace).count() <= 2);
                    let due = wanted.remove(&popped);
                    prop_assert!(due.is_some_and(|due| due <= now), "{} ran early: {:?} at {}", popped, due, now);
                    let recent = writes.get(&popped).into_iter().flatten().filter(|time| **time > now - 10_000).count();
                    prop_assert!(recent < 10, "{} writing passes of {}", recent, popped);
                },
                Step::Finish(object, verdict, wrote) => if running.remove(&keys[object]).is_some() {
                    if wrote {
                        writes.entry(keys[object].clone()).or_default().push(now);
                    }
                    queue.finish(&keys[object], verdict, wrote, at(now));
                    let own = match verdict {
                        Verdict::Done => None,
                        Verdict::DoneUntil(due) => Some(due.duration_since(at(0)).as_millis().try_into().unwrap()),
                        Verdict::Again | Verdict::Failed { .. } => Some(now),
                    };
                    if let Some(own) = own {
                        let due = wanted.entry(keys[object].clone()).or_insert(own);
                        *due = (*due).min(own);
                    }
                },
            }
            prop_assert_eq!(queue.running(), running.len());
            let queued = wanted.keys().filter(|key| !running.contains_key(*key)).count();
            prop_assert_eq!(queue.len(), queued, "one entry per object that wants a pass");
        }
        // Whatever is still wanted runs within the longest backoff.
        for key in running.keys() {
            queue.finish(key, Verdict::Done, false, at(now));
        }
        for _ in 0..10_000 {
            while let Some(popped) = queue.pop(at(now)) {
                wanted.remove(&popped);
                queue.finish(&popped, Verdict::Done, false, at(now));
            }
            match queue.next_due() {
                Some(due) => now = now.max(due.duration_since(at(0)).as_millis().try_into().unwrap()),
                None => break,
            }
        }
        prop_assert!(wanted.is_empty(), "{:?} were lost", wanted);
    }
}
