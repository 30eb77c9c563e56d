//! The adapter of custom and external metrics: values from rules over the simulated Prometheus, and values that were set.
//!
//! Takes rules, set values, the samples and the time; gives values by namespace, object and metric. A value that was set
//! stands before those of rules. Rules are evaluated at most every [`STEP`]: who asks in between gets the same values.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::rules::{Rules, evaluate};
use super::{ContainerUsage, CustomQuery, Point, not_found};
use crate::sim::api_error::ApiError;
use crate::sim::promql::Storage;
use crate::sim::selector::Labels;
use crate::sim::traffic::backend::Fault;

/// Rules are evaluated at whole multiples of this.
pub const STEP: SignedDuration = SignedDuration::from_secs(5);
/// Patience with the metrics backend.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// What the adapter asks.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What was scraped.
    pub storage: &'a Storage,
    /// What is wrong with the backend.
    pub fault: Option<Fault>,
    /// The virtual time.
    pub now: Timestamp,
}

/// Resource (with group), namespace, metric.
type CustomKey = (String, String, String);
/// Labels of a series with its value in thousandths.
type Series = BTreeMap<BTreeMap<String, String>, i64>;
/// When a query was evaluated, under which fault, and what it gave.
type Answered = (Timestamp, Option<Fault>, Arc<Result<Vec<Point>, ApiError>>);

/// See the module.
#[derive(Debug, Default)]
pub struct MetricsServers {
    rules: Rules,
    /// By name of the object.
    custom: BTreeMap<CustomKey, BTreeMap<String, i64>>,
    /// By namespace and metric.
    external: BTreeMap<(String, String), Series>,
    /// By namespace and pod.
    usage: BTreeMap<(String, String), Vec<ContainerUsage>>,
    /// By query.
    answered: RefCell<BTreeMap<String, Answered>>,
}

impl MetricsServers {
    /// Replaces the rules.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
        self.answered.borrow_mut().clear();
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Sets a custom metric of an object to thousandths, or takes what was set away. The metric is declared from now on.
    pub fn set_custom(&mut self, resource: &str, namespace: &str, name: &str, metric: &str, millis: Option<i64>) {
        let key = (resource.to_owned(), namespace.to_owned(), metric.to_owned());
        let values = self.custom.entry(key).or_default();
        match millis {
            Some(millis) => values.insert(name.to_owned(), millis),
            None => values.remove(name),
        };
    }

    /// Sets a series of an external metric to thousandths, or takes what was set away. The metric is declared from now on.
    pub fn set_external(&mut self, namespace: &str, metric: &str, labels: BTreeMap<String, String>, millis: Option<i64>) {
        let series = self.external.entry((namespace.to_owned(), metric.to_owned())).or_default();
        match millis {
            Some(millis) => series.insert(labels, millis),
            None => series.remove(&labels),
        };
    }

    /// Sets what the containers of a pod use, or takes what was set away.
    pub fn set_usage(&mut self, namespace: &str, pod: &str, containers: Option<Vec<ContainerUsage>>) {
        let key = (namespace.to_owned(), pod.to_owned());
        match containers {
            Some(containers) => self.usage.insert(key, containers),
            None => self.usage.remove(&key),
        };
    }

    /// What was set for the containers of a pod.
    pub fn usage_of(&self, namespace: &str, pod: &str) -> Option<&Vec<ContainerUsage>> {
        if self.usage.is_empty() { None } else { self.usage.get(&(namespace.to_owned(), pod.to_owned())) }
    }

    /// Answers for `custom.metrics.k8s.io`.
    ///
    /// # Errors
    /// 404 for a metric that is not declared for these objects, 500 if its source fails.
    pub fn custom(&self, asked: &CustomQuery<'_>, source: &Source<'_>) -> Result<BTreeMap<String, Point>, ApiError> {
        let rule = self.rules.custom.iter().find(|rule| rule.name == asked.metric && rule.resource == asked.resource);
        let set = self.custom.get(&(asked.resource.to_owned(), asked.namespace.to_owned(), asked.metric.to_owned()));
        if rule.is_none() && set.is_none() {
            return Err(not_found(asked.metric, asked.resource));
        }
        let mut found = BTreeMap::new();
        if let Some(rule) = rule {
            let points = self.points(&rule.query, source);
            for point in points.as_ref().as_ref().map_err(Clone::clone)? {
                let label = |name: &str| point.labels.get(name).map_or("", String::as_str);
                let here = asked.resource == "namespaces" || label("namespace") == asked.namespace;
                if here && !label(rule.label()).is_empty() && matches(asked.selector, &point.labels) {
                    add(&mut found, label(rule.label()), point);
                }
            }
        }
        if asked.selector.is_everything() {
            let point = |millis: &i64| Point { labels: BTreeMap::new(), millis: *millis, at: source.now };
            found.extend(set.into_iter().flatten().map(|(name, millis)| (name.clone(), point(millis))));
        }
        if let Some(name) = asked.name {
            found.retain(|object, _| object == name);
            if found.is_empty() {
                return Err(not_found(asked.metric, &format!("{} {name}", asked.resource)));
            }
        }
        Ok(found)
    }

