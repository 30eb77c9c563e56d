//! Decisions played in a small model of a cluster: pods get ready after a while, routes are accepted after a while, and
//! the operator may die between any two writes.

mod analysis;
mod blue_green;
mod fuzz;
mod model;
mod rollback;
mod trouble;

use jiff::SignedDuration;

use crate::domain::record::Cause;
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Reason, State, Wanted};
use crate::domain::settings::{Hold, Settings, Step, Surge, TrafficMode};

use model::{Model, settings};

fn name(text: &str) -> RevisionName {
    RevisionName::new(text)
}

/// Short holds, for tests that play a rollout many times.
fn quick(mut model: Model) -> Model {
    for step in &mut model.settings.steps {
        step.hold = Hold::For(SignedDuration::from_secs(30));
    }
    model
}

fn served(traffic: TrafficMode) -> Model {
    served_with(settings(traffic))
}

/// Version a serves.
fn served_with(settings: Settings) -> Model {
    let mut model = Model::new(settings);
    model.want("a");
    model.run(600);
    assert_eq!(model.state(), State::Serving);
    model
}

#[test]
fn first_release_serves_after_its_pods_are_ready_with_two_records() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let model = served(traffic);
        assert_eq!(model.weight_of("a"), 100);
        assert_eq!(model.pods("a"), 4);
        assert_eq!(model.record_writes, 2, "{traffic:?}");
    }
}

#[test]
fn canary_goes_through_its_steps_to_the_end_and_nothing_old_is_left() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = served(traffic);
        model.want("b");
        model.run(3_600);
        assert_eq!(model.weights_seen("b"), [10, 50, 100]);
        assert_eq!((model.pods("a"), model.pods("b")), (0, 4), "{traffic:?}");
        assert_eq!(model.state(), State::Serving);
        assert_eq!(model.record().stable, name("b"));
        assert_eq!(model.record().history.len(), 2);
    }
}

#[test]
fn a_step_behind_a_gateway_takes_two_records_one_route_and_one_scale() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    let before = (model.record_writes, model.split_writes, model.scale_writes);
    model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
    let after = (model.record_writes, model.split_writes, model.scale_writes);
    assert_eq!((after.0 - before.0, after.1 - before.1, after.2 - before.2), (2, 1, 1));
}

#[test]
fn candidate_that_never_gets_ready_is_given_up_and_stable_keeps_everything() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = served(traffic);
        model.never_ready("b");
        model.want("b");
        model.run(3_600);
        assert_eq!(model.weights_seen("b"), Vec::<i32>::new());
        assert_eq!((model.pods("a"), model.pods("b")), (4, 0));
        assert_eq!(model.state(), State::RolledBack);
        assert_eq!(model.record().overriding.as_ref().unwrap().by, "progressDeadline");
        assert!(model.failed("b"));
        model.want("a");
        model.run(60);
        assert_eq!(model.state(), State::Serving, "going back in Git ends the override");
    }
}

#[test]
fn new_spec_in_mid_flight_starts_a_new_candidate_and_leaves_nothing_of_the_old() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = served(traffic);
        model.want("b");
        model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
        model.want("c");
        model.run(3_600);
        assert_eq!((model.pods("a"), model.pods("b"), model.pods("c")), (0, 0, 4), "{traffic:?}");
        assert!(!model.failed("b"), "superseded, not failed");
    }
}

#[test]
fn abort_gives_stable_everything_in_one_write_and_retry_tries_again() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = served(traffic);
        model.want("b");
        model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
        let splits = model.split_writes;
        model.command("abort:1");
        model.pass();
        assert_eq!((model.weight_of("b"), model.split_writes - splits), (0, 1));
        model.run(600);
        assert_eq!((model.state(), model.pods("b")), (State::RolledBack, 0));
        model.command("retry:2");
        model.run(3_600);
        assert_eq!((model.state(), model.weight_of("b")), (State::Serving, 100));
    }
}

#[test]
fn commands_without_a_rollout_are_refused_and_change_nothing() {
    let mut model = served(TrafficMode::Gateway);
    for (nonce, verb) in ["abort", "promote", "promote-full", "retry", "fly"].iter().enumerate() {
        model.command(&format!("{verb}:{nonce}"));
        model.run(60);
        let record = model.record();
        assert!(!record.command.as_ref().unwrap().done, "{verb}");
        assert_eq!((model.state(), model.pods("a"), model.weight_of("a")), (State::Serving, 4, 100));
    }
}

