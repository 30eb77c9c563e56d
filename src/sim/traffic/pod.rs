//! One pod in traffic: what waits at it, what it has counted, and what becomes of the requests of a window.
//!
//! Takes requests by their way; gives them to the queue, counts them where the pod and the gateway would, and keeps the truth.
//! Draws depend on the pod and the window only. Writes nothing to the cluster.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::books::Books;
use super::demand::Demand;
use super::facts::Facts;
use super::gateway_meter::Ending;
use super::latency::{Lot, Spread, grid};
use super::pod_meter::{self, Batch};
use super::queue::{Turn, share_out, turn};
use super::registry::Registry;
use super::routing::Via;
use super::sampling::Stream;

/// How long a refusal takes, in seconds.
pub const REFUSAL: f64 = 0.001;

/// Requests that share a demand and a way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Which demand.
    pub demand: usize,
    /// Their way.
    pub via: Arc<Via>,
}

/// A flow with its requests of this window.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Which.
    pub flow: Flow,
    /// How many.
    pub count: u64,
    /// They give up after so many seconds, and how that looks.
    pub limit: (f64, Ending),
}

/// A window of time.
#[derive(Debug)]
pub struct Window<'a> {
    /// The demands.
    pub demands: &'a [Demand],
    /// Its length in seconds.
    pub seconds: f64,
    /// All chance of this pod in this window.
    pub stream: Stream,
}

/// See the module.
#[derive(Debug)]
pub struct Pod {
    /// What is known of it.
    pub facts: Facts,
    /// What it has counted since its containers started.
    pub registry: Registry,
    waiting: BTreeMap<Flow, Waiting>,
    /// Requests worked on in each of the last windows.
    running: VecDeque<f64>,
    /// How many of them [`Pod::busy`] is a mean of, at least 1.
    windows: usize,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    count: u64,
    limit: (f64, Ending),
}

impl Pod {
    /// A pod that was not known; what it does is averaged over so many windows.
    pub fn new(facts: Facts, windows: usize) -> Self {
        let registry = Registry::new(facts.target());
        let mut pod = Self { registry, facts, waiting: BTreeMap::new(), running: VecDeque::new(), windows };
        pod_meter::begin(&pod.facts, &mut pod.registry);
        pod
    }

    /// Follows what the store says of it; a new run of its containers counts from 0, and what waited is cut off.
    pub fn follow(&mut self, facts: Facts, books: &mut Books) {
        let again = facts.run != self.facts.run || facts.serving.metrics != self.facts.serving.metrics;
        if facts.run != self.facts.run {
            self.cut_off(books);
            self.running.clear();
        }
        self.facts = facts;
        if again {
            self.registry = Registry::new(self.facts.target());
            pod_meter::begin(&self.facts, &mut self.registry);
        }
    }

    /// Names what its registry counts since.
    pub fn run(&self) -> String {
        format!("{}/{:?}", self.facts.run, self.facts.serving.metrics)
    }

    /// Nothing that waits gets an answer.
    pub fn cut_off(&mut self, books: &mut Books) {
        for (flow, waiting) in std::mem::take(&mut self.waiting) {
            let broken = Arrived { flow, count: waiting.count, limit: waiting.limit };
            books.left_waiting(&broken.flow, &self.facts.key, -(waiting.count as i64));
            self.broken(&broken, books);
        }
    }

    fn broken(&self, arrived: &Arrived, books: &mut Books) {
        books.note(&arrived.flow, &self.facts.key, arrived.count, |tally| &mut tally.broken);
        books.gateway(&arrived.flow.via, Some(&self.facts), Ending::BROKEN, &Lot::at(grid(), REFUSAL, arrived.count));
    }

    /// Requests that reach a machine that is silent: their senders wait in vain.
    pub fn lost(&self, arrived: &[Arrived], books: &mut Books) {
        for one in arrived {
            let (seconds, ending) = one.limit;
            let lot = Lot::at(grid(), seconds, one.count);
            books.note(&one.flow, &self.facts.key, one.count, |tally| &mut tally.timed_out);
            books.truth.took(&self.facts.key, &lot);
            books.gateway(&one.flow.via, Some(&self.facts), ending, &lot);
        }
    }

    /// One window: `arrived` has each flow once.
    pub fn serve(&mut self, arrived: &[Arrived], mut window: Window<'_>, books: &mut Books) {
        if self.facts.run.is_empty() {
            arrived.iter().for_each(|one| self.broken(one, books));
            return;
        }
        if arrived.is_empty() && self.waiting.is_empty() {
            pod_meter::load(&self.facts, &mut self.registry, 0.0, 0);
            self.worked_on(0.0);
            return;
        }
        let flows = self.flows(arrived);
        let (before, new) = (flows.iter().map(|flow| flow.before).sum(), flows.iter().map(|flow| flow.new).sum());
        let variation = variation(&flows, window.demands);
        let share = window.stream.fraction();
        let turn = turn(&self.facts.serving, before, new, window.seconds, variation, share);
        self.settle(&flows, &turn, &mut window, books);
        pod_meter::load(&self.facts, &mut self.registry, turn.running, turn.waiting);
        self.worked_on(turn.running);
    }

