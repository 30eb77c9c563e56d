//! Where metrics come from.
//!
//! Takes a query and the moment it is asked for; gives the answer as a plain value of [`crate::domain::analysis::reading`], or
//! says what kept it away. The sources that there are, with their addresses and secrets, come from the operator's configuration
//! ([`config`]); users name them, never an address. Never judges a value, never repeats a query, never reads a clock but tokio's
//! timers.

pub mod config;
pub mod prometheus;
pub mod scripted;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::analysis::reading::Answer;

/// An answer that is under way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, SourceError>> + Send + 'a>>;

/// Answers queries.
pub trait MetricSource: Send + Sync {
    /// Asks for the value of `query` at the moment `at`. Ends in bounded time.
    fn query<'a>(&'a self, query: &'a str, at: Timestamp) -> Answering<'a>;
}

/// Why there is no answer. None of them is ever a verdict; they differ in who can do something about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not reached, too slow, overloaded or failing: may pass by itself.
    #[error("the metric source is unavailable: {0}")]
    Unavailable(String),
    /// The source refuses the query, in its own words: the query has to change.
    #[error("the metric source refuses the query: {0}")]
    Refused(String),
    /// The address or the credentials are not right: the operator's configuration has to change.
    #[error("the metric source is not set up right: {0}")]
    Misconfigured(String),
    /// Something answers, but not as a metric source does.
    #[error("the answer is not that of a metric source: {0}")]
    Garbage(String),
    /// The answer is larger than is taken.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The largest answer that is taken, in bytes.
        limit: usize,
    },
}

impl SourceError {
    /// The variant as a fixed word, for metrics and conditions.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "Unavailable",
            Self::Refused(_) => "Refused",
            Self::Misconfigured(_) => "Misconfigured",
            Self::Garbage(_) => "Garbage",
            Self::TooLarge { .. } => "TooLarge",
        }
    }
}

/// No source has the name, or there is none to fall back on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownSource {
    /// The configuration has no source of this name.
    #[error("there is no metric provider {name:?}; {}", listed(known))]
    Name {
        /// As asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// None was named, and there is no default.
    #[error("no metric provider is the default; {}", listed(known))]
    NoDefault {
        /// Those that there are.
        known: Vec<String>,
    },
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "the operator's configuration names none".to_owned() } else { format!("known are {}", known.join(", ")) }
}

/// The sources of the operator's configuration, by name.
#[derive(Clone, Default)]
pub struct Sources {
    by_name: BTreeMap<String, Arc<dyn MetricSource>>,
    default: Option<String>,
}

impl Sources {
    /// Without any.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One source, which is the default.
    #[must_use]
    pub fn one(name: &str, source: Arc<dyn MetricSource>) -> Self {
        Self { by_name: BTreeMap::from([(name.to_owned(), source)]), default: Some(name.to_owned()) }
    }

    /// Makes a source of each provider of the configuration. Connects to none of them yet. Names that resolve to `forbidden`, such
    /// as the addresses of the API server, will lead nowhere.
    ///
    /// # Errors
    /// A provider whose files cannot be read or whose address may not be used.
    pub fn from_configuration(
        configuration: &config::OperatorConfiguration,
        forbidden: &BTreeSet<IpAddr>,
    ) -> Result<Self, prometheus::ConnectError> {
        let mut by_name: BTreeMap<String, Arc<dyn MetricSource>> = BTreeMap::new();
        for provider in &configuration.metric_providers {
            by_name.insert(provider.name.clone(), Arc::new(prometheus::Prometheus::connect(provider, forbidden)?));
        }
        Ok(Self { by_name, default: configuration.default_provider().map(|provider| provider.name.clone()) })
    }

    /// The source of this name, or the default one.
    ///
    /// # Errors
    /// [`UnknownSource`], which names those that there are.
    pub fn get(&self, name: Option<&str>) -> Result<&Arc<dyn MetricSource>, UnknownSource> {
        let known = || self.by_name.keys().cloned().collect();
        let wanted = name.or(self.default.as_deref()).ok_or_else(|| UnknownSource::NoDefault { known: known() })?;
        self.by_name.get(wanted).ok_or_else(|| UnknownSource::Name { name: wanted.chars().take(64).collect(), known: known() })
    }
}

#[cfg(test)]
mod tests;
