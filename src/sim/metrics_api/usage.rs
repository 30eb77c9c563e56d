//! What pods use of cpu and memory, as a model: so much when idle, and so much more for each request that is being worked on.
//!
//! Takes a pod, how many requests it works on and how many it can; gives the usage of its containers. What is not said follows
//! from the container's requests: a server uses 5 % of its cpu request when idle and all of it at full concurrency, half of its
//! memory request when idle and four fifths at full concurrency. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ContainerUsage;
use crate::sim::actors::object::{items, text};
use crate::sim::builtin::quantity::Quantity;

/// Use of one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Without requests; none: by the container's request.
    pub idle: Option<Quantity>,
    /// For each request that is worked on; none: by the container's request.
    pub per_request: Option<Quantity>,
}

/// Use of all resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageModel {
    /// Cores.
    pub cpu: Load,
    /// Bytes.
    pub memory: Load,
}

/// How a resource is used when only the container's request is known.
struct Habit {
    resource: &'static str,
    /// Shares of the request: idle, and at full concurrency.
    idle: f64,
    busy: f64,
    /// Thousandths without any request: idle, and per request that is worked on.
    idle_unasked: f64,
    each_unasked: f64,
    /// Amounts are whole multiples of so many thousandths: there is no part of a byte.
    grain: f64,
}

const MEBIBYTE: f64 = 1024.0 * 1024.0 * 1000.0;
const CPU: Habit = Habit { resource: "cpu", idle: 0.05, busy: 1.0, idle_unasked: 10.0, each_unasked: 100.0, grain: 1.0 };
const MEMORY: Habit =
    Habit { resource: "memory", idle: 0.5, busy: 0.8, idle_unasked: 64.0 * MEBIBYTE, each_unasked: 4.0 * MEBIBYTE, grain: 1000.0 };

impl UsageModel {
    /// Containers of a pod that works on `busy` requests, on average, of at most `concurrency`. The first container serves;
    /// every other one, sidecars among them, is idle.
    pub fn containers(&self, pod: &Value, busy: f64, concurrency: u32) -> Vec<ContainerUsage> {
        let sidecars = items(pod, &["spec", "initContainers"]).iter().filter(|init| text(init, &["restartPolicy"]) == "Always");
        let all = items(pod, &["spec", "containers"]).iter().chain(sidecars);
        all.enumerate()
            .map(|(index, container)| {
                let (model, busy) = if index == 0 { (*self, busy) } else { (Self::default(), 0.0) };
                let used = |habit: &Habit, load: &Load| (habit.resource.to_owned(), habit.millis(container, load, busy, concurrency));
                let usage = BTreeMap::from([used(&CPU, &model.cpu), used(&MEMORY, &model.memory)]);
                ContainerUsage { name: text(container, &["name"]).to_owned(), usage }
            })
            .collect()
    }
}

impl Habit {
    /// Thousandths of the resource that a container uses, rounded up as the API rounds.
    fn millis(&self, container: &Value, load: &Load, busy: f64, concurrency: u32) -> i64 {
        let request = &container["resources"]["requests"][self.resource];
        let asked = Quantity::from_json(request).ok().map(|quantity| quantity.millis() as f64).filter(|asked| *asked > 0.0);
        let slots = f64::from(concurrency.max(1));
        let (idle, each) = match asked {
            Some(asked) => (asked * self.idle, asked * (self.busy - self.idle) / slots),
            None => (self.idle_unasked, self.each_unasked),
        };
        let said = |amount: Option<Quantity>| amount.map(|amount| amount.millis() as f64);
        let used = said(load.idle).unwrap_or(idle) + said(load.per_request).unwrap_or(each) * busy;
        ((used / self.grain).ceil() * self.grain) as i64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({ "spec": {
            "containers": [
                { "name": "server", "resources": { "requests": { "cpu": "2", "memory": "1Gi" } } },
                { "name": "helper" },
            ],
            "initContainers": [
                { "name": "setup" },
                { "name": "proxy", "restartPolicy": "Always", "resources": { "requests": { "cpu": "100m" } } },
            ],
        } })
    }

    fn used(containers: &[ContainerUsage]) -> Vec<(&str, i64, i64)> {
        containers.iter().map(|one| (one.name.as_str(), one.usage["cpu"], one.usage["memory"] / 1000)).collect()
    }

    #[test]
    fn what_is_not_said_follows_from_the_requests_of_the_container() {
        let (mebi, model) = (1024 * 1024, UsageModel::default());
        let rest = [("helper", 10, 64 * mebi), ("proxy", 5, 64 * mebi)];
        assert_eq!(used(&model.containers(&pod(), 0.0, 8)), [[("server", 100, 512 * mebi)].as_slice(), &rest].concat());
        let full = model.containers(&pod(), 8.0, 8);
        assert_eq!(used(&full)[0], ("server", 2000, 858_993_459 + 1));
        assert_eq!(used(&full)[1..], rest);
        assert_eq!(used(&model.containers(&pod(), 4.0, 8))[0].1, 1050);
    }

    #[test]
    fn what_is_said_counts_for_the_container_that_serves() {
        let said = |text: &str| Some(Quantity::parse(text).unwrap());
        let cpu = Load { idle: said("50m"), per_request: said("300m") };
        let model = UsageModel { cpu, memory: Load { idle: None, per_request: said("1Mi") } };
        let found = model.containers(&pod(), 2.5, 8);
        assert_eq!(used(&found)[0], ("server", 800, 512 * 1024 * 1024 + 2 * 1024 * 1024 + 512 * 1024));
        assert_eq!(used(&found)[1].1, 10);
    }
}
