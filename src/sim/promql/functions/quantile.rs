//! Quantiles of plain values.

use std::cmp::Ordering;

/// NaN before everything, then by value.
fn nan_first(left: &f64, right: &f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
    }
}

/// A quantile, between two values by their weighted mean. Outside of 0 to 1 it is infinite, of nothing NaN.
pub fn quantile(q: f64, values: &[f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(nan_first);
    let rank = q * (sorted.len() as f64 - 1.0);
    let lower = (rank.floor().max(0.0) as usize).min(sorted.len() - 1);
    let upper = (lower + 1).min(sorted.len() - 1);
    let weight = rank - rank.floor();
    if weight == 0.0 {
        return sorted[lower];
    }
    sorted[lower] * (1.0 - weight) + sorted[upper] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_two_values() {
        assert_eq!(quantile(0.5, &[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile(1.0, &[4.0, 1.0]), 4.0);
        assert_eq!(quantile(-1.0, &[4.0]), f64::NEG_INFINITY);
        assert!(quantile(0.5, &[]).is_nan());
    }
}
