//! A preview: the new version fully up without traffic, then everything at once.

use super::*;

const BOTH: [TrafficMode; 2] = [TrafficMode::Gateway, TrafficMode::ReplicaRatio];

fn previewing(traffic: TrafficMode, hold: Hold) -> Model {
    let mut model = served(traffic);
    model.settings.steps = vec![Step { weight: 0, hold }];
    model.settings.auto_promote = hold != Hold::UntilPromoted;
    model.want("b");
    model
}

fn up(model: &Model) -> bool {
    model.state() == State::Holding && model.pods("b") == 4
}

#[test]
fn new_version_is_fully_up_without_traffic_until_somebody_promotes_it() {
    for traffic in BOTH {
        let mut model = previewing(traffic, Hold::UntilPromoted);
        model.run_until(up);
        model.run(24 * 3_600);
        assert_eq!((model.weight_of("b"), model.pods("a"), model.pods("b")), (0, 4, 4), "{traffic:?}");
        assert_eq!(model.plan().reason.code, "WaitingForPromotion");
        model.command("promote:1");
        model.run(300);
        assert_eq!(model.weights_seen("b"), [100], "{traffic:?}: all at once");
        assert_eq!((model.state(), model.pods("a"), model.pods("b")), (State::Serving, 0, 4), "{traffic:?}");
    }
}

#[test]
fn preview_that_promotes_itself_does_so_after_its_hold_with_all_pods_ready() {
    for traffic in BOTH {
        let mut model = previewing(traffic, Hold::For(SignedDuration::from_mins(10)));
        model.run_until(up);
        model.run(500);
        model.lose_one("b");
        model.run(400);
        assert_eq!(model.weight_of("b"), 0, "{traffic:?}: the hold is time with all pods ready");
        model.run(600);
        assert_eq!(model.weights_seen("b"), [100], "{traffic:?}");
    }
}

#[test]
fn old_version_stays_for_its_delay_after_the_switch() {
    let mut model = previewing(TrafficMode::Gateway, Hold::UntilPromoted);
    model.settings.scale_down_delay = SignedDuration::from_mins(30);
    model.run_until(up);
    model.command("promote:1");
    model.run_until(|model| model.weight_of("b") == 100);
    model.run(29 * 60);
    assert_eq!(model.pods("a"), 4);
    model.run(5 * 60);
    assert_eq!(model.pods("a"), 0);
}

#[test]
fn aborted_preview_leaves_and_never_had_traffic() {
    for traffic in BOTH {
        let mut model = previewing(traffic, Hold::UntilPromoted);
        model.run_until(up);
        model.command("abort:1");
        model.run(300);
        assert_eq!((model.state(), model.pods("a"), model.pods("b")), (State::RolledBack, 4, 0), "{traffic:?}");
        assert_eq!(model.weights_seen("b"), Vec::<i32>::new(), "{traffic:?}");
        assert!(model.failed("b"));
    }
}

#[test]
fn preview_that_never_gets_ready_is_given_up() {
    for traffic in BOTH {
        let mut model = previewing(traffic, Hold::UntilPromoted);
        model.never_ready("b");
        model.run(1_200);
        assert_eq!((model.state(), model.pods("a"), model.pods("b")), (State::RolledBack, 4, 0), "{traffic:?}");
    }
}

#[test]
fn stable_that_dies_during_a_preview_is_replaced_by_it_until_it_is_back() {
    let mut model = previewing(TrafficMode::Gateway, Hold::UntilPromoted);
    model.run_until(up);
    model.never_ready("a");
    model.lose_pods("a");
    model.run(60);
    assert_eq!((model.weight_of("b"), model.record().stable == name("a")), (100, true));
    model.ready_again("a");
    model.run(120);
    assert_eq!((model.weight_of("b"), model.pods("b")), (0, 4), "and it is a preview again");
}

#[test]
fn strategy_changed_to_a_canary_in_mid_preview_goes_to_its_first_step() {
    let mut model = previewing(TrafficMode::Gateway, Hold::UntilPromoted);
    model.run_until(up);
    model.settings.steps = settings(TrafficMode::Gateway).steps;
    model.settings.auto_promote = true;
    model.run(3_600);
    assert_eq!(model.weights_seen("b"), [10, 50, 100]);
}

#[test]
fn strategy_changed_to_a_preview_in_mid_canary_keeps_its_weight_and_waits() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    model.settings.steps = vec![Step { weight: 0, hold: Hold::UntilPromoted }];
    model.settings.auto_promote = false;
    model.run(3_600);
    assert_eq!(model.weight_of("b"), 10);
    model.command("promote:1");
    model.run(300);
    assert_eq!(model.weights_seen("b"), [10, 100]);
}

fn opened(model: &Model) -> bool {
    model.carried().is_some_and(crate::domain::record::Decision::opens_candidate)
}

#[test]
fn preview_is_pinned_to_once_its_pods_are_ready_and_not_while_they_are_gone() {
    let mut model = previewing(TrafficMode::Gateway, Hold::UntilPromoted);
    model.settings.pins = true;
    assert!(!opened(&model));
    model.run_until(up);
    assert!(opened(&model));
    model.lose_pods("b");
    model.tick();
    assert!(!opened(&model), "what a pin leads to has no pods: {:?}", model.plan());
    model.ready_again("b");
    model.run_until(up);
    assert!(opened(&model));
    model.command("abort:1");
    model.tick();
    assert!(!opened(&model), "the way back takes the pins in its first write");
    model.run(300);
    assert_eq!((model.state(), model.pods("b")), (State::RolledBack, 0));
}

#[test]
fn without_pins_a_preview_that_loses_its_pods_is_waited_for_and_nothing_is_written() {
    let mut model = previewing(TrafficMode::Gateway, Hold::UntilPromoted);
    model.run_until(up);
    let number = model.record().decision.number;
    model.lose_pods("b");
    model.run(5);
    assert_eq!(model.record().decision.number, number);
}
