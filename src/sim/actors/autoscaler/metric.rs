//! One metric of an autoscaler: asked for, turned into replicas, and put into words.
//!
//! Takes a `MetricSpec` with the target's scale, its pods and the metrics APIs; gives a proposal with its name and status, or
//! why there is none, in the words of the real controller. Writes nothing.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::calculator::{PodTarget, Proposal, Samples, Tolerance, UNREADY, by_pods, by_share, by_value};
use super::pods::{Groups, NO_PODS, Sample, is_young, requests};
use super::words::selector_words;
use crate::sim::actors::object::{int, name, text};
use crate::sim::builtin::quantity::Quantity;
use crate::sim::kinds::Kinds;
use crate::sim::metrics_api::{CustomQuery, MetricsApis, PodUsage};
use crate::sim::selector::Labels;

/// Everything that a metric is asked with.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Who answers.
    pub metrics: &'a dyn MetricsApis,
    /// What objects there are.
    pub kinds: &'a Kinds,
    /// Namespace of the autoscaler.
    pub namespace: &'a str,
    /// The pods that the target's selector takes.
    pub pods: &'a [Arc<Value>],
    /// `spec.replicas` of the scale.
    pub current: i64,
    /// `status.replicas` of the scale.
    pub running: i64,
    /// What counts as on target.
    pub tolerance: Tolerance,
    /// The time.
    pub now: Timestamp,
}

/// A metric that could be had.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Replicas that it asks for.
    pub replicas: i64,
    /// What it is called.
    pub name: String,
    /// Its entry in `currentMetrics`.
    pub status: Value,
}

/// A metric that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Reason of the condition and of the Event.
    pub reason: &'static str,
    /// What the condition and the Event say.
    pub said: String,
    /// What is said of it when all metrics are summed up.
    pub error: String,
}

/// Asks for a metric.
///
/// # Errors
/// Why there is no proposal.
pub fn ask(spec: &Value, scene: &Scene<'_>) -> Result<Found, Failed> {
    let kind = text(spec, &["type"]);
    match kind {
        "Resource" => resource(&spec["resource"], None, scene),
        "ContainerResource" => resource(&spec["containerResource"], Some(text(spec, &["containerResource", "container"])), scene),
        "Pods" => of_pods(&spec["pods"], scene),
        "Object" => of_object(&spec["object"], scene),
        "External" => external(&spec["external"], scene),
        other => {
            let said = format!("unknown metric source type {other:?}");
            Err(Failed { reason: "InvalidMetricSourceType", error: said.clone(), said })
        }
    }
}

/// Asked again at any later time, with the same pods and the same samples of resources, these metrics give the same: they are about
/// resources only, and no pod is so young that its age counts.
pub fn is_timeless(specs: &[Value], scene: &Scene<'_>) -> bool {
    let of_resources = specs.iter().all(|spec| ["Resource", "ContainerResource"].contains(&text(spec, &["type"])));
    of_resources && !scene.pods.iter().any(|pod| is_young(pod, scene.now))
}

fn amount(target: &Value, field: &str) -> Option<i64> {
    Quantity::from_json(target.get(field)?).ok().map(Quantity::millis)
}

fn decimal(millis: i64) -> Value {
    json!(Quantity::from_millis(millis).to_string())
}

fn resource(source: &Value, container: Option<&str>, scene: &Scene<'_>) -> Result<Found, Failed> {
    let resource = text(source, &["name"]);
    let target = &source["target"];
    let average = amount(target, "averageValue");
    let proposal = match (average, int(target, &["averageUtilization"])) {
        (Some(average), _) => {
            usage(resource, container, scene, Some(average), 0).map_err(|error| format!("failed to get {resource} usage: {error}"))
        }
        (None, Some(percent)) => {
            usage(resource, container, scene, None, percent).map_err(|error| format!("failed to get {resource} utilization: {error}"))
        }
        (None, None) => Err("invalid resource metric source: neither an average utilization target nor an average value (usage) target \
                             was set"
            .to_owned()),
    };
    let proposal = proposal.map_err(|said| match container {
        None => {
            Failed { reason: "FailedGetResourceMetric", error: format!("failed to get {resource} resource metric value: {said}"), said }
        }
        Some(container) => {
            let error = format!("failed to get {container} container metric value: {said}");
            Failed { reason: "FailedGetContainerResourceMetric", error, said }
        }
    })?;
    let quantity = Quantity::from_millis(proposal.value);
    let mut current = json!({ "averageValue": if resource == "memory" { quantity.in_binary() } else { quantity }.to_string() });
    let mut called = format!("{resource} resource");
    if let Some(percent) = proposal.utilization {
        current["averageUtilization"] = json!(percent);
        let of = if container.is_some() { "container " } else { "" };
        called = format!("{resource} {of}resource utilization (percentage of request)");
    }
    let status = match container {
        None => json!({ "type": "Resource", "resource": { "name": resource, "current": current } }),
        Some(container) => {
            let entry = json!({ "name": resource, "container": container, "current": current });
            json!({ "type": "ContainerResource", "containerResource": entry })
        }
    };
    Ok(Found { replicas: proposal.replicas, name: called, status })
}

