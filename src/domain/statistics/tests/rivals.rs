//! Why these constructions: other valid ones on the same simulated rollouts.

use super::support::{Draws, counts, runs};
use super::universal;
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::grid::Alternative;
use crate::domain::statistics::grid::alternatives;
use crate::domain::statistics::rates::{self, Null, Tally};

/// Looks of one rollout, step by step, of failures.
fn looks(draws: &mut Draws, rate: f64, candidate: f64, stable: f64) -> Vec<(usize, Pair)> {
    let mut looks = Vec::new();
    for (step, weight) in [0.1, 0.25, 0.5].into_iter().enumerate() {
        for _ in 0..20 {
            let requests = (rate * 30.0) as u64;
            let of_candidate = draws.binomial(requests, weight).clamp(1, requests - 1);
            let of_stable = requests - of_candidate;
            let pair = Pair {
                candidate: counts(draws.binomial(of_candidate, candidate), of_candidate),
                stable: counts(draws.binomial(of_stable, stable), of_stable),
            };
            looks.push((step, pair));
        }
    }
    looks
}

/// Sums by step after each look.
fn sums(looks: &[(usize, Pair)]) -> Vec<Vec<Pair>> {
    let mut steps: Vec<Pair> = Vec::new();
    let mut all = Vec::new();
    for (step, pair) in looks {
        if steps.len() <= *step {
            steps.push(Pair::default());
        }
        let last = steps.last_mut().unwrap();
        *last = last.plus(*pair).unwrap();
        all.push(steps.clone());
    }
    all
}

fn log_likelihood(counts: Counts, share: f64) -> f64 {
    let term = |count: f64, share: f64| if count > 0.0 { count * share.ln() } else { 0.0 };
    term(counts.events(), share) + term(counts.complement().events(), 1.0 - share)
}

/// Turner, Ly, Grünwald (2024): each look is a block, the alternative is the posterior mean of the looks before.
fn blocks(looks: &[(usize, Pair)], null: Null, prior: (f64, f64)) -> Vec<f64> {
    let mut seen = Pair::default();
    let mut log_e = 0.0;
    let mut all = Vec::new();
    for (_, pair) in looks {
        let guess = |counts: Counts| (counts.events() + prior.0) / (counts.trials() + prior.0 + prior.1);
        let alternative = (guess(seen.candidate), guess(seen.stable));
        let expected = |share: f64, trials: f64| Counts::new(share * trials, trials).unwrap();
        let nearest = null.nearest(expected(alternative.0, pair.candidate.trials()), expected(alternative.1, pair.stable.trials()));
        log_e += log_likelihood(pair.candidate, alternative.0) - log_likelihood(pair.candidate, nearest.0);
        log_e += log_likelihood(pair.stable, alternative.1) - log_likelihood(pair.stable, nearest.1);
        seen = seen.plus(*pair).unwrap();
        all.push(log_e);
    }
    all
}

fn bets(looks: &[(usize, Pair)], null: Null, alternatives: &[Alternative]) -> Vec<f64> {
    let mut tallies: Vec<Tally> = Vec::new();
    let mut all = Vec::new();
    for (step, pair) in looks {
        if tallies.len() <= *step {
            tallies.push(Tally::default());
        }
        let last = tallies.last_mut().unwrap();
        *last = last.plus(Tally::of(*pair, null));
        all.push(rates::log_e_value(&tallies, null, alternatives));
    }
    all
}

/// How many of the runs find it, and the sum of the looks at which they do (a run that does not counts with one more than there are).
#[derive(Debug, Default)]
struct Record {
    found: u64,
    looks: Vec<usize>,
}

impl Record {
    fn add(&mut self, log_e_values: &[f64], bar: f64) {
        let look = log_e_values.iter().position(|log_e| *log_e >= bar);
        self.found += u64::from(look.is_some());
        self.looks.push(look.map_or(log_e_values.len() + 1, |look| look + 1));
    }

    fn median(&mut self) -> usize {
        self.looks.sort_unstable();
        self.looks[self.looks.len() / 2]
    }
}

/// Bets, universal inference, blocks, and bets of one who knows the truth.
fn compare(name: &str, rate: f64, shares: (f64, f64), null: Null, alpha: f64) -> [Record; 4] {
    let runs = runs(8);
    let mut records: [Record; 4] = Default::default();
    let oracle = [Alternative { ratio: shares.0 / (null.offset + null.factor * shares.1), log_weight: 0.0 }];
    let alternatives = alternatives();
    for seed in 0..runs {
        let looks = looks(&mut Draws::seeded(seed), rate, shares.0, shares.1);
        let tests = [
            bets(&looks, null, &alternatives),
            sums(&looks).iter().map(|steps| universal::log_e_value(steps, null)).collect(),
            blocks(&looks, null, if null.offset == 0.0 { (0.18, 10.0) } else { (0.18, 0.18) }),
            bets(&looks, null, &oracle),
        ];
        tests.iter().zip(&mut records).for_each(|(test, record)| record.add(test, -alpha.ln()));
    }
    let text: Vec<String> =
        records.iter_mut().map(|record| format!("{:>3} % at {:>2}", 100 * record.found / runs, record.median())).collect();
    println!("{name} {rate:>3} rps {shares:?}: {}", text.join(" | "));
    records
}

#[test]
fn bets_find_more_than_their_rivals() {
    println!("share found of runs, at which look of 60 in the median: bets | universal inference | blocks | bets of one who knows");
    for rate in [2.0, 20.0] {
        let mut found = [0; 4];
        let errors = [0.01, 0.02, 0.05].map(|candidate| ("errors", candidate, Null { offset: 0.0, factor: 1.1 }));
        let failures = [0.02, 0.03, 0.05].map(|candidate| ("failures", candidate, Null { offset: 0.01, factor: 0.99 }));
        for (name, candidate, null) in errors.into_iter().chain(failures) {
            let records = compare(name, rate, (candidate, 0.005), null, 0.025);
            records.iter().zip(&mut found).for_each(|(record, found)| *found += record.found);
        }
        assert!(found[0] > found[1] && found[0] >= found[2].saturating_sub(2), "{found:?}");
    }
}
