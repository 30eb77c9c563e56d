//! Metric profiles: which queries give a built-in metric, by serving runtime or gateway.
//!
//! Takes the name of a profile and of a metric; gives the query templates, and turns their answers into a value with its evidence.
//! Profiles are data: five are built in, the operator's configuration may add others. Never asks anybody.
//!
//! # Counts are exact increments
//!
//! Every query is asked for the end of a window and looks back over it with `{{window}}`. Of a counter `m` it takes
//! `(last_over_time(m[1h]) - last_over_time(m[1h] offset w)) >= 0 or last_over_time(m[1h])`, summed: what the last known value at
//! the end is above the last known value at the start. So the windows (a, b] and (b, c] add up to (a, c], whole numbers stay whole
//! (`increase()` extrapolates and misses the first sample of a new series, that is each rare error), a counter that is new or
//! smaller than before counts from zero, and a scrape that fails in between neither loses nor repeats anything.
//!
//! What this cannot see: increments between the last scrape of a process and its end, and, if a process is replaced inside of the
//! window, its own since the window began (so windows should be short); a counter that starts anew and passes its old
//! value before it is scraped again counts too little; one that was silent for over an hour counts from zero. A sample
//! that the source takes in late is lost if the window was read before: windows should end [`SETTLING`] in the past.

mod catalogue;
mod definition;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::analysis::reading::{self, Answer, Buckets, NoData, Proportion};
use crate::domain::analysis::template::Template;

pub use self::definition::{Definition, DefinitionError};

/// How long before the present a window should end, so that the samples inside have arrived: Prometheus stores a scrape when it
/// is over, under the time when it began, and gives it 10 s by default.
pub const SETTLING: Duration = Duration::from_secs(10);

/// A metric that users ask for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuiltIn {
    /// `errorRate`: share of requests that failed for the server's reasons, 0 to 1.
    ErrorRate,
    /// `successRate`: share of requests that did not, 0 to 1.
    SuccessRate,
    /// `latencyP50`: median duration of requests, in milliseconds.
    LatencyP50,
    /// `latencyP95`: 95th percentile of the duration of requests, in milliseconds.
    LatencyP95,
    /// `latencyP99`: 99th percentile of the duration of requests, in milliseconds.
    LatencyP99,
    /// `throughput`: requests per second over all pods of the revision.
    Throughput,
    /// `timeToFirstToken`: 95th percentile of the time to the first token (or first response), in milliseconds.
    TimeToFirstToken,
    /// `timePerOutputToken`: 95th percentile over requests of the mean time for a further token, in milliseconds.
    TimePerOutputToken,
    /// `queueDepth`: requests that wait, averaged over the pods of the revision.
    QueueDepth,
}

/// Which of two values is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
}

impl BuiltIn {
    /// Every built-in metric, in the order in which they are documented.
    pub const ALL: [Self; 9] = [
        Self::ErrorRate,
        Self::SuccessRate,
        Self::LatencyP50,
        Self::LatencyP95,
        Self::LatencyP99,
        Self::Throughput,
        Self::TimeToFirstToken,
        Self::TimePerOutputToken,
        Self::QueueDepth,
    ];

    /// The name that users write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ErrorRate => "errorRate",
            Self::SuccessRate => "successRate",
            Self::LatencyP50 => "latencyP50",
            Self::LatencyP95 => "latencyP95",
            Self::LatencyP99 => "latencyP99",
            Self::Throughput => "throughput",
            Self::TimeToFirstToken => "timeToFirstToken",
            Self::TimePerOutputToken => "timePerOutputToken",
            Self::QueueDepth => "queueDepth",
        }
    }

    /// The metric of this name.
    ///
    /// # Errors
    /// [`ProfileError::UnknownMetric`], which names those that there are.
    pub fn parse(name: &str) -> Result<Self, ProfileError> {
        let found = Self::ALL.into_iter().find(|metric| metric.name() == name);
        found.ok_or_else(|| ProfileError::UnknownMetric { name: name.chars().take(64).collect() })
    }

    /// Which of two values of this metric is the better one.
    #[must_use]
    pub const fn better(self) -> Better {
        match self {
            Self::SuccessRate | Self::Throughput => Better::Higher,
            Self::ErrorRate
            | Self::LatencyP50
            | Self::LatencyP95
            | Self::LatencyP99
            | Self::TimeToFirstToken
            | Self::TimePerOutputToken
            | Self::QueueDepth => Better::Lower,
        }
    }

    /// The quantile that this metric is, 0 to 1; none for one that is no quantile.
    #[must_use]
    pub const fn quantile(self) -> Option<f64> {
        match self {
            Self::LatencyP50 => Some(0.5),
            Self::LatencyP95 | Self::TimeToFirstToken | Self::TimePerOutputToken => Some(0.95),
            Self::LatencyP99 => Some(0.99),
            Self::ErrorRate | Self::SuccessRate | Self::Throughput | Self::QueueDepth => None,
        }
    }
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which part of a proportion is the metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The part that is counted.
    Part,
    /// The rest.
    Rest,
}

