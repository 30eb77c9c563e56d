use jiff::Timestamp;

use super::*;
use crate::domain::revision::{RevisionView, ScalerView, Workload};
use crate::domain::settings::ScalerKind;
use crate::domain::split::Split;

fn scaler() -> Scaler {
    Scaler { kind: ScalerKind::Keda, min: 0, max: 12, installed: true }
}

fn view(replicas: i32, scaled: bool) -> RevisionView {
    let scaler = scaled.then_some(ScalerView { kind: ScalerKind::Keda, trouble: None });
    RevisionView { workload: Some(Workload { replicas, ..Workload::default() }), scaler, ..RevisionView::default() }
}

/// A release at `weight` percent that began with `began` pods; stable and candidate ask for so many now.
fn release(began: i32, weight: i32, stable: i32, candidate: (i32, i32), settings: &Settings) -> i32 {
    let (old, new) = (RevisionName::new("a"), RevisionName::new("b"));
    let mut record = Record::first(old.clone(), 1, None, Timestamp::UNIX_EPOCH);
    record.replicas = Some(began);
    record.candidate = Some(Candidate {
        revision: new.clone(),
        stage_weight: weight,
        pods: candidate.0,
        begun: Timestamp::UNIX_EPOCH,
        waiting_since: Timestamp::UNIX_EPOCH,
        blocked: false,
        reached: None,
        hold_ended: false,
        retreat: None,
    });
    record.decision.split = Split::between(old.clone(), new.clone(), weight);
    let revisions = Revisions::from([(old, view(stable, true)), (new, view(candidate.1, true))]);
    wanted(&scaler(), settings, 1, None, Some(&record), &revisions)
}

#[test]
fn at_rest_it_is_what_the_scaler_made() {
    let record = Record::first(RevisionName::new("a"), 1, None, Timestamp::UNIX_EPOCH);
    for pods in [0, 3, 12] {
        let revisions = Revisions::from([(RevisionName::new("a"), view(pods, true))]);
        assert_eq!(wanted(&scaler(), &Settings::of_tests(), 1, None, Some(&record), &revisions), pods);
    }
    let gone = Revisions::new();
    assert_eq!(wanted(&scaler(), &Settings::of_tests(), 1, Some(7), Some(&record), &gone), 7, "a lost workload comes back as it was");
}

#[test]
fn without_its_scaler_nothing_stays_asleep() {
    let record = Record::first(RevisionName::new("a"), 1, None, Timestamp::UNIX_EPOCH);
    let revisions = Revisions::from([(RevisionName::new("a"), view(0, false))]);
    let missing = Scaler { installed: false, ..scaler() };
    assert_eq!(wanted(&missing, &Settings::of_tests(), 1, None, Some(&record), &revisions), 1);
}

#[test]
fn a_first_release_starts_within_the_bounds() {
    for (first, pods) in [(0, 1), (1, 1), (5, 5), (99, 12)] {
        assert_eq!(wanted(&scaler(), &Settings::of_tests(), first, None, None, &Revisions::new()), pods);
    }
}

#[test]
fn a_release_is_never_lowered_and_follows_what_scalers_ask_for() {
    let settings = Settings { traffic: TrafficMode::Gateway, ..Settings::of_tests() };
    let cases = [
        ((4, 10, 2, (1, 1)), 4, "stable's scaler would like less"),
        ((4, 10, 6, (1, 1)), 6, "stable's scaler made more"),
        ((4, 50, 4, (2, 5)), 10, "the candidate's scaler made more, in proportion"),
        ((4, 7, 4, (1, 2)), 12, "no more than the bound"),
        ((4, 0, 4, (4, 5)), 5, "a preview is all of its pods"),
        ((0, 10, 0, (1, 1)), 1, "one that sleeps is woken"),
    ];
    for ((began, weight, stable, candidate), pods, why) in cases {
        assert_eq!(release(began, weight, stable, candidate, &settings), pods, "{why}");
    }
}

#[test]
fn what_follows_from_the_candidate_does_not_grow_by_itself() {
    let settings = Settings { traffic: TrafficMode::Gateway, ..Settings::of_tests() };
    for weight in 1..100 {
        for pods in 2..12 {
            let all = release(1, weight, 1, (1, pods), &settings);
            let floor = crate::domain::size::pods_for_weight(all, weight, 100);
            assert!(floor <= pods, "{pods} pods at {weight} % make {all}, whose floor is {floor}");
        }
    }
}
