//! What may still change about a pod that exists.

use serde_json::{Value, json};

use super::check::{Causes, item, join};
use super::{metadata, scheduling};
use crate::sim::builtin::json::{has, list, text};

/// The sentence of the server, without its dump of differences.
const FORBIDDEN: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Checks a pod against its stored form.
pub fn check(c: &mut Causes, object: &Value, old: &Value) {
    let (new_spec, old_spec) = (&object["spec"], &old["spec"]);
    for (kind, complaint) in [
        ("containers", "pod updates may not add or remove containers"),
        ("initContainers", "pod updates may not add or remove containers"),
        ("ephemeralContainers", "pod updates may not add or remove ephemeral containers"),
    ] {
        if list(new_spec, kind).len() != list(old_spec, kind).len() {
            c.forbidden(join("spec", kind), complaint);
            return;
        }
    }
    images(c, new_spec);
    deadline(c, new_spec, old_spec);
    tolerations(c, new_spec, old_spec);
    gates(c, new_spec, old_spec);
    let gated = !list(old_spec, "schedulingGates").is_empty();
    if gated {
        metadata::labels(c, &new_spec["nodeSelector"], "spec.nodeSelector");
        scheduling::affinity(c, &new_spec["affinity"], "spec.affinity");
    }
    let mut allowed = new_spec.clone();
    take_over(&mut allowed, old_spec, gated);
    if allowed != *old_spec {
        let differing = differences(&allowed, old_spec);
        c.forbidden("spec", format!("{FORBIDDEN}\nchanged: {}", differing.join(", ")));
    }
}

fn images(c: &mut Causes, spec: &Value) {
    for kind in ["containers", "initContainers"] {
        for (index, container) in list(spec, kind).iter().enumerate() {
            let place = join(&item(&join("spec", kind), index), "image");
            match text(container, "image") {
                "" => c.required(place, ""),
                image if image.trim() != image => c.invalid(place, &json!(image), "must not have leading or trailing whitespace"),
                _ => {}
            }
        }
    }
}

fn deadline(c: &mut Causes, new: &Value, old: &Value) {
    const AT: &str = "spec.activeDeadlineSeconds";
    match (new["activeDeadlineSeconds"].as_i64(), old["activeDeadlineSeconds"].as_i64()) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            c.invalid(AT, &json!(seconds), "must be between 0 and 2147483647, inclusive");
        }
        (Some(seconds), Some(before)) if seconds > before => c.invalid(AT, &json!(seconds), "must be less than or equal to previous value"),
        (None, Some(_)) => c.invalid(AT, &Value::Null, "must not update from a positive integer to nil value"),
        _ => {}
    }
}

/// Tolerations may be added; of existing ones only the seconds may change.
fn tolerations(c: &mut Causes, new: &Value, old: &Value) {
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        toleration.as_object_mut().map(|fields| fields.remove("tolerationSeconds"));
        toleration
    };
    let kept: Vec<Value> = list(new, "tolerations").iter().map(without_seconds).collect();
    if list(old, "tolerations").iter().any(|toleration| !kept.contains(&without_seconds(toleration))) {
        c.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
    }
    scheduling::tolerations(c, new, "spec");
}

fn gates(c: &mut Causes, new: &Value, old: &Value) {
    for (index, gate) in list(new, "schedulingGates").iter().enumerate() {
        if !list(old, "schedulingGates").contains(gate) {
            let complaint = format!("only deletion is allowed, but found new scheduling gate '{}'", text(gate, "name"));
            c.forbidden(item("spec.schedulingGates", index), complaint);
        }
    }
}

/// Puts the stored values back wherever a change is allowed, so that what remains is forbidden.
fn take_over(new: &mut Value, old: &Value, gated: bool) {
    for kind in ["containers", "initContainers"] {
        for (container, before) in new.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten().zip(list(old, kind)) {
            container["image"] = before["image"].clone();
        }
    }
    let once_negative = old["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0);
    let grace = once_negative && new["terminationGracePeriodSeconds"] == 1;
    let mut free = vec!["activeDeadlineSeconds", "tolerations", "schedulingGates"];
    if grace {
        free.push("terminationGracePeriodSeconds");
    }
    if gated {
        free.extend(["nodeSelector", "affinity"]);
    }
    let Some(fields) = new.as_object_mut() else { return };
    for name in free {
        if has(old, name) {
            fields.insert(name.to_owned(), old[name].clone());
        } else {
            fields.remove(name);
        }
    }
}

/// Names of the fields of the spec that differ.
fn differences(new: &Value, old: &Value) -> Vec<String> {
    let names = |value: &Value| value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let mut all: Vec<String> = names(new).into_iter().chain(names(old)).filter(|name| new.get(name) != old.get(name)).collect();
    all.sort();
    all.dedup();
    all
}
