//! What the samples of a span of time have in common.

use super::kahan::{self, Sum};
use super::window::Window;

pub fn mean(window: &Window<'_>) -> Option<f64> {
    Some(kahan::mean(window.values()))
}

pub fn sum(window: &Window<'_>) -> Option<f64> {
    Some(kahan::sum(window.values()))
}

pub fn count(window: &Window<'_>) -> Option<f64> {
    Some(window.samples.len() as f64)
}

pub fn present(_: &Window<'_>) -> Option<f64> {
    Some(1.0)
}

pub fn first(window: &Window<'_>) -> Option<f64> {
    window.samples.first().map(|sample| sample.value)
}

pub fn last(window: &Window<'_>) -> Option<f64> {
    window.samples.last().map(|sample| sample.value)
}

/// NaN only if there is nothing else.
pub fn max(window: &Window<'_>) -> Option<f64> {
    window.values().reduce(|best, value| if value > best || best.is_nan() { value } else { best })
}

/// NaN only if there is nothing else.
pub fn min(window: &Window<'_>) -> Option<f64> {
    window.values().reduce(|best, value| if value < best || best.is_nan() { value } else { best })
}

pub fn quantile(window: &Window<'_>) -> Option<f64> {
    Some(super::quantile::quantile(window.parameter, &window.values().collect::<Vec<_>>()))
}

/// Population variance, by Welford's increments with compensated sums.
fn variance(window: &Window<'_>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for value in window.values() {
        count += 1.0;
        let delta = value - mean.total();
        mean = mean.add(delta / count);
        squares = squares.add(delta * (value - mean.total()));
    }
    squares.total() / count
}

pub fn stdvar(window: &Window<'_>) -> Option<f64> {
    Some(variance(window))
}

pub fn stddev(window: &Window<'_>) -> Option<f64> {
    Some(variance(window).sqrt())
}

fn pairs(window: &Window<'_>, differs: impl Fn(f64, f64) -> bool) -> Option<f64> {
    Some(window.samples.windows(2).filter(|pair| differs(pair[0].value, pair[1].value)).count() as f64)
}

/// How often the value became another one; NaN after NaN is the same.
pub fn changes(window: &Window<'_>) -> Option<f64> {
    pairs(window, |before, after| before != after && !(before.is_nan() && after.is_nan()))
}

/// How often a counter fell.
pub fn resets(window: &Window<'_>) -> Option<f64> {
    pairs(window, |before, after| after < before)
}
