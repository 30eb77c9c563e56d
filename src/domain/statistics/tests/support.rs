//! Seeded draws, simulated rollouts, and plain numerical integration to check against.

use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::evidence::Evidence;
use crate::domain::statistics::proportions::Comparison;

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
pub struct Draws(u64);

impl Draws {
    pub fn seeded(seed: u64) -> Self {
        // Mixed once: neighbouring seeds would otherwise be the same stream, shifted by one draw.
        let start = Self(seed).next();
        Self(start ^ 0x6A09_E667_F3BC_C908)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Exactly binomial: jumps from one event to the next by geometric gaps, of the rarer outcome.
    pub fn binomial(&mut self, trials: u64, share: f64) -> u64 {
        if share > 0.5 {
            return trials - self.binomial(trials, 1.0 - share);
        }
        if share <= 0.0 {
            return 0;
        }
        let (mut at, mut events) = (0.0, 0);
        loop {
            at += (self.uniform().ln() / (-share).ln_1p()).floor() + 1.0;
            if at > trials as f64 {
                return events;
            }
            events += 1;
        }
    }
}

pub fn counts(events: u64, trials: u64) -> Counts {
    Counts::new(events as f64, trials as f64).unwrap()
}

/// One way in which a rollout goes.
#[derive(Clone, Copy)]
pub struct Rollout {
    pub requests_per_second: f64,
    pub weights: &'static [f64],
    pub looks_per_step: u32,
    pub seconds_per_look: f64,
    /// Share of events of candidate and stable, by look.
    pub shares: fn(u32, f64, f64) -> (f64, f64),
    /// Weight that a controller chooses, given that of the step and the evidence so far.
    pub choose: fn(f64, f64) -> f64,
    pub candidate: f64,
    pub stable: f64,
}

pub fn constant(_look: u32, candidate: f64, stable: f64) -> (f64, f64) {
    (candidate, stable)
}

pub fn planned(weight: f64, _log_e_peak: f64) -> f64 {
    weight
}

impl Rollout {
    /// Steps of 10, 25 and 50 % of ten minutes, a look every 30 s, and nothing that changes or chooses.
    pub fn plain(requests_per_second: f64, candidate: f64, stable: f64) -> Self {
        Self {
            requests_per_second,
            weights: &[0.1, 0.25, 0.5],
            looks_per_step: 20,
            seconds_per_look: 30.0,
            shares: constant,
            choose: planned,
            candidate,
            stable,
        }
    }

    /// Seconds after which the candidate was found worse.
    pub fn play(&self, draws: &mut Draws, comparison: &Comparison) -> Option<f64> {
        let mut evidence = Evidence::default();
        let mut look = 0;
        for (step, weight) in self.weights.iter().enumerate() {
            for _ in 0..self.looks_per_step {
                look += 1;
                let requests = (self.requests_per_second * self.seconds_per_look).round() as u64;
                let weight = (self.choose)(*weight, evidence.log_e_peak());
                let of_candidate = draws.binomial(requests, weight);
                let (candidate, stable) = (self.shares)(look, self.candidate, self.stable);
                let pair = Pair {
                    candidate: counts(draws.binomial(of_candidate, candidate), of_candidate),
                    stable: counts(draws.binomial(requests - of_candidate, stable), requests - of_candidate),
                };
                evidence.add(step as u32, pair, comparison).unwrap();
                if evidence.log_e_peak() >= -comparison.alpha().ln() {
                    return Some(f64::from(look) * self.seconds_per_look);
                }
            }
        }
        None
    }

    /// Times of detection of `runs` seeded rollouts.
    pub fn times(&self, runs: u64, comparison: &Comparison) -> Vec<f64> {
        let mut times: Vec<f64> = (0..runs).filter_map(|seed| self.play(&mut Draws::seeded(seed), comparison)).collect();
        times.sort_by(f64::total_cmp);
        times
    }
}

/// Lower end of the interval of Clopper and Pearson (1934) at 99.9 %, by summing the binomial tail.
pub fn clopper_pearson_low(events: u64, trials: u64) -> f64 {
    if events == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, events as f64 / trials as f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if tail(events, trials, middle) < 0.0005 { low = middle } else { high = middle }
    }
    low
}

/// Probability of `events` or more.
fn tail(events: u64, trials: u64, share: f64) -> f64 {
    let mut term = (trials as f64 * (-share).ln_1p()).exp();
    let mut below = 0.0;
    for count in 0..events {
        below += term;
        term *= (trials - count) as f64 / (count + 1) as f64 * share / (1.0 - share);
    }
    1.0 - below
}

/// Mean over (0, 1) by the midpoint rule.
pub fn average(function: impl Fn(f64) -> f64) -> f64 {
    let points = 20_000;
    (0..points).map(|point| function((f64::from(point) + 0.5) / f64::from(points))).sum::<f64>() / f64::from(points)
}

/// Probability of exactly `events` of `trials`.
pub fn binomial(events: u32, trials: u32, share: f64) -> f64 {
    let ways: f64 = (0..events).map(|count| f64::from(trials - count) / f64::from(count + 1)).product();
    ways * share.powi(events as i32) * (1.0 - share).powi((trials - events) as i32)
}

/// Seeds from the environment, for a longer run.
pub fn runs(default: u64) -> u64 {
    std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(default)
}