#[test]
fn promote_ends_one_hold_and_promote_full_goes_to_the_end_past_none_of_the_readiness() {
    let mut model = served(TrafficMode::Gateway);
    model.settings.steps = vec![Step { weight: 5, hold: Hold::UntilPromoted }, Step { weight: 50, hold: Hold::UntilPromoted }];
    model.want("b");
    model.run(36_000);
    assert_eq!((model.weight_of("b"), model.state()), (5, State::Holding));
    model.command("promote:1");
    model.run(36_000);
    assert_eq!((model.weight_of("b"), model.state()), (50, State::Holding));
    model.command("promote-full:2");
    model.run(3_600);
    assert_eq!((model.weight_of("b"), model.state()), (100, State::Serving));
}

#[test]
fn paused_rollout_goes_no_further_until_resumed_and_the_deadline_stands_still() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    model.command("pause:1");
    model.run(36_000);
    assert_eq!((model.weight_of("b"), model.state()), (10, State::Paused));
    model.command("resume:2");
    model.run(3_600);
    assert_eq!(model.weight_of("b"), 100);
}

#[test]
fn resume_is_refused_while_the_spec_says_paused() {
    let mut model = served(TrafficMode::Gateway);
    model.settings.paused = true;
    model.want("b");
    model.command("resume:1");
    model.run(3_600);
    assert!(!model.record().command.as_ref().unwrap().done);
    assert_eq!((model.weight_of("b"), model.state()), (0, State::Paused));
}

#[test]
fn small_surge_is_reached_by_exchange_and_ready_capacity_never_falls_below_wanted() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = Model::new(settings(traffic));
        model.settings.max_surge = Surge::Pods(1);
        model.want("a");
        model.run(600);
        model.want("b");
        model.least_ready = Some(4);
        model.most_pods = Some(5);
        model.run(7_200);
        assert_eq!((model.pods("a"), model.pods("b"), model.state()), (0, 4, State::Serving), "{traffic:?}");
    }
}

#[test]
fn abort_of_an_exchanged_canary_returns_traffic_as_stable_grows() {
    let mut model = Model::new(settings(TrafficMode::Gateway));
    model.settings.max_surge = Surge::Pods(1);
    model.want("a");
    model.run(600);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding && model.pods("a") == 3);
    model.command("abort:1");
    model.pass();
    assert_eq!(model.weight_of("b"), 25, "three ready pods of stable cover 75 %");
    model.run(3_600);
    assert_eq!((model.pods("a"), model.pods("b"), model.weight_of("a")), (4, 0, 100));
}

#[test]
fn no_room_for_the_surge_holds_visibly_and_stable_is_not_shrunk() {
    let mut model = served(TrafficMode::Gateway);
    model.room = Some(4);
    model.want("b");
    model.run(36_000);
    assert_eq!((model.pods("a"), model.weight_of("b")), (4, 0));
    assert_eq!(model.plan().reason.code, "SurgeBlocked");
    model.room = None;
    model.run(3_600);
    assert_eq!(model.weight_of("b"), 100, "and goes on when there is room");
}

#[test]
fn candidate_that_loses_all_pods_loses_its_weight_and_gets_it_back_with_them() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
    model.lose_pods("b");
    model.pass();
    assert_eq!((model.weight_of("b"), model.record().decision.cause), (0, Cause::NotReady));
    model.run(3_600);
    assert_eq!(model.weight_of("b"), 100);
}

#[test]
fn candidate_whose_pods_come_and_go_gets_no_further() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = served(traffic);
        model.want("b");
        model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
        for _ in 0..100 {
            model.lose_pods("b");
            model.run(40);
        }
        assert!(model.weight_of("b") <= 10, "{traffic:?}");
        assert_eq!((model.pods("a"), model.record().stable.as_str()), (4, "a"));
    }
}

#[test]
fn stable_that_loses_all_pods_gives_its_weight_to_a_candidate_with_pods() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
    model.never_ready("a");
    model.lose_pods("a");
    model.run(60);
    assert_eq!(model.weight_of("b"), 100);
    assert_eq!(model.record().stable, name("a"), "it is no promotion");
    assert_eq!((model.pods("a"), model.pods("b")), (4, 4), "all of the traffic needs all of the pods");
    model.ready_again("a");
    model.run(60);
    assert_eq!(model.weight_of("b"), 50, "and takes it back when it can");
    model.run(60);
    assert_eq!((model.pods("a"), model.pods("b")), (4, 2), "then those that stood in leave");
}

#[test]
fn first_release_that_never_worked_is_replaced_without_steps() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = Model::new(settings(traffic));
        model.never_ready("a");
        model.want("a");
        model.run(3_600);
        assert_eq!(model.state(), State::Degraded);
        model.room = Some(4);
        model.want("b");
        model.run(120);
        assert_eq!((model.state(), model.pods("a"), model.pods("b")), (State::Serving, 0, 4), "{traffic:?}");
    }
}