    fn worked_on(&mut self, running: f64) {
        if self.running.len() == self.windows {
            self.running.pop_front();
        }
        self.running.push_back(running);
    }

    /// Requests worked on at a time, on average over the last windows; what is not known yet counts as none.
    pub fn busy(&self) -> f64 {
        self.running.iter().sum::<f64>() / self.windows as f64
    }

    /// All flows with requests here, those that wait and those that come.
    fn flows(&mut self, arrived: &[Arrived]) -> Vec<Present> {
        let mut flows: BTreeMap<Flow, Present> = BTreeMap::new();
        for (flow, waiting) in std::mem::take(&mut self.waiting) {
            flows.insert(flow.clone(), Present { flow, before: waiting.count, new: 0, limit: waiting.limit });
        }
        for one in arrived {
            let present = Present { flow: one.flow.clone(), before: 0, new: 0, limit: one.limit };
            let present = flows.entry(one.flow.clone()).or_insert(present);
            present.new += one.count;
            present.limit = one.limit;
        }
        flows.into_values().collect()
    }

    /// First come, first served: who waited goes before who comes.
    fn settle(&mut self, flows: &[Present], turn: &Turn, window: &mut Window<'_>, books: &mut Books) {
        let before: Vec<u64> = flows.iter().map(|flow| flow.before).collect();
        let new: Vec<u64> = flows.iter().map(|flow| flow.new).collect();
        let of_before = share_out(turn.completed, &before);
        let of_new = share_out(turn.completed - of_before.iter().sum::<u64>(), &new);
        let rest: Vec<u64> = new.iter().zip(&of_new).map(|(new, done)| new - done).collect();
        let refused = share_out(turn.refused, &rest);
        for (index, flow) in flows.iter().enumerate() {
            let left = before[index] - of_before[index] + rest[index] - refused[index];
            books.left_waiting(&flow.flow, &self.facts.key, left as i64 - flow.before as i64);
            if left > 0 {
                self.waiting.insert(flow.flow.clone(), Waiting { count: left, limit: flow.limit });
            }
            self.answer(flow, of_before[index] + of_new[index], refused[index], turn.wait, window, books);
        }
    }

    fn answer(&mut self, flow: &Present, completed: u64, refused: u64, wait: f64, window: &mut Window<'_>, books: &mut Books) {
        let (limit, gave_up) = flow.limit;
        let stream = &mut window.stream;
        let spread = Spread::of(&self.facts.serving.latency.distribution(), wait, limit, grid());
        let given_up = stream.binomial(completed, spread.beyond);
        let failed = stream.binomial(completed - given_up, self.facts.serving.error_rate);
        let batch = Batch {
            request: &window.demands[flow.flow.demand].request,
            answered: spread.draw(stream, completed - given_up - failed),
            failed: spread.draw(stream, failed),
            refused: Lot::at(grid(), REFUSAL, refused),
            given_up: Lot::at(grid(), limit, given_up),
            wait,
        };
        pod_meter::count(&self.facts, &mut self.registry, &batch, stream);
        let key = &self.facts.key;
        books.note(&flow.flow, key, batch.answered.count, |tally| &mut tally.answered);
        books.note(&flow.flow, key, failed, |tally| &mut tally.failed);
        books.note(&flow.flow, key, refused, |tally| &mut tally.refused);
        books.note(&flow.flow, key, given_up, |tally| &mut tally.timed_out);
        for lot in [&batch.answered, &batch.failed, &batch.given_up] {
            books.truth.took(key, lot);
        }
        let endings = [
            (Ending::ANSWERED, &batch.answered),
            (Ending::FAILED, &batch.failed),
            (Ending::REFUSED, &batch.refused),
            (gave_up, &batch.given_up),
        ];
        for (ending, lot) in endings {
            books.gateway(&flow.flow.via, Some(&self.facts), ending, lot);
        }
        for (name, rate) in &self.facts.serving.outcomes {
            let count = stream.binomial(batch.answered.count, *rate);
            pod_meter::outcome(&mut self.registry, name, count);
            *books.truth.outcomes.entry((key.clone(), name.clone())).or_default() += count;
        }
    }
}

/// A flow at this pod in this window.
struct Present {
    flow: Flow,
    before: u64,
    new: u64,
    limit: (f64, Ending),
}

/// How much arrivals vary: the burstiness of the demands, each by its share.
fn variation(flows: &[Present], demands: &[Demand]) -> f64 {
    let all: u64 = flows.iter().map(|flow| flow.new).sum();
    if all == 0 {
        return 1.0;
    }
    flows.iter().map(|flow| flow.new as f64 / all as f64 * demands[flow.flow.demand].arrivals.burstiness).sum()
}
