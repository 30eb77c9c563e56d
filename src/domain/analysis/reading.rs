//! What an answer says: a count, buckets, a number; or that it says nothing.
//!
//! Takes answers of a metric source as plain values, and the moment they were asked for; gives exact counts, quantiles in
//! milliseconds and finite numbers, or [`NoData`] with its reason. Never guesses: an answer that is empty, not a number, of the
//! wrong shape, of another time or incomplete is no measurement.

mod buckets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

pub use self::buckets::{Above, Buckets};

/// How far the time of an answer may lie from the time that was asked for: sources round to milliseconds or seconds.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

/// The greatest age of the newest sample that is not stale: two scrapes at Prometheus' default interval of a minute, and a half.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_secs(150);

/// The largest count that a float holds exactly, 2^53.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

/// One series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The time that the source gives for it.
    pub at: Timestamp,
    /// Its value; may be NaN or infinite.
    pub value: f64,
}

/// The value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Series, each with one number.
    Vector(Vec<Sample>),
    /// One number without labels.
    Scalar(Timestamp, f64),
    /// Anything else, by its name: a matrix, a string, native histograms.
    Other(String),
}

/// What a metric source answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Why the value may be wrong or incomplete, in the source's words.
    pub warnings: Vec<String>,
    /// What else the source has to say; harmless.
    pub infos: Vec<String>,
}

/// Why an answer is no measurement.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoData {
    /// No series matches.
    #[error("the query matches no series")]
    Empty,
    /// NaN.
    #[error("the value is not a number")]
    NotANumber,
    /// Infinite.
    #[error("the value is infinite")]
    Infinite,
    /// A count or an age below zero.
    #[error("the value is {0}, which no count or age can be")]
    Negative(f64),
    /// A count with a fraction.
    #[error("the count is {0}, not a whole number: increments are exact, rate() and increase() are not")]
    NotWhole(f64),
    /// A count beyond 2^53.
    #[error("the count is {0}, too large to be exact")]
    TooLarge(f64),
    /// Not a vector or scalar.
    #[error("the answer is a {0}, not one number")]
    WrongType(String),
    /// Several series where one is expected.
    #[error("the query gives {0} series, not one: add sum() or avg()")]
    ManySeries(usize),
    /// The answer is about another moment.
    #[error("the answer is for {given}, asked for was {asked}")]
    OtherTime {
        /// The time of the answer.
        given: Timestamp,
        /// The time that was asked for.
        asked: Timestamp,
    },
    /// The newest sample is too old.
    #[error("the newest sample is {age:#} old, more than {limit:#}")]
    Stale {
        /// Age of the newest sample.
        age: SignedDuration,
        /// The greatest age that counts.
        limit: SignedDuration,
    },
    /// The source said that the answer may be wrong or incomplete.
    #[error("the source warns: {0}")]
    Warned(String),
    /// More bad events than events, or no bucket for everything, or counts that fall where they cannot.
    #[error("the counts contradict each other: {0}")]
    Inconsistent(String),
    /// The counts are fine, but nothing happened: there is no quantile of nothing.
    #[error("there were no events")]
    NoEvents,
}

/// A share of events, as exact counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportion {
    /// Events that count.
    pub part: u64,
    /// All events.
    pub total: u64,
}

impl Proportion {
    /// The share from 0 to 1; none without events.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are at most 2^53")]
    pub fn share(self) -> Option<f64> {
        (self.total > 0).then(|| self.part as f64 / self.total as f64)
    }
}

/// The one number of an answer: a scalar, or a vector of one series whatever its labels.
///
/// # Errors
/// Everything that is not exactly one finite number for the moment `asked`, told without warnings.
pub fn number(answer: &Answer, asked: Timestamp) -> Result<f64, NoData> {
    let (at, value) = match sound(answer)? {
        Value::Scalar(at, value) => (*at, *value),
        Value::Vector(samples) => match samples.as_slice() {
            [] => return Err(NoData::Empty),
            [sample] => (sample.at, sample.value),
            many => return Err(NoData::ManySeries(many.len())),
        },
        Value::Other(kind) => return Err(NoData::WrongType(kind.clone())),
    };
    of_time(at, asked)?;
    finite(value)
}

