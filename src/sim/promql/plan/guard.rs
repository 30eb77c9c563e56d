//! What the parser must not be given.
//!
//! Takes a query text; gives `bad_data` for what would make the parser stop the process (a stack used up by nesting, durations
//! that its arithmetic does not hold) or read something else than was written (numbers too large for a float). Never judges the
//! grammar otherwise.

use crate::sim::promql::query::QueryError;

/// Longest text in bytes.
const TEXT_BYTES_MAX: usize = 32 * 1024;
/// Most signs that may nest an expression deeper: parentheses, brackets, operators, set operators.
const NESTING_MAX: usize = 500;
/// Longest duration in seconds: what Prometheus' nanoseconds hold.
const DURATION_SECONDS_MAX: f64 = 9_223_372_036.0;

/// Refuses what is too deep, too long or out of range.
pub fn check(text: &str) -> Result<(), QueryError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(QueryError::bad_data(format!("the query has {} bytes, at most {TEXT_BYTES_MAX} are taken", text.len())));
    }
    let code = without_strings(text);
    let signs = code.chars().filter(|sign| "([{-+*/%^=<>!".contains(*sign)).count();
    let words: Vec<&str> = code.split(|sign: char| !is_word(sign)).filter(|word| !word.is_empty()).collect();
    let set_operator = |word: &&&str| ["and", "or", "unless", "atan2"].contains(&word.to_ascii_lowercase().as_str());
    if signs + words.iter().filter(set_operator).count() > NESTING_MAX {
        return Err(QueryError::bad_data(format!("the query has more than {NESTING_MAX} operators and parentheses")));
    }
    numbers(&code)?;
    durations(&code, &words)
}

/// The parser reads a number that is too large as infinite; Prometheus does not read it.
fn numbers(code: &str) -> Result<(), QueryError> {
    let mut rest = code;
    while let Some(start) = rest.find(is_word) {
        let word = &rest[start..];
        let mut length = word.find(|sign| !is_word(sign)).unwrap_or(word.len());
        let is_number = word.starts_with(|sign: char| sign.is_ascii_digit() || sign == '.');
        if is_number && word[..length].ends_with(['e', 'E']) && word[length..].starts_with(['+', '-']) {
            let exponent = &word[length + 1..];
            length += 1 + exponent.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(exponent.len());
        }
        if is_number && word[..length].parse().is_ok_and(f64::is_infinite) {
            return Err(QueryError::bad_data(format!("error parsing number: {:?} is out of range", &word[..length])));
        }
        rest = &word[length..];
    }
    Ok(())
}

fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || "_.:".contains(sign)
}

/// The text with strings and comments blanked.
fn without_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '#' => drop(signs.by_ref().find(|sign| *sign == '\n')),
            '"' | '\'' | '`' => skip_string(&mut signs, sign),
            _ => {
                code.push(sign);
                continue;
            }
        }
        code.push(' ');
    }
    code
}

fn skip_string(signs: &mut std::str::Chars<'_>, quote: char) {
    while let Some(sign) = signs.next() {
        if sign == '\\' && quote != '`' {
            signs.next();
        } else if sign == quote {
            return;
        }
    }
}

/// Durations stand in brackets or after `offset`; a number of ten digits with a unit overflows unseen in the parser.
fn durations(code: &str, words: &[&str]) -> Result<(), QueryError> {
    let bracketed = code.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    let bracketed = bracketed.flat_map(|inside| inside.split(':')).map(str::trim);
    let after_offset = words.windows(2).filter(|pair| pair[0].eq_ignore_ascii_case("offset")).map(|pair| pair[1]);
    let mut numbers = bracketed.chain(after_offset).filter_map(|text| text.parse::<f64>().ok());
    let overflowing = |word: &&str| {
        let longest = word.split(|sign: char| !sign.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        longest >= 10 && word.starts_with(|sign: char| sign.is_ascii_digit()) && word.ends_with(['s', 'm', 'h', 'd', 'w', 'y'])
    };
    if numbers.any(|seconds| !(0.0..=DURATION_SECONDS_MAX).contains(&seconds)) || words.iter().any(overflowing) {
        return Err(QueryError::bad_data("duration out of range"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_and_long_texts_are_refused_before_they_are_parsed() {
        assert!(check(&"(".repeat(501)).is_err());
        assert!(check(&format!("1{}", " + 1".repeat(501))).is_err());
        assert!(check(&format!("a{}", " or a".repeat(501))).is_err());
        assert!(check(&"a".repeat(40_000)).is_err());
        assert!(check(&format!("a{{b=\"{}\"}} # {}", "(".repeat(900), "(".repeat(900))).is_ok(), "strings and comments do not nest");
    }

    #[test]
    fn numbers_that_are_too_large_are_refused() {
        for text in ["1e400", "a > 1e+400", "-2.5E309", ".1e400", "9".repeat(400).as_str(), "1e400 + Inf"] {
            assert!(check(text).is_err(), "{text}");
        }
        for text in ["1e300", "1e-400", "1e+300", "Inf", "+Inf", "x1e400", "\"1e400\"", "0x1e400", "1e"] {
            assert!(check(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn durations_that_the_parser_cannot_hold_are_refused() {
        for text in ["a[1e300]", "a[Inf]", "a[NaN]", "a offset 1e30", "a[5m:1e99]", "a[99999999999s]", "a[-5]", "a offset 1d99999999999h"] {
            assert!(check(text).is_err(), "{text}");
        }
        for text in ["a[5m]", "a[300]", "a > 1e300", "a @ 1700000000", "a offset -5m", "a[5m:15s] offset 1h", "x1234567890s"] {
            assert!(check(text).is_ok(), "{text}");
        }
    }
}
