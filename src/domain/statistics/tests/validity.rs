//! False alarms in simulated rollouts: never more than promised. `SEEDS=20000` for a longer run.

use super::support::{Draws, Rollout, clopper_pearson_low, runs};
use crate::domain::statistics::proportions::{Better, Comparison};

const ALPHA: f64 = 0.05;

fn false_alarms(rollout: &Rollout, comparison: &Comparison, runs: u64) -> u64 {
    (0..runs).filter(|seed| rollout.play(&mut Draws::seeded(*seed), comparison).is_some()).count() as u64
}

fn assert_kept(name: &str, rollout: &Rollout, comparison: &Comparison) {
    let runs = runs(150);
    let alarms = false_alarms(rollout, comparison, runs);
    println!("{name}: {alarms} false alarms of {runs}");
    assert!(clopper_pearson_low(alarms, runs) <= ALPHA, "{name}: {alarms} of {runs}");
}

fn plain(candidate: f64, stable: f64) -> Rollout {
    Rollout::plain(20.0, candidate, stable)
}

#[test]
fn error_rates_raise_no_more_false_alarms_than_promised() {
    for margin in [0.0, 10.0, 50.0] {
        let comparison = Comparison::new(Better::Lower, margin, ALPHA, 100.0).unwrap();
        for stable in [0.001, 0.01, 0.2] {
            assert_kept(&format!("equal at {stable}, margin {margin}"), &plain(stable, stable), &comparison);
            let at_margin = stable * (1.0 + margin / 100.0);
            assert_kept(&format!("at the margin {margin} from {stable}"), &plain(at_margin, stable), &comparison);
        }
    }
}

#[test]
fn success_rates_raise_no_more_false_alarms_than_promised() {
    for margin in [0.0, 1.0, 10.0] {
        let comparison = Comparison::new(Better::Higher, margin, ALPHA, 100.0).unwrap();
        for stable in [0.999, 0.98, 0.5] {
            assert_kept(&format!("equal at {stable}, margin {margin}"), &plain(stable, stable), &comparison);
            let at_margin = stable * (1.0 - margin / 100.0);
            assert_kept(&format!("at the margin {margin} from {stable}"), &plain(at_margin, stable), &comparison);
        }
    }
}

#[test]
fn a_bad_day_for_both_versions_while_the_weight_moves_is_no_regression() {
    // Pooled counts would blame the candidate: it has most of its traffic when errors are ten times as frequent.
    let shares = |look, candidate, stable| if look > 40 { (10.0 * candidate, 10.0 * stable) } else { (candidate, stable) };
    let comparison = Comparison::new(Better::Lower, 0.0, ALPHA, 100.0).unwrap();
    assert_kept("bad day", &Rollout { shares, ..plain(0.01, 0.01) }, &comparison);
    let shares = |look, candidate, stable| if look > 40 { (candidate - 0.1, stable - 0.1) } else { (candidate, stable) };
    let comparison = Comparison::new(Better::Higher, 0.0, ALPHA, 100.0).unwrap();
    assert_kept("bad day for successes", &Rollout { shares, ..plain(0.99, 0.99) }, &comparison);
}

#[test]
fn a_controller_that_moves_the_weight_by_what_it_sees_gains_no_false_alarms() {
    // More of the traffic as soon as it looks suspicious, and hardly any traffic otherwise.
    let choose = |weight, log_e_peak| if log_e_peak > 0.5 { 0.9 } else { weight };
    let comparison = Comparison::new(Better::Lower, 10.0, ALPHA, 100.0).unwrap();
    for requests_per_second in [0.1, 20.0] {
        assert_kept("chosen", &Rollout { choose, requests_per_second, ..plain(0.022, 0.02) }, &comparison);
    }
}
