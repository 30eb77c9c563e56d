//! A metric source that answers by a script, for tests of whatever asks one.
//!
//! Takes answers in order, or a function of the query and its time; records what it was asked. Never waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::{Answering, MetricSource, SourceError};
use crate::domain::analysis::reading::{Answer, Sample, Value};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The query.
    pub query: String,
    /// The moment it was asked for.
    pub at: Timestamp,
}

type Reply = Result<Answer, SourceError>;
type Function = Box<dyn FnMut(&str, Timestamp) -> Reply + Send>;

enum Script {
    Sequence(VecDeque<Box<dyn FnOnce(Timestamp) -> Reply + Send>>),
    Function(Function),
}

/// Answers by a script.
pub struct Scripted {
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
}

impl Scripted {
    /// Gives `replies` one by one, each made for the moment that is asked for; then it is unavailable.
    pub fn sequence<F: FnOnce(Timestamp) -> Reply + Send + 'static>(replies: impl IntoIterator<Item = F>) -> Self {
        Self::new(Script::Sequence(
            replies.into_iter().map(|reply| -> Box<dyn FnOnce(Timestamp) -> Reply + Send> { Box::new(reply) }).collect(),
        ))
    }

    /// Asks `function` each time.
    pub fn function(function: impl FnMut(&str, Timestamp) -> Reply + Send + 'static) -> Self {
        Self::new(Script::Function(Box::new(function)))
    }

    fn new(script: Script) -> Self {
        Self { script: Mutex::new(script), asked: Mutex::default() }
    }

    /// Everything that was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl MetricSource for Scripted {
    fn query<'a>(&'a self, query: &'a str, at: Timestamp) -> Answering<'a> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { query: query.to_owned(), at });
        let reply = match &mut *self.script.lock().unwrap_or_else(PoisonError::into_inner) {
            Script::Sequence(replies) => match replies.pop_front() {
                Some(reply) => reply(at),
                None => Err(SourceError::Unavailable("the script is over".to_owned())),
            },
            Script::Function(function) => function(query, at),
        };
        Box::pin(std::future::ready(reply))
    }
}

/// An answer of one series without labels.
#[must_use]
pub fn one(at: Timestamp, value: f64) -> Answer {
    vector(vec![Sample { labels: BTreeMap::new(), at, value }])
}

/// An answer of these series; without any, the answer of a query that matches nothing.
#[must_use]
pub fn vector(samples: Vec<Sample>) -> Answer {
    Answer { value: Value::Vector(samples), warnings: Vec::new(), infos: Vec::new() }
}

/// An answer of buckets: upper bounds as texts, with their counts.
#[must_use]
pub fn buckets(at: Timestamp, counts: &[(&str, f64)]) -> Answer {
    let labels = |bound: &str| BTreeMap::from([("le".to_owned(), bound.to_owned())]);
    vector(counts.iter().map(|(bound, value)| Sample { labels: labels(bound), at, value: *value }).collect())
}
