//! POST to `pods/binding`: the scheduler's decision.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Asked, errors, meta};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::{Cluster, Identity, WriteOptions, Written};

impl Cluster {
    /// Binds a pod to the node that the body (`Binding`) names in `target.name`.
    ///
    /// # Errors
    /// 404 no such pod, 409 bound or deleting, 422 without a target.
    pub fn bind(
        &mut self,
        who: &Identity,
        namespace: &str,
        name: &str,
        binding: &Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let resource = self.resource("pods")?;
        let asked = Asked { who, resource, namespace, name, subresource: Some("binding"), options };
        let node = target_of(name, binding)?;
        let Some(entry) = self.store.get(&asked.key()) else {
            return Err(errors::not_found(&asked.resource, name));
        };
        let live = Arc::clone(&entry.served);
        let taken = live["spec"]["nodeName"].as_str().unwrap_or_default();
        check_record(name, binding, &live)?;
        let gates = live["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty());
        let problem = if gates {
            Some(format!("pod {name} has non-empty .spec.schedulingGates"))
        } else if meta::is_deleting(&live) {
            Some(format!("pod {name} is being deleted, cannot be assigned to a host"))
        } else if !taken.is_empty() {
            Some(format!("pod {name} is already assigned to node {taken:?}"))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(conflict(name, &problem));
        }
        if !options.dry_run {
            let mut bound = (*live).clone();
            bound["spec"]["nodeName"] = json!(node);
            copy_entries(binding, &mut bound, "annotations");
            copy_entries(binding, &mut bound, "labels");
            let scheduled = json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": meta::time(self.now()),
            });
            set_condition(&mut bound, scheduled);
            self.put(&asked.author(), &asked.key(), bound);
        }
        let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
        Ok(Written { object: Arc::new(status), code: 201, warnings: Vec::new() })
    }
}

fn target_of<'a>(name: &str, binding: &'a Value) -> Result<&'a str, ApiError> {
    let kind = binding["target"]["kind"].as_str().unwrap_or_default();
    let mut causes = Vec::new();
    if !matches!(kind, "" | "Node" | "Minion") {
        let message = format!("Unsupported value: {kind:?}: supported values: \"Node\", \"<empty>\"");
        causes.push(Cause::new("FieldValueNotSupported", "target.kind", message));
    }
    let node = binding["target"]["name"].as_str().unwrap_or_default();
    if node.is_empty() {
        causes.push(Cause::new("FieldValueRequired", "target.name", "Required value"));
    }
    if causes.is_empty() { Ok(node) } else { Err(ApiError::invalid("Binding", "", name, &causes)) }
}

/// A binding that names a uid or a revision is meant for that pod only.
fn check_record(name: &str, binding: &Value, live: &Value) -> Result<(), ApiError> {
    for (field, title) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let (wanted, found) = (meta::text(binding, field), meta::text(live, field));
        if !wanted.is_empty() && wanted != found {
            let message = format!("Precondition failed: {title} in precondition: {wanted}, {title} in object meta: {found}");
            return Err(conflict(name, &message));
        }
    }
    Ok(())
}

/// Annotations and labels of a binding become those of the pod.
fn copy_entries(binding: &Value, pod: &mut Value, field: &str) {
    for (key, value) in binding["metadata"][field].as_object().into_iter().flatten() {
        pod["metadata"][field][key] = value.clone();
    }
}

fn conflict(name: &str, problem: &str) -> ApiError {
    ApiError::new(409, "Conflict", format!("Operation cannot be fulfilled on pods/binding {name:?}: {problem}"))
        .with_details(json!({ "name": name, "kind": "pods/binding" }))
}

/// Replaces the condition of the same type, or adds it.
pub(super) fn set_condition(object: &mut Value, condition: Value) {
    if !object["status"]["conditions"].is_array() {
        object["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = object["status"]["conditions"].as_array_mut() else { return };
    match conditions.iter_mut().find(|known| known["type"] == condition["type"]) {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
}
