//! Which metrics of the simulated Prometheus the metrics APIs show, and under which names.
//!
//! Takes rules as an adapter's configuration has them, and the samples; gives values with their labels. A rule is a query whose
//! answer is an instant vector: each element is one value. A custom metric belongs to the object that the element's labels
//! name: `namespace`, and the singular name of the resource. An external metric with the label `namespace` is seen in that
//! namespace only, one without it in all. Never changes what was scraped.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Point;
use crate::sim::api_error::ApiError;
use crate::sim::promql::{Answer, Options, Storage, query};

/// A metric that belongs to objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRule {
    /// Its name.
    pub name: String,
    /// PromQL that gives an instant vector.
    pub query: String,
    /// Plural name of the objects, with the group where there is one: `pods`, `deployments.apps`.
    pub resource: String,
}

impl CustomRule {
    /// The label that names the object: a resource in the singular.
    pub fn label(&self) -> &str {
        let plural = self.resource.split('.').next().unwrap_or_default();
        match plural.strip_suffix("sses") {
            Some(_) => plural.strip_suffix("es").unwrap_or(plural),
            None => plural.strip_suffix('s').unwrap_or(plural),
        }
    }
}

/// A metric that belongs to no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalRule {
    /// Its name.
    pub name: String,
    /// PromQL that gives an instant vector.
    pub query: String,
}

/// All rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// For `custom.metrics.k8s.io`.
    pub custom: Vec<CustomRule>,
    /// For `external.metrics.k8s.io`.
    pub external: Vec<ExternalRule>,
}

/// Checks a query before it is played: it must be PromQL that gives an instant vector.
///
/// # Errors
/// What is wrong with it.
pub fn check(text: &str) -> Result<(), String> {
    match query(&Storage::new(), text, 0, &Options::default()) {
        Ok(response) => match response.answer {
            Answer::Vector(..) => Ok(()),
            _ => Err("the query must give an instant vector".to_owned()),
        },
        Err(error) => Err(error.message),
    }
}

/// The values of a query at a time; what is no finite number is left out, as JSON and quantities have none.
///
/// # Errors
/// 500 if the query fails.
pub fn evaluate(storage: &Storage, text: &str, at: Timestamp) -> Result<Vec<Point>, ApiError> {
    let failed =
        |message: String| ApiError::new(500, "InternalError", format!("Internal error occurred: unable to fetch metrics: {message}"));
    let response = query(storage, text, at.as_millisecond(), &Options::default()).map_err(|error| failed(error.message))?;
    let Answer::Vector(_, elements) = response.answer else { return Err(failed("the query gives no instant vector".to_owned())) };
    let finite = elements.into_iter().filter(|element| element.value.is_finite());
    Ok(finite
        .map(|element| {
            let named = element.labels.iter().filter(|(name, _)| *name != "__name__");
            let labels: BTreeMap<String, String> = named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Point { labels, millis: (element.value * 1000.0).round() as i64, at }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::promql::Labels;

    #[test]
    fn a_query_is_checked_for_what_it_gives() {
        assert_eq!(check("sum by (pod) (rate(a[1m]))"), Ok(()));
        assert_eq!(check("1 + 1").unwrap_err(), "the query must give an instant vector");
        assert!(check("rate(a)").is_err() && check("sum(").is_err());
    }

    #[test]
    fn values_are_thousandths_and_what_is_no_number_is_left_out() {
        let mut storage = Storage::new();
        for (pod, value) in [("a", 0.0015), ("b", f64::NAN), ("c", f64::INFINITY), ("d", 12.0)] {
            storage.append(&Labels::new([("__name__", "m"), ("pod", pod)]), 0, value).unwrap();
        }
        let found = evaluate(&storage, "m", Timestamp::UNIX_EPOCH).unwrap();
        let found: Vec<(&str, i64)> = found.iter().map(|point| (point.labels["pod"].as_str(), point.millis)).collect();
        assert_eq!(found, [("a", 2), ("d", 12_000)]);
        assert_eq!(evaluate(&storage, "absent(", Timestamp::UNIX_EPOCH).unwrap_err().code, 500);
    }

    #[test]
    fn the_label_of_a_resource_is_its_singular() {
        let label =
            |resource: &str| CustomRule { name: String::new(), query: String::new(), resource: resource.to_owned() }.label().to_owned();
        assert_eq!([label("pods"), label("deployments.apps"), label("ingresses.networking.k8s.io")], ["pod", "deployment", "ingress"]);
    }
}
