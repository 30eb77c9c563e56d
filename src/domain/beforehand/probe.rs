//! Whether an analysis could measure anything, asked before a release needs it.
//!
//! Takes the metrics, the revision that serves, what was asked in this process and what came of it; gives what has to be asked of the *stable*
//! revision, and what is known. Every metric is asked once for its definition, its provider and the stable revision, and once more when a release
//! begins; again, ever more rarely, only while it cannot be measured. Keeps nothing from going on, and judges no revision.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::analysis::criteria::{Criteria, Metric};
use crate::domain::analysis::profile::{Evidence, Reading, SETTLING};
use crate::domain::record::Record;
use crate::domain::revision::RevisionName;

/// The longest that a revision serves before its metrics are asked for.
const ASKED_AFTER_MAX: SignedDuration = SignedDuration::from_mins(2);

/// How far a probe looks back at most.
pub const LOOKS_BACK: SignedDuration = SignedDuration::from_mins(10);

/// The longest wait between two questions.
const AGAIN_MAX: SignedDuration = SignedDuration::from_mins(10);

/// Characters that are kept of words and queries.
const WORDS_MAX: usize = 400;

/// What keeps a metric from being measured, gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The operator's configuration has no such provider, or no default.
    NoProvider,
    /// The source refuses the query.
    Refused,
    /// The source is not reached, or does not answer as one.
    Unreachable,
    /// No series matches, or none has a sample of late.
    NoSeries,
    /// The answer is no measurement: not a number, several series, too large.
    NotMeasurable,
}

/// What one metric of the stable revision says.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It can be measured.
    Measured(Counted),
    /// It cannot: why, in words.
    Missing(Trouble, String),
}

/// How much happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counted {
    /// Requests within the time; none for a metric that counts none.
    pub requests: Option<u64>,
    /// Those of them that count as failed, for a share.
    pub failed: Option<u64>,
    /// The time, in seconds; more than 0.
    pub seconds: i64,
}

/// What is known of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Probed {
    /// As the user calls it.
    pub name: String,
    /// Its definition.
    pub definition: String,
    /// The provider that was asked; none: the default one.
    pub provider: Option<String>,
    /// The stable revision that was asked about.
    pub revision: RevisionName,
    /// When this was first found.
    pub at: Timestamp,
    /// What was found.
    pub outcome: Outcome,
    /// The first query, as it was sent.
    pub query: String,
}

/// What is asked, so that the same is not asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The stable revision.
    pub revision: RevisionName,
    /// When it got all of the traffic.
    pub since: Timestamp,
    /// The release that has begun, if one has.
    pub candidate: Option<RevisionName>,
}

/// One metric to be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Place of the metric in the criteria.
    pub metric: usize,
    /// The end of the time it looks at.
    pub to: Timestamp,
    /// How far it looks back.
    pub window: Duration,
}

/// The last time that a metric was asked for, in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    occasion: Occasion,
    definition: String,
    provider: Option<String>,
    at: Timestamp,
    /// How often it could not be measured, in a row.
    missing: u32,
}

/// What was tried, by the name of the metric.
pub type Tries = BTreeMap<String, Tried>;

impl Occasion {
    /// The occasion that `record` is; none while the stable revision does not serve, or a candidate is on its way back.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let newest = record.history.first().filter(|newest| newest.revision == record.stable)?;
        let candidate = record.candidate.as_ref();
        if candidate.is_some_and(|candidate| candidate.retreat.is_some()) {
            return None;
        }
        let candidate = candidate.map(|candidate| candidate.revision.clone());
        Some(Self { revision: record.stable.clone(), since: newest.since, candidate })
    }
}

impl Tried {
    fn is_about(&self, occasion: &Occasion, metric: &Metric) -> bool {
        (&self.occasion, &self.definition, &self.provider) == (occasion, &metric.definition, &metric.provider)
    }

    /// When it is asked for again: after an interval, then after twice as long each time; none once it was measured.
    fn again(&self, criteria: &Criteria) -> Option<Timestamp> {
        let doublings = self.missing.checked_sub(1)?.min(8);
        Some(self.at + criteria.interval.saturating_mul(1 << doublings).min(AGAIN_MAX))
    }
}

/// How long a revision serves before its metrics are asked for: its pods should have been scraped twice in each interval.
fn asked_after(criteria: &Criteria) -> SignedDuration {
    let settled = SignedDuration::try_from(SETTLING).unwrap_or_default();
    criteria.interval.saturating_mul(2).saturating_add(settled).min(ASKED_AFTER_MAX)
}

/// When `metric` is to be asked for on this occasion; none once it was measured and that is `known`: a status that could not be written has to be
/// told again.
fn due_at(criteria: &Criteria, occasion: &Occasion, metric: &Metric, tries: &Tries, known: &[Probed]) -> Option<Timestamp> {
    let Some(tried) = tries.get(&metric.name).filter(|tried| tried.is_about(occasion, metric)) else {
        return Some(occasion.since + asked_after(criteria));
    };
    let is_known = known.iter().any(|probed| probed.is_about(metric) && matches!(probed.outcome, Outcome::Measured(_)));
    tried.again(criteria).or_else(|| (!is_known).then(|| tried.at + criteria.interval))
}