/// Replicas by a resource: by its mean, or else by percent of requests.
fn usage(resource: &str, container: Option<&str>, scene: &Scene<'_>, average: Option<i64>, percent: i64) -> Result<Proposal, String> {
    let samples = samples(resource, container, scene).map_err(|error| format!("unable to get metrics for resource {resource}: {error}"))?;
    let (groups, samples) = counted(samples, resource == "cpu", scene)?;
    match average {
        Some(average) => by_pods(scene.current, &PodTarget::Average(average), &groups, samples, scene.tolerance),
        None => {
            let requests = requests(scene.pods, container, resource)?;
            by_pods(scene.current, &PodTarget::Utilization(percent, &requests), &groups, samples, scene.tolerance)
        }
    }
}

/// Groups of pods, and the samples of those that count: at least one.
fn counted(mut samples: Samples, cpu: bool, scene: &Scene<'_>) -> Result<(Groups, Samples), String> {
    if scene.pods.is_empty() {
        return Err(NO_PODS.to_owned());
    }
    let groups = Groups::of(scene.pods, &samples, cpu, scene.now);
    groups.keep_counted(&mut samples);
    if samples.is_empty() { Err(UNREADY.to_owned()) } else { Ok((groups, samples)) }
}

fn samples(resource: &str, container: Option<&str>, scene: &Scene<'_>) -> Result<Samples, String> {
    let mut samples = Samples::new();
    let mut any = false;
    for pod in scene.pods {
        let usage = scene.metrics.pod_usage(pod);
        let Some(usage) = usage.map_err(|error| format!("unable to fetch metrics from resource metrics API: {}", error.message))? else {
            continue;
        };
        any = true;
        if let Some(millis) = used(&usage, resource, container) {
            samples.insert(name(pod).to_owned(), Sample { millis, at: usage.at, window: usage.window });
        }
    }
    if any { Ok(samples) } else { Err("no metrics returned from resource metrics API".to_owned()) }
}

/// What a pod or one container of it uses; a pod of which one container has no value has none.
fn used(usage: &PodUsage, resource: &str, only: Option<&str>) -> Option<i64> {
    match only {
        Some(only) => usage.containers.iter().find(|container| container.name == only)?.usage.get(resource).copied(),
        None if usage.containers.is_empty() => None,
        None => usage.containers.iter().map(|container| container.usage.get(resource).copied()).sum(),
    }
}

/// `metric {name, selector}` of a source, to be shown as it was asked for.
fn identifier(source: &Value) -> Value {
    let mut shown = Map::new();
    shown.insert("name".to_owned(), source["metric"]["name"].clone());
    if let Some(selector) = source["metric"].get("selector") {
        shown.insert("selector".to_owned(), selector.clone());
    }
    Value::Object(shown)
}

/// Which series; no selector takes all.
fn series(source: &Value) -> Result<Labels, String> {
    source["metric"].get("selector").filter(|selector| !selector.is_null()).map_or_else(|| Ok(Labels::default()), Labels::from_selector)
}

fn of_pods(source: &Value, scene: &Scene<'_>) -> Result<Found, Failed> {
    let metric = text(source, &["metric", "name"]);
    let asked = || {
        let selector = series(source)?;
        let query = CustomQuery { resource: "pods", namespace: scene.namespace, name: None, metric, selector: &selector };
        let fetched = scene.metrics.custom(&query).map_err(|error| error.message);
        let fetched =
            fetched.map_err(|error| format!("unable to get metric {metric}: unable to fetch metrics from custom metrics API: {error}"))?;
        let selected = fetched.into_iter().filter(|(pod, _)| scene.pods.iter().any(|selected| name(selected) == pod));
        let sample = |(pod, point): (String, crate::sim::metrics_api::Point)| {
            (pod, Sample { millis: point.millis, at: point.at, ..Sample::default() })
        };
        let samples: Samples = selected.map(sample).collect();
        if samples.is_empty() {
            return Err(format!("unable to get metric {metric}: no metrics returned from custom metrics API"));
        }
        let (groups, samples) = counted(samples, false, scene)?;
        let target = amount(&source["target"], "averageValue").unwrap_or(0);
        by_pods(scene.current, &PodTarget::Average(target), &groups, samples, scene.tolerance)
    };
    let failed = |said: String| Failed { reason: "FailedGetPodsMetric", error: format!("failed to get pods metric value: {said}"), said };
    let proposal = asked().map_err(failed)?;
    let current = json!({ "averageValue": decimal(proposal.value) });
    let status = json!({ "type": "Pods", "pods": { "metric": identifier(source), "current": current } });
    Ok(Found { replicas: proposal.replicas, name: format!("pods metric {metric}"), status })
}

