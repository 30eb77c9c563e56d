//! One value from those of a group, which is never empty.

use super::kahan;

/// From a group's values to its own.
pub type Aggregation = fn(&[f64]) -> f64;

/// All aggregations without a parameter.
pub static AGGREGATIONS: [(&str, Aggregation); 8] =
    [("avg", avg), ("count", count), ("group", group), ("max", max), ("min", min), ("stddev", stddev), ("stdvar", stdvar), ("sum", sum)];

fn avg(values: &[f64]) -> f64 {
    kahan::mean(values.iter().copied())
}

fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

fn group(_: &[f64]) -> f64 {
    1.0
}

/// NaN only if there is nothing else.
fn max(values: &[f64]) -> f64 {
    values.iter().copied().reduce(|best, value| if best < value || best.is_nan() { value } else { best }).unwrap_or(f64::NAN)
}

/// NaN only if there is nothing else.
fn min(values: &[f64]) -> f64 {
    values.iter().copied().reduce(|best, value| if best > value || best.is_nan() { value } else { best }).unwrap_or(f64::NAN)
}

/// Population variance by Welford's increments; of a single infinite value NaN.
fn stdvar(values: &[f64]) -> f64 {
    let Some((first, rest)) = values.split_first() else { return f64::NAN };
    let mut squares = if first.is_finite() { 0.0 } else { f64::NAN };
    let (mut count, mut mean) = (1.0, *first);
    for value in rest {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
    }
    squares / count
}

fn stddev(values: &[f64]) -> f64 {
    stdvar(values).sqrt()
}

fn sum(values: &[f64]) -> f64 {
    kahan::sum(values.iter().copied())
}