#[test]
fn unresolvable_spec_changes_nothing_that_runs_and_says_why() {
    let mut model = served(TrafficMode::Gateway);
    model.wanted = Wanted::Unresolved(Reason::new("VersionNotFound", "no version 9.9.9"));
    let splits = model.split_writes;
    model.run(3_600);
    assert_eq!((model.pods("a"), model.weight_of("a"), model.split_writes), (4, 100, splits));
    assert_eq!(model.plan().reason.code, "VersionNotFound");
}

#[test]
fn steps_edited_in_mid_flight_keep_the_weight_and_go_to_the_first_step_above() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    let hold = Hold::For(SignedDuration::from_mins(1));
    model.settings.steps = [2, 5, 30].map(|weight| Step { weight, hold }).to_vec();
    model.run_until(|model| model.weight_of("b") == 30);
    assert_eq!(model.weights_seen("b"), [10, 30]);
}

#[test]
fn replicas_changed_in_mid_flight_are_followed_by_both_sides() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
    model.settings.replicas = 8;
    model.run(60);
    assert_eq!((model.pods("a"), model.pods("b"), model.weight_of("b")), (8, 4, 50));
    model.settings.replicas = 2;
    model.run(60);
    assert_eq!((model.pods("a"), model.pods("b"), model.weight_of("b")), (2, 1, 50));
}

#[test]
fn foreign_edits_of_the_split_are_repaired() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    model.meddle("b", 90);
    model.pass();
    assert_eq!(model.weight_of("b"), 10);
    model.run(3_600);
    assert_eq!(model.weight_of("b"), 100);
}

#[test]
fn lost_status_in_mid_canary_is_rebuilt_and_the_rollout_goes_on() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = served(traffic);
        model.want("b");
        model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
        model.lose_status();
        model.pass();
        assert_eq!(model.weight_of("b"), 50);
        model.run(3_600);
        assert_eq!((model.weight_of("b"), model.pods("a"), model.pods("b")), (100, 0, 4), "{traffic:?}");
    }
}

#[test]
fn lost_status_after_an_abort_does_not_try_again_and_obeys_no_command_twice() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    model.command("abort:1");
    model.run(600);
    model.lose_status();
    model.run(3_600);
    assert_eq!((model.weight_of("a"), model.state()), (100, State::RolledBack));
}

#[test]
fn dying_after_any_write_ends_in_the_same_place() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        for surge in [Surge::Percent(100), Surge::Pods(1)] {
            for index in 0..80 {
                let mut model = quick(Model::new(settings(traffic)));
                model.settings.max_surge = surge;
                model.die_after(index);
                model.want("a");
                model.run(60);
                model.want("b");
                model.run(900);
                assert_eq!((model.pods("a"), model.pods("b")), (0, 4), "{traffic:?} {surge:?} {index}");
                assert_eq!((model.weight_of("b"), model.state()), (100, State::Serving), "{traffic:?} {surge:?} {index}");
            }
        }
    }
}

#[test]
fn dying_while_a_candidate_is_given_up_never_gives_it_weight_again() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        for index in 0..60 {
            let mut model = quick(served(traffic));
            model.want("b");
            model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
            model.command("abort:1");
            model.die_after(index);
            model.run(300);
            assert_eq!((model.weight_of("a"), model.pods("b"), model.state()), (100, 0, State::RolledBack), "{traffic:?} {index}");
            assert_eq!(model.weights_seen("b").last(), Some(&0), "{traffic:?} {index}");
        }
    }
}

#[test]
fn remembered_times_are_whole_seconds_and_no_wait_is_cut_short() {
    let mut model = Model::new(settings(TrafficMode::Gateway));
    model.nanoseconds = 600_000_000;
    model.want("a");
    model.run(600);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    let record = model.record();
    let candidate = record.candidate.clone().unwrap();
    for time in [record.since, candidate.begun, candidate.waiting_since, candidate.reached.unwrap()] {
        assert_eq!(time.subsec_nanosecond(), 0);
    }
    model.command("restart:1");
    model.run_until(|model| model.record().stable == name("b"));
    let record = model.record();
    assert_eq!(record.restarted_at.unwrap().subsec_nanosecond(), 0, "a time that status cuts would restart the pods once more");
    assert!(record.zero_since.unwrap() >= model.now(), "the drain time is counted from no sooner than the promotion");
}

#[test]
fn second_release_takes_no_weight_back_that_it_never_had() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = quick(served(traffic));
        model.settings.max_surge = Surge::Percent(25);
        for version in ["b", "c", "d"] {
            let before = model.record().decision.number;
            model.want(version);
            model.run_until(|model| model.weight_of(version) > 0);
            assert_eq!(model.record().decision.number, before + 1, "{traffic:?} {version}: {}", model.record().decision.reason);
            model.run(1_800);
            assert_eq!((model.weight_of(version), model.state()), (100, State::Serving), "{traffic:?} {version}");
        }
    }
}
