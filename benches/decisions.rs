//! What releases come to when the analysis judges them, beside other rules on the same requests.
//!
//! `cargo bench --bench decisions` plays 2,000 seeds of each cell (`-- --seeds 200` fewer) and prints the tables of
//! `docs/benchmarks.md`. The same seeds give the same figures.

#![expect(clippy::unwrap_used, reason = "a bench has nobody to report to but its reader")]

#[path = "../tests/decisions/simulation.rs"]
mod simulation;

use std::time::Instant;

use modelward::domain::statistics::planning::{PlannedStep, detectable, is_found, requests_needed};
use modelward::domain::statistics::proportions::{Better, Comparison};

use simulation::outcome::Outcomes;
use simulation::product::{HOLD, MARGIN, WEIGHTS, bounded, compared};
use simulation::rivals::Rival;
use simulation::world::World;
use simulation::{CRITICAL, RATES, Rule, STABLE, outcomes};

/// Error rates of the candidate: as good as stable, just within the margin, and worse.
const CANDIDATES: [f64; 5] = [STABLE, 0.0055, 0.01, 0.02, 0.05];
/// The bound of the thresholds.
const MAX: f64 = 0.01;

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn rules() -> [(&'static str, Rule); 6] {
    let plain = |failure_limit: u32| Rule::Rival(Rival::Plain { max: MAX, failure_limit });
    [
        ("`comparedToStable`", Rule::Product(compared())),
        ("`max: 0.01`", Rule::Product(bounded(MAX))),
        ("plain threshold, 1", plain(1)),
        ("plain threshold, 3", plain(3)),
        ("z test at the end", Rule::Rival(Rival::AtTheEnd { critical: CRITICAL })),
        ("z test at every look", Rule::Rival(Rival::EveryLook { critical: CRITICAL })),
    ]
}

/// What a plan of the error rate's test is made of.
struct Beforehand {
    test: Comparison,
    steps: [PlannedStep; 3],
}

impl Beforehand {
    fn at(rate: f64) -> Self {
        let criteria = compared();
        let margin = criteria.metrics[0].margin.unwrap();
        let test = Comparison::new(Better::Lower, margin.max_regression_percent, margin.alpha, criteria.minimum_samples as f64).unwrap();
        // What is read before the hold is over: the last window comes too late.
        let counted = rate * (HOLD as f64 - criteria.interval.as_secs_f64());
        let steps = WEIGHTS.map(|weight| {
            let share = f64::from(weight) / 100.0;
            PlannedStep { candidate: counted * share, stable: counted * (1.0 - share) }
        });
        Self { test, steps }
    }

    fn found(&self, candidate: f64) -> bool {
        is_found(&self.test, candidate, STABLE, &self.steps).unwrap()
    }

    fn words(&self, candidate: f64) -> &'static str {
        match self.found(candidate) {
            true => "tells",
            false if candidate <= STABLE * (1.0 + MARGIN / 100.0) => "not worse",
            false => "**cannot tell**",
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn cell(outcomes: &Outcomes) -> String {
    let (low, high) = outcomes.interval();
    let seconds = |time: Option<f64>| time.map_or("–".to_owned(), |time| format!("{time:.0} s"));
    let median = outcomes.median_time().map(|time| time as f64);
    format!(
        "{:.1} % ({:.1}-{:.1}) | {} | {} | {:.1} | {} | {}",
        100.0 * outcomes.share(),
        100.0 * low,
        100.0 * high,
        seconds(median),
        seconds(outcomes.mean_time()),
        outcomes.exposure(),
        outcomes.found() - outcomes.found_by_errors(),
        outcomes.held()
    )
}

fn plans() {
    println!("| requests per second | found in nine of ten releases from | requests for 1 % at a quarter of the traffic | so long |");
    println!("|---|---|---|---|");
    for rate in RATES {
        let beforehand = Beforehand::at(rate);
        let from = detectable(&beforehand.test, STABLE, &beforehand.steps).unwrap();
        let needed = requests_needed(&beforehand.test, 0.01, STABLE, 0.25).unwrap().unwrap();
        println!("| {rate} | {} | {needed:.0} | {:.0} min |", from.map_or("nothing".to_owned(), percent), needed / rate / 60.0);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments.iter().position(|argument| argument == "--seeds").map(|place| arguments[place + 1].parse().unwrap());
    let seeds: u64 = given.unwrap_or(2_000);
    let start = now();
    println!("{seeds} seeds of each cell\n");
    plans();
    for candidate in CANDIDATES {
        println!("\nThe candidate errs at {}, stable at {}:\n", percent(candidate), percent(STABLE));
        println!(
            "| requests per second | beforehand | rule | taken back (95 %) | half by | mean time | failed until then | for latency | held |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for rate in RATES {
            let beforehand = Beforehand::at(rate).words(candidate);
            for (name, rule) in rules() {
                let played = outcomes(World { rate, stable: STABLE, candidate }, &rule, seeds);
                println!("| {rate} | {beforehand} | {name} | {} |", cell(&played));
            }
        }
    }
    eprintln!("\n{:.0} s", start.elapsed().as_secs_f64());
}
