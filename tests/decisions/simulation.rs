//! Simulated releases: what the product's analysis decides, beside other rules on the same requests.
//!
//! Shared by `tests/decisions.rs` (few seeds) and `benches/decisions.rs` (all of the table). Everything follows from the seeds.

pub mod outcome;
pub mod product;
pub mod rivals;
pub mod world;

use modelward::domain::analysis::criteria::Criteria;

use self::outcome::{Outcome, Outcomes};
use self::rivals::Rival;
use self::world::{Traffic, World};

/// Critical value of a one-sided test of 2.5 %: what the product gives the error rate, one of two metrics.
pub const CRITICAL: f64 = 1.959_963_985;
/// Error rate of stable.
pub const STABLE: f64 = 0.005;
/// Requests per second of the worlds.
pub const RATES: [f64; 3] = [2.0, 20.0, 200.0];

/// Who decides.
#[derive(Clone, Debug)]
pub enum Rule {
    /// The product.
    Product(Criteria),
    /// Another rule.
    Rival(Rival),
}

/// Releases of `world` under `rule`, one for each seed below `seeds`.
pub fn outcomes(world: World, rule: &Rule, seeds: u64) -> Outcomes {
    let play = |seed: u64| {
        let traffic = Traffic::of(world, seed);
        match rule {
            Rule::Product(criteria) => product::play(criteria, &traffic),
            Rule::Rival(rival) => rivals::play(*rival, &traffic),
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let all: Vec<Outcome> = std::thread::scope(|scope| {
        let part = |worker: u64| (worker..seeds).step_by(workers as usize).map(play).collect::<Vec<_>>();
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || part(worker))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    Outcomes::of(&all)
}
