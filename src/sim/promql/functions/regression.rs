//! The line through samples by least squares.

use super::kahan::Sum;
use super::window::Window;

/// Slope per second, and the value at a time.
fn line(window: &Window<'_>, at_ms: i64) -> Option<(f64, f64)> {
    let [first, _, ..] = window.samples else { return None };
    if window.samples.iter().all(|sample| sample.value == first.value) {
        return Some(if first.value.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first.value) });
    }
    let [mut x_sum, mut y_sum, mut xy_sum, mut xx_sum] = [Sum::default(); 4];
    for sample in window.samples {
        let (x, y) = ((sample.at_ms - at_ms) as f64 / 1000.0, sample.value);
        x_sum = x_sum.add(x);
        y_sum = y_sum.add(y);
        xy_sum = xy_sum.add(x * y);
        xx_sum = xx_sum.add(x * x);
    }
    let n = window.samples.len() as f64;
    let [x, y, xy, xx] = [x_sum, y_sum, xy_sum, xx_sum].map(Sum::total);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Some((slope, y / n - slope * x / n))
}

pub fn deriv(window: &Window<'_>) -> Option<f64> {
    // Seconds from the first sample, not from the epoch: their squares stay small.
    let first = window.samples.first()?;
    line(window, first.at_ms).map(|(slope, _)| slope)
}

pub fn predict_linear(window: &Window<'_>) -> Option<f64> {
    line(window, window.step_ms).map(|(slope, now)| slope * window.parameter + now)
}
