//! The text of PromQL queries, from whoever it comes.
//!
//! Takes a query text; gives the parser's tree or its words. What would make the parser stop the process (a stack used up by nesting,
//! durations that its arithmetic does not hold) or read something else than was written (numbers too large for a float) is refused
//! before it is parsed. Never evaluates anything.

use promql_parser::parser;

/// Parses a query.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<parser::Expr, String> {
    check(text)?;
    parser::parse(text)
}

/// Longest text in bytes.
const TEXT_BYTES_MAX: usize = 32 * 1024;
/// Deepest tree: parentheses within each other, and operators one after another, which nest to the left. A level takes about
/// 10 KiB of stack in a build without optimisation, and threads have 2 MiB.
const DEPTH_MAX: usize = 64;
/// Longest duration in seconds: what Prometheus' nanoseconds hold.
const DURATION_SECONDS_MAX: f64 = 9_223_372_036.0;

/// Refuses what is too deep, too long or out of range.
fn check(text: &str) -> Result<(), String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("the query has {} bytes, at most {TEXT_BYTES_MAX} are taken", text.len()));
    }
    let code = without_strings(text);
    if depth(&code) > DEPTH_MAX {
        return Err(format!("the query nests or chains more than {DEPTH_MAX} operators and parentheses"));
    }
    let words: Vec<&str> = code.split(|sign: char| !is_word(sign)).filter(|word| !word.is_empty()).collect();
    numbers(&code)?;
    durations(&code, &words)
}

/// What stands between two parentheses, as far as it has been read.
#[derive(Clone, Copy, Default)]
struct Level {
    operators: usize,
    deepest_inside: usize,
    deepest_argument: usize,
}

impl Level {
    /// At a comma or at the end: the next argument is a tree of its own.
    fn end_argument(&mut self) -> usize {
        self.deepest_argument = self.deepest_argument.max(self.operators + self.deepest_inside);
        (self.operators, self.deepest_inside) = (0, 0);
        self.deepest_argument
    }
}

/// How deep the tree of a text is at most.
fn depth(code: &str) -> usize {
    let mut levels = vec![Level::default()];
    let mut in_braces = false;
    for token in tokens(code) {
        let inside = levels.len() > 1;
        let Some(level) = levels.last_mut() else { break };
        match token {
            "{" | "}" => in_braces = token == "{",
            _ if in_braces => {}
            "(" => levels.push(Level::default()),
            ")" if inside => {
                let deepest = level.end_argument();
                levels.pop();
                if let Some(outer) = levels.last_mut() {
                    outer.deepest_inside = outer.deepest_inside.max(1 + deepest);
                }
            }
            "," => drop(level.end_argument()),
            operator if is_operator(operator) => level.operators += 1,
            _ => {}
        }
    }
    // What is left open is no query, but the parser goes down all the same.
    let innermost_first = levels.iter_mut().rev();
    let deepest = innermost_first.fold(None, |inside: Option<usize>, level| {
        level.deepest_inside = level.deepest_inside.max(inside.map_or(0, |inside| 1 + inside));
        Some(level.end_argument())
    });
    deepest.unwrap_or(0)
}

fn is_operator(token: &str) -> bool {
    let is_sign = token.starts_with(|sign: char| "[-+*/%^=<>!".contains(sign));
    is_sign || ["and", "or", "unless", "atan2"].contains(&token.to_ascii_lowercase().as_str())
}

/// Words, comparisons, and every other sign by itself.
fn tokens(code: &str) -> impl Iterator<Item = &str> {
    let mut rest = code;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let comparison = |sign: char| "=!<>~".contains(sign);
        let end = if is_word(first) {
            rest.find(|sign| !is_word(sign))
        } else if comparison(first) {
            rest.find(|sign| !comparison(sign))
        } else {
            Some(first.len_utf8())
        };
        let (token, left) = rest.split_at(end.unwrap_or(rest.len()));
        rest = left;
        Some(token)
    })
}

/// The parser reads a number that is too large as infinite; Prometheus does not read it.
fn numbers(code: &str) -> Result<(), String> {
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
            return Err(format!("error parsing number: {:?} is out of range", &word[..length]));
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
fn durations(code: &str, words: &[&str]) -> Result<(), String> {
    let bracketed = code.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    let bracketed = bracketed.flat_map(|inside| inside.split(':')).map(str::trim);
    let after_offset = words.windows(2).filter(|pair| pair[0].eq_ignore_ascii_case("offset")).map(|pair| pair[1]);
    let mut numbers = bracketed.chain(after_offset).filter_map(|text| text.parse::<f64>().ok());
    let overflowing = |word: &&str| {
        let longest = word.split(|sign: char| !sign.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        longest >= 10 && word.starts_with(|sign: char| sign.is_ascii_digit()) && word.ends_with(['s', 'm', 'h', 'd', 'w', 'y'])
    };
    if numbers.any(|seconds| !(0.0..=DURATION_SECONDS_MAX).contains(&seconds)) || words.iter().any(overflowing) {
        return Err("duration out of range".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_and_long_texts_are_refused_before_they_are_parsed() {
        let nested = |open: &str, close: &str, n: usize| format!("{}a{}", open.repeat(n), close.repeat(n));
        for (open, close) in
            [("(", ")"), ("abs(", ")"), ("-", ""), ("sum_over_time((", ")[5m:])"), ("a and ", ""), ("clamp(a, 1, ", ")"), ("[", "")]
        {
            assert!(check(&nested(open, close, 20)).is_ok(), "{open}");
            assert!(check(&nested(open, close, 65)).is_err(), "{open}");
        }
        assert!(check(&format!("a{}", " or a".repeat(64))).is_ok());
        assert!(check(&format!("a{}", " >= bool a".repeat(65))).is_err());
        assert!(check(&format!("f(a{})", ", (1 + 1)".repeat(1000))).is_ok(), "arguments stand beside each other");
        assert!(check(&"a".repeat(40_000)).is_err());
        assert!(check(&format!("a{{b=\"{}\"}} # {}", "(".repeat(900), "(".repeat(900))).is_ok(), "strings and comments do not nest");
        assert!(check(&format!("a{{{}}}", "b=~\"c\",".repeat(100))).is_ok(), "matchers do not nest");
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
