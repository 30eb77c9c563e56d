//! The documents of the metrics APIs, as HTTP clients get them.
//!
//! Takes what a request is about and whoever answers; gives lists and objects, or the refusal. Only reading is served: no
//! watches, no pages, no tables. Never writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CUSTOM_GROUP, CustomQuery, EXTERNAL_GROUP, MetricsApis, Point, RESOURCE_GROUP, VERSION, WINDOW, not_found};
use crate::sim::actors::object::{labels, name, namespace, seconds_text, text};
use crate::sim::api_error::ApiError;
use crate::sim::builtin::quantity::Quantity;
use crate::sim::cluster::Cluster;
use crate::sim::selector::{Filter, Labels};

/// What a request asks of the metrics APIs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// One of the three groups.
    pub group: String,
    /// Plural name, or the name of an external metric.
    pub resource: String,
    /// Empty: none, or all.
    pub namespace: String,
    /// Empty: all; of custom metrics `*`.
    pub name: String,
    /// Of custom metrics, the metric.
    pub metric: String,
    /// `labelSelector`.
    pub labels: String,
    /// `fieldSelector`.
    pub fields: String,
    /// `metricLabelSelector`.
    pub metric_labels: String,
}

/// Whether a group and version are those of a metrics API.
pub fn is_metrics_api(group: &str, version: &str) -> bool {
    version == VERSION && [RESOURCE_GROUP, CUSTOM_GROUP, EXTERNAL_GROUP].contains(&group)
}

/// Answers a read.
///
/// # Errors
/// 404 for what has no metrics or no such metric, 400 for a malformed selector, 500 if the source of a metric fails.
pub fn answer(apis: &dyn MetricsApis, cluster: &Cluster, asked: &Asked) -> Result<Value, ApiError> {
    match (asked.group.as_str(), asked.resource.as_str()) {
        (RESOURCE_GROUP, "pods") => pods(apis, cluster, asked),
        (RESOURCE_GROUP, "nodes") => nodes(apis, cluster, asked),
        (CUSTOM_GROUP, _) => custom(apis, cluster, asked),
        (EXTERNAL_GROUP, metric) if asked.name.is_empty() && !asked.namespace.is_empty() => external(apis, metric, asked),
        _ => Err(ApiError::text(404, "404 page not found\n")),
    }
}

fn list(kind: &str, group: &str, items: Vec<Value>) -> Value {
    json!({ "kind": kind, "apiVersion": format!("{group}/{VERSION}"), "metadata": {}, "items": items })
}