/// What is to be asked `now`.
#[must_use]
pub fn due(criteria: &Criteria, occasion: &Occasion, tries: &Tries, known: &[Probed], now: Timestamp) -> Vec<Question> {
    let to = now - SETTLING;
    let looks_back = to.duration_since(occasion.since).min(LOOKS_BACK);
    let Some(window) = Duration::try_from(looks_back).ok().map(|window| Duration::from_secs(window.as_secs())) else { return Vec::new() };
    let is_due = |metric: &Metric| due_at(criteria, occasion, metric, tries, known).is_some_and(|at| at <= now) && !window.is_zero();
    let all = criteria.metrics.iter().enumerate();
    all.filter(|(_, metric)| is_due(metric)).map(|(metric, _)| Question { metric, to, window }).collect()
}

/// When a metric that was never asked for on this occasion is to be.
#[must_use]
pub fn next(criteria: &Criteria, occasion: &Occasion, tries: &Tries, now: Timestamp) -> Option<Timestamp> {
    let fresh = |metric: &&Metric| tries.get(&metric.name).is_none_or(|tried| !tried.is_about(occasion, metric));
    let at = criteria.metrics.iter().filter(fresh).filter_map(|metric| due_at(criteria, occasion, metric, tries, &[]));
    at.filter(|at| *at > now).min()
}

/// When a metric that could not be measured is asked for again.
#[must_use]
pub fn again(criteria: &Criteria, occasion: &Occasion, tries: &Tries, known: &[Probed], now: Timestamp) -> Option<Timestamp> {
    let failed = criteria.metrics.iter().filter(|metric| tries.get(&metric.name).is_some_and(|tried| tried.is_about(occasion, metric)));
    failed.filter_map(|metric| due_at(criteria, occasion, metric, tries, known)).filter(|at| *at > now).min()
}

/// Notes that these were asked for on this occasion.
#[must_use]
pub fn tried(before: Tries, occasion: &Occasion, answers: &[Probed], now: Timestamp) -> Tries {
    let mut tries = before;
    for answer in answers {
        let same = tries
            .get(&answer.name)
            .filter(|tried| (&tried.occasion, &tried.definition, &tried.provider) == (occasion, &answer.definition, &answer.provider));
        let missing = match &answer.outcome {
            Outcome::Measured(_) => 0,
            Outcome::Missing(..) => same.map_or(0, |tried| tried.missing).saturating_add(1),
        };
        let (definition, provider) = (answer.definition.clone(), answer.provider.clone());
        tries.insert(answer.name.clone(), Tried { occasion: occasion.clone(), definition, provider, at: now, missing });
    }
    tries
}

/// What is known after `answers`: of the metrics of `criteria` only, and as it was unless they say something else. Numbers that moved by less
/// than half are no news, nor are other words for the same trouble.
#[must_use]
pub fn take_in(criteria: &Criteria, before: &[Probed], answers: &[Probed]) -> Vec<Probed> {
    let known = |metric: &Metric| {
        let old = before.iter().find(|probed| probed.is_about(metric));
        let new = answers.iter().find(|probed| probed.is_about(metric));
        match (old, new) {
            (Some(old), Some(new)) if is_same(&old.outcome, &new.outcome) => Some(old),
            (old, new) => new.or(old),
        }
    };
    criteria.metrics.iter().filter_map(known).cloned().collect()
}

fn is_same(old: &Outcome, new: &Outcome) -> bool {
    match (old, new) {
        (Outcome::Missing(old, _), Outcome::Missing(new, _)) => old == new,
        (Outcome::Measured(old), Outcome::Measured(new)) => {
            let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
                (Some(one), Some(other)) => one.max(other) <= 1.5 * one.min(other),
                (None, None) => true,
                _ => false,
            };
            near(old.requests_per_second(), new.requests_per_second()) && near(old.failed_share(), new.failed_share())
        }
        _ => false,
    }
}

impl Counted {
    /// What a reading over `window` counted.
    #[must_use]
    pub fn of(reading: &Reading, window: Duration) -> Self {
        let failed = match &reading.evidence {
            Evidence::Proportion(counts) => Some(counts.part),
            Evidence::Buckets(_) | Evidence::Count(_) | Evidence::Number => None,
        };
        Self { requests: reading.samples, failed, seconds: i64::try_from(window.as_secs()).unwrap_or(i64::MAX).max(1) }
    }

    /// Requests per second; none for a metric that counts none.
    #[must_use]
    pub fn requests_per_second(&self) -> Option<f64> {
        Some(self.requests? as f64 / self.seconds as f64)
    }

    /// Share of requests that failed, 0-1; none without requests, or for a metric that is no share.
    #[must_use]
    pub fn failed_share(&self) -> Option<f64> {
        let (failed, requests) = (self.failed?, self.requests?);
        (requests > 0).then(|| failed as f64 / requests as f64)
    }
}

impl Probed {
    fn is_about(&self, metric: &Metric) -> bool {
        (&self.name, &self.definition, &self.provider) == (&metric.name, &metric.definition, &metric.provider)
    }

    /// The same with bounded texts.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let cut = |text: &str| text.chars().take(WORDS_MAX).collect::<String>();
        self.query = cut(&self.query);
        if let Outcome::Missing(_, words) = &mut self.outcome {
            *words = cut(words);
        }
        self
    }
}
