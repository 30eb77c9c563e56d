//! Named formats of text, as far as the API server checks them. Unknown names hold for everything, as on the server.

use base64_shape::is_base64;

use crate::sim::schema::pattern;

mod base64_shape;

/// Whether `text` has the format.
pub fn holds(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => date_time(text),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "duration" => duration(text),
        "byte" => is_base64(text),
        "uuid" => uuid(text, None),
        "uuid3" => uuid(text, Some('3')),
        "uuid4" => uuid(text, Some('4')),
        "uuid5" => uuid(text, Some('5')),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.contains(':') && text.parse::<std::net::IpAddr>().is_ok(),
        "cidr" => cidr(text),
        "mac" => matches(r"^([0-9A-Fa-f]{2}([:-]))([0-9A-Fa-f]{2}[:-]){4,18}[0-9A-Fa-f]{2}$|^([0-9A-Fa-f]{4}\.){2,9}[0-9A-Fa-f]{4}$", text),
        "email" => matches(r"^[^@\s<>]+@[^@\s<>]+$", text),
        "hostname" => {
            text.len() <= 255
                && matches(r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$", text)
        }
        "uri" => matches(r"^([A-Za-z][A-Za-z0-9+.-]*:[^\s]+|/[^\s]*)$", text),
        "hexcolor" => matches("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$", text),
        "rgbcolor" => rgb_color(text),
        "bsonobjectid" => matches("^[0-9a-fA-F]{24}$", text),
        "ssn" => matches(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$", text),
        "creditcard" => credit_card(text),
        "isbn" => isbn10(text) || isbn13(text),
        "isbn10" => isbn10(text),
        "isbn13" => isbn13(text),
        "k8s-short-name" => text.len() <= 63 && matches("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", text),
        "k8s-long-name" => text.len() <= 253 && matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", text),
        // `password`, integer formats and names nobody knows say nothing about text.
        _ => true,
    }
}

fn matches(wanted: &str, text: &str) -> bool {
    pattern::matches(wanted, text).unwrap_or(false)
}

/// RFC 3339, also with the lax forms of the server: a space or lower-case letters instead of `T` and `Z`.
fn date_time(text: &str) -> bool {
    matches(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}([.,]\d+)?([Zz]|[+-]\d{2}:\d{2})$", text)
        && text.replace(',', ".").to_uppercase().parse::<jiff::Timestamp>().is_ok()
}

/// Go's durations, and the words of the server's parser (`3 weeks`).
fn duration(text: &str) -> bool {
    matches(r"^[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+$|^0$", text)
        || matches(
            r"^\s*(\d+\s*(ns|nanos?|nanosecs?|nanoseconds?|us|micros?|microsecs?|microseconds?|ms|millis?|millisecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\s*)+$",
            text,
        )
}

fn uuid(text: &str, version: Option<char>) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    matches("^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$", text)
        && version.is_none_or(|version| digits.chars().nth(12) == Some(version))
}

fn cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    !bits.starts_with('+') && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

fn rgb_color(text: &str) -> bool {
    let inner = text.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')'));
    inner.is_some_and(|inner| {
        let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
        parts.len() == 3 && parts.iter().all(|part| part.parse::<u8>().is_ok())
    })
}

/// Thirteen to nineteen digits with a valid Luhn sum.
fn credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter(|c| *c != ' ' && *c != '-').map(|c| c.to_digit(10).unwrap_or(99)).collect();
    let sum: u32 = digits.iter().rev().enumerate().map(|(index, digit)| luhn(index, *digit)).sum();
    (13..=19).contains(&digits.len()) && digits.iter().all(|digit| *digit < 10) && sum.is_multiple_of(10)
}

fn luhn(index: usize, digit: u32) -> u32 {
    let doubled = if index % 2 == 1 { digit * 2 } else { digit };
    if doubled > 9 { doubled - 9 } else { doubled }
}

fn isbn10(text: &str) -> bool {
    let digits: Vec<char> = text.chars().filter(|c| *c != ' ' && *c != '-').collect();
    let value = |index: usize, c: char| if index == 9 && c == 'X' { Some(10) } else { c.to_digit(10) };
    let sum: Option<u32> = digits.iter().enumerate().map(|(index, c)| value(index, *c).map(|digit| digit * (index as u32 + 1))).sum();
    digits.len() == 10 && sum.is_some_and(|sum| sum % 11 == 0)
}

fn isbn13(text: &str) -> bool {
    let digits: Vec<char> = text.chars().filter(|c| *c != ' ' && *c != '-').collect();
    let sum: Option<u32> =
        digits.iter().enumerate().map(|(index, c)| c.to_digit(10).map(|digit| digit * if index % 2 == 0 { 1 } else { 3 })).sum();
    digits.len() == 13 && sum.is_some_and(|sum| sum % 10 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_hold_for_good_texts_only() {
        let table: [(&str, &[&str], &[&str]); 16] = [
            (
                "date-time",
                &["2026-11-21T09:00:00Z", "2026-11-21T09:00:00.123+02:00", "2026-11-21t09:00:00z"],
                &["2026-11-21", "x", "2026-13-21T09:00:00Z", ""],
            ),
            ("date", &["2026-11-21"], &["2026-02-30", "20261121", "2026-1-1"]),
            ("byte", &["", "aGVsbG8=", "YQ=="], &["aGVsbG8", "a b=", "===="]),
            ("uuid", &["123e4567-e89b-12d3-a456-426614174000"], &["123e4567", "x23e4567-e89b-12d3-a456-426614174000"]),
            ("uuid4", &["123e4567-e89b-42d3-a456-426614174000"], &["123e4567-e89b-12d3-a456-426614174000"]),
            ("ipv4", &["10.0.0.1"], &["10.0.0.256", "::1"]),
            ("ipv6", &["::1", "fe80::1"], &["10.0.0.1", "g::"]),
            ("cidr", &["10.0.0.0/8", "::/0"], &["10.0.0.0", "10.0.0.0/33"]),
            ("duration", &["1h30m", "0", "1.5s", "3 weeks", "-2s"], &["1x", "", "h"]),
            ("email", &["a@b.c"], &["a", "a@"]),
            ("hostname", &["a.b.example"], &["-a", "a_b"]),
            ("uri", &["https://x.example/y"], &["not a uri", ""]),
            ("int32", &["anything"], &[]),
            ("isbn10", &["0-306-40615-2"], &["0-306-40615-3"]),
            ("isbn13", &["978-0-306-40615-7"], &["978-0-306-40615-8"]),
            ("creditcard", &["4111 1111 1111 1111"], &["4111 1111 1111 1112"]),
        ];
        for (format, good, bad) in table {
            good.iter().for_each(|text| assert!(holds(format, text), "{format} {text}"));
            bad.iter().for_each(|text| assert!(!holds(format, text), "{format} {text}"));
        }
    }
}
