//! One window of traffic: requests are drawn, sent over the branches of their plans, and served by the pods.

use std::collections::BTreeMap;

use super::Traffic;
use super::demand::Demand;
use super::gateway_meter::Ending;
use super::latency::{Lot, grid};
use super::pod::{Arrived, Flow, REFUSAL, Window};
use super::routing::{Branch, Fate, Plan};
use super::sampling::Stream;
use crate::sim::actors::Actors;
use crate::sim::draw::Draws;

/// Requests of a window by pod, as `namespace/name`.
type ByPod = BTreeMap<String, Vec<Arrived>>;

/// Requests of one demand on their way.
struct Sent<'a> {
    demand: usize,
    limit: (f64, Ending),
    stream: Stream,
    by_pod: &'a mut ByPod,
}

impl Traffic {
    /// Draws, sends and serves the requests of the window that has just ended.
    pub(super) fn window(&mut self, draws: &Draws, actors: &Actors) {
        let Some(plans) = self.plans.take() else { return };
        let mut by_pod = ByPod::new();
        for (demand, plan) in plans.plans.iter().enumerate() {
            self.send(demand, plan, draws, &mut by_pod);
        }
        self.plans = Some(plans);
        self.serve(by_pod, draws, actors);
    }

    fn send(&mut self, demand: usize, plan: &Plan, draws: &Draws, by_pod: &mut ByPod) {
        let (asked, identity) = (&self.demands[demand], &self.identities[demand]);
        let begin = self.counted_until();
        let count = asked.arrivals.count(draws, identity, self.windows, begin, self.window);
        let limit = limit(asked, plan);
        let mut stream = Stream::new(draws, "split", identity, self.windows);
        let tally = &mut self.books.truth.demands[demand];
        tally.arrived += count;
        if !plan.found {
            tally.unrouted += count;
            return;
        }
        let weights: Vec<f64> = plan.branches.iter().map(|branch| branch.weight).collect();
        let parts = stream.split(count, &weights);
        // Without any weight nobody may get a request.
        tally.misrouted += count - parts.iter().sum::<u64>();
        let mut sent = Sent { demand, limit, stream, by_pod };
        for (branch, part) in plan.branches.iter().zip(parts) {
            self.branch_off(&mut sent, branch, part);
            for mirror in &branch.mirrors {
                let copies = sent.stream.binomial(part, mirror.weight);
                self.branch_off(&mut sent, mirror, copies);
            }
        }
    }

    fn branch_off(&mut self, sent: &mut Sent<'_>, branch: &Branch, count: u64) {
        let tally = &mut self.books.truth.demands[sent.demand];
        let (part, ending) = match &branch.fate {
            Fate::Pods(pods) if !pods.is_empty() => {
                let parts = sent.stream.split(count, &vec![1.0; pods.len()]);
                for (pod, part) in pods.iter().zip(parts).filter(|(_, part)| *part > 0) {
                    let flow = Flow { demand: sent.demand, via: branch.via.clone() };
                    sent.by_pod.entry(pod.clone()).or_default().push(Arrived { flow, count: part, limit: sent.limit });
                    self.books.truth.pods.entry(pod.clone()).or_default().arrived += part;
                }
                return;
            }
            Fate::Pods(_) => (&mut tally.unserved, Ending::UNSERVED),
            Fate::Invalid => (&mut tally.misrouted, Ending::MISROUTED),
        };
        if !branch.via.mirror {
            *part += count;
            self.books.gateway(&branch.via, None, ending, &Lot::at(grid(), REFUSAL, count));
        }
    }

    fn serve(&mut self, mut by_pod: ByPod, draws: &Draws, actors: &Actors) {
        for (key, pod) in &mut self.pods {
            let arrived = by_pod.remove(key).unwrap_or_default();
            if !actors.pods.is_up(&pod.facts.node) {
                pod.cut_off(&mut self.books);
                pod.lost(&arrived, &mut self.books);
                continue;
            }
            let stream = Stream::new(draws, "serving", &pod.facts.uid, self.windows);
            let window = Window { demands: &self.demands, seconds: self.window.as_secs_f64(), stream };
            pod.serve(&arrived, window, &mut self.books);
        }
        // Endpoints whose pod has just gone: the connection is refused.
        for (key, arrived) in by_pod {
            for one in arrived {
                self.books.note(&one.flow, &key, one.count, |tally| &mut tally.broken);
                self.books.gateway(&one.flow.via, None, Ending::BROKEN, &Lot::at(grid(), REFUSAL, one.count));
            }
        }
    }
}

/// When a request is given up, in seconds, and by whom: the gateway or its client.
fn limit(demand: &Demand, plan: &Plan) -> (f64, Ending) {
    let patience = demand.patience.as_secs_f64();
    match plan.timeout {
        Some(timeout) if timeout <= patience => (timeout, Ending::TIMED_OUT),
        _ => (patience, Ending::GONE),
    }
}