/// The one count of an answer.
///
/// # Errors
/// As [`number`]; also what is negative, has a fraction or is beyond 2^53.
pub fn count(answer: &Answer, asked: Timestamp) -> Result<u64, NoData> {
    whole(number(answer, asked)?)
}

/// Bad events and all events of the same window. No series of bad events means none, if there is one of all events: counters of
/// errors appear with the first error.
///
/// # Errors
/// As [`count`], except for an empty `part`; also more bad events than events.
pub fn proportion(part: &Answer, total: &Answer, asked: Timestamp) -> Result<Proportion, NoData> {
    let total = count(total, asked)?;
    let part = match count(part, asked) {
        Err(NoData::Empty) => 0,
        other => other?,
    };
    if part > total {
        return Err(NoData::Inconsistent(format!("{part} of {total} events")));
    }
    Ok(Proportion { part, total })
}

/// Increments of a histogram by upper bound.
///
/// # Errors
/// As [`count`] for each series; also bounds that are no numbers, no bucket `+Inf`, and counts that fall with rising bounds.
pub fn buckets(answer: &Answer, asked: Timestamp) -> Result<Buckets, NoData> {
    let samples = match sound(answer)? {
        Value::Vector(samples) if samples.is_empty() => return Err(NoData::Empty),
        Value::Vector(samples) => samples,
        Value::Scalar(..) => return Err(NoData::WrongType("scalar".to_owned())),
        Value::Other(kind) => return Err(NoData::WrongType(kind.clone())),
    };
    let mut counts = Vec::with_capacity(samples.len());
    for sample in samples {
        of_time(sample.at, asked)?;
        let bound = sample.labels.get("le").ok_or_else(|| NoData::Inconsistent("a bucket has no upper bound (le)".to_owned()))?;
        counts.push((bound.as_str(), whole(finite(sample.value)?)?));
    }
    Buckets::new(counts)
}

/// Checks the answer to "how many seconds old is the newest sample".
///
/// # Errors
/// As [`number`]; [`NoData::Stale`] if it is older than `limit`.
pub fn fresh(answer: &Answer, asked: Timestamp, limit: SignedDuration) -> Result<(), NoData> {
    let seconds = number(answer, asked)?;
    // A source may round the moment it was asked for, never by more than the tolerance.
    if seconds < -CLOCK_TOLERANCE.as_secs_f64() {
        return Err(NoData::Negative(seconds));
    }
    let age = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::MAX);
    if age > limit { Err(NoData::Stale { age, limit }) } else { Ok(()) }
}

fn sound(answer: &Answer) -> Result<&Value, NoData> {
    answer.warnings.first().map_or(Ok(&answer.value), |warning| Err(NoData::Warned(warning.clone())))
}

fn of_time(given: Timestamp, asked: Timestamp) -> Result<(), NoData> {
    if given.duration_since(asked).abs() > CLOCK_TOLERANCE { Err(NoData::OtherTime { given, asked }) } else { Ok(()) }
}

fn finite(value: f64) -> Result<f64, NoData> {
    match value {
        _ if value.is_nan() => Err(NoData::NotANumber),
        _ if value.is_infinite() => Err(NoData::Infinite),
        _ => Ok(value),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative and at most 2^53")]
fn whole(value: f64) -> Result<u64, NoData> {
    match value {
        _ if value < 0.0 => Err(NoData::Negative(value)),
        _ if value > COUNT_MAX => Err(NoData::TooLarge(value)),
        _ if value.fract() != 0.0 => Err(NoData::NotWhole(value)),
        _ => Ok(value as u64),
    }
}
