//! Workloads that keep pods running, and their revisions.

use serde_json::Value;

use super::check::{Causes, is_zero, join};
use super::{metadata, pods};
use crate::sim::builtin::json::{has, text};

/// `Deployment`.
pub fn deployment(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let spec = &object["spec"];
    c.not_negative(spec, "spec", "replicas");
    selector_and_template(c, spec, "deployment");
    strategy(c, &spec["strategy"], "spec.strategy");
    c.not_negative(spec, "spec", "minReadySeconds");
    c.not_negative(spec, "spec", "revisionHistoryLimit");
    if let Some(deadline) = spec["progressDeadlineSeconds"].as_i64() {
        c.not_negative(spec, "spec", "progressDeadlineSeconds");
        if deadline <= spec["minReadySeconds"].as_i64().unwrap_or_default() {
            c.invalid("spec.progressDeadlineSeconds", &spec["progressDeadlineSeconds"], "must be greater than minReadySeconds");
        }
    }
    same_selector(c, spec, old);
}

/// `ReplicaSet`.
pub fn replica_set(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let spec = &object["spec"];
    c.not_negative(spec, "spec", "replicas");
    c.not_negative(spec, "spec", "minReadySeconds");
    // The server says deployment here, too.
    selector_and_template(c, spec, "deployment");
    same_selector(c, spec, old);
}

/// `DaemonSet`.
pub fn daemon_set(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let spec = &object["spec"];
    selector_and_template(c, spec, "daemonset");
    c.not_negative(spec, "spec", "minReadySeconds");
    let strategy = &spec["updateStrategy"];
    c.one_of(strategy, "spec.updateStrategy", "type", &["OnDelete", "RollingUpdate"], true);
    if text(strategy, "type") == "RollingUpdate" {
        let (rolling, at) = (&strategy["rollingUpdate"], "spec.updateStrategy.rollingUpdate");
        counts(c, rolling, at);
        if is_zero(&rolling["maxUnavailable"]) && is_zero(&rolling["maxSurge"]) {
            c.invalid(join(at, "maxUnavailable"), &rolling["maxUnavailable"], "cannot be 0 when maxSurge is 0");
        }
        if !is_zero(&rolling["maxUnavailable"]) && has(rolling, "maxSurge") && !is_zero(&rolling["maxSurge"]) {
            c.invalid(join(at, "maxSurge"), &rolling["maxSurge"], "may not be set when maxUnavailable is non-zero");
        }
    }
    c.not_negative(spec, "spec", "revisionHistoryLimit");
    same_selector(c, spec, old);
}

/// `StatefulSet`.
pub fn stateful_set(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let spec = &object["spec"];
    c.one_of(spec, "spec", "podManagementPolicy", &["OrderedReady", "Parallel"], true);
    c.one_of(&spec["updateStrategy"], "spec.updateStrategy", "type", &["OnDelete", "RollingUpdate"], true);
    c.not_negative(&spec["updateStrategy"]["rollingUpdate"], "spec.updateStrategy.rollingUpdate", "partition");
    c.not_negative(spec, "spec", "replicas");
    c.not_negative(spec, "spec", "minReadySeconds");
    c.not_negative(spec, "spec", "revisionHistoryLimit");
    selector_and_template(c, spec, "statefulset");
    const FREE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    if let Some(old) = old
        && fixed_part(spec, &FREE) != fixed_part(&old["spec"], &FREE)
    {
        let sentence = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        c.forbidden("spec", sentence);
    }
}

fn fixed_part(spec: &Value, free: &[&str]) -> Value {
    let fields = spec.as_object().into_iter().flatten().filter(|(name, _)| !free.contains(&name.as_str()));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// `ControllerRevision`.
pub fn controller_revision(c: &mut Causes, object: &Value, old: Option<&Value>) {
    if !has(object, "data") {
        c.required("data", "data is mandatory");
    }
    c.not_negative(object, "", "revision");
    if let Some(old) = old {
        c.immutable(&object["data"], &old["data"], "data");
    }
}

/// The selector is there, is not empty, and selects the template, which is a valid one of pods that never end.
fn selector_and_template(c: &mut Causes, spec: &Value, workload: &str) {
    let selector = &spec["selector"];
    let before = c.count();
    if selector.is_null() {
        c.required("spec.selector", "");
    } else {
        metadata::selector(c, selector, "spec.selector");
    }
    let sound = c.count() == before;
    let empty = metadata::is_empty_selector(selector);
    if !selector.is_null() && empty {
        c.invalid("spec.selector", selector, format!("empty selector is invalid for {workload}"));
    }
    if !sound && !selector.is_null() && workload == "deployment" {
        c.invalid("spec.selector", selector, "invalid label selector");
        return;
    }
    let template = &spec["template"];
    if template.is_null() {
        c.required("spec.template", "");
        return;
    }
    let labels = &template["metadata"]["labels"];
    if sound && !empty && !metadata::selects(selector, labels) {
        c.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
    }
    pods::template(c, template, "spec.template");
    if has(&template["spec"], "restartPolicy") && text(&template["spec"], "restartPolicy") != "Always" {
        c.one_of(&template["spec"], "spec.template.spec", "restartPolicy", &["Always"], true);
    }
    if has(&template["spec"], "activeDeadlineSeconds") {
        let sentence = match workload {
            "deployment" => "activeDeadlineSeconds in ReplicaSet is not Supported",
            "daemonset" => "activeDeadlineSeconds in DaemonSet is not Supported",
            _ => "activeDeadlineSeconds in StatefulSet is not Supported",
        };
        c.forbidden("spec.template.spec.activeDeadlineSeconds", sentence);
    }
}

fn strategy(c: &mut Causes, strategy: &Value, at: &str) {
    match text(strategy, "type") {
        "Recreate" => {
            if has(strategy, "rollingUpdate") {
                c.forbidden(join(at, "rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'");
            }
        }
        "RollingUpdate" if !has(strategy, "rollingUpdate") => {
            c.required(join(at, "rollingUpdate"), "this should be defaulted and never be nil");
        }
        "RollingUpdate" => {
            let (rolling, at) = (&strategy["rollingUpdate"], join(at, "rollingUpdate"));
            counts(c, rolling, &at);
            if is_zero(&rolling["maxUnavailable"]) && is_zero(&rolling["maxSurge"]) {
                c.invalid(join(&at, "maxUnavailable"), &rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0");
            }
        }
        _ => c.one_of(strategy, at, "type", &["Recreate", "RollingUpdate"], true),
    }
}

fn counts(c: &mut Causes, rolling: &Value, at: &str) {
    c.count_or_percent(rolling, at, "maxUnavailable");
    c.count_or_percent(rolling, at, "maxSurge");
    c.at_most_all(rolling, at, "maxUnavailable");
}

fn same_selector(c: &mut Causes, spec: &Value, old: Option<&Value>) {
    if let Some(old) = old {
        c.immutable(&spec["selector"], &old["spec"]["selector"], "spec.selector");
    }
}
