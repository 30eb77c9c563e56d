//! How often and how soon a worse candidate is found. `--nocapture` prints the table of `docs/statistics.md`.

use super::support::{Rollout, runs};
use crate::domain::statistics::planning::{PlannedStep, detectable, requests_needed};
use crate::domain::statistics::proportions::{Better, Comparison};

/// Share found, and the time by which half of all runs have found it.
fn found(rollout: &Rollout, comparison: &Comparison, runs: u64) -> (f64, Option<f64>) {
    let times = rollout.times(runs, comparison);
    (times.len() as f64 / runs as f64, times.get(runs as usize / 2).copied())
}

#[test]
fn a_worse_candidate_is_found_as_often_as_the_docs_say() {
    let comparison = Comparison::new(Better::Lower, 10.0, 0.025, 100.0).unwrap();
    let runs = runs(40);
    // Least share of rollouts that find it, well below the table's.
    let table = [(2.0, [0.0, 0.35, 0.95]), (20.0, [0.6, 0.95, 0.95]), (200.0, [0.95, 0.95, 0.95])];
    for (requests_per_second, least) in table {
        for (candidate, least) in [0.01, 0.02, 0.05].into_iter().zip(least) {
            let (share, median) = found(&Rollout::plain(requests_per_second, candidate, 0.005), &comparison, runs);
            println!("{requests_per_second:>3} rps, {candidate:>4} instead of 0.005: {:>5.1} % found, median {median:?} s", 100.0 * share);
            assert!(share >= least, "{share}");
        }
    }
}

#[test]
fn what_planning_says_is_found_by_about_nine_of_ten_rollouts() {
    let runs = runs(60);
    for (better, margin, stable) in [(Better::Lower, 10.0, 0.005), (Better::Lower, 0.0, 0.05), (Better::Higher, 1.0, 0.995)] {
        let comparison = Comparison::new(better, margin, 0.025, 100.0).unwrap();
        for requests_per_second in [2.0, 20.0] {
            let requests = 600.0 * requests_per_second;
            let steps = [0.1, 0.25, 0.5].map(|weight| PlannedStep { candidate: requests * weight, stable: requests * (1.0 - weight) });
            let detectable = detectable(&comparison, stable, &steps).unwrap().unwrap();
            let (share, _) = found(&Rollout::plain(requests_per_second, detectable, stable), &comparison, runs);
            println!("{better:?} {margin} %, {requests_per_second} rps: {detectable:.4} instead of {stable}: {:.0} % found", 100.0 * share);
            assert!((0.75..=1.0).contains(&share), "{detectable}: {share}");
        }
    }
}

#[test]
fn traffic_that_cannot_tell_is_said_beforehand() {
    let comparison = Comparison::new(Better::Lower, 10.0, 0.025, 100.0).unwrap();
    let step = PlannedStep { candidate: 2.0, stable: 18.0 };
    assert_eq!(detectable(&comparison, 0.005, &[step]), Ok(None));
    assert_eq!(requests_needed(&comparison, 0.0054, 0.005, 0.1), Ok(None), "within the margin");
    let needed = requests_needed(&comparison, 0.02, 0.005, 0.1).unwrap().unwrap();
    assert!((3000.0..20_000.0).contains(&needed), "{needed}");
    assert!(requests_needed(&comparison, 0.01, 0.005, 0.1).unwrap().unwrap() > 4.0 * needed);
    assert!(requests_needed(&comparison, 0.02, 0.005, 0.5).unwrap().unwrap() < needed);
    assert!(requests_needed(&comparison, f64::NAN, 0.005, 0.5).is_err() && requests_needed(&comparison, 0.02, 0.005, 1.0).is_err());
}
