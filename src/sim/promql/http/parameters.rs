//! Parameters of a request.

use jiff::Timestamp;

use crate::sim::promql::matcher::Matcher;
use crate::sim::promql::plan;
use crate::sim::promql::query::QueryError;

/// Furthest time that a float may say, in seconds.
const SECONDS_MAX: f64 = 1e12;
/// Units of a duration from the longest, with their milliseconds. Each may come once, in this order.
const UNITS: [(&str, i64); 7] =
    [("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Names and values, of which a name given twice counts by its first value.
pub struct Parameters<'a> {
    pairs: &'a [(String, String)],
}

impl<'a> Parameters<'a> {
    pub fn new(pairs: &'a [(String, String)]) -> Self {
        Self { pairs }
    }

    /// Refuses what is not among these: a parameter is not ignored.
    pub fn only(&self, known: &[&str]) -> Result<(), QueryError> {
        match self.pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(QueryError::lacking(format!("the parameter {name:?} of this path"))),
            None => Ok(()),
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let value = self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// A text, empty if it is not given: an empty query has an error of its own.
    pub fn needed(&self, name: &str) -> Result<&'a str, QueryError> {
        self.get(name).ok_or_else(|| QueryError::bad_data(format!("invalid parameter {name:?}: no expression found in input")))
    }

    /// A time in milliseconds.
    pub fn time(&self, name: &str) -> Result<Option<i64>, QueryError> {
        let invalid = |text: &str| QueryError::bad_data(format!("invalid parameter {name:?}: cannot parse {text:?} to a valid timestamp"));
        self.get(name).map(|text| time(text).ok_or_else(|| invalid(text))).transpose()
    }

    /// A duration in milliseconds that is not negative.
    pub fn duration(&self, name: &str) -> Result<Option<i64>, QueryError> {
        match self.step(name)? {
            Some(duration) if duration < 0 => Err(QueryError::bad_data(format!("invalid parameter {name:?}: negative duration"))),
            duration => Ok(duration),
        }
    }

    /// A duration in milliseconds of any sign.
    pub fn step(&self, name: &str) -> Result<Option<i64>, QueryError> {
        let invalid = |text: &str| QueryError::bad_data(format!("invalid parameter {name:?}: cannot parse {text:?} to a valid duration"));
        self.get(name).map(|text| duration(text).ok_or_else(|| invalid(text))).transpose()
    }

    /// Most elements of an answer; 0 is none given.
    pub fn limit(&self) -> Result<Option<usize>, QueryError> {
        let Some(text) = self.get("limit") else { return Ok(None) };
        let limit: usize = text.parse().map_err(|_| QueryError::bad_data(format!("invalid parameter \"limit\": {text:?} is no limit")))?;
        Ok(Some(limit).filter(|limit| *limit > 0))
    }

    /// All `match[]`.
    pub fn selectors(&self) -> Result<Vec<Vec<Matcher>>, QueryError> {
        self.pairs.iter().filter(|(name, _)| name == "match[]").map(|(_, text)| plan::parse_selector(text)).collect()
    }
}

/// Seconds since the epoch, or RFC 3339.
fn time(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => (seconds.abs() <= SECONDS_MAX).then(|| (seconds * 1000.0).round() as i64),
        Err(_) => text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
    }
}

/// Seconds, or numbers with units.
fn duration(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        // Cut, not rounded: Prometheus keeps nanoseconds and divides.
        return (seconds.abs() <= SECONDS_MAX).then_some((seconds * 1000.0) as i64);
    }
    let (mut rest, mut total, mut next) = (text, 0i64, 0);
    while !rest.is_empty() {
        let digits = rest.find(|sign: char| !sign.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|sign: char| sign.is_ascii_digit()).unwrap_or(rest.len());
        let place = UNITS.iter().position(|(name, _)| *name == &rest[..unit]).filter(|place| *place >= next)?;
        total = total.checked_add(number.checked_mul(UNITS[place].1)?)?;
        (rest, next) = (&rest[unit..], place + 1);
    }
    (!text.is_empty()).then_some(total)
}