/// How a metric is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A share of events, from the exact increments of two counters.
    Proportion {
        /// Increment of the events that count (for both rates: the failed ones).
        part: Template,
        /// Increment of all events.
        total: Template,
        /// What the value is.
        share: Share,
    },
    /// A quantile, from the exact increments of a histogram.
    Quantile {
        /// Increments by upper bound, in series with the label `le`.
        buckets: Template,
        /// 0 to 1.
        quantile: f64,
        /// Milliseconds in a unit of the histogram: 1000 for seconds.
        milliseconds_per_unit: f64,
    },
    /// Events per second, from the exact increment of a counter.
    Rate {
        /// Increment of the events.
        count: Template,
    },
    /// A number that is there at the moment.
    Gauge {
        /// Gives one number.
        query: Template,
    },
}

/// Everything needed to measure one metric of one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What it is and which queries it takes.
    pub kind: Kind,
    /// Gives the age of the newest sample in seconds, for [`reading::fresh`]; nothing if no series matches or none is alive. Queries
    /// of users have none: what they look at is not known.
    pub freshness: Option<Template>,
}

/// What the answers of a measure say.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The metric's value in its own unit; none if too little happened for it to exist.
    pub value: Option<f64>,
    /// Events that it rests on; none for a metric without events.
    pub samples: Option<u64>,
    /// What it was computed from.
    pub evidence: Evidence,
}

/// What a value was computed from.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// Exact counts; `part` are the failed ones for both rates.
    Proportion(Proportion),
    /// Exact counts by upper bound, in the histogram's unit.
    Buckets(Buckets),
    /// An exact count.
    Count(u64),
    /// The value itself.
    Number,
}

impl Measure {
    /// A query of a user's own, which gives one number.
    #[must_use]
    pub const fn of_query(query: Template) -> Self {
        Self { kind: Kind::Gauge { query }, freshness: None }
    }

    /// The queries to send, in the order in which [`Self::read`] takes their answers.
    #[must_use]
    pub fn queries(&self) -> Vec<&Template> {
        match &self.kind {
            Kind::Proportion { part, total, .. } => vec![part, total],
            Kind::Quantile { buckets, .. } => vec![buckets],
            Kind::Rate { count } => vec![count],
            Kind::Gauge { query } => vec![query],
        }
    }

    /// What the answers say that were asked for the moment `asked` over `window`.
    ///
    /// # Errors
    /// Whatever makes one of the answers no measurement; [`NoData::WrongType`] for another number of answers than queries.
    #[expect(clippy::cast_precision_loss, reason = "counts are at most 2^53")]
    pub fn read(&self, answers: &[Answer], asked: Timestamp, window: Duration) -> Result<Reading, NoData> {
        match (&self.kind, answers) {
            (Kind::Proportion { share, .. }, [part, total]) => {
                let counts = reading::proportion(part, total, asked)?;
                let value = counts.share().map(|part| if *share == Share::Part { part } else { 1.0 - part });
                Ok(Reading { value, samples: Some(counts.total), evidence: Evidence::Proportion(counts) })
            }
            (Kind::Quantile { quantile, milliseconds_per_unit, .. }, [buckets]) => {
                let buckets = reading::buckets(buckets, asked)?;
                let value = match buckets.quantile(*quantile) {
                    Err(NoData::NoEvents) => None,
                    other => Some(other? * milliseconds_per_unit),
                };
                Ok(Reading { value, samples: Some(buckets.total()), evidence: Evidence::Buckets(buckets) })
            }
            (Kind::Rate { .. }, [count]) => {
                let count = reading::count(count, asked)?;
                let value = (!window.is_zero()).then(|| count as f64 / window.as_secs_f64());
                Ok(Reading { value, samples: Some(count), evidence: Evidence::Count(count) })
            }
            (Kind::Gauge { .. }, [number]) => {
                let value = reading::number(number, asked)?;
                Ok(Reading { value: Some(value), samples: None, evidence: Evidence::Number })
            }
            (_, answers) => Err(NoData::WrongType(format!("set of {} answers to {} queries", answers.len(), self.queries().len()))),
        }
    }
}