    /// Answers for `external.metrics.k8s.io`.
    ///
    /// # Errors
    /// 404 for a metric that is not declared, 500 if its source fails.
    pub fn external(&self, namespace: &str, metric: &str, selector: &Labels, source: &Source<'_>) -> Result<Vec<Point>, ApiError> {
        let rule = self.rules.external.iter().find(|rule| rule.name == metric);
        let set = self.external.get(&(namespace.to_owned(), metric.to_owned()));
        if rule.is_none() && set.is_none() {
            return Err(not_found(metric, "external metrics"));
        }
        let mut found: BTreeMap<BTreeMap<String, String>, Point> = BTreeMap::new();
        if let Some(rule) = rule {
            let points = self.points(&rule.query, source);
            let here = |point: &&Point| point.labels.get("namespace").is_none_or(|of| of == namespace);
            for point in points.as_ref().as_ref().map_err(Clone::clone)?.iter().filter(here) {
                found.insert(point.labels.clone(), point.clone());
            }
        }
        for (labels, millis) in set.into_iter().flatten() {
            found.insert(labels.clone(), Point { labels: labels.clone(), millis: *millis, at: source.now });
        }
        Ok(found.into_values().filter(|point| matches(selector, &point.labels)).collect())
    }

    /// Answers for an external metric of a ScaledObject: the one value of its query, 0 where that finds nothing. What was set goes
    /// first, where it has the labels of `selector` or none.
    ///
    /// # Errors
    /// 500 if the query fails or finds more than one value.
    pub fn scaled(
        &self,
        namespace: &str,
        metric: &str,
        selector: &Labels,
        query: &str,
        source: &Source<'_>,
    ) -> Result<Vec<Point>, ApiError> {
        let series = self.external.get(&(namespace.to_owned(), metric.to_owned()));
        let about = |(labels, _): &(&BTreeMap<String, String>, &i64)| labels.is_empty() || matches(selector, labels);
        let set = series.and_then(|series| series.iter().rev().find(about)).map(|(_, millis)| millis);
        let point = |millis: i64| vec![Point { labels: BTreeMap::new(), millis, at: source.now }];
        if let Some(millis) = set {
            return Ok(point(*millis));
        }
        let points = self.points(query, source);
        match points.as_ref().as_ref().map_err(Clone::clone)?.as_slice() {
            [] => Ok(point(0)),
            [one] => Ok(point(one.millis)),
            _ => Err(ApiError::new(500, "InternalError", format!("prometheus query {query} returned multiple elements"))),
        }
    }

    /// What a query gives now, as the faults of the backend let it.
    fn points(&self, text: &str, source: &Source<'_>) -> Arc<Result<Vec<Point>, ApiError>> {
        let at = step_of(source.now);
        let mut answered = self.answered.borrow_mut();
        if let Some((known, fault, points)) = answered.get(text)
            && (*known, *fault) == (at, source.fault)
        {
            return Arc::clone(points);
        }
        let points = Arc::new(fetch(text, at, source));
        answered.insert(text.to_owned(), (at, source.fault, Arc::clone(&points)));
        points
    }
}

/// The last whole multiple of [`STEP`].
fn step_of(now: Timestamp) -> Timestamp {
    let step = STEP.as_secs();
    Timestamp::from_second(now.as_second().div_euclid(step) * step).unwrap_or(now)
}

fn fetch(text: &str, at: Timestamp, source: &Source<'_>) -> Result<Vec<Point>, ApiError> {
    let failed = |why: &str| Err(ApiError::new(500, "InternalError", format!("Internal error occurred: unable to fetch metrics: {why}")));
    match source.fault {
        Some(Fault::Unavailable) => failed("connection refused"),
        Some(Fault::Error5xx) => failed("server error: 503"),
        Some(Fault::Garbage | Fault::Huge) => failed("bad_response: the answer is no JSON of Prometheus"),
        Some(Fault::Slow(delay)) if delay >= PATIENCE => failed("context deadline exceeded"),
        // Values that are no numbers are no values here.
        Some(Fault::Empty | Fault::NaN) => Ok(Vec::new()),
        Some(Fault::Stale(age)) => evaluate(source.storage, text, at - age),
        Some(Fault::Slow(_)) | None => evaluate(source.storage, text, at),
    }
}

fn matches(selector: &Labels, labels: &BTreeMap<String, String>) -> bool {
    selector.is_everything() || selector.matches_labels(&serde_json::json!(labels))
}

