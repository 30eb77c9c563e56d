//! POST to `pods/eviction`: a deletion that asks the disruption budgets first.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Asked, binding, delete, errors, meta};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::{Cluster, DeleteOptions, Identity, WriteOptions, Written};
use crate::sim::selector::Labels;
use crate::sim::store::ObjectKey;

/// Most pods that a budget remembers as being disrupted.
const DISRUPTED_MAX: usize = 2000;

impl Cluster {
    /// Evicts a pod; `options` are the `deleteOptions` of the body.
    ///
    /// # Errors
    /// 404 no such pod, 409 preconditions, 429 a budget forbids it, 500 more than one budget.
    pub fn evict(&mut self, who: &Identity, namespace: &str, name: &str, options: &DeleteOptions) -> Result<Written, ApiError> {
        let resource = self.resource("pods")?;
        let write = WriteOptions { dry_run: options.dry_run, ..WriteOptions::default() };
        let asked = Asked { who, resource, namespace, name, subresource: Some("eviction"), options: &write };
        let Some(entry) = self.store.get(&asked.key()) else {
            return Err(errors::not_found(&asked.resource, name));
        };
        let pod = Arc::clone(&entry.served);
        delete::check_preconditions(&asked, options, &pod)?;
        if !ignores_budgets(&pod) {
            self.ask_budgets(&asked, &pod)?;
        }
        self.mark_disrupted(&asked, &pod);
        // The mark has moved the revision on; it was compared before.
        let options = DeleteOptions { resource_version: None, ..options.clone() };
        self.delete_asked(&asked, &options)?;
        let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
        Ok(Written { object: Arc::new(status), code: 201, warnings: Vec::new() })
    }

    fn ask_budgets(&mut self, asked: &Asked<'_>, pod: &Value) -> Result<(), ApiError> {
        let budgets: Vec<(String, Arc<Value>)> = self
            .store
            .range("poddisruptionbudgets.policy", Some(asked.namespace))
            .filter(|(_, entry)| selects(&entry.served, pod))
            .map(|(place, entry)| (place.1.clone(), Arc::clone(&entry.served)))
            .collect();
        match budgets.as_slice() {
            [] => Ok(()),
            [(name, budget)] => {
                let Some(changed) = charge(name, budget, pod, self.now())? else { return Ok(()) };
                if !asked.options.dry_run {
                    let key = ObjectKey::new("poddisruptionbudgets.policy", asked.namespace, name);
                    self.write_as_server(&key, budget, changed);
                }
                Ok(())
            }
            _ => Err(errors::internal("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")),
        }
    }

    fn mark_disrupted(&mut self, asked: &Asked<'_>, pod: &Value) {
        let condition = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
            "lastProbeTime": null, "lastTransitionTime": meta::time(self.now()),
        });
        if asked.options.dry_run || meta::is_deleting(pod) {
            return;
        }
        let mut marked = pod.clone();
        binding::set_condition(&mut marked, condition);
        let key = ObjectKey::new("pods", asked.namespace, asked.name);
        self.put(&asked.author(), &key, marked);
    }
}

/// Pods that do not run, or are going, are not protected.
fn ignores_budgets(pod: &Value) -> bool {
    meta::is_deleting(pod) || matches!(pod["status"]["phase"].as_str(), Some("Pending" | "Succeeded" | "Failed"))
}

fn selects(budget: &Value, pod: &Value) -> bool {
    Labels::from_selector(&budget["spec"]["selector"]).is_ok_and(|labels| labels.matches(pod))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// The budget after this eviction; `None` if the budget does not count it.
fn charge(name: &str, budget: &Value, pod: &Value, now: Timestamp) -> Result<Option<Value>, ApiError> {
    let number = |field: &str| budget["status"][field].as_i64().unwrap_or(0);
    if !is_ready(pod) {
        let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
        let healthy = number("desiredHealthy") > 0 && number("currentHealthy") >= number("desiredHealthy");
        if always || healthy {
            return Ok(None);
        }
    }
    if number("observedGeneration") < meta::generation(budget) {
        let message = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refused(message).retry_after(10));
    }
    let allowed = number("disruptionsAllowed");
    let disrupted = budget["status"]["disruptedPods"].as_object().map_or(0, serde_json::Map::len);
    if allowed <= 0 {
        let message = format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            number("desiredHealthy"),
            number("currentHealthy")
        );
        return Err(refused(message));
    }
    if disrupted > DISRUPTED_MAX {
        let message = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
        return Err(ApiError::new(403, "Forbidden", message).with_details(json!({ "name": name, "kind": "poddisruptionbudgets" })));
    }
    let mut changed = budget.clone();
    changed["status"]["disruptionsAllowed"] = json!(allowed - 1);
    if !changed["status"]["disruptedPods"].is_object() {
        changed["status"]["disruptedPods"] = json!({});
    }
    changed["status"]["disruptedPods"][meta::text(pod, "name")] = json!(meta::time(now));
    Ok(Some(changed))
}

fn refused(message: String) -> ApiError {
    let cause = Cause::new("DisruptionBudget", "", message);
    ApiError::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
        .with_details(json!({ "causes": [cause.to_json()] }))
}
