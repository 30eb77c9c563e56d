//! Lengths of time as users write them: `30s`, `10m`, `1h30m`, `250ms`.
//!
//! Takes text of one to four whole numbers with `h`, `m`, `s` or `ms`; gives a duration below 46 years. No sign, no fraction.

use jiff::SignedDuration;

const UNITS: [(&str, i64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration; none if the text is not one.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let mut milliseconds: i64 = 0;
    let mut rest = text;
    for _ in 0..4 {
        let (number, tail) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
        let (unit, tail) = tail.split_at(tail.bytes().take_while(u8::is_ascii_alphabetic).count());
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if number.is_empty() || number.len() > 5 {
            return None;
        }
        milliseconds += number.parse::<i64>().ok()? * factor;
        rest = tail;
        if rest.is_empty() {
            return Some(SignedDuration::from_millis(milliseconds));
        }
    }
    None
}

/// Writes a duration so that [`parse`] reads it back, rounded down to milliseconds; below zero is `0s`.
pub fn show(duration: SignedDuration) -> String {
    let mut left = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(0);
    let mut text = String::new();
    for (unit, factor) in UNITS {
        let count = left / factor;
        left %= factor;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        for text in ["0s", "30s", "10m", "1h30m", "2h1m5s250ms"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        assert_eq!(show(parse("90s").unwrap()), "1m30s");
        assert_eq!(parse("1h30m"), Some(SignedDuration::from_mins(90)));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "m", "-5m", "1.5h", "5 m", "1d", "123456s", "1s1s1s1s1s", "5mm", "5m "] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
