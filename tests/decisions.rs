//! What the analysis decides in simulated releases: how often it is wrong, what it finds, and what that costs.
//!
//! The same as `cargo bench --bench decisions` with fewer seeds; `SEEDS=2000 cargo test --test decisions` for more.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "decisions/simulation.rs"]
mod simulation;

use simulation::outcome::Outcomes;
use simulation::product::{MARGIN, bounded, compared};
use simulation::rivals::Rival;
use simulation::world::World;
use simulation::{CRITICAL, RATES, Rule, STABLE, outcomes};

/// What `confidence: 95` promises.
const PROMISE: f64 = 0.05;

fn seeds(default: u64) -> u64 {
    std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(default)
}

fn product(rate: f64, candidate: f64, seeds: u64) -> Outcomes {
    outcomes(World { rate, stable: STABLE, candidate }, &Rule::Product(compared()), seeds)
}

fn rival(rate: f64, candidate: f64, rival: Rival, seeds: u64) -> Outcomes {
    outcomes(World { rate, stable: STABLE, candidate }, &Rule::Rival(rival), seeds)
}

/// The greatest error rate that is still within the margin.
const AT_THE_MARGIN: f64 = STABLE * (1.0 + MARGIN / 100.0);

#[test]
fn version_as_good_as_stable_is_not_taken_back_more_often_than_promised() {
    for (candidate, few) in [(STABLE, 200), (AT_THE_MARGIN, 100)] {
        let releases = product(20.0, candidate, seeds(few));
        println!("{candidate}: {} of {:?}", releases.found(), releases.interval());
        assert!(releases.interval().0 <= PROMISE && releases.held() == 0, "{candidate}: {releases:?}");
    }
    // The same measure finds fault with a test that knows nothing of the other looks, so it can.
    let peeking = rival(20.0, AT_THE_MARGIN, Rival::EveryLook { critical: CRITICAL }, seeds(200));
    assert!(peeking.interval().0 > PROMISE, "{peeking:?}");
}

#[test]
fn error_probabilities_of_all_compared_metrics_sum_to_the_promise() {
    let alphas: Vec<f64> = compared().metrics.iter().map(|metric| metric.margin.unwrap().alpha).collect();
    assert!(alphas.len() == 2 && (alphas.iter().sum::<f64>() - PROMISE).abs() < 1e-12, "{alphas:?}");
}

#[test]
fn version_that_errs_ten_times_as_often_is_found_before_a_test_at_the_end_would() {
    for rate in [20.0, 200.0] {
        let (found, late) = (product(rate, 0.05, seeds(200)), rival(rate, 0.05, Rival::AtTheEnd { critical: CRITICAL }, seeds(200)));
        assert!(found.share() >= 0.95 && found.found_by_errors() == found.found(), "{rate}: {found:?}");
        assert!(late.share() >= 0.95 && found.exposure() < late.exposure() / 10.0, "{rate}: {} and {}", found.exposure(), late.exposure());
        assert!(found.median_time().unwrap() < late.median_time().unwrap() / 5 && found.mean_time() < late.mean_time());
    }
}

#[test]
fn bound_waits_for_requests_where_a_plain_threshold_takes_every_version_back() {
    let plain = rival(2.0, STABLE, Rival::Plain { max: 0.01, failure_limit: 1 }, seeds(50));
    assert!(plain.share() > 0.9, "{plain:?}");
    let world = World { rate: 2.0, stable: STABLE, candidate: STABLE };
    let bound = outcomes(world, &Rule::Product(bounded(0.01)), seeds(50));
    assert!(bound.share() < 0.5, "{bound:?}");
}

#[test]
fn small_difference_is_found_where_there_is_traffic_to_find_it() {
    let found = RATES.map(|rate| product(rate, 0.01, seeds(20)).share());
    assert!(found[0] < 0.4 && found[1] > 0.5 && found[2] > 0.9, "{found:?}");
}
