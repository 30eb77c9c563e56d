//! Requests of a release that is judged: how many arrived, how many failed, how long they took.
//!
//! Takes a seed, a rate and true error rates; gives counts. A slot of a seed at a weight is the same whoever asks for it and
//! how often, so that all rules see the same requests. Arrivals are Poisson, failures independent, durations log-normal and
//! the same for both versions: a metric on which nothing is to be found.

use modelward::sim::draw::Draws;
use modelward::sim::traffic::latency::{LogNormal, OPENTELEMETRY, Spread};
use modelward::sim::traffic::sampling::Stream;

/// Seconds of a slot: every moment at which something is decided lies between two of them.
pub const SLOT: i64 = 5;
/// Median and 99th percentile of the durations, in seconds: the 95th is 0.36.
const DURATIONS: (f64, f64) = (0.12, 0.57);

/// True rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct World {
    /// Requests per second of both versions together.
    pub rate: f64,
    /// Error rate of stable.
    pub stable: f64,
    /// Error rate of the candidate.
    pub candidate: f64,
}

/// Requests of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// All.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
}

impl Served {
    /// Both together.
    pub fn plus(self, more: Self) -> Self {
        Self { total: self.total + more.total, failed: self.failed + more.failed }
    }
}

/// Requests of both versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both {
    /// The new version's.
    pub candidate: Served,
    /// The old one's.
    pub stable: Served,
}

impl Both {
    /// Both together.
    pub fn plus(self, more: Self) -> Self {
        Self { candidate: self.candidate.plus(more.candidate), stable: self.stable.plus(more.stable) }
    }
}

/// What one seed makes of a world.
pub struct Traffic {
    world: World,
    draws: Draws,
    durations: Spread,
}

impl Traffic {
    /// Of this seed.
    pub fn of(world: World, seed: u64) -> Self {
        let durations = Spread::of(&LogNormal::of(DURATIONS.0, DURATIONS.1), 0.0, f64::INFINITY, &OPENTELEMETRY);
        Self { world, draws: Draws::new(seed), durations }
    }

    /// Requests from second `from` to second `to` (multiples of [`SLOT`]), `weight` percent of them the candidate's.
    pub fn between(&self, from: i64, to: i64, weight: i32) -> Both {
        assert!(from % SLOT == 0 && to % SLOT == 0, "{from} to {to} are no slots");
        (from / SLOT..to / SLOT).map(|slot| self.slot(slot, weight)).fold(Both::default(), Both::plus)
    }

    fn slot(&self, slot: i64, weight: i32) -> Both {
        let share = f64::from(weight) / 100.0;
        let served = |whose: &str, share: f64, failing: f64| {
            let mut stream = Stream::new(&self.draws, whose, &weight.to_string(), slot as u64);
            let total = stream.poisson(self.world.rate * SLOT as f64 * share);
            Served { total, failed: stream.binomial(total, failing) }
        };
        Both { candidate: served("candidate", share, self.world.candidate), stable: served("stable", 1.0 - share, self.world.stable) }
    }

    /// Cumulated buckets, with their bounds as a server writes them, of so many requests that `whose` served until second `to`.
    pub fn durations(&self, whose: &str, to: i64, count: u64) -> Vec<(String, u64)> {
        let mut stream = Stream::new(&self.draws, "durations", whose, to as u64);
        let cells = self.durations.draw(&mut stream, count).cells;
        let bounds = OPENTELEMETRY.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let mut upto = 0;
        let cumulated = cells.into_iter().map(|cell| {
            upto += cell;
            upto
        });
        bounds.zip(cumulated).collect()
    }
}
