//! Text and numbers as they stand in a page.
//!
//! Everything that comes from outside goes through [`escape`]. Numbers are never `NaN` or infinite: those are shown as absent.

/// What stands for a value that is not there.
pub const ABSENT: &str = "–";

/// Text for HTML, in content and in quoted attributes. Control characters become spaces; marks that change the direction of
/// text become visible, so that no name can pretend to be another.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            _ if letter.is_control() => escaped.push(' '),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Hundredths.
    Percent,
    /// Seconds, shown as seconds or milliseconds.
    Seconds,
    /// Requests per second.
    PerSecond,
    /// Things.
    Count,
    /// Whatever somebody measures, of any size.
    Plain,
}

impl Unit {
    /// A number with its unit, exact enough for a table.
    pub fn show(self, value: Option<f64>) -> String {
        let Some(value) = value.filter(|value| value.is_finite()) else { return ABSENT.to_owned() };
        match self {
            Self::Percent => format!("{} %", short(value, 2)),
            Self::Seconds if value > 0.0 && value < 1.0 => format!("{} ms", short(value * 1000.0, 0)),
            Self::Seconds => format!("{} s", short(value, 2)),
            Self::PerSecond => short(value, 2),
            Self::Count => short(value, 0),
            Self::Plain => short(
                value,
                [(1000.0, 0), (100.0, 1), (1.0, 3)].iter().find(|(least, _)| value.abs() >= *least).map_or(5, |(_, decimals)| *decimals),
            ),
        }
    }
}

/// A number with at most so many decimals, none of them a zero at the end.
fn short(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A coordinate in a drawing; absent ones are drawn at the origin, and never asked for.
pub fn coordinate(value: f64) -> String {
    if value.is_finite() { short(value, 1) } else { "0".to_owned() }
}

/// `one`, or `many` of them.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let evil = "</td><script>alert('1' + \"2\")</script>&amp;\u{202e}\n\u{7}";
        assert_eq!(escape(evil), "&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39; + &quot;2&quot;)&lt;/script&gt;&amp;amp;\u{fffd}  ");
        assert_eq!(escape("größer 模型 – ok"), "größer 模型 – ok");
    }

    #[test]
    fn numbers_are_short_and_absent_ones_are_said_to_be_absent() {
        let shown = [
            Unit::Percent.show(Some(12.345)),
            Unit::Percent.show(Some(50.0)),
            Unit::Seconds.show(Some(0.4804)),
            Unit::Seconds.show(Some(12.5)),
            Unit::PerSecond.show(Some(40.0)),
            Unit::Count.show(Some(100.0)),
            Unit::Count.show(Some(-0.1)),
            Unit::Plain.show(Some(0.004_632_1)),
            Unit::Plain.show(Some(-2335.33)),
        ];
        assert_eq!(shown, ["12.35 %", "50 %", "480 ms", "12.5 s", "40", "100", "0", "0.00463", "-2335"]);
        for nothing in [None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)] {
            assert_eq!(Unit::Percent.show(nothing), ABSENT);
        }
        assert_eq!((coordinate(f64::NAN), coordinate(1.25)), ("0".to_owned(), "1.2".to_owned()));
    }
}