fn of_object(source: &Value, scene: &Scene<'_>) -> Result<Found, Failed> {
    let (metric, kind) = (text(source, &["metric", "name"]), text(source, &["describedObject", "kind"]));
    let target = &source["target"];
    let value = amount(target, "value").filter(|_| text(target, &["type"]) == "Value");
    let share = amount(target, "averageValue").filter(|_| text(target, &["type"]) == "AverageValue");
    let failed = |said: String| {
        // A share is wrapped once more than a value.
        let inner = if value.is_none() && share.is_some() { format!("failed to get {metric} object metric: {said}") } else { said.clone() };
        Failed { reason: "FailedGetObjectMetric", error: format!("failed to get object metric value: {inner}"), said }
    };
    if value.is_none() && share.is_none() {
        return Err(failed("invalid object metric source: neither a value target nor an average value target was set".to_owned()));
    }
    let millis = object_value(source, metric, scene).map_err(failed)?;
    let (proposal, field, called) = if let Some(target) = value {
        let proposal = by_value(scene.current, millis, target, scene.pods, scene.tolerance).map_err(failed)?;
        (proposal, "value", format!("{kind} metric {metric}"))
    } else {
        let proposal = by_share(scene.running, millis, share.unwrap_or(0), scene.tolerance);
        (proposal, "averageValue", format!("external metric {metric}({})", selector_words(source["metric"].get("selector"))))
    };
    let current = json!({ field: decimal(proposal.value) });
    let entry = json!({ "describedObject": source["describedObject"], "metric": identifier(source), "current": current });
    Ok(Found { replicas: proposal.replicas, name: called, status: json!({ "type": "Object", "object": entry }) })
}

fn object_value(source: &Value, metric: &str, scene: &Scene<'_>) -> Result<i64, String> {
    let object = &source["describedObject"];
    let (kind, called) = (text(object, &["kind"]), text(object, &["name"]));
    let group = text(object, &["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
    let selector = series(source)?;
    let fetched = match scene.kinds.by_kind(group, kind) {
        None => Err(format!("unable to map kind {} to resource: {}", qualified(group, kind), no_match(group, kind))),
        Some(found) => {
            let of_namespace = group.is_empty() && kind == "Namespace";
            let (namespace, called) = if of_namespace { ("", scene.namespace) } else { (scene.namespace, called) };
            let resource = found.key();
            let query = CustomQuery { resource: &resource, namespace, name: Some(called), metric, selector: &selector };
            let value = scene.metrics.custom(&query).map(|found| found.values().map(|point| point.millis).sum());
            value.map_err(|error| format!("unable to fetch metrics from custom metrics API: {}", error.message))
        }
    };
    fetched.map_err(|error| format!("unable to get metric {metric}: {error} on {kind} {}/{called}", scene.namespace))
}

fn qualified(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

/// No such kind, in the words of client-go.
pub fn no_match(group: &str, kind: &str) -> String {
    format!("no matches for kind {kind:?} in group {group:?}")
}

fn external(source: &Value, scene: &Scene<'_>) -> Result<Found, Failed> {
    let metric = text(source, &["metric", "name"]);
    let words = selector_words(source["metric"].get("selector"));
    let (share, value) = (amount(&source["target"], "averageValue"), amount(&source["target"], "value"));
    let failed = |said: String| {
        let inner = match (share, value) {
            (Some(_), _) => format!("failed to get {metric} external metric: {said}"),
            (None, Some(_)) => format!("failed to get external metric {metric}: {said}"),
            (None, None) => said.clone(),
        };
        Failed { reason: "FailedGetExternalMetric", error: format!("failed to get {metric} external metric value: {inner}"), said }
    };
    if share.is_none() && value.is_none() {
        return Err(failed("invalid external metric source: neither a value target nor an average value target was set".to_owned()));
    }
    let sum = external_sum(source, metric, scene);
    let sum = sum.map_err(|error| failed(format!("unable to get external metric {}/{metric}/{words}: {error}", scene.namespace)))?;
    let (proposal, field) = match share {
        Some(target) => (by_share(scene.running, sum, target, scene.tolerance), "averageValue"),
        None => {
            let target = value.unwrap_or(0);
            (by_value(scene.current, sum, target, scene.pods, scene.tolerance).map_err(failed)?, "value")
        }
    };
    let current = json!({ field: decimal(proposal.value) });
    let status = json!({ "type": "External", "external": { "metric": identifier(source), "current": current } });
    Ok(Found { replicas: proposal.replicas, name: format!("external metric {metric}({words})"), status })
}

fn external_sum(source: &Value, metric: &str, scene: &Scene<'_>) -> Result<i64, String> {
    let points = scene.metrics.external(scene.namespace, metric, &series(source)?);
    let points = points.map_err(|error| format!("unable to fetch metrics from external metrics API: {}", error.message))?;
    if points.is_empty() {
        return Err("no metrics returned from external metrics API".to_owned());
    }
    Ok(points.iter().fold(0, |sum: i64, point| sum.saturating_add(point.millis)))
}
