//! What goes wrong, or is changed, while a rollout is out: others who write, pods that go, numbers, pauses, lost status.

use super::model::{Model, settings};
use super::{name, served};
use crate::domain::record::Cause;
use crate::domain::rollout::{Acceptance, State};
use crate::domain::settings::{Hold, Step, TrafficMode};
use crate::domain::split::Split;

/// A canary that holds at its first step.
fn holding(traffic: TrafficMode) -> Model {
    let mut model = served(traffic);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 10 && model.state() == State::Holding);
    model
}

#[test]
fn weight_that_others_changed_counts_anew_once_it_is_put_right() {
    let mut model = holding(TrafficMode::Gateway);
    model.run(590);
    model.meddle("b", 0);
    model.run(60);
    assert_eq!((model.weight_of("b"), model.state()), (10, State::Holding), "the hold at 10 % starts anew");
    model.run(600);
    assert_eq!(model.weights_seen("b"), [10, 50]);
}

#[test]
fn decision_that_others_wrote_in_place_of_ours_is_put_right() {
    let mut model = holding(TrafficMode::Gateway);
    model.forge(|decision| decision.split = Split::between(name("a"), name("b"), 90));
    model.pass();
    assert_eq!(model.weight_of("b"), 10);
}

#[test]
fn newer_decision_against_a_promoted_revision_is_drift() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.record().stable == name("b"));
    model.forge(|decision| {
        decision.number += 1;
        decision.cause = Cause::Abort;
        decision.split = Split::between(name("a"), name("b"), 0);
    });
    model.run(300);
    assert_eq!((model.weight_of("b"), model.pods("a"), model.state()), (100, 0, State::Serving));
}

#[test]
fn candidate_that_lost_pods_at_the_end_is_not_promoted_until_it_has_them() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 100);
    model.room = Some(7);
    model.lose_one("b");
    model.run(300);
    assert_eq!((model.record().stable.clone(), model.pods("a")), (name("a"), 4), "three of four replace nothing");
    model.room = None;
    model.run(300);
    assert_eq!((model.record().stable.clone(), model.pods("a")), (name("b"), 0));
}

#[test]
fn step_of_everything_is_held_like_any_other() {
    let mut model = Model::new(settings(TrafficMode::Gateway));
    model.settings.steps = vec![Step { weight: 100, hold: Hold::UntilPromoted }];
    model.want("a");
    model.run(60);
    model.want("b");
    model.run(3_600);
    assert_eq!((model.weight_of("b"), model.record().stable.clone(), model.pods("a")), (100, name("a"), 4));
    model.command("promote:1");
    model.run(60);
    assert_eq!(model.record().stable, name("b"));
}

#[test]
fn without_auto_promote_the_end_waits_also_when_the_last_step_was_edited_away() {
    let mut model = served(TrafficMode::Gateway);
    model.settings.auto_promote = false;
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
    model.settings.steps.truncate(1);
    model.run(3_600);
    assert_eq!((model.weight_of("b"), model.plan().reason.code), (50, "WaitingForPromotion"));
}

#[test]
fn release_whose_route_is_not_taken_does_not_say_that_it_serves() {
    let mut model = Model::new(settings(TrafficMode::Gateway));
    model.gateway = Acceptance::Refused("no such listener".to_owned());
    model.want("a");
    model.run(3_600);
    assert_eq!((model.state(), model.plan().reason.code), (State::Degraded, "RouteNotAccepted"));
    model.gateway = Acceptance::Accepted;
    model.run(60);
    assert_eq!(model.state(), State::Serving);
}

#[test]
fn status_lost_while_the_candidate_stands_in_for_stable_is_no_promotion() {
    let mut model = holding(TrafficMode::Gateway);
    model.never_ready("a");
    model.lose_pods("a");
    model.run(60);
    assert_eq!(model.weight_of("b"), 100);
    model.lose_status();
    model.pass();
    assert_eq!(model.record().stable, name("a"));
    model.ready_again("a");
    model.run(60);
    assert_eq!(model.weight_of("b"), 10);
}

#[test]
fn canary_without_wanted_pods_goes_no_further() {
    let mut model = holding(TrafficMode::Gateway);
    model.settings.replicas = 0;
    model.run(36_000);
    assert_eq!((model.pods("a"), model.pods("b"), model.record().stable.clone()), (0, 0, name("a")));
    model.settings.replicas = 4;
    model.run(3_600);
    assert_eq!(model.record().stable, name("b"));
}

#[test]
fn candidate_given_up_while_no_pods_are_wanted_leaves() {
    for traffic in [TrafficMode::Gateway, TrafficMode::ReplicaRatio] {
        let mut model = holding(traffic);
        model.command("abort:1");
        model.settings.replicas = 0;
        model.run(300);
        assert_eq!((model.record().candidate.clone(), model.pods("b")), (None, 0), "{traffic:?}");
    }
}

#[test]
fn time_in_a_pause_of_the_spec_does_not_count_for_the_deadline() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.never_ready("b");
    model.run(2);
    model.settings.paused = true;
    model.run(3_600);
    model.ready_again("b");
    model.settings.paused = false;
    model.run(60);
    assert_eq!((model.record().overriding.clone(), model.weight_of("b")), (None, 10));
}

#[test]
fn wanted_number_is_followed_while_paused() {
    let mut model = served(TrafficMode::Gateway);
    model.want("b");
    model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
    model.command("pause:1");
    model.settings.replicas = 8;
    model.run(60);
    assert_eq!((model.pods("a"), model.pods("b"), model.weight_of("b")), (8, 4, 50));
}

#[test]
fn canary_whose_spec_can_not_be_resolved_any_more_waits_and_says_why() {
    let mut model = holding(TrafficMode::Gateway);
    model.want_nothing();
    model.run(36_000);
    assert_eq!((model.weight_of("b"), model.pods("b"), model.plan().reason.code), (10, 1, "VersionNotFound"));
    assert_eq!(model.state(), State::Waiting);
}

#[test]
fn pause_survives_the_loss_of_status() {
    let mut model = holding(TrafficMode::Gateway);
    model.command("promote:1");
    model.run_until(|model| model.weight_of("b") == 50 && model.state() == State::Holding);
    model.command("pause:2");
    model.run(5);
    model.lose_status();
    model.run(36_000);
    assert_eq!((model.weight_of("b"), model.state()), (50, State::Paused));
}

#[test]
fn failed_revision_is_not_tried_again_when_status_and_decision_are_lost() {
    let mut model = served(TrafficMode::ReplicaRatio);
    model.never_ready("b");
    model.want("b");
    model.run(1_800);
    model.ready_again("b");
    model.lose_status();
    model.switch_mode(TrafficMode::Gateway);
    model.run(3_600);
    assert_eq!((model.state(), model.weight_of("a")), (State::RolledBack, 100));
}

#[test]
fn abort_whose_status_write_was_lost_is_acknowledged_in_the_same_words() {
    let words = |dies_after: Option<usize>| {
        let mut model = holding(TrafficMode::Gateway);
        model.command("abort:1");
        if let Some(writes) = dies_after {
            model.die_after(writes);
        }
        model.run(300);
        model.record().command.clone().unwrap()
    };
    assert_eq!(words(Some(1)), words(None));
}

#[test]
fn resume_that_was_lost_with_status_is_carried_out_again() {
    let mut model = holding(TrafficMode::Gateway);
    model.command("pause:1");
    model.run(5);
    model.command("resume:2");
    model.want("c");
    model.die_after(1);
    model.run(3_600);
    assert_eq!((model.weight_of("c"), model.record().paused), (100, false));
}
