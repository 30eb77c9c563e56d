//! Rollbacks that somebody asks for.

use super::model::{Model, settings};
use super::{name, quick, served_with};
use crate::domain::rollback::Order;
use crate::domain::rollout::State;
use crate::domain::settings::TrafficMode;

const BOTH: [TrafficMode; 2] = [TrafficMode::Gateway, TrafficMode::ReplicaRatio];

fn order(from: &str, to: &str) -> Option<Order> {
    Some(Order {
        name: format!("back-to-{to}"),
        uid: format!("{from}-{to}"),
        from: name(from),
        to: name(to),
        reason: "ticket 7".to_owned(),
    })
}

/// Versions a, b and c served one after the other.
fn three(traffic: TrafficMode) -> Model {
    let mut model = quick(served_with(settings(traffic)));
    for version in ["b", "c"] {
        model.want(version);
        model.run(900);
        assert_eq!((model.weight_of(version), model.state()), (100, State::Serving));
    }
    model
}

#[test]
fn revision_long_scaled_to_zero_gets_ready_first_and_then_everything_at_once() {
    for traffic in BOTH {
        let mut model = three(traffic);
        assert_eq!(model.pods("a"), 0);
        model.order = order("c", "a");
        model.run(900);
        assert_eq!((model.weight_of("a"), model.pods("c"), model.state()), (100, 0, State::RolledBack), "{traffic:?}");
        let halfway = model.weights_seen("a").into_iter().filter(|weight| (1..100).contains(weight)).count();
        assert!(halfway == 0 || traffic == TrafficMode::ReplicaRatio, "{traffic:?}: {:?}", model.weights_seen("a"));
        assert!(model.failed("c") && !model.failed("a"), "{traffic:?}");
    }
}

#[test]
fn rollback_of_a_candidate_gives_stable_everything_in_one_write() {
    for traffic in BOTH {
        let mut model = three(traffic);
        model.want("d");
        model.run_until(|model| model.weight_of("d") == 50);
        model.order = order("d", "c");
        model.run(2);
        assert_eq!(model.weight_of("d"), 0, "{traffic:?}");
        model.run(300);
        assert_eq!((model.weight_of("c"), model.pods("d"), model.state()), (100, 0, State::RolledBack), "{traffic:?}");
        assert!(model.failed("d"), "{traffic:?}");
    }
}

#[test]
fn rollback_past_stable_ends_the_rollout_first() {
    for traffic in BOTH {
        let mut model = three(traffic);
        model.want("d");
        model.run_until(|model| model.weight_of("d") == 10);
        model.order = order("d", "a");
        model.run(900);
        assert_eq!((model.weight_of("a"), model.state()), (100, State::RolledBack), "{traffic:?}");
        assert!(model.failed("d") && !model.failed("c"), "{traffic:?}: only what was left is given up");
    }
}

#[test]
fn rollback_is_carried_out_once_and_the_next_one_goes_further() {
    for traffic in BOTH {
        let mut model = three(traffic);
        model.order = order("c", "b");
        model.run(900);
        assert_eq!(model.weight_of("b"), 100);
        model.want("d");
        model.run(900);
        assert_eq!((model.weight_of("d"), model.state()), (100, State::Serving), "{traffic:?}: a new revision starts afresh");
        assert!(model.weights_seen("d").contains(&10), "{traffic:?}: through the steps");
        model.order = order("d", "a");
        model.run(900);
        assert_eq!(model.weight_of("a"), 100, "{traffic:?}");
    }
}

#[test]
fn rollback_goes_on_while_paused() {
    let mut model = three(TrafficMode::Gateway);
    model.command("pause:1");
    model.order = order("c", "b");
    model.run(900);
    assert_eq!((model.weight_of("b"), model.pods("c")), (100, 0));
}

#[test]
fn rollback_during_a_rollback_ends_at_the_later_target() {
    for traffic in BOTH {
        for wait in [1, 5, 21, 24, 30, 60] {
            let mut model = three(traffic);
            model.order = order("c", "a");
            model.run(wait);
            let leads = model
                .record()
                .candidate
                .as_ref()
                .map_or_else(|| model.record().stable.to_string(), |candidate| candidate.revision.to_string());
            model.order = order(&leads, "b");
            model.run(1_200);
            assert_eq!((model.weight_of("b"), model.state()), (100, State::RolledBack), "{traffic:?} {wait}");
        }
    }
}

#[test]
fn rollback_during_a_rollback_gives_nothing_to_what_the_first_one_left() {
    for wait in 0..40 {
        let mut model = three(TrafficMode::Gateway);
        // The pods of the version before are still there, so it gets its weight at once.
        model.want("d");
        model.run_until(|model| model.record().stable == name("d"));
        model.order = order("d", "c");
        model.run(wait);
        let before = model.weight_of("d");
        let leads = model.record().candidate.as_ref().map_or(model.record().stable.clone(), |candidate| candidate.revision.clone());
        model.order = order(leads.as_str(), "b");
        for _ in 0..600 {
            model.tick();
            assert!(model.weight_of("d") <= before, "after {wait} s: {} % for what was left, {before} % before", model.weight_of("d"));
        }
        assert_eq!(model.weight_of("b"), 100, "after {wait} s");
    }
}

#[test]
fn target_that_never_gets_ready_is_given_up_and_what_served_goes_on() {
    let mut model = three(TrafficMode::Gateway);
    model.never_ready("a");
    model.order = order("c", "a");
    model.run(3_000);
    assert_eq!((model.weight_of("c"), model.pods("a"), model.state()), (100, 0, State::RolledBack));
    assert_eq!(model.record().overriding.as_ref().unwrap().by, "progressDeadline");
}

#[test]
fn dying_at_any_write_of_a_rollback_ends_at_its_target() {
    for traffic in BOTH {
        for index in 0..24 {
            let mut model = three(traffic);
            model.order = order("c", "a");
            model.die_after(index);
            model.run(900);
            assert_eq!((model.weight_of("a"), model.pods("c"), model.state()), (100, 0, State::RolledBack), "{traffic:?} {index}");
        }
    }
}
