//! Triggers of a ScaledObject: what they measure, and whether they are active.
//!
//! Takes a ScaledObject and the metrics APIs; gives the metrics that an autoscaler asks for, and a reading. Writes nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sim::actors::object::{items, name, namespace, text};
use crate::sim::builtin::quantity::Quantity;
use crate::sim::metrics_api::MetricsApis;
use crate::sim::metrics_api::rules::check;
use crate::sim::selector::Labels;

/// The label by which an autoscaler says whose external metric it means.
pub const OWNER_LABEL: &str = "scaledobject.keda.sh/name";

/// Queries by metric, by namespace and name of the ScaledObject.
pub type Queries = BTreeMap<(String, String), BTreeMap<String, String>>;

/// One trigger, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// `cpu` or `memory`: the autoscaler measures it itself.
    Resource {
        /// Which.
        resource: String,
        /// The metric as an autoscaler has it.
        metric: Value,
    },
    /// A query.
    Query {
        /// Name of the external metric.
        metric: String,
        /// Its PromQL.
        query: String,
        /// `AverageValue` or `Value`.
        target_type: String,
        /// What is wanted, in thousandths.
        threshold: i64,
        /// Above this it is active, in thousandths.
        activation: i64,
    },
}

/// What the triggers say now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Names of the active ones.
    pub active: Vec<String>,
    /// Some could not be read.
    pub failed: bool,
}

/// The triggers of a ScaledObject.
///
/// # Errors
/// What is wrong with the first that is wrong.
pub fn triggers(scaled: &Value) -> Result<Vec<Trigger>, String> {
    let all = items(scaled, &["spec", "triggers"]);
    if all.is_empty() {
        return Err("no triggers defined in the ScaledObject/ScaledJob".to_owned());
    }
    all.iter().enumerate().map(|(index, trigger)| understand(index, trigger)).collect()
}

fn understand(index: usize, trigger: &Value) -> Result<Trigger, String> {
    match text(trigger, &["type"]) {
        resource @ ("cpu" | "memory") => of_resource(resource, trigger),
        "prometheus" => of_query(index, trigger),
        other => Err(format!("error getting scaler for trigger #{index}: no scaler found for type: {other}")),
    }
}

fn of_resource(resource: &str, trigger: &Value) -> Result<Trigger, String> {
    let metadata = |field| text(trigger, &["metadata", field]);
    let value = metadata("value");
    let target = match text(trigger, &["metricType"]) {
        "Utilization" => {
            let percent: i64 =
                value.parse().map_err(|_| format!("error parsing {resource} metadata: value {value:?} is no whole number"))?;
            json!({ "type": "Utilization", "averageUtilization": percent })
        }
        "AverageValue" => {
            let amount = Quantity::parse(value).map_err(|error| format!("error parsing {resource} metadata: {error}"))?;
            json!({ "type": "AverageValue", "averageValue": amount.to_string() })
        }
        other => {
            return Err(format!("unsupported metric type {other:?} for {resource}, allowed values are 'Utilization' or 'AverageValue'"));
        }
    };
    let metric = match metadata("containerName") {
        "" => json!({ "type": "Resource", "resource": { "name": resource, "target": target } }),
        container => {
            let source = json!({ "name": resource, "container": container, "target": target });
            json!({ "type": "ContainerResource", "containerResource": source })
        }
    };
    Ok(Trigger::Resource { resource: resource.to_owned(), metric })
}

fn of_query(index: usize, trigger: &Value) -> Result<Trigger, String> {
    let wrong = |what: String| format!("error parsing prometheus metadata: {what}");
    let query = text(trigger, &["metadata", "query"]);
    check(query).map_err(|error| wrong(format!("query: {error}")))?;
    let number = |field: &str| text(trigger, &["metadata", field]);
    let millis = |field: &str| match number(field).parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((value * 1000.0).round() as i64),
        _ => Err(wrong(format!("{field} {:?} is no number", number(field)))),
    };
    let target_type = match text(trigger, &["metricType"]) {
        "" => "AverageValue",
        "Utilization" => return Err("metric type Utilization is only for cpu and memory".to_owned()),
        other => other,
    };
    Ok(Trigger::Query {
        metric: format!("s{index}-prometheus"),
        query: query.to_owned(),
        target_type: target_type.to_owned(),
        threshold: millis("threshold")?,
        activation: if number("activationThreshold").is_empty() { 0 } else { millis("activationThreshold")? },
    })
}

/// The queries of triggers by metric.
pub fn queries(triggers: &[Trigger]) -> BTreeMap<String, String> {
    let query = |trigger: &Trigger| match trigger {
        Trigger::Query { metric, query, .. } => Some((metric.clone(), query.clone())),
        Trigger::Resource { .. } => None,
    };
    triggers.iter().filter_map(query).collect()
}

impl Trigger {
    /// The metric of the autoscaler of a ScaledObject.
    pub fn metric(&self, scaled: &str) -> Value {
        match self {
            Self::Resource { metric, .. } => metric.clone(),
            Self::Query { metric, target_type, threshold, .. } => {
                let field = if target_type == "Value" { "value" } else { "averageValue" };
                let target = json!({ "type": target_type, field: Quantity::from_millis(*threshold).to_string() });
                let selector = json!({ "matchLabels": { OWNER_LABEL: scaled } });
                json!({ "type": "External", "external": { "metric": { "name": metric, "selector": selector }, "target": target } })
            }
        }
    }
}

/// Reads all triggers. Those of cpu and memory count only when there are no others, and are always active.
pub fn read(scaled: &Value, triggers: &[Trigger], metrics: &dyn MetricsApis) -> Reading {
    let mut reading = Reading::default();
    let selector = Labels::from_map(&json!({ OWNER_LABEL: name(scaled) }));
    let mut measured = false;
    for trigger in triggers {
        let Trigger::Query { metric, activation, .. } = trigger else { continue };
        measured = true;
        match metrics.external(namespace(scaled), metric, &selector) {
            Ok(points) if points.iter().map(|point| point.millis).sum::<i64>() > *activation => reading.active.push(metric.clone()),
            Ok(_) => {}
            Err(_) => reading.failed = true,
        }
    }
    if !measured {
        reading.active.extend(triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Resource { resource, .. } => Some(resource.clone()),
            Trigger::Query { .. } => None,
        }));
    }
    reading
}