/// The metrics of one serving runtime or gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it measures and how.
    pub measures: BTreeMap<BuiltIn, Measure>,
}

/// A profile or metric that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No built-in metric has this name.
    #[error("there is no built-in metric {name:?}; known are {}", names(BuiltIn::ALL.iter()))]
    UnknownMetric {
        /// As written, cut to 64 characters.
        name: String,
    },
    /// No profile has this name.
    #[error("there is no metric profile {name:?}; known are {}", names(known.iter()))]
    UnknownProfile {
        /// As asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The profile lacks the metric.
    #[error("the metric profile {profile} has no {metric}: {}", instead(found_in))]
    Missing {
        /// Name of the profile.
        profile: String,
        /// The metric that it lacks.
        metric: BuiltIn,
        /// Profiles that have it.
        found_in: Vec<String>,
    },
    /// There is a profile of this name already.
    #[error("there is a metric profile {name:?} already")]
    Duplicate {
        /// The name.
        name: String,
    },
}

fn names<T: fmt::Display>(names: impl Iterator<Item = T>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

fn instead(found_in: &[String]) -> String {
    match found_in {
        [] => "no profile has it; write a query of your own".to_owned(),
        some => format!("profiles that have it are {}; or write a query of your own", names(some.iter())),
    }
}

/// All profiles that there are.
#[derive(Clone, Debug, PartialEq)]
pub struct Profiles {
    by_name: BTreeMap<String, Profile>,
}

impl Profiles {
    /// The ones that are built in: `generic`, `vllm`, `triton`, `istio`, `envoy-gateway`.
    #[must_use]
    pub fn built_in() -> Self {
        Self { by_name: catalogue::profiles().into_iter().map(|profile| (profile.name.clone(), profile)).collect() }
    }

    /// Name of the profile that goes with what a container's image is called: `vllm` and `triton` for images of theirs, else `generic`.
    #[must_use]
    pub fn for_image(image: &str) -> &'static str {
        let without_tag = image.rsplit_once('/').map_or(image, |(_, name)| name);
        match without_tag {
            name if name.contains("vllm") || image.contains("/vllm/") || image.starts_with("vllm/") => "vllm",
            name if name.contains("tritonserver") => "triton",
            _ => "generic",
        }
    }

    /// Adds one.
    ///
    /// # Errors
    /// [`ProfileError::Duplicate`]: what a name means never changes.
    pub fn add(&mut self, profile: Profile) -> Result<(), ProfileError> {
        if self.by_name.contains_key(&profile.name) {
            return Err(ProfileError::Duplicate { name: profile.name });
        }
        self.by_name.insert(profile.name.clone(), profile);
        Ok(())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.by_name.values()
    }

    /// How the profile of this name measures `metric`.
    ///
    /// # Errors
    /// A profile that is unknown, or that lacks the metric; both name what there is instead.
    pub fn measure(&self, profile: &str, metric: BuiltIn) -> Result<&Measure, ProfileError> {
        let found = self.by_name.get(profile).ok_or_else(|| ProfileError::UnknownProfile {
            name: profile.chars().take(64).collect(),
            known: self.by_name.keys().cloned().collect(),
        })?;
        found.measures.get(&metric).ok_or_else(|| {
            let having = self.iter().filter(|profile| profile.measures.contains_key(&metric));
            ProfileError::Missing { profile: found.name.clone(), metric, found_in: having.map(|profile| profile.name.clone()).collect() }
        })
    }
}
