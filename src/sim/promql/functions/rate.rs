//! How much and how fast something rose, with Prometheus' extrapolation to the edges of the span.
//!
//! A sample close to an edge (within 1.1 mean distances) stands for the whole way to it; from one further off only half a mean
//! distance is added. A counter is never extrapolated below zero, and what it lost in a reset is added back.

use super::window::Window;

/// A gap counts as an edge of the series when it is longer than this many mean distances.
const GAP_FACTOR: f64 = 1.1;

pub fn rate(window: &Window<'_>) -> Option<f64> {
    let seconds = (window.end_ms - window.start_ms) as f64 / 1000.0;
    extrapolated(window, true, 1.0 / seconds)
}

pub fn increase(window: &Window<'_>) -> Option<f64> {
    extrapolated(window, true, 1.0)
}

pub fn delta(window: &Window<'_>) -> Option<f64> {
    extrapolated(window, false, 1.0)
}

/// A rise with what the counter lost in resets, added one by one: large values may cancel each other.
fn with_resets(rise: f64, window: &Window<'_>) -> f64 {
    window.samples.windows(2).filter(|pair| pair[1].value < pair[0].value).fold(rise, |rise, pair| rise + pair[0].value)
}

fn extrapolated(window: &Window<'_>, is_counter: bool, scale: f64) -> Option<f64> {
    let [first, .., last] = window.samples else { return None };
    let rise = last.value - first.value;
    let rise = if is_counter { with_resets(rise, window) } else { rise };
    let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
    let sampled = seconds(first.at_ms, last.at_ms);
    let distance = sampled / (window.samples.len() as f64 - 1.0);
    let to_edge = |gap: f64| if gap >= distance * GAP_FACTOR { distance / 2.0 } else { gap };
    let mut before = to_edge(seconds(window.start_ms, first.at_ms));
    if is_counter && rise > 0.0 && first.value >= 0.0 {
        // The counter was zero at the earliest this long before the first sample.
        before = before.min(sampled * (first.value / rise));
    }
    let after = to_edge(seconds(last.at_ms, window.end_ms));
    Some(rise * ((sampled + before + after) / sampled * scale))
}

pub fn irate(window: &Window<'_>) -> Option<f64> {
    instant(window, true)
}

pub fn idelta(window: &Window<'_>) -> Option<f64> {
    instant(window, false)
}

/// From the last two samples alone.
fn instant(window: &Window<'_>, is_rate: bool) -> Option<f64> {
    let [.., before, last] = window.samples else { return None };
    if !is_rate {
        return Some(last.value - before.value);
    }
    let rise = if last.value < before.value { last.value } else { last.value - before.value };
    Some(rise / ((last.at_ms - before.at_ms) as f64 / 1000.0))
}
