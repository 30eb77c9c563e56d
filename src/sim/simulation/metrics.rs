//! Traffic in a simulation, and the metrics backend over it.

use std::time::Duration;

use super::Simulation;
use crate::sim::promql::Storage;
use crate::sim::routes::{Answer, ApiRequest, Served};
use crate::sim::traffic::backend::{self, Fault};
use crate::sim::traffic::{Settings, Traffic};

impl Simulation {
    /// Requests come from now on, and metrics are scraped. Without demands nothing is done, and nothing is scraped; without
    /// actors neither, for there is nobody who could serve.
    pub fn set_traffic(&mut self, settings: Settings) {
        let now = self.cluster.now();
        self.usage_changes += 1;
        self.traffic = (!settings.demands.is_empty() && self.actors.is_some()).then(|| Traffic::new(settings, now));
    }

    /// The traffic, if there is any.
    pub fn traffic(&self) -> Option<&Traffic> {
        self.traffic.as_ref()
    }

    /// Follows routes and pods up to now, for those who ask between two windows.
    pub fn refresh_traffic(&mut self) {
        self.settle();
        if let (Some(traffic), Some(actors)) = (&mut self.traffic, &self.actors) {
            traffic.refresh(self.cluster.now(), &self.cluster, actors);
        }
    }

    /// The next look at routes and pods is one at everything.
    #[cfg(test)]
    pub(in crate::sim) fn forget_traffic_plans(&mut self) {
        if let Some(traffic) = &mut self.traffic {
            traffic.look_again();
        }
    }

    /// What is wrong with the metrics backend from now on; none: nothing.
    pub fn set_metrics_fault(&mut self, fault: Option<Fault>) {
        self.metrics_fault = fault;
    }

    /// What is wrong with the metrics backend.
    pub fn metrics_fault(&self) -> Option<Fault> {
        self.metrics_fault
    }

    /// Answers a request to the metrics backend, whose path begins with `/api/v1/` or `/-/`.
    pub fn ask_metrics(&self, request: &ApiRequest, path: &str) -> Served {
        let nothing = Storage::new();
        let storage = self.traffic.as_ref().map_or(&nothing, Traffic::storage);
        match backend::answer(storage, self.cluster.now(), self.metrics_fault, request, path) {
            Some((reply, delay)) => Served { answer: Answer::Whole(reply), delay },
            None => Served { answer: Answer::Broken, delay: Duration::ZERO },
        }
    }
}
