//! From the selectors of counters, histograms and gauges to the queries that give exact increments.

use super::{BuiltIn, Kind, Measure, Share};
use crate::domain::analysis::template::{Placeholder, Template, TemplateError};

/// What a profile says of one metric: instant vector selectors with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// For `errorRate` and `successRate`: counters of failed requests and of all requests. The selectors of a list are added up,
    /// and must not overlap.
    Proportion {
        /// Failed requests.
        failed: Vec<String>,
        /// All requests, failed ones included.
        total: Vec<String>,
    },
    /// For latencies: the buckets of a classic histogram.
    Histogram {
        /// Selects series with the label `le`.
        buckets: String,
        /// Microseconds in a unit of the histogram: 1,000,000 for seconds.
        microseconds_per_unit: u32,
    },
    /// For `throughput`: counters of requests.
    Counter {
        /// Requests. The selectors are added up, and must not overlap.
        count: Vec<String>,
    },
    /// For `queueDepth`: a gauge, averaged over its series.
    Gauge {
        /// Selects one series per pod.
        gauge: String,
    },
}

/// A definition that makes no measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// A mistake in a selector.
    #[error("in the selector {selector}: {error}")]
    Selector {
        /// The selector, cut to 200 characters.
        selector: String,
        /// The mistake, with its place in the selector.
        error: TemplateError,
    },
    /// A selector is an instant one; the window is added here.
    #[error("the selector {selector} has a range, an offset or {{{{window}}}}; leave them out")]
    NotInstant {
        /// The selector, cut to 200 characters.
        selector: String,
    },
    /// A list without selectors.
    #[error("there is no selector")]
    NoSelector,
    /// A definition of a kind that gives another sort of metric.
    #[error("{metric} cannot be measured like this; it takes {needed}")]
    WrongKind {
        /// The metric.
        metric: BuiltIn,
        /// What it takes.
        needed: &'static str,
    },
}

/// What the last known value of a series may be old, so that failed scrapes lose nothing.
const MEMORY: &str = "1h";

impl Definition {
    /// The measure of `metric` by this definition.
    ///
    /// # Errors
    /// A definition of another kind than the metric needs, or a selector with a mistake.
    pub fn measure(&self, metric: BuiltIn) -> Result<Measure, DefinitionError> {
        let wrong = |needed| Err(DefinitionError::WrongKind { metric, needed });
        match (metric, metric.quantile(), self) {
            (BuiltIn::ErrorRate | BuiltIn::SuccessRate, _, Self::Proportion { failed, total }) => {
                let share = if metric == BuiltIn::ErrorRate { Share::Part } else { Share::Rest };
                let kind = Kind::Proportion { part: sum(failed)?, total: sum(total)?, share };
                Ok(Measure { kind, freshness: Some(age(total)?) })
            }
            (BuiltIn::ErrorRate | BuiltIn::SuccessRate, ..) => wrong("a Proportion"),
            (_, Some(quantile), Self::Histogram { buckets, microseconds_per_unit }) => {
                let milliseconds_per_unit = f64::from(*microseconds_per_unit) / 1000.0;
                let query = format!("sum by (le) ({})", increment(checked(buckets)?));
                let kind = Kind::Quantile { buckets: template(buckets, &query)?, quantile, milliseconds_per_unit };
                Ok(Measure { kind, freshness: Some(age(std::slice::from_ref(buckets))?) })
            }
            (_, Some(_), _) => wrong("a Histogram"),
            (BuiltIn::Throughput, _, Self::Counter { count }) => {
                Ok(Measure { kind: Kind::Rate { count: sum(count)? }, freshness: Some(age(count)?) })
            }
            (BuiltIn::Throughput, ..) => wrong("a Counter"),
            (_, _, Self::Gauge { gauge }) => {
                let query = template(gauge, &format!("avg({})", checked(gauge)?))?;
                Ok(Measure { kind: Kind::Gauge { query }, freshness: Some(age(std::slice::from_ref(gauge))?) })
            }
            _ => wrong("a Gauge"),
        }
    }
}

/// The increment of each series of a counter over the window; see the contract of [`super`].
fn increment(selector: &str) -> String {
    let end = format!("last_over_time({selector}[{MEMORY}])");
    let start = format!("last_over_time({selector}[{MEMORY}] offset {})", Placeholder::Window);
    format!("({end} - {start} >= 0 or {end})")
}

/// The increments of all selected series in one number; nothing if there is no series. A further sum gets a label of its own:
/// otherwise `or` would take it for the first.
fn sum(selectors: &[String]) -> Result<Template, DefinitionError> {
    let [first, rest @ ..] = selectors else { return Err(DefinitionError::NoSelector) };
    let mut query = format!("sum({})", increment(checked(first)?));
    for (number, selector) in (2..).zip(rest) {
        let further = format!("sum({})", increment(checked(selector)?));
        query = format!("{query} or label_replace({further}, \"part\", \"{number}\", \"\", \"\")");
    }
    if !rest.is_empty() {
        query = format!("sum({query})");
    }
    template(first, &query)
}

/// Seconds since the newest sample of any of the series.
fn age(selectors: &[String]) -> Result<Template, DefinitionError> {
    let [first, ..] = selectors else { return Err(DefinitionError::NoSelector) };
    let newest: Vec<String> = selectors.iter().map(|selector| format!("timestamp({selector})")).collect();
    template(first, &format!("time() - max({})", newest.join(" or ")))
}

fn checked(selector: &str) -> Result<&str, DefinitionError> {
    let parsed = Template::parse(selector).map_err(|error| DefinitionError::Selector { selector: cut(selector), error })?;
    // Inside of braces is what the source checks; behind them nothing may stand.
    let after = selector.rsplit_once('}').map_or(selector, |(_, after)| after).trim();
    let instant = !parsed.uses(Placeholder::Window) && (after.is_empty() || after == selector.trim() && is_name(after));
    if instant { Ok(selector) } else { Err(DefinitionError::NotInstant { selector: cut(selector) }) }
}

fn is_name(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':')
}

fn template(selector: &str, query: &str) -> Result<Template, DefinitionError> {
    Template::parse(query).map_err(|error| DefinitionError::Selector { selector: cut(selector), error })
}

fn cut(selector: &str) -> String {
    selector.chars().take(200).collect()
}
