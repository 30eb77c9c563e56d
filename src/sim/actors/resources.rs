//! What pods ask for and what nodes and quotas hold: amounts by resource name.
//!
//! Takes pod specs and quantity maps; gives sums that compare exactly. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::object::{items, map, text};
use crate::sim::builtin::quantity::Quantity;

/// Amounts by resource name, such as `cpu`, `memory`, `nvidia.com/gpu`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(pub BTreeMap<String, Quantity>);

impl Amounts {
    /// From a map of quantities; entries that are no quantity are left out, the API server refuses them.
    pub fn of(quantities: Option<&Map<String, Value>>) -> Self {
        let parsed = |(name, value): (&String, &Value)| Some((name.clone(), Quantity::from_json(value).ok()?));
        Self(quantities.into_iter().flatten().filter_map(parsed).collect())
    }

    /// One amount; none is zero.
    pub fn get(&self, resource: &str) -> Quantity {
        self.0.get(resource).copied().unwrap_or(Quantity::ZERO)
    }

    /// Adds every amount of `other`.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_insert(Quantity::ZERO) += *amount;
        }
    }

    /// Takes every amount of `other` away; what becomes zero is forgotten.
    pub fn subtract(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_insert(Quantity::ZERO) -= *amount;
        }
        self.0.retain(|_, amount| !amount.is_zero());
    }

    /// Raises every amount to at least that of `other`.
    pub fn raise_to(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let own = self.0.entry(name.clone()).or_insert(Quantity::ZERO);
            *own = (*own).max(*amount);
        }
    }

    /// The wire form.
    pub fn to_json(&self) -> Value {
        self.0.iter().map(|(name, amount)| (name.clone(), json!(amount.to_string()))).collect()
    }
}

/// What a pod reserves: the sum of its containers and sidecars or its largest init step, whichever is more, plus overhead.
///
/// `list` is `requests` or `limits`. A pod-level amount replaces the sum of the containers.
pub fn of_pod(pod: &Value, list: &str) -> Amounts {
    let amounts = |container: &Value| Amounts::of(map(container, &["resources", list]));
    let mut total = Amounts::default();
    for container in items(pod, &["spec", "containers"]) {
        total.add(&amounts(container));
    }
    let mut started = Amounts::default();
    let mut largest = Amounts::default();
    for container in items(pod, &["spec", "initContainers"]) {
        let mut step = started.clone();
        step.add(&amounts(container));
        largest.raise_to(&step);
        if text(container, &["restartPolicy"]) == "Always" {
            total.add(&amounts(container));
            started = step;
        }
    }
    total.raise_to(&largest);
    total.0.extend(Amounts::of(map(pod, &["spec", "resources", list])).0);
    total.add(&Amounts::of(map(pod, &["spec", "overhead"])));
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(cpu: &str) -> Value {
        json!({ "resources": { "requests": { "cpu": cpu } } })
    }

    fn cpu(pod: &Value) -> String {
        of_pod(pod, "requests").get("cpu").to_string()
    }

    #[test]
    fn containers_add_up_and_the_largest_init_container_counts_alone() {
        let pod = json!({ "spec": { "containers": [container("500m"), container("1")], "initContainers": [container("1200m"), container("2")] } });
        assert_eq!(cpu(&pod), "2");
    }

    #[test]
    fn a_sidecar_counts_with_the_containers_and_with_later_init_steps() {
        let mut sidecar = container("300m");
        sidecar["restartPolicy"] = json!("Always");
        let pod = json!({ "spec": { "containers": [container("1")], "initContainers": [sidecar, container("900m")], "overhead": { "cpu": "50m" } } });
        assert_eq!(cpu(&pod), "1350m");
    }

    #[test]
    fn extended_resources_are_counted_like_others() {
        let gpu = json!({ "resources": { "requests": { "nvidia.com/gpu": 2 } } });
        let pod = json!({ "spec": { "containers": [gpu] } });
        assert_eq!(of_pod(&pod, "requests").get("nvidia.com/gpu"), Quantity::from_units(2));
    }
}
