//! Jobs and what makes them at given times.

use serde_json::{Value, json};

use super::check::{Causes, join};
use super::{metadata, pods};
use crate::sim::builtin::json::{has, list, text};

/// `Job`, after its selector has been made.
pub fn job(c: &mut Causes, object: &Value, old: Option<&Value>) {
    let spec = &object["spec"];
    job_spec(c, spec, "spec");
    if !has(spec, "selector") {
        c.required("spec.selector", "");
    } else {
        metadata::selector(c, &spec["selector"], "spec.selector");
        if !metadata::selects(&spec["selector"], &spec["template"]["metadata"]["labels"]) {
            c.invalid(
                "spec.template.metadata.labels",
                &spec["template"]["metadata"]["labels"],
                "`selector` does not match template `labels`",
            );
        }
    }
    let Some(old) = old else { return };
    let before = &old["spec"];
    let elastic = text(spec, "completionMode") == "Indexed" && spec["completions"] == spec["parallelism"] && has(before, "completions");
    if !elastic {
        c.immutable(&spec["completions"], &before["completions"], "spec.completions");
    }
    c.immutable(&spec["selector"], &before["selector"], "spec.selector");
    let scheduling_is_open = before["suspend"] == true && !has(&old["status"], "startTime");
    if !scheduling_is_open {
        c.immutable(&spec["template"], &before["template"], "spec.template");
    }
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "successPolicy", "managedBy"] {
        c.immutable(&spec[field], &before[field], &join("spec", field));
    }
}

fn job_spec(c: &mut Causes, spec: &Value, at: &str) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        c.not_negative(spec, at, field);
    }
    c.one_of(spec, at, "completionMode", &["Indexed", "NonIndexed"], false);
    if text(spec, "completionMode") == "Indexed" && !has(spec, "completions") {
        c.required(join(at, "completions"), "when completion mode is Indexed");
    }
    c.one_of(spec, at, "podReplacementPolicy", &["Failed", "TerminatingOrFailed"], false);
    failure_policy(c, spec, at);
    let template_at = join(at, "template");
    pods::template(c, &spec["template"], &template_at);
    let policy_at = join(&template_at, "spec");
    if text(&spec["template"]["spec"], "restartPolicy") == "Always" {
        c.push(crate::sim::schema::text::not_supported(join(&policy_at, "restartPolicy"), &json!("Always"), &["Never", "OnFailure"]));
    }
}

fn failure_policy(c: &mut Causes, spec: &Value, at: &str) {
    let policy = &spec["podFailurePolicy"];
    if !policy.is_object() {
        return;
    }
    if text(&spec["template"]["spec"], "restartPolicy") != "Never" {
        let place = join(at, "template.spec.restartPolicy");
        c.invalid(place, &spec["template"]["spec"]["restartPolicy"], "only \"Never\" is supported when podFailurePolicy is specified");
    }
    for (index, rule) in list(policy, "rules").iter().enumerate() {
        let place = format!("{at}.podFailurePolicy.rules[{index}]");
        c.one_of(rule, &place, "action", &["Count", "FailIndex", "FailJob", "Ignore"], true);
        if has(rule, "onExitCodes") != list(rule, "onPodConditions").is_empty() {
            c.invalid(place, rule, "must specify one of: `onExitCodes` or `onPodConditions`");
        }
    }
}

/// `CronJob`.
pub fn cron_job(c: &mut Causes, object: &Value) {
    let spec = &object["spec"];
    if c.needs(spec, "spec", "schedule") && !is_schedule(text(spec, "schedule")) {
        c.invalid("spec.schedule", &spec["schedule"], "expected exactly 5 fields, found something else");
    }
    c.not_negative(spec, "spec", "startingDeadlineSeconds");
    c.one_of(spec, "spec", "concurrencyPolicy", &["Allow", "Forbid", "Replace"], true);
    c.not_negative(spec, "spec", "successfulJobsHistoryLimit");
    c.not_negative(spec, "spec", "failedJobsHistoryLimit");
    job_spec(c, &spec["jobTemplate"]["spec"], "spec.jobTemplate.spec");
}

/// Five fields of the right alphabet, or one of the names.
fn is_schedule(schedule: &str) -> bool {
    const NAMES: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let legal = |field: &&str| field.chars().all(|c| c.is_ascii_alphanumeric() || "*/,-?".contains(c));
    NAMES.contains(&schedule) || schedule.starts_with("@every ") || fields.len() == 5 && fields.iter().all(legal)
}
