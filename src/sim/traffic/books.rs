//! Where requests are counted besides the pods: the truth, and the metrics of gateways.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::gateway_meter::{self, Ending, GatewayFlavour};
use super::latency::Lot;
use super::pod::Flow;
use super::registry::Registry;
use super::routing::Via;
use super::truth::{Tally, Truth};

/// See the module.
#[derive(Debug)]
pub struct Books {
    /// What really happened.
    pub truth: Truth,
    /// What every gateway has counted, by `namespace/name`.
    pub gateways: BTreeMap<String, Registry>,
    flavour: GatewayFlavour,
}

impl Books {
    /// Nothing has happened, for so many demands.
    pub fn new(demands: usize, flavour: GatewayFlavour) -> Self {
        let truth = Truth { demands: vec![Tally::default(); demands], ..Truth::default() };
        Self { truth, gateways: BTreeMap::new(), flavour }
    }

    /// Notes what became of requests at a pod; copies count for the pod only.
    pub fn note(&mut self, flow: &Flow, pod: &str, count: u64, part: fn(&mut Tally) -> &mut u64) {
        if count == 0 {
            return;
        }
        *part(self.truth.pods.entry(pod.to_owned()).or_default()) += count;
        if !flow.via.mirror {
            *part(&mut self.truth.demands[flow.demand]) += count;
        }
    }

    /// Changes how many wait.
    pub fn left_waiting(&mut self, flow: &Flow, pod: &str, more: i64) {
        if more == 0 {
            return;
        }
        let tally = self.truth.pods.entry(pod.to_owned()).or_default();
        tally.waiting = tally.waiting.saturating_add_signed(more);
        if !flow.via.mirror {
            let tally = &mut self.truth.demands[flow.demand];
            tally.waiting = tally.waiting.saturating_add_signed(more);
        }
    }

    /// Counts requests at the gateway that they came through, if any; a gateway does not wait for copies.
    pub fn gateway(&mut self, via: &Via, pod: Option<&Facts>, ending: Ending, lot: &Lot) {
        let Some(gateway) = via.gateway.as_deref().filter(|_| !via.mirror && lot.count > 0) else { return };
        let flavour = self.flavour;
        let registry = self.open(gateway);
        gateway_meter::count(flavour, registry, gateway, via, pod, ending, lot);
    }

    /// The registry of a gateway, from now on there.
    pub fn open(&mut self, gateway: &str) -> &mut Registry {
        let (namespace, name) = gateway.split_once('/').unwrap_or(("", gateway));
        let flavour = self.flavour;
        self.gateways.entry(gateway.to_owned()).or_insert_with(|| Registry::new(gateway_meter::target(flavour, namespace, name)))
    }
}
