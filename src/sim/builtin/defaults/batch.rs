//! Defaults of jobs.

use serde_json::{Map, Value, json};

use super::{fill_spec, name_of, pods};
use crate::sim::builtin::json::{fill, fill_text, has, object_at, object_made, text};

/// `Job`.
pub fn job(object: &mut Value) {
    let labels = object.pointer("/spec/template/metadata/labels").cloned();
    if let Some(labels) = labels
        && let Some(metadata) = object_made(object, &["metadata"])
    {
        fill(metadata, "labels", labels);
    }
    if let Some(spec) = object_made(object, &["spec"]) {
        job_spec(spec);
    }
}

fn job_spec(spec: &mut Map<String, Value>) {
    let absent = |spec: &Map<String, Value>, name: &str| spec.get(name).is_none_or(Value::is_null);
    if absent(spec, "completions") && absent(spec, "parallelism") {
        fill(spec, "completions", 1);
    }
    fill(spec, "parallelism", 1);
    let per_index = !absent(spec, "backoffLimitPerIndex");
    fill(spec, "backoffLimit", if per_index { i32::MAX } else { 6 });
    fill(spec, "completionMode", "NonIndexed");
    fill(spec, "suspend", false);
    let replacement = if absent(spec, "podFailurePolicy") { "TerminatingOrFailed" } else { "Failed" };
    fill(spec, "podReplacementPolicy", replacement);
    pods::template(spec.get_mut("template"));
}

/// `CronJob`.
pub fn cron_job(object: &mut Value) {
    fill_spec(object, "suspend", false);
    fill_spec(object, "successfulJobsHistoryLimit", 3);
    fill_spec(object, "failedJobsHistoryLimit", 1);
    if let Some(spec) = object_made(object, &["spec"]) {
        fill_text(spec, "concurrencyPolicy", "Allow");
    }
    pods::template(object.pointer_mut("/spec/jobTemplate/spec/template"));
}

/// Makes the selector of a job from its uid, unless the user takes care of it.
pub fn generate_selector(object: &mut Value) {
    let manual = object.pointer("/spec/manualSelector") == Some(&json!(true));
    let uid = object.get("metadata").map(|metadata| text(metadata, "uid").to_owned()).unwrap_or_default();
    let name = name_of(object);
    if manual || object.get("spec").is_some_and(|spec| has(spec, "selector")) || uid.is_empty() {
        return;
    }
    if let Some(labels) = object_made(object, &["spec", "template", "metadata", "labels"]) {
        for key in ["controller-uid", "batch.kubernetes.io/controller-uid"] {
            labels.insert(key.to_owned(), json!(uid));
        }
        for key in ["job-name", "batch.kubernetes.io/job-name"] {
            labels.insert(key.to_owned(), json!(name));
        }
    }
    if let Some(spec) = object_at(object, &["spec"]) {
        spec.insert("selector".to_owned(), json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    }
}
