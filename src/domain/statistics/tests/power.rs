//! How often and how soon a worse candidate is found. `--nocapture` prints the table of `docs/statistics.md`.

use super::support::{Rollout, constant, planned, runs};
use crate::domain::statistics::proportions::{Better, Comparison};

#[test]
fn power_table() {
    let comparison = Comparison::new(Better::Lower, 10.0, 0.025, 100.0).unwrap();
    let runs = runs(40);
    for requests_per_second in [2.0, 20.0, 200.0] {
        for candidate in [0.01, 0.02, 0.05] {
            let rollout = Rollout {
                requests_per_second,
                weights: &[0.1, 0.25, 0.5],
                looks_per_step: 20,
                seconds_per_look: 30.0,
                shares: constant,
                choose: planned,
                candidate,
                stable: 0.005,
            };
            let times = rollout.times(runs, &comparison);
            let share = times.len() as f64 / runs as f64;
            let median = times.get(runs as usize / 2);
            println!("{requests_per_second:>5} rps, {candidate:>5}: {:>5.1} % found, median {median:?} s", 100.0 * share);
        }
    }
}
