//! From values to places in a drawing, and the ticks of its axes.
//!
//! Takes what is to be shown; gives round numbers that a person would choose. Never more ticks than asked for. Pure.

use super::text::Unit;
use jiff::SignedDuration;

/// Steps of a time axis, in seconds.
const TIME_STEPS: [i64; 20] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800];

/// A linear scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The value at the begin.
    pub bottom: f64,
    /// The value at the end, greater than that at the begin.
    pub top: f64,
    /// Where `bottom` is.
    pub from: f64,
    /// Where `top` is.
    pub to: f64,
}

impl Scale {
    /// Where a value is; values beyond the ends are at the ends.
    pub fn place(&self, value: f64) -> f64 {
        self.from + ((value - self.bottom) / (self.top - self.bottom)).clamp(0.0, 1.0) * (self.to - self.from)
    }
}

/// The times at which an axis that lasts so long has ticks: at least the start, at most `count` + 1.
pub fn time_ticks(lasts: SignedDuration, count: i64) -> Vec<SignedDuration> {
    let seconds = lasts.as_secs();
    let fits = |step: &&i64| seconds / **step <= count;
    let longest = TIME_STEPS[TIME_STEPS.len() - 1];
    let step = TIME_STEPS.iter().find(fits).copied().unwrap_or(longest * (seconds / longest / count.max(1) + 1));
    (0..=seconds / step).map(|tick| SignedDuration::from_secs(tick * step)).collect()
}

/// A time on an axis: `0`, `45s`, `10m`, `1h`, `1h30m`.
pub fn time_label(at: SignedDuration) -> String {
    let (hours, minutes, seconds) = (at.as_secs() / 3600, at.as_secs() / 60 % 60, at.as_secs() % 60);
    let part = |value: i64, unit: &str| if value == 0 { String::new() } else { format!("{value}{unit}") };
    let label = format!("{}{}{}", part(hours, "h"), part(minutes, "m"), part(seconds, "s"));
    if label.is_empty() { "0".to_owned() } else { label }
}

/// Ticks of values, of which the first and the last are the ends of the axis: it holds 0, `min`, `max` and `least`. One side of 0 has
/// at most `count` steps, the other at most as many and one.
pub fn value_ticks(min: f64, max: f64, least: f64, unit: Unit, count: u32) -> Vec<f64> {
    let floor = if unit == Unit::Count { 1.0 } else { 1e-6 };
    let above = if max.is_finite() { max.max(least) } else { least }.max(floor);
    let below = if min.is_finite() { (-min).max(0.0) } else { 0.0 };
    let raw = above.max(below) / f64::from(count.max(1));
    let power = 10_f64.powf(raw.log10().floor());
    let nice = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|digit| digit * power);
    let step = nice.filter(|step| *step >= raw * (1.0 - 1e-9)).find(|step| unit != Unit::Count || step.fract() == 0.0);
    let step = step.unwrap_or(power * 10.0).max(if unit == Unit::Count { 1.0 } else { 0.0 });
    let steps = |reach: f64| (reach / step - 1e-9).ceil().max(0.0);
    let first = -steps(below);
    (0..).map(|tick| first + f64::from(tick)).take_while(|tick| *tick <= steps(above).max(1.0)).map(|tick| tick * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(seconds: i64) -> Vec<String> {
        time_ticks(SignedDuration::from_secs(seconds), 8).into_iter().map(time_label).collect()
    }

    #[test]
    fn ticks_of_time_are_round_whatever_the_length() {
        assert_eq!(labels(0), ["0"]);
        assert_eq!(labels(1), ["0", "1s"]);
        assert_eq!(labels(40), ["0", "5s", "10s", "15s", "20s", "25s", "30s", "35s", "40s"]);
        assert_eq!(labels(45 * 60 + 22), ["0", "10m", "20m", "30m", "40m"]);
        assert_eq!(labels(92 * 60), ["0", "15m", "30m", "45m", "1h", "1h15m", "1h30m"]);
        assert_eq!(labels(86_400), ["0", "3h", "6h", "9h", "12h", "15h", "18h", "21h", "24h"]);
        for seconds in (0..200_000).step_by(77).chain([10_000_000]) {
            let ticks = time_ticks(SignedDuration::from_secs(seconds), 8);
            assert!(!ticks.is_empty() && ticks.len() <= 9, "{seconds}: {ticks:?}");
        }
    }

    #[test]
    fn ticks_of_values_hold_the_greatest_and_are_round() {
        assert_eq!(value_ticks(0.0, 100.0, 0.0, Unit::Percent, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(value_ticks(0.0, 4.0, 1.0, Unit::Count, 5), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(value_ticks(0.0, 0.0, 1.0, Unit::Count, 5), [0.0, 1.0]);
        assert_eq!(value_ticks(0.0, 7.0, 1.0, Unit::Count, 5), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(value_ticks(0.0, 12.0, 1.0, Unit::Count, 5), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(value_ticks(f64::NAN, f64::NAN, 1.0, Unit::Percent, 5).last(), Some(&1.0));
        assert_eq!(value_ticks(-3.0, 10.0, 0.0, Unit::Plain, 5), [-4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(value_ticks(-1000.0, 3.0, 0.0, Unit::Plain, 5), [-1000.0, -800.0, -600.0, -400.0, -200.0, 0.0, 200.0]);
        for hundredths in 1..5000 {
            let max = f64::from(hundredths) * 0.37;
            let ticks = value_ticks(0.0, max, 0.0, Unit::Seconds, 5);
            let top = ticks[ticks.len() - 1];
            assert!(ticks.len() >= 2 && ticks.len() <= 6 && top >= max * 0.999_999 && top <= max * 2.6, "{max}: {ticks:?}");
        }
    }

    #[test]
    fn places_stay_within_the_drawing() {
        let scale = Scale { bottom: 0.0, top: 10.0, from: 200.0, to: 0.0 };
        assert_eq!([0.0, 5.0, 10.0, 20.0, -1.0].map(|value| scale.place(value)), [200.0, 100.0, 0.0, 0.0, 200.0]);
        let signed = Scale { bottom: -10.0, ..scale };
        assert_eq!([-10.0, 0.0, 10.0].map(|value| signed.place(value)), [200.0, 100.0, 0.0]);
    }
}