/// Several series of one object add up.
fn add(found: &mut BTreeMap<String, Point>, name: &str, point: &Point) {
    match found.get_mut(name) {
        Some(known) => known.millis = known.millis.saturating_add(point.millis),
        None => drop(found.insert(name.to_owned(), point.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::metrics_api::rules::{CustomRule, ExternalRule};
    use crate::sim::promql;

    fn storage() -> Storage {
        let mut storage = Storage::new();
        let mut add = |name: &str, namespace: &str, pod: &str, value: f64| {
            let labels = promql::Labels::new([("__name__", name), ("namespace", namespace), ("pod", pod), ("code", "200")]);
            storage.append(&labels, 0, value).unwrap();
        };
        add("busy", "default", "a", 1.5);
        add("busy", "default", "b", 2.0);
        add("busy", "other", "a", 9.0);
        storage.append(&promql::Labels::new([("__name__", "depth"), ("queue", "jobs")]), 0, 7.0).unwrap();
        storage
    }

    fn servers() -> MetricsServers {
        let mut servers = MetricsServers::default();
        servers.set_rules(Rules {
            custom: vec![CustomRule { name: "busy".to_owned(), query: "busy".to_owned(), resource: "pods".to_owned() }],
            external: vec![
                ExternalRule { name: "depth".to_owned(), query: "depth".to_owned() },
                ExternalRule { name: "busy".to_owned(), query: "busy".to_owned() },
            ],
        });
        servers
    }

    fn asked<'a>(name: Option<&'a str>, metric: &'a str, selector: &'a Labels) -> CustomQuery<'a> {
        CustomQuery { resource: "pods", namespace: "default", name, metric, selector }
    }

    fn millis(found: &BTreeMap<String, Point>) -> Vec<(&str, i64)> {
        found.iter().map(|(name, point)| (name.as_str(), point.millis)).collect()
    }

    #[test]
    fn custom_metrics_belong_to_the_objects_that_their_labels_name() {
        let (storage, mut servers, all) = (storage(), servers(), Labels::default());
        let source = Source { storage: &storage, fault: None, now: Timestamp::from_second(3).unwrap() };
        assert_eq!(millis(&servers.custom(&asked(None, "busy", &all), &source).unwrap()), [("a", 1500), ("b", 2000)]);
        let none = Labels::parse("code=500").unwrap();
        assert_eq!(millis(&servers.custom(&asked(None, "busy", &none), &source).unwrap()), []);
        let error = servers.custom(&asked(None, "lazy", &all), &source).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (404, "the server could not find the metric lazy for pods"));
        let error = servers.custom(&asked(Some("c"), "busy", &all), &source).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (404, "the server could not find the metric busy for pods c"));
        servers.set_custom("pods", "default", "a", "busy", Some(4000));
        assert_eq!(millis(&servers.custom(&asked(Some("a"), "busy", &all), &source).unwrap()), [("a", 4000)]);
        servers.set_custom("pods", "default", "a", "busy", None);
        assert_eq!(millis(&servers.custom(&asked(Some("a"), "busy", &all), &source).unwrap()), [("a", 1500)]);
    }

    #[test]
    fn external_metrics_with_a_namespace_are_seen_there_only() {
        let (storage, mut servers, all) = (storage(), servers(), Labels::default());
        let source = Source { storage: &storage, fault: None, now: Timestamp::from_second(3).unwrap() };
        let values = |servers: &MetricsServers, namespace: &str, metric: &str, selector: &Labels| -> Vec<i64> {
            servers.external(namespace, metric, selector, &source).unwrap().iter().map(|point| point.millis).collect()
        };
        assert_eq!(values(&servers, "default", "depth", &all), [7000]);
        assert_eq!(values(&servers, "other", "busy", &all), [9000]);
        assert_eq!(values(&servers, "default", "busy", &Labels::parse("pod=b").unwrap()), [2000]);
        assert_eq!(servers.external("default", "length", &all, &source).unwrap_err().code, 404);
        servers.set_external("default", "length", BTreeMap::new(), Some(5));
        assert_eq!(values(&servers, "default", "length", &all), [5]);
        servers.set_external("default", "length", BTreeMap::new(), None);
        assert_eq!(values(&servers, "default", "length", &all), [0; 0]);
    }

    #[test]
    fn faults_of_the_backend_are_faults_of_the_adapter() {
        let (storage, servers, all) = (storage(), servers(), Labels::default());
        let ask = |fault: Option<Fault>| {
            let source = Source { storage: &storage, fault, now: Timestamp::from_second(3).unwrap() };
            servers.external("default", "depth", &all, &source).map(|points| points.len()).map_err(|error| error.code)
        };
        assert_eq!(ask(None), Ok(1));
        for fault in [Fault::Unavailable, Fault::Error5xx, Fault::Garbage, Fault::Huge, Fault::Slow(SignedDuration::from_secs(40))] {
            assert_eq!(ask(Some(fault)), Err(500), "{fault:?}");
        }
        assert_eq!((ask(Some(Fault::Empty)), ask(Some(Fault::NaN))), (Ok(0), Ok(0)));
        assert_eq!(ask(Some(Fault::Slow(SignedDuration::from_secs(4)))), Ok(1));
        assert_eq!(ask(Some(Fault::Stale(SignedDuration::from_secs(600)))), Ok(0));
    }
}