/// Objects of a resource that the selectors of the request take.
fn selected(cluster: &Cluster, asked: &Asked) -> Result<Vec<Arc<Value>>, ApiError> {
    let Some(resource) = cluster.kinds().by_key(&asked.resource) else { return Ok(Vec::new()) };
    let filter = Filter::parse(&asked.labels, &asked.fields, resource)?;
    let place = Some(asked.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let mut objects = cluster.list(&asked.resource, place);
    objects.retain(|object| (asked.name.is_empty() || asked.name == "*" || name(object) == asked.name) && filter.matches(object));
    Ok(objects)
}

/// The list, or its one item where one was asked for.
fn one_or_all(mut items: Vec<Value>, asked: &Asked, kind: &str) -> Result<Value, ApiError> {
    if asked.name.is_empty() {
        return Ok(list(&format!("{kind}List"), RESOURCE_GROUP, items));
    }
    if let Some(mut item) = items.pop() {
        item["kind"] = json!(kind);
        item["apiVersion"] = json!(format!("{RESOURCE_GROUP}/{VERSION}"));
        return Ok(item);
    }
    let resource = kind.to_lowercase();
    let called = if asked.namespace.is_empty() { asked.name.clone() } else { format!("{}/{}", asked.namespace, asked.name) };
    let details = json!({ "name": called, "group": RESOURCE_GROUP, "kind": resource });
    Err(ApiError::new(404, "NotFound", format!("{resource}.{RESOURCE_GROUP} {called:?} not found")).with_details(details))
}

fn metadata(object: &Value, now: Timestamp) -> Value {
    let mut metadata = json!({ "name": name(object), "creationTimestamp": seconds_text(now) });
    if !namespace(object).is_empty() {
        metadata["namespace"] = json!(namespace(object));
    }
    if let Some(labels) = labels(object) {
        metadata["labels"] = json!(labels);
    }
    metadata
}

fn amounts(usage: &BTreeMap<String, i64>) -> Value {
    let shown = |(resource, millis): (&String, &i64)| {
        let quantity = Quantity::from_millis(*millis);
        (resource.clone(), json!(if resource == "memory" { quantity.in_binary() } else { quantity }.to_string()))
    };
    usage.iter().map(shown).collect()
}

fn pods(apis: &dyn MetricsApis, cluster: &Cluster, asked: &Asked) -> Result<Value, ApiError> {
    let mut items = Vec::new();
    for pod in selected(cluster, asked)? {
        let Some(usage) = apis.pod_usage(&pod)? else { continue };
        let containers: Vec<Value> =
            usage.containers.iter().map(|container| json!({ "name": container.name, "usage": amounts(&container.usage) })).collect();
        items.push(json!({
            "metadata": metadata(&pod, cluster.now()), "timestamp": seconds_text(usage.at),
            "window": format!("{}s", usage.window.as_secs()), "containers": containers,
        }));
    }
    one_or_all(items, asked, "PodMetrics")
}

/// A node uses what its pods use.
fn nodes(apis: &dyn MetricsApis, cluster: &Cluster, asked: &Asked) -> Result<Value, ApiError> {
    let pods = cluster.list("pods", None);
    let mut items = Vec::new();
    for node in selected(cluster, asked)? {
        let Some(at) = apis.measured_until(name(&node)) else { continue };
        let mut usage = BTreeMap::from([("cpu".to_owned(), 0), ("memory".to_owned(), 0)]);
        for pod in pods.iter().filter(|pod| text(pod, &["spec", "nodeName"]) == name(&node)) {
            for container in apis.pod_usage(pod)?.into_iter().flat_map(|usage| usage.containers) {
                for (resource, millis) in container.usage {
                    *usage.entry(resource).or_default() += millis;
                }
            }
        }
        items.push(json!({
            "metadata": metadata(&node, cluster.now()), "timestamp": seconds_text(at),
            "window": format!("{}s", WINDOW.as_secs()), "usage": amounts(&usage),
        }));
    }
    one_or_all(items, asked, "NodeMetrics")
}

fn value(point: &Point) -> Value {
    json!(Quantity::from_millis(point.millis).to_string())
}

fn custom(apis: &dyn MetricsApis, cluster: &Cluster, asked: &Asked) -> Result<Value, ApiError> {
    // `namespaces/NAME/metrics/METRIC` is how metrics of a namespace itself are asked for.
    let of_namespace = asked.resource == "metrics" && asked.metric.is_empty();
    let (resource, place, wanted, metric) = match of_namespace {
        true => ("namespaces", "", asked.namespace.as_str(), asked.name.as_str()),
        false => (asked.resource.as_str(), asked.namespace.as_str(), asked.name.as_str(), asked.metric.as_str()),
    };
    let known = cluster.kinds().by_key(resource).filter(|_| !metric.is_empty() && !wanted.is_empty());
    let Some(known) = known else { return Err(not_found(metric, resource)) };
    let selector = Labels::parse(&asked.metric_labels)?;
    let one = Some(wanted).filter(|name| *name != "*");
    let query = CustomQuery { resource: &known.key(), namespace: place, name: one, metric, selector: &selector };
    let mut points = apis.custom(&query)?;
    if one.is_none() {
        let objects = selected(cluster, &Asked { resource: known.key(), ..asked.clone() })?;
        points.retain(|called, _| objects.iter().any(|object| name(object) == called));
    }
    // The API has always said "/v1" of core objects.
    let version = format!("{}/{}", known.id.group, known.id.version);
    let items = points.iter().map(|(called, point)| {
        let mut described = json!({ "kind": known.kind, "name": called, "apiVersion": version });
        if !place.is_empty() {
            described["namespace"] = json!(place);
        }
        let (at, value) = (seconds_text(point.at), value(point));
        json!({ "describedObject": described, "metricName": metric, "timestamp": at, "value": value, "selector": null })
    });
    Ok(list("MetricValueList", CUSTOM_GROUP, items.collect()))
}

fn external(apis: &dyn MetricsApis, metric: &str, asked: &Asked) -> Result<Value, ApiError> {
    let points = apis.external(&asked.namespace, metric, &Labels::parse(&asked.labels)?)?;
    let item = |point: &Point| json!({ "metricName": metric, "metricLabels": point.labels, "timestamp": seconds_text(point.at), "value": value(point) });
    Ok(list("ExternalMetricValueList", EXTERNAL_GROUP, points.iter().map(item).collect()))
}
