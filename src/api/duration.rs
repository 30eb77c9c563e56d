//! A length of time as users write it: `30s`, `10m`, `1h30m`, `250ms`.
//!
//! The subset of Go's syntax that the Gateway API takes too, so that a value can be passed on unchanged: one to four whole numbers of
//! at most five digits, each followed by `h`, `m`, `s` or `ms`. No sign, no fraction, no days. Never overflows: the longest value is
//! under 46 years.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::api::schema;

/// The syntax, as a regular expression that RE2 and Rust agree on.
pub(super) const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// A length of time in whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(std::time::Duration);

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration: write whole numbers with h, m, s or ms, such as 30s, 10m or 1h30m")]
pub struct DurationError(String);

impl Duration {
    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// The standard library's value.
    #[must_use]
    pub const fn as_std(self) -> std::time::Duration {
        self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let refused = || DurationError(text.chars().take(64).collect());
        let mut milliseconds: u64 = 0;
        let mut rest = text;
        let mut parts = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            let factor = unit_milliseconds(unit).ok_or_else(refused)?;
            if digits == 0 || digits > 5 || parts == 4 {
                return Err(refused());
            }
            milliseconds += number.parse::<u64>().map_err(|_| refused())? * factor;
            parts += 1;
            rest = tail;
        }
        if parts == 0 { Err(refused()) } else { Ok(Self(std::time::Duration::from_millis(milliseconds))) }
    }
}

impl fmt::Display for Duration {
    /// Writes the largest units first and leaves out zeros: `90s` reads back as `1m30s`. Whatever [`FromStr`] took comes out in a
    /// form that it takes again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0s");
        }
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let hours = left / 3_600_000;
        for _ in 0..hours / 99_999 {
            // A number has at most five digits; the longest value that was read has four of these.
            f.write_str("99999h")?;
            left -= 99_999 * 3_600_000;
        }
        for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let (count, remainder) = (left / factor, left % factor);
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
            left = remainder;
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::checked_string(
            32,
            &format!("self.matches('{PATTERN}')"),
            "must be a duration of whole numbers with h, m, s or ms, such as 30s, 10m or 1h30m",
        )
    }
}

fn unit_milliseconds(unit: &str) -> Option<u64> {
    match unit {
        "h" => Some(3_600_000),
        "m" => Some(60_000),
        "s" => Some(1_000),
        "ms" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Duration;

    fn milliseconds(text: &str) -> Option<u128> {
        text.parse::<Duration>().ok().map(|duration| duration.as_std().as_millis())
    }

    #[test]
    fn durations_of_all_units_are_read() {
        assert_eq!(milliseconds("250ms"), Some(250));
        assert_eq!(milliseconds("30s"), Some(30_000));
        assert_eq!(milliseconds("10m"), Some(600_000));
        assert_eq!(milliseconds("1h30m"), Some(5_400_000));
        assert_eq!(milliseconds("0s"), Some(0));
        assert_eq!(milliseconds("99999h99999h99999h99999h"), Some(4 * 99_999 * 3_600_000));
    }

    #[test]
    fn what_the_rule_refuses_is_refused_when_read() {
        for text in ["", "10", "m", "-1s", "+1s", "1.5h", "1d", "1 s", "100000s", "1s1s1s1s1s", "1us", "1hm", "s1", "1S", "١s"] {
            assert_eq!(milliseconds(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_length() {
        for text in ["0ms", "90s", "3600s", "1h1ms", "1500ms", "99999h59m59s999ms", "99999h99999h99999h99999h"] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string().parse::<Duration>(), Ok(duration), "{text} was written as {duration}");
        }
        assert_eq!("90s".parse::<Duration>().unwrap().to_string(), "1m30s");
    }

    #[test]
    fn an_error_names_the_text_and_what_to_write() {
        let error = serde_json::from_str::<Duration>("\"2 weeks\"").unwrap_err().to_string();
        assert!(error.contains("2 weeks") && error.contains("1h30m"), "{error}");
    }
}
